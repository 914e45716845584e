"""What the node publishes, each output computed only when somebody listens."""

import importlib
import time
from typing import Any

import numpy as np
from geometry_msgs.msg import PoseArray
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.qos_overriding_options import QoSOverridingOptions
from std_msgs.msg import Header
from visualization_msgs.msg import MarkerArray

from erd_ros.msg import Person3DArray
from erd_ros.ros.bodies import bodies, pose_array, torso, transforms
from erd_ros.ros.cameras import seconds_from_stamp
from erd_ros.ros.frames import is_frame_id
from erd_ros.ros.humans import Humans, hri_messages
from erd_ros.ros.markers import MarkerStyle, SkeletonMarkers
from erd_ros.ros.parameters import NodeParameters
from erd_ros.ros.people_message import PeopleWriter, ahead_s, empty_array
from erd_ros.ros.scene import Scene
from erd_ros.skeleton import Skeleton

_DEPTH, _TF_DEPTH = 5, 100  # the latter as tf2's own broadcasters

# Whoever asks for this lease, or a longer one, learns that the node has died without a word.
LIVELINESS_LEASE_S = 1.0

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
        self._skeleton, self._backend = skeleton, backend
        self._writer = PeopleWriter(skeleton, backend)
        lease = Duration(seconds=LIVELINESS_LEASE_S)
        qos = QoSProfile(depth=_DEPTH, liveliness_lease_duration=lease)
        self._people = self._create(Person3DArray, "~/people", qos)
        self._poses = self._create(PoseArray, "~/poses") if parameters.publish_poses else None
        self._markers = (
            self._create(MarkerArray, "~/markers") if parameters.publish_markers else None
        )
        self._tf_type = tf_message_type() if parameters.publish_tf else None
        self._tf = (
            self._create(self._tf_type, "/tf", QoSProfile(depth=_TF_DEPTH))
            if self._tf_type
            else None
        )
        messages = hri_messages() if parameters.publish_humans else None
        self._humans = Humans(node, messages, self._create, parameters) if messages else None
        self._drawing = SkeletonMarkers(MarkerStyle())
        self.adopt(parameters)

    def adopt(self, parameters: NodeParameters) -> None:
        """Go on with other values of those parameters that change at once."""
        self._smoothing_lag_s = parameters.smoothing_lag
        self._predicts = parameters.predict_to_publication
        self._drawing.style = MarkerStyle(
            parameters.marker_joint_diameter,
            parameters.marker_bone_width,
            parameters.marker_labels,
            parameters.marker_lifetime,
        )

    def _create(
        self, message_type: type, topic: str, qos: QoSProfile | None = None, lasts: bool = True
    ) -> Any:
        """One that does not last leaves nothing behind.

        rclpy never undeclares the parameters for a publisher's overrides, and a callback group
        never forgets who was in it.
        """
        return self._node.create_publisher(
            message_type,
            topic,
            qos or QoSProfile(depth=_DEPTH),
            callback_group=None if lasts else MutuallyExclusiveCallbackGroup(),
            qos_overriding_options=QoSOverridingOptions.with_default_policies() if lasts else None,
        )

    def publish(self, scene: Scene, received_s: float) -> float:
        """Publish a scene everywhere; ``received_s`` on the monotonic clock. The latency, s."""
        if _heard(self._people):
            message = self._writer.write(scene, self._ahead_s(scene.header))
            message.latency = time.monotonic() - received_s
            self._finish(message)
        latency_s = time.monotonic() - received_s
        if self._markers is not None and _heard(self._markers):
            self._markers.publish(self._drawing.draw(scene))
        self._publish_bodies(scene)
        if self._humans is not None:
            self._humans.publish(scene)
        return latency_s

    def say(self, state: int, header: Header) -> None:
        """Publish that nothing can be seen, and since when: the header of the last input."""
        message = empty_array(self._skeleton, self._backend)
        message.header, message.state, message.latency = header, state, float("nan")
        self._finish(message)

    def _finish(self, message: Person3DArray) -> None:
        message.age = self._age_s(message.header)
        message.smoothing_lag = self._smoothing_lag_s
        self._people.publish(message)

    def _publish_bodies(self, scene: Scene) -> None:
        poses_wanted = self._poses is not None and _heard(self._poses)
        tf_wanted = self._tf is not None and _heard(self._tf) and is_frame_id(scene.header.frame_id)
        if not (poses_wanted or tf_wanted):
            return
        placed = bodies(scene.people)
        if poses_wanted and self._poses is not None:
            self._poses.publish(pose_array(scene.header, placed))
        if tf_wanted and placed and self._tf is not None and self._tf_type is not None:
            self._tf.publish(self._tf_type(transforms=transforms(scene.header, placed)))

    def _ahead_s(self, header: Header) -> float:
        """By how much to move people on; 0 where the clocks disagree."""
        return ahead_s(self._age_s(header)) if self._predicts else 0.0

    def _age_s(self, header: Header) -> float:
        now_s = 1e-9 * self._node.get_clock().now().nanoseconds
        age_s: float = now_s - seconds_from_stamp(header.stamp)
        return age_s if 0 <= age_s <= _LARGEST_AGE_S else float(np.nan)

    def destroy(self) -> None:
        """Take every output off the graph."""
        if self._humans is not None:
            self._humans.destroy()
        for publisher in (self._people, self._poses, self._markers, self._tf):
            if publisher is not None:
                self._node.destroy_publisher(publisher)


def _heard(publisher: Any) -> bool:
    return bool(publisher.get_subscription_count())
