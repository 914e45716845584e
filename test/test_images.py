"""Image messages to RGB arrays: values, padding, bad messages."""

import cv2
import numpy as np
import pytest
from sensor_msgs.msg import Image

from erd_ros.errors import InputError
from erd_ros.ros import images
from erd_ros.ros.images import ALIASES, ENCODINGS, rgb_from_image, size_of_image

HEIGHT, WIDTH = 6, 10

# How OpenCV makes RGB of what it calls each encoding: an independent path to the same picture.
# A Bayer pattern is named by its first two pixels in ROS and by its second row in OpenCV.
TO_RGB = {
    "bgr8": cv2.COLOR_BGR2RGB,
    "rgba8": cv2.COLOR_RGBA2RGB,
    "bgra8": cv2.COLOR_BGRA2RGB,
    "mono8": cv2.COLOR_GRAY2RGB,
    "bayer_rggb8": cv2.COLOR_BayerBG2RGB,
    "bayer_bggr8": cv2.COLOR_BayerRG2RGB,
    "bayer_gbrg8": cv2.COLOR_BayerGR2RGB,
    "bayer_grbg8": cv2.COLOR_BayerGB2RGB,
    "yuv422": cv2.COLOR_YUV2RGB_UYVY,
    "yuv422_yuy2": cv2.COLOR_YUV2RGB_YUYV,
}


def pixels(encoding: str, height: int = HEIGHT) -> np.ndarray:
    channels = ENCODINGS[encoding]
    shape = (height, WIDTH) if channels == 1 else (height, WIDTH, channels)
    return np.random.default_rng(7).integers(0, 256, shape, np.uint8)


def message_of(array: np.ndarray, encoding: str, padding: int = 0) -> Image:
    rows = array.reshape(len(array), -1)
    padded = np.pad(rows, ((0, 0), (0, padding)), constant_values=99)
    message = Image(
        height=len(array), width=array.shape[1], encoding=encoding, step=padded.shape[1]
    )
    message.data.frombytes(padded.tobytes())
    return message


@pytest.mark.parametrize("padding", [0, 7])
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_every_encoding_gives_the_picture_that_opencv_gives(encoding, padding):
    array = pixels(encoding)
    expected = array if encoding == "rgb8" else cv2.cvtColor(array, TO_RGB[encoding])
    rgb = rgb_from_image(message_of(array, encoding, padding))
    assert rgb.dtype == np.uint8
    assert rgb.flags.c_contiguous
    np.testing.assert_array_equal(rgb, expected)


@pytest.mark.parametrize(
    ("encoding", "first_row"), [("bayer_rggb8", [200, 100]), ("bayer_grbg8", [100, 200])]
)
def test_bayer_patterns_are_named_as_ros_names_them(encoding, first_row):
    """A red surface seen through the filter: 200 where the filter is red, else little."""
    second_row = [100, 50] if encoding == "bayer_rggb8" else [50, 100]
    mosaic = np.tile(np.array([first_row, second_row], np.uint8), (4, 4))
    red, green, blue = rgb_from_image(message_of(mosaic, encoding))[4, 4]
    assert (red, green, blue) == (200, 100, 50)


@pytest.mark.parametrize("encoding", ["16UC1", "32FC1", "jpeg", ""])
def test_unknown_encoding_names_it_and_the_choices(encoding):
    message = Image(height=2, width=2, encoding=encoding, step=2)
    with pytest.raises(InputError, match=f"'{encoding}'.*rgb8, bgr8.*mono8"):
        rgb_from_image(message)


def test_truncated_data_names_both_sizes():
    message = message_of(pixels("rgb8"), "rgb8")
    message.data = message.data[:-5]
    with pytest.raises(InputError, match=r"175 bytes.*6 rows of 30 bytes take 180"):
        rgb_from_image(message)


def test_step_shorter_than_a_row_is_refused():
    message = message_of(pixels("rgb8"), "rgb8")
    message.step = 10
    with pytest.raises(InputError, match=r"step is 10 bytes, but 10 pixels in rgb8.*30"):
        rgb_from_image(message)


def test_image_without_pixels_is_refused():
    with pytest.raises(InputError, match="0x0"):
        rgb_from_image(Image(encoding="rgb8"))


def test_without_a_converter_the_way_out_is_named(monkeypatch):
    def missing():
        raise ImportError("not installed")

    monkeypatch.setattr(images, "CONVERTERS", {"cv_bridge": missing, "rosbags-image": missing})
    images.converter.cache_clear()
    try:
        with pytest.raises(InputError, match=r"cv_bridge, rosbags-image.*input: keypoints"):
            rgb_from_image(message_of(pixels("bgr8"), "bgr8"))
    finally:
        images.converter.cache_clear()


def test_nv12_with_padded_rows():
    image_rgb = cv2.resize(np.random.default_rng(1).integers(0, 255, (4, 4, 3), np.uint8), (32, 24))
    i420 = cv2.cvtColor(image_rgb, cv2.COLOR_RGB2YUV_I420).ravel()
    brightness, blue, red = i420[:768], i420[768:960], i420[960:]
    planes = np.concatenate([brightness, np.stack([blue, red], -1).ravel()]).reshape(36, 32)
    message = Image(width=32, height=24, encoding="nv12", step=40)
    message.data.frombytes(np.pad(planes, ((0, 0), (0, 8))).tobytes())
    expected = cv2.cvtColor(i420.reshape(36, 32), cv2.COLOR_YUV2RGB_I420)
    np.testing.assert_array_equal(rgb_from_image(message), expected)
    message.data = message.data[:-1]
    with pytest.raises(InputError, match="1439 bytes, but 36 rows of 40 bytes take 1440"):
        rgb_from_image(message)


@pytest.mark.parametrize("padding", [0, 6])
@pytest.mark.parametrize("alias", ALIASES)
def test_new_names_give_the_picture_of_the_old_names(alias, padding):
    array = pixels(ALIASES[alias])
    expected = cv2.cvtColor(array, TO_RGB[ALIASES[alias]])
    message = message_of(array, alias, padding)
    np.testing.assert_array_equal(rgb_from_image(message), expected)
    assert message.encoding == alias


def test_nv21_is_nv12_with_red_and_blue_in_turn():
    planes = np.random.default_rng(3).integers(0, 255, (36, 32), np.uint8)
    message = Image(width=32, height=24, encoding="nv21", step=32)
    message.data.frombytes(planes.tobytes())
    expected = cv2.cvtColor(planes, cv2.COLOR_YUV2RGB_NV21)
    np.testing.assert_array_equal(rgb_from_image(message), expected)


@pytest.mark.parametrize(("order", "bigendian"), [("<u2", 0), (">u2", 1)])
def test_sixteen_bits_of_grey_are_scaled_to_eight(order, bigendian):
    values = np.array([[0, 128, 129, 32768], [65535, 65407, 257, 514]], np.uint16)
    message = message_of(
        np.frombuffer(values.astype(order).tobytes(), np.uint8).reshape(2, 8), "mono16", 4
    )
    message.width, message.is_bigendian = 4, bigendian
    scaled = np.round(values * (255 / 65535)).astype(np.uint8)
    np.testing.assert_array_equal(rgb_from_image(message), np.repeat(scaled[..., None], 3, -1))


@pytest.mark.parametrize("width", [1, 2, 3, 5])
@pytest.mark.parametrize("height", [1, 2, 3, 4])
@pytest.mark.parametrize("encoding", [*ENCODINGS, *ALIASES])
def test_small_and_odd_images_are_read_or_refused_in_a_line(encoding, height, width):
    channels = ENCODINGS[ALIASES.get(encoding, encoding)]
    message = message_of(np.zeros((height, width * channels), np.uint8), encoding)
    message.width = width
    odd = encoding in ("yuv422", "yuv422_yuy2", "yuyv", "uyvy") and width % 2
    tiny = encoding.startswith("bayer") and min(width, height) < 3
    if odd or tiny:
        with pytest.raises(InputError, match=rf"{encoding} image is {width}"):
            rgb_from_image(message)
    else:
        assert rgb_from_image(message).shape == (height, width, 3)


def test_raw_images_larger_than_the_limit_are_refused_unread():
    message = Image(width=65000, height=16000, encoding="mono8", step=65000)
    with pytest.raises(InputError, match=r"65000x16000, more than the 33.6 million pixels"):
        size_of_image(message)
