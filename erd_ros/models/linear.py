"""The lifter of Martinez et al. (ICCV 2017) and the residual regressor of the ERD paper, 3.2."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from erd_ros.errors import InputError


@dataclass(frozen=True)
class LifterConfig:
    """Size of a lifter.

    width    features of each hidden layer
    blocks   residual blocks of two hidden layers
    dropout  fraction of features dropped in training
    """

    width: int = 1024
    blocks: int = 2
    dropout: float = 0.5

    def __post_init__(self) -> None:
        _check(self.width, self.blocks, self.dropout)


@dataclass(frozen=True)
class RegressorConfig:
    """Size of a residual regressor: one residual block (ERD paper 3.2)."""

    width: int = 256
    dropout: float = 0.25

    def __post_init__(self) -> None:
        _check(self.width, 1, self.dropout)


class LinearLifter(nn.Module):
    """Normalised keypoints to a pose: a hidden layer, residual blocks, a linear layer."""

    def __init__(self, joints: int, context: int, config: LifterConfig) -> None:
        super().__init__()
        self.joints = joints
        self.network = _network(joints * 3 + context, joints * 3, config)

    def forward(self, keypoints: Tensor, confidence: Tensor, context: Tensor) -> Tensor:
        """Pose (N, J, 3), standardised, of keypoints (N, J, 2), confidence (N, J), context."""
        features = torch.cat([keypoints.flatten(1), confidence, context], -1)
        pose: Tensor = self.network(features)
        return pose.reshape(-1, self.joints, 3)


class ResidualRegressor(nn.Module):
    """Reprojection residual to a pose increment: one descent direction of ERD."""

    def __init__(self, joints: int, config: RegressorConfig) -> None:
        super().__init__()
        self.joints = joints
        size = LifterConfig(config.width, blocks=1, dropout=config.dropout)
        self.network = _network(joints * 2, joints * 3, size)

    def forward(self, residual: Tensor) -> Tensor:
        """Increment (N, J, 3), standardised, of a residual (N, J, 2)."""
        increment: Tensor = self.network(residual.flatten(1))
        return increment.reshape(-1, self.joints, 3)


class _Block(nn.Module):
    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *_hidden(width, width, dropout), *_hidden(width, width, dropout)
        )

    def forward(self, features: Tensor) -> Tensor:
        refined: Tensor = features + self.layers(features)
        return refined


def _hidden(inputs: int, outputs: int, dropout: float) -> list[nn.Module]:
    linear = nn.Linear(inputs, outputs)
    nn.init.kaiming_normal_(linear.weight)
    return [linear, nn.BatchNorm1d(outputs), nn.ReLU(), nn.Dropout(dropout)]


def _network(inputs: int, outputs: int, config: LifterConfig) -> nn.Sequential:
    blocks = [_Block(config.width, config.dropout) for _ in range(config.blocks)]
    first = _hidden(inputs, config.width, config.dropout)
    return nn.Sequential(*first, *blocks, nn.Linear(config.width, outputs))


def _check(width: int, blocks: int, dropout: float) -> None:
    if width < 1:
        raise InputError(f"width is {width}, expected 1 or more")
    if blocks < 0:
        raise InputError(f"blocks is {blocks}, expected 0 or more")
    if not 0 <= dropout < 1:
        raise InputError(f"dropout is {dropout}, expected 0 up to, not including, 1")


LIFTERS = {"linear": LinearLifter}
