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
from erd_ros.image_file import Size, check_size

ImageArray = NDArray[np.uint8]
Converter = Callable[[Image], ImageArray]

_LEAST_BAYER_PX = 3
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


# Other names of the same bytes: those of ROS since Iron, and OpenCV's types.
ALIASES = {
    "uyvy": "yuv422",
    "yuyv": "yuv422_yuy2",
    "8UC1": "mono8",
    "8UC3": "bgr8",
    "8UC4": "bgra8",
}
# Full rows of brightness, then half as many of colour; neither converter knows them.
PLANES = {"nv12": cv2.COLOR_YUV2RGB_NV12, "nv21": cv2.COLOR_YUV2RGB_NV21}
MONO16 = "mono16"
_BYTES = {**ENCODINGS, **{name: 1 for name in PLANES}, MONO16: 2}


def size_of_image(message: Image) -> Size:
    """(width, height) of an image message, checked before anything is converted.

    Raises InputError for an encoding that is not read, a size that ``check_size`` refuses, and a
    message that holds fewer bytes than its size and step promise.
    """
    encoding = ALIASES.get(message.encoding, message.encoding)
    if encoding not in _BYTES:
        raise InputError(
            f"unsupported image encoding '{message.encoding[:40]}'; publish one of "
            f"{', '.join((*_BYTES, *ALIASES))}"
        )
    check_size(message.width, message.height)
    _check_bytes(message, encoding)
    if encoding in PLANES and (message.height % 2 or message.width % 2):
        raise InputError(
            f"an {encoding} image is {message.width}x{message.height}; both sides must be even"
        )
    if encoding.startswith("yuv422") and message.width % 2:
        raise InputError(
            f"a {message.encoding} image is {message.width} pixels wide; two pixels share their "
            "colour, so that the width must be even"
        )
    if encoding.startswith("bayer") and min(message.width, message.height) < _LEAST_BAYER_PX:
        raise InputError(
            f"a {encoding} image is {message.width}x{message.height}, expected "
            f"{_LEAST_BAYER_PX} pixels a side or more"
        )
    return message.width, message.height


def _check_bytes(message: Image, encoding: str) -> None:
    row_bytes = message.width * _BYTES[encoding]
    if message.step < row_bytes:
        raise InputError(
            f"the image's step is {message.step} bytes, but {message.width} pixels in "
            f"{message.encoding} take at least {row_bytes}; correct the step in its publisher"
        )
    rows = _rows(message, encoding)
    if len(message.data) < rows * message.step:
        raise InputError(
            f"the image holds {len(message.data)} bytes, but {rows} rows of {message.step} "
            f"bytes take {rows * message.step}; correct its publisher"
        )


def _rows(message: Image, encoding: str) -> int:
    return int(message.height * 3 // 2 if encoding in PLANES else message.height)


def rgb_from_image(message: Image) -> ImageArray:
    """Pixels of an image message, (height, width, 3) uint8 RGB; may share the message's memory.

    Raises InputError as ``size_of_image`` does, or when no converter is installed.
    """
    size_of_image(message)
    encoding = ALIASES.get(message.encoding, message.encoding)
    if encoding in PLANES:
        rows = np.ascontiguousarray(_cut_rows(message, encoding))
        return np.asarray(cv2.cvtColor(rows, PLANES[encoding]), np.uint8)
    if encoding == MONO16:
        return _rgb_from_mono16(message)
    _, convert = converter()
    return convert(_plain(message, encoding))


def _rgb_from_mono16(message: Image) -> ImageArray:
    """The full range of 16 bits becomes that of 8, as in cv_bridge."""
    rows = np.ascontiguousarray(_cut_rows(message, MONO16))
    values = rows.view(">u2" if message.is_bigendian else "<u2")
    grey = ((values.astype(np.uint32) * 255 + 32767) // 65535).astype(np.uint8)
    return np.asarray(cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB), np.uint8)


def _cut_rows(message: Image, encoding: str) -> ImageArray:
    """(rows, bytes) without what pads the rows."""
    rows = _rows(message, encoding)
    data = np.frombuffer(message.data, np.uint8, rows * message.step)
    return data.reshape(rows, message.step)[:, : message.width * _BYTES[encoding]]


def _plain(message: Image, encoding: str) -> Image:
    """The image without padding, under the name that the converters know."""
    row_bytes = message.width * _BYTES[encoding]
    padded = message.step != row_bytes
    if not padded and message.encoding == encoding:
        return message
    cut = Image(
        header=message.header,
        height=message.height,
        width=message.width,
        encoding=encoding,
        step=row_bytes,
    )
    if padded:
        # Assigning a numpy array to data takes a thousand times as long as frombytes.
        cut.data.frombytes(np.ascontiguousarray(_cut_rows(message, encoding)).data.cast("B"))
    else:
        cut.data = message.data
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
