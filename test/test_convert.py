"""Messages to arrays and back: values by construction, and every bad input by its message."""

import math
import re

import numpy as np
import pytest
from builtin_interfaces.msg import Time
from erd_ros.msg import Keypoint2D, Person2D, Person2DArray
from sensor_msgs.msg import CameraInfo, RegionOfInterest

from erd_ros.errors import InputError
from erd_ros.geometry.camera import Camera
from erd_ros.ros.cameras import (
    CameraInfos,
    CameraReader,
    camera_from_info,
    check_image_size,
    scaled,
)
from erd_ros.ros.convert import keypoints_from_message
from erd_ros.ros.usable import outside_image
from erd_ros.runtime.plausible import seen_keypoints
from erd_ros.skeleton import COCO17, H36M17

K = [600.0, 0.0, 330.0, 0.0, 610.0, 250.0, 0.0, 0.0, 1.0]
P = [550.0, 0.0, 320.0, -66.0, 0.0, 560.0, 240.0, 0.0, 0.0, 0.0, 1.0, 0.0]
CAMERA = Camera(640, 480, np.array(K).reshape(3, 3))
SIZE = (640, 480)


def camera_info(**fields) -> CameraInfo:
    values = {"width": 640, "height": 480, "k": K, "p": P}
    return CameraInfo(**{**values, **fields})


def person(joints: int = 17, person_id: str = "", **last) -> Person2D:
    """Keypoints on a diagonal; ``last`` replaces fields of the last one."""
    keypoints = [Keypoint2D(x=100.0 + i, y=200.0 + 2 * i, score=0.9) for i in range(joints)]
    for field, value in last.items():
        setattr(keypoints[-1], field, value)
    return Person2D(id=person_id, keypoints=keypoints)


def array(*persons: Person2D, layout: str = "coco17", joint_names=()) -> Person2DArray:
    return Person2DArray(layout=layout, joint_names=list(joint_names), persons=list(persons))


def test_raw_camera_takes_k_and_distortion():
    camera = camera_from_info(
        camera_info(distortion_model="plumb_bob", d=[0.1, -0.2, 0.001, 0.002, 0.03])
    )
    assert (camera.width, camera.height) == (640, 480)
    np.testing.assert_array_equal(camera.intrinsics.ravel(), K)
    assert camera.distortion == (0.1, -0.2, 0.001, 0.002, 0.03)
    assert camera.distortion_model == "plumb_bob"


def test_rectified_camera_takes_p_and_no_distortion():
    info = camera_info(distortion_model="no_such_model", d=[1.0, 2.0])
    camera = camera_from_info(info, rectified=True)
    np.testing.assert_array_equal(camera.intrinsics, np.array(P).reshape(3, 4)[:, :3])
    assert camera.distortion == ()


@pytest.mark.parametrize(("x_binning", "y_binning"), [(1, 1), (2, 2), (4, 2)])
@pytest.mark.parametrize("region", [(0, 0, 0, 0), (64, 32, 320, 240)])
def test_binning_and_roi_keep_the_rays(x_binning, y_binning, region):
    """A binned pixel looks where the mean of the sensor pixels it was made of looks."""
    x, y, width, height = region
    distortion = {"distortion_model": "plumb_bob", "d": [-0.2, 0.05, 0.001, -0.001, 0.0]}
    whole = camera_from_info(camera_info(**distortion))
    info = camera_info(
        binning_x=x_binning,
        binning_y=y_binning,
        roi=RegionOfInterest(x_offset=x, y_offset=y, width=width, height=height),
        **distortion,
    )
    camera = camera_from_info(info)
    assert camera.width == (width or 640) // x_binning
    assert camera.height == (height or 480) // y_binning
    for column, row in [(0, 0), (17, 40), (camera.width - 1, camera.height - 1)]:
        columns = x + column * x_binning + np.arange(x_binning)
        rows = y + row * y_binning + np.arange(y_binning)
        expected = whole.rays(np.array([columns.mean(), rows.mean()]))
        np.testing.assert_allclose(camera.rays(np.array([column, row])), expected, atol=1e-9)


def test_binning_of_zero_means_one():
    camera = camera_from_info(camera_info(binning_x=0, binning_y=0))
    np.testing.assert_array_equal(camera.intrinsics.ravel(), K)


def test_uncalibrated_camera_says_how_to_calibrate():
    with pytest.raises(InputError, match=r"not calibrated.*camera_calibration"):
        camera_from_info(camera_info(k=[0.0] * 9))


def test_misspelled_fisheye_names_equidistant():
    with pytest.raises(InputError, match=r"'fisheye'.*equidistant"):
        camera_from_info(camera_info(distortion_model="fisheye", d=[0.0] * 4))


def test_camera_is_made_anew_only_when_what_it_says_changes():
    reader = CameraReader(rectified=False)
    info = camera_info()
    first = reader.read(info)
    info.header.stamp.sec = 7
    assert reader.read(info) is first
    zoomed = reader.read(camera_info(k=[2 * K[0], *K[1:]]))
    assert zoomed.intrinsics[0, 0] == 2 * K[0]
    with pytest.raises(InputError, match="not calibrated"):
        reader.read(camera_info(k=[0.0] * 9))
    assert reader.read(info).intrinsics[0, 0] == K[0]


def test_size_mismatch_names_both_sizes():
    check_image_size(640, 480, CAMERA)
    with pytest.raises(InputError, match=r"1280x720.*640x480"):
        check_image_size(1280, 720, CAMERA)


def test_a_camera_scaled_with_its_images_has_the_same_rays():
    double = scaled(CAMERA, 1280, 960)
    assert (double.width, double.height) == (1280, 960)
    # The corners and the middle of the image, in pixels whose first has its centre at 0.
    for part in (0.0, 0.5, 1.0):
        small = np.array([640 * part - 0.5, 480 * part - 0.5])
        large = np.array([1280 * part - 0.5, 960 * part - 0.5])
        np.testing.assert_allclose(CAMERA.rays(small), double.rays(large), atol=1e-12)
    with pytest.raises(InputError, match="1280x720, its CameraInfo 640x480: of another shape"):
        scaled(CAMERA, 1280, 720)


def test_camera_info_of_the_same_stamp_comes_before_the_newest():
    infos = CameraInfos()
    assert infos.of(Time(sec=1)) is None
    for second in range(100):
        info = camera_info(width=1000 + second)
        info.header.stamp.sec = second
        infos.put(info)
    assert infos.of(Time(sec=90)).width == 1090
    assert infos.of(Time(sec=90, nanosec=1)).width == 1099
    assert infos.of(Time(sec=2)).width == 1099  # too long ago to be remembered


def test_keypoints_arrive_as_sent():
    received = keypoints_from_message(array(person(), person()), SIZE)
    assert received.keypoints.skeleton is COCO17
    expected = np.stack([100.0 + np.arange(17), 200.0 + 2 * np.arange(17)], axis=-1)
    np.testing.assert_array_equal(received.keypoints.pixels, [expected, expected])
    np.testing.assert_allclose(received.keypoints.confidence, 0.9)
    assert (received.ids, received.remarks) == (None, ())


def test_nobody_is_an_empty_array():
    received = keypoints_from_message(array(), SIZE)
    assert received.keypoints.pixels.shape == (0, 17, 2)
    assert received.remarks == ()


def test_own_joint_names_make_a_layout():
    names = ["left_hip", "right_hip", "tail", "left_knee"]
    message = array(person(4), layout="cat", joint_names=names)
    received = keypoints_from_message(message, SIZE)
    assert received.keypoints.skeleton.joint_names == tuple(names)
    in_model_layout = received.keypoints.to_layout(H36M17)
    np.testing.assert_array_equal(
        in_model_layout.pixels[0, H36M17.index("left_knee")], (103.0, 206.0)
    )


def test_own_joint_names_come_before_the_layout():
    names = tuple(reversed(COCO17.joint_names))
    received = keypoints_from_message(array(person(), joint_names=names), SIZE)
    assert received.keypoints.skeleton.joint_names == names


def test_joint_names_that_mean_nothing_are_listed_with_those_that_do():
    message = array(person(2), layout="cat", joint_names=["tail", "paw"])
    with pytest.raises(InputError, match=r"tail, paw is known.*left_ankle"):
        keypoints_from_message(message, SIZE)


def test_unknown_layout_lists_the_choices():
    with pytest.raises(InputError, match=r"'coco18'.*coco17"):
        keypoints_from_message(array(person(18), layout="coco18"), SIZE)


BAD_PERSONS = {
    "too few keypoints": (person(16, "bad"), "person 1 'bad' has 16 keypoints.*coco17' has 17"),
    "percentages": (person(17, "bad", score=87.0), "right_ankle has score 87, expected 0 to 1"),
    "below 0": (person(17, "bad", score=-0.1), r"right_ankle has score -0\.1, expected 0 to 1"),
    "an id twice": (person(17, "first"), "persons 0 and 1 have the same id 'first'"),
}


@pytest.mark.parametrize(("bad", "said"), BAD_PERSONS.values(), ids=BAD_PERSONS)
def test_a_person_who_cannot_be_used_is_left_out_alone(bad, said):
    message = array(person(17, "first"), bad, person(17, "last"))
    received = keypoints_from_message(message, SIZE)
    assert received.ids == ["first", "last"]
    assert (received.keypoints.confidence > 0).all()
    ((cause, words),) = received.remarks
    assert cause == "persons left out"
    assert re.search(f"^1 of 3 are left out: .*{said}", words)


@pytest.mark.parametrize("case", list(BAD_PERSONS)[:3])
def test_where_nobody_can_be_used_the_message_is_refused(case):
    bad, said = BAD_PERSONS[case]
    with pytest.raises(InputError, match=said.replace("person 1", "person 0")):
        keypoints_from_message(array(bad, bad), SIZE)


def test_an_id_without_end_is_no_line_without_end():
    with pytest.raises(InputError) as error:
        keypoints_from_message(array(person(3, "a" * 1_000_000)), SIZE)
    assert len(str(error.value)) < 300


def test_missing_keypoint_needs_no_remark():
    received = keypoints_from_message(array(person(x=math.nan, y=math.nan, score=0.0)), SIZE)
    assert received.keypoints.confidence[0, -1] == 0
    assert received.remarks == ()


@pytest.mark.parametrize(
    ("last", "said"),
    [
        ({"x": math.nan}, r"right_ankle at \(nan, 232\) with score 0.9"),
        ({"y": math.inf}, r"right_ankle at \(116, inf\)"),
        ({"score": math.nan}, r"right_ankle at \(116, 232\) with score nan"),
    ],
)
def test_a_keypoint_without_a_number_is_not_seen_and_remarked_on(last, said):
    received = keypoints_from_message(array(person(**last)), SIZE)
    assert (received.keypoints.confidence > 0).sum() == 16
    ((cause, words),) = received.remarks
    assert cause == "keypoints"
    assert re.search(said + ".*send score 0", words)


@pytest.mark.parametrize(
    ("last", "said"),
    [
        ({"x": 705.0}, r"right_ankle at \(705, 232\).*image of 640x480"),
        ({"y": -65.0}, r"right_ankle at \(116, -65\)"),
        ({"x": 703.0, "y": -64.0}, None),  # detectors may guess a little outside
        ({"x": 0.0, "y": 0.0}, None),  # how detectors say missing
    ],
)
def test_a_keypoint_outside_the_image_is_remarked_on_with_value_and_way_out(last, said):
    received = keypoints_from_message(array(person(**last)), SIZE).keypoints
    remarks = outside_image(received, seen_keypoints(received, SIZE, 0.1), SIZE, ["anna"])
    assert len(remarks) == (said is not None)
    for cause, words in remarks:
        assert cause == "keypoints"
        assert re.search("person 0 'anna' has " + said + ".*send score 0", words)


def test_ids_are_used_when_everyone_has_one():
    both = keypoints_from_message(array(person(17, "a"), person(17, "b")), SIZE)
    assert both.ids == ["a", "b"]
    one = keypoints_from_message(array(person(17, "a"), person()), SIZE)
    assert one.ids is None
