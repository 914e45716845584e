"""People in another frame and above the ground, by TF at the stamp of the image. Needs tf2_ros."""

import math

import numpy as np
import pytest
from erd_ros.msg import Person3D
from geometry_msgs.msg import TransformStamped
from rclpy.qos import DurabilityPolicy, QoSProfile
from ros_harness import RosBench
from ros_people import CAMERAS, FRAME_ID, camera_info, estimated, joints_of, message_of, model_path
from ros_people import seen_by as seen
from scipy.spatial.transform import Rotation

pytest.importorskip("tf2_ros", reason="tf2_ros comes with ROS")
from tf2_msgs.msg import TFMessage

PINHOLE = CAMERAS["pinhole"]
OPTICAL = Rotation.from_matrix(np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]]))
CAMERA_IN_BASE = np.array([0.1, 0, 1.2])


def transform(parent, child, rotation, translation, stamp_s):
    message = TransformStamped(child_frame_id=child)
    message.header.frame_id = parent
    message.header.stamp.sec = int(stamp_s)
    message.header.stamp.nanosec = round(stamp_s % 1 * 1e9)
    turn, move = message.transform.rotation, message.transform.translation
    turn.x, turn.y, turn.z, turn.w = rotation.as_quat().tolist()
    move.x, move.y, move.z = map(float, translation)
    return message


class Robot:
    """Turns by 0.5 rad/s with the camera 1.2 m above ground; says so on /tf."""

    def __init__(self, bench) -> None:
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        node = bench.client.node
        self._moving = node.create_publisher(TFMessage, "/tf", 100)
        self._static = node.create_publisher(TFMessage, "/tf_static", latched)
        camera = transform("base_link", FRAME_ID, OPTICAL, CAMERA_IN_BASE, 0)
        self._static.publish(TFMessage(transforms=[camera]))

    def base_in_odom(self, stamp_s):
        return Rotation.from_euler("z", 0.5 * stamp_s), np.array([0.3 * stamp_s, 0, 0])

    def say(self, stamp_s):
        base = transform("odom", "base_link", *self.base_in_odom(stamp_s), stamp_s)
        self._moving.publish(TFMessage(transforms=[base]))

    def to_odom(self, points, stamp_s):
        turned, moved = self.base_in_odom(stamp_s)
        return turned.apply(OPTICAL.apply(points) + CAMERA_IN_BASE) + moved


@pytest.fixture
def bench(tmp_path):
    with RosBench(tmp_path) as bench:
        bench.model = model_path(tmp_path)
        yield bench


def open_topics(bench, *parameters):
    bench.start_on_keypoints(bench.model, "smoothing_lag:=0.0", *parameters)
    bench.client.wait_for(
        lambda: bench.client.node.count_subscribers("/tf") > 0, "the node's ear for TF"
    )
    robot = Robot(bench)
    bench.client.spin_for(0.5)
    return robot


def test_people_stand_where_they_stood_at_the_stamp_of_the_image(bench):
    robot = open_topics(bench, "target_frame:=odom", "tf_timeout:=1.0")
    expected = estimated(seen(PINHOLE), PINHOLE, bench.model).joints_in_camera
    for stamp_s in (10.0, 12.0):
        # Between two transforms: what counts is the time of the image, not the newest.
        robot.say(stamp_s - 0.1)
        robot.say(stamp_s)
        robot.say(stamp_s + 0.1)
        answer = bench.ask(camera_info(), message_of(seen(PINHOLE), stamp_s))
        assert answer.header.frame_id == "odom"
        assert answer.header.stamp.sec == int(stamp_s)
        for person, joints in zip(answer.persons, expected, strict=False):
            there = robot.to_odom(joints, stamp_s)
            np.testing.assert_allclose(joints_of(person), there, atol=1e-4)


def test_without_a_transform_the_frame_is_dropped_and_the_frames_named(bench):
    robot = open_topics(bench, "target_frame:=odom", "tf_timeout:=0.05", "warning_period:=0.0")
    robot.say(10.0)
    bench.info.publish(camera_info())
    bench.client.spin_for(0.1)

    def said() -> bool:
        bench.keypoints.publish(message_of(seen(PINHOLE), 50.0))
        return f"no transform from '{FRAME_ID}' to 'odom'" in bench.process.log()

    bench.client.wait_for(said, "a warning")


def test_the_ground_is_a_cue(bench, model_with_cues):
    bench.model = str(model_with_cues)
    robot = open_topics(bench, "ground_frame:=odom", "tf_timeout:=1.0")
    robot.say(9.9)
    robot.say(10.1)
    with_ground = bench.ask(camera_info(), message_of(seen(PINHOLE), 10.0)).persons
    assert {person.cues for person in with_ground} == {Person3D.CUE_GROUND}
    assert all(math.isfinite(person.root.z) for person in with_ground)
