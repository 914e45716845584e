"""Tables of the papers on tiny made-up motion capture: trained, scored, written, taken again."""

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from tiny_mocap import write_tiny_mocap

torch = pytest.importorskip("torch", reason="PyTorch is not installed: no training here")

from erd_ros.cli import main
from erd_ros.data.detector import detect_pixels
from erd_ros.errors import InputError
from erd_ros.evaluate.scenes import fixed_views
from erd_ros.mocap import read_human36m_cameras, read_mocap
from erd_ros.models.checkpoint import load_model, read_tensors, write_tensors
from erd_ros.reproduce import catalogue
from erd_ros.reproduce.runs import Workplace, trained
from erd_ros.reproduce.tables import TABLES
from erd_ros.reproduce.write import names_of
from erd_ros.train import BEST, FINAL, HISTORY, LAST

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ("cmu", "accad", "uiprmd", "mhad")
CHOSEN = ("erd-table-1", "absposelifter-table-3")
SETTINGS = (
    "lifter_steps=4", "regressor_steps=2", "batch_size=16", "validation_size=64",
    "checkpoint_every=2", "precision=float32", "model.lifter_size.width=16",
)  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    """What `--threads 1` sets holds for the process, other tests included."""
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_tiny_mocap(tmp_path_factory.mktemp("mocap"), SOURCES, frames=20)


def write_page(folder):
    page = folder / "results.md"
    sections = [
        f"<!-- erd reproduce {n}: begin -->\n<!-- erd reproduce {n}: end -->" for n in TABLES
    ]
    page.write_text("\n".join(["before", *sections, "after\n"]))
    return page


def words(data, runs, page, *tables, settings=SETTINGS):
    return [
        "reproduce", *tables, "--data", str(data), "--runs", str(runs), "--results", str(page),
        "--configs", str(ROOT / "config" / "train"), "--threads", "1", "--set", *settings,
    ]  # fmt: skip


@pytest.fixture(scope="module")
def reproduced(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("reproduced")
    page = write_page(folder)
    assert main(words(data, folder / "runs", page, *CHOSEN)) == 0
    return folder


def figures(folder, table):
    return json.loads((folder / "results" / f"{table}.json").read_text())["figures"]


def test_the_page_has_the_tables(reproduced):
    page = (reproduced / "results.md").read_text()
    assert page.startswith("before\n")
    assert page.endswith("after\n")
    of_table = page.partition("<!-- erd reproduce erd-table-1: begin -->")[2]
    of_table = of_table.partition("<!-- erd reproduce erd-table-1: end -->")[0]
    scores = figures(reproduced, "erd-table-1")["runs"]["linear-gt2d-erd-given on gt2d"]
    average = scores["lifter"]["kinds"]["average"]
    assert f"| average | {average:.1f} | " in of_table
    assert "| paper, average over its actions | 37.5 | 33.9 | 37.5 | 35.8 | 53.4 |" in of_table
    # 4 steps of 16 samples of the paper's 200 epochs of 160 frames, 2 of 16 of 5 epochs
    assert "0.2 % of the paper's 200 epochs" in of_table
    assert "4 % of 5 epochs" in of_table
    assert "erd reproduce pca: begin -->\n<!--" in page, "another table's section was touched"


def test_json_says_where_the_numbers_come_from(reproduced):
    content = json.loads((reproduced / "results" / "erd-table-1.json").read_text())
    assert {"command", "commit", "seed", "machine", "time"} <= content.keys()
    run = content["figures"]["runs"]["linear-det2d-erd-perspective on det2d"]
    assert run["config"]["simulation"]["detector"] == "simulated"
    assert run["config"]["model"]["root"] == "perspective"
    assert len(run["steps"]) == len(run["validation_mm"]) == 7
    assert run["used"] == int(np.argmin(run["validation_mm"][:5]))
    assert run["refined"]["all"] == run["steps"][run["used"]]
    assert run["lifter"]["all"] == run["steps"][0]
    assert set(run["lifter"]["sources"]) == set(SOURCES)
    numbers = [value for step in run["steps"] for value in step.values()]
    assert numbers == [round(value, 2) for value in numbers]


def test_tables_share_the_lifter(reproduced):
    lifter, _ = read_tensors(reproduced / "runs" / "linear-gt2d" / FINAL)
    for root in ("given", "perspective"):
        tensors, _ = read_tensors(reproduced / "runs" / f"linear-gt2d-erd-{root}" / BEST)
        assert all(torch.equal(tensors[name], lifter[name]) for name in lifter)


@pytest.fixture(scope="module")
def poses(data):
    """Points (F, 17, 3) in the camera, and the source of each."""
    views = fixed_views(
        read_mocap(data, SOURCES, "test"), read_human36m_cameras(data, ("S9", "S11"))
    )
    return views.points_in_camera, views.source


def rays_of(points, tested_on):
    rays = torch.from_numpy((points[..., :2] / points[..., 2:]).astype(np.float32))
    if tested_on == "det2d":
        rays = detect_pixels(rays * 1145, torch.Generator().manual_seed(0)) / 1145
    return rays


@pytest.mark.parametrize("tested_on", ["gt2d", "det2d"])
def test_scores_are_the_metrics_of_every_step(reproduced, poses, tested_on):
    points, source = poses
    name = f"linear-{tested_on}-erd-perspective"
    scores = figures(reproduced, "erd-table-1")["runs"][f"{name} on {tested_on}"]
    model, _ = load_model(reproduced / "runs" / name / BEST)
    rays = rays_of(points, tested_on)
    with torch.no_grad():
        trajectory = model.trajectory(rays, torch.ones_like(rays[..., 0]))
    truth = points - points[:, :1]
    for step, estimate in zip(scores["steps"], trajectory, strict=True):
        joints, root = estimate.joints.double().numpy(), estimate.root.double().numpy()
        of_joints = 1000 * np.linalg.norm(joints - truth, axis=-1)
        off = np.abs(root - points[:, 0])
        assert step["mpjpe_mm"] == pytest.approx(of_joints.mean(), abs=0.006)
        assert step["mrpe_mm"] == pytest.approx(1000 * np.sqrt((off**2).sum(-1)).mean(), abs=0.006)
        assert step["mrpe_z_mm"] == pytest.approx(1000 * off[:, 2].mean(), abs=0.006)
    estimate = trajectory[0].joints.double().numpy()
    of_poses = 1000 * np.linalg.norm(estimate - truth, axis=-1).mean(-1)
    assert scores["lifter"]["sources"]["mhad"]["mpjpe_mm"] == pytest.approx(
        of_poses[source == 3].mean(), abs=0.006
    )


def test_root_solvers_on_the_mixture_models_poses(reproduced, poses):
    points, _ = poses
    rows = {
        row["root"]: row for row in figures(reproduced, "absposelifter-table-3")["grids"][0]["rows"]
    }
    assert rows["learned depth (AbsPoseLifter)"]["paper: MRPE"] == 144.24
    exact = rows["true pose, exact keypoints: full perspective, least squares"]
    assert exact["MRPE"] == pytest.approx(0, abs=0.1)
    model, _ = load_model(reproduced / "runs" / "abspose-mixture" / BEST)
    rays = rays_of(points, "det2d")
    with torch.no_grad():
        (estimate,) = model.trajectory(rays, torch.ones_like(rays[..., 0]))
    learned = estimate.root.double().numpy()
    off = 1000 * np.abs(learned - points[:, 0])
    assert rows["learned depth (AbsPoseLifter)"]["z"] == pytest.approx(off[:, 2].mean(), abs=0.006)
    solved = [
        least_squares_root(*one)
        for one in zip(rays.double().numpy(), estimate.joints.double().numpy(), strict=True)
    ]
    off = 1000 * np.linalg.norm(np.stack(solved) - points[:, 0], axis=-1)
    full = rows["full perspective, least squares"]
    assert full["MRPE"] == pytest.approx(off.mean(), rel=1e-3)


def least_squares_root(rays, joints):
    """Root (3,) of ERD paper eq. 5 by NumPy's solver."""
    rows, right = [], []
    for (x, y), (p_x, p_y, p_z) in zip(rays, joints, strict=True):
        rows += [[1, 0, -x], [0, 1, -y]]
        right += [x * p_z - p_x, y * p_z - p_y]
    return np.linalg.lstsq(np.array(rows), np.array(right), rcond=None)[0]


def test_finished_runs_are_taken_as_they_are(reproduced, data, tmp_path):
    before = {p: p.stat().st_mtime_ns for p in (reproduced / "runs").rglob("*") if p.is_file()}
    page = write_page(tmp_path)
    assert main(words(data, reproduced / "runs", page, *CHOSEN)) == 0
    after = {p: p.stat().st_mtime_ns for p in (reproduced / "runs").rglob("*") if p.is_file()}
    assert after == before
    for table in CHOSEN:
        assert figures(tmp_path, table) == figures(reproduced, table)


def test_pictures_from_finished_runs(reproduced, data, tmp_path):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed: no pictures")
    page = write_page(tmp_path)
    assert main(words(data, reproduced / "runs", page, "erd-figure-3")) == 0
    assert (tmp_path / "results" / "erd-figure-3.png").read_bytes()[:4] == b"\x89PNG"
    assert "](results/erd-figure-3.png)" in page.read_text()


def test_a_killed_run_is_gone_on_with(reproduced, data, tmp_path):
    """The tensors are those of the unbroken run, the lifter's and the regressors'."""
    command = words(data, tmp_path / "runs", write_page(tmp_path), "erd-table-1")
    history = tmp_path / "runs" / "linear-gt2d-erd-given" / HISTORY
    with subprocess.Popen(
        [sys.executable, "-m", "erd_ros.cli", *command], cwd=ROOT, stderr=subprocess.DEVNULL
    ) as process:
        while process.poll() is None:
            if history.is_file() and len(history.read_text().splitlines()) >= 2:
                process.kill()
            time.sleep(0.01)
    folder = history.parent
    assert (folder / LAST).is_file()
    assert not (folder / FINAL).is_file(), "the run was over before it could be killed"
    place = Workplace(data, ROOT / "config" / "train", tmp_path / "runs", (*SETTINGS, "seed=0"))
    torch.set_num_threads(1)
    trained(catalogue.erd_run("linear", "gt2d", "given"), place)
    unbroken, _ = read_tensors(reproduced / "runs" / folder.name / FINAL)
    resumed, _ = read_tensors(folder / FINAL)
    assert resumed.keys() == unbroken.keys()
    assert all(torch.equal(resumed[name], unbroken[name]) for name in unbroken)


@pytest.mark.parametrize("finished", [True, False])
def test_another_configuration_is_refused(reproduced, data, tmp_path, capsys, finished):
    runs = tmp_path / "runs"
    shutil.copytree(reproduced / "runs" / "linear-gt2d", runs / "linear-gt2d")
    if not finished:
        (runs / "linear-gt2d" / FINAL).unlink()
    settings = (*SETTINGS, "model.lifter_size.blocks=1")
    command = words(data, runs, write_page(tmp_path), "erd-table-1", settings=settings)
    assert main(command) == 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert "holds a run with model.lifter_size.blocks 2, this table needs 1" in error
    assert f"remove the folder {runs / 'linear-gt2d'}" in error


def test_regressors_of_another_lifter_are_refused(reproduced, data, tmp_path):
    runs = tmp_path / "runs"
    for name in ("linear-gt2d", "linear-gt2d-erd-given"):
        shutil.copytree(reproduced / "runs" / name, runs / name)
    final = runs / "linear-gt2d" / FINAL
    tensors, metadata = read_tensors(final)
    bias = next(name for name in tensors if name.startswith("lifter.") and name.endswith("bias"))
    write_tensors(final, tensors | {bias: tensors[bias] + 1}, metadata)
    place = Workplace(data, ROOT / "config" / "train", runs, (*SETTINGS, "seed=0"))
    with pytest.raises(InputError, match=r"another lifter than .*remove the folder .*erd-given"):
        trained(catalogue.erd_run("linear", "gt2d", "given"), place)


def test_a_page_without_the_section_stops_before_training(data, tmp_path, capsys):
    page = tmp_path / "results.md"
    page.write_text("nothing\n")
    assert main(words(data, tmp_path / "runs", page, "pca")) == 1
    assert "has no section between '<!-- erd reproduce pca: begin -->'" in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


def test_unknown_table_lists_the_choices(data, tmp_path, capsys):
    assert main(words(data, tmp_path / "runs", tmp_path / "r.md", "erd-table-9")) == 1
    error = capsys.readouterr().err
    assert "unknown table 'erd-table-9'" in error
    assert all(name in error for name in TABLES)
    assert names_of(["pca", "all"]) == list(TABLES)
    assert names_of(["pca", "ablations", "pca"]) == ["pca", "ablations"]


def test_threads_and_settings_that_cannot_be(data, tmp_path, capsys):
    page = write_page(tmp_path)
    assert main([*words(data, tmp_path / "runs", page, "pca"), "speed=1"]) == 1
    assert "unknown key 'speed'" in capsys.readouterr().err
    assert main([*words(data, tmp_path / "runs", page, "pca"), "--threads", "0"]) == 1
    assert "--threads is 0" in capsys.readouterr().err


def test_sources_and_seed_reach_every_run(data, tmp_path):
    page = write_page(tmp_path)
    command = words(data, tmp_path / "runs", page, "absposelifter-table-3")
    assert main([*command, "--sources", "cmu", "mhad", "--seed", "3"]) == 0
    run = figures(tmp_path, "absposelifter-table-3")["runs"]["abspose-mixture on det2d"]
    assert run["config"]["sources"] == ["cmu", "mhad"]
    assert run["config"]["seed"] == 3
    assert set(run["lifter"]["sources"]) == {"cmu", "mhad"}
