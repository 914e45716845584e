"""Recorded topics: which of a bag's topics the demo plays, and their messages as serialised.

rosbags reads SQLite and MCAP bags without a ROS installation. Messages stay serialised here; the
player, which has the message types, reads them.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, NamedTuple

from erd_ros.demo.bag_file import opened
from erd_ros.errors import InputError

IMAGE = "sensor_msgs/msg/Image"
COMPRESSED_IMAGE = "sensor_msgs/msg/CompressedImage"
CAMERA_INFO = "sensor_msgs/msg/CameraInfo"
KEYPOINTS = "erd_ros/msg/Person2DArray"
_COLOUR, _GREY, _DEPTH = range(3)
# In names of topics that are not the colour camera's own, whatever their encoding.
_ODD_WORDS = frozenset(
    ("depth", "disparity", "infra", "infra1", "infra2", "infrared", "ir", "mono", "thermal")
)
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


def bag_topics(path: str, image_topic: str = "") -> BagTopics:
    """Choose the topics of a bag: its folder, or the one .mcap or .db3 file in it.

    Of several cameras a colour camera comes first, by the encoding of its first image and by its
    name, then one with a CameraInfo beside it; depth images are never taken for a camera's.

    image_topic  play this one, whatever else there is; "" = choose
    Raises InputError when there is no such bag, it cannot be read, or it has neither images nor
    keypoints.
    """
    with opened(path) as reader:
        kinds = {
            connection.topic: connection.msgtype
            for connection in reader.connections
            if connection.msgcount
        }
        ranks = {
            connection.topic: _rank(
                connection.topic, _encoding(connection.msgtype, _first(reader, connection))
            )
            for connection in reader.connections
            if connection.msgcount and connection.msgtype in (IMAGE, COMPRESSED_IMAGE)
        }
    infos = sorted(topic for topic, kind in kinds.items() if kind == CAMERA_INFO)
    if image_topic:
        return _of_image(path, _named(path, image_topic, sorted(ranks)), infos)
    images = [topic for topic, rank in ranks.items() if rank[0] < _DEPTH]
    keypoints = sorted(topic for topic, kind in kinds.items() if kind == KEYPOINTS)
    if not images and not keypoints:
        listed = ", ".join(f"{topic} ({kind})" for topic, kind in sorted(kinds.items()))
        raise InputError(
            f"bag '{path}' has no colour or grey images (type {IMAGE} or {COMPRESSED_IMAGE}) and "
            f"no {KEYPOINTS}; it has {listed or 'no messages'}. Record the camera's image and "
            "camera_info"
        )
    images.sort(key=lambda topic: (*ranks[topic], not _info_beside(topic, infos), topic))
    image = images[0] if images else ""
    info = _info_beside((keypoints or images)[0], infos) or _info_beside(image, infos)
    return BagTopics(image, info or (infos[0] if infos else ""), keypoints[0] if keypoints else "")


def _named(path: str, image_topic: str, images: list[str]) -> str:
    for topic in images:
        if topic.lstrip("/") == image_topic.lstrip("/"):
            return topic
    raise InputError(
        f"bag '{path}' has no images on topic '{image_topic}'; choose one of "
        f"{', '.join(images) or 'none: it has no images'}"
    )


def _of_image(path: str, image: str, infos: list[str]) -> BagTopics:
    return BagTopics(image, _info_beside(image, infos) or (infos[0] if infos else ""), "")


def _first(reader: Any, connection: Any) -> bytes:
    return next((bytes(data) for _, _, data in reader.messages([connection])), b"")


def _rank(topic: str, encoding: str) -> tuple[int, bool]:
    """What an image topic shows, by the encoding of its first message, then by its name."""
    words = set(topic.lower().replace("_", "/").split("/"))
    odd_name = bool(words & _ODD_WORDS)
    if encoding.startswith(("16U", "16S", "32F", "64F")) or "compressedDepth" in encoding:
        return _DEPTH, odd_name
    return _GREY if encoding.startswith(("mono", "8UC1")) else _COLOUR, odd_name


def _encoding(message_type: str, data: bytes) -> str:
    """Image.encoding, or CompressedImage.format; "" where the bytes do not hold it (XCDR1)."""
    order = "<" if data[1:2] == b"\1" else ">"
    try:
        # After the encapsulation and the stamp: frame_id, then height and width of an Image.
        at = _behind_text(data, 12, order)
        at += 8 if message_type == IMAGE else 0
        (length,) = struct.unpack_from(f"{order}I", data, at)
    except struct.error:
        return ""
    return data[at + 4 : at + 3 + min(length, 200)].decode("ascii", "replace")


def _behind_text(data: bytes, at: int, order: str) -> int:
    """Where the next number begins: at a multiple of four behind the encapsulation's four."""
    (length,) = struct.unpack_from(f"{order}I", data, at)
    return int(at + 4 + length + -length % 4)


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
    with opened(path) as reader:
        connections = [c for c in reader.connections if c.topic in chosen and c.msgtype in TYPES]
        for connection, recorded_ns, data in reader.messages(connections):
            yield RawMessage(connection.msgtype, recorded_ns, bytes(data))
