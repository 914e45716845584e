"""Stamps that stand still, jump or come late: people go on, and keep their ids where they can."""

import numpy as np
import pytest
from builtin_interfaces.msg import Time
from ros_people import CAMERAS, camera_info, message_of, model_path, seen_by
from sensor_msgs.msg import Image

from erd_ros.pose import Keypoints2D
from erd_ros.ros.cameras import CameraInfos
from erd_ros.ros.depth import DepthImages
from erd_ros.ros.parameters import NodeParameters
from erd_ros.ros.pipeline import Inputs, Pipeline
from erd_ros.ros.scene import FrameError
from erd_ros.ros.stamps import StampError, StampReader
from erd_ros.runtime import load

PINHOLE = CAMERAS["pinhole"]
STEP_S = 0.04


@pytest.fixture(scope="module")
def backend(tmp_path_factory):
    return load(model_path(tmp_path_factory.mktemp("model")))


@pytest.fixture
def remarks():
    return []


@pytest.fixture
def running(backend, remarks):
    parameters = NodeParameters(input="keypoints", smoothing_lag=0.0)
    return Pipeline(parameters, backend, None, lambda *remark: remarks.append(remark))


def answers(running, stamps_s, shift_px=0.0):
    """People of each message that was used; everybody walks by ``shift_px`` a message."""
    seen, found = seen_by(PINHOLE), []
    for number, stamp_s in enumerate(stamps_s):
        pixels = seen.pixels + np.array([number * shift_px, 0])
        keypoints = Keypoints2D(seen.skeleton, pixels, seen.confidence)
        try:
            found.append(running.scene(Inputs(message_of(keypoints, stamp_s), camera_info())))
        except FrameError:
            found.append(None)
    return [scene and scene.people for scene in found]


@pytest.mark.parametrize("stamp_s", [0.0, 12.5], ids=["not set", "equal"])
def test_stamps_that_stand_still_give_the_newest_pose_and_a_warning(running, remarks, stamp_s):
    people = answers(running, [stamp_s] * 20, shift_px=3.0)
    moved = answers(running, [100 + n * STEP_S for n in range(20)], shift_px=3.0)
    np.testing.assert_allclose(people[-1].root[:2], moved[-1].root[:2], atol=1e-6)
    assert people[-1].root[0, 0] - people[0].root[0, 0] > 0.2
    assert np.isnan(people[-1].velocity).all()
    assert {p for frame in people for p in frame.ids} == {"b0001", "b0002"}
    causes = {cause for cause, _ in remarks}
    assert "stamp stands still" in causes
    assert f"{stamp_s:.3f} s" in remarks[0][1]


def test_who_leaves_while_stamps_stand_still_is_ended(running):
    answers(running, [0.0] * 5)
    nobody = Keypoints2D(seen_by(PINHOLE).skeleton, np.zeros((0, 17, 2)), np.zeros((0, 17)))
    for _ in range(40):
        people = running.scene(Inputs(message_of(nobody, 0.0), camera_info())).people
    assert len(people) == 0


@pytest.mark.parametrize("off_s", [0.7, -0.7, 0.3, -0.3])
def test_one_stamp_in_25_that_is_off_costs_one_frame_and_no_id(running, off_s):
    stamps = [50 + n * STEP_S + (off_s if n % 25 == 24 else 0) for n in range(100)]
    people = answers(running, stamps, shift_px=0.5)
    assert sum(frame is None for frame in people) <= 4
    assert {p for frame in people if frame for p in frame.ids} == {"b0001", "b0002"}


def test_one_stamp_that_is_not_set_costs_no_id(running):
    stamps = [50 + n * STEP_S for n in range(30)]
    stamps[15] = 0.0
    people = answers(running, stamps)
    assert None not in people
    assert {p for frame in people for p in frame.ids} == {"b0001", "b0002"}


def test_a_clock_that_is_set_back_is_believed_the_second_time():
    reader = StampReader()
    for stamp_s in (10.0, 20.0, 30.0):
        reader.read(stamp_s)
    with pytest.raises(StampError, match=r"from 30\.000 s to 15\.000 s"):
        reader.read(15.0)
    moment = reader.read(15.1)
    assert moment.restarted
    assert moment.time_s == 15.1
    assert reader.read(15.2).time_s == 15.2


def test_a_recording_that_begins_again_does_so_at_once():
    reader = StampReader()
    reader.read(10.0)
    reader.read(30.0)
    assert reader.read(10.0).restarted


def test_the_time_always_advances():
    rng = np.random.default_rng(4)
    reader, last_s = StampReader(), -np.inf
    for stamp_s in rng.choice([0.0, 1.0, 5.0, 5.01, 5.2, 6.0, 7.0, 1e9], 5000):
        try:
            moment = reader.read(float(stamp_s))
        except StampError:
            continue
        assert moment.restarted or moment.time_s > last_s
        last_s = moment.time_s


def test_of_equal_stamps_the_newest_depth_image_and_camera_are_taken():
    depths, infos = DepthImages(), CameraInfos()
    newest = Image(width=2)
    depths.put(Image(width=1))
    depths.put(newest)
    assert depths.of(Time()) is newest
    infos.put(camera_info())  # its stamp is not set
    later = camera_info()
    later.header.stamp.sec = 7
    infos.put(later)
    assert infos.of(Time()) is later
