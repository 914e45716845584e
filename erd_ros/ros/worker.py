"""The node while it is active: input topics, and one thread that works on the newest message."""

import time
from collections.abc import Callable
from threading import Thread
from typing import Any, NamedTuple

import numpy as np
from rclpy.clock import Clock, ClockType
from rclpy.event_handler import SubscriptionEventCallbacks
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy, qos_profile_sensor_data
from rclpy.qos_overriding_options import QoSOverridingOptions
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from erd_ros.errors import ErdError
from erd_ros.fastdds import FASTDDS_VARIABLES, share_file
from erd_ros.msg import Person3DArray
from erd_ros.ros.cameras import CameraInfos, seconds_from_stamp
from erd_ros.ros.depth import DepthImages
from erd_ros.ros.diagnostics import OVERWRITTEN
from erd_ros.ros.mailbox import Mailbox
from erd_ros.ros.parameters import IMAGE_INPUTS, NodeParameters
from erd_ros.ros.pipeline import Inputs, Pipeline
from erd_ros.ros.publishers import Publishers
from erd_ros.ros.rates import ImageRate
from erd_ros.ros.scene import FrameError, Scene
from erd_ros.ros.statistics import Statistics
from erd_ros.runtime.memory import give_back
from erd_ros.srv import SetPersonHeight

# Called with a cause to count and the message that says what was wrong.
Warn = Callable[[str, str], None]

# Persons in a message after which what they took is given back: it may be ten times what the node
# needs otherwise, and stays with Python and glibc.
_CROWD = 1000
_LATCHED_S = 0.5  # how often publishers of such a kind are looked for
_LATCHED = QoSProfile(
    depth=qos_profile_sensor_data.depth,
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.TRANSIENT_LOCAL,
)


class _Frame(NamedTuple):
    """An input message and when it was received, on the monotonic clock."""

    message: Any
    received_s: float


class Worker:
    """Callbacks only store what was said; one thread does everything else.

    Making it subscribes, ``close`` ends it.
    """

    def __init__(
        self,
        node: Node,
        parameters: NodeParameters,
        pipeline: Pipeline,
        outputs: Publishers,
        statistics: Statistics,
        warn: Warn,
    ) -> None:
        self._node, self._pipeline, self._outputs = node, pipeline, outputs
        self._statistics, self._warn = statistics, warn
        self._stale_timeout_s = parameters.stale_timeout
        self._answered_s = time.monotonic()
        self._failed = False
        self._header = Header()
        self.state = int(Person3DArray.FULL)
        self._infos, self._depths = CameraInfos(), DepthImages()
        self._mailbox: Mailbox[_Frame] = Mailbox()
        self._rate = ImageRate(time.monotonic())
        self._counts_images = parameters.input in IMAGE_INPUTS
        self._subscriptions = [self._subscribe(CameraInfo, "camera_info", self._put_info)]
        self._info_topic = str(self._subscriptions[0].topic_name)
        if parameters.use_depth:
            self._subscriptions.append(self._subscribe(Image, "depth_image", self._depths.put))
        front_end = pipeline.front_end
        self._input = self._subscribe(front_end.message_type, front_end.topic, self._store)
        self._subscriptions.append(self._input)
        self._service = node.create_service(
            SetPersonHeight, "~/set_person_height", self._set_person_height
        )
        # Not the node's clock, which stands still when a bag is paused.
        self._timer = node.create_timer(
            parameters.stale_timeout / 4, self._look, clock=Clock(clock_type=ClockType.STEADY_TIME)
        )
        self._latched_timer = node.create_timer(
            _LATCHED_S, self._look_for_latched, clock=Clock(clock_type=ClockType.STEADY_TIME)
        )
        self._thread = Thread(target=self._work, name="skeletons", daemon=True)
        self._thread.start()

    @property
    def topic(self) -> str:
        """What the node listens to, in full."""
        return str(self._input.topic_name)

    def _subscribe(self, message_type: type, topic: str, callback: Callable[[Any], None]) -> Any:
        sensor = qos_profile_sensor_data
        # A profile of its own: overrides are written into it.
        qos = QoSProfile(depth=sensor.depth, reliability=sensor.reliability)
        return self._node.create_subscription(
            message_type,
            topic,
            callback,
            qos,
            qos_overriding_options=QoSOverridingOptions.with_default_policies(),
        )

    def _look_for_latched(self) -> None:
        """Subscribe to CameraInfo anew where a publisher keeps what it published before.

        It is sent to those alone who ask for it; who asks every publisher is warned of by all
        others.
        """
        found = self._node.get_publishers_info_by_topic(self._info_topic)
        if all(end.qos_profile.durability != _LATCHED.durability for end in found):
            return
        latched = self._node.create_subscription(
            CameraInfo,
            "camera_info",
            self._put_info,
            _LATCHED,
            event_callbacks=SubscriptionEventCallbacks(use_default_callbacks=False),
        )
        self._subscriptions.append(latched)
        self._latched_timer.cancel()

    def lost_images(self) -> str | None:
        """That images get lost between the camera's driver and here, and what helps."""
        lost = self._rate.lost(time.monotonic()) if self._counts_images else None
        return lost and _about_lost_images(lost, self.topic)

    def close(self, limit_s: float | None = None) -> bool:
        """Close the input topics and end the thread; False when it is still at work after a limit.

        It then publishes nothing any more.
        """
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)
        self._node.destroy_service(self._service)
        self._node.destroy_timer(self._timer)
        self._node.destroy_timer(self._latched_timer)
        self._mailbox.close()
        self._thread.join(limit_s)
        return not self._thread.is_alive()

    def _set_person_height(self, request: Any, response: Any) -> Any:
        try:
            self._pipeline.tell_height(request.id, request.height)
            response.success = True
        except ErdError as error:
            response.message = str(error)
        return response

    def _put_info(self, info: CameraInfo) -> None:
        self._rate.info(seconds_from_stamp(info.header.stamp), time.monotonic())
        self._infos.put(info)

    def _store(self, message: Any) -> None:
        received_s = time.monotonic()
        self._rate.image(seconds_from_stamp(message.header.stamp), received_s)
        if self._mailbox.put(_Frame(message, received_s)):
            self._statistics.dropped(OVERWRITTEN)

    def _work(self) -> None:
        while (frame := self._mailbox.get()) is not None:
            try:
                self._process(frame)
            except FrameError as drop:
                self._drop(drop.cause, f"frame dropped: {drop}")
            except Exception as error:  # whatever a frame does, the next one must be served
                if self._node.context.ok() and not self._mailbox.closed:
                    self._drop("internal error", f"frame dropped: {error!r}")
            crowded = len(getattr(frame.message, "persons", ())) > _CROWD
            del frame
            if crowded:
                give_back()

    def _process(self, frame: _Frame) -> None:
        self._header = frame.message.header
        stamp = self._header.stamp
        scene = self._pipeline.scene(
            Inputs(frame.message, self._infos.of(stamp), self._depths.of(stamp))
        )
        if self._mailbox.closed:
            return
        latency_s = self._outputs.publish(scene, frame.received_s)
        self._answered_s, self._failed, self.state = time.monotonic(), False, scene.state
        if scene.problem is not None:
            self._drop(scene.problem.cause, f"frame dropped: {self._advice(scene.problem)}")
        else:
            self._statistics.processed(latency_s, *_figures(scene))

    def _advice(self, problem: FrameError) -> str:
        if problem.cause != "no camera info":
            return str(problem)
        topic = self._info_topic
        return f"no CameraInfo on {topic} yet; start the camera's driver or remap camera_info"

    def _drop(self, cause: str, message: str) -> None:
        self._failed = True
        self._statistics.dropped(cause, message)
        self._warn(cause, message)

    def _look(self) -> None:
        """Say it when nothing could be said of an input for too long."""
        if time.monotonic() - self._answered_s < self._stale_timeout_s:
            return
        self.state = int(Person3DArray.FAULT if self._failed else Person3DArray.STALE)
        self._outputs.say(self.state, self._header)


def _about_lost_images(lost: str, topic: str) -> str:
    profile = share_file("config/fastdds.xml") or "config/fastdds.xml of this package"
    return (
        f"{lost} on {topic}: images get lost on the way. With Fast DDS start the camera's driver, "
        f"and this node, with {' and '.join(FASTDDS_VARIABLES)} set to {profile}; elsewhere make "
        f"both ends reliable, here by -p qos_overrides.{topic}.subscription.reliability:=reliable. "
        "Where images are thinned out on purpose, thin out camera_info too"
    )


def _figures(scene: Scene) -> tuple[int, float]:
    """Number of persons seen, and their mean residual in pixels; NaN for nobody."""
    seen = scene.people.unseen_s == 0
    residuals = scene.people.residual_px[np.isfinite(scene.people.residual_px)]
    return int(seen.sum()), float(residuals.mean()) if len(residuals) else float("nan")
