"""Quality of service: any driver fits, overrides work, and what does not fit is named."""

import pytest
from erd_ros.msg import Person2DArray, Person3DArray
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from ros_harness import RosBench
from ros_people import CAMERAS, camera_info, message_of, model_path, seen_by
from sensor_msgs.msg import CameraInfo

RELIABLE, BEST_EFFORT = ReliabilityPolicy.RELIABLE, ReliabilityPolicy.BEST_EFFORT
BOTH = {"reliable": RELIABLE, "best_effort": BEST_EFFORT}


def start(bench, directory, *overrides):
    bench.start(
        "input:=keypoints",
        f"model:={model_path(directory)}",
        *(f"qos_overrides.{override}" for override in overrides),
    )


def open_topics(bench, publisher, subscriber, **policies):
    node = bench.client.node
    bench.people = []
    qos = QoSProfile(depth=100, reliability=subscriber, **policies)
    node.create_subscription(Person3DArray, "/erd_node/people", bench.people.append, qos)
    qos = QoSProfile(depth=10, reliability=publisher)
    bench.keypoints = node.create_publisher(Person2DArray, "keypoints", qos)
    bench.info = node.create_publisher(CameraInfo, "camera_info", qos)


def serves(bench) -> bool:
    bench.connect(bench.keypoints, bench.info)
    message = message_of(seen_by(CAMERAS["pinhole"]), 1.0)
    return len(bench.ask(camera_info(), message).persons) == 2


def wait_until_named(bench, topic, policy):
    """Until the node's log has a line that names the topic and what does not fit."""

    def named() -> bool:
        words = ("incompatible QoS", f"{topic}'", policy)
        lines = bench.process.log().splitlines()
        return any(all(word in line for word in words) for line in lines)

    bench.client.wait_for(named, f"a warning of {policy} on {topic}:\n{bench.process.log()}")


@pytest.mark.parametrize("driver", BOTH)
@pytest.mark.parametrize("listener", BOTH)
def test_as_it_comes_it_serves_every_driver_and_listener(tmp_path, driver, listener):
    with RosBench(tmp_path) as bench:
        start(bench, tmp_path)
        open_topics(bench, BOTH[driver], BOTH[listener])
        assert serves(bench)
        assert "incompatible QoS" not in bench.process.log()


def test_overridden_to_what_the_other_side_has_it_serves(tmp_path):
    with RosBench(tmp_path) as bench:
        start(
            bench,
            tmp_path,
            "/erd_node/people.publisher.reliability:=best_effort",
            "/erd_node/people.publisher.depth:=1",
            "/keypoints.subscription.reliability:=reliable",
            "/camera_info.subscription.reliability:=reliable",
        )
        open_topics(bench, RELIABLE, BEST_EFFORT)
        assert serves(bench)
        assert "incompatible QoS" not in bench.process.log()


def test_what_does_not_fit_is_named(tmp_path):
    with RosBench(tmp_path) as bench:
        start(
            bench,
            tmp_path,
            "/erd_node/people.publisher.reliability:=best_effort",
            "/keypoints.subscription.reliability:=reliable",
            "/camera_info.subscription.reliability:=reliable",
        )
        open_topics(bench, BEST_EFFORT, RELIABLE)
        for topic in ("people", "keypoints", "camera_info"):
            wait_until_named(bench, topic, "RELIABILITY")


def test_a_listener_who_asks_for_old_messages_is_named(tmp_path):
    with RosBench(tmp_path) as bench:
        start(bench, tmp_path)
        durability = DurabilityPolicy.TRANSIENT_LOCAL
        open_topics(bench, RELIABLE, RELIABLE, durability=durability)
        wait_until_named(bench, "people", "DURABILITY")


def test_camera_info_that_was_latched_before_the_node_began_is_received(tmp_path):
    with RosBench(tmp_path) as bench:
        node = bench.client.node
        qos = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        node.create_publisher(CameraInfo, "camera_info", qos).publish(camera_info())
        start(bench, tmp_path)
        bench.people = bench.client.listen(Person3DArray, "/erd_node/people")
        bench.keypoints = bench.client.publisher(Person2DArray, "keypoints")
        bench.connect(bench.keypoints)
        message = message_of(seen_by(CAMERAS["pinhole"]), 1.0)

        def placed() -> bool:
            bench.keypoints.publish(message)
            bench.client.spin_for(0.1)
            message.header.stamp.sec += 1
            return any(person.root.z > 0 for people in bench.people for person in people.persons)

        bench.client.wait_for(placed, f"people; the node says:\n{bench.process.log()}")
        assert "incompatible QoS" not in bench.process.log()
