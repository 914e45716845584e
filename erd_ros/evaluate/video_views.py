"""A clip of one person in several calibrated views, with a truth in 3D for each frame."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from erd_ros.errors import InputError
from erd_ros.geometry.camera import Camera

Array = NDArray[np.float64]

LIMBS = tuple(
    f"{side}_{joint}"
    for joint in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
    for side in ("left", "right")
)
_HIPS = slice(6, 8)
_NEEDED = ("truth", "world", "K", "D", "size", "good", "fps")
_WORLD_LIMBS = [11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28]  # of MediaPipe's 33


@dataclass(frozen=True, eq=False)
class Clip:
    """V views of F frames.

    videos   one file for each view
    cameras  of each view; pixels count from the centre of the first
    truth    (V, F, 12, 3) metres, the limbs' joints in each camera
    peer     (V, F, 12, 3) metres, what MediaPipe says of the same frames in 3D, NaN for nothing
    good     (F,) bool, frames whose truth can be relied on
    fps      frames a second
    """

    videos: tuple[Path, ...]
    cameras: tuple[Camera, ...]
    truth: Array
    peer: Array
    good: NDArray[np.bool_]
    fps: float

    def images(self, view: int) -> Iterator[NDArray[np.uint8]]:
        """Frames of one view, RGB. Raises InputError when the video is shorter than the truth."""
        capture = cv2.VideoCapture(str(self.videos[view]))
        try:
            for index in range(self.truth.shape[1]):
                there, image = capture.read()
                if not there:
                    raise InputError(
                        f"{self.videos[view]} ends after {index} frames, its truth has "
                        f"{self.truth.shape[1]}"
                    )
                yield np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)
        finally:
            capture.release()

    def places(self, view: int) -> Array:
        """(F, 12, 2) pixels of the truth."""
        return self.cameras[view].project(self.truth[view])


def relative(joints: Array) -> Array:
    """Joints (..., 12, 3) from the middle of the hips."""
    return np.asarray(joints - joints[..., _HIPS, :].mean(-2, keepdims=True), np.float64)


def read_clip(folder: Path, truth: Path) -> Clip:
    """A clip by its folder of videos and the file of its truth.

    The views are the folder's .mp4 files, by number. Raises InputError when a file is missing,
    an array is, or videos and truth do not fit.
    """
    if not truth.is_file():
        raise InputError(f"the truth {truth} is not there; give the .npz of the clip's truth")
    with np.load(truth) as file:
        if missing := [name for name in _NEEDED if name not in file]:
            raise InputError(f"{truth} has no {', '.join(missing)}, only {', '.join(file)}")
        arrays = {name: file[name] for name in _NEEDED}
    videos = sorted(folder.glob("*.mp4"), key=lambda file: (len(file.stem), file.stem))
    if len(videos) != len(arrays["truth"]):
        raise InputError(
            f"{folder} has {len(videos)} .mp4 files, {truth} is of {len(arrays['truth'])} views"
        )
    return Clip(
        tuple(videos),
        tuple(map(_camera, arrays["K"], arrays["D"], arrays["size"])),
        arrays["truth"].astype(np.float64),
        arrays["world"][:, :, _WORLD_LIMBS].astype(np.float64),
        arrays["good"],
        float(arrays["fps"]),
    )


def _camera(intrinsics: Array, distortion: Array, size: Array) -> Camera:
    """The truth counts pixels from the image's edge, we from the centre of the first."""
    moved = intrinsics.copy()
    moved[:2, 2] -= 0.5
    return Camera(int(size[0]), int(size[1]), moved, tuple(distortion), "plumb_bob")
