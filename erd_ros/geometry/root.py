"""Root position from rays and a root-relative pose, in closed form.

The ERD paper solves its eq. 5 for the root by SVD. In normalised coordinates each joint gives two
rows, ``[1, 0, -x]`` and ``[0, 1, -y]``, with right sides ``x p_z - p_x`` and ``y p_z - p_y``. The
normal matrix has the shape of an arrow: centring the rows on their weighted mean removes the
first two unknowns (a Schur complement), and the depth is one division.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from erd_ros.errors import InputError

# Below every spread of rays that a camera can measure, above zero: keeps the division finite.
_SMALLEST_SPREAD = 1e-12


def solve_root(rays: Any, joints: Any, weights: Any) -> tuple[Any, Any, Any]:
    """Weighted least-squares root (x, y, z), each (...), in the frame of the rays.

    rays     (..., J, 2) normalised image coordinates, finite
    joints   (..., J, 3) metres, relative to the root
    weights  (..., J) of the squared residuals, not negative

    NumPy arrays and torch tensors alike, of any precision: only operations that both have. Without
    weight anywhere, or with one joint alone, nothing determines the depth and it is 0.
    """
    # Joints along the last axis, where arithmetic is fastest.
    rays, joints = rays.swapaxes(-1, -2), joints.swapaxes(-1, -2)
    right = rays * joints[..., 2:, :] - joints[..., :2, :]
    share = (weights / weights.sum(-1, keepdims=True).clip(min=_SMALLEST_SPREAD))[..., None, :]
    slope, offset = ((share * one).sum(-1, keepdims=True) for one in (rays, right))
    centred = rays - slope
    of_joint = share * centred
    spread = (of_joint * centred).sum((-2, -1), keepdims=True)
    covariance = (of_joint * (offset - right)).sum((-2, -1), keepdims=True)
    depth = covariance / spread.clip(min=_SMALLEST_SPREAD)
    across = (offset + slope * depth)[..., 0]
    return across[..., 0], across[..., 1], depth[..., 0, 0]


def solve_root_weak_perspective(rays: Any, joints: Any, weights: Any) -> tuple[Any, Any, Any]:
    """Root (x, y, z), each (...), as if all joints had one depth; arguments of ``solve_root``.

    Mehta et al. 2017 ("Monocular 3D human pose estimation in the wild using improved CNN
    supervision") and its supplement, the "Mehta" of AbsPoseLifter table 3. With the weighted means
    k of the rays k_i and p of the joints p_i,

        z = sqrt(sum_i w_i |p_i[xy] - p[xy]|^2) / sqrt(sum_i w_i |k_i - k|^2),
        (x, y) = z k - p[xy].

    That z is the least-squares depth but for the cosines between p_i - p and k_i - k, which are
    taken as 1: noise in the rays brings the root nearer. Without weight anywhere, or with one joint
    alone, the depth is 0.
    """
    share = weights / weights.sum(-1).clip(min=_SMALLEST_SPREAD)[..., None]
    mean_ray_x, mean_ray_y = _mean(share, rays[..., 0]), _mean(share, rays[..., 1])
    mean_x, mean_y = _mean(share, joints[..., 0]), _mean(share, joints[..., 1])
    spread_of_rays = _spread(share, rays[..., 0], rays[..., 1], mean_ray_x, mean_ray_y)
    spread_of_joints = _spread(share, joints[..., 0], joints[..., 1], mean_x, mean_y)
    # The root of the quotient, written so that its gradient is finite where both spreads are 0.
    product = spread_of_joints * spread_of_rays
    depth = spread_of_joints / product.clip(min=_SMALLEST_SPREAD) ** 0.5
    return mean_ray_x * depth - mean_x, mean_ray_y * depth - mean_y, depth


def _mean(share: Any, values: Any) -> Any:
    return (share * values).sum(-1)


def _spread(share: Any, x: Any, y: Any, mean_x: Any, mean_y: Any) -> Any:
    offset_x, offset_y = x - mean_x[..., None], y - mean_y[..., None]
    return (share * (offset_x * offset_x + offset_y * offset_y)).sum(-1)


def root_from_depth(root_ray: Any, depth: Any) -> tuple[Any, Any, Any]:
    """Root (x, y, z), each (...), of which the depth was estimated (AbsPoseLifter eq. 5).

    root_ray  (..., 2) normalised image coordinates (r - c) / alpha of the root
    depth     (...) metres: alpha times the canonical root depth (AbsPoseLifter eq. 6)

    NumPy arrays and torch tensors alike.
    """
    return root_ray[..., 0] * depth, root_ray[..., 1] * depth, depth


def root_from_rays(
    rays: ArrayLike, joints: ArrayLike, weights: ArrayLike | None = None
) -> NDArray[np.float64]:
    """Root (..., 3), metres, camera frame; missing joints (NaN rays, weight 0) are left out.

    rays     (..., J, 2) normalised image coordinates
    joints   (..., J, 3) metres, relative to the root
    weights  (..., J) of the squared residuals; 1 where not given

    A pose with fewer than two usable joints gives NaN. Raises InputError for shapes that do not
    fit each other and for negative weights.
    """
    rays, joints = np.asarray(rays, np.float64), np.asarray(joints, np.float64)
    expected = joints.shape[:-1]
    if joints.shape[-1:] != (3,) or rays.shape != (*expected, 2):
        raise InputError(f"rays {rays.shape} and joints {joints.shape}: expected (..., J, 2 and 3)")
    weights = np.ones(expected) if weights is None else np.asarray(weights, np.float64)
    if weights.shape != expected:
        raise InputError(f"weights have shape {weights.shape}, expected {expected}")
    usable = np.isfinite(rays).all(-1) & np.isfinite(joints).all(-1) & (weights != 0)
    weights = np.where(usable, weights, 0)
    if not (weights >= 0).all():
        raise InputError("a weight is negative or NaN, expected 0 or more")
    rays = np.where(usable[..., None], rays, 0)
    joints = np.where(usable[..., None], joints, 0)
    root = np.stack(solve_root(rays, joints, weights), -1)
    return np.where((usable.sum(-1) >= 2)[..., None], root, np.nan)


ROOT_SOLVERS = {"perspective": solve_root, "weak_perspective": solve_root_weak_perspective}
