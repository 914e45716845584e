"""What training makes small."""

from collections.abc import Callable

import torch
from torch import Tensor

from erd_ros.data.batches import Batch
from erd_ros.models.erd import ErdModel, Lifted

# Depths are those of a canonical camera of 1000 pixels before one of Human3.6M's focal length.
_FOCAL_LENGTH = 1.146  # thousand pixels


def distance(model: ErdModel, lifted: Lifted, poses: Tensor, depth: Tensor) -> Tensor:
    """Mean distance of the joints, metres: what MPJPE measures."""
    mean: Tensor = torch.linalg.vector_norm(lifted.poses - poses, dim=-1).mean()
    return mean


def squared(model: ErdModel, lifted: Lifted, poses: Tensor, depth: Tensor) -> Tensor:
    """Mean square of the standardised coordinates (Martinez et al. 2017, ERD paper 4.2)."""
    error: Tensor = (lifted.poses - poses) / model.pose_deviation
    return error.square().mean()


def canonical(model: ErdModel, lifted: Lifted, poses: Tensor, depth: Tensor) -> Tensor:
    """AbsPoseLifter eq. 7: absolute error of the canonical depth and L1 of the pose.

    The equation is printed with lambda = 1000 before the pose, which would make the depth count
    for nothing. The authors' code has both terms in millimetres, the depth being that of a camera
    of 1000 pixels: lambda belongs before R_z / alpha with alpha in pixels, and so it is here.
    """
    of_depth = (lifted.depth - depth).abs().mean() / _FOCAL_LENGTH
    return of_depth + (lifted.poses - poses).abs().sum((1, 2, 3)).mean()


LOSSES: dict[str, Callable[[ErdModel, Lifted, Tensor, Tensor], Tensor]] = {
    "distance": distance,
    "squared": squared,
    "canonical": canonical,
}


def lifter_loss(model: ErdModel, batch: Batch, name: str) -> Tensor:
    """Loss of the lifter's poses relative to each of its roots, in the view."""
    view = model.inputs.view(batch.rays, batch.confidence)
    poses = model.relative_poses(view, batch.joints)
    depth = view.from_camera(batch.root[:, None])[:, 0, 2]
    return LOSSES[name](model, model.lift(view), poses, depth)


def step_loss(model: ErdModel, batch: Batch, first: int, last: int) -> Tensor:
    """Mean distance of the joints, metres, summed over the steps ``first`` to ``last``."""
    trajectory = model.trajectory(batch.rays, batch.confidence, last, batch.root)
    errors = [
        torch.linalg.vector_norm(one.joints - batch.joints, dim=-1).mean()
        for one in trajectory[first:]
    ]
    return torch.stack(errors).sum()
