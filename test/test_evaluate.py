"""Evaluation: what goes in, what comes out, and that the numbers are those of the file."""

import json

import numpy as np
import pytest
from rich.console import Console
from tiny_mocap import write_tiny_mocap
from tiny_onnx import write_tiny_onnx
from untrained import untrained_model

torch = pytest.importorskip("torch", reason="PyTorch is not installed: no training here")

from erd_ros.cli import main
from erd_ros.errors import ArtifactError, InputError
from erd_ros.evaluate import evaluate, step_errors
from erd_ros.evaluate.present import BY, SECTION, markdown, print_tables
from erd_ros.evaluate.scenes import detected_scene, exact_scene, fixed_views
from erd_ros.evaluate.steps import load_steps
from erd_ros.evaluate.summary import AVERAGE, BY_ACTION
from erd_ros.export import export
from erd_ros.metrics import MPI_INF_3DHP_JOINTS, mpjpe_mm, mrpe_mm
from erd_ros.mocap import read_human36m_cameras, read_mocap
from erd_ros.models.checkpoint import save_model
from erd_ros.report import replace_section, write_json
from erd_ros.runtime import DEFAULT_MODEL
from erd_ros.skeleton import H36M17

SOURCES = ("cmu", "accad")
BEGIN, END = f"<!-- {SECTION}: begin -->", f"<!-- {SECTION}: end -->"


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = write_tiny_mocap(tmp_path_factory.mktemp("mocap"))
    for source, test_action in {"cmu": "walk | Subject #2", "accad": "B3 Walk"}.items():
        with np.load(folder / f"{source}.npz", allow_pickle=False) as archive:
            arrays = dict(archive)
        arrays["clip_action"] = np.array(["run", "run", "sit", test_action])
        np.savez(folder / f"{source}.npz", **arrays)
    return folder


@pytest.fixture(scope="module")
def model_file(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    save_model(folder / "m.safetensors", *untrained_model())
    export(folder / "m.safetensors", folder / "m.onnx")
    return folder / "m.onnx"


@pytest.fixture(scope="module")
def figures(model_file, data):
    return evaluate(model_file, data, SOURCES)


@pytest.fixture(scope="module")
def views(data):
    return fixed_views(
        read_mocap(data, SOURCES, "test"), read_human36m_cameras(data, ("S9", "S11"))
    )


def test_views_are_rigid_and_in_turn(views, data):
    mocap = read_mocap(data, SOURCES, "test")
    assert views.camera_names == ("S9/a", "S9/b", "S11/a", "S11/b")
    assert views.left_out == 0
    given = views.points_in_camera - views.points_in_camera[:, :1]
    expected = mocap.positions_in_world - mocap.positions_in_world[:, :1]
    np.testing.assert_allclose(
        np.linalg.norm(given, axis=-1), np.linalg.norm(expected, axis=-1), atol=1e-5
    )
    # Camera a looks along y: what is forward there is to the left or right in camera b.
    np.testing.assert_allclose(given[0::4, :, 2], expected[0::4, :, 1], atol=1e-5)
    np.testing.assert_allclose(given[1::4, :, 2], expected[1::4, :, 0], atol=1e-5)
    np.testing.assert_allclose(given[:, :, 1], -expected[:, :, 2], atol=1e-5)


def test_poses_behind_a_camera_are_left_out_and_counted(data):
    mocap = read_mocap(data, SOURCES, "test")
    mocap.positions_in_world[:4, :, 1] += 20  # the clip's mean moves with them, by 2 m
    mocap.positions_in_world[4:8, :, 1] -= 20
    views = fixed_views(mocap, read_human36m_cameras(data, ("S9", "S11")))
    assert views.left_out == 2  # of four poses, the two before cameras that look along y
    assert len(views.points_in_camera) == len(views.source) == len(mocap) - 2


def test_poses_that_lack_a_joint_are_left_out(data):
    mocap = read_mocap(data, SOURCES, "test")
    cameras = read_human36m_cameras(data, ("S9", "S11"))
    mocap.positions_in_world[:5, H36M17.index("spine")] = np.nan
    assert fixed_views(mocap, cameras).left_out == 5
    mocap.positions_in_world[:, H36M17.index("spine")] = np.nan
    with pytest.raises(InputError, match="none of 80 poses has all 17 joints"):
        fixed_views(mocap, cameras)


def test_exact_scene_is_the_projection(views):
    scene = exact_scene(views, np.random.default_rng(0))
    points = scene.joints + scene.root[:, None]
    np.testing.assert_allclose(scene.rays * points[..., 2:], points[..., :2], atol=1e-6)
    assert (scene.confidence == 1).all()


def test_detected_scene_has_a_detectors_joints(views):
    scene = detected_scene(views, np.random.default_rng(0))
    joint = H36M17.index
    assert (scene.confidence[:, joint("head_top")] == 0).all()
    assert (np.delete(scene.confidence, joint("head_top"), 1) == 1).all()
    hips = scene.rays[:, [joint("left_hip"), joint("right_hip")]].mean(1)
    np.testing.assert_allclose(scene.rays[:, joint("pelvis")], hips, atol=1e-6)
    again = detected_scene(views, np.random.default_rng(0))
    np.testing.assert_array_equal(scene.rays, again.rays)


def test_errors_are_those_of_pytorch_step_by_step(figures, views):
    """The values inside the ONNX file are the trajectory of the module."""
    model, _ = untrained_model()
    scene = exact_scene(views, np.random.default_rng(0))
    with torch.no_grad():
        steps = model.trajectory(torch.from_numpy(scene.rays), torch.from_numpy(scene.confidence))
    for step, errors in zip(steps, step_errors(figures, "exact"), strict=True):
        joints, root = step.joints.numpy(), step.root.numpy()
        assert errors["mpjpe_mm"] == pytest.approx(mpjpe_mm(joints, scene.joints).mean(), abs=0.02)
        assert errors["mrpe_mm"] == pytest.approx(mrpe_mm(root, scene.root).mean(), abs=0.05)


def test_groups_average_to_all(figures):
    assert figures["poses"] == {"cmu": 40, "accad": 40}
    for scene in ("exact", "detected"):
        whole = step_errors(figures, scene)
        parts = [step_errors(figures, scene, source) for source in SOURCES]
        for step, errors in enumerate(whole):
            for metric, value in errors.items():
                assert value == pytest.approx((parts[0][step][metric] + parts[1][step][metric]) / 2)


@pytest.mark.parametrize("scene", ["exact", "detected"])
def test_joints_average_to_mpjpe(figures, scene):
    for group, steps in figures["joints"][scene].items():
        assert all(tuple(step) == H36M17.joint_names for step in steps)
        for errors, step in zip(step_errors(figures, scene, group), steps, strict=True):
            assert np.mean(list(step.values())) == pytest.approx(errors["mpjpe_mm"])
            assert step["pelvis"] < 0.01


def test_actions_are_means_over_their_poses(figures, views, data):
    """Against the poses of each action, evaluated by themselves."""
    mocap = read_mocap(data, SOURCES, "test")
    model, _ = untrained_model()
    scene = exact_scene(views, np.random.default_rng(0))
    with torch.no_grad():
        steps = model.trajectory(torch.from_numpy(scene.rays), torch.from_numpy(scene.confidence))
    errors = mpjpe_mm(steps[-1].joints.numpy(), scene.joints)
    by_name = {}
    for error, index in zip(errors, mocap.action, strict=True):
        by_name.setdefault(mocap.actions[index], []).append(error)
    given = figures["actions"]["exact"]["all"][-1]
    assert set(given) == {*by_name, AVERAGE}
    for name, values in by_name.items():
        assert given[name]["mpjpe_mm"] == pytest.approx(np.mean(values), abs=0.02)
    for metric in BY_ACTION:
        of_actions = [given[name][metric] for name in by_name]
        assert given[AVERAGE][metric] == pytest.approx(np.mean(of_actions))


def test_pck_counts_the_joints_of_mpi_inf_3dhp(figures, views):
    model, _ = untrained_model()
    scene = exact_scene(views, np.random.default_rng(0))
    with torch.no_grad():
        steps = model.trajectory(torch.from_numpy(scene.rays), torch.from_numpy(scene.confidence))
    distance = np.linalg.norm(steps[-1].joints.numpy() - scene.joints, axis=-1)
    near = distance[:, list(MPI_INF_3DHP_JOINTS)] < 0.15
    assert step_errors(figures, "exact")[-1]["pck_3d"] == pytest.approx(100 * near.mean(), abs=0.5)


def test_unknown_group(figures):
    with pytest.raises(InputError, match="no figures of 'mhad' in scene 'exact'"):
        step_errors(figures, "exact", "mhad")


def test_tables_hold_every_step(figures, capsys):
    print_tables(figures)
    out = capsys.readouterr().out
    for label in ("all, lifter alone", "all, after step 1", "all, after step 2", "accad, after"):
        assert label in out
    assert f"{step_errors(figures, 'exact')[2]['mpjpe_mm']:.1f}" in out
    assert "…" not in out
    assert "by joint" not in out
    print_tables(figures, console=Console(quiet=True))


def test_tables_by_joint_and_action(figures, capsys):
    walking = figures["actions"]["exact"]["cmu"][-1]["walk | Subject #2"]["mrpe_mm"]
    rows = [line for line in markdown(figures, "", BY).splitlines() if "cmu, walk" in line]
    assert rows[0].startswith(r"| cmu, walk \| Subject #2 | ")
    assert rows[0].endswith(f" | {walking:.1f} |")
    print_tables(figures, BY)
    out = capsys.readouterr().out
    for label in (*H36M17.joint_names, f"accad, {AVERAGE}", "by joint", "by action"):
        assert label in out
    assert f"{figures['joints']['detected']['cmu'][-1]['left_wrist']:.1f}" in out
    assert "…" not in out


def test_command_writes_all_it_is_asked_for(model_file, data, figures, tmp_path, capsys):
    page = tmp_path / "results.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    words = ["evaluate", str(model_file), "--data", str(data), "--sources", *SOURCES]
    words += [
        "--json",
        str(tmp_path / "e.json"),
        "--plot",
        str(tmp_path / "p.png"),
        "--by",
        "joint",
    ]
    assert main([*words, "--markdown", str(page)]) == 0
    written = json.loads((tmp_path / "e.json").read_text())
    assert written["seed"] == 0
    assert written["machine"]["cores"] >= 1
    for what in ("scenes", "joints", "actions"):
        assert written["figures"][what] == figures[what]
    assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG")
    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "old" not in text
    assert "by joint" in text
    assert "by action" not in text
    assert f"| {step_errors(figures, 'exact')[0]['mpjpe_mm']:.1f} |" in text


def test_command_refuses(model_file, data, tmp_path, capsys):
    page = tmp_path / "results.md"
    page.write_text("no markers")
    words = ["evaluate", str(model_file), "--data", str(data), "--sources", "cmu"]
    assert main([*words, "--markdown", str(page)]) == 1
    assert "add the two lines" in capsys.readouterr().err
    assert page.read_text() == "no markers"
    assert main(["evaluate", str(tmp_path / "no.onnx"), "--data", str(data)]) == 1
    assert "no.onnx does not exist" in capsys.readouterr().err
    assert main(["evaluate", str(model_file), "--data", str(tmp_path)]) == 1
    assert "--data" in capsys.readouterr().err


def test_files_that_are_no_models(tmp_path, model_file):
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(model_file.read_bytes()[:500])
    with pytest.raises(ArtifactError, match=r"broken\.onnx is not an ONNX file"):
        load_steps(broken)
    with pytest.raises(ArtifactError, match="no value 'joints_step_0'"):
        load_steps(write_tiny_onnx(tmp_path / "tiny.onnx"))


def test_replace_section_twice_is_once(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(f"a\n{BEGIN}\n{END}\nb\n")
    replace_section(page, SECTION, "new\n")
    once = page.read_text()
    replace_section(page, SECTION, "new\n")
    assert page.read_text() == once == f"a\n{BEGIN}\nnew\n{END}\nb\n"


def test_json_of_awkward_values(tmp_path):
    path = tmp_path / "deep" / "figures.json"
    write_json(path, {"nan": np.nan, "array": np.arange(3), "one": np.float32(0.5)}, seed=None)
    content = json.loads(path.read_text())
    assert content["figures"] == {"nan": None, "array": [0, 1, 2], "one": 0.5}
    assert content["seed"] is None
    with pytest.raises(InputError, match="cannot be written"):
        write_json(path / "below_a_file.json", {}, seed=None)


def test_the_model_that_ships_on_real_people(shared_data, model_file):
    """Loose bounds: what is measured stands in docs/results.md."""
    figures = evaluate(DEFAULT_MODEL, shared_data, ["cmu", "accad", "uiprmd"], "val")
    errors = step_errors(figures, "exact")[-1]
    assert errors["pa_mpjpe_mm"] < errors["n_mpjpe_mm"] < 90
    assert errors["mrpe_mm"] < 450
