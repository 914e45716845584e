"""What turns an input message into keypoints: one front end per kind of message.

Message packages of others are imported when they are asked for, and only then.
"""

import importlib
from collections.abc import Callable
from typing import Any, Protocol

import cv2
import numpy as np
from sensor_msgs.msg import CompressedImage, Image

from erd_ros.errors import BackendError, InputError
from erd_ros.msg import Person2DArray
from erd_ros.ros.convert import ReceivedKeypoints, keypoints_from_message
from erd_ros.ros.foreign import (
    keypoints_from_skeleton2d,
    keypoints_from_yolo,
    keypoints_from_zed,
)
from erd_ros.ros.images import ImageArray, rgb_from_image
from erd_ros.ros.parameters import NodeParameters
from erd_ros.runtime.detectors import Detector, make_detector
from erd_ros.skeleton import Skeleton

Size = tuple[int, int]
# Message and the size of the camera's image, None when it is not known.
Reader = Callable[[Any, Size | None], ReceivedKeypoints]


class FrontEnd(Protocol):
    """Made from the node's parameters; closed when the node is deactivated.

    topic, message_type  what to subscribe to
    bad_input            the cause that an unusable message is counted under
    skeleton             layout of the keypoints; None = each message says it
    """

    topic: str
    message_type: type
    bad_input: str
    skeleton: Skeleton | None

    def read(self, message: Any, size: Size | None) -> ReceivedKeypoints:
        """Keypoints of one message. Raises InputError."""
        ...

    def close(self) -> None:
        """Give back what it holds."""
        ...


class ImageFrontEnd:
    """Runs a detector on images."""

    topic = "image"
    bad_input = "bad image"

    def __init__(
        self, detector: str, message_type: type, decode: Callable[[Any], ImageArray]
    ) -> None:
        self.message_type = message_type
        self._decode = decode
        self._detector: Detector = make_detector(detector)
        self.skeleton: Skeleton | None = self._detector.skeleton

    def read(self, message: Any, size: Size | None) -> ReceivedKeypoints:
        """Keypoints that the detector sees."""
        image = self._decode(message)
        height, width = image.shape[:2]
        return ReceivedKeypoints(self._detector(image), size=(width, height), image=image)

    def close(self) -> None:
        """Close the detector."""
        self._detector.close()


class KeypointFrontEnd:
    """Takes the keypoints of another node."""

    topic = "keypoints"
    bad_input = "bad keypoints"
    skeleton: Skeleton | None = None

    def __init__(self, message_type: type, read: Reader) -> None:
        self.message_type = message_type
        self._read = read

    def read(self, message: Any, size: Size | None) -> ReceivedKeypoints:
        """Keypoints as the message has them."""
        return self._read(message, size)

    def close(self) -> None:
        """Nothing to give back."""


def rgb_from_compressed(message: CompressedImage) -> ImageArray:
    """Pixels of a JPEG or PNG message, (height, width, 3) uint8 RGB. Raises InputError."""
    data = np.frombuffer(message.data, np.uint8)
    bgr = cv2.imdecode(data, cv2.IMREAD_COLOR) if len(data) else None
    if bgr is None:
        raise InputError(
            f"a compressed image of {len(data)} bytes and format '{message.format}' cannot be "
            "decoded; publish JPEG or PNG, or the raw image (input: image)"
        )
    return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)


def _image(parameters: NodeParameters) -> FrontEnd:
    return ImageFrontEnd(parameters.detector, Image, rgb_from_image)


def _compressed_image(parameters: NodeParameters) -> FrontEnd:
    front_end = ImageFrontEnd(parameters.detector, CompressedImage, rgb_from_compressed)
    front_end.topic = "image/compressed"
    return front_end


def _keypoints(parameters: NodeParameters) -> FrontEnd:
    return KeypointFrontEnd(Person2DArray, keypoints_from_message)


def _foreign(package: str, name: str, read: Reader) -> Callable[[NodeParameters], FrontEnd]:
    def make(parameters: NodeParameters) -> FrontEnd:
        try:
            message_type = getattr(importlib.import_module(f"{package}.msg"), name)
        except ImportError as error:
            raise BackendError(
                f"input '{parameters.input}' needs {package}, which cannot be imported ({error}); "
                f"install it, e.g. ros-$ROS_DISTRO-{package.replace('_', '-')}, or choose another "
                f"input of {', '.join(FRONT_ENDS)}"
            ) from error
        return KeypointFrontEnd(message_type, read)

    return make


FRONT_ENDS: dict[str, Callable[[NodeParameters], FrontEnd]] = {
    "image": _image,
    "compressed_image": _compressed_image,
    "keypoints": _keypoints,
    "hri_skeleton2d": _foreign("hri_msgs", "Skeleton2D", keypoints_from_skeleton2d),
    "yolo": _foreign("yolo_msgs", "DetectionArray", keypoints_from_yolo),
    "zed": _foreign("zed_msgs", "ObjectsStamped", keypoints_from_zed),
}
