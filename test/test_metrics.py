"""Metrics against slow references and against construction of the answer."""

import math

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.spatial.transform import Rotation

from erd_ros.errors import InputError
from erd_ros.metrics import (
    HUMANEVA_JOINTS,
    MPI_INF_3DHP_JOINTS,
    absolute_mpjpe_mm,
    auc_3d,
    by_group,
    humaneva_error_mm,
    joint_errors_mm,
    mpjpe_mm,
    mrpe_mm,
    n_mpjpe_mm,
    pa_mpjpe_mm,
    pck_3d,
    root_error_xyz_mm,
)
from erd_ros.skeleton import H36M17


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
    for metric in (mpjpe_mm, pa_mpjpe_mm, n_mpjpe_mm, pck_3d, auc_3d):
        assert np.isnan(metric(estimate, truth)).tolist() == [False, True, False, False]


def slow_percentage(estimate, truth, threshold):
    near = 0
    for a, b in zip(estimate, truth, strict=True):
        near += 1000 * math.dist(a, b) < threshold
    return 100 * near / len(truth)


def test_pck_and_auc_against_a_loop():
    estimate, truth = poses(7, persons=20)
    for one, other, pck, auc in zip(
        estimate, truth, pck_3d(estimate, truth), auc_3d(estimate, truth), strict=True
    ):
        assert pck == pytest.approx(slow_percentage(one, other, 150))
        curve = [slow_percentage(one, other, threshold) for threshold in range(0, 151, 5)]
        assert auc == pytest.approx(sum(curve) / 31)
    expected = slow_percentage(estimate[0], truth[0], 80)
    assert pck_3d(estimate, truth, 80.0)[0] == pytest.approx(expected)
    np.testing.assert_allclose(auc_3d(truth, truth), 100 * 30 / 31)
    np.testing.assert_allclose(pck_3d(truth, truth), 100)


def test_pck_counts_strictly_below_the_threshold():
    truth = np.zeros((4, 3))
    estimate = truth.copy()
    estimate[:, 0] = [0, 0.125, 0.25, 0.5]
    assert pck_3d(estimate, truth, 250.0) == 50
    assert pck_3d(estimate, truth, 250.1) == 75


def test_joint_errors_average_to_mpjpe():
    estimate, truth = poses(8)
    errors = joint_errors_mm(estimate, truth)
    assert errors.shape == (4, 17)
    assert errors[2, 5] == pytest.approx(1000 * math.dist(estimate[2, 5], truth[2, 5]))
    np.testing.assert_allclose(errors.mean(-1), mpjpe_mm(estimate, truth))
    estimate[1, 3, 0] = np.nan
    assert np.isnan(joint_errors_mm(estimate, truth)).sum() == 1


def test_joints_of_the_protocols():
    humaneva = [H36M17.joint_names[index] for index in HUMANEVA_JOINTS]
    assert sorted(humaneva) == sorted(
        ["pelvis", "thorax", "head_top"]
        + [
            f"{side}_{part}"
            for side in ("left", "right")
            for part in ("hip", "knee", "ankle", "shoulder", "elbow", "wrist")
        ]
    )
    assert set(HUMANEVA_JOINTS) - set(MPI_INF_3DHP_JOINTS) == {0}


def test_humaneva_error_forgives_turns_and_the_joints_it_lacks():
    estimate, truth = poses(9)
    turn = Rotation.from_euler("xyz", [0.4, 1, -0.2]).as_matrix()
    turned = 0.8 * truth @ turn.T + 0.3
    turned[:, [H36M17.index("spine"), H36M17.index("neck_nose")]] += 1
    np.testing.assert_allclose(humaneva_error_mm(turned, truth), 0, atol=1e-9)
    chosen = list(HUMANEVA_JOINTS)
    for one, other, error in zip(estimate, truth, humaneva_error_mm(estimate, truth), strict=True):
        start = np.array([0, 0, 0, 1, 0, 0, 0], float)
        best = minimize(squared_after, start, (one[chosen], other[chosen]), method="BFGS").x
        moved = best[3] * one[chosen] @ Rotation.from_rotvec(best[:3]).as_matrix().T + best[4:]
        assert error == pytest.approx(slow_mpjpe(moved, other[chosen]), abs=0.01)


def test_groups_count_the_same_whatever_their_length():
    means, average = by_group([10, 20, 30, 90], [0, 0, 0, 2], ("walking", "absent", "sitting"))
    assert means == {"walking": 20, "sitting": 90}
    assert average == 55
    generator = np.random.default_rng(10)
    values, groups = generator.random(200), generator.integers(0, 5, 200)
    means, average = by_group(values, groups, "abcde")
    total = dict.fromkeys("abcde", 0.0)
    for value, group in zip(values, groups, strict=True):
        total["abcde"[group]] += value
    for index, name in enumerate("abcde"):
        assert means[name] == pytest.approx(total[name] / (groups == index).sum())
    assert average == pytest.approx(sum(means.values()) / 5)


def test_groups_with_missing_values_or_names():
    means, average = by_group([1, np.nan], [0, 1], ("a", "b"))
    assert means["a"] == 1
    assert np.isnan(means["b"])
    assert np.isnan(average)
    with pytest.raises(InputError, match="groups are 0 to 2, expected 0 to 1"):
        by_group([1, 2], [0, 2], ("a", "b"))
    with pytest.raises(InputError, match=r"values \(2,\) and groups \(3,\)"):
        by_group([1, 2], [0, 0, 0], ("a",))
    with pytest.raises(InputError, match="F > 0"):
        by_group([], [], ())


def test_shapes_that_differ():
    with pytest.raises(InputError, match=r"\(17, 3\) and truth \(16, 3\)"):
        mpjpe_mm(np.zeros((17, 3)), np.zeros((16, 3)))
