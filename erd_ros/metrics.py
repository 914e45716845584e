"""Errors of poses, in millimetres as the literature gives them.

Estimates and truths are metres. Each function gives one number per pose: (..., J, 3) to (...).
Missing truth or estimate (NaN) gives NaN.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from erd_ros.errors import InputError
from erd_ros.geometry.align import align_similarity, best_scale

_MM = 1000.0
Array = NDArray[np.float64]


def mpjpe_mm(joints: ArrayLike, truth: ArrayLike) -> Array:
    """Mean per joint position error of joints relative to the root ("protocol 1")."""
    joints, truth = _pair(joints, truth)
    return np.asarray(np.linalg.norm(joints - truth, axis=-1).mean(-1) * _MM)


def pa_mpjpe_mm(joints: ArrayLike, truth: ArrayLike) -> Array:
    """MPJPE after the best similarity transform ("protocol 2")."""
    joints, truth = _pair(joints, truth)
    finite = np.isfinite(joints).all((-1, -2)) & np.isfinite(truth).all((-1, -2))
    error = np.full(finite.shape, np.nan)
    error[finite] = mpjpe_mm(align_similarity(joints[finite], truth[finite]), truth[finite])
    return error


def n_mpjpe_mm(joints: ArrayLike, truth: ArrayLike) -> Array:
    """MPJPE of joints relative to the root after the best scale about it."""
    joints, truth = _pair(joints, truth)
    return mpjpe_mm(joints * best_scale(joints, truth)[..., None, None], truth)


def absolute_mpjpe_mm(
    joints: ArrayLike, root: ArrayLike, joints_truth: ArrayLike, root_truth: ArrayLike
) -> Array:
    """MPJPE in the camera frame: of joints relative to the root, moved to the root (..., 3)."""
    joints, truth = _pair(joints, joints_truth)
    root, root_truth = _pair(root, root_truth)
    return mpjpe_mm(joints + root[..., None, :], truth + root_truth[..., None, :])


def mrpe_mm(root: ArrayLike, truth: ArrayLike) -> Array:
    """Root position error of roots (..., 3): its mean over persons is the MRPE."""
    root, truth = _pair(root, truth)
    return np.asarray(np.linalg.norm(root - truth, axis=-1) * _MM)


def root_error_xyz_mm(root: ArrayLike, truth: ArrayLike) -> Array:
    """Absolute error (..., 3) of roots (..., 3) along x, y and z of the camera frame."""
    root, truth = _pair(root, truth)
    return np.asarray(np.abs(root - truth) * _MM)


def _pair(estimate: ArrayLike, truth: ArrayLike) -> tuple[Array, Array]:
    estimate, truth = np.asarray(estimate, np.float64), np.asarray(truth, np.float64)
    if estimate.shape != truth.shape or estimate.shape[-1:] != (3,):
        raise InputError(f"estimate {estimate.shape} and truth {truth.shape}: expected (..., 3)")
    return estimate, truth
