"""How large and how far a person is: reprojection, the lifter's guess and a robot's cues together.

Networks give poses in sizes of the person (``cues.py`` says what a size is), for that is what
keypoints show. The rows here fix the size and the root's depth, each with its variance.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from erd_ros.cues import ANKLE_HEIGHT, CUES, LEG, SPINE
from erd_ros.geometry.root import root_line
from erd_ros.geometry.size import Row, SizeAndDepth, solve_size_and_depth
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

    own_size, own_size_variance  (N,) what all rows but the cue ``size`` say
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
    """Solves size and depth of poses; what it learns is how far its own rows can be trusted."""

    def __init__(self, skeleton: Skeleton) -> None:
        super().__init__()
        self.ankles = [skeleton.index(f"{side}_{LEG[-1]}") for side in ("left", "right")]
        # Relative deviation of the depth that the keypoints give; deviation of an ankle's height.
        self.log_depth_deviation = nn.Parameter(torch.tensor(-4.0))
        self.log_ankle_deviation = nn.Parameter(torch.tensor(-3.5))

    def forward(self, view: View, pose: Tensor, prior: Prior, cues: Tensor) -> Sized:
        """Poses (N, J, 3) in sizes, in the view, with cues (N, C) in the camera frame."""
        offset, slope, ratio = root_line(view.rays, pose, view.confidence)
        ratio = ratio.clamp(min=_SMALLEST_RATIO)
        of_size = torch.stack([*offset, torch.zeros_like(ratio)], -1)
        of_depth = torch.stack([*slope, torch.ones_like(ratio)], -1)
        guess, both = _size_rows(prior, cues)
        seen = view.from_camera(torch.tensor([0.0, 0.0, 1.0]).to(pose).expand(pose.shape[0], 1, 3))
        shared = [
            self._keypoint_row(ratio, prior),
            _depth_row(seen[:, 0], of_size, of_depth, cues),
        ]
        solved = solve_size_and_depth([*shared, *both])
        feet = [
            self._foot_row(view, pose[:, ankle] + of_size, of_depth, ratio * solved.size, cues)
            for ankle in self.ankles
        ]
        standing = (view.confidence[:, self.ankles] > 0).to(pose).unbind(-1)
        weighed: list[Row] = []
        for _ in range(_ROUNDS):
            weighed = [
                Row(row.of_size, row.of_depth, row.value, row.information * here * near)
                for row, here, near in zip(feet, standing, _near(feet, solved), strict=True)
            ]
            solved = solve_size_and_depth([*shared, *both, *weighed])
        own = solve_size_and_depth([*shared, guess, *weighed])
        root = solved.size[:, None] * of_size + solved.depth[:, None] * of_depth
        variances = solved.size_variance, solved.depth_variance
        return Sized(root, solved.size, *variances, own.size, own.size_variance)

    def _keypoint_row(self, ratio: Tensor, prior: Prior) -> Row:
        """The depth that the keypoints give a person of one size; it errs in proportion."""
        deviation = self.log_depth_deviation.exp() * ratio * prior.log_size.exp()
        return Row(-ratio, torch.ones_like(ratio), torch.zeros_like(ratio), 1 / deviation.square())

    def _foot_row(
        self, view: View, of_size: Tensor, of_depth: Tensor, distance: Tensor, cues: Tensor
    ) -> Row:
        """An ankle's height above the ground; a tilt errs in proportion to the distance."""
        up = view.from_camera(cues[:, None, _UP])[:, 0]
        known, camera_height = _known(cues, "camera_height_variance", "camera_height")
        variance = (
            (2 * self.log_ankle_deviation).exp()
            + cues[:, _COLUMN["camera_height_variance"]]
            + cues[:, _COLUMN["tilt_variance"]] * distance.square()
        )
        information = torch.where(known > 0, 1 / variance, torch.zeros_like(variance))
        return Row(
            (up * of_size).sum(-1),
            (up * of_depth).sum(-1),
            ANKLE_HEIGHT - camera_height,
            information,
        )


def _size_rows(prior: Prior, cues: Tensor) -> tuple[Row, list[Row]]:
    """The lifter's guess of the size alone; and what of it is left beside the cue, with that."""
    one, zero = torch.ones_like(prior.log_size), torch.zeros_like(prior.log_size)
    guess = prior.log_size.exp()
    guessed = 1 / (prior.log_deviation.exp() * guess).square()
    known, size = _known(cues, "size_variance", "size")
    # A size that a frame before found has this person's guess in it: not counted twice.
    unknown = (guessed - known).clamp(min=0)
    return Row(one, zero, guess, guessed), [
        Row(one, zero, guess, unknown),
        Row(one, zero, size, known),
    ]


def _depth_row(seen: Tensor, of_size: Tensor, of_depth: Tensor, cues: Tensor) -> Row:
    """The root's z in the camera; ``seen`` (N, 3) is the camera's axis in the view."""
    known, depth = _known(cues, "depth_variance", "depth")
    return Row((seen * of_size).sum(-1), (seen * of_depth).sum(-1), depth, known)


def _known(cues: Tensor, variance: str, value: str) -> tuple[Tensor, Tensor]:
    """Information and value of a cue, 0 and 0 where it is absent."""
    information = 1 / cues[:, _COLUMN[variance]]
    values = cues[:, _COLUMN[value]]
    return information, torch.where(information > 0, values, torch.zeros_like(values))


def _near(feet: list[Row], solved: SizeAndDepth) -> list[Tensor]:
    """Weights of ankles by how far above the ground they come to lie: Cauchy's, upwards alone."""
    weights = []
    for row in feet:
        above = (row.of_size * solved.size + row.of_depth * solved.depth - row.value).clamp(min=0)
        expected = (
            1 / row.information.clamp(min=_SMALLEST_INFORMATION)
            + row.of_size.square() * solved.size_variance
            + row.of_depth.square() * solved.depth_variance
            + 2 * row.of_size * row.of_depth * solved.covariance
        )
        weights.append(1 / (1 + above.square() / expected))
    return weights
