"""From an image to the 2D keypoints of the persons in it."""

from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from erd_ros.errors import InputError
from erd_ros.pose import Keypoints2D
from erd_ros.skeleton import Skeleton


class Detector(Protocol):
    """A 2D pose detector, loaded and ready. Made by ``make_detector``.

    A detector may follow persons from one image to the next: use one for each camera.

    skeleton  layout of the keypoints that come out
    """

    skeleton: Skeleton

    def __call__(self, image_rgb: NDArray[np.uint8], stamp_s: float | None = None) -> Keypoints2D:
        """Keypoints of N persons, 0 for nobody, in an image (H, W, 3) uint8, red first.

        stamp_s  when it was taken, seconds; without, images are taken to be 1/30 s apart
        Raises InputError for an array of another shape or type.
        """
        ...

    def close(self) -> None:
        """Free what the detector holds; it cannot be called afterwards."""
        ...


def make_detector(name: str) -> Detector:
    """A detector with its default configuration.

    Raises InputError that lists the choices for an unknown name, BackendError when what it runs on
    is not installed.
    """
    if name not in DETECTORS:
        raise InputError(f"unknown detector '{name}'; choose one of {', '.join(DETECTORS)}")
    return DETECTORS[name]()


def check_image(image_rgb: NDArray[np.uint8]) -> None:
    """Raise InputError unless the image is (H, W, 3) uint8 with at least one pixel."""
    shape, kind = np.shape(image_rgb), getattr(image_rgb, "dtype", type(image_rgb).__name__)
    if len(shape) != 3 or shape[2] != 3 or 0 in shape or kind != np.uint8:
        raise InputError(
            f"image has shape {shape} and type {kind}, expected (H, W, 3) uint8, red first; "
            "convert it before"
        )


def _mediapipe() -> Detector:
    from erd_ros.runtime.detectors.mediapipe_detector import MediapipeDetector

    return MediapipeDetector()


def _multipose() -> Detector:
    from erd_ros.runtime.detectors.multipose import MultiPoseDetector

    return MultiPoseDetector()


def _people() -> Detector:
    from erd_ros.runtime.detectors.people_detector import PeopleDetector

    return PeopleDetector()


DETECTORS: dict[str, Callable[[], Detector]] = {
    "mediapipe": _mediapipe,
    "people": _people,
    "multipose": _multipose,
}
