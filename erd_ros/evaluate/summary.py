"""Errors of poses, and their means: over all, by joint, by action."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from erd_ros.cues import LEG, SPINE
from erd_ros.evaluate.scenes import Scene
from erd_ros.geometry.align import best_scale
from erd_ros.metrics import (
    MPI_INF_3DHP_JOINTS,
    Array,
    absolute_mpjpe_mm,
    auc_3d,
    by_group,
    joint_errors_mm,
    mpjpe_mm,
    mrpe_mm,
    n_mpjpe_mm,
    pa_mpjpe_mm,
    pck_3d,
    root_error_xyz_mm,
)
from erd_ros.skeleton import H36M17

# What the papers give by action.
BY_ACTION = ("mpjpe_mm", "pa_mpjpe_mm", "mrpe_mm")
# The mean over actions stands among them under this name.
AVERAGE = "average over actions"

Errors = dict[str, float]  # metric to millimetres or percent


@dataclass(frozen=True, eq=False)
class PoseErrors:
    """One step's errors of F poses.

    of_poses   metric to (F,)
    of_joints  (F, J) millimetres
    """

    of_poses: dict[str, Array]
    of_joints: Array


def pose_errors(
    joints: Array,
    root: Array,
    scene: Scene,
    size: Array | None = None,
    sigma: Array | None = None,
) -> PoseErrors:
    """Errors of joints (F, J, 3) relative to the root, of roots (F, 3) and sizes (F,), metres.

    size   the joints' own where not given
    sigma  (F,) standard deviations of the distance: how often it errs by less, percent
    """
    truth, root_truth = scene.joints, scene.root
    size = true_size(joints) if size is None else size
    x, y, z = np.moveaxis(root_error_xyz_mm(root, root_truth), -1, 0)
    # A person twice as large and twice as far looks the same: joints and root scale together.
    scale = best_scale(joints, truth)[:, None]
    counted = list(MPI_INF_3DHP_JOINTS)
    of_poses = {
        "mpjpe_mm": mpjpe_mm(joints, truth),
        "pa_mpjpe_mm": pa_mpjpe_mm(joints, truth),
        "n_mpjpe_mm": n_mpjpe_mm(joints, truth),
        "mrpe_mm": mrpe_mm(root, root_truth),
        "mrpe_x_mm": x,
        "mrpe_y_mm": y,
        "mrpe_z_mm": z,
        "absolute_mpjpe_mm": absolute_mpjpe_mm(joints, root, truth, root_truth),
        "mrpe_size_known_mm": mrpe_mm(root * scale, root_truth),
        "pck_3d": pck_3d(joints[:, counted], truth[:, counted]),
        "auc_3d": auc_3d(joints[:, counted], truth[:, counted]),
        "size_error_mm": 1000 * np.abs(size - true_size(truth)),
    }
    if sigma is not None:
        of_poses |= _of_sigma(root, root_truth, sigma)
    return PoseErrors(of_poses, joint_errors_mm(joints, truth))


def _of_sigma(root: Array, truth: Array, sigma: Array) -> dict[str, Array]:
    """A sigma is honest where 68 % of the distances are within one and 95 % within two."""
    error = np.abs(np.linalg.norm(root, axis=-1) - np.linalg.norm(truth, axis=-1))
    return {
        "sigma_mm": 1000 * sigma,
        "within_sigma_percent": 100.0 * (error < sigma),
        "within_two_sigma_percent": 100.0 * (error < 2 * sigma),
    }


def true_size(points: Array) -> Array:
    """(F,) sizes of poses (F, J, 3), metres: lengths from ankle to head top along the body."""

    def length(names: Sequence[str]) -> Array:
        chain = points[:, [H36M17.index(name) for name in names]]
        return np.asarray(np.linalg.norm(np.diff(chain, axis=1), axis=-1).sum(-1))

    legs = [length([f"{side}_{part}" for part in LEG]) for side in ("left", "right")]
    return np.asarray(length(SPINE) + (legs[0] + legs[1]) / 2)


def means(errors: PoseErrors, chosen: NDArray[np.bool_]) -> Errors:
    """Metric to its mean over the chosen (F,) poses."""
    return {metric: float(values[chosen].mean()) for metric, values in errors.of_poses.items()}


def means_by_joint(errors: PoseErrors, chosen: NDArray[np.bool_]) -> Errors:
    """Joint to its mean error over the chosen (F,) poses, millimetres."""
    return dict(zip(H36M17.joint_names, errors.of_joints[chosen].mean(0).tolist(), strict=True))


def means_by_action(
    errors: PoseErrors, chosen: NDArray[np.bool_], action: NDArray[np.int64], names: Sequence[str]
) -> dict[str, Errors]:
    """Action, and AVERAGE, to the metrics BY_ACTION of the chosen (F,) poses.

    action  (F,) index into ``names``
    """
    table: dict[str, Errors] = {}
    for metric in BY_ACTION:
        of_actions, average = by_group(errors.of_poses[metric][chosen], action[chosen], names)
        for name, value in {**of_actions, AVERAGE: average}.items():
            table.setdefault(name, {})[metric] = value
    return table
