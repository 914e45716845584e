"""Human3.6M's camera calibrations: for virtual cameras, and for the data set's own images."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from erd_ros.errors import InputError
from erd_ros.mocap.clip import Cameras

# Whose cameras of Human3.6M's studio training sees through, and whose validation and tests do: as
# protocol 1 divides the subjects.
TRAINING_CAMERAS = ("S1", "S5", "S6", "S7", "S8")
TEST_CAMERAS = ("S9", "S11")
_DISTORTION = ("k1", "k2", "p1", "p2", "k3")  # as OpenCV orders them


@dataclass(frozen=True, eq=False)
class CameraPoses:
    """C calibrated cameras: point_in_camera = rotation @ point_in_world + translation.

    names                     (C,) subject and camera, "S9/54138969"
    rotation_world_to_camera  (C, 3, 3)
    translation               (C, 3) metres
    focal_length              (C,) mean of fx and fy, pixels of an image about 1000 wide
    """

    names: tuple[str, ...]
    rotation_world_to_camera: NDArray[np.float64]
    translation: NDArray[np.float64]
    focal_length: NDArray[np.float64]


def read_human36m_cameras(folder: Path, subjects: Sequence[str] | None = None) -> CameraPoses:
    """Read ``<folder>/human36m_cameras.json``, all subjects or some. Raises InputError."""
    path = folder / "human36m_cameras.json"
    content = _read_json(path)
    names, rotations, translations, focal_lengths = [], [], [], []
    with _naming(path):
        for subject, views in content["extrinsics"].items():
            for camera, view in views.items():
                if subjects is not None and subject not in subjects:
                    continue
                intrinsics = content["intrinsics"][camera]
                names.append(f"{subject}/{camera}")
                rotations.append(view["R"])
                translations.append(np.asarray(view["t_mm"]) / 1000)  # millimetres in the file
                focal_lengths.append((intrinsics["fx"] + intrinsics["fy"]) / 2)
        cameras = CameraPoses(
            tuple(names),
            np.array(rotations, np.float64).reshape(-1, 3, 3),
            np.array(translations, np.float64).reshape(-1, 3),
            np.array(focal_lengths, np.float64),
        )
        if not (len(cameras.rotation_world_to_camera) == len(cameras.translation) == len(names)):
            raise ValueError("3 x 3 numbers R and 3 numbers t_mm of each camera")
        for numbers in (cameras.rotation_world_to_camera, cameras.translation, focal_lengths):
            if not np.isfinite(numbers).all():
                raise ValueError("finite numbers")
    return cameras


def read_human36m_calibrations(path: Path) -> dict[str, Cameras]:
    """Every subject's cameras with their lenses, ordered by name as in files of keypoints.

    Raises InputError for a file that is missing or lacks a number.
    """
    content = _read_json(path)
    with _naming(path):
        lenses = content["intrinsics"]
        return {
            subject: Cameras(
                tuple(sorted(views)),
                np.array([views[name]["R"] for name in sorted(views)], np.float64),
                np.array([views[name]["t_mm"] for name in sorted(views)], np.float64) / 1000,
                np.array([_intrinsics(lenses[name]) for name in sorted(views)], np.float64),
                np.array([[lenses[name][k] for k in _DISTORTION] for name in sorted(views)]),
            )
            for subject, views in content["extrinsics"].items()
        }


def _intrinsics(lens: Mapping[str, float]) -> list[list[float]]:
    return [[lens["fx"], 0, lens["cx"]], [0, lens["fy"], lens["cy"]], [0, 0, 1]]


def _read_json(path: Path) -> Any:
    if not path.is_file():
        raise InputError(
            f"camera file {path} does not exist; name the folder that holds it with --data or "
            "the environment variable ERD_DATA"
        )
    try:
        return json.loads(path.read_text())
    except (ValueError, RecursionError, OSError) as error:
        raise InputError(f"camera file {path} is no JSON: {error}") from error


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """What a calibration lacks becomes an InputError that names the file."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise InputError(
            f"camera file {path} lacks {error}; expected 'intrinsics' (fx, fy, cx, cy, k1, k2, p1, "
            "p2, k3 of each camera) and 'extrinsics' (R, t_mm of each subject's cameras)"
        ) from error
