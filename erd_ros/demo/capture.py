"""Video files, photos and cameras as sources of the demo.

A source is opened, and so checked, when it is made; the errors name the value and the way out.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from erd_ros.demo.calibration import camera_from_field_of_view, camera_from_file
from erd_ros.demo.sources import Frame
from erd_ros.errors import InputError
from erd_ros.geometry.camera import Camera
from erd_ros.image_file import Size, check_size, is_image_file, rgb_from_file
from erd_ros.input_file import check_file

DEFAULT_FIELD_OF_VIEW_DEG = 60.0
# Files that claim no rate, and cameras that claim none, are played at this one.
_FALLBACK_RATE_HZ = 25.0
# A photo is shown for this long.
_PHOTO_S, _PHOTO_RATE_HZ = 5.0, 10.0
# Videos that begin as a JPEG file does.
_MOTION_JPEG = (".mjpg", ".mjpeg")
# Where the times of two frames are farther apart, they are taken for damaged.
_LONGEST_GAP_S = 60.0
# How many times wider than high a pixel may be, and the other way round.
_MOST_UNEQUAL = 2.5
# Degrees clockwise that a file wants to be turned when it is shown.
_TURNS = {90: cv2.ROTATE_90_CLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_COUNTERCLOCKWISE}


class PhotoSource:
    """A JPEG or PNG file, turned as its EXIF data says, for five seconds. Raises InputError."""

    live = False

    def __init__(
        self,
        path: str,
        calibration: Path | None = None,
        field_of_view_deg: float = DEFAULT_FIELD_OF_VIEW_DEG,
        rate_hz: float = 0.0,
    ) -> None:
        with _named(f"photo '{path}'"):
            self._image = rgb_from_file(Path(path).read_bytes(), turned=True)
        height, width = self._image.shape[:2]
        self.camera = _camera((width, height), calibration, field_of_view_deg)
        self.rate_hz = rate_hz or _PHOTO_RATE_HZ
        assumed = _about_camera(calibration, field_of_view_deg)
        self.description = f"photo '{path}', {width}x{height}, for {_PHOTO_S:g} s, {assumed}"

    def close(self) -> None:
        """Nothing to give back."""

    def frames(self) -> Iterator[Frame]:
        """The photo again and again."""
        for index in range(max(2, round(_PHOTO_S * self.rate_hz))):
            yield Frame(index / self.rate_hz, self._image)


class CaptureSource:
    """A video file (path) or camera (number) by OpenCV. Raises InputError when there is no image.

    Frames are turned as the file says they are shown, and have the times of the file.

    calibration  YAML file of the camera, of the frames as they are shown; None = a pinhole of
                 ``field_of_view_deg``
    rate_hz      0 = the times of the file, or the rate of the camera
    """

    def __init__(
        self,
        video: str | int,
        calibration: Path | None = None,
        field_of_view_deg: float = DEFAULT_FIELD_OF_VIEW_DEG,
        rate_hz: float = 0.0,
    ) -> None:
        self.live = isinstance(video, int)
        self._video = video
        self._capture = _open(video)
        self._turn = _TURNS.get(round(self._capture.get(cv2.CAP_PROP_ORIENTATION_META)) % 360)
        first = self._read()
        if first is None:
            raise InputError(
                f"{_name(video)} has no image that OpenCV can decode; "
                + ("is it in use by another program?" if self.live else "is it a video?")
            )
        size = (first.shape[1], first.shape[0])
        aspect = self._pixel_aspect()
        self.camera = _camera(size, calibration, field_of_view_deg, aspect)
        self._own_times = not (self.live or rate_hz)
        reported = self._capture.get(cv2.CAP_PROP_FPS)
        known = math.isfinite(reported) and 1 <= reported <= 240
        self.rate_hz = rate_hz or (reported if known else _FALLBACK_RATE_HZ)
        self.description = ", ".join(
            (
                f"{_name(video)}, {size[0]}x{size[1]}",
                *([] if self._turn is None else ["turned as the file says"]),
                *([] if aspect == 1 else [f"pixels {aspect:.3g} times as wide as high"]),
                *([] if known or not self._own_times else [_assumed_rate(reported)]),
                _about_camera(calibration, field_of_view_deg),
            )
        )

    def close(self) -> None:
        """Give the file or camera back; ``frames`` must not be called after it."""
        self._capture.release()

    def frames(self) -> Iterator[Frame]:
        """Every image, until the file ends or the camera fails."""
        if not self.live:
            self._capture.release()
            self._capture = _open(self._video)
        times = _Times(1 / self.rate_hz)
        while (bgr := self._read()) is not None:
            position_s = 1e-3 * self._capture.get(cv2.CAP_PROP_POS_MSEC)
            time_s = times.next(position_s if self._own_times else math.nan)
            yield Frame(time_s, np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8))

    def _read(self) -> cv2.typing.MatLike | None:
        ok, bgr = self._capture.read()
        if not ok:
            return None
        return bgr if self._turn is None else cv2.rotate(bgr, self._turn)

    def _pixel_aspect(self) -> float:
        """Width of a pixel by its height, in the frames as they are shown."""
        across, down = (
            self._capture.get(number) for number in (cv2.CAP_PROP_SAR_NUM, cv2.CAP_PROP_SAR_DEN)
        )
        if not (across > 0 and down > 0):  # unknown
            return 1.0
        aspect = across / down
        if not 1 / _MOST_UNEQUAL <= aspect <= _MOST_UNEQUAL:
            raise InputError(
                f"{_name(self._video)} has pixels {aspect:.3g} times as wide as high, expected "
                f"{1 / _MOST_UNEQUAL:g} to {_MOST_UNEQUAL:g}; if they are square, "
                "`ffmpeg -i FILE -vf setsar=1 out.mp4` says so in a new file"
            )
        lies = self._turn in (cv2.ROTATE_90_CLOCKWISE, cv2.ROTATE_90_COUNTERCLOCKWISE)
        return 1 / aspect if lies else aspect


class _Times:
    """Seconds after the first frame; one step on where a file's time cannot be used."""

    def __init__(self, step_s: float) -> None:
        self._step_s, self._last_s, self._shift_s = step_s, -step_s, math.nan

    def next(self, position_s: float) -> float:
        """The time of the next frame; ``position_s`` as the file has it, NaN = unknown."""
        time_s = position_s + self._shift_s
        if not self._last_s < time_s <= self._last_s + _LONGEST_GAP_S:
            time_s = self._last_s + self._step_s
            self._shift_s = time_s - position_s
        self._last_s = time_s
        return time_s


def capture(
    video: str | int,
    calibration: Path | None = None,
    field_of_view_deg: float = DEFAULT_FIELD_OF_VIEW_DEG,
    rate_hz: float = 0.0,
) -> PhotoSource | CaptureSource:
    """A video file or photo (path), or a camera (number). Raises InputError as they do."""
    if isinstance(video, str) and _is_photo(video):
        return PhotoSource(video, calibration, field_of_view_deg, rate_hz)
    return CaptureSource(video, calibration, field_of_view_deg, rate_hz)


def _is_photo(path: str) -> bool:
    first = check_file(path, "video")
    return is_image_file(first) and Path(path).suffix.lower() not in _MOTION_JPEG


def _assumed_rate(reported: float) -> str:
    return (
        f"its rate of {reported:g} Hz cannot be: {_FALLBACK_RATE_HZ:g} Hz are assumed where a "
        "frame has no time"
    )


def _about_camera(calibration: Path | None, field_of_view_deg: float) -> str:
    if calibration:
        return f"camera of {calibration}"
    return (
        f"assumed horizontal field of view {field_of_view_deg:g} degrees, no distortion: "
        "distances scale with it"
    )


def _name(video: str | int) -> str:
    return f"camera {video}" if isinstance(video, int) else f"video '{video}'"


def _open(video: str | int) -> cv2.VideoCapture:
    if isinstance(video, str):
        check_file(video, "video")
    # OpenCV would print its own lines about what the InputError says.
    level = cv2.setLogLevel(0)
    try:
        opened = cv2.VideoCapture(video)
    finally:
        cv2.setLogLevel(level)
    if not opened.isOpened():
        raise InputError(
            f"there is no {_name(video)} that can be opened; `ls /dev/video*` lists cameras"
            if isinstance(video, int)
            else f"{_name(video)} is not a video that OpenCV can read; convert it, for example "
            "with `ffmpeg -i FILE out.mp4`"
        )
    # Versions of OpenCV differ in whether they turn frames; here it is always done outside.
    opened.set(cv2.CAP_PROP_ORIENTATION_AUTO, 0)
    width, height = opened.get(cv2.CAP_PROP_FRAME_WIDTH), opened.get(cv2.CAP_PROP_FRAME_HEIGHT)
    with _named(_name(video)):
        check_size(round(width), round(height))
    return opened


@contextmanager
def _named(what: str) -> Iterator[None]:
    try:
        yield
    except InputError as error:
        raise InputError(f"{what} cannot be played: {error}") from error


def _camera(
    size: Size, calibration: Path | None, field_of_view_deg: float, pixel_aspect: float = 1.0
) -> Camera:
    if calibration is None:
        assumed = camera_from_field_of_view(*size, field_of_view_deg)
        intrinsics = assumed.intrinsics.copy()
        intrinsics[1, 1] *= pixel_aspect
        return replace(assumed, intrinsics=intrinsics)
    camera = camera_from_file(calibration)
    if (camera.width, camera.height) != size:
        raise InputError(
            f"the calibration '{calibration}' is for images of {camera.width}x{camera.height}, "
            f"but these are {size[0]}x{size[1]}; calibrate at this size"
        )
    return camera
