"""Alignment against scipy and against transforms that are known."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.spatial import procrustes
from scipy.spatial.transform import Rotation

from erd_ros.errors import InputError
from erd_ros.geometry.align import align_similarity, best_scale


def poses(seed, shape=(6, 17, 3)):
    return np.random.default_rng(seed).normal(size=shape)


def test_undoes_a_similarity():
    target = poses(0)
    turn = Rotation.random(6, random_state=0).as_matrix()
    moved = 0.3 * target @ np.swapaxes(turn, 1, 2) + poses(1, (6, 1, 3))
    np.testing.assert_allclose(align_similarity(moved, target), target, atol=1e-12)


def test_distance_is_that_of_scipy():
    """scipy allows mirror images; of a pose and its noisy self the best is none."""
    target = poses(2)
    points = target + 0.1 * poses(3)
    for one, other, aligned in zip(points, target, align_similarity(points, target), strict=True):
        _, _, disparity = procrustes(other, one)
        norm = ((other - other.mean(0)) ** 2).sum()
        assert ((aligned - other) ** 2).sum() / norm == pytest.approx(disparity)


def test_never_mirrors():
    target = poses(4)
    mirrored = target * [-1, 1, 1]
    error = np.linalg.norm(align_similarity(mirrored, target) - target, axis=-1)
    assert error.mean() > 0.3
    shape = np.swapaxes(mirrored - mirrored.mean(1, keepdims=True), 1, 2)
    aligned = align_similarity(mirrored, target)
    turn = np.linalg.lstsq(shape[0].T, aligned[0] - aligned[0].mean(0), rcond=None)[0]
    assert np.linalg.det(turn) > 0


def test_flat_and_coinciding_points():
    flat = poses(5) * [1, 1, 0]
    turned = flat @ Rotation.from_euler("xyz", [0.3, -0.5, 1]).as_matrix().T
    np.testing.assert_allclose(align_similarity(turned, flat), flat, atol=1e-12)
    target = poses(6)
    onto_mean = align_similarity(np.ones_like(target), target)
    np.testing.assert_allclose(
        onto_mean, np.broadcast_to(target.mean(1, keepdims=True), onto_mean.shape)
    )


def test_best_scale_is_the_minimum():
    points, target = poses(7), poses(8)
    for one, other, scale in zip(points, target, best_scale(points, target), strict=True):
        found = minimize_scalar(lambda s, a=one, b=other: ((s * a - b) ** 2).sum())
        assert scale == pytest.approx(found.x, abs=1e-6)
    assert best_scale(np.zeros((17, 3)), target[0]) == 0


def test_shapes_that_differ():
    with pytest.raises(InputError, match=r"\(17, 3\) and target \(16, 3\)"):
        align_similarity(np.zeros((17, 3)), np.zeros((16, 3)))
