"""Where a camera's intrinsics come from when no driver publishes them: a file, or an assumption."""

from pathlib import Path
from typing import Any

import numpy as np

from erd_ros.errors import InputError
from erd_ros.geometry.camera import Camera
from erd_ros.geometry.camera_check import check_plausible
from erd_ros.image_file import check_size
from erd_ros.input_file import MOST_CHARACTERS, yaml_values


def camera_from_file(path: Path) -> Camera:
    """Read a calibration as ROS's camera_calibration writes it (YAML).

    Raises InputError when the file is missing, is no such calibration, or describes a camera that
    cannot be used.
    """
    try:
        camera = _camera(_values(path))
    except OSError as error:
        raise InputError(
            f"camera calibration '{path}' cannot be read ({error.strerror}); give the YAML file "
            "that camera_calibration wrote, or a horizontal field of view (fov, of erd demo --fov)"
        ) from error
    except KeyError as error:
        raise InputError(
            f"camera calibration '{path}' has no {error}; expected image_width, image_height, "
            "camera_matrix, distortion_model and distortion_coefficients as camera_calibration "
            "writes them"
        ) from error
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(
            f"camera calibration '{path}' is not one that camera_calibration wrote "
            f"({' '.join(str(error).split())})"
        ) from error
    check_size(camera.width, camera.height)
    check_plausible(camera)
    return camera


def _values(path: Path) -> Any:
    try:
        return yaml_values(_text(path), "it")
    except InputError as error:
        raise ValueError(str(error)) from error


def _text(path: Path) -> str:
    if path.exists() and not path.is_file():
        raise ValueError("no regular file")
    with path.open(encoding="utf-8") as file:
        return file.read(MOST_CHARACTERS + 1)


def _camera(values: Any) -> Camera:
    return Camera(
        int(values["image_width"]),
        int(values["image_height"]),
        np.array(_numbers(values["camera_matrix"]["data"]), np.float64).reshape(3, 3),
        _numbers(values["distortion_coefficients"]["data"]),
        _name(values["distortion_model"]),
    )


def _name(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"distortion_model is a {type(value).__name__}, expected a name")
    return value[:100]


def _numbers(values: Any) -> tuple[float, ...]:
    """One by one: lists of lists that repeat each other would fill numpy's memory."""
    return tuple(float(value) for value in values)


def camera_from_field_of_view(width: int, height: int, horizontal_deg: float) -> Camera:
    """A pinhole with square pixels whose axis meets the image's centre: an assumption.

    Raises InputError when the angle is not in 5 to 170 degrees. Distances that follow from it are
    wrong by the factor by which its focal length is.
    """
    if not 5 <= horizontal_deg <= 170:
        raise InputError(
            f"horizontal field of view is {horizontal_deg:g} degrees, expected 5 to 170"
        )
    focal_px = width / (2 * np.tan(np.radians(horizontal_deg) / 2))
    centre = (width - 1) / 2, (height - 1) / 2
    return Camera(
        width,
        height,
        np.array([[focal_px, 0, centre[0]], [0, focal_px, centre[1]], [0, 0, 1]]),
    )
