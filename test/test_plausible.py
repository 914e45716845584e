"""Keypoints and answers that are no person's: nobody is placed where nobody can stand."""

import time
from pathlib import Path

import numpy as np
import pytest
from ros_people import camera_info, message_of
from scipy.spatial.transform import Rotation

import erd_ros
from erd_ros.cues import Cues
from erd_ros.errors import InputError
from erd_ros.geometry.camera import Camera
from erd_ros.mocap import read_mocap
from erd_ros.pose import Keypoints2D
from erd_ros.ros.frames import Placement
from erd_ros.ros.knowledge import above_ground
from erd_ros.ros.parameters import NodeParameters
from erd_ros.ros.pipeline import Inputs, Pipeline
from erd_ros.runtime import load
from erd_ros.runtime.carried_size import SizesByPerson
from erd_ros.runtime.estimator import Estimator
from erd_ros.runtime.plausible import possible_places, seen_keypoints, surest
from erd_ros.skeleton import COCO17, H36M17

CAMERA = Camera(1280, 720, [[900, 0, 640], [0, 900, 360], [0, 0, 1]])
LEVEL = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])  # z up to y down


@pytest.fixture(scope="module")
def estimator():
    return Estimator(load(Path(erd_ros.__file__).parent / "weights" / "robot_erd.onnx"))


@pytest.fixture(scope="module")
def standing(shared_data):
    """(F, 17, 3) people on their feet 4 m before a level camera 1.2 m above the ground."""
    mocap = read_mocap(shared_data, ["cmu"], "test").positions_in_world[::400].astype(np.float64)
    trunk = mocap[:, 8] - mocap[:, 0]
    mocap = mocap[trunk[:, 2] > 0.9 * np.linalg.norm(trunk, axis=-1)]
    on_spot = mocap - mocap[:, :1] * [1, 1, 0] - [0, 0, 1] * mocap[..., 2].min(1)[:, None, None]
    return on_spot @ LEVEL.T + [0, 1.2, 4]


def seen_by_rolled(points, degrees):
    """Rotation of the camera, keypoints that it sees."""
    rotation = Rotation.from_rotvec([0, 0, degrees], degrees=True).as_matrix()
    pixels = CAMERA.project(points @ rotation.T)
    return rotation, Keypoints2D(H36M17, pixels, np.full(pixels.shape[:2], 0.9))


def errors_mm(estimator, standing, degrees, up_known):
    """Of roots in the median, of joints in the mean."""
    rotation, keypoints = seen_by_rolled(standing, degrees)
    up = tuple((rotation @ [0, -1, 0]).tolist())
    cue = Cues(up=up, camera_height=1.2, camera_height_deviation=0.02) if up_known else Cues()
    pose = estimator.estimate(keypoints, CAMERA, [cue] * len(standing))
    truth = standing @ rotation.T
    relative = truth - truth[:, :1]
    joints = pose.joints_in_camera - pose.root_in_camera[:, None]
    off = np.linalg.norm(pose.root_in_camera - truth[:, 0], axis=-1)
    of_joints = np.linalg.norm(joints - relative, axis=-1)
    return 1e3 * np.array([np.nanmedian(off), np.nanmean(of_joints)])


@pytest.mark.parametrize("degrees", [90, 135, 180, 270])
def test_a_camera_whose_roll_is_known_by_tf_is_as_good_as_an_upright_one(
    estimator, standing, degrees
):
    upright = errors_mm(estimator, standing, 0, up_known=True)
    rolled = errors_mm(estimator, standing, degrees, up_known=True)
    assert (rolled < 1.1 * upright + 10).all(), (upright, rolled)


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_a_camera_that_is_rolled_is_noticed_by_the_people(estimator, standing, degrees):
    upright = errors_mm(estimator, standing, 0, up_known=False)
    rolled = errors_mm(estimator, standing, degrees, up_known=False)
    assert (rolled < 1.2 * upright + 15).all(), (upright, rolled)


@pytest.mark.parametrize("case", ["origin", "one pixel", "corner"])
def test_keypoints_in_one_place_are_nobody(estimator, case):
    place = {"origin": (0, 0), "one pixel": (700, 300), "corner": (1279, 719)}[case]
    pixels = np.random.default_rng(0).uniform(0, case == "one pixel", (1, 17, 2)) + place
    pose = estimator.estimate(Keypoints2D(H36M17, pixels, np.full((1, 17), 0.9)), CAMERA, [Cues()])
    assert np.isnan(pose.root_in_camera).all()
    assert np.isnan(pose.residual_px).all()


def test_keypoints_that_are_no_pose_are_nobody_or_possible(estimator):
    generator = np.random.default_rng(1)
    scale = 10 ** generator.uniform(-1, 3, (3000, 1, 1))
    pixels = (640, 360) + scale * generator.standard_normal((3000, 17, 2))
    keypoints = Keypoints2D(H36M17, pixels, generator.random((3000, 17)))
    pose = estimator.estimate(keypoints, CAMERA, [Cues()] * 3000)
    placed = np.isfinite(pose.root_in_camera).all(-1)
    distance = np.linalg.norm(pose.root_in_camera[placed], axis=-1)
    assert distance.min() >= 0.1
    assert distance.max() <= 100
    assert pose.size is not None
    assert ((pose.size[placed, 0] >= 0.3) & (pose.size[placed, 0] <= 2.6)).all()
    assert np.isfinite(pose.deviations[placed]).all()


def test_exactly_0_0_and_outside_the_image_count_as_not_seen():
    pixels = np.full((1, 17, 2), 100.0)
    pixels[0, :5] = (0, 0), (0, 50), (50, 0), (-100, 50), (740, 50)
    seen = seen_keypoints(Keypoints2D(COCO17, pixels, np.full((1, 17), 0.45)), (640, 480), 0.1)
    assert (seen.confidence[0] > 0).tolist() == [False, True, True, False, False, *[True] * 12]
    unknown = seen_keypoints(Keypoints2D(COCO17, pixels, np.ones((1, 17))), None, 0.1)
    assert (unknown.confidence[0] > 0).sum() == 16


def test_four_limb_points_at_0_0_do_not_move_the_person(estimator, shared_data, standing):
    pixels = CAMERA.project(standing[:1])
    pixels[0, [3, 6, 13, 16]] = 0
    confidence = np.full((1, 17), 0.9)
    confidence[0, [3, 6, 13, 16]] = 0.45
    message = message_of(Keypoints2D(H36M17, pixels, confidence), 1.0)
    parameters = NodeParameters(input="keypoints", max_persons=1)
    pipeline = Pipeline(parameters, estimator.backend, None, lambda *_: None)
    people = pipeline.scene(Inputs(message, camera_info(CAMERA))).people
    assert np.linalg.norm(people.root[0] - standing[0, 0]) < 0.5


def test_the_surest_persons_are_kept_and_the_rest_is_counted(estimator, standing):
    pixels = np.repeat(CAMERA.project(standing[:1]), 120, 0)
    pixels += np.random.default_rng(0).uniform(-200, 200, (120, 1, 2))
    confidence = np.repeat(np.linspace(0.5, 1, 120)[:, None], 17, 1)
    keypoints = Keypoints2D(H36M17, pixels, confidence)
    assert surest(keypoints, 100).tolist() == list(range(20, 120))
    remarks = []
    pipeline = Pipeline(
        NodeParameters(input="keypoints"), estimator.backend, None, lambda *r: remarks.append(r)
    )
    people = pipeline.scene(Inputs(message_of(keypoints, 1.0), camera_info(CAMERA))).people
    assert len(people) == 100
    (words,) = [words for cause, words in remarks if cause == "too many persons"]
    assert "120 persons" in words
    assert "20 are left out" in words


def test_a_hundred_people_are_assigned_within_10_ms():
    from erd_ros.runtime.tracker import Tracker

    generator = np.random.default_rng(0)
    body = generator.uniform((0, 0), (40, 100), (17, 2))
    places, tracker, took_s = generator.uniform(0, 1000, (100, 1, 2)), Tracker(), []
    for frame in range(15):
        pixels = body + places + generator.normal(0, 2, (100, 17, 2))
        keypoints = Keypoints2D(COCO17, pixels, np.ones((100, 17)))
        begin_s = time.perf_counter()
        tracker.update(keypoints, frame / 30)
        took_s.append(time.perf_counter() - begin_s)
    assert min(took_s[2:]) < 0.010


@pytest.mark.parametrize("height_m", [0.0, -0.5, np.nan])
def test_a_camera_that_is_not_above_the_ground_is_refused(height_m):
    with pytest.raises(InputError, match="above ground_frame by TF, expected more than 0"):
        above_ground(Placement(np.eye(3), np.array([0, 0, height_m])))


@pytest.mark.parametrize("size", [-0.3, 0.0, 0.05, 3.0, np.nan])
def test_a_size_that_nobody_has_is_not_carried(size):
    sizes = SizesByPerson()
    sizes.learn(["a", "b"], [[1, 1, size, 0.01], [1, 1, 1.6, 0.01]])
    first, second = sizes.told(["a", "b"], [Cues(), Cues()])
    assert first == Cues()
    assert second.size == pytest.approx(1.6)


@pytest.mark.parametrize("height_m", [0.0, 0.05, -0.5])
def test_one_wrong_height_of_the_camera_costs_nobody_a_later_frame(estimator, standing, height_m):
    class Ground:
        height_m = 1.2

        def placement(self, *_):
            return Placement(LEVEL.T @ np.eye(3), np.array([0, 0, self.height_m]))

    ground = Ground()
    parameters = NodeParameters(input="keypoints", ground_frame="floor")
    pipeline = Pipeline(parameters, estimator.backend, ground, lambda *_: None)
    two = np.stack([standing[0] - [0.8, 0, 0], standing[0] + [0.8, 0, 0]])
    keypoints = Keypoints2D(H36M17, CAMERA.project(two), np.full((2, 17), 0.9))
    for frame in range(5):
        ground.height_m = height_m if frame == 1 else 1.2
        scene = pipeline.scene(Inputs(message_of(keypoints, 1 + 0.1 * frame), camera_info(CAMERA)))
    assert len(scene.people) == 2
    assert (np.linalg.norm(scene.people.root - two[:, 0], axis=-1) < 0.5).all()


def test_nobody_stands_where_the_lens_shows_no_joint():
    """A strong distortion has no pixel for any of them, so that nothing can be compared."""
    roots = np.array([[0, 0, 3], [0, 0, 3]], np.float32)
    residuals = np.array([0.1, np.nan], np.float32)
    assert possible_places(roots, None, None, residuals).tolist() == [True, False]
