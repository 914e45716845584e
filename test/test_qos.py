"""Quality of service: any driver fits, overrides work, and what does not fit is named."""

import pytest
from erd_ros.msg import Person2DArray, Person3DArray
from rclpy.qos import QoSProfile, ReliabilityPolicy
from ros_harness import RosBench
from ros_people import CAMERAS, camera_info, message_of, model_path, seen_by
from sensor_msgs.msg import CameraInfo

RELIABLE, BEST_EFFORT = ReliabilityPolicy.RELIABLE, ReliabilityPolicy.BEST_EFFORT


def open_topics(bench, publisher, subscriber):
    node = bench.client.node
    bench.people = []
    node.create_subscription(
        Person3DArray,
        "/erd_node/people",
        bench.people.append,
        QoSProfile(depth=100, reliability=subscriber),
    )
    qos = QoSProfile(depth=10, reliability=publisher)
    bench.keypoints = node.create_publisher(Person2DArray, "keypoints", qos)
    bench.info = node.create_publisher(CameraInfo, "camera_info", qos)


@pytest.mark.parametrize(
    ("publisher", "subscriber"),
    [(RELIABLE, BEST_EFFORT), (BEST_EFFORT, RELIABLE)],
    ids=["reliable driver", "best effort driver"],
)
def test_both_kinds_are_served(tmp_path, publisher, subscriber):
    with RosBench(tmp_path) as bench:
        bench.start("input:=keypoints", f"model:={model_path(tmp_path)}")
        open_topics(bench, publisher, subscriber)
        bench.connect(bench.keypoints, bench.info)
        message = message_of(seen_by(CAMERAS["pinhole"]), 1.0)
        assert len(bench.ask(camera_info(), message).persons) == 2


def test_an_override_is_followed_and_what_does_not_fit_is_named(tmp_path):
    with RosBench(tmp_path) as bench:
        bench.start(
            "input:=keypoints",
            f"model:={model_path(tmp_path)}",
            "qos_overrides./erd_node/people.publisher.reliability:=best_effort",
            "qos_overrides./keypoints.subscription.reliability:=reliable",
        )
        open_topics(bench, BEST_EFFORT, RELIABLE)
        for words in (("people'", "RELIABILITY"), ("keypoints'", "RELIABILITY")):
            bench.client.wait_for(
                lambda words=words: any(
                    all(word in line for word in ("incompatible QoS", *words))
                    for line in bench.process.log().splitlines()
                ),
                f"a warning with {words}",
            )
