"""REP-155 over real DDS: who is tracked, what is said of each body, and that it ends."""

import dataclasses
import math
import threading
from unittest.mock import Mock

import numpy as np
import pytest
from ros_harness import RosBench
from ros_people import (
    CAMERAS,
    FRAME_ID,
    camera_info,
    estimated,
    message_of,
    model_path,
    scene_of,
    seen_by,
    seen_in,
)
from sensor_msgs.msg import CameraInfo, Image, JointState
from std_msgs.msg import Header

from erd_ros.ros import human_topics
from erd_ros.ros.bodies import body_rotations
from erd_ros.ros.human_model import human_joint_angles
from erd_ros.ros.humans import Humans
from erd_ros.ros.images import image_from_rgb, rgb_from_image
from erd_ros.ros.parameters import NodeParameters
from erd_ros.ros.publishers import Publishers
from erd_ros.runtime.people import people_from_poses

hri_msgs = pytest.importorskip("hri_msgs.msg", reason="hri_msgs comes with ROS")
PINHOLE = CAMERAS["pinhole"]


@pytest.fixture
def bench(tmp_path):
    with RosBench(tmp_path) as bench:
        bench.model = model_path(tmp_path)
        yield bench


def test_bodies_come_and_go(bench):
    tracked = bench.client.listen(hri_msgs.IdsList, "/humans/bodies/tracked", depth=1)
    boxes = bench.client.listen(
        hri_msgs.NormalizedRegionOfInterest2D, "/humans/bodies/b0002/roi", depth=1
    )
    skeletons = bench.client.listen(hri_msgs.Skeleton2D, "/humans/bodies/b0002/skeleton2d", depth=1)
    bench.start_on_keypoints(bench.model)
    bench.wait_until_heard("/humans/bodies/tracked")
    seen = seen_by(PINHOLE)
    first = bench.ask(camera_info(), message_of(seen, 1.0))
    assert [person.id for person in first.persons] == ["b0001", "b0002"]
    bench.wait_until_heard("/humans/bodies/b0002/roi", "/humans/bodies/b0002/skeleton2d")
    answer = bench.ask(camera_info(), message_of(seen, 1.1))
    for topic in (tracked, boxes, skeletons):
        bench.client.wait_for(
            lambda topic=topic: topic and topic[-1].header == answer.header, "a topic of REP-155"
        )
    assert tracked[-1].ids == ["b0001", "b0002"]
    points = skeletons[-1].skeleton
    for name in ("right_knee", "left_wrist", "left_hip"):
        point = points[getattr(hri_msgs.Skeleton2D, name.upper())]
        # From the centre of the first pixel to the corner of the image it is half a pixel.
        expected = (seen.pixels[1, seen.skeleton.index(name)] + 0.5) / (640, 480)
        np.testing.assert_allclose((point.x, point.y), expected, atol=1e-5)
        assert point.c == 1
    assert points[hri_msgs.Skeleton2D.LEFT_EAR].c == 0  # h36m17 has no ears
    box = boxes[-1]
    assert 0 <= box.xmin < points[hri_msgs.Skeleton2D.LEFT_HIP].x < box.xmax <= 1
    tracked.clear()
    for stamp_s in (2.0, 2.3):  # predicted for a second, then ended
        alone = message_of(seen, stamp_s)
        alone.persons = alone.persons[:1]
        bench.ask(camera_info(), alone)
    bench.client.wait_for(lambda: tracked and tracked[-1].ids == ["b0001"], "one body")
    bench.client.wait_for(
        lambda: bench.client.node.count_publishers("/humans/bodies/b0002/roi") == 0,
        "the end of the topics of the other",
    )
    odd = bench.ask(camera_info(), message_of(seen, 4.0, ids=["7", "two words"]))
    number, digest = (person.id for person in seen_in(odd))
    assert number == "n0007"
    bench.client.wait_for(lambda: tracked[-1].ids == [number, digest], "odd ids")
    bench.client.wait_for(
        lambda: bench.client.node.count_publishers(f"/humans/bodies/{digest}/roi") == 1,
        "the topics of an odd id",
    )
    assert "internal error" not in bench.process.log()


def test_joint_angles_are_those_of_the_skeleton(bench):
    angles = bench.client.listen(JointState, "/humans/bodies/b0001/joint_states")
    bench.start_on_keypoints(bench.model, "smoothing_lag:=0.0")
    seen = seen_by(PINHOLE)
    bench.ask(camera_info(), message_of(seen, 1.0))
    bench.wait_until_heard("/humans/bodies/b0001/joint_states")
    bench.ask(camera_info(), message_of(seen, 1.1))
    nobody = message_of(seen, 1.2)
    nobody.persons = []
    bench.ask(camera_info(), nobody)
    bench.client.wait_for(
        lambda: angles and angles[-1].header.stamp == nobody.header.stamp, "the last angles"
    )
    known, predicted = angles[-2:]
    people = people_from_poses(estimated(seen, PINHOLE, bench.model), ["b0001", "b0002"])
    expected = human_joint_angles(people.skeleton, people.joints[0], body_rotations(people)[0])
    assert known.name == [f"{name}_b0001" for name in expected]
    np.testing.assert_allclose(known.position, list(expected.values()), atol=1e-4)
    # Not seen in the second, but predicted: the body stays on TF, and so do its limbs.
    assert predicted.name == known.name
    assert bench.client.node.count_publishers("/humans/bodies/b0001/cropped") == 0  # no image


def test_cropped_is_the_image_within_the_box(bench, shared_media):
    pytest.importorskip("mediapipe", reason="mediapipe is not installed")
    from test_node import read_frame

    frame = read_frame(shared_media / "one_person_indoor.mp4", 300)
    image = image_from_rgb(frame, Header(frame_id=FRAME_ID))
    height, width = frame.shape[:2]
    info = camera_info(width=width, height=height)
    bench.start("input:=image", f"model:={bench.model}")
    cropped = bench.client.listen(Image, "/humans/bodies/b0001/cropped")
    boxes = bench.client.listen(
        hri_msgs.NormalizedRegionOfInterest2D, "/humans/bodies/b0001/roi", depth=1
    )
    images = bench.client.publisher(Image, "image")
    infos = bench.client.publisher(CameraInfo, "camera_info")
    bench.connect(images, infos)

    def pictured() -> bool:
        image.header.stamp.nanosec += 50_000_000
        infos.publish(info)
        images.publish(image)
        bench.client.spin_for(0.2)
        return bool(cropped and boxes and cropped[-1].header == boxes[-1].header)

    bench.client.wait_for(pictured, "the image of a body")
    box = boxes[-1]
    left, right = math.floor(box.xmin * width), math.floor(box.xmax * width) + 1
    top, bottom = math.floor(box.ymin * height), math.floor(box.ymax * height) + 1
    assert cropped[-1].header.frame_id == FRAME_ID
    np.testing.assert_array_equal(rgb_from_image(cropped[-1]), frame[top:bottom, left:right])


def test_nothing_is_computed_that_nobody_listens_to(bench, monkeypatch):
    node = bench.client.node
    asked = []
    for name in ("normalised", "human_joint_angles", "image_from_rgb"):
        real = getattr(human_topics, name)
        monkeypatch.setattr(
            human_topics, name, lambda *words, n=name, f=real: asked.append(n) or f(*words)
        )
    seen = seen_by(PINHOLE)
    scene = dataclasses.replace(
        scene_of(estimated(seen, PINHOLE, bench.model), ["b0001", "b0002"]),
        keypoints=seen, size=(640, 480), image=np.zeros((480, 640, 3), np.uint8),
    )  # fmt: skip

    def make_publisher(kind, topic, lasts=True):
        return node.create_publisher(kind, topic, 5)

    humans = Humans(node, hri_msgs, make_publisher, NodeParameters())
    humans.publish(scene)
    assert asked == []
    listeners = (
        (hri_msgs.Skeleton2D, "b0001/skeleton2d", "normalised"),
        (JointState, "b0002/joint_states", "human_joint_angles"),
        (Image, "b0002/cropped", "image_from_rgb"),
    )
    for kind, topic, _ in listeners:
        node.create_subscription(kind, f"/humans/bodies/{topic}", lambda message: None, 5)
    humans.publish(scene)
    assert sorted(asked) == sorted(name for *_, name in listeners)
    humans.destroy()


def test_bodies_leave_nothing_behind(bench):
    """Parameters for QoS overrides and the node's callback group would grow by every person."""
    node = bench.client.node
    poses = estimated(seen_by(PINHOLE), PINHOLE, bench.model)
    outputs = Publishers(node, NodeParameters(), poses.skeleton, "")
    outputs.publish(scene_of(poses, ["b0001", ""]), 0.0)
    grouped = len(node.default_callback_group.entities)
    outputs.publish(scene_of(poses, ["b0001", "b0002"]), 0.0)
    assert len(node.default_callback_group.entities) == grouped
    assert node.count_publishers("/humans/bodies/b0001/roi") == 1
    declared = node.get_parameters_by_prefix("qos_overrides")
    assert any("tracked" in name for name in declared)
    assert not any("b0001" in name for name in declared)
    outputs.destroy()


class NodeOfExecutor:
    """Notes in which thread publishers are destroyed, and runs timers as an executor would."""

    def __init__(self):
        self.destroyed_by, self._timers = [], []

    def create_timer(self, _period, callback, clock):
        self._timers.append(callback)

    def destroy_publisher(self, _publisher):
        self.destroyed_by.append(threading.current_thread())

    def spin_once(self):
        for callback in self._timers:
            callback()


def test_topics_are_destroyed_by_the_executor_not_under_it(tmp_path):
    """rclpy's executor fails when that happens while it builds its wait set."""
    node = NodeOfExecutor()
    poses = estimated(seen_by(PINHOLE), PINHOLE, model_path(tmp_path))
    humans = Humans(
        node,
        hri_msgs,
        lambda *_, **__: Mock(**{"get_subscription_count.return_value": 0}),
        NodeParameters(),
    )
    humans.publish(scene_of(poses, ["b0001", "b0002"]))
    nobody = scene_of(poses, ["b0001", ""])
    worker = threading.Thread(target=humans.publish, args=(nobody,))
    worker.start()
    worker.join()
    assert node.destroyed_by == []
    node.spin_once()
    assert len(node.destroyed_by) > 1
    assert set(node.destroyed_by) == {threading.current_thread()}


def test_every_output_but_people_can_be_switched_off(bench):
    switches = ("publish_humans", "publish_tf", "publish_poses", "publish_markers")
    bench.start_on_keypoints(bench.model, *(f"{name}:=false" for name in switches))
    topics = {
        name for name, _ in bench.client.node.get_publisher_names_and_types_by_node("erd_node", "/")
    }
    ours = {name for name in topics if "erd_node/" in name or name.startswith(("/humans", "/tf"))}
    assert ours == {"/erd_node/people", "/erd_node/transition_event"}


def test_what_is_switched_off_is_not_offered():
    every = NodeParameters()
    names = list(human_topics.topics_of_body(hri_msgs, every))
    assert names == ["roi", "skeleton2d", "joint_states", "cropped"]
    for name in ("joint_states", "cropped"):
        without = dataclasses.replace(every, **{f"publish_{name}": False})
        assert name not in human_topics.topics_of_body(hri_msgs, without)
    keypoints = dataclasses.replace(every, input="keypoints")
    assert "cropped" not in human_topics.topics_of_body(hri_msgs, keypoints)
