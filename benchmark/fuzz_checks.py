"""What must hold of every answer, whatever the input was."""

import numpy as np

from erd_ros.pose import Pose3D
from erd_ros.runtime.people import people_from_poses

ROOT_M = (0.1, 100.0)
SIZE_M = (0.3, 2.6)
# Of rounding: distances are checked in float64 after they were float32.
_SLACK = 1e-4


def wrong_with_poses(poses: Pose3D) -> list[str]:
    """Of ``Pose3D`` as its docstring has it, in a line each."""
    root, joints, size, sigma = (
        poses.root_in_camera, poses.joints_in_camera, poses.size, poses.sigma,
    )  # fmt: skip
    assert size is not None
    assert sigma is not None
    assert poses.deviations is not None
    placed = np.isfinite(root).all(-1)
    people = people_from_poses(poses, [""] * len(poses))
    confidence, seen = poses.confidence, poses.confidence > 0
    rules = {
        "a root is in part NaN": placed | np.isnan(root).all(-1),
        "joints are not finite though the root is": ~placed | np.isfinite(joints).all((1, 2)),
        "joints are there though the root is not": placed | np.isnan(joints).all((1, 2)),
        "a joint that was seen is behind the camera": (~seen | ~(joints[..., 2] <= 0)).all(-1),
        "a residual is not finite": np.isfinite(poses.residual_px) | ~placed,
        "a residual is there though the root is not": placed | np.isnan(poses.residual_px),
        "a size is there though the root is not": placed | np.isnan(size).all(-1),
        "a size's std is not above 0": ~placed | _positive(size[:, 1]),
        "sigma is not above 0": ~placed | _positive(sigma),
        "deviations are not above 0": ~placed | _positive(poses.deviations).all((1, 2)),
        "a confidence is outside 0 to 1": ((confidence >= 0) & (confidence <= 1)).all(-1),
        "a root's covariance": semi_definite(people.covariance) == placed,
        "a joint's covariance": (semi_definite(people.of_joints) == placed[:, None]).all(-1),
    }  # fmt: skip
    broken = [rule for rule, holds in rules.items() if not np.all(holds)]
    return [*broken, *wrong_with_places(root), *wrong_with_sizes(size[:, 0])]


def _positive(values: np.ndarray) -> np.ndarray:
    return np.isfinite(values) & (values > 0)


def wrong_with_places(roots: np.ndarray) -> list[str]:
    """(N, 3) metres from the camera, NaN = not known."""
    distance = np.linalg.norm(np.asarray(roots, np.float64), axis=-1)
    return _outside("root", distance, ROOT_M)


def wrong_with_sizes(sizes: np.ndarray) -> list[str]:
    """(N,) metres, NaN = not known."""
    return _outside("size", sizes, SIZE_M)


def _outside(what: str, values: np.ndarray, bounds: tuple[float, float]) -> list[str]:
    smallest, largest = bounds
    outside = (values < smallest * (1 - _SLACK)) | (values > largest * (1 + _SLACK))
    outside |= np.isinf(values)
    if not outside.any():
        return []
    return [f"{what} outside {smallest:g} to {largest:g} m: {values[outside][0]:g}"]


def semi_definite(covariances: np.ndarray) -> np.ndarray:
    """(...,) of (..., 3, 3): finite, symmetric and no eigenvalue below 0 but for rounding."""
    finite = np.isfinite(covariances).all((-1, -2))
    safe = np.where(finite[..., None, None], covariances, 0)
    transposed = np.swapaxes(safe, -1, -2)
    scale = np.abs(safe).max((-1, -2), initial=0)
    symmetric = np.abs(safe - transposed).max((-1, -2), initial=0) <= 1e-6 * scale
    least = np.linalg.eigvalsh((safe + transposed) / 2)[..., 0]
    return np.asarray(finite & symmetric & (least >= -1e-5 * scale))
