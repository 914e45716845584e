"""A pose against a person's keypoints: where the root is, and which keypoints disagree.

Everything stands as (N, rows, columns), joints in columns: a runtime goes through all joints at a
stretch, and what is neither reshaped nor transposed costs nothing.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from erd_ros.models.view import View

_SMALLEST_RATIO = 0.1  # of depth to size: nearer nobody is seen as a person
# Of the person's scale. A detector's usual keypoint errs by 0.05 of it, one gone astray by 0.4 and
# more; chosen on training and validation subjects.
_USUAL_ERROR = 0.2
_LEAST_WEIGHT = 1e-2  # where nothing fits, as before training, somebody still has a root


@dataclass(frozen=True, eq=False)
class Keypoints:
    """Of N persons, in the view.

    around    (N, 2, J) rays about their mean
    lever     (N, 2, J) what a pose's ``right`` times this sums to is the ratio of depth to size
    of_depth  (N, 3, 1) where the root is at depth 1, but for what the pose adds
    """

    view: View
    rays: Tensor
    around: Tensor
    lever: Tensor
    of_depth: Tensor
    zero: Tensor
    one: Tensor

    @classmethod
    def of(cls, view: View) -> "Keypoints":
        """Of a view, each keypoint with its share."""
        # From an input, so that all steps of an exported graph share them.
        column = view.confidence[:, None, :1]
        zero, one = torch.zeros_like(column), torch.ones_like(column)
        rays, centre, scale = view.rays.mT, view.centre[..., None], view.scale[:, None, None]
        around = rays - centre
        lever = around * view.share / -(scale * scale)
        return cls(view, rays, around, lever, torch.cat([centre, one], 1), zero, one)

    def agreeing(self, pose: Tensor) -> "Keypoints":
        """The same, each weighted by how near a pose (N, J, 3) in sizes reprojects to it.

        Geman and McClure's weights, once: one keypoint on somebody else would otherwise turn
        and move the whole person.
        """
        posed = Posed.of(self, pose)
        error = posed.residual(posed.ratio) / (_USUAL_ERROR * self.view.scale[:, None, None])
        weight = 1 / (1 + (error * error).sum(1, keepdim=True))
        # Without slope: a lifter could else call keypoints astray that it has wrong.
        weight = (weight * weight).clamp(min=_LEAST_WEIGHT).detach()
        return Keypoints.of(self.view.weighted(weight))


@dataclass(frozen=True, eq=False)
class Posed:
    """A pose against the keypoints, in sizes; ``geometry.root.solve_root`` has the derivation.

    pose     (N, 3, J); ``depth`` (N, 1, J) its third row
    aside    (N, 2, J) the right sides of the joints' rows about their mean
    of_size  (N, 3, 1) where the root is at size 1, but for what the depth adds
    ratio    (N, 1, 1) of depth to size that the keypoints give
    """

    keypoints: Keypoints
    pose: Tensor
    depth: Tensor
    aside: Tensor
    of_size: Tensor
    ratio: Tensor

    @classmethod
    def of(cls, keypoints: Keypoints, pose: Tensor) -> "Posed":
        """Of poses (N, J, 3) in the view."""
        pose = pose.mT
        across, depth = torch.split(pose, [2, 1], 1)
        right = keypoints.rays * depth - across
        offset = right @ keypoints.view.share.mT
        ratio = (keypoints.lever * right).sum((1, 2), keepdim=True).clamp(min=_SMALLEST_RATIO)
        of_size = torch.cat([offset, keypoints.zero], 1)
        return cls(keypoints, pose, depth, right - offset, of_size, ratio)

    def residual(self, ratio: Tensor) -> Tensor:
        """Rays (N, 2, J) less the projections of the person at a ratio (N, 1, 1)."""
        depth = (self.depth + ratio).clamp(min=_SMALLEST_RATIO)
        return (self.aside + self.keypoints.around * ratio) / depth
