"""The one seam between image messages and arrays.

cv_bridge converts where it is installed (a robot), rosbags-image where it is not. Size and step
are checked and the padding of rows is cut here, before either sees the image: rosbags-image
ignores ``step`` and gives padded rows back sheared.
"""

from collections.abc import Callable
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from erd_ros.errors import InputError

ImageArray = NDArray[np.uint8]
Converter = Callable[[Image], ImageArray]

# Encoding to bytes per pixel, for what both converters read.
ENCODINGS = {
    "rgb8": 3,
    "bgr8": 3,
    "rgba8": 4,
    "bgra8": 4,
    "mono8": 1,
    "bayer_rggb8": 1,
    "bayer_bggr8": 1,
    "bayer_gbrg8": 1,
    "bayer_grbg8": 1,
    "yuv422": 2,
    "yuv422_yuy2": 2,
}


# Full rows of brightness, then half as many of colour; neither converter knows it.
NV12 = "nv12"


def rgb_from_image(message: Image) -> ImageArray:
    """Pixels of an image message, (height, width, 3) uint8 RGB; may share the message's memory.

    Raises InputError for an encoding that is not in ENCODINGS, a message that holds fewer bytes
    than its size and step promise, or when no converter is installed.
    """
    _check(message)
    if message.encoding == NV12:
        return _rgb_from_nv12(message)
    _, convert = converter()
    return convert(_without_padding(message))


def _check(message: Image) -> None:
    if message.encoding not in (*ENCODINGS, NV12):
        raise InputError(
            f"unsupported image encoding '{message.encoding}'; publish one of "
            f"{', '.join(ENCODINGS)}, {NV12}"
        )
    height, width = message.height, message.width
    if height == 0 or width == 0:
        raise InputError(f"the image is {width}x{height}: it has no pixels")
    row_bytes = width * ENCODINGS.get(message.encoding, 1)
    if message.step < row_bytes:
        raise InputError(
            f"the image's step is {message.step} bytes, but {width} pixels in "
            f"{message.encoding} take at least {row_bytes}; correct the step in its publisher"
        )
    rows = height * 3 // 2 if message.encoding == NV12 else height
    if len(message.data) < rows * message.step:
        raise InputError(
            f"the image holds {len(message.data)} bytes, but {rows} rows of {message.step} "
            f"bytes take {rows * message.step}; correct its publisher"
        )
    if message.encoding == NV12 and (height % 2 or width % 2):
        raise InputError(f"an {NV12} image is {width}x{height}; both sides must be even")


def _rgb_from_nv12(message: Image) -> ImageArray:
    rows = message.height * 3 // 2
    data = np.frombuffer(message.data, np.uint8, rows * message.step)
    planes = np.ascontiguousarray(data.reshape(rows, message.step)[:, : message.width])
    return np.asarray(cv2.cvtColor(planes, cv2.COLOR_YUV2RGB_NV12), np.uint8)


def _without_padding(message: Image) -> Image:
    row_bytes = message.width * ENCODINGS[message.encoding]
    if message.step == row_bytes:
        return message
    data = np.frombuffer(message.data, np.uint8, message.height * message.step)
    rows = np.ascontiguousarray(data.reshape(message.height, message.step)[:, :row_bytes])
    cut = Image(
        header=message.header,
        height=message.height,
        width=message.width,
        encoding=message.encoding,
        step=row_bytes,
    )
    # Assigning an array to data takes a thousand times as long as frombytes.
    cut.data.frombytes(rows.data.cast("B"))
    return cut


def image_from_rgb(image: ImageArray, header: Header) -> Image:
    """An rgb8 message of an image (height, width, 3) uint8."""
    height, width = image.shape[:2]
    message = Image(header=header, height=height, width=width, encoding="rgb8", step=3 * width)
    # Assigning an array to data takes a thousand times as long as frombytes.
    message.data.frombytes(np.ascontiguousarray(image).data.cast("B"))
    return message


@lru_cache
def converter() -> tuple[str, Converter]:
    """Name and function of the converter in use. Raises InputError when none is installed."""
    for name, find in CONVERTERS.items():
        try:
            return name, find()
        except ImportError:
            continue
    raise InputError(
        f"no image converter is installed; install one of {', '.join(CONVERTERS)}, "
        "or feed keypoints (parameter input: keypoints)"
    )


def _cv_bridge() -> Converter:
    from cv_bridge import CvBridge

    bridge = CvBridge()

    def convert(message: Image) -> ImageArray:
        return np.asarray(bridge.imgmsg_to_cv2(message, "rgb8"), np.uint8)

    return convert


def _rosbags_image() -> Converter:
    from rosbags.image import message_to_cvimage

    def convert(message: Image) -> ImageArray:
        return np.asarray(message_to_cvimage(message, "rgb8"), np.uint8)

    return convert


CONVERTERS: dict[str, Callable[[], Converter]] = {
    "cv_bridge": _cv_bridge,
    "rosbags-image": _rosbags_image,
}
