"""The locally connected network of Ci et al. (ICCV 2019) as the authors of ERD lift with it."""

import math

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from erd_ros.models.linear import LifterConfig, LifterShape, Residual


class LcnLifter(nn.Module):
    """Keypoints to a pose; each joint has weights of its own towards the joints near it.

    The papers' size is a width of 64, 2 blocks (Ci et al.: 3) and 3 neighbours. The skeleton is
    the tree alone; Ci et al. also count hips and spine, and shoulders and spine, as neighbours.
    """

    def __init__(self, shape: LifterShape, config: LifterConfig) -> None:
        super().__init__()
        self.joints = shape.joints
        near = joints_within(shape.parents, config.neighbours)
        width, dropout = config.width, config.dropout
        self.network = nn.Sequential(
            *_hidden(near, shape.channels + shape.context, width, dropout),
            *(_block(near, width, dropout) for _ in range(config.blocks)),
            LocallyConnected(near, width, shape.outputs),
        )

    def forward(self, features: Tensor, context: Tensor) -> Tensor:
        """Pose (N, J, outputs), standardised, of features (N, J, channels), context (N, C)."""
        everywhere = context[:, None].expand(-1, self.joints, -1)
        pose: Tensor = self.network(torch.cat([features, everywhere], -1))
        return pose


class LocallyConnected(nn.Module):
    """A linear layer from (N, J, inputs) to (N, J, outputs) whose weights are zero where far.

    near  (J, J), true where the joint of the row reads the joint of the column
    """

    pairs: Tensor

    def __init__(self, near: Tensor, inputs: int, outputs: int) -> None:
        super().__init__()
        self.joints, self.inputs, self.outputs = len(near), inputs, outputs
        self.register_buffer("pairs", near.flatten().nonzero()[:, 0], persistent=False)
        self.weight = nn.Parameter(torch.empty(len(self.pairs), outputs, inputs))
        self.bias = nn.Parameter(torch.empty(self.joints * outputs))
        _initialise(self.weight, self.joints * inputs)
        _initialise(self.bias, len(self.bias))

    def forward(self, features: Tensor) -> Tensor:
        """Features (N, J, outputs) of features (N, J, inputs)."""
        mapped = functional.linear(features.flatten(1), self.dense(), self.bias)
        return mapped.reshape(-1, self.joints, self.outputs)

    def dense(self) -> Tensor:
        """The weights as a matrix (J outputs, J inputs)."""
        return assembled(self.weight, self.pairs, self.joints, self.joints)


def assembled(blocks: Tensor, pairs: Tensor, rows: int, columns: int) -> Tensor:
    """A matrix (rows A, columns B) of blocks (P, A, B), zero elsewhere; pairs count along rows.

    One matrix product trains as fast as one for each joint over the joints near it, and ONNX
    Runtime puts the matrix together once, when it loads. As blocks, files have half the size.
    """
    _, high, wide = blocks.shape
    everywhere = blocks.new_zeros(rows * columns, high, wide).index_copy(0, pairs, blocks)
    across = everywhere.reshape(rows, columns, high, wide).transpose(1, 2)
    return across.reshape(rows * high, columns * wide)


def joints_within(parents: tuple[int, ...], steps: int) -> Tensor:
    """(J, J) bool: which joints are at most ``steps`` bones apart."""
    return torch.from_numpy(np.linalg.matrix_power(adjacent(parents), steps) > 0)


def adjacent(parents: tuple[int, ...]) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """(J, J): 1 for each joint and itself, its parent, its children; 0 otherwise."""
    matrix = np.eye(len(parents))
    for child, parent in enumerate(parents):
        if parent >= 0:
            matrix[child, parent] = matrix[parent, child] = 1
    return matrix


def _block(near: Tensor, width: int, dropout: float) -> Residual:
    return Residual(*_hidden(near, width, width, dropout), *_hidden(near, width, width, dropout))


def _hidden(near: Tensor, inputs: int, outputs: int, dropout: float) -> list[nn.Module]:
    """One mean and deviation per joint, over its features, as in the code of ERD's authors."""
    linear = LocallyConnected(near, inputs, outputs)
    return [linear, nn.BatchNorm1d(len(near)), nn.PReLU(), nn.Dropout(dropout)]


def _initialise(parameter: Tensor, inputs: int) -> None:
    """Truncated at two deviations of sqrt(2 / inputs), as in the code of Ci et al."""
    deviation = math.sqrt(2 / inputs)
    nn.init.trunc_normal_(parameter, std=deviation, a=-2 * deviation, b=2 * deviation)
