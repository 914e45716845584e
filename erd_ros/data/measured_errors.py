"""The 2D errors of a real detector, from clips that have keypoints and calibrated cameras."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from erd_ros.errors import InputError
from erd_ros.mocap import Cameras, Clip

Array = NDArray[np.float64]


def measured_errors(clips: Sequence[Clip]) -> Array:
    """Keypoints minus projected positions (N, 17, 2), pixels: every frame in every camera.

    NaN where the keypoint or the position is missing. Raises InputError for clips without
    keypoints or cameras, and for none.
    """
    errors = [_errors_of(clip) for clip in clips]
    if not errors:
        raise InputError("no clip to measure errors on; choose another --split")
    return np.concatenate(errors)


def _errors_of(clip: Clip) -> Array:
    if clip.keypoints is None or clip.cameras is None:
        raise InputError(
            f"'{clip.name}' has no keypoints or no cameras; prepare the data set with "
            "--detections and --cameras"
        )
    exact = _projected(clip.positions_in_world.astype(np.float64), clip.cameras)
    return (clip.keypoints - exact).reshape(-1, *clip.keypoints.shape[2:])


def _projected(positions_in_world: Array, cameras: Cameras) -> Array:
    """Pixels (F, C, J, 2) of positions (F, J, 3), NaN where those are."""
    points = positions_in_world.reshape(-1, 3)
    there = np.isfinite(points).all(-1)
    pixels = np.full((len(cameras.names), len(points), 2), np.nan)
    for camera in range(len(cameras.names)):
        rotation, _ = cv2.Rodrigues(cameras.rotation_world_to_camera[camera])
        projected, _ = cv2.projectPoints(
            points[there], rotation, cameras.translation[camera], cameras.intrinsics[camera],
            cameras.distortion[camera],
        )  # fmt: skip
        pixels[camera, there] = projected[:, 0]
    shape = (len(cameras.names), *positions_in_world.shape[:2], 2)
    return pixels.reshape(shape).swapaxes(0, 1)
