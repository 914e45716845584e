"""Videos and photos as they are shown: turned, with their pixels' shape and their own times."""

import os

import cv2
import numpy as np
import pytest
from mp4_boxes import turned, with_pixel_aspect, with_steps
from odd_images import JPEG, black_png, with_orientation

from erd_ros.demo.capture import CaptureSource, PhotoSource, capture
from erd_ros.errors import InputError
from erd_ros.ros.packets import packets_of_source

WIDTH, HEIGHT, FRAMES, RATE_HZ = 64, 48, 12, 20.0
# One bright corner of four; which one, by how far the frame is turned clockwise.
CORNERS = {0: (0, 0), 90: (0, 1), 180: (1, 1), 270: (1, 0)}


@pytest.fixture(scope="module")
def content(tmp_path_factory):
    """An MP4 file whose left upper corner is bright."""
    path = tmp_path_factory.mktemp("video") / "film.mp4"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), RATE_HZ, (WIDTH, HEIGHT))
    image = np.full((HEIGHT, WIDTH, 3), 20, np.uint8)
    image[: HEIGHT // 2, : WIDTH // 2] = 230
    for _ in range(FRAMES):
        writer.write(image)
    writer.release()
    return path.read_bytes()


@pytest.fixture
def play(tmp_path):
    def source(content: bytes, name: str = "film.mp4", **options):
        path = tmp_path / name
        path.write_bytes(content)
        return capture(str(path), **options)

    return source


def bright_corner(image) -> tuple[int, int]:
    height, width = image.shape[:2]
    corners = image[height // 4 :: height // 2, width // 4 :: width // 2].mean(-1)
    down, across = np.unravel_index(corners.argmax(), (2, 2))
    return int(down), int(across)


@pytest.mark.parametrize("degrees", CORNERS)
def test_a_phones_video_is_turned_as_it_says(play, content, degrees):
    source = play(turned(content, degrees) if degrees else content)
    size = (HEIGHT, WIDTH) if degrees in (90, 270) else (WIDTH, HEIGHT)
    assert (source.camera.width, source.camera.height) == size
    assert ("turned as the file says" in source.description) == bool(degrees)
    images = [frame.image for frame in source.frames()]
    assert len(images) == FRAMES
    for image in images:
        assert image.shape == (size[1], size[0], 3)
        assert bright_corner(image) == CORNERS[degrees]


@pytest.mark.parametrize("degrees", [0, 90])
def test_pixels_that_are_not_square_have_two_focal_lengths(play, content, degrees):
    content = with_pixel_aspect(turned(content, 90) if degrees else content, 4, 3)
    source = play(content, field_of_view_deg=90.0)
    aspect = 3 / 4 if degrees else 4 / 3
    fx, fy = source.camera.intrinsics[0, 0], source.camera.intrinsics[1, 1]
    assert fx == source.camera.width / 2
    assert fy == pytest.approx(aspect * fx)
    assert f"pixels {aspect:.3g} times as wide as high" in source.description


def test_a_pixel_shape_that_cannot_be_is_refused(play, content):
    with pytest.raises(InputError, match=r"pixels 10 times as wide as high, expected 0\.4 to 2"):
        play(with_pixel_aspect(content, 10, 1))


def test_stamps_are_those_of_the_file_where_its_rate_varies(play, content):
    source = play(with_steps(content, [(6, 1), (3, 5), (3, 0.5)]))
    stamps = [packet.stamp_s for packet in packets_of_source(source)]
    steps = np.repeat([0.05, 0.25, 0.025], [6, 3, 3])[:-1]
    np.testing.assert_allclose(np.diff(stamps), steps, atol=1e-6)
    assert stamps[0] == 0
    again = [packet.due_s for packet in packets_of_source(source)]
    assert again == stamps


def test_a_rate_that_is_asked_for_is_kept(play, content):
    source = play(with_steps(content, [(6, 1), (6, 5)]), rate_hz=10.0)
    times = [frame.time_s for frame in source.frames()]
    np.testing.assert_allclose(times, np.arange(FRAMES) / 10, atol=1e-9)


def test_times_that_cannot_be_are_replaced_by_a_step(play, content):
    source = play(with_steps(content, [(5, 1), (1, 100_000), (6, 1)]))
    times = [frame.time_s for frame in source.frames()]
    steps = np.diff(times)
    assert (steps > 0).all()
    assert times[-1] < 60


def test_an_assumed_rate_is_said(play, content):
    source = play(with_steps(content, [(12, 100)]))
    assert source.rate_hz == 25
    assert "25 Hz are assumed where a frame has no time" in source.description
    times = [frame.time_s for frame in source.frames()]
    np.testing.assert_allclose(np.diff(times), 5.0)
    assert "assumed where" not in play(content).description


def test_a_photo_is_shown_for_a_while_turned_as_it_says(play):
    source = play(with_orientation(JPEG, 6), "photo.jpg")
    assert isinstance(source, PhotoSource)
    frames = list(source.frames())
    assert (len(frames), frames[-1].time_s) == (50, 4.9)
    assert (source.camera.width, source.camera.height) == (60, 80)
    assert all(frame.image.shape == (80, 60, 3) for frame in frames)
    assert "for 5 s" in source.description


def test_a_photo_that_cannot_be_read_is_named(play):
    with pytest.raises(InputError, match=r"photo '.*huge.png' cannot be played: .*10000x10000"):
        play(black_png(10000, 10000), "huge.png")
    with pytest.raises(InputError, match=r"photo '.*cut.jpg' cannot be played: .* cut short"):
        play(JPEG[:60], "cut.jpg")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("rtsp://camera/stream", "is a stream; run a driver .* or record a piece"),
        ("http://host/film.mp4", "is a stream"),
        ("/dev/video3", "is a camera; give --camera 3"),
        ("/dev/null", "is no regular file"),
        ("/" + "x" * 300, "cannot be read .File name too long"),
        (os.fsdecode(b"/nowhere/f\xfc\xffr.mp4"), r"f\\udcfc\\udcffr.mp4' is not in UTF-8; rename"),
    ],
    ids=["rtsp", "http", "camera", "device", "long", "latin-1"],
)
def test_what_is_no_file_is_one_line_that_says_what_to_do(name, said):
    for source in (capture, CaptureSource):
        with pytest.raises(InputError, match=said) as error:
            source(name)
        assert "\n" not in str(error.value)
        str(error.value).encode()
