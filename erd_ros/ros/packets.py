"""What the player publishes: sources and bags turned into messages with the time they are due."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header

from erd_ros.demo.bag import (
    CAMERA_INFO,
    COMPRESSED_IMAGE,
    IMAGE,
    KEYPOINTS,
    BagTopics,
    RawMessage,
    bag_messages,
)
from erd_ros.demo.sources import Source
from erd_ros.errors import InputError
from erd_ros.geometry.camera import Camera
from erd_ros.image_file import check_size
from erd_ros.msg import Keypoint2D, Person2D, Person2DArray
from erd_ros.pose import Keypoints2D
from erd_ros.ros.images import image_from_rgb
from erd_ros.ros.inputs import rgb_from_compressed

FRAME_ID = "camera_optical_frame"
_LONGEST_PAUSE_S = 3600.0


@dataclass(frozen=True, eq=False)
class Packet:
    """Messages that belong to one moment, with their stamps still to be set by the player.

    due_s     when to publish, stamp_s: what to stamp, both in seconds after the first packet
    recorded  the messages still have the stamps of a recording
    """

    due_s: float
    stamp_s: float
    messages: tuple[Any, ...]
    recorded: bool = False


def info_from_camera(camera: Camera) -> CameraInfo:
    """The CameraInfo of a camera whose images are not rectified."""
    info = CameraInfo(width=camera.width, height=camera.height)
    info.header.frame_id = FRAME_ID
    # A pinhole without distortion has no name of its own in CameraInfo.
    info.distortion_model = camera.distortion_model or "plumb_bob"
    info.d = list(camera.distortion) or [0.0] * 5
    info.k = camera.intrinsics.ravel().tolist()
    info.r = np.eye(3).ravel().tolist()
    info.p = np.hstack([camera.intrinsics, np.zeros((3, 1))]).ravel().tolist()
    return info


def message_from_keypoints(keypoints: Keypoints2D, camera: Camera) -> Person2DArray:
    """The persons of one image, without ids: the node tracks them."""
    message = Person2DArray(
        layout=keypoints.skeleton.name, width=camera.width, height=camera.height
    )
    message.header.frame_id = FRAME_ID
    for pixels, confidence in zip(keypoints.pixels, keypoints.confidence, strict=True):
        points = [
            Keypoint2D(x=x, y=y, score=score)
            for (x, y), score in zip(pixels.tolist(), confidence.tolist(), strict=True)
        ]
        message.persons.append(Person2D(score=float(confidence.mean()), keypoints=points))
    return message


def packets_of_source(source: Source) -> Iterator[Packet]:
    """Every frame of a source, CameraInfo first: the node then has it when the frame comes."""
    info = info_from_camera(source.camera)
    for frame in source.frames():
        messages = [info, image_from_rgb(frame.image, Header(frame_id=FRAME_ID))]
        if frame.keypoints is not None:
            messages.append(message_from_keypoints(frame.keypoints, source.camera))
        yield Packet(frame.time_s, frame.time_s, tuple(messages))


def packets_of_bag(path: str, topics: BagTopics, camera: Camera | None) -> Iterator[Packet]:
    """The messages of a bag as they were recorded; ``camera`` stands in for a missing CameraInfo.

    Raises InputError when the bag has no CameraInfo and no camera is given.
    """
    if camera is None and not topics.camera_info:
        raise InputError(
            f"bag '{path}' has no {CAMERA_INFO}; give a calibration file "
            "(camera_info, of erd demo --camera-info), or a field of view (fov, --fov)"
        )
    begin_ns: tuple[int, int] | None = None
    last_s = 0.0
    for raw in bag_messages(path, topics):
        if camera is not None and raw.message_type == CAMERA_INFO:
            continue
        message = _message(path, raw)
        stamp_ns = 10**9 * message.header.stamp.sec + message.header.stamp.nanosec
        begin_ns = begin_ns or (raw.recorded_ns, stamp_ns)
        messages = (message,) if camera is None else (_info_for(message, camera), message)
        due_s, stamp_s = 1e-9 * (raw.recorded_ns - begin_ns[0]), 1e-9 * (stamp_ns - begin_ns[1])
        if due_s > last_s + _LONGEST_PAUSE_S:
            raise InputError(
                f"bag '{path}' pauses for {(due_s - last_s) / 3600:.1f} hours, expected "
                f"{_LONGEST_PAUSE_S / 3600:g} at most; is it damaged?"
            )
        last_s = due_s
        # A stamp of another clock, or a damaged one, is of no use in the present.
        stamp_s = stamp_s if abs(stamp_s - due_s) < _LONGEST_PAUSE_S else due_s
        yield Packet(due_s, stamp_s, messages, recorded=True)


def first_image_size(path: str, topics: BagTopics) -> tuple[int, int]:
    """(width, height) of the images, or of those behind the keypoints."""
    for raw in bag_messages(path, topics):
        if raw.message_type != CAMERA_INFO:
            message = _message(path, raw)
            if message.width:
                check_size(message.width, message.height)
                return message.width, message.height
    raise InputError(
        f"bag '{path}' says nowhere how large its images are; give a calibration file "
        "(camera_info, of erd demo --camera-info)"
    )


def _info_for(message: Any, camera: Camera) -> CameraInfo:
    info = info_from_camera(camera)
    info.header = message.header
    return info


def _message(path: str, raw: RawMessage) -> Any:
    try:
        return _decoded(deserialize_message(raw.data, _MESSAGES[raw.message_type]))
    except InputError:
        raise
    except Exception as error:  # RMWError has no public name
        raise InputError(
            f"bag '{path}' has a message of type {raw.message_type} and {len(raw.data)} bytes that "
            f"cannot be read ({str(error)[:100]}); was the bag cut short or copied badly?"
        ) from error


def _decoded(message: Any) -> Any:
    if not isinstance(message, CompressedImage):
        return message
    return image_from_rgb(rgb_from_compressed(message), message.header)


_MESSAGES = {
    IMAGE: Image,
    COMPRESSED_IMAGE: CompressedImage,
    CAMERA_INFO: CameraInfo,
    KEYPOINTS: Person2DArray,
}
