"""JPEG and PNG in memory: what is refused before it is decoded, and how soon."""

import contextlib
import time

import cv2
import numpy as np
import pytest
from odd_images import (
    IMAGE,
    JPEG,
    PNG,
    black_png,
    jpeg_that_claims,
    png_with_chunk_length,
    with_orientation,
)

from erd_ros.errors import InputError
from erd_ros.image_file import image_size, rgb_from_file


@pytest.mark.parametrize("name", [".png", ".jpg", ".bmp"])
def test_the_size_is_that_of_the_pixels(name):
    data = cv2.imencode(name, IMAGE)[1].tobytes()
    if name == ".bmp":
        with pytest.raises(InputError, match="neither JPEG nor PNG"):
            image_size(data)
        return
    assert image_size(data) == (80, 60)
    expected = cv2.cvtColor(cv2.imdecode(np.frombuffer(data, np.uint8), 1), cv2.COLOR_BGR2RGB)
    np.testing.assert_array_equal(rgb_from_file(data), expected)


def test_progressive_jpeg_has_a_size():
    options = [cv2.IMWRITE_JPEG_PROGRESSIVE, 1]
    assert image_size(cv2.imencode(".jpg", IMAGE, options)[1].tobytes()) == (80, 60)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (jpeg_that_claims(65000, 16000), "65000x16000, more than the 33.6 million"),
        (black_png(10000, 10000), "10000x10000, more than"),
        (jpeg_that_claims(16385, 1), "16384 a side"),
        (jpeg_that_claims(0, 60), "no pixels"),
        (png_with_chunk_length(2**31 - 1), "a PNG chunk of 2147483647 bytes"),
        (png_with_chunk_length(0), "PNG|damaged|cut short"),
        (PNG[:100], "PNG chunk"),
        (JPEG[:4], "cut short"),
        (JPEG[: JPEG.index(b"\xff\xc0")], "cut short"),
        (JPEG.replace(b"\xff\xda", b"\xff\xda" * 101), "more than 100 JPEG scans"),
        (b"", "neither JPEG nor PNG"),
        (b"GIF89a" + bytes(99), "of 105 bytes.*neither JPEG nor PNG"),
    ],
)
def test_what_must_not_be_decoded_is_refused_at_once(data, said):
    begin_s = time.monotonic()
    with pytest.raises(InputError, match=said):
        rgb_from_file(data)
    assert time.monotonic() - begin_s < 0.5


def test_files_changed_in_a_byte_are_decoded_or_refused():
    generator = np.random.default_rng(5)
    for data in (PNG, JPEG):
        for at in generator.integers(0, len(data), 300):
            changed = bytearray(data)
            changed[at] ^= 1 << generator.integers(8)
            begin_s = time.monotonic()
            with contextlib.suppress(InputError):
                assert rgb_from_file(bytes(changed)).ndim == 3
            assert time.monotonic() - begin_s < 1


def test_exif_turns_a_photo_that_is_shown_and_no_image_of_a_camera():
    data = with_orientation(JPEG, 3)
    lying = rgb_from_file(JPEG)
    np.testing.assert_array_equal(rgb_from_file(data), lying)
    np.testing.assert_array_equal(rgb_from_file(data, turned=True), lying[::-1, ::-1])
