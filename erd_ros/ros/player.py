"""player: publishes a video, camera, bag or the synthetic sequence as a camera's driver would.

Topics: ``image``, ``camera_info`` and, where the source has them, ``keypoints``.
"""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from threading import Event

import rclpy
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.time import Time
from sensor_msgs.msg import CameraInfo, Image

from erd_ros.demo.bag import bag_topics
from erd_ros.demo.calibration import camera_from_field_of_view, camera_from_file
from erd_ros.demo.capture import DEFAULT_FIELD_OF_VIEW_DEG, capture
from erd_ros.demo.sources import Source, SyntheticSource
from erd_ros.errors import InputError
from erd_ros.msg import Person2DArray
from erd_ros.ros.packets import Packet, first_image_size, packets_of_bag, packets_of_source
from erd_ros.ros.process import logged, run_process
from erd_ros.ros.services import answer_every_request

NODE_NAME = "player"
TOPICS = {"camera_info": CameraInfo, "image": Image, "keypoints": Person2DArray}
# Reliable serves readers of both kinds; the node and the viewer read best effort. The recorder
# counts frames by their CameraInfo: a busy machine must not lose one.
_DEPTHS = {"camera_info": 1000, "image": 10, "keypoints": 10}
_SETTLE_S = 0.5
_POLL_S = 0.1
_LAST_WORDS_S = 2.0


@dataclass(frozen=True)
class PlayerParameters:
    """The ROS parameters of the player with their defaults.

    source            synthetic, video, camera or bag
    path              of the video or bag
    image_topic       of the bag; empty = its keypoints, or else its colour camera
    camera            number of the camera
    camera_info       calibration file; empty = what the bag says, or a pinhole of ``fov`` degrees
    fov               horizontal field of view, degrees; 0 = 60, or what the bag says
    rate              frames per second; 0 = the source's own. Not for bags.
    loop              begin again at the end
    seconds           stop after this time; 0 = at the end
    subscribers       wait until camera_info has this many
    wait              for them this long, seconds
    original_stamps   keep a bag's stamps instead of moving them to the present
    """

    source: str = "synthetic"
    path: str = ""
    image_topic: str = ""
    camera: int = 0
    camera_info: str = ""
    fov: float = 0.0
    rate: float = 0.0
    loop: bool = False
    seconds: float = 0.0
    subscribers: int = 1
    wait: float = 30.0
    original_stamps: bool = False

    def __post_init__(self) -> None:
        if self.source not in PACKETS:
            raise InputError(f"source is '{self.source}', expected one of {', '.join(PACKETS)}")
        if self.rate and not 0.1 <= self.rate <= 200:
            raise InputError(f"rate is {self.rate:g} Hz, expected 0.1 to 200")
        if self.rate and self.source == "bag":
            raise InputError(f"rate is {self.rate:g} Hz, but a bag is played as it was recorded")
        if self.fov and not 5 <= self.fov <= 170:
            raise InputError(f"fov is {self.fov:g} degrees, expected 5 to 170")
        if not self.seconds >= 0:
            raise InputError(f"seconds is {self.seconds:g}, expected 0 or more")


def _calibration(parameters: PlayerParameters) -> Path | None:
    return Path(parameters.camera_info) if parameters.camera_info else None


def _synthetic(parameters: PlayerParameters) -> tuple[str, Callable[[], Iterator[Packet]]]:
    return _of_source(SyntheticSource(parameters.rate))


def _video(parameters: PlayerParameters) -> tuple[str, Callable[[], Iterator[Packet]]]:
    return _of_source(_capture(parameters.path, parameters))


def _camera(parameters: PlayerParameters) -> tuple[str, Callable[[], Iterator[Packet]]]:
    return _of_source(_capture(parameters.camera, parameters))


def _capture(video: str | int, parameters: PlayerParameters) -> Source:
    fov = parameters.fov or DEFAULT_FIELD_OF_VIEW_DEG
    return capture(video, _calibration(parameters), fov, parameters.rate)


def _of_source(source: Source) -> tuple[str, Callable[[], Iterator[Packet]]]:
    return source.description, lambda: packets_of_source(source)


def _bag(parameters: PlayerParameters) -> tuple[str, Callable[[], Iterator[Packet]]]:
    topics = bag_topics(parameters.path, parameters.image_topic)
    calibration = _calibration(parameters)
    camera = camera_from_file(calibration) if calibration else None
    if camera is None and parameters.fov:
        camera = camera_from_field_of_view(
            *first_image_size(parameters.path, topics), parameters.fov
        )
    return (
        f"bag '{parameters.path}'",
        lambda: packets_of_bag(parameters.path, topics, camera),
    )


# Source to its description and what gives its packets from the start.
PACKETS = {"synthetic": _synthetic, "video": _video, "camera": _camera, "bag": _bag}


class Player(Node):
    """Publishes packets when they are due. Raises ErdError when the source cannot be used."""

    def __init__(self, told_to_stop: Event) -> None:
        super().__init__(NODE_NAME)
        self._told_to_stop = told_to_stop
        values = {
            field.name: self.declare_parameter(field.name, field.default).value
            for field in fields(PlayerParameters)
        }
        self._parameters = PlayerParameters(**values)
        self._description, self._packets = PACKETS[self._parameters.source](self._parameters)
        self._live = self._parameters.source == "camera"
        self._topics = {
            kind: self.create_publisher(kind, name, QoSProfile(depth=_DEPTHS[name]))
            for name, kind in TOPICS.items()
        }
        answer_every_request(self)

    def play(self) -> None:
        """Wait for subscribers, publish everything, wait until it has arrived."""
        self._wait_for_subscribers()
        self.get_logger().info(f"playing {self._description}")
        count = sum(1 for _ in self._paced())
        for publisher in self._topics.values():
            publisher.wait_for_all_acked(Duration(seconds=_LAST_WORDS_S))
        self.get_logger().info(f"played {count} packets")

    def _wait_for_subscribers(self) -> None:
        wanted, publisher = self._parameters.subscribers, self._topics[CameraInfo]
        deadline_s = time.monotonic() + self._parameters.wait
        while (there := publisher.get_subscription_count()) < wanted:
            if self._told_to_stop.is_set():
                return
            if time.monotonic() > deadline_s:
                raise InputError(
                    f"{there} of {wanted} nodes listened to {publisher.topic_name} after "
                    f"{self._parameters.wait:g} s; is erd_node running, in the same ROS_DOMAIN_ID?"
                )
            self._rest(0.05)
        self._rest(_SETTLE_S)  # their other topics follow at once

    def _paced(self) -> Iterator[None]:
        """Publish each packet when it is due; a source that falls behind does not hurry."""
        limit_s = self._parameters.seconds or float("inf")
        begin_s = time.monotonic()
        begin_ns = self.get_clock().now().nanoseconds
        for loop_s, packet in self._repeated():
            due_s = loop_s + packet.due_s
            if not self._live:
                self._rest(begin_s + due_s - time.monotonic())
            if due_s >= limit_s or self._told_to_stop.is_set():
                return
            late_s = time.monotonic() - begin_s - due_s
            if late_s > 0.1 or self._live:
                begin_s, begin_ns = begin_s + late_s, begin_ns + round(1e9 * late_s)
            self._publish(packet, begin_ns + round(1e9 * (loop_s + packet.stamp_s)))
            yield

    def _repeated(self) -> Iterator[tuple[float, Packet]]:
        """Each packet with the time at which its round began."""
        loop_s = 0.0
        while True:
            last_s = step_s = 0.0
            for packet in self._packets():
                step_s = max(step_s, packet.due_s - last_s)
                last_s = packet.due_s
                yield loop_s, packet
            if not self._parameters.loop or self._live:
                return
            loop_s += last_s + step_s

    def _rest(self, seconds: float) -> None:
        """Serve the node's own services for a while, or until it is told to stop."""
        deadline_s = time.monotonic() + seconds
        while not self._told_to_stop.is_set() and (left_s := deadline_s - time.monotonic()) > 0:
            with logged(self):
                rclpy.spin_once(self, timeout_sec=min(left_s, _POLL_S))

    def _publish(self, packet: Packet, stamp_ns: int) -> None:
        keep = packet.recorded and self._parameters.original_stamps
        for message in packet.messages:
            if not keep:
                message.header.stamp = Time(nanoseconds=stamp_ns).to_msg()
            self._topics[type(message)].publish(message)


def main(args: Sequence[str] | None = None) -> int:
    """Play once; 0 at the end or when told to stop, 1 when the source cannot be used."""
    return run_process(NODE_NAME, args, lambda told: Player(told).play())


if __name__ == "__main__":
    sys.exit(main())
