"""Recorded topics: which of a bag's topics the demo plays, and their messages as serialised.

rosbags reads SQLite and MCAP bags without a ROS installation. Messages stay serialised here; the
player, which has the message types, reads them.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from erd_ros.errors import InputError

IMAGE = "sensor_msgs/msg/Image"
COMPRESSED_IMAGE = "sensor_msgs/msg/CompressedImage"
CAMERA_INFO = "sensor_msgs/msg/CameraInfo"
KEYPOINTS = "erd_ros/msg/Person2DArray"
TYPES = (IMAGE, COMPRESSED_IMAGE, CAMERA_INFO, KEYPOINTS)


class RawMessage(NamedTuple):
    """A recorded message: ROS type, when it was recorded (ns), CDR bytes."""

    message_type: str
    recorded_ns: int
    data: bytes


@dataclass(frozen=True)
class BagTopics:
    """The topics to play; empty where the bag has none of the kind."""

    image: str
    camera_info: str
    keypoints: str

    @property
    def input(self) -> str:
        """What the node should listen to: recorded keypoints where there are any, else images."""
        return "keypoints" if self.keypoints else "image"


def bag_topics(path: str) -> BagTopics:
    """Choose the topics of a bag: its folder, or the one .mcap or .db3 file in it.

    Of several cameras the first with a CameraInfo beside it is played. Raises InputError when
    there is no such bag, it cannot be read, or it has neither images nor keypoints.
    """
    with _opened(path) as reader:
        topics = {
            connection.topic: connection.msgtype
            for connection in reader.connections
            if connection.msgcount
        }
    infos = sorted(topic for topic, kind in topics.items() if kind == CAMERA_INFO)
    images = sorted(topic for topic, kind in topics.items() if kind in (IMAGE, COMPRESSED_IMAGE))
    keypoints = sorted(topic for topic, kind in topics.items() if kind == KEYPOINTS)
    if not images and not keypoints:
        listed = ", ".join(f"{topic} ({kind})" for topic, kind in sorted(topics.items()))
        raise InputError(
            f"bag '{path}' has no topic of type {IMAGE}, {COMPRESSED_IMAGE} or {KEYPOINTS}; "
            f"it has {listed or 'no messages'}. Record the camera's image and camera_info"
        )
    images.sort(key=lambda topic: not _info_beside(topic, infos))
    image = images[0] if images else ""
    info = _info_beside((keypoints or images)[0], infos) or _info_beside(image, infos)
    return BagTopics(image, info or (infos[0] if infos else ""), keypoints[0] if keypoints else "")


def _info_beside(topic: str, infos: list[str]) -> str:
    """The camera_info in the namespace of a topic, or in the one above (image transports)."""
    namespaces = [str(parent) for parent in PurePosixPath(topic).parents][:2]
    beside = [info for space in namespaces for info in infos if _namespace(info) == space]
    return beside[0] if beside else ""


def _namespace(topic: str) -> str:
    return str(PurePosixPath(topic).parent)


def bag_messages(path: str, topics: BagTopics) -> Iterator[RawMessage]:
    """The messages of the chosen topics in the order in which they were recorded."""
    chosen = {topics.image, topics.camera_info, topics.keypoints}
    with _opened(path) as reader:
        connections = [c for c in reader.connections if c.topic in chosen and c.msgtype in TYPES]
        for connection, recorded_ns, data in reader.messages(connections):
            yield RawMessage(connection.msgtype, recorded_ns, bytes(data))


@contextmanager
def _opened(path: str) -> Iterator[Any]:
    try:
        from rosbags.rosbag2 import Reader, ReaderError
    except ImportError as error:
        raise InputError(
            "reading bags needs rosbags, which is not installed; `pip install rosbags`"
        ) from error
    if not path or not Path(path).exists():
        raise InputError(f"bag '{path}' does not exist; give the folder that `ros2 bag` wrote")
    try:
        with Reader(path) as reader:
            yield reader
    except (ReaderError, OSError, ValueError) as error:
        raise InputError(
            f"bag '{path}' cannot be read ({error}); `ros2 bag reindex` repairs one that was cut "
            "short"
        ) from error
