"""Whether joints are as far off as their covariances say."""

import numpy as np
from numpy.typing import NDArray

from erd_ros.artifact import Deviations
from erd_ros.evaluate.scenes import Scene
from erd_ros.runtime.uncertainty import covariances, joint_deviations

Array = NDArray[np.float64]
# Of a Gaussian's points in space so many lie within the ellipsoid of one, and of two standard
# deviations of a line's: squares of the distances that hold them (chi-squared, three degrees).
_WITHIN = {"within_sigma_percent": 3.527, "within_two_sigma_percent": 8.025}


def coverage(
    table: Deviations, step: tuple[Array, Array], said: tuple[Array, Array], scene: Scene
) -> dict[str, dict[str, float]]:
    """How many joints lie within their covariance, percent; honest: 68.3 and 95.4.

    table  of the model file, see ``Artifact.deviations``
    step   joints (F, J, 3) relative to the root, root (F, 3), metres
    said   sizes (F,) and deviations of the distance, metres

    For joints seen and inferred, with their number and the mean deviation of one axis.
    """
    joints, root = step
    seen = scene.confidence > 0
    deviations = joint_deviations(np.array(table, np.float32), seen, *said).astype(np.float64)
    covariance = covariances(directions(root)[:, None], deviations)
    errors = joints + root[:, None] - scene.joints - scene.root[:, None]
    solved = np.linalg.solve(covariance, errors[..., None])[..., 0]
    distance = (errors * solved).sum(-1)
    spread = 1000 * np.sqrt(np.trace(covariance, axis1=-2, axis2=-1) / 3)
    return {
        name: {
            "joints": float(mask.sum()),
            "deviation_mm": float(spread[mask].mean()),
            **{what: float(100 * (distance[mask] < most).mean()) for what, most in _WITHIN.items()},
        }
        for name, mask in (("seen", seen), ("inferred", ~seen))
    }


def directions(root: Array) -> Array:
    """Unit vectors (F, 3) to the persons."""
    return np.asarray(root / np.linalg.norm(root, axis=-1, keepdims=True))
