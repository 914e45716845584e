"""How sure the place of each joint is: across the ray to the person, and along it."""

import numpy as np
from numpy.typing import NDArray

from erd_ros.pose import FloatArray

Array = NDArray[np.float64]


def joint_deviations(
    table: FloatArray,
    seen: NDArray[np.bool_],
    size: FloatArray | Array,
    sigma: FloatArray | Array,
) -> FloatArray:
    """Standard deviations (N, J, 2) of joints' places across the ray to the person and along it.

    table        (J, 2, 2) of the model file, see ``Artifact.deviations``
    seen         (N, J) whether a keypoint stands behind the joint
    size, sigma  (N,) of the persons, metres; sigma is the root's deviation along the ray
    """
    of_seen, of_inferred = np.swapaxes(table, 0, 1)
    relative = np.where(seen[..., None], of_seen, of_inferred) * size[:, None, None]
    # A joint is as far off as the root, and as wrong relative to it, each by itself.
    along = np.hypot(relative[..., 1], sigma[:, None])
    return np.asarray(np.stack([relative[..., 0], along], -1), np.float32)


def covariances(direction: Array, deviations: Array) -> Array:
    """Covariances (..., 3, 3), square metres.

    direction   (..., 3) unit vectors along the rays
    deviations  (..., 2) across and along, metres; NaN where not known
    """
    across, along = (np.square(deviations[..., i, None, None]) for i in (0, 1))
    outer = direction[..., :, None] * direction[..., None, :]
    return np.asarray(across * (np.eye(3) - outer) + along * outer)
