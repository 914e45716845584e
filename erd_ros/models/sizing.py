"""How large and how far a person is: reprojection, the lifter's guess and a robot's cues together.

Networks give poses in sizes of the person (``cues.py`` says what a size is), for that is what
keypoints show. The rows here fix the size and the root's depth, each with its variance.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from erd_ros.cues import ANKLE_HEIGHT, CUES, LEG, SPINE
from erd_ros.geometry.root import root_line
from erd_ros.geometry.size import Rows, SizeAndDepth, SizeAndDepthSolver
from erd_ros.models.view import View
from erd_ros.skeleton import Skeleton

_COLUMN = {name: index for index, name in enumerate(CUES)}
_UP = [_COLUMN[name] for name in ("up_x", "up_y", "up_z")]
# Solved anew this many times with feet that stand too high for the ground counting less.
_ROUNDS = 2
# Keeps a size of nonsense, before a network has learned anything, in the finite.
_LOG_SIZE = (-1.6, 1.6)
_LOG_DEVIATION = (-5.0, 0.0)
_SMALLEST_RATIO = 0.1  # of depth to size: nearer nobody is seen as a person
# What the depth's deviation is measured against: most of a person, well seen.
_ALL_JOINTS, _WHOLE_REACH, _USUAL_MISFIT = 12.0, 0.3, 0.05
_FEWEST = 0.02  # of each of these
_NOTHING_MEASURED = 1e4  # variance, m^2, of a size of which the image says nothing
_SMALLEST_INFORMATION = 1e-6  # of a row that is absent: its weight does not matter


@dataclass(frozen=True, eq=False)
class Prior:
    """The lifter's guess of the size: mean (N,) and standard deviation (N,) of its logarithm."""

    log_size: Tensor
    log_deviation: Tensor

    @classmethod
    def of(cls, log_size: Tensor, log_deviation: Tensor) -> "Prior":
        """Of what a network gives, within bounds."""
        return cls(log_size.clamp(*_LOG_SIZE), log_deviation.clamp(*_LOG_DEVIATION))

    def detach(self) -> "Prior":
        """The same without gradients."""
        return Prior(self.log_size.detach(), self.log_deviation.detach())


@dataclass(frozen=True, eq=False)
class Sized:
    """A person in metres: root (N, 3) in the view, size (N,), variances (N,) of size and depth.

    own_size, own_size_variance  (N,) what this image measures: no guess, no size that was told
    """

    root: Tensor
    size: Tensor
    size_variance: Tensor
    depth_variance: Tensor
    own_size: Tensor
    own_size_variance: Tensor


def no_cues(persons: int, like: Tensor) -> Tensor:
    """Cues (N, C) that say nothing, on the device of another tensor."""
    row = torch.zeros(len(CUES), dtype=like.dtype, device=like.device)
    for name in ("size_variance", "camera_height_variance", "depth_variance"):
        row[_COLUMN[name]] = torch.inf
    return row.expand(persons, -1)


def size_of(joints: Tensor, skeleton: Skeleton) -> Tensor:
    """Size (...) of poses (..., J, 3): the lengths from ankle to head top along the body."""

    def length(*names: str) -> Tensor:
        chain = joints[..., [skeleton.index(name) for name in names], :]
        bones: Tensor = torch.linalg.vector_norm(chain.diff(dim=-2), dim=-1).sum(-1)
        return bones

    legs = [length(*(f"{side}_{part}" for part in LEG)) for side in ("left", "right")]
    return length(*SPINE) + (legs[0] + legs[1]) / 2


class Sizing(nn.Module):
    """Solves size and depth of poses; what it learns is how far its own rows can be trusted.

    The depth that keypoints give is surer the more joints are seen, the wider they reach over the
    body and the better they fit: its relative deviation is a product of learned powers of these.
    """

    def __init__(self, skeleton: Skeleton) -> None:
        super().__init__()
        self.ankles = [skeleton.index(f"{side}_{LEG[-1]}") for side in ("left", "right")]
        # Of a person all of whom is seen; then the powers of joints, reach and misfit.
        self.log_depth_deviation = nn.Parameter(torch.tensor(-3.5))
        self.powers = nn.Parameter(torch.tensor([-0.5, -1.0, 0.5]))
        self.log_ankle_deviation = nn.Parameter(torch.tensor(-3.0))

    def forward(self, view: View, pose: Tensor, prior: Prior, cues: Tensor) -> Sized:
        """Poses (N, J, 3) in sizes, in the view, with cues (N, C) in the camera frame."""
        offset, slope, ratio = root_line(view.rays, pose, view.confidence)
        ratio = ratio[:, None].clamp(min=_SMALLEST_RATIO)
        zero, one = _constants(cues)
        of_size = torch.cat([offset, zero], -1)
        of_depth = torch.cat([slope, one], -1)
        rows, feet = self._rows(view, pose, (of_size, of_depth, ratio), prior, cues)
        solver = SizeAndDepthSolver(rows)
        deviation = ratio * self._relative_deviation(view, pose, (of_size, of_depth, ratio))
        always, own = self._information(deviation, prior, cues)
        # Feet are weighed once their distance is known, and anew once their height is.
        solved = solver.solve(torch.cat([always, zero, zero], -1))
        standing = (view.confidence[:, self.ankles] > 0).to(pose)
        on_ground = standing * self._of_feet(ratio * solved.size, cues)
        weighed = on_ground
        for _ in range(_ROUNDS):
            weighed = on_ground * _near(feet, on_ground, solved)
            solved = solver.solve(torch.cat([always, weighed], -1))
        alone = solver.solve(torch.cat([own, weighed], -1))
        measured = alone.size_variance < _NOTHING_MEASURED
        columns = (
            solved.size, solved.size_variance, solved.depth_variance,
            torch.where(measured, alone.size, solved.size),
            torch.where(measured, alone.size_variance, _NOTHING_MEASURED),
        )  # fmt: skip
        root = solved.size * of_size + solved.depth * of_depth
        return Sized(root, *(column.squeeze(-1) for column in columns))

    def _rows(
        self,
        view: View,
        pose: Tensor,
        line: tuple[Tensor, Tensor, Tensor],
        prior: Prior,
        cues: Tensor,
    ) -> tuple[Rows, Rows]:
        """Rows (N, 6): keypoints, the guess, the size, the depth, both ankles; and those alone.

        line  ``of_size`` and ``of_depth`` (N, 3) of the root, and the ratio (N, 1) of both
        """
        of_size, of_depth, ratio = line
        zero, one = _constants(cues)
        axis = torch.cat([zero, zero, one], -1)
        seen, up = view.from_camera(torch.stack([axis, cues[:, _UP]], 1)).unbind(1)
        _, size = _known(cues, "size_variance", "size")
        _, depth = _known(cues, "depth_variance", "depth")
        _, camera_height = _known(cues, "camera_height_variance", "camera_height")
        feet = Rows(
            (up[:, None] * (pose[:, self.ankles] + of_size[:, None])).sum(-1),
            (up * of_depth).sum(-1, keepdim=True),
            ANKLE_HEIGHT - camera_height,
        )
        along, across = ((seen * part).sum(-1, keepdim=True) for part in (of_depth, of_size))
        rows = Rows(
            torch.cat([-ratio, one, one, across, feet.of_size], -1),
            torch.cat([one, zero, zero, along, *2 * (feet.of_depth,)], -1),
            torch.cat([zero, prior.log_size[:, None].exp(), size, depth, *2 * (feet.value,)], -1),
        )
        return rows, feet

    def _relative_deviation(
        self, view: View, pose: Tensor, line: tuple[Tensor, Tensor, Tensor]
    ) -> Tensor:
        """(N, 1) of the depth that the keypoints give; ``line`` as in ``_rows``."""
        of_size, of_depth, ratio = line
        joints = view.confidence.sum(-1, keepdim=True)
        share = (view.confidence / joints.clamp(min=_FEWEST))[..., None]
        points = pose + (of_size + of_depth * ratio)[:, None]
        offset = points[..., :2] / points[..., 2:].clamp(min=_SMALLEST_RATIO) - view.rays
        misfit = (share * offset.square()).sum((1, 2))[:, None]
        centred = pose - (share * pose).sum(1, keepdim=True)
        reach = (share * centred.square()).sum((1, 2))[:, None]
        squares = [
            (joints / _ALL_JOINTS).square(),
            reach / _WHOLE_REACH**2,
            misfit / (_USUAL_MISFIT * view.scale[:, None]).square(),
        ]
        # Bounded before the logarithm: a perfect fit would have an infinite slope.
        logs = torch.cat([one.clamp(min=_FEWEST**2).log() / 2 for one in squares], -1)
        log_deviation = self.log_depth_deviation + (logs * self.powers).sum(-1, keepdim=True)
        return log_deviation.clamp(*_LOG_DEVIATION).exp()

    def _information(self, deviation: Tensor, prior: Prior, cues: Tensor) -> tuple[Tensor, Tensor]:
        """Of all rows (N, 4) but the ankles'; and the same without guess and cue of the size.

        deviation  (N, 1) of the depth that the keypoints give a person of size one
        """
        guess = prior.log_size[:, None].exp()
        keypoints = 1 / (deviation * guess).square()
        guessed = 1 / (prior.log_deviation[:, None].exp() * guess).square()
        size, _ = _known(cues, "size_variance", "size")
        depth, _ = _known(cues, "depth_variance", "depth")
        nothing, _ = _constants(cues)
        return (
            torch.cat([keypoints, guessed, size, depth], -1),
            torch.cat([keypoints, nothing, nothing, depth], -1),
        )

    def _of_feet(self, distance: Tensor, cues: Tensor) -> Tensor:
        """Information (N, 1) of an ankle's height; a tilt errs in proportion to the distance."""
        height = _column(cues, "camera_height_variance")
        variance = (
            (2 * self.log_ankle_deviation).exp()
            + height
            + _column(cues, "tilt_variance") * distance.square()
        )
        return torch.where(1 / height > 0, 1 / variance, 0.0)


def _known(cues: Tensor, variance: str, value: str) -> tuple[Tensor, Tensor]:
    """Information and value (N, 1) of a cue, 0 and 0 where it is absent."""
    information, values = 1 / _column(cues, variance), _column(cues, value)
    return information, torch.where(information > 0, values, 0.0)


def _constants(cues: Tensor) -> tuple[Tensor, Tensor]:
    """Zeros and ones (N, 1): from the cues, for then all steps of an exported graph share them."""
    column = cues[:, :1]
    return torch.zeros_like(column), torch.ones_like(column)


def _column(cues: Tensor, name: str) -> Tensor:
    """(N, 1)."""
    index = _COLUMN[name]
    return cues[:, index : index + 1]


def _near(feet: Rows, information: Tensor, solved: SizeAndDepth) -> Tensor:
    """Weights (N, 2) by how far above the ground ankles come to lie: Geman and McClure's."""
    height = feet.of_size * solved.size + feet.of_depth * solved.depth
    above = (height - feet.value).clamp(min=0)
    expected = (
        1 / information.clamp(min=_SMALLEST_INFORMATION)
        + feet.of_size.square() * solved.size_variance
        + feet.of_depth.square() * solved.depth_variance
        + 2 * feet.of_size * feet.of_depth * solved.covariance
    )
    weights: Tensor = 1 / (1 + above.square() / expected).square()
    return weights
