"""Networks whose numbers come by coordinate, as the geometry around them has it.

Trained networks take and give (N, J, 3), joint after joint. Put in another order, their matrices
take and give (N, 3, J) at once, and nothing is transposed between a network and the geometry.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from erd_ros.export.joint_runs import order_along_body, runs
from erd_ros.models.lcn import LcnLifter, LocallyConnected, assembled
from erd_ros.models.linear import Residual, ResidualRegressor

# More would save a few numbers and cost more operations: 193 pairs of joints instead of all 289
# with three, 185 with four, where 131 are connected.
_RUNS = 3


class FlatLcn(nn.Module):
    """The same function as a locally connected lifter, its normalisation folded.

    Features stay (N, F) from layer to layer, so that a runtime joins each layer with what follows;
    the context, the same for all joints, is multiplied once; and between the joints of the legs and
    of the arms, which know nothing of each other, there is no matrix.

    channels  features of each joint; the others are context
    """

    def __init__(self, lifter: LcnLifter, channels: int) -> None:
        super().__init__()
        first, *hidden, last = lifter.network
        assert isinstance(first, LocallyConnected)
        assert isinstance(last, LocallyConnected)
        self.outputs = last.outputs
        near = _near(first)
        order = order_along_body(near)
        rows = _features(order, first.outputs)
        self.first = _Dense(_context_once(first, channels)[rows], first.bias[rows])
        blocks = nn.Sequential(*hidden)
        joint_runs = runs(near[order][:, order], _RUNS)
        for part in blocks.modules():
            if isinstance(part, Residual):
                part.layers = _in_runs(part.layers, order, joint_runs)
        self.hidden = blocks
        columns = _features(order, last.inputs)
        self.last = _by_coordinate(last.dense()[:, columns], last.bias, last.outputs)

    def forward(self, features: Tensor, context: Tensor) -> Tensor:
        """Pose (N, J, outputs) of features (N, J, channels) and context (N, C)."""
        flat = torch.cat([features.mT.flatten(1), context], -1)
        return _unflattened(self.last(self.hidden(self.first(flat))), self.outputs)

    def give(self, deviation: Tensor, mean: Tensor) -> None:
        """From now on give ``mean + deviation * pose``, both (R, J, 3)."""
        scale = deviation.mT.flatten()
        self.last.weight.mul_(scale[:, None])
        self.last.bias.mul_(scale).add_(mean.mT.flatten())


class FlatRegressor(nn.Module):
    """The same function as a residual regressor, for a deviation of ones.

    deviation  (J, 3) of the increments; the last layer takes it over, and the root's own increment
    by_joint   whether features are of each joint, (N, J, F); of the whole person otherwise, (N, F)
    """

    def __init__(self, regressor: nn.Module, deviation: Tensor, by_joint: bool) -> None:
        super().__init__()
        assert isinstance(regressor, ResidualRegressor)
        first, *layers, last = regressor.network
        assert isinstance(first, nn.Linear)
        assert isinstance(last, nn.Linear)
        self.by_joint = by_joint
        if by_joint:
            first = _Dense(_columns_by_coordinate(first.weight, regressor.joints), first.bias)
        weight, bias = _relative(last.weight, deviation), _relative(last.bias[:, None], deviation)
        self.network = nn.Sequential(first, *layers, _by_coordinate(weight, bias[:, 0], 3))

    def forward(self, features: Tensor, context: Tensor, deviation: Tensor) -> Tensor:
        """Increment (N, J, 3) of features (N, J, F) or (N, F) and context (N, C)."""
        flat = (features.mT if self.by_joint else features).flatten(1)
        increment: Tensor = self.network(torch.cat([flat, context], -1))
        return _unflattened(increment, 3) * deviation


class _Dense(nn.Module):
    """A linear layer of given numbers."""

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(weight), nn.Parameter(bias)

    def forward(self, features: Tensor) -> Tensor:
        return functional.linear(features, self.weight, self.bias)


class _Run(nn.Module):
    """Some joints' part of a locally connected layer, with its activation."""

    pairs: Tensor

    def __init__(
        self,
        layer: LocallyConnected,
        activation: nn.Module,
        order: Tensor,
        rows: slice,
        columns: slice,
    ) -> None:
        super().__init__()
        self.activation = activation
        self.shape = rows.stop - rows.start, columns.stop - columns.start
        self.given = slice(layer.inputs * columns.start, layer.inputs * columns.stop)
        place = order.argsort()
        row = place[layer.pairs // layer.joints] - rows.start
        column = place[layer.pairs % layer.joints] - columns.start
        # Who belongs to the run reads no joint outside it.
        ours = (row >= 0) & (row < self.shape[0])
        self.weight = nn.Parameter(layer.weight[ours])
        self.bias = nn.Parameter(layer.bias[_features(order[rows], layer.outputs)])
        pairs = (row * self.shape[1] + column)[ours]
        self.register_buffer("pairs", pairs, persistent=False)

    def forward(self, features: Tensor) -> Tensor:
        matrix = assembled(self.weight, self.pairs, *self.shape)
        made: Tensor = self.activation(
            functional.linear(features[:, self.given], matrix, self.bias)
        )
        return made


class _InRuns(nn.Module):
    """A locally connected layer from (N, J inputs) to (N, J outputs), its joints in another order.

    Each run of joints has a matrix of its own, from the joints near any of them, and its own
    activation: a runtime executes the two at once.
    """

    def __init__(self, parts: list[_Run]) -> None:
        super().__init__()
        self.parts = nn.ModuleList(parts)

    def forward(self, features: Tensor) -> Tensor:
        return torch.cat([part(features) for part in self.parts], -1)


def _in_runs(
    layers: nn.Sequential, order: Tensor, joint_runs: list[tuple[slice, slice]]
) -> nn.Sequential:
    """Pairs of a layer and its activation; what normalised and dropped does nothing any more."""
    kept = [one for one in layers if not isinstance(one, nn.Identity | nn.Dropout)]
    made = []
    for layer, activation in zip(kept[::2], kept[1::2], strict=True):
        assert isinstance(layer, LocallyConnected)
        made.append(_InRuns([_Run(layer, activation, order, *run) for run in joint_runs]))
    return nn.Sequential(*made)


def _near(layer: LocallyConnected) -> Tensor:
    """(J, J) bool: which joints a layer connects."""
    near = torch.zeros(layer.joints**2, dtype=torch.bool)
    near[layer.pairs] = True
    return near.reshape(layer.joints, -1)


def _features(order: Tensor, features: int) -> Tensor:
    """Indices (J features,) that put joints with so many features each into another order."""
    return (order[:, None] * features + torch.arange(features)).flatten()


def _context_once(layer: LocallyConnected, channels: int) -> Tensor:
    """(J outputs, channels J + C) of the first layer's matrix, whose joints each have a context."""
    matrix = layer.dense().reshape(-1, layer.joints, layer.inputs)
    of_joints = matrix[..., :channels].mT.flatten(1)
    return torch.cat([of_joints, matrix[..., channels:].sum(1)], -1)


def _relative(values: Tensor, deviation: Tensor) -> Tensor:
    """Rows (3 J, K) of a last layer, times deviations (J, 3), less those of the first joint."""
    scaled = values.reshape(*deviation.shape, -1) * deviation[..., None]
    return (scaled - scaled[:1]).flatten(0, 1)


def _by_coordinate(weight: Tensor, bias: Tensor, outputs: int) -> "_Dense":
    """A layer with the rows (J, outputs) in the order (outputs, J)."""
    order = torch.arange(len(bias)).reshape(-1, outputs).T.flatten()
    return _Dense(weight[order], bias[order])


def _columns_by_coordinate(weight: Tensor, joints: int) -> Tensor:
    """A matrix whose columns (J, F) come in the order (F, J); those of the context stay last."""
    of_joints = weight.shape[1] // joints * joints
    order = torch.arange(of_joints).reshape(joints, -1).T.flatten()
    return torch.cat([weight[:, order], weight[:, of_joints:]], -1)


def _unflattened(values: Tensor, outputs: int) -> Tensor:
    """(N, J, outputs) of (N, outputs J)."""
    return values.reshape(-1, outputs, values.shape[1] // outputs).mT
