"""Inputs that once broke what must hold, each with the right answer."""

from types import SimpleNamespace

import numpy as np
import pytest
from erd_ros.msg import Person3D
from geometry_msgs.msg import Quaternion, Transform, Vector3
from ros_people import scene_of
from sensor_msgs.msg import Image

from erd_ros.cues import Cues
from erd_ros.errors import InputError
from erd_ros.geometry.camera import Camera
from erd_ros.geometry.camera_check import check_plausible
from erd_ros.pose import Keypoints2D, Pose3D
from erd_ros.ros.depth import metres_from_depth_image
from erd_ros.ros.foreign import keypoints_from_skeleton2d, keypoints_from_zed
from erd_ros.ros.frames import placement_of
from erd_ros.ros.people_message import PeopleWriter
from erd_ros.runtime import DEFAULT_MODEL, PoseOutputs, load
from erd_ros.runtime.estimator import Estimator, EstimatorConfig
from erd_ros.runtime.people import PeopleFilter
from erd_ros.runtime.roll import run_upright
from erd_ros.runtime.tracker import Tracker
from erd_ros.skeleton import COCO17, H36M17, skeleton_by_name


@pytest.mark.parametrize("name", ["size_deviation", "camera_height_deviation", "depth_deviation"])
def test_a_cue_that_is_known_to_nobody_has_an_infinite_variance(name):
    """The squares were an OverflowError of Python's, or one of float32's."""
    for deviation in (1e30, 1e300):
        np.testing.assert_array_equal(Cues(**{name: deviation}).row(), Cues().row())


@pytest.mark.parametrize("name", ["size", "depth", "camera_height", "tilt_deviation"])
def test_cues_of_no_size_on_earth_are_refused(name):
    with pytest.raises(InputError, match=rf"{name} .*1e\+30"):
        Cues(**{name: 1e30})


def test_keypoints_that_no_image_holds_are_missing_for_the_tracker():
    """Without a CameraInfo nothing else bounds them, and their squares are infinite."""
    pixels = np.full((1, 17, 2), 100.0)
    pixels[0, :, 1] = np.linspace(50, 400, 17)
    good = Keypoints2D(COCO17, pixels, np.ones((1, 17)))
    pixels[0, 3:5] = (3e38, -1e7)
    odd = Keypoints2D(COCO17, pixels, np.ones((1, 17)))
    assert np.flatnonzero(odd.confidence[0] == 0).tolist() == [3, 4]
    tracker = Tracker()
    assert tracker.update(good, 0.0) == tracker.update(odd, 0.1) == ["b0001"]


def test_intrinsics_that_nobody_has_place_nobody():
    camera = Camera(640, 480, np.array([[1e200, 0, 320], [0, 500, 240], [0, 0, 1]]))
    estimator = Estimator(load(DEFAULT_MODEL), EstimatorConfig(2, 0, 1))
    pixels = np.random.default_rng(0).uniform(0, 480, (3, 17, 2))
    poses = estimator.estimate(Keypoints2D(H36M17, pixels, np.ones((3, 17))), camera)
    assert np.isnan(poses.root_in_camera).all()


def person(count):
    joints = np.random.default_rng(0).normal((0, 0, 5), size=(count, 17, 3)).astype(np.float32)
    confidence = np.ones((count, 17), np.float32)
    poses = Pose3D(H36M17, joints, joints[:, 0], confidence, np.ones(count, np.float32))
    return scene_of(poses, ["b0001"] * count)


def test_who_is_not_in_the_second_image_of_one_stamp_is_predicted():
    """By the time that went by, none, it was somebody seen without a residual."""
    people, writer = PeopleFilter(), PeopleWriter(H36M17, "")
    for seen, state in ((1, Person3D.FULL), (0, Person3D.PREDICTED)):
        scene = person(seen)
        object.__setattr__(scene, "people", people.update(scene.people, np.zeros(3), 1.0))
        (said,) = writer.write(scene).persons
        assert said.state == state
        assert said.root.z == pytest.approx(person(1).people.root[0, 2])


def test_who_is_upside_down_may_have_no_residual():
    rays = np.zeros((1, 17, 2), np.float32)
    rays[0, :, 1] = [0, 0.1, 0.2, 0.3, 0.1, 0.2, 0.3, *[-0.1] * 10]

    def run(rays, confidence, cues):
        nan = np.full(confidence.shape, np.nan, np.float32)
        return PoseOutputs(np.zeros((1, 17, 3), np.float32), np.zeros((1, 3), np.float32), nan)

    upside_down = -rays
    outputs = run_upright(run, H36M17, upside_down, np.ones((1, 17), np.float32), None)
    assert np.isnan(outputs.residual).all()


@pytest.mark.parametrize("metres", [1e300, -1e9, np.inf, np.nan])
def test_a_transform_to_where_nothing_is_is_refused(metres):
    transform = Transform(translation=Vector3(z=metres), rotation=Quaternion(w=1.0))
    with pytest.raises(InputError, match=r"metres up to 1e\+08; correct its publisher"):
        placement_of(transform)


def test_an_error_is_cut_in_its_middle():
    with pytest.raises(InputError) as caught:
        skeleton_by_name("x" * 100_000)
    words = str(caught.value)
    assert len(words) < 4100
    assert words.startswith("unknown keypoint layout 'xxx")
    assert words.endswith("or describe yours by its joint names")
    assert "characters left out" in words


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan, 3e38, -3e38])
def test_points_in_space_that_no_zed_sees_tell_no_focal_length(value):
    """Of inf and -inf the sum is NaN, and squares of what float32 holds are infinite."""
    space = np.stack([np.full(18, 3.0), np.linspace(-1, 1, 18), np.linspace(1, -1, 18) ** 2], -1)
    pixels = (320, 240) - 500 * space[:, 1:] / space[:, :1]
    space[3, 1:] = value, -value

    def points(values):
        return SimpleNamespace(keypoints=[SimpleNamespace(kp=value) for value in values])

    person = SimpleNamespace(
        label_id=1, confidence=99.0, skeleton_available=True, body_format=0,
        skeleton_2d=points(pixels), skeleton_3d=points(space),
    )  # fmt: skip
    found = keypoints_from_zed(SimpleNamespace(objects=[person]), (640, 480))
    assert found.focal_px == pytest.approx(500)


def test_a_place_that_no_image_has_is_a_keypoint_not_seen():
    """3e38 of an image's width is infinite in float32."""
    points = [SimpleNamespace(x=0.5, y=0.5, c=0.9) for _ in range(18)]
    points[3].x = 3e38
    keypoints = keypoints_from_skeleton2d(SimpleNamespace(skeleton=points), (640, 480)).keypoints
    assert np.flatnonzero(keypoints.confidence[0] == 0).tolist() == [3]


def test_a_principal_point_without_bound_is_refused():
    camera = Camera(640, 480, np.array([[500, 0, 1e200], [0, 500, 1e200], [0, 0, 1]]))
    with pytest.raises(InputError, match=r"principal point in K is \(1e\+200, 1e\+200\)"):
        check_plausible(camera)


def test_an_error_is_one_line_whatever_it_quotes():
    assert str(InputError("a name is 'x\ny\r\nz', expected another")) == (
        "a name is 'x y z', expected another"
    )


def test_a_signalling_nan_of_a_depth_image_is_no_return():
    values = np.array([[0x7F800001, np.float32(2.5).view(np.uint32)]], np.uint32)
    message = Image(width=2, height=1, step=8, encoding="32FC1")
    message.data.frombytes(values.tobytes())
    np.testing.assert_array_equal(metres_from_depth_image(message), [[np.nan, 2.5]])
