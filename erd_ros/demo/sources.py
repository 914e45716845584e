"""What the demo can play: the synthetic sequence, a video file, a camera. (Bags: bag.py.)

A source is opened, and so checked, when it is made; the errors name the value and the way out.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from erd_ros.demo.calibration import camera_from_field_of_view, camera_from_file
from erd_ros.demo.drawing import Image, draw_keypoints
from erd_ros.errors import InputError
from erd_ros.geometry.camera import Camera
from erd_ros.pose import Keypoints2D
from erd_ros.synthetic import SyntheticConfig, synthesise

DEFAULT_FIELD_OF_VIEW_DEG = 60.0
# Files that claim no rate, and cameras that claim none, are played at this one.
_FALLBACK_RATE_HZ = 25.0


@dataclass(frozen=True, eq=False)
class Frame:
    """One image, RGB (H, W, 3) uint8, and its keypoints where the source knows them."""

    image: Image
    keypoints: Keypoints2D | None = None


class Source(Protocol):
    """A camera and its frames.

    rate_hz      at which the frames were, or would be, taken
    description  of the source and its camera, assumptions included
    live         frames come when they come: not paced, not repeated
    """

    camera: Camera
    rate_hz: float
    description: str
    live: bool

    def frames(self) -> Iterator[Frame]:
        """Every frame once, from the start."""
        ...


class SyntheticSource:
    """Two adults that the package makes up; ``rate_hz`` 0 = its own."""

    live = False

    def __init__(self, rate_hz: float = 0.0) -> None:
        config = SyntheticConfig(rate_hz=rate_hz) if rate_hz else SyntheticConfig()
        self._sequence = synthesise(config)
        self.camera = self._sequence.camera
        self.rate_hz = config.rate_hz
        self.description = "synthetic sequence of two adults"

    def frames(self) -> Iterator[Frame]:
        """One period, with a drawing of the keypoints as image."""
        size = self.camera.width, self.camera.height
        for index in range(len(self._sequence)):
            keypoints = self._sequence.keypoints(index)
            yield Frame(draw_keypoints(size, keypoints), keypoints)


class CaptureSource:
    """A video file (path) or camera (number) by OpenCV. Raises InputError when there is no image.

    calibration  YAML file of the camera; None = a pinhole of ``field_of_view_deg``
    rate_hz      0 = that of the file or camera
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
        ok, first = self._capture.read()
        if not ok:
            raise InputError(
                f"{_name(video)} has no image that OpenCV can decode; "
                + ("is it in use by another program?" if self.live else "is it a video?")
            )
        height, width = first.shape[:2]
        self.camera = _camera(width, height, calibration, field_of_view_deg)
        reported = self._capture.get(cv2.CAP_PROP_FPS)
        known = math.isfinite(reported) and 1 <= reported <= 240
        self.rate_hz = rate_hz or (reported if known else _FALLBACK_RATE_HZ)
        assumed = (
            f"camera of {calibration}"
            if calibration
            else f"assumed horizontal field of view {field_of_view_deg:g} degrees, no distortion: "
            "distances scale with it"
        )
        self.description = f"{_name(video)}, {width}x{height}, {assumed}"

    def close(self) -> None:
        """Give the file or camera back; ``frames`` must not be called after it."""
        self._capture.release()

    def frames(self) -> Iterator[Frame]:
        """Every image, until the file ends or the camera fails."""
        if not self.live:
            self._capture.release()
            self._capture = _open(self._video)
        while True:
            ok, bgr = self._capture.read()
            if not ok:
                return
            yield Frame(np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8))


def _name(video: str | int) -> str:
    return f"camera {video}" if isinstance(video, int) else f"video '{video}'"


def _open(video: str | int) -> cv2.VideoCapture:
    if isinstance(video, str):
        check_file(video, "video")
    # OpenCV would print its own lines about what the InputError says.
    level = cv2.setLogLevel(0)
    try:
        capture = cv2.VideoCapture(video)
    finally:
        cv2.setLogLevel(level)
    if not capture.isOpened():
        raise InputError(
            f"there is no {_name(video)} that can be opened; `ls /dev/video*` lists cameras"
            if isinstance(video, int)
            else f"{_name(video)} is not a video that OpenCV can read; convert it, for example "
            "with `ffmpeg -i FILE out.mp4`"
        )
    return capture


def check_file(path: str, what: str) -> None:
    """Raises InputError when there is no file under this name, or nothing in it."""
    if not path:
        raise InputError(f"the name of the {what} is empty; give the path of a file")
    if not Path(path).is_file():
        reason = "is a folder" if Path(path).is_dir() else "does not exist"
        raise InputError(f"{what} '{path}' {reason}; give the path of a file")
    if Path(path).stat().st_size == 0:
        raise InputError(f"{what} '{path}' is empty (0 bytes); was its download cut short?")


def _camera(width: int, height: int, calibration: Path | None, field_of_view_deg: float) -> Camera:
    if calibration is None:
        return camera_from_field_of_view(width, height, field_of_view_deg)
    camera = camera_from_file(calibration)
    if (camera.width, camera.height) != (width, height):
        raise InputError(
            f"the calibration '{calibration}' is for images of {camera.width}x{camera.height}, "
            f"but these are {width}x{height}; calibrate at this size"
        )
    return camera
