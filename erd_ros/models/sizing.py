"""How large and how far a person is: reprojection, the lifter's guess and a robot's cues together.

Networks give poses in sizes of the person (``cues.py`` says what a size is), for that is what
keypoints show. The rows here fix the size and the root's depth, each with its variance.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from erd_ros.cues import ANKLE_HEIGHT, CUES, LEG, SPINE
from erd_ros.geometry.root import root_line
from erd_ros.models.size import SizeAndDepth, SizeAndDepthSolver
from erd_ros.models.view import View
from erd_ros.skeleton import Skeleton

_COLUMN = {name: index for index, name in enumerate(CUES)}
_UP = slice(_COLUMN["up_x"], _COLUMN["up_z"] + 1)
_FEET = 5  # the first of their rows
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
    """A person in metres: joints (N, J, 3) and root (N, 3) in the view, and how sure they are.

    solution                     (N, 2) size and depth
    variances                    (N, 2) of both
    own_size, own_size_variance  (N,) what this image measures: no guess, no size that was told
    """

    joints: Tensor
    root: Tensor
    solution: Tensor
    variances: Tensor
    own_size: Tensor
    own_size_variance: Tensor

    @property
    def size(self) -> Tensor:
        """(N,)."""
        return self.solution[:, 0]

    @property
    def size_variance(self) -> Tensor:
        """(N,)."""
        return self.variances[:, 0]

    @property
    def depth_variance(self) -> Tensor:
        """(N,)."""
        return self.variances[:, 1]


@dataclass(frozen=True, eq=False)
class _Points:
    """Of N persons one row per coordinate: so a runtime goes through all joints at a stretch.

    pose      (N, 3, J) in sizes
    rays      (N, 2, J)
    of_size   (N, 3, 1) and ``of_depth`` (N, 3, 1): the root is size and depth times these
    ratio     (N, 1, 1) of depth to size that the keypoints give
    """

    pose: Tensor
    rays: Tensor
    of_size: Tensor
    of_depth: Tensor
    ratio: Tensor

    @classmethod
    def of(cls, view: View, pose: Tensor) -> "_Points":
        """Of poses (N, J, 3) in the view."""
        pose, rays = pose.mT, view.rays.mT
        offset, slope, ratio = root_line(rays, pose, view.confidence)
        zero, one = _constants(view.confidence[:, None])
        of_size, of_depth = torch.cat([offset, zero], 1), torch.cat([slope, one], 1)
        return cls(pose, rays, of_size, of_depth, ratio.clamp(min=_SMALLEST_RATIO))


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


@dataclass(frozen=True, eq=False)
class _Told:
    """The cues, each (N, 1) but ``up`` (N, 3, 1); information and value are 0 where absent.

    of_size, of_depth  information, 1/m^2, of size and depth
    """

    size: Tensor
    depth: Tensor
    camera_height: Tensor
    of_size: Tensor
    of_depth: Tensor
    height_variance: Tensor
    tilt_variance: Tensor
    up: Tensor

    @classmethod
    def of(cls, cues: Tensor) -> "_Told":
        """Of rows (N, C)."""

        def column(name: str) -> Tensor:
            return cues[:, _COLUMN[name] : _COLUMN[name] + 1]

        def known(name: str) -> tuple[Tensor, Tensor]:
            information = 1 / column(f"{name}_variance")
            return torch.where(information > 0, column(name), 0.0), information

        (size, of_size), (depth, of_depth) = known("size"), known("depth")
        (height, _), variance = known("camera_height"), column("camera_height_variance")
        tilt = column("tilt_variance")
        return cls(size, depth, height, of_size, of_depth, variance, tilt, cues[:, _UP, None])


class Sizing(nn.Module):
    """Solves size and depth of poses; what it learns is how far its own rows can be trusted.

    The depth that keypoints give is surer the more joints are seen, the wider they reach over the
    body and the better they fit: its relative deviation is a product of learned powers of these.
    """

    ankles: Tensor

    def __init__(self, skeleton: Skeleton) -> None:
        super().__init__()
        ankles = [skeleton.index(f"{side}_{LEG[-1]}") for side in ("left", "right")]
        self.register_buffer("ankles", torch.tensor(ankles), persistent=False)
        # Of a person all of whom is seen; then the powers of joints, reach and misfit.
        self.log_depth_deviation = nn.Parameter(torch.tensor(-3.5))
        self.powers = nn.Parameter(torch.tensor([-0.5, -1.0, 0.5]))
        self.log_ankle_deviation = nn.Parameter(torch.tensor(-3.0))

    def forward(self, view: View, pose: Tensor, prior: Prior, cues: Tensor) -> Sized:
        """Poses (N, J, 3) in sizes, in the view, with cues (N, C) in the camera frame."""
        points, told = _Points.of(view, pose), _Told.of(cues)
        rows = self._rows(view, points, prior, told)
        solver = SizeAndDepthSolver(rows)
        always, own = self._information(self._deviation(view, points), prior, told)
        zero, _ = _constants(view.confidence)
        # Feet are weighed once their distance is known, and anew once their height is.
        solved = solver.solve(torch.cat([*always, zero, zero], -1))
        standing = (view.confidence.index_select(1, self.ankles) > 0).to(pose)
        distance = points.ratio[:, 0] * solved.solution[:, 0, :1]
        on_ground = standing * self._of_feet(distance, told)
        weighed = on_ground
        for _ in range(_ROUNDS):
            weighed = on_ground * _near(rows[..., _FEET:], on_ground, solved)
            solved = solver.solve(torch.cat([*always, weighed], -1))
        alone = solver.solve(torch.cat([*own, weighed], -1))
        size, depth = solved.solution[..., :1], solved.solution[..., 1:2]
        own_size, own_variance = alone.solution[:, 0, 0], alone.variances[:, 0]
        measured = own_variance < _NOTHING_MEASURED
        return Sized(
            joints=(size * points.pose).mT,
            root=(size * points.of_size + depth * points.of_depth).squeeze(-1),
            solution=solved.solution[:, 0, :2],
            variances=solved.variances[:, :2],
            own_size=torch.where(measured, own_size, size[:, 0, 0]),
            own_size_variance=torch.where(measured, own_variance, _NOTHING_MEASURED),
        )

    def _rows(self, view: View, points: _Points, prior: Prior, told: _Told) -> Tensor:
        """Rows (N, 3, 7): the guess, the depth itself, keypoints, size, depth, both ankles.

        The second has no information: it asks for the variance of the depth. The first does for
        that of the size.
        """
        zero, one = _constants(view.confidence[:, None])
        axis, up = view.rotation_camera_to_view[..., 2:], view.rotation_camera_to_view @ told.up
        ankles = points.pose.index_select(2, self.ankles) + points.of_size
        across, along = axis.mT @ points.of_size, axis.mT @ points.of_depth
        heights, slope = up.mT @ ankles, up.mT @ points.of_depth
        ground = (told.camera_height - ANKLE_HEIGHT)[:, None]
        guess = prior.log_size[:, None, None].exp()
        told_size, told_depth = told.size[:, None], told.depth[:, None]
        of_size = torch.cat([one, zero, points.ratio, one, across, heights], -1)
        of_depth = torch.cat([zero, one, -one, zero, along, slope, slope], -1)
        constant = torch.cat([-guess, zero, zero, -told_size, -told_depth, ground, ground], -1)
        return torch.cat([of_size, of_depth, constant], 1)

    def _deviation(self, view: View, points: _Points) -> Tensor:
        """(N, 1) of the depth that the keypoints give a person of size one."""
        joints = view.confidence.sum(-1, keepdim=True)
        share = (view.confidence / joints.clamp(min=_FEWEST))[:, None]
        placed = points.pose + (points.of_size + points.of_depth * points.ratio)
        offset = placed[:, :2] / placed[:, 2:].clamp(min=_SMALLEST_RATIO) - points.rays
        misfit = (share * offset.square()).sum((1, 2))
        centred = points.pose - (share * points.pose).sum(-1, keepdim=True)
        reach = (share * centred.square()).sum((1, 2))
        squares = [
            (joints / _ALL_JOINTS).square(),
            reach[:, None] / _WHOLE_REACH**2,
            (misfit / (_USUAL_MISFIT * view.scale).square())[:, None],
        ]
        # Bounded before the logarithm: a perfect fit would have an infinite slope.
        logs = torch.cat(squares, -1).clamp(min=_FEWEST**2).log()
        log_deviation = self.log_depth_deviation + logs @ (self.powers[:, None] / 2)
        return points.ratio[:, 0] * log_deviation.clamp(*_LOG_DEVIATION).exp()

    def _information(
        self, deviation: Tensor, prior: Prior, told: _Told
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Of all rows but the ankles', each (N, 1); the same without guess and cue of the size."""
        guess = prior.log_size[:, None].exp()
        keypoints = 1 / (deviation * guess).square()
        guessed = 1 / (prior.log_deviation[:, None].exp() * guess).square()
        zero = torch.zeros_like(guess)
        return (
            [guessed, zero, keypoints, told.of_size, told.of_depth],
            [zero, zero, keypoints, zero, told.of_depth],
        )

    def _of_feet(self, distance: Tensor, told: _Told) -> Tensor:
        """Information (N, 1) of an ankle's height; a tilt errs in proportion to the distance.

        None where the height above the ground is not known: its variance is infinite.
        """
        own = (2 * self.log_ankle_deviation).exp()
        return 1 / (own + told.height_variance + told.tilt_variance * distance.square())


def _constants(like: Tensor) -> tuple[Tensor, Tensor]:
    """Zeros and ones (..., 1): from an input, so that all steps of an exported graph share them."""
    column = like[..., :1]
    return torch.zeros_like(column), torch.ones_like(column)


def _near(feet: Tensor, information: Tensor, solved: SizeAndDepth) -> Tensor:
    """Weights (N, 2) by how far above the ground ankles come to lie: Geman and McClure's.

    feet  (N, 3, 2) their rows
    """
    above = solved.excess(feet).clamp(min=0)
    expected = 1 / information.clamp(min=_SMALLEST_INFORMATION) + solved.variances[:, _FEET:]
    weights: Tensor = (expected / (expected + above.square())).square()
    return weights
