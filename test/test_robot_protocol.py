"""The robot protocol: where its cameras stand, what its detectors give, what losses cost."""

import json

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from tiny_mocap import STANDING, write_tiny_mocap
from untrained import untrained_model

torch = pytest.importorskip("torch", reason="PyTorch is not installed: no training here")

from erd_ros.cli import main
from erd_ros.errors import InputError
from erd_ros.evaluate import robot_keypoints as keypoints_module
from erd_ros.evaluate.robot_keypoints import HIDDEN, LAYOUTS, robot_keypoints
from erd_ros.evaluate.robot_losses import cost, losses
from erd_ros.evaluate.robot_present import SECTION, markdown
from erd_ros.evaluate.robot_protocol import MEAN_POSE, evaluate_robot, robot_scene
from erd_ros.evaluate.robot_views import (
    CAMERA_HEIGHT,
    DISTANCE,
    LARGEST_PITCH,
    LARGEST_ROLL,
    LEAST_IN_IMAGE,
    NEAREST,
    robot_views,
)
from erd_ros.evaluate.steps import load_steps
from erd_ros.export import export
from erd_ros.mocap import read_mocap
from erd_ros.models.checkpoint import save_model
from erd_ros.skeleton import H36M17

SOURCES = ("cmu", "accad")
POSES = 400
INDEX = {name: index for index, name in enumerate(H36M17.joint_names)}


@pytest.fixture(scope="module")
def standing():
    """One person with bent arms, standing still somewhere, again and again."""
    elsewhere = STANDING + np.array([3.0, -2.0, 0.0])
    return np.tile(elsewhere, (POSES, 1, 1)).astype(np.float32)


@pytest.fixture(scope="module")
def views(standing):
    return robot_views(standing, np.random.default_rng(1))


@pytest.fixture(scope="module")
def keypoints(views):
    return robot_keypoints(views, np.random.default_rng(2))


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_tiny_mocap(tmp_path_factory.mktemp("mocap"), SOURCES, frames=60)


@pytest.fixture(scope="module")
def model_file(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    save_model(folder / "m.safetensors", *untrained_model())
    export(folder / "m.safetensors", folder / "m.onnx")
    return folder / "m.onnx"


@pytest.fixture(scope="module")
def figures(model_file, data):
    return evaluate_robot({"one": model_file, "two": model_file}, data, SOURCES, "test", 0)


def test_cameras_stand_where_they_say(views, standing):
    """Without its pitch and roll a camera is level, and sees pelvis and ground where they are."""
    turn = Rotation.from_euler("zx", np.stack([-views.roll, views.pitch], -1), degrees=True)
    level = np.einsum("fab,fjb->fja", turn.as_matrix(), views.points_in_camera)
    heights = views.camera_height[:, None] - level[..., 1]
    np.testing.assert_allclose(heights, standing[..., 2], atol=1e-6)
    np.testing.assert_allclose(np.hypot(level[:, 0, 0], level[:, 0, 2]), views.distance, atol=1e-6)


def test_cameras_keep_their_bounds_and_use_them(views):
    assert len(views) == POSES
    for values, (low, high) in (
        (views.camera_height, CAMERA_HEIGHT),
        (views.distance, DISTANCE),
        (views.pitch, (-LARGEST_PITCH, LARGEST_PITCH)),
        (views.roll, (-LARGEST_ROLL, LARGEST_ROLL)),
    ):
        assert low <= values.min()
        assert values.max() <= high
        assert np.ptp(values) > 0.8 * (high - low)
    assert views.points_in_camera[..., 2].min() >= NEAREST
    in_image = views.in_image()
    assert in_image.sum(1).min() >= LEAST_IN_IMAGE
    assert 0.2 < in_image.all(1).mean() < 0.9
    degrees = 2 * np.degrees(np.arctan(views.half_image))
    assert degrees[:, 0].min() >= 45
    assert degrees[:, 0].max() <= 110


def test_the_person_is_rigid_and_faces_any_way(views, standing):
    def distances(points):
        return np.linalg.norm(points[:, :, None] - points[:, None], axis=-1)

    np.testing.assert_allclose(distances(views.points_in_camera), distances(standing), atol=1e-5)
    hips = views.points_in_camera[:, INDEX["left_hip"]] - views.points_in_camera[:, 0]
    assert 0.3 < (hips[:, 0] > 0).mean() < 0.7
    assert 0.3 < (hips[:, 2] > 0).mean() < 0.7


def test_the_seed_decides(standing):
    one, same, other = (robot_views(standing, np.random.default_rng(s)) for s in (3, 3, 4))
    np.testing.assert_array_equal(one.points_in_camera, same.points_in_camera)
    assert (one.distance != other.distance).all()


def test_poses_without_a_joint_are_left_out(standing):
    lacking = standing.copy()
    lacking[::2, 5] = np.nan
    views = robot_views(lacking, np.random.default_rng(0))
    assert (views.pose == np.arange(1, POSES, 2)).all()
    with pytest.raises(InputError, match="none of 3 poses has all its joints"):
        robot_views(np.full((3, 17, 3), np.nan, np.float32), np.random.default_rng(0))


def test_layouts_give_what_they_have(keypoints):
    """COCO has neither head top nor pelvis: the one is missing, the other between the hips."""
    coco = (keypoints.layout == LAYOUTS.index("coco17")) & (keypoints.confidence[:, 0] > 0)
    assert coco.sum() > 20
    assert (keypoints.confidence[coco][:, INDEX["head_top"]] == 0).all()
    hips = [INDEX["left_hip"], INDEX["right_hip"]]
    np.testing.assert_allclose(
        keypoints.rays[coco][:, 0], keypoints.rays[coco][:, hips].mean(1), atol=1e-6
    )
    np.testing.assert_allclose(
        keypoints.confidence[coco][:, 0], keypoints.confidence[coco][:, hips].min(1)
    )
    for name in ("h36m17", "halpe26"):
        of_layout = keypoints.layout == LAYOUTS.index(name)
        assert (keypoints.confidence[of_layout][:, INDEX["head_top"]] > 0).any()


def test_ears_are_where_the_estimator_takes_them_to_be(views):
    """What is derived from exact ears and shoulders is neck_nose itself."""
    points = keypoints_module._joints_of(
        keypoints_module.SKELETONS["coco17"], views.points_in_camera
    )
    names = keypoints_module.SKELETONS["coco17"].joint_names
    four = [
        names.index(f"{side}_{part}") for side in ("left", "right") for part in ("ear", "shoulder")
    ]
    np.testing.assert_allclose(
        points[:, four].mean(1), views.points_in_camera[:, INDEX["neck_nose"]], atol=1e-9
    )
    assert np.isnan(points[:, names.index("nose")]).all()


@pytest.mark.parametrize(
    ("kind", "joints"),
    [("legs", ("left_knee", "right_ankle")), ("nothing", ())],
)
def test_what_is_hidden(keypoints, views, kind, joints):
    chosen = keypoints.hidden == list(HIDDEN).index(kind)
    enough = (keypoints.confidence > 0).sum(1) >= keypoints_module.LEAST_SEEN
    assert (chosen & enough).sum() > 10
    for name in joints:
        assert (keypoints.confidence[chosen & enough][:, INDEX[name]] == 0).mean() > 0.9
    missing = keypoints.confidence[chosen & views.in_image().all(1), INDEX["left_knee"]] == 0
    assert missing.mean() < 0.2 if kind == "nothing" else missing.mean() > 0.8


def test_a_side_or_an_arm_is_hidden_on_one_side_alone():
    skeleton = keypoints_module.SKELETONS["coco17"]
    for kind, count in (("one side", 8), ("one arm", 2)):
        hidden = np.full(200, list(HIDDEN).index(kind))
        mask = keypoints_module._hiding(skeleton, hidden, np.random.default_rng(0))
        assert (mask.sum(1) == count).all()
        left = mask[:, skeleton.index("left_wrist")]
        assert 0.3 < left.mean() < 0.7
        assert (left != mask[:, skeleton.index("right_wrist")]).all()


def test_errors_are_the_mixture_in_the_mean_and_wider_where_confidence_is_low():
    generator = np.random.default_rng(0)
    skeleton = keypoints_module.SKELETONS["h36m17"]
    confidence = 1 - 0.7 * generator.random((20_000, 17)) ** 2
    errors = keypoints_module._errors(skeleton, confidence, generator)
    wrist, pelvis = errors[:, INDEX["left_wrist"]], errors[:, INDEX["pelvis"]]
    far = np.abs(wrist).max(1) > 4 * keypoints_module.DEVIATION[2]
    share = 1 - (4 * 0.065 / 0.48) ** 2  # of the uniform errors, what lies so far out
    assert far.mean() == pytest.approx(share * keypoints_module.OUTLIER_SHARE[2], rel=0.1)
    core = pelvis[np.abs(pelvis).max(1) < 0.2]
    assert core.std() == pytest.approx(keypoints_module.DEVIATION[0], rel=0.1)
    sure = confidence[:, 0] > 0.9
    assert np.abs(pelvis[sure]).mean() < 0.8 * np.abs(pelvis[~sure]).mean()


def test_losses_change_what_they_say(views):
    by_name = losses(views, np.random.default_rng(0))
    legs = by_name["knees and ankles unseen"]
    assert (legs.after.confidence[:, INDEX["left_knee"]] == 0).all()
    np.testing.assert_array_equal(
        legs.after.confidence[:, INDEX["left_wrist"]],
        legs.before.confidence[:, INDEX["left_wrist"]],
    )
    six = by_name["6 of 17 joints unseen"]
    lost = (six.after.confidence == 0) & (six.before.confidence > 0)
    assert lost.sum(1).max() == 6
    assert lost.any(0).all()
    rolled = by_name["camera rolled by 25 degrees"]
    for scene in (rolled.before, rolled.after):
        points = scene.joints + scene.root[:, None]
        assert np.median(np.abs(points[..., :2] / points[..., 2:] - scene.rays)) < 0.05
    hips = rolled.before.joints[:, INDEX["left_hip"]]
    turned = rolled.after.joints[:, INDEX["left_hip"]]
    np.testing.assert_allclose(np.linalg.norm(hips, axis=1), np.linalg.norm(turned, axis=1))
    angle = np.degrees(np.arctan2(hips[:, 1], hips[:, 0]) - np.arctan2(turned[:, 1], turned[:, 0]))
    np.testing.assert_allclose(np.abs((angle + 180) % 360 - 180), LARGEST_ROLL, atol=1e-6)


def test_before_a_roll_the_camera_is_level(views):
    level = losses(views, np.random.default_rng(0))["camera rolled by 25 degrees"].before
    knee, ankle = (level.joints[:, INDEX[f"left_{part}"]] for part in ("knee", "ankle"))
    assert (ankle[:, 1] > knee[:, 1]).all()
    assert np.abs((ankle - knee)[:, 0]).max() < 1e-6  # the shin hangs straight down


def test_nothing_lost_costs_nothing(model_file, views):
    loss = losses(views, np.random.default_rng(0))["knees and ankles unseen"]
    same = type(loss)(loss.after, loss.after)
    assert cost(load_steps(model_file), same)["grows_percent"] == 0
    assert cost(load_steps(model_file), loss)["grows_percent"] != 0


def test_figures_hold_every_model_and_condition(figures, data):
    assert list(figures["models"]) == [MEAN_POSE, "one", "two"]
    assert figures["models"]["one"] == figures["models"]["two"]
    one = figures["models"]["one"]
    assert len(one["steps"]) == 3
    poses = one["steps"][-1]["poses"]
    assert poses == sum(figures["poses"].values())
    assert poses + figures["poses_left_out"] == len(read_mocap(data, SOURCES, "test"))
    assert one["sources"]["cmu"]["poses"] == figures["poses"]["cmu"]
    for name, labels in one["conditions"].items():
        assert sum(errors["poses"] for errors in labels.values()) == poses, name
        mean = sum(e["poses"] * e["mpjpe_mm"] for e in labels.values() if e["poses"]) / poses
        assert mean == pytest.approx(one["steps"][-1]["mpjpe_mm"]), name
    assert np.isfinite(one["steps"][-1]["mpjpe_seen_mm"])


def test_conditions_are_those_of_the_views(data):
    examined = robot_scene(read_mocap(data, SOURCES, "test"), 0)
    seen = examined.seen.sum(1)
    for label, mask in examined.conditions["joints seen"].items():
        low, high = map(int, label.split(" to "))
        assert ((low <= seen[mask]) & (seen[mask] <= high)).all()
    depth = examined.scene.root[:, 2]
    distances = examined.conditions["distance, m"]
    assert depth[distances["5 to 8"]].mean() > depth[distances["1 to 2"]].mean() + 2


def test_command(model_file, data, figures, tmp_path, capsys):
    page = tmp_path / "results.md"
    page.write_text(f"before\n<!-- {SECTION}: begin -->\n<!-- {SECTION}: end -->\nafter\n")
    words = ["evaluate", str(model_file), "--protocol", "robot", "--data", str(data)]
    words += ["--sources", *SOURCES, "--beside", f"two={model_file}"]
    words += ["--json", str(tmp_path / "r.json"), "--markdown", str(page)]
    assert main(words) == 0
    written = json.loads((tmp_path / "r.json").read_text())
    assert written["seed"] == 0
    assert written["figures"]["models"]["two"] == json.loads(json.dumps(figures["models"]["two"]))
    out = capsys.readouterr().out
    for label in (MEAN_POSE, "m, lifter alone", "two, what losses cost", "blazepose33"):
        assert label in out
    assert "…" not in out
    assert markdown(figures, "erd").count("### ") == page.read_text().count("### ")


def test_command_refuses(model_file, data, capsys):
    words = ["evaluate", str(model_file), "--data", str(data)]
    assert main([*words, "--beside", f"x={model_file}"]) == 1
    assert (
        "--beside goes with --protocol robot or backends, not with studio"
        in capsys.readouterr().err
    )
    assert main([*words, "--protocol", "robot", "--by", "joint"]) == 1
    assert "--by goes with --protocol studio, not with robot" in capsys.readouterr().err
    assert main([*words, "--protocol", "robot", "--beside", "x.onnx"]) == 1
    assert "--beside has 'x.onnx', expected NAME=FILE" in capsys.readouterr().err
