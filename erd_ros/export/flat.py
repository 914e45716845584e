"""Networks whose numbers come by coordinate, as the geometry around them has it.

Trained networks give (N, J, 3), joint after joint. Put in another order, their matrices give
(N, 3, J) at once, and nothing is transposed between a network and the geometry.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from erd_ros.models.lcn import LcnLifter, LocallyConnected
from erd_ros.models.linear import ResidualRegressor


class FlatLcn(nn.Module):
    """The same function as a locally connected lifter, its normalisation folded.

    Features stay (N, F) from layer to layer, so that a runtime joins each layer with what follows;
    and the context, the same for all joints, is multiplied once.

    channels  features of each joint; the others are context
    """

    def __init__(self, lifter: LcnLifter, channels: int) -> None:
        super().__init__()
        first, *hidden, last = lifter.network
        assert isinstance(first, LocallyConnected)
        assert isinstance(last, LocallyConnected)
        self.channels = channels
        self.outputs = last.outputs
        self.first = _Dense(_context_once(first, channels), first.bias)
        self.hidden = nn.Sequential(*hidden)
        self.last = _by_coordinate(last.dense(), last.bias, last.outputs)
        for part in self.hidden.modules():
            if isinstance(part, nn.Sequential):
                for index, layer in enumerate(part):
                    if isinstance(layer, LocallyConnected):
                        part[index] = _Flat(layer)

    def forward(self, features: Tensor, context: Tensor) -> Tensor:
        """Pose (N, J, outputs) of features (N, J, channels) and context (N, C)."""
        flat = torch.cat([features.mT.flatten(1), context], -1)
        return _unflattened(self.last(self.hidden(self.first(flat))), self.outputs)


class FlatRegressor(nn.Module):
    """The same function as a residual regressor."""

    def __init__(self, regressor: nn.Module) -> None:
        super().__init__()
        assert isinstance(regressor, ResidualRegressor)
        *layers, last = regressor.network
        assert isinstance(last, nn.Linear)
        self.network = nn.Sequential(*layers, _by_coordinate(last.weight, last.bias, 3))

    def forward(self, features: Tensor) -> Tensor:
        """Increment (N, J, 3) of features (N, F)."""
        increment: Tensor = self.network(features)
        return _unflattened(increment, 3)


class _Dense(nn.Module):
    """A linear layer of given numbers."""

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(weight), nn.Parameter(bias)

    def forward(self, features: Tensor) -> Tensor:
        return functional.linear(features, self.weight, self.bias)


class _Flat(nn.Module):
    """A locally connected layer from (N, J inputs) to (N, J outputs)."""

    def __init__(self, layer: LocallyConnected) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, features: Tensor) -> Tensor:
        return functional.linear(features, self.layer.dense(), self.layer.bias)


def _context_once(layer: LocallyConnected, channels: int) -> Tensor:
    """(J outputs, channels J + C) of the first layer's matrix, whose joints each have a context."""
    matrix = layer.dense().reshape(-1, layer.joints, layer.inputs)
    of_joints = matrix[..., :channels].mT.flatten(1)
    return torch.cat([of_joints, matrix[..., channels:].sum(1)], -1)


def _by_coordinate(weight: Tensor, bias: Tensor, outputs: int) -> "_Dense":
    """A layer with the rows (J, outputs) in the order (outputs, J)."""
    order = torch.arange(len(bias)).reshape(-1, outputs).T.flatten()
    return _Dense(weight[order], bias[order])


def _unflattened(values: Tensor, outputs: int) -> Tensor:
    """(N, J, outputs) of (N, outputs J)."""
    return values.reshape(-1, outputs, values.shape[1] // outputs).mT
