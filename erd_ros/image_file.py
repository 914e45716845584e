"""JPEG and PNG files in memory: their size from the header first, then their pixels.

A file of a few hundred bytes may claim any size, and a decoder would fill memory with it. Size and
structure are checked before a decoder sees the file, and no other format is decoded.
"""

import struct

import cv2
import numpy as np
from numpy.typing import NDArray

from erd_ros.errors import InputError

Size = tuple[int, int]
# 8K video has 7680 x 4320, which is just below.
LARGEST_IMAGE_PX = 2**25
LARGEST_SIDE_PX = 2**14
_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8"
# PNG writers cut their data into pieces of 8 kB or more.
_MOST_CHUNKS = 2**16
# A progressive JPEG has some ten scans. Each is a pass over the whole image, however short it is.
_MOST_SCANS = 100
# Of JPEG's markers: start of frame, those without a length, and those that end the header.
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_BARE = frozenset((0x01, *range(0xD0, 0xD8)))
_END_OF_HEADER = (0xD8, 0xD9, 0xDA)


def check_size(width: int, height: int) -> None:
    """Raise InputError for an image without pixels, or of more than LARGEST_IMAGE_PX of them."""
    if width <= 0 or height <= 0:
        raise InputError(f"the image is {width}x{height}: it has no pixels")
    if width * height > LARGEST_IMAGE_PX or max(width, height) > LARGEST_SIDE_PX:
        raise InputError(
            f"the image is {width}x{height}, more than the {LARGEST_IMAGE_PX / 1e6:.1f} million "
            f"pixels or {LARGEST_SIDE_PX} a side that are read; make it smaller where it comes from"
        )


def is_image_file(first: bytes) -> bool:
    """Whether a file that begins so is JPEG or PNG."""
    return first.startswith((_PNG, _JPEG))


def image_size(data: bytes | memoryview) -> Size:
    """(width, height) of a JPEG or PNG file as its header says, without decoding it.

    Raises InputError for any other format, a damaged file, and a size that ``check_size`` refuses.
    """
    content = bytes(data)
    try:
        size = _size(content)
    except (struct.error, IndexError) as error:
        raise _undecodable(content, "it is cut short") from error
    check_size(*size)
    return size


def _size(content: bytes) -> Size:
    if content.startswith(_PNG):
        return _png_size(content)
    if content.startswith(_JPEG):
        return _jpeg_size(content)
    raise _undecodable(content, "it is neither JPEG nor PNG")


def _png_size(content: bytes) -> Size:
    """After https://www.w3.org/TR/png-3/#5Chunk-layout."""
    width, height = struct.unpack_from(">II", content, 16)
    if content[12:16] != b"IHDR":
        raise _undecodable(content, "its PNG header is damaged")
    at = len(_PNG)
    for _ in range(_MOST_CHUNKS):
        length, kind = struct.unpack_from(">I4s", content, at)
        at += 12 + length
        if at > len(content):
            raise _undecodable(content, f"a PNG chunk of {length} bytes is longer than it")
        if kind == b"IEND":
            return width, height
    raise _undecodable(content, f"it has more than {_MOST_CHUNKS} PNG chunks")


def _jpeg_size(content: bytes) -> Size:
    """After ITU-T T.81, B.1.1 and B.2.2."""
    if content.count(b"\xff\xda") > _MOST_SCANS:
        raise _undecodable(content, f"it has more than {_MOST_SCANS} JPEG scans")
    at = len(_JPEG)
    while content[at] == 0xFF:
        kind = content[at + 1]
        if kind == 0xFF:  # padding
            at += 1
        elif kind in _BARE:
            at += 2
        elif kind in _END_OF_HEADER:
            break
        elif kind in _FRAMES:
            height, width = struct.unpack_from(">HH", content, at + 5)
            return width, height
        else:
            at += 2 + max(2, *struct.unpack_from(">H", content, at + 2))
    raise _undecodable(content, "its JPEG header is damaged")


def rgb_from_file(data: bytes | memoryview, turned: bool = False) -> NDArray[np.uint8]:
    """Pixels (height, width, 3) uint8 RGB of a JPEG or PNG file.

    turned  as its EXIF orientation says, as photos are shown. Intrinsics belong to the pixels as
            they lie in the file, and so do keypoints found in them.
    Raises InputError as ``image_size`` does.
    """
    image_size(data)
    flags = cv2.IMREAD_COLOR if turned else cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    try:
        bgr = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except (cv2.error, MemoryError) as error:
        raise _undecodable(bytes(data), "its content is damaged") from error
    if bgr is None:
        raise _undecodable(bytes(data), "its content is damaged")
    return np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)


def _undecodable(content: bytes, reason: str) -> InputError:
    return InputError(f"an image file of {len(content)} bytes cannot be decoded: {reason}")
