"""The lifter of the AbsPoseLifter paper (Chang et al. 2019), section 3.2."""

import torch
from torch import Tensor, nn

from erd_ros.models.linear import LifterConfig, LifterShape, Residual

# Standard deviation of the first weights in the authors' code, juyongchang/PoseLifter.
_WEIGHT_DEVIATION = 0.001


class AbsPoseLifter(nn.Module):
    """Keypoints to canonical root depth and pose; the paper's width is 4096, it has 2 blocks.

    Its last layer gives 3J - 2 numbers: the root's depth, then the other joints relative to it.
    Relative to several roots every joint has three numbers more for each.
    """

    def __init__(self, shape: LifterShape, config: LifterConfig) -> None:
        super().__init__()
        self.shape, self.root = shape, shape.parents.index(-1)
        inputs = shape.joints * shape.channels + shape.context
        self.network = nn.Sequential(
            _linear(inputs, config.width),
            *(_block(config.width, config.dropout) for _ in range(config.blocks)),
            _linear(config.width, shape.outputs * shape.joints - 2),
        )

    def forward(self, features: Tensor, context: Tensor) -> Tensor:
        """Pose (N, J, outputs), standardised, of features (N, J, channels), context (N, C).

        The root's row begins with (0, 0, depth).
        """
        numbers: Tensor = self.network(torch.cat([features.flatten(1), context], -1))
        numbers = torch.cat([torch.zeros_like(numbers[:, :2]), numbers], -1)
        pose = numbers.reshape(-1, self.shape.joints, self.shape.outputs)
        root, others = pose[:, :1], pose[:, 1:]
        return torch.cat([others[:, : self.root], root, others[:, self.root :]], 1)


def _block(width: int, dropout: float) -> Residual:
    """Twice batch normalisation, dropout, ReLU and a linear layer."""
    return Residual(*_hidden(width, dropout), *_hidden(width, dropout))


def _hidden(width: int, dropout: float) -> list[nn.Module]:
    return [nn.BatchNorm1d(width), nn.Dropout(dropout), nn.ReLU(), _linear(width, width)]


def _linear(inputs: int, outputs: int) -> nn.Linear:
    linear = nn.Linear(inputs, outputs)
    nn.init.normal_(linear.weight, std=_WEIGHT_DEVIATION)
    nn.init.zeros_(linear.bias)
    return linear
