"""The lifter of Martinez et al. (ICCV 2017) and the residual regressor of the ERD paper, 3.2."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from erd_ros.errors import InputError

# A file's description must not make a network that no memory holds.
_WIDEST, _MOST_BLOCKS, _FARTHEST_NEIGHBOUR = 4096, 16, 64


@dataclass(frozen=True)
class LifterShape:
    """What goes into a lifter and what comes out.

    parents   the skeleton's tree, -1 at the root; J entries
    channels  features of each joint: x, y, and confidence where the model reads it
    context   features of the person as a whole, may be 0
    outputs   numbers per joint: 3, or 3 for each of several roots
    """

    parents: tuple[int, ...]
    channels: int
    context: int
    outputs: int = 3

    @property
    def joints(self) -> int:
        """J."""
        return len(self.parents)


@dataclass(frozen=True)
class LifterConfig:
    """Size of a lifter.

    width       features of each hidden layer; of each joint in lifters that work joint by joint
    blocks      residual blocks of two hidden layers
    dropout     fraction of features dropped in training
    neighbours  steps along the skeleton that a locally connected layer reaches
    """

    width: int = 1024
    blocks: int = 2
    dropout: float = 0.5
    neighbours: int = 3

    def __post_init__(self) -> None:
        _check(self.width, self.blocks, self.dropout)
        if not 1 <= self.neighbours <= _FARTHEST_NEIGHBOUR:
            raise InputError(
                f"neighbours is {self.neighbours}, expected 1 to {_FARTHEST_NEIGHBOUR}"
            )


@dataclass(frozen=True)
class RegressorConfig:
    """Size of a residual regressor: one residual block (ERD paper 3.2)."""

    width: int = 256
    dropout: float = 0.25

    def __post_init__(self) -> None:
        _check(self.width, 1, self.dropout)


class LinearLifter(nn.Module):
    """Normalised keypoints to a pose: a hidden layer, residual blocks, a linear layer."""

    def __init__(self, shape: LifterShape, config: LifterConfig) -> None:
        super().__init__()
        self.shape = shape
        inputs = shape.joints * shape.channels + shape.context
        self.network = _network(inputs, shape.joints * shape.outputs, config)

    def forward(self, features: Tensor, context: Tensor) -> Tensor:
        """Pose (N, J, outputs), standardised, of features (N, J, channels), context (N, C)."""
        pose: Tensor = self.network(torch.cat([features.flatten(1), context], -1))
        return pose.reshape(-1, self.shape.joints, self.shape.outputs)


class ResidualRegressor(nn.Module):
    """Reconstructed features to a pose increment: one descent direction of ERD."""

    def __init__(self, inputs: int, joints: int, config: RegressorConfig) -> None:
        super().__init__()
        self.joints = joints
        size = LifterConfig(config.width, blocks=1, dropout=config.dropout)
        self.network = _network(inputs, joints * 3, size)
        # Before it has learned anything a regressor leaves the pose as it is.
        for parameter in self.network[-1].parameters():
            nn.init.zeros_(parameter)

    def forward(self, features: Tensor, context: Tensor, deviation: Tensor) -> Tensor:
        """Increment (N, J, 3) relative to the root.

        Of features (N, J, F) or (N, F) of the keypoints and a context (N, C) of the person; the
        deviation (J, 3) of increments gives its unit.
        """
        increment: Tensor = self.network(torch.cat([features.flatten(1), context], -1))
        increment = increment.reshape(-1, self.joints, 3).float() * deviation
        return increment - increment[:, :1]


class Residual(nn.Module):
    """Layers one after the other, added to what comes in."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, features: Tensor) -> Tensor:
        """Features of the same shape."""
        refined: Tensor = features + self.layers(features)
        return refined


def _hidden(inputs: int, outputs: int, dropout: float) -> list[nn.Module]:
    return [nn.Linear(inputs, outputs), nn.BatchNorm1d(outputs), nn.ReLU(), nn.Dropout(dropout)]


def _network(inputs: int, outputs: int, config: LifterConfig) -> nn.Sequential:
    width, dropout = config.width, config.dropout
    blocks = [
        Residual(*_hidden(width, width, dropout), *_hidden(width, width, dropout))
        for _ in range(config.blocks)
    ]
    first = _hidden(inputs, width, dropout)
    return nn.Sequential(*first, *blocks, nn.Linear(width, outputs))


def _check(width: int, blocks: int, dropout: float) -> None:
    if not 1 <= width <= _WIDEST:
        raise InputError(f"width is {width}, expected 1 to {_WIDEST}")
    if not 0 <= blocks <= _MOST_BLOCKS:
        raise InputError(f"blocks is {blocks}, expected 0 to {_MOST_BLOCKS}")
    if not 0 <= dropout < 1:
        raise InputError(f"dropout is {dropout}, expected 0 up to, not including, 1")
