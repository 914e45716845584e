"""REP-155 over real DDS: who is tracked, each body's box and skeleton, and that they end."""

import threading
from unittest.mock import Mock

import numpy as np
import pytest
from ros_harness import RosBench
from ros_people import (
    CAMERAS,
    camera_info,
    estimated,
    message_of,
    model_path,
    scene_of,
    seen_by,
)  # fmt: skip

from erd_ros.ros.humans import Humans

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


class NodeOfExecutor:
    """Notes in which thread publishers are destroyed, and runs guards as an executor would."""

    def __init__(self):
        self.destroyed_by, self._guards = [], []

    def create_guard_condition(self, callback):
        self._guards.append(Mock(callback=callback))
        return self._guards[-1]

    def destroy_publisher(self, _publisher):
        self.destroyed_by.append(threading.current_thread())

    def spin_once(self):
        for guard in self._guards:
            if guard.trigger.called:
                guard.callback()


def test_topics_are_destroyed_by_the_executor_not_under_it(tmp_path):
    """rclpy's executor fails when that happens while it builds its wait set."""
    node = NodeOfExecutor()
    poses = estimated(seen_by(PINHOLE), PINHOLE, model_path(tmp_path))
    humans = Humans(node, hri_msgs, lambda *_: Mock(**{"get_subscription_count.return_value": 0}))
    humans.publish(scene_of(poses, ["b0001", "b0002"]))
    nobody = scene_of(poses, ["b0001", ""])
    worker = threading.Thread(target=humans.publish, args=(nobody,))
    worker.start()
    worker.join()
    assert node.destroyed_by == []
    node.spin_once()
    assert node.destroyed_by == [threading.current_thread()] * 2


def test_every_output_but_people_can_be_switched_off(bench):
    switches = ("publish_humans", "publish_tf", "publish_poses", "publish_markers")
    bench.start_on_keypoints(bench.model, *(f"{name}:=false" for name in switches))
    topics = {
        name for name, _ in bench.client.node.get_publisher_names_and_types_by_node("erd_node", "/")
    }
    ours = {name for name in topics if "erd_node/" in name or name.startswith(("/humans", "/tf"))}
    assert ours == {"/erd_node/people", "/erd_node/transition_event"}
