"""Metrics against slow references and against construction of the answer."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.spatial.transform import Rotation

from erd_ros.errors import InputError
from erd_ros.metrics import (
    absolute_mpjpe_mm,
    mpjpe_mm,
    mrpe_mm,
    n_mpjpe_mm,
    pa_mpjpe_mm,
    root_error_xyz_mm,
)


def poses(seed, persons=4):
    generator = np.random.default_rng(seed)
    truth = generator.normal(0, 0.4, (persons, 17, 3))
    truth -= truth[:, :1]
    estimate = truth + generator.normal(0, 0.05, truth.shape)
    return estimate, truth


def slow_mpjpe(estimate, truth):
    total = 0.0
    for one, other in zip(estimate, truth, strict=True):
        total += sum((a - b) ** 2 for a, b in zip(one, other, strict=True)) ** 0.5
    return 1000 * total / len(truth)


def test_mpjpe_against_a_loop():
    estimate, truth = poses(0)
    expected = [slow_mpjpe(*pair) for pair in zip(estimate, truth, strict=True)]
    np.testing.assert_allclose(mpjpe_mm(estimate, truth), expected)


def test_one_joint_ten_centimetres_off():
    truth = poses(1)[1]
    estimate = truth.copy()
    estimate[:, 5, 1] += 0.1
    np.testing.assert_allclose(mpjpe_mm(estimate, truth), 100 / 17)


def squared_after(parameters, one, other):
    turn = Rotation.from_rotvec(parameters[:3]).as_matrix()
    return ((parameters[3] * one @ turn.T + parameters[4:] - other) ** 2).sum()


def test_pa_mpjpe_against_numerical_minimisation():
    for one, other, error in zip(*poses(2), pa_mpjpe_mm(*poses(2)), strict=True):
        start = np.array([0, 0, 0, 1, 0, 0, 0], float)
        best = minimize(squared_after, start, (one, other), method="BFGS").x
        turn = Rotation.from_rotvec(best[:3]).as_matrix()
        assert error == pytest.approx(
            slow_mpjpe(best[3] * one @ turn.T + best[4:], other), abs=0.01
        )


def test_what_each_metric_forgives():
    _, truth = poses(3)
    turn = Rotation.from_euler("xyz", [0.4, 1, -0.2]).as_matrix()
    np.testing.assert_allclose(pa_mpjpe_mm(0.8 * truth @ turn.T, truth), 0, atol=1e-9)
    np.testing.assert_allclose(n_mpjpe_mm(0.8 * truth, truth), 0, atol=1e-9)
    assert (n_mpjpe_mm(truth @ turn.T, truth) > 100).all()
    assert (mpjpe_mm(0.8 * truth, truth) > 50).all()


def test_metrics_are_ordered():
    estimate, truth = poses(4, persons=50)
    assert (pa_mpjpe_mm(estimate, truth) <= mpjpe_mm(estimate, truth) * 1.05).all()
    assert n_mpjpe_mm(estimate, truth).mean() <= mpjpe_mm(estimate, truth).mean()


def test_roots():
    truth = np.array([[0, 0, 4.0], [1, -1, 3]])
    root = truth + np.array([[0.03, -0.04, 0], [0, 0, -0.2]])
    np.testing.assert_allclose(mrpe_mm(root, truth), [50, 200])
    np.testing.assert_allclose(
        root_error_xyz_mm(root, truth), [[30, 40, 0], [0, 0, 200]], atol=1e-9
    )


def test_absolute_mpjpe_adds_the_root():
    _, truth = poses(5)
    root = np.random.default_rng(5).normal(size=(4, 3))
    moved = root + np.array([0, 0, 0.1])
    np.testing.assert_allclose(absolute_mpjpe_mm(truth, moved, truth, root), 100)
    estimate, _ = poses(5)
    np.testing.assert_allclose(
        absolute_mpjpe_mm(estimate, root, truth, root), mpjpe_mm(estimate, truth)
    )


def test_missing_gives_nan_for_that_pose_alone():
    estimate, truth = poses(6)
    estimate[1, 3] = np.nan
    for metric in (mpjpe_mm, pa_mpjpe_mm, n_mpjpe_mm):
        assert np.isnan(metric(estimate, truth)).tolist() == [False, True, False, False]


def test_shapes_that_differ():
    with pytest.raises(InputError, match=r"\(17, 3\) and truth \(16, 3\)"):
        mpjpe_mm(np.zeros((17, 3)), np.zeros((16, 3)))
