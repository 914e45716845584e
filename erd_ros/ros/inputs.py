"""What turns an input message into keypoints: one front end per kind of message.

Message packages of others are imported when they are asked for, and only then.
"""

import importlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from sensor_msgs.msg import CompressedImage, Image

from erd_ros.errors import BackendError, InputError
from erd_ros.image_file import Size, image_size, rgb_from_file
from erd_ros.msg import Person2DArray
from erd_ros.ros.cameras import seconds_from_stamp
from erd_ros.ros.convert import ReceivedKeypoints, keypoints_from_message
from erd_ros.ros.foreign import (
    keypoints_from_skeleton2d,
    keypoints_from_yolo,
    keypoints_from_zed,
)
from erd_ros.ros.images import ImageArray, rgb_from_image, size_of_image
from erd_ros.ros.parameters import NodeParameters
from erd_ros.runtime.detectors import Detector, make_detector
from erd_ros.skeleton import Skeleton

# Message and the size of the camera's image, None when it is not known.
Reader = Callable[[Any, Size | None], ReceivedKeypoints]


class FrontEnd(Protocol):
    """Made from the node's parameters; closed when the node is deactivated.

    topic, message_type  what to subscribe to
    bad_input            the cause that an unusable message is counted under
    skeleton             layout of the keypoints; None = each message says it
    in_frame_of_info     messages name another frame than the optical one, CameraInfo has that
    """

    topic: str
    message_type: type
    bad_input: str
    skeleton: Skeleton | None
    in_frame_of_info: bool

    def size(self, message: Any) -> Size | None:
        """(width, height) as an image's header says, undecoded; None = not an image.

        Raises InputError for an image that must not be decoded.
        """
        ...

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
    in_frame_of_info = False

    def __init__(
        self,
        detector: str,
        message_type: type,
        size: Callable[[Any], Size],
        decode: Callable[[Any], ImageArray],
    ) -> None:
        self.message_type = message_type
        self._size, self._decode = size, decode
        self._detector: Detector = make_detector(detector)
        self.skeleton: Skeleton | None = self._detector.skeleton

    def size(self, message: Any) -> Size | None:
        """As the image's header says."""
        return self._size(message)

    def read(self, message: Any, size: Size | None) -> ReceivedKeypoints:
        """Keypoints that the detector sees."""
        image = self._decode(message)
        height, width = image.shape[:2]
        keypoints = self._detector(image, seconds_from_stamp(message.header.stamp))
        return ReceivedKeypoints(keypoints, size=(width, height), image=image)

    def close(self) -> None:
        """Close the detector."""
        self._detector.close()


class KeypointFrontEnd:
    """Takes the keypoints of another node."""

    topic = "keypoints"
    bad_input = "bad keypoints"
    skeleton: Skeleton | None = None

    def __init__(self, message_type: type, read: Reader, in_frame_of_info: bool = False) -> None:
        self.message_type, self.in_frame_of_info = message_type, in_frame_of_info
        self._read = read

    def size(self, message: Any) -> Size | None:
        """None: there is nothing to decode."""
        return None

    def read(self, message: Any, size: Size | None) -> ReceivedKeypoints:
        """Keypoints as the message has them."""
        return self._read(message, size)

    def close(self) -> None:
        """Nothing to give back."""


def size_of_compressed(message: CompressedImage) -> Size:
    """(width, height) of a JPEG or PNG message, undecoded. Raises InputError."""
    with _named(message):
        return image_size(memoryview(message.data))


def rgb_from_compressed(message: CompressedImage) -> ImageArray:
    """Pixels of a JPEG or PNG message, (height, width, 3) uint8 RGB. Raises InputError.

    They lie as in the file, whatever EXIF says of its orientation: so does the CameraInfo.
    """
    with _named(message):
        return rgb_from_file(memoryview(message.data))


@contextmanager
def _named(message: CompressedImage) -> Iterator[None]:
    try:
        yield
    except InputError as error:
        raise InputError(
            f"a compressed image of format '{message.format[:40]}' is refused: {error}; "
            "publish JPEG or PNG, or the raw image (input: image)"
        ) from error


def _image(parameters: NodeParameters) -> FrontEnd:
    return ImageFrontEnd(parameters.detector, Image, size_of_image, rgb_from_image)


def _compressed_image(parameters: NodeParameters) -> FrontEnd:
    front_end = ImageFrontEnd(
        parameters.detector, CompressedImage, size_of_compressed, rgb_from_compressed
    )
    front_end.topic = "image/compressed"
    return front_end


def _keypoints(parameters: NodeParameters) -> FrontEnd:
    return KeypointFrontEnd(Person2DArray, keypoints_from_message)


def _foreign(
    package: str, name: str, read: Reader, in_frame_of_info: bool = False
) -> Callable[[NodeParameters], FrontEnd]:
    def make(parameters: NodeParameters) -> FrontEnd:
        try:
            message_type = getattr(importlib.import_module(f"{package}.msg"), name)
        except ImportError as error:
            raise BackendError(
                f"input '{parameters.input}' needs {package}, which cannot be imported ({error}); "
                f"install it, e.g. ros-$ROS_DISTRO-{package.replace('_', '-')}, or choose another "
                f"input of {', '.join(FRONT_ENDS)}"
            ) from error
        return KeypointFrontEnd(message_type, read, in_frame_of_info)

    return make


FRONT_ENDS: dict[str, Callable[[NodeParameters], FrontEnd]] = {
    "image": _image,
    "compressed_image": _compressed_image,
    "keypoints": _keypoints,
    "hri_skeleton2d": _foreign("hri_msgs", "Skeleton2D", keypoints_from_skeleton2d),
    "yolo": _foreign("yolo_msgs", "DetectionArray", keypoints_from_yolo),
    # Its header names the frame that looks along x.
    "zed": _foreign("zed_msgs", "ObjectsStamped", keypoints_from_zed, in_frame_of_info=True),
}
