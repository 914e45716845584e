"""Motion capture, virtual cameras and simulated detections."""

import math

import numpy as np
import pytest
from tiny_mocap import STANDING, write_tiny_mocap

torch = pytest.importorskip("torch", reason="PyTorch is not installed: no training here")

from erd_ros.data import error_model
from erd_ros.data.batches import Simulation, SimulationConfig
from erd_ros.data.cameras import CameraConfig, robot_views, studio_views
from erd_ros.errors import InputError
from erd_ros.mocap import SHIPPABLE_SOURCES, read_human36m_cameras, read_mocap
from erd_ros.skeleton import H36M17


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def standing(persons):
    return torch.from_numpy(STANDING.astype(np.float32)).repeat(persons, 1, 1)


@pytest.fixture
def folder(tmp_path):
    return write_tiny_mocap(tmp_path)


def test_splits_share_no_subject(shared_data):
    splits = [
        set(read_mocap(shared_data, SHIPPABLE_SOURCES, s).subjects)
        for s in ("train", "val", "test")
    ]
    assert [len(one) for one in splits] == [22, 5, 6]  # as the data's README counts them
    assert len(set.union(*splits)) == 22 + 5 + 6


def test_real_poses_are_people_in_metres(shared_data):
    positions = read_mocap(shared_data, SHIPPABLE_SOURCES, "val").positions_in_world
    joint = H36M17.index
    thigh = positions[:, joint("left_hip")] - positions[:, joint("left_knee")]
    assert 0.3 < np.linalg.norm(thigh, axis=-1).mean() < 0.5
    # z is up: most people have their head above their feet.
    up = positions[:, joint("head_top"), 2] - positions[:, joint("left_ankle"), 2]
    assert (up > 0.8).mean() > 0.9


def test_centred_moves_clips_not_people(folder):
    mocap = read_mocap(folder, ["cmu", "accad"], "train")
    centred = mocap.centred()
    for clip in np.unique(mocap.clip):
        np.testing.assert_allclose(centred[mocap.clip == clip, 0, :2].mean(0), 0, atol=1e-5)
    relative = centred - centred[:, :1]
    expected = mocap.positions_in_world - mocap.positions_in_world[:, :1]
    np.testing.assert_allclose(relative, expected, atol=1e-5)
    np.testing.assert_array_equal(centred[..., 2], mocap.positions_in_world[..., 2])
    assert len(np.unique(mocap.clip)) == 4  # clips of different sources stay apart


@pytest.mark.parametrize(
    ("sources", "split", "message"),
    [
        (["cmu"], "dev", "unknown split 'dev'; choose one of train, val, test"),
        (["nobody"], "train", "nobody.npz does not exist.*--data"),
        ([], "train", "no frame of split 'train'"),
    ],
)
def test_motion_capture_that_is_not_there(folder, sources, split, message):
    with pytest.raises(InputError, match=message):
        read_mocap(folder, sources, split)


def test_motion_capture_that_is_broken(folder):
    path = folder / "cmu.npz"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(InputError, match=r"cmu\.npz cannot be read"):
        read_mocap(folder, ["cmu"], "train")
    with np.load(folder / "accad.npz") as archive:
        arrays = dict(archive) | {"up_axis": np.array("y")}
    np.savez(folder / "accad.npz", **arrays)
    with pytest.raises(InputError, match=r"\('y', 'm'\); expected"):
        read_mocap(folder, ["accad"], "train")


def test_human36m_cameras_surround_the_studio(shared_data):
    cameras = read_human36m_cameras(shared_data)
    assert len(cameras.names) == 11 * 4
    turns, moves = cameras.rotation_world_to_camera, cameras.translation
    np.testing.assert_allclose(
        turns @ turns.swapaxes(1, 2), np.eye(3)[None].repeat(44, 0), atol=1e-6
    )
    centres = -np.einsum("cji,cj->ci", turns, moves)
    assert (np.linalg.norm(centres[:, :2], axis=1) > 3).all()
    assert ((centres[:, 2] > 1) & (centres[:, 2] < 2.5)).all()
    assert len(read_human36m_cameras(shared_data, ["S9", "S11"]).names) == 8


def test_robot_views_show_upright_people_at_the_distances_asked():
    config = CameraConfig(robot_distance=(2, 5), robot_roll=1e-6)
    views = robot_views(standing(2000), config, generator())
    root = views.points_in_camera[:, 0]
    # Rigid: distances between joints are as before.
    bones = views.points_in_camera[:, 1:] - root[:, None]
    expected = standing(2000)[:, 1:] - standing(2000)[:, :1]
    torch.testing.assert_close(bones.norm(dim=-1), expected.norm(dim=-1), atol=1e-4, rtol=0)
    horizontal = torch.from_numpy(STANDING[0]).norm()
    assert (root.norm(dim=-1) > 1.9).all()
    assert (root.norm(dim=-1) < 5 + horizontal + 2.5).all()
    # The camera's y is down: heads are above feet in nearly upright cameras.
    head, foot = views.points_in_camera[:, 10], views.points_in_camera[:, 3]
    assert (head[:, 1] < foot[:, 1]).all()
    down = (foot - head) / (foot - head).norm(dim=-1, keepdim=True)
    pitch = torch.rad2deg(torch.asin(down[:, 2]))
    assert pitch.abs().max() < 40 + 15  # the figure's own head and ankle lean a little
    assert pitch.std() > 5


def test_what_robots_see_is_in_the_image():
    views = robot_views(standing(2000), CameraConfig(), generator())
    rays = views.points_in_camera[..., :2] / views.points_in_camera[..., 2:]
    inside = (rays.abs() < views.half_image[:, None]).all(-1)
    assert inside.any(1).float().mean() > 0.97
    assert views.half_image[:, 0].min() > math.tan(math.radians(22.4))
    assert views.half_image[:, 0].max() < math.tan(math.radians(55.1))


def test_studio_views_are_the_cameras_of_the_file(folder):
    cameras = read_human36m_cameras(folder)
    config = CameraConfig(studio_jitter=0, studio_area=0)
    views = studio_views(standing(50), cameras, config, generator())
    torch.testing.assert_close(views.points_in_camera[:, 0, 2], torch.full((50,), 5.0))
    below = 1.5 - STANDING[0, 2]  # the root is so far below the camera
    torch.testing.assert_close(views.points_in_camera[:, 0, 1], torch.full((50,), below).float())


def test_batches_depend_on_their_seed_alone(folder):
    mocap, cameras = read_mocap(folder, ["cmu"], "train"), read_human36m_cameras(folder)
    simulation = Simulation(mocap, cameras, SimulationConfig())
    one, same, other = (simulation.draw(64, generator(seed)) for seed in (1, 1, 2))
    assert torch.equal(one.rays, same.rays)
    assert not torch.equal(one.rays, other.rays)
    assert torch.isfinite(one.rays).all()
    assert (one.joints[:, 0] == 0).all()
    assert ((one.joints + one.root[:, None])[..., 2] >= 0.3 - 1e-5).all()


STUDIO = CameraConfig(robot_share=0.0, studio_jitter=0.0)


def test_exact_keypoints_are_projections(folder):
    """GT2D: all joints, also those outside the image."""
    mocap, cameras = read_mocap(folder, ["cmu"], "train"), read_human36m_cameras(folder)
    config = SimulationConfig(cameras=STUDIO, detector="exact")
    batch = Simulation(mocap, cameras, config).draw(64, generator())
    points = batch.joints + batch.root[:, None]
    torch.testing.assert_close(batch.rays, points[..., :2] / points[..., 2:])
    assert (batch.confidence == 1).all()


def test_detectors_err_by_pixels_of_the_studio(folder, tmp_path):
    """DET2D, and the model of its errors, drawn anew for every person."""
    names = H36M17.joint_names
    spread = np.random.default_rng(0).normal(0, 6, (500, 17, 2))
    path = tmp_path / "errors.json"
    error_model.write_error_model(path, error_model.fit(spread, names, "gaussian"), "a test")
    mocap, cameras = read_mocap(folder, ["cmu"], "train"), read_human36m_cameras(folder)
    pixels = cameras.focal_length.mean()
    for config in (
        SimulationConfig(cameras=STUDIO, detector="simulated"),
        SimulationConfig(cameras=STUDIO, detector="error_model", error_model=str(path)),
    ):
        batch = Simulation(mocap, cameras, config).draw(2000, generator())
        points = batch.joints + batch.root[:, None]
        errors = (batch.rays - points[..., :2] / points[..., 2:]) * pixels
        assert 4 < errors.norm(dim=-1).mean() < 10


def test_poses_without_all_joints_are_refused(folder):
    """As HumanEva's 15 joints leave them; a loss of NaN would say less."""
    mocap, cameras = read_mocap(folder, ["cmu"], "train"), read_human36m_cameras(folder)
    mocap.positions_in_world[3, H36M17.index("spine")] = np.nan
    with pytest.raises(InputError, match=r"1 of \d+ frames of cmu lack spine; training needs all"):
        Simulation(mocap, cameras, SimulationConfig())


def test_mirrored_people_keep_left_and_right(folder):
    """Facing the camera or not, the left hip is on the same side of the body's front."""
    mocap, cameras = read_mocap(folder, ["cmu"], "train"), read_human36m_cameras(folder)
    batch = Simulation(mocap, cameras, SimulationConfig()).draw(256, generator())

    def handedness(joints):
        index = H36M17.index
        across = joints[:, index("left_shoulder")] - joints[:, index("right_shoulder")]
        hips = joints[:, index("left_hip")] - joints[:, index("right_hip")]
        return (across * hips).sum(-1)

    assert (handedness(batch.joints) > 0).all()


@pytest.mark.parametrize(
    ("kind", "values", "message"),
    [
        (CameraConfig, {"robot_share": 1.5}, "robot_share is 1.5, expected 0 to 1"),
        (SimulationConfig, {"detector": "eye"}, "unknown detector 'eye'; choose one of exact, sim"),
        (SimulationConfig, {"error_model": "x.json"}, "a file goes with detector error_model"),
        (SimulationConfig, {"fixed_samples": -1}, "fixed_samples is -1, expected 0"),
        (CameraConfig, {"robot_distance": (3, 2)}, "robot_distance is 3 to 2"),
    ],
)
def test_configurations_that_make_no_sense(kind, values, message):
    with pytest.raises(InputError, match=message):
        kind(**values)
