"""Image files that are not what they say."""

import struct
import zlib

import cv2
import numpy as np

IMAGE = cv2.resize(np.random.default_rng(0).integers(0, 255, (6, 8, 3), np.uint8), (80, 60))
PNG = cv2.imencode(".png", IMAGE)[1].tobytes()
JPEG = cv2.imencode(".jpg", IMAGE)[1].tobytes()


def chunk(kind: bytes, content: bytes) -> bytes:
    return (
        struct.pack(">I", len(content))
        + kind
        + content
        + struct.pack(">I", zlib.crc32(kind + content))
    )


def black_png(width: int, height: int) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = zlib.compress(bytes((3 * width + 1) * height))
    chunks = (chunk(b"IHDR", header), chunk(b"IDAT", rows), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def jpeg_that_claims(width: int, height: int) -> bytes:
    at = JPEG.index(b"\xff\xc0") + 5
    return JPEG[:at] + struct.pack(">HH", height, width) + JPEG[at + 4 :]


def png_with_chunk_length(length: int) -> bytes:
    at = PNG.index(b"IDAT") - 4
    return PNG[:at] + struct.pack(">I", length) + PNG[at + 4 :]


def with_orientation(jpeg: bytes, orientation: int) -> bytes:
    """The same file with an EXIF segment of one entry (tag 0x0112)."""
    tiff = b"II*\0\x08\0\0\0" + struct.pack("<HHHIHHI", 1, 0x0112, 3, 1, orientation, 0, 0)
    segment = b"Exif\0\0" + tiff
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(segment) + 2) + segment + jpeg[2:]
