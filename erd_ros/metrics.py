"""Errors of poses, in millimetres as the literature gives them, and shares in percent.

Estimates and truths are metres. Each function gives one number per pose, (..., J, 3) to (...),
where its name does not say otherwise. Missing truth or estimate (NaN) gives NaN.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from erd_ros.errors import InputError
from erd_ros.geometry.align import align_similarity, best_scale
from erd_ros.skeleton import H36M17, HUMANEVA15

_MM = 1000.0
_PERCENT = 100.0
Array = NDArray[np.float64]

# The body of ERD paper table 4 and section 4.1, as indices into H36M17.
HUMANEVA_JOINTS = tuple(H36M17.index(name) for name in HUMANEVA15.joint_names)
# The 14 joints over which MPI-INF-3DHP's evaluation counts, its neck being the thorax here; its
# root is right by definition and does not count.
MPI_INF_3DHP_JOINTS = tuple(joint for joint in HUMANEVA_JOINTS if joint != H36M17.index("pelvis"))
# Millimetres: 0:5:150 in MPI-INF-3DHP's mpii_compute_3d_pck.m, which takes their plain mean.
_AUC_THRESHOLDS = np.arange(0.0, 151.0, 5.0)


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


def joint_errors_mm(joints: ArrayLike, truth: ArrayLike) -> Array:
    """Position error (..., J) of each joint relative to the root: its mean is the MPJPE."""
    joints, truth = _pair(joints, truth)
    return np.asarray(np.linalg.norm(joints - truth, axis=-1) * _MM)


def pck_3d(joints: ArrayLike, truth: ArrayLike, threshold_mm: float = 150.0) -> Array:
    """Percentage of joints nearer to the truth than the threshold, roots aligned (3DPCK).

    Mehta et al. 2017; MPI_INF_3DHP_JOINTS are the joints that count there.
    """
    return _percentage_below(joint_errors_mm(joints, truth), threshold_mm)


def auc_3d(joints: ArrayLike, truth: ArrayLike) -> Array:
    """Area under the curve of 3DPCK from 0 to 150 mm, percent (Mehta et al. 2017).

    It is the mean over 31 thresholds 5 mm apart, as MPI-INF-3DHP's own evaluation takes it. No
    joint is below 0 mm, and so a perfect pose has 30 / 31, 96.8 %.
    """
    errors = joint_errors_mm(joints, truth)
    of_thresholds = [_percentage_below(errors, threshold) for threshold in _AUC_THRESHOLDS]
    return np.asarray(np.mean(of_thresholds, axis=0))


def humaneva_error_mm(joints: ArrayLike, truth: ArrayLike) -> Array:
    """The error of ERD paper table 4, of poses (..., 17, 3) in the order of H36M17.

    It is the MPJPE of HumanEva-I's 15 joints after the best similarity transform.
    """
    joints, truth = _pair(joints, truth)
    of_humaneva = list(HUMANEVA_JOINTS)
    return pa_mpjpe_mm(joints[..., of_humaneva, :], truth[..., of_humaneva, :])


def by_group(
    values: ArrayLike, groups: ArrayLike, names: Sequence[str]
) -> tuple[dict[str, float], float]:
    """Mean of the values of each group, and the mean over groups.

    values  (F,) of any metric
    groups  (F,) index into ``names``; a name that nothing belongs to is left out

    The papers' tables average over actions, each counting the same whatever its length. Raises
    InputError for shapes that do not fit each other and for no values at all.
    """
    values, groups = np.asarray(values, np.float64), np.asarray(groups, np.int64)
    if values.ndim != 1 or values.shape != groups.shape or not len(values):
        raise InputError(f"values {values.shape} and groups {groups.shape}: expected (F,), F > 0")
    if groups.min() < 0 or groups.max() >= len(names):
        raise InputError(
            f"groups are {groups.min()} to {groups.max()}, expected 0 to {len(names) - 1}"
        )
    means = {
        names[group]: float(values[groups == group].mean()) for group in np.unique(groups).tolist()
    }
    return means, float(np.mean(list(means.values())))


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


def _percentage_below(errors: Array, threshold: float) -> Array:
    share = (errors < threshold).mean(-1) * _PERCENT
    return np.asarray(np.where(np.isnan(errors).any(-1), np.nan, share))


def _pair(estimate: ArrayLike, truth: ArrayLike) -> tuple[Array, Array]:
    estimate, truth = np.asarray(estimate, np.float64), np.asarray(truth, np.float64)
    if estimate.shape != truth.shape or estimate.shape[-1:] != (3,):
        raise InputError(f"estimate {estimate.shape} and truth {truth.shape}: expected (..., 3)")
    return estimate, truth
