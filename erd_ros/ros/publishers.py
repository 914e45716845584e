"""What the node publishes, each output computed only when somebody listens."""

import importlib
import time
from typing import Any

import numpy as np
from geometry_msgs.msg import PoseArray
from rclpy.node import Node
from rclpy.qos import QoSProfile
from visualization_msgs.msg import MarkerArray

from erd_ros.msg import Person3DArray
from erd_ros.ros.bodies import bodies, pose_array, torso, transforms
from erd_ros.ros.convert import People, PeopleWriter, seconds_from_stamp
from erd_ros.ros.markers import MarkerStyle, SkeletonMarkers
from erd_ros.ros.parameters import NodeParameters
from erd_ros.skeleton import Skeleton

_RELIABLE = QoSProfile(depth=5)
_TF = QoSProfile(depth=100)  # as tf2's own broadcasters

# An age beyond this says that stamp and clock have nothing to do with each other.
_LARGEST_AGE_S = 60.0


def tf_message_type() -> type | None:
    """tf2_msgs/TFMessage where it is installed; it comes with ROS, not from PyPI."""
    try:
        message_type: type = importlib.import_module("tf2_msgs.msg").TFMessage
    except ImportError:
        return None
    return message_type


class Publishers:
    """The outputs of one node. Raises InputError for a layout whose body frames are not known."""

    def __init__(
        self, node: Node, parameters: NodeParameters, skeleton: Skeleton, backend: str
    ) -> None:
        torso(skeleton)
        self._node = node
        self._writer = PeopleWriter(skeleton, backend)
        self._people = node.create_publisher(Person3DArray, "~/people", _RELIABLE)
        self._poses = node.create_publisher(PoseArray, "~/poses", _RELIABLE)
        self._drawing = SkeletonMarkers(
            MarkerStyle(
                parameters.marker_joint_diameter,
                parameters.marker_bone_width,
                parameters.marker_labels,
                parameters.marker_lifetime,
            )
        )
        self._markers = (
            node.create_publisher(MarkerArray, "~/markers", _RELIABLE)
            if parameters.publish_markers
            else None
        )
        self._tf_message = tf_message_type() if parameters.publish_tf else None
        self._tf = node.create_publisher(self._tf_message, "/tf", _TF) if self._tf_message else None

    def publish(self, people: People, received_s: float) -> float:
        """Publish people everywhere; ``received_s`` on the monotonic clock. The latency, s."""
        message = self._writer.write(people)
        latency_s = time.monotonic() - received_s
        message.latency = latency_s
        message.age = self._age_s(people)
        self._people.publish(message)
        if self._markers is not None and _heard(self._markers):
            self._markers.publish(self._drawing.draw(people))
        self._publish_bodies(people)
        return latency_s

    def _publish_bodies(self, people: People) -> None:
        poses_wanted = _heard(self._poses)
        tf_wanted = self._tf is not None and _heard(self._tf)
        if not (poses_wanted or tf_wanted):
            return
        placed = bodies(people)
        if poses_wanted:
            self._poses.publish(pose_array(people.header, placed))
        if tf_wanted and placed and self._tf is not None and self._tf_message is not None:
            self._tf.publish(self._tf_message(transforms=transforms(people.header, placed)))

    def _age_s(self, people: People) -> float:
        now_s = 1e-9 * self._node.get_clock().now().nanoseconds
        age_s: float = now_s - seconds_from_stamp(people.header.stamp)
        return age_s if 0 <= age_s <= _LARGEST_AGE_S else float(np.nan)

    def destroy(self) -> None:
        """Take every output off the graph."""
        for publisher in (self._people, self._poses, self._markers, self._tf):
            if publisher is not None:
                self._node.destroy_publisher(publisher)


def _heard(publisher: Any) -> bool:
    return bool(publisher.get_subscription_count())
