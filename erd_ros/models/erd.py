"""The graph: normalise, lift, then descend along reprojection residuals (ERD paper 3).

Training, export and the PyTorch backend run this one module; nobody writes the loop again.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import islice

import torch
from torch import Tensor, nn

from erd_ros.errors import InputError
from erd_ros.geometry.root import solve_root
from erd_ros.models.linear import LIFTERS, LifterConfig, RegressorConfig, ResidualRegressor
from erd_ros.models.view import View, look_at_person

# x and y of the direction to the person, and the logarithm of the person's scale in the view.
_CONTEXT = 3
# The logarithm of the scale, from 1 to 10 m away, has about this mean and deviation.
_LOG_SCALE_MEAN, _LOG_SCALE_DEVIATION = -2.0, 0.7
# Reprojection divides by depth; the bounds keep poses that pass through the camera finite.
_SMALLEST_DEPTH = 0.1
_LARGEST_RESIDUAL = 2.0
# The root does not deviate from itself.
_SMALLEST_DEVIATION = 1e-3


@dataclass(frozen=True)
class ModelConfig:
    """Which lifter, and how many residual regressors follow it.

    Raises InputError that lists the choices for an unknown lifter.
    """

    lifter: str = "linear"
    lifter_size: LifterConfig = field(default_factory=LifterConfig)
    steps: int = 4
    regressor_size: RegressorConfig = field(default_factory=RegressorConfig)

    def __post_init__(self) -> None:
        if self.lifter not in LIFTERS:
            raise InputError(f"unknown lifter '{self.lifter}'; choose one of {', '.join(LIFTERS)}")
        if self.steps < 0:
            raise InputError(f"steps is {self.steps}, expected 0 or more")


@dataclass(frozen=True, eq=False)
class Estimate:
    """A pose after one step: joints (N, J, 3) relative to the root, root (N, 3); metres."""

    joints: Tensor
    root: Tensor


class ErdModel(nn.Module):
    """Rays (N, J, 2) and confidence (N, J) to poses in the camera frame.

    The buffers hold the mean and the deviation of poses and of increments, metres; training sets
    them from its data.
    """

    pose_mean: Tensor
    pose_deviation: Tensor
    increment_deviation: Tensor

    def __init__(self, joints: int, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.lifter = LIFTERS[config.lifter](joints, _CONTEXT, config.lifter_size)
        self.regressors = nn.ModuleList(
            ResidualRegressor(joints, config.regressor_size) for _ in range(config.steps)
        )
        self.register_buffer("pose_mean", torch.zeros(joints, 3))
        self.register_buffer("pose_deviation", torch.ones(joints, 3))
        self.register_buffer("increment_deviation", torch.full((joints, 3), 0.05))

    def set_statistics(self, rays: Tensor, confidence: Tensor, joints: Tensor) -> None:
        """Set the mean and deviation of poses from samples: joints (N, J, 3) in the camera."""
        poses = look_at_person(rays, confidence).from_camera(joints)
        self.pose_mean.copy_(poses.mean(0))
        self.pose_deviation.copy_(poses.std(0).clamp(min=_SMALLEST_DEVIATION))

    def with_steps(self, steps: int) -> "ErdModel":
        """A model of the first ``steps`` regressors, with the same weights; steps <= K."""
        model = ErdModel(len(self.pose_mean), replace(self.config, steps=steps))
        kept = model.state_dict().keys()
        model.load_state_dict({k: v for k, v in self.state_dict().items() if k in kept})
        return model.eval()

    def forward(self, rays: Tensor, confidence: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Joints (N, J, 3), root (N, 3) and residual (N, J) after the last step."""
        *_, last = self.trajectory(rays, confidence)
        return last.joints, last.root, reprojection_error(last, rays, confidence)

    def trajectory(
        self, rays: Tensor, confidence: Tensor, steps: int | None = None
    ) -> list[Estimate]:
        """Every step's estimate in the camera frame; the first is the lifter's alone.

        steps   stop after so many regressors; all where not given
        Whatever stands in ``rays`` where confidence is 0, NaN included, has no influence.
        """
        view = look_at_person(rays, confidence)
        wanted = None if steps is None else steps + 1
        return [
            Estimate(view.to_camera(joints), view.to_camera(root[:, None]).squeeze(1))
            for joints, root in islice(self._descend(view), wanted)
        ]

    def _descend(self, view: View) -> Iterator[tuple[Tensor, Tensor]]:
        """Joints and root of every step, in the view's frame (ERD paper eqs. 2 to 5)."""
        joints = self._lift(view)
        root = _root(view, joints)
        yield joints, root
        for regressor in self.regressors:
            increment = regressor(_residual(view, joints, root)) * self.increment_deviation
            joints = joints + _relative_to_root(increment)
            root = _root(view, joints)
            yield joints, root

    def _lift(self, view: View) -> Tensor:
        log_scale = (view.scale.log() - _LOG_SCALE_MEAN) / _LOG_SCALE_DEVIATION
        context = torch.cat([view.direction, log_scale[:, None]], -1)
        pose = self.lifter(view.normalised(), view.confidence, context)
        return _relative_to_root(pose * self.pose_deviation + self.pose_mean)


def reprojection_error(estimate: Estimate, rays: Tensor, confidence: Tensor) -> Tensor:
    """Distance (N, J) in normalised image coordinates; 0 where a joint was not seen."""
    seen = confidence > 0
    rays = torch.where(seen[..., None], rays, torch.zeros_like(rays))
    offset = rays - _project(estimate.joints, estimate.root)
    # sqrt has no slope at 0; nothing is trained through here, and inference does not mind.
    distance = (offset * offset).sum(-1).sqrt()
    return torch.where(seen, distance, torch.zeros_like(distance))


def _root(view: View, joints: Tensor) -> Tensor:
    return torch.stack(solve_root(view.rays, joints, view.confidence), -1)


def _residual(view: View, joints: Tensor, root: Tensor) -> Tensor:
    """Input minus reprojection (ERD paper eq. 4), in the person's scale, weighted by confidence."""
    offset = (view.rays - _project(joints, root)) / view.scale[:, None, None]
    offset = offset.clamp(-_LARGEST_RESIDUAL, _LARGEST_RESIDUAL)
    return offset * view.confidence[..., None]


def _project(joints: Tensor, root: Tensor) -> Tensor:
    """Perspective projection (ERD paper eq. 5) in normalised image coordinates."""
    points = joints + root[:, None]
    return points[..., :2] / points[..., 2:].clamp(min=_SMALLEST_DEPTH)


def _relative_to_root(joints: Tensor) -> Tensor:
    return joints - joints[:, :1]
