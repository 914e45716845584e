"""From CameraInfo to the camera, and the CameraInfo that belongs to an image."""

from collections import OrderedDict
from dataclasses import replace

import numpy as np
from builtin_interfaces.msg import Time
from sensor_msgs.msg import CameraInfo

from erd_ros.errors import InputError
from erd_ros.geometry.camera import Camera
from erd_ros.geometry.camera_check import check_plausible

# About a second of a fast camera.
_REMEMBERED = 64


def seconds_from_stamp(stamp: Time) -> float:
    """A stamp in seconds."""
    return float(stamp.sec) + 1e-9 * float(stamp.nanosec)


def camera_from_info(info: CameraInfo, rectified: bool = False) -> Camera:
    """The camera that took the image beside this CameraInfo, binning and ROI applied (REP-104).

    rectified  the image is rectified: P[:3, :3] and no distortion, instead of K and D
    Raises InputError when the camera is not calibrated, its distortion model is unknown, or the
    calibration cannot be that of a real camera (``check_plausible``).
    """
    intrinsics = (
        np.array(info.p, np.float64).reshape(3, 4)[:, :3]
        if rectified
        else np.array(info.k, np.float64).reshape(3, 3)
    )
    model = "" if rectified else info.distortion_model
    sensor = Camera(info.width, info.height, intrinsics, () if rectified else tuple(info.d), model)
    check_plausible(sensor)
    roi = info.roi
    whole = roi.width == 0 or roi.height == 0
    width, height = (info.width, info.height) if whole else (roi.width, roi.height)
    offset = np.zeros(2) if whole else np.array([roi.x_offset, roi.y_offset])
    binning = np.maximum([info.binning_x, info.binning_y], 1)
    intrinsics[[0, 1], [0, 1]] /= binning
    # Pixel centres are whole numbers: pixel 0 after binning by 2 lies at 0.5 of the pixels before.
    intrinsics[:2, 2] = (intrinsics[:2, 2] - offset + 0.5) / binning - 0.5
    return replace(
        sensor,
        width=width // int(binning[0]),
        height=height // int(binning[1]),
        intrinsics=intrinsics,
    )


# Fraction by which a focal length measured by other means may differ.
_FOCAL_LENGTH_TOLERANCE = 0.2


class CameraReader:
    """Turns CameraInfo messages into a Camera, anew only when what it says has changed."""

    def __init__(self, rectified: bool) -> None:
        self._rectified = rectified
        self._said: tuple[object, ...] | None = None
        self._camera: Camera | None = None

    def read(self, info: CameraInfo) -> Camera:
        """The camera of this message. Raises InputError as ``camera_from_info`` does."""
        roi = info.roi
        said = (
            *(info.width, info.height, info.binning_x, info.binning_y, info.distortion_model),
            *(roi.x_offset, roi.y_offset, roi.width, roi.height),
            *(tuple(info.d), info.k.tobytes(), info.p.tobytes()),
        )
        if self._camera is None or said != self._said:
            self._camera = None
            self._camera = camera_from_info(info, self._rectified)
            self._said = said
        return self._camera


def check_image_size(width: int, height: int, camera: Camera) -> None:
    """Raises InputError that names both sizes when the image is not the camera's."""
    if (width, height) != (camera.width, camera.height):
        raise InputError(
            f"the image is {width}x{height}, but its CameraInfo describes "
            f"{camera.width}x{camera.height}; publish the CameraInfo of this resolution "
            "(image_proc's resize node scales both)"
        )


def check_focal_length(measured_px: float | None, camera: Camera) -> None:
    """Raises InputError when keypoints come from images of another resolution than the camera's.

    measured_px  focal length that the sender's keypoints and 3D points agree with; None = unknown
    """
    own_px = float(camera.intrinsics[[0, 1], [0, 1]].mean())
    if measured_px is None or abs(measured_px / own_px - 1) <= _FOCAL_LENGTH_TOLERANCE:
        return
    raise InputError(
        f"the keypoints are of a camera with a focal length of {measured_px:.0f} px, the "
        f"CameraInfo's is {own_px:.0f} px: it is scaled and they are not; start the ZED wrapper "
        "with general.pub_resolution: NATIVE"
    )


def scaled(camera: Camera, width: int, height: int) -> Camera:
    """The same camera with images of another size, all of the field of view kept.

    Raises InputError when the sides differ in proportion: then something was cut off.
    """
    across, down = width / camera.width, height / camera.height
    if abs(across / down - 1) > 0.01:
        raise InputError(
            f"the image is {width}x{height}, its CameraInfo {camera.width}x{camera.height}: of "
            "another shape, so that it was cut and not only scaled; publish the CameraInfo of it"
        )
    intrinsics = camera.intrinsics.copy()
    intrinsics[:2] *= [[across], [down]]
    # Pixel centres are whole numbers: the corner of the image is at -0.5.
    intrinsics[:2, 2] += 0.5 * np.array([across, down]) - 0.5
    return replace(camera, width=width, height=height, intrinsics=intrinsics)


class CameraInfos:
    """The latest CameraInfo messages: that of an image's own stamp first, else the newest."""

    def __init__(self) -> None:
        self._by_stamp: OrderedDict[tuple[int, int], CameraInfo] = OrderedDict()
        self._newest: CameraInfo | None = None

    def put(self, info: CameraInfo) -> None:
        """Remember one."""
        key = (info.header.stamp.sec, info.header.stamp.nanosec)
        self._by_stamp[key] = self._newest = info
        self._by_stamp.move_to_end(key)
        while len(self._by_stamp) > _REMEMBERED:
            self._by_stamp.popitem(last=False)

    def of(self, stamp: Time) -> CameraInfo | None:
        """The one for an image of this stamp, the newest where it is not set; None before all."""
        if not (stamp.sec or stamp.nanosec):
            return self._newest
        return self._by_stamp.get((stamp.sec, stamp.nanosec), self._newest)
