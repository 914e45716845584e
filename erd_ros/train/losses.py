"""What training makes small."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from erd_ros.data.batches import Batch
from erd_ros.models.erd import ErdModel, Estimate, Lifted
from erd_ros.models.known import Known
from erd_ros.models.posed import Keypoints, Posed
from erd_ros.models.sizing import Sized, size_of

# Depths are those of a canonical camera of 1000 pixels before one of Human3.6M's focal length.
_FOCAL_LENGTH = 1.146  # thousand pixels
# Of the uncertainty's loss beside the poses', which are about 0.05.
_SURPRISE = 0.01
# Of the depth that keypoints give a person of known size; beyond so large an error, relative, it
# grows no faster: a few joints at the image's border say next to nothing.
_OF_RATIO, _RATIO_DELTA = 10.0, 0.03


def distance(model: ErdModel, lifted: Lifted, poses: Tensor, depth: Tensor) -> Tensor:
    """Mean distance of the joints, metres: what MPJPE measures."""
    return _distance(lifted.poses, poses)


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
    lifted = model.lift(view)
    loss = LOSSES[name](model, lifted, poses, depth)
    if not model.sizings:
        return loss
    keypoints = Keypoints.of(view).agreeing(lifted.joints)
    known = Known.of(keypoints, lifted.prior.detach(), batch.cues)
    sized = model.sizings[0](known, lifted.joints.detach())
    size = size_of(batch.joints, model.skeleton)
    of_ratio = _ratio_error(Posed.of(keypoints, lifted.joints), size, depth)
    of_prior = _surprise(size.log() - lifted.prior.log_size, (2 * lifted.prior.log_deviation).exp())
    surprise = of_prior + _surprise_of(sized, size, depth)
    return loss + _OF_RATIO * of_ratio + _SURPRISE * surprise


def _ratio_error(posed: Posed, size: Tensor, depth: Tensor) -> Tensor:
    """Of the logarithm of depth by size that least squares gives a pose, Huber's.

    Poses that are right in the mean of their joints need not have the right extent before the
    camera: a person whose size is known stands where that says.
    """
    error = (depth / size).log() - posed.ratio[:, 0, 0].log()
    return nn.functional.huber_loss(error, torch.zeros_like(error), delta=_RATIO_DELTA)


def step_loss(model: ErdModel, batch: Batch, first: int, last: int) -> Tensor:
    """Mean distance of the joints, metres, summed over the steps ``first`` to ``last``."""
    trajectory = model.trajectory(batch.rays, batch.confidence, last, batch.root, batch.cues)
    chosen = trajectory[first:]
    if not model.sizings:
        return torch.stack([_distance(one.joints, batch.joints) for one in chosen]).sum()
    view = model.inputs.view(batch.rays, batch.confidence)
    depth = view.from_camera(batch.root[:, None])[:, 0, 2]
    size = size_of(batch.joints, model.skeleton)
    errors = [_sized_error(one, batch.joints, size, depth) for one in chosen]
    return torch.stack(errors).sum()


def _sized_error(estimate: Estimate, truth: Tensor, size: Tensor, depth: Tensor) -> Tensor:
    """Of one step: a pose in sizes is held against the truth at its true size."""
    sized = estimate.sized
    assert sized is not None  # the model's root comes from cues
    joints = estimate.joints * (size / sized.size)[:, None, None]
    return _distance(joints, truth) + _SURPRISE * _surprise_of(sized, size, depth)


def _distance(joints: Tensor, truth: Tensor) -> Tensor:
    mean: Tensor = torch.linalg.vector_norm(joints - truth, dim=-1).mean()
    return mean


def _surprise_of(sized: Sized, size: Tensor, depth: Tensor) -> Tensor:
    """Of the true size and depth in the view, (N,), under what the solver says of both."""
    return _surprise((sized.size - size) / size, sized.size_variance / size.square()) + _surprise(
        (sized.root[:, 2] - depth) / depth, sized.depth_variance / depth.square()
    )


def _surprise(error: Tensor, variance: Tensor) -> Tensor:
    """Negative logarithm of a Gaussian's density, in the mean; robust where errors are large."""
    ratio = error / variance.sqrt()
    huber = nn.functional.huber_loss(ratio, torch.zeros_like(ratio), delta=3.0)
    return huber + variance.log().mean() / 2
