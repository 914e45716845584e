"""How large and how far a person is: reprojection, the lifter's guess and a robot's cues together.

Networks give poses in sizes of the person (``cues.py`` says what a size is), for that is what
keypoints show. The rows here fix the size and the root's depth, each with its variance.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from erd_ros.cues import LEG, SPINE
from erd_ros.models.known import Known, Told
from erd_ros.models.posed import Posed
from erd_ros.models.size import SizeAndDepth, SizeAndDepthSolver
from erd_ros.skeleton import Skeleton

_FEET = 4  # the first of their rows
_LOG_DEVIATION = (-5.0, 0.0)
_SMALLEST = 0.1  # size and depth of anybody, metres
# What the depth's deviation is measured against: most of a person, well seen.
_ALL_JOINTS, _WHOLE_REACH, _USUAL_MISFIT = 12.0, 0.3, 0.05
_FEWEST = 0.02  # of each of these
_NOTHING_MEASURED = 1e4  # variance, m^2, of a size of which the image says nothing
_NOTHING_KNOWN = 1e30  # variance, m^2, of ankles above a ground that nobody knows


def size_of(joints: Tensor, skeleton: Skeleton) -> Tensor:
    """Size (...) of poses (..., J, 3): the lengths from ankle to head top along the body."""

    def length(*names: str) -> Tensor:
        chain = joints[..., [skeleton.index(name) for name in names], :]
        bones: Tensor = torch.linalg.vector_norm(chain.diff(dim=-2), dim=-1).sum(-1)
        return bones

    legs = [length(*(f"{side}_{part}" for part in LEG)) for side in ("left", "right")]
    return length(*SPINE) + (legs[0] + legs[1]) / 2


@dataclass(frozen=True, eq=False)
class Sized:
    """A person in metres, in the view, and how sure that is."""

    solved: SizeAndDepth
    posed: Posed
    _solver: SizeAndDepthSolver
    _own_information: Tensor

    @property
    def joints(self) -> Tensor:
        """(N, J, 3) relative to the root."""
        return (self.solved.solution[:, :1] * self.posed.pose).mT

    @property
    def root(self) -> Tensor:
        """(N, 3)."""
        size, depth = self.solved.solution[:, :1], self.solved.solution[:, 1:2]
        return (size * self.posed.of_size + depth * self.posed.keypoints.of_depth).squeeze(-1)

    @property
    def size(self) -> Tensor:
        """(N,)."""
        return self.solved.solution[:, 0, 0]

    @property
    def size_variance(self) -> Tensor:
        """(N,)."""
        return self.solved.variances[:, 0, 0]

    @property
    def depth_variance(self) -> Tensor:
        """(N,)."""
        return self.solved.variances[:, 1, 0]

    @property
    def within(self) -> Tensor:
        """(N, 2, 1) size and depth, above 0."""
        return self.solved.solution[:, :2].clamp(min=_SMALLEST)

    @property
    def residual(self) -> Tensor:
        """(N, 2, J) rays less their reprojection, in the view."""
        size, depth = torch.split(self.within, [1, 1], 1)
        return self.posed.residual(depth / size)

    def own_size(self) -> tuple[Tensor, Tensor]:
        """(N, 1) what this image measures, without guess and cue of the size; and its deviation."""
        alone = self._solver.solve(self._own_information)
        variance = alone.variances[:, 0].clamp(max=_NOTHING_MEASURED)
        measured = variance < _NOTHING_MEASURED
        size = torch.where(measured, alone.solution[:, 0], self.solved.solution[:, 0])
        return size, variance.sqrt()


class Sizing(nn.Module):
    """Solves size and depth of poses; what it learns is how far its own rows can be trusted.

    The depth that keypoints give is surer the more joints are seen, the wider they reach over the
    body and the better they fit: its relative deviation is a product of learned powers of these.
    """

    ankles: Tensor
    spreads: Tensor

    def __init__(self, skeleton: Skeleton) -> None:
        super().__init__()
        ankles = [skeleton.index(f"{side}_{LEG[-1]}") for side in ("left", "right")]
        self.register_buffer("ankles", torch.tensor(ankles), persistent=False)
        # Sums three squares of the pose and two of the residual.
        spreads = torch.zeros(2, 5)
        spreads[0, :3], spreads[1, 3:] = 1 / _WHOLE_REACH**2, 1 / _USUAL_MISFIT**2
        self.register_buffer("spreads", spreads, persistent=False)
        # Of a person all of whom is seen; then the powers of joints, reach and misfit.
        self.log_depth_deviation = nn.Parameter(torch.tensor(-3.5))
        self.powers = nn.Parameter(torch.tensor([-0.5, -1.0, 0.5]))
        self.log_ankle_deviation = nn.Parameter(torch.tensor(-3.0))

    def forward(self, known: Known, pose: Tensor, before: SizeAndDepth | None = None) -> Sized:
        """Poses (N, J, 3) in sizes, in the view; ``before`` is the last solution."""
        posed = Posed.of(known.keypoints, pose)
        rows = self._rows(known, posed)
        told, zero = known.told, known.keypoints.zero
        keypoints = self._of_keypoints(posed, told.guess)
        always = torch.cat([told.of_size, zero, keypoints, told.of_depth], 1)
        if before is None:
            before = SizeAndDepthSolver(rows).solve(torch.cat([always, zero, zero], 1))
        # Feet that stand too high for the ground count less, anew at every step.
        excess = before.excess(rows[..., _FEET:])
        of_tilt, variance = self._of_heights(told, posed.ratio * before.solution[:, :1])
        feet = self._standing(known) * _near(excess, variance, before)
        turned = _turned(known, rows, excess * (of_tilt / variance), before)
        solver = SizeAndDepthSolver(turned)
        solved = solver.solve(torch.cat([always, feet], 1))
        own = torch.cat([zero, zero, keypoints, told.of_depth, feet], 1)
        return Sized(solved, posed, solver, own)

    def _rows(self, known: Known, posed: Posed) -> Tensor:
        """Rows (N, 3, 6) in the order of ``Known.rows``.

        The second has no information: it asks for the variance of the depth. The first does for
        that of the size.
        """
        keypoints = known.keypoints
        ankles = posed.pose.index_select(2, self.ankles) + posed.of_size
        across, heights = known.axis.mT @ posed.of_size, known.up.mT @ ankles
        of_size = torch.cat([keypoints.one, keypoints.zero, posed.ratio, across, heights], -1)
        return torch.cat([of_size, known.rows], 1)

    def _of_keypoints(self, posed: Posed, guess: Tensor) -> Tensor:
        """Information (N, 1, 1), 1/m^2, of the depth that keypoints give a person of the guess."""
        view = posed.keypoints.view
        share = view.share.mT
        centred = posed.pose - posed.pose @ share
        misfit = posed.residual(posed.ratio) / view.scale[:, None, None]
        both = torch.cat([centred, misfit], 1)
        joints = view.confidence[:, None].sum(-1, keepdim=True) / _ALL_JOINTS
        squares = torch.cat([joints * joints, self.spreads @ ((both * both) @ share)], 1)
        # Bounded before the logarithm: a perfect fit would have an infinite slope.
        logs = squares.clamp(min=_FEWEST**2).log()
        relative = self.log_depth_deviation + (self.powers[None] / 2) @ logs
        across = posed.ratio * guess
        deviation = relative.clamp(*_LOG_DEVIATION).exp() * across
        return 1 / (deviation * deviation)

    def _of_heights(self, told: Told, distance: Tensor) -> tuple[Tensor, Tensor]:
        """Variance (N, 1, 1), m^2, of ankles so far away: by tilt; of all."""
        of_tilt = told.tilt_variance * (distance * distance)
        own = (2 * self.log_ankle_deviation).exp()
        return of_tilt, (of_tilt + (told.height_variance + own)).clamp(max=_NOTHING_KNOWN)

    def _standing(self, known: Known) -> Tensor:
        """(N, 2, 1): 1 for an ankle that is seen."""
        seen = known.keypoints.view.confidence[..., None].index_select(1, self.ankles) > 0
        return seen.to(known.rows)


def _turned(known: Known, rows: Tensor, by_tilt: Tensor, before: SizeAndDepth) -> Tensor:
    """The rows (N, 3, 6) with the ankles turned by as much as the tilt seems to err.

    by_tilt  (N, 2, 1) how far ankles of the last solution are off for the tilt's sake, metres

    The tilt's error stands in the coefficients, of which least squares takes the squares: rows that
    say near would count more than those that say far, and everybody would be pulled nearer, the
    more so the worse the tilt is known. Gauss and Newton's rows of the angle, whose variance is the
    same whatever the size, have the coefficients without the error; at the last solution both
    agree.
    """
    depth = before.solution[:, 1:2].clamp(min=_SMALLEST)
    turn = torch.cat([known.keypoints.zero, -1 / depth, known.keypoints.one], 1)
    feet = rows[..., _FEET:] + turn * by_tilt.mT
    return torch.cat([rows[..., :_FEET], feet], -1)


def _near(excess: Tensor, variance: Tensor, solved: SizeAndDepth) -> Tensor:
    """Information (N, 2, 1) by how far above the ground ankles come to lie: Geman and McClure's.

    excess  (N, 2, 1) metres above it, of the last solution
    """
    above = excess.clamp(min=0)
    expected = variance + solved.variances[:, _FEET:]
    weight = expected / (expected + above * above)
    return weight * weight / variance
