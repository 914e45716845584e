"""The semantic graph convolutional network of Zhao et al. (CVPR 2019)."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from erd_ros.models.lcn import joints_within
from erd_ros.models.linear import LifterConfig, LifterShape, Residual

# Everything between the input and the output has the joints first, (J, N, channels): then joints
# mix in one matrix product and channels in another, and nothing is ever transposed.


class SemGcnLifter(nn.Module):
    """Keypoints to a pose by graph convolutions between joints and their neighbours.

    A non-local layer follows the first convolution and each block. The paper's size is a width of
    128, 4 blocks and no dropout: 0.43 million parameters. ``neighbours`` of the configuration does
    not apply, a convolution reaches one bone far.
    """

    def __init__(self, shape: LifterShape, config: LifterConfig) -> None:
        super().__init__()
        self.shape = shape
        near = joints_within(shape.parents, 1)
        width = config.width
        first = _hidden(near, shape.channels + shape.context, width, config.dropout)
        blocks = (
            layer
            for _ in range(config.blocks)
            for layer in (_block(near, width, config.dropout), NonLocal(width))
        )
        self.network = nn.Sequential(*first, NonLocal(width), *blocks)
        self.last = SemanticGraphConvolution(near, width, shape.outputs)
        self.bias = nn.Parameter(torch.empty(shape.outputs))
        nn.init.uniform_(self.bias, -1 / math.sqrt(shape.outputs), 1 / math.sqrt(shape.outputs))

    def forward(self, features: Tensor, context: Tensor) -> Tensor:
        """Pose (N, J, outputs), standardised, of features (N, J, channels), context (N, C)."""
        everywhere = context.expand(self.shape.joints, -1, -1)
        inputs = torch.cat([features.transpose(0, 1), everywhere], -1)
        pose: Tensor = self.last(self.network(inputs)) + self.bias
        return pose.transpose(0, 1)


class SemanticGraphConvolution(nn.Module):
    """Eq. 2 of Zhao et al.: joints mix by learned weights, a joint and its neighbours apart.

    near  (J, J), true where the joint of the row reads the joint of the column

    Without a bias: but for the last layer batch normalisation follows, which has one.
    """

    pairs: Tensor

    def __init__(self, near: Tensor, inputs: int, outputs: int) -> None:
        super().__init__()
        self.joints = len(near)
        self.register_buffer("pairs", near.flatten().nonzero()[:, 0], persistent=False)
        self.edges = nn.Parameter(torch.ones(len(self.pairs)))
        self.own = nn.Parameter(torch.empty(inputs, outputs))
        self.others = nn.Parameter(torch.empty(inputs, outputs))
        for weight in (self.own, self.others):
            nn.init.xavier_uniform_(weight, gain=math.sqrt(2))

    def adjacency(self) -> Tensor:
        """(J, J): softmax of each joint's edge weights; zero where there is no edge."""
        edges = self.edges.new_full((self.joints**2,), -math.inf)
        edges = edges.index_copy(0, self.pairs, self.edges)
        return edges.reshape(self.joints, self.joints).softmax(1)

    def forward(self, features: Tensor) -> Tensor:
        """Features (J, N, outputs) of features (J, N, inputs)."""
        adjacency = self.adjacency()
        own = adjacency.diagonal()
        flat = features.flatten(1)
        mixed = ((adjacency - own.diag()) @ flat).reshape(-1, len(self.others))
        scaled = (own[:, None] * flat).reshape(-1, len(self.own))
        convolved = torch.addmm(scaled @ self.own, mixed, self.others)
        return convolved.reshape(self.joints, -1, self.own.shape[1])


class NonLocal(nn.Module):
    """Eq. 3 of Zhao et al.: every joint receives from every joint, weighted by both (Wang et al.).

    The weight of a pair is ReLU(w . [theta(x_i), phi(x_j)]) / J, which is ReLU(a_i + b_j) / J with
    a and b linear in x: neither the embeddings nor their concatenation of J * J pairs is computed.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        inner = width // 2
        self.theta, self.phi, self.value = (_kaiming(width, inner) for _ in range(3))
        self.output = _kaiming(inner, width)
        self.pair = nn.Parameter(torch.empty(2, inner))
        nn.init.normal_(self.pair, std=math.sqrt(2 / (2 * inner)))
        self.normalisation = nn.BatchNorm1d(width)
        nn.init.zeros_(self.normalisation.weight)

    def forward(self, features: Tensor) -> Tensor:
        """Features (J, N, width) of features (J, N, width)."""
        value = self.value(features).transpose(0, 1)
        received = self.weights(features) @ value
        output = self.output(received.transpose(0, 1).reshape(-1, received.shape[-1]))
        refined: Tensor = features + self.normalisation(output).reshape(features.shape)
        return refined

    def weights(self, features: Tensor) -> Tensor:
        """(N, J, J): what the joint of the row receives of the joint of the column."""
        joints = len(features)
        direction = torch.stack([self.pair[0] @ self.theta.weight, self.pair[1] @ self.phi.weight])
        constant = self.pair[0] @ self.theta.bias + self.pair[1] @ self.phi.bias
        # Contiguous: the weights take the layout, and strided ones multiply many times slower.
        to, of = functional.linear(features, direction).permute(2, 1, 0).contiguous()
        return functional.relu(to[:, :, None] + of[:, None] + constant) / joints


class _ChannelNorm(nn.BatchNorm1d):
    """Batch normalisation of each channel over people and joints, for (J, N, channels)."""

    def forward(self, features: Tensor) -> Tensor:
        return super().forward(features.flatten(0, 1)).reshape(features.shape)


def _block(near: Tensor, width: int, dropout: float) -> Residual:
    return Residual(*_hidden(near, width, width, dropout), *_hidden(near, width, width, dropout))


def _hidden(near: Tensor, inputs: int, outputs: int, dropout: float) -> list[nn.Module]:
    convolution = SemanticGraphConvolution(near, inputs, outputs)
    return [convolution, _ChannelNorm(outputs), nn.ReLU(), nn.Dropout(dropout)]


def _kaiming(inputs: int, outputs: int) -> nn.Linear:
    linear = nn.Linear(inputs, outputs)
    nn.init.kaiming_normal_(linear.weight)
    nn.init.zeros_(linear.bias)
    return linear
