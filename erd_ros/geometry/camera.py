"""Pixels to rays and back: a camera's intrinsics and lens distortion, by OpenCV.

Ray means undistorted normalised image coordinates (x / z, y / z) in the camera optical frame.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from erd_ros.errors import InputError
from erd_ros.pose import FloatArray

Array = NDArray[np.float64]

# A ray whose projection misses its pixel by more than this was not found.
_REPROJECTION_TOLERANCE_PX = 1e-3
_ITERATIONS = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 200, 1e-12)
# Angles from the optical axis at which a lens is searched for the end of its model, up to just
# under 90 degrees, where x / z ends.
_FIELD_ANGLES = np.linspace(0, np.radians(89.9), 1800)


@dataclass(frozen=True, eq=False)
class Camera:
    """A calibrated camera, as sensor_msgs/CameraInfo describes it.

    width, height     pixels of the image that the keypoints belong to
    intrinsics        (3, 3) K = [[fx, 0, cx], [0, fy, cy], [0, 0, 1]], pixels
    distortion        coefficients D in the order of CameraInfo
                      trailing zeros more than the model has are cut
    distortion_model  a key of DISTORTION_MODELS; "" and "pinhole" say nothing: the coefficients
                      are read as OpenCV reads them, by their number
    Raises InputError when the camera is not calibrated, a number is not finite, the model is
    unknown or has another number of coefficients.
    """

    width: int
    height: int
    intrinsics: Array
    distortion: tuple[float, ...] = ()
    distortion_model: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "intrinsics", np.array(self.intrinsics, np.float64))
        object.__setattr__(self, "distortion", tuple(float(d) for d in self.distortion))
        if self.width <= 0 or self.height <= 0:
            raise InputError(
                f"the camera's image is {self.width} x {self.height} pixels, expected at least "
                "1 x 1; set width and height in its CameraInfo"
            )
        _check_intrinsics(self.intrinsics)
        known = _without_surplus_zeros(self.distortion_model, self.distortion)
        object.__setattr__(self, "distortion", known)
        _check_distortion(self.distortion_model, self.distortion)

    def rays(self, pixels: FloatArray | Array) -> Array:
        """Pixels (..., 2) to rays (..., 2); NaN where the pixel is NaN or the lens cannot see it.

        The distortion has no closed inverse. Where OpenCV's iteration does not end at a ray that
        projects back to the pixel, far outside the image for most lenses, the ray is NaN.
        """
        pixels = _checked(pixels, 2, "pixels")

        def undistort(points: Array) -> Array:
            rays = self._lens.undistort(points, self.intrinsics, self._coefficients)
            with np.errstate(over="ignore"):  # of intrinsics that nobody has
                misses = np.linalg.norm(self._project_rays(rays) - points, axis=-1)
            # Written so that a miss of NaN is a miss.
            return np.where((misses <= _REPROJECTION_TOLERANCE_PX)[:, None], rays, np.nan)

        return _where_finite(undistort, pixels)

    def project(self, points_in_camera: FloatArray | Array) -> Array:
        """Points (..., 3) in the camera optical frame, metres, to pixels (..., 2).

        NaN for NaN, for points at or behind the camera (z <= 0), and for points so far off the
        axis that the lens model folds them back into the image.
        """
        points = _checked(points_in_camera, 3, "points_in_camera")
        depth = np.where(points[..., 2:] > 0, points[..., 2:], np.nan)
        return _where_finite(self._project_rays, points[..., :2] / depth)

    def _project_rays(self, rays: Array) -> Array:
        inside = np.linalg.norm(rays, axis=-1) <= self._largest_radius
        # Not only masked afterwards: OpenCV may raise on numbers that are not finite.
        safe = np.where(inside[:, None], rays, 0)
        pixels = self._lens.distort(safe, self.intrinsics, self._coefficients)
        return np.where(inside[:, None], pixels, np.nan)

    @property
    def _lens(self) -> "_Lens":
        return DISTORTION_MODELS[self.distortion_model]

    @property
    def _coefficients(self) -> Array:
        return np.array(self.distortion or (0.0, 0.0, 0.0, 0.0))

    @cached_property
    def _largest_radius(self) -> float:
        """|ray| up to which the radial distortion grows; beyond it two rays share a pixel."""
        radial = self._coefficients.copy()
        if self._lens.tangential:
            radial[2:4] = 0  # p1, p2
            radial[8:] = 0  # thin prism, tilt
        radii = np.tan(_FIELD_ANGLES)
        rays = np.stack([radii, np.zeros_like(radii)], axis=-1)
        distorted = self._lens.distort(rays, np.eye(3), radial)[:, 0]
        # Written so that NaN ends the growth too.
        stops = np.flatnonzero(~(np.diff(distorted) > 0))
        return float(radii[stops[0]] if len(stops) else radii[-1])


def _checked(array: FloatArray | Array, size: int, what: str) -> Array:
    array = np.asarray(array, np.float64)
    if array.ndim == 0 or array.shape[-1] != size:
        raise InputError(f"{what} has shape {array.shape}, expected (..., {size})")
    return array


def _where_finite(function: Callable[[Array], Array], array: Array) -> Array:
    """``function`` (n, 2) -> (n, 2) over the finite rows of ``array``; NaN elsewhere."""
    finite = np.isfinite(array).all(-1)
    result = np.full(array.shape, np.nan)
    if finite.any():  # OpenCV refuses empty arrays
        result[finite] = function(array[finite])
    return result


def _check_intrinsics(intrinsics: Array) -> None:
    if intrinsics.shape != (3, 3) or not np.isfinite(intrinsics).all():
        raise InputError(
            f"intrinsics K = {intrinsics.tolist()}, expected 3 x 3 finite numbers; "
            "calibrate the camera with camera_calibration"
        )
    fx, fy = intrinsics[0, 0], intrinsics[1, 1]
    if fx <= 0 or fy <= 0:
        raise InputError(
            f"the camera is not calibrated: its focal lengths are {fx:g} and {fy:g} pixels, "
            "expected more than 0; run camera_calibration and load its result into the driver"
        )
    others = intrinsics.copy()
    others[0, 0] = others[1, 1] = others[0, 2] = others[1, 2] = 0
    if (others != np.diag([0.0, 0.0, 1.0])).any():
        raise InputError(
            f"intrinsics K = {intrinsics.tolist()}, expected [[fx, 0, cx], [0, fy, cy], [0, 0, 1]];"
            " a skewed or transposed K is not read"
        )


def _without_surplus_zeros(model: str, coefficients: tuple[float, ...]) -> tuple[float, ...]:
    """The coefficients cut to a number that the model has, where only zeros are lost by it."""
    lens = DISTORTION_MODELS.get(model)
    if lens is None or len(coefficients) in lens.coefficients:
        return coefficients
    for number in sorted(lens.coefficients, reverse=True):
        if number < len(coefficients) and not any(coefficients[number:]):
            return coefficients[:number]
    return coefficients


def _check_distortion(model: str, coefficients: tuple[float, ...]) -> None:
    if model not in DISTORTION_MODELS:
        hint = " (OpenCV's fisheye is called 'equidistant' in ROS)" if "fisheye" in model else ""
        raise InputError(
            f"unknown distortion model '{model}'{hint}; "
            f"choose one of {', '.join(name for name in DISTORTION_MODELS if name)}, "
            "or feed rectified images"
        )
    numbers = DISTORTION_MODELS[model].coefficients
    if len(coefficients) not in numbers:
        raise InputError(
            f"distortion model '{model}' has {len(coefficients)} coefficients, expected "
            f"{' or '.join(str(n) for n in numbers)}; calibrate with this model or name the right "
            "one in the CameraInfo"
        )
    if not np.isfinite(coefficients).all():
        raise InputError(
            f"distortion coefficients {coefficients} are not all finite; calibrate the camera again"
        )


class _Lens(NamedTuple):
    """One distortion model: rays to pixels and back by K (3, 3) and D, both (n, 2) -> (n, 2)."""

    coefficients: tuple[int, ...]
    tangential: bool
    distort: Callable[[Array, Array, Array], Array]
    undistort: Callable[[Array, Array, Array], Array]


def _distort_radial_tangential(rays: Array, intrinsics: Array, coefficients: Array) -> Array:
    points = cv2.convertPointsToHomogeneous(rays)
    none = np.zeros(3)
    pixels = cv2.projectPoints(points, none, none, intrinsics, coefficients)[0]
    return np.asarray(pixels, np.float64).reshape(-1, 2)


def _undistort_radial_tangential(pixels: Array, intrinsics: Array, coefficients: Array) -> Array:
    same = np.eye(3)
    rays = cv2.undistortPointsIter(
        pixels[:, None], intrinsics, coefficients, same, same, _ITERATIONS
    )
    return np.asarray(rays, np.float64).reshape(-1, 2)


def _distort_equidistant(rays: Array, intrinsics: Array, coefficients: Array) -> Array:
    pixels = cv2.fisheye.distortPoints(rays[:, None], intrinsics, coefficients)
    return np.asarray(pixels, np.float64).reshape(-1, 2)


def _undistort_equidistant(pixels: Array, intrinsics: Array, coefficients: Array) -> Array:
    # Ten Newton steps, its default, are enough; OpenCV 4.5 has no argument for more.
    rays = cv2.fisheye.undistortPoints(pixels[:, None], intrinsics, coefficients)
    return np.asarray(rays, np.float64).reshape(-1, 2)


_RADIAL_TANGENTIAL = (True, _distort_radial_tangential, _undistort_radial_tangential)

# k1, k2, p1, p2, k3, k4 to k6, the thin prism's s1 to s4, the sensor's tilt about x and y.
_OPENCV_NUMBERS = (0, 4, 5, 8, 12, 14)
_OPENCV = _Lens(_OPENCV_NUMBERS, *_RADIAL_TANGENTIAL)

DISTORTION_MODELS = {
    "": _OPENCV,
    "pinhole": _OPENCV,
    "plumb_bob": _OPENCV,
    "rational_polynomial": _OPENCV,
    "equidistant": _Lens((4,), False, _distort_equidistant, _undistort_equidistant),
}
