"""Whether a calibration can be that of a real camera: one in other units is worse than none.

The bounds leave room for telephoto lenses, fisheyes, anamorphic pixels and crops without a ROI.
"""

import numpy as np

from erd_ros.errors import InputError
from erd_ros.geometry.camera import Camera

# Focal length by the longer side: a field of view of 170 degrees, and of one.
_FOCAL_LENGTHS = (0.04, 60.0)
# fx by fy, whichever is longer: anamorphic lenses and half-height fields have 2.
_MOST_UNEQUAL = 3.0
# Principal point by width and height: a crop may leave it outside of the image.
_PRINCIPAL_POINT = (-0.5, 1.5)
# How far from the middle the principal point is, in the same proportion of width and of height,
# when K belongs to another resolution. An image cut asymmetrically differs in one of the two.
_OFF_CENTRE, _OFF_CENTRE_ALIKE, _ALIKE = 0.15, 0.1, 0.05
# A ray's tangent by that of a pinhole of the same K, a quarter of the shorter side off the axis.
# Barrel distortion and fisheyes have more than 1, pincushion distortion a little less.
_RAY_BY_PINHOLE = (0.75, 4.0)


def check_plausible(camera: Camera) -> None:
    """Raise InputError, with the number and its bound, for a calibration that no camera has.

    camera  of the whole sensor, before region of interest and binning
    """
    _check_focal_lengths(camera)
    _check_principal_point(camera)
    _check_lens(camera)


def _check_focal_lengths(camera: Camera) -> None:
    fx, fy = camera.intrinsics[0, 0], camera.intrinsics[1, 1]
    side = max(camera.width, camera.height)
    low, high = _FOCAL_LENGTHS
    if not (low * side <= min(fx, fy) and max(fx, fy) <= high * side):
        raise InputError(
            f"the focal lengths in K are {fx:g} and {fy:g}, expected {low * side:g} to "
            f"{high * side:g} pixels for an image of {camera.width}x{camera.height}; are they in "
            "millimetres or fractions of the image? Calibrate with camera_calibration"
        )
    if max(fx, fy) > _MOST_UNEQUAL * min(fx, fy):
        raise InputError(
            f"the focal lengths in K are {fx:g} and {fy:g} pixels, expected a ratio of "
            f"{_MOST_UNEQUAL:g} at most; calibrate with camera_calibration"
        )


def _check_principal_point(camera: Camera) -> None:
    size = np.array([camera.width, camera.height])
    point = camera.intrinsics[:2, 2]
    across, down = (point + 0.5) / size
    low, high = _PRINCIPAL_POINT
    where = f"the principal point in K is ({point[0]:g}, {point[1]:g})"
    image = f"an image of {camera.width}x{camera.height}"
    off = np.array([across, down]) - 0.5
    same_side = (off.min() > 0 or off.max() < 0) and point.all()  # 0 is nobody's: never filled in
    alike = np.ptp(off) < _ALIKE and np.abs(off).min() > _OFF_CENTRE_ALIKE
    if same_side and (alike or np.abs(off).min() > _OFF_CENTRE):
        raise InputError(
            f"{where}, that of an image of about {2 * point[0]:.0f}x{2 * point[1]:.0f} and not "
            f"{image}: publish the K of this resolution, or say in the CameraInfo's roi what was "
            "cut off"
        )
    if not (point.all() and low <= min(across, down) and max(across, down) <= high):
        raise InputError(
            f"{where}, expected near ({size[0] / 2:g}, {size[1] / 2:g}), the middle of {image}; "
            "calibrate with camera_calibration"
        )


def _check_lens(camera: Camera) -> None:
    angles = np.linspace(0, 2 * np.pi, 8, endpoint=False)
    circle = np.stack([np.cos(angles), np.sin(angles)], axis=-1)
    pixels = camera.intrinsics[:2, 2] + circle * min(camera.width, camera.height) / 4
    pinhole = np.linalg.norm((pixels - camera.intrinsics[:2, 2]) / _focal(camera), axis=-1)
    with np.errstate(over="ignore", invalid="ignore"):  # coefficients of 1e300
        ratios = np.linalg.norm(camera.rays(pixels), axis=-1) / pinhole
    low, high = _RAY_BY_PINHOLE
    # Written so that NaN, a ray that was not found, is refused.
    if not ((ratios >= low) & (ratios <= high)).all():
        raise InputError(
            f"the distortion D = {[round(d, 6) for d in camera.distortion]} bends rays half-way "
            f"to the edge of the image by a factor of {_worst(ratios):.3g}, expected {low:g} to "
            f"{high:g} (nan: no ray at all); calibrate with camera_calibration"
        )


def _worst(ratios: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> float:
    """The ratio farthest from 1; NaN comes first."""
    return float(ratios[np.argmax(np.abs(np.log(ratios)))])


def _focal(camera: Camera) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    return np.array([camera.intrinsics[0, 0], camera.intrinsics[1, 1]])
