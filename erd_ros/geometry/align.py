"""Alignment of point sets, batched: scale alone, and similarity (Procrustes)."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from erd_ros.errors import InputError

Array = NDArray[np.float64]


def best_scale(points: ArrayLike, target: ArrayLike) -> Array:
    """Factor (...) that brings points (..., J, 3) closest to the target, about the origin.

    Least squares; 0 where all points are zero. Raises InputError when the shapes differ.
    """
    points, target = _pair(points, target)
    norm = (points**2).sum((-1, -2))
    return np.asarray((points * target).sum((-1, -2)) / np.where(norm == 0, 1, norm))


def align_similarity(points: ArrayLike, target: ArrayLike) -> Array:
    """Points (..., J, 3) rotated, scaled and moved onto the target (..., J, 3), least squares.

    The rotation is proper (no mirror image), after Umeyama 1991, eqs. 40 to 43. Points that all
    coincide are moved onto the target's mean. Raises InputError when the shapes differ.
    """
    points, target = _pair(points, target)
    points_mean = points.mean(-2, keepdims=True)
    target_mean = target.mean(-2, keepdims=True)
    centred = points - points_mean
    covariance = np.swapaxes(target - target_mean, -1, -2) @ centred  # (..., 3, 3)
    left, singular, right = np.linalg.svd(covariance)
    signs = np.ones_like(singular)
    signs[..., -1] = np.sign(np.linalg.det(left @ right))
    rotation = (left * signs[..., None, :]) @ right
    variance = (centred**2).sum((-1, -2))
    scale = (singular * signs).sum(-1) / np.where(variance == 0, 1, variance)
    turned = centred @ np.swapaxes(rotation, -1, -2)
    return np.asarray(scale[..., None, None] * turned + target_mean)


def _pair(points: ArrayLike, target: ArrayLike) -> tuple[Array, Array]:
    points, target = np.asarray(points, np.float64), np.asarray(target, np.float64)
    if points.shape != target.shape or points.ndim < 2 or points.shape[-1] != 3:
        raise InputError(f"points {points.shape} and target {target.shape}: expected (..., J, 3)")
    return points, target
