"""Networks as they are exported: the same function in fewer operations, or in half precision."""

import copy

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_linear_bn_eval

from erd_ros.export.flat import FlatLcn, FlatRegressor
from erd_ros.models.erd import ErdModel
from erd_ros.models.lcn import LcnLifter, LocallyConnected


class _InHalf(nn.Module):
    """A network in float16 within a graph of float32; whoever calls it casts the result."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network.half()

    def forward(self, *features: Tensor) -> Tensor:
        outputs: Tensor = self.network(*(one.half() for one in features))
        return outputs


def _whole(model: ErdModel) -> ErdModel:
    """A copy that computes the same in float32."""
    flat = _flat(model)
    if isinstance(flat.lifter, FlatLcn):
        with torch.no_grad():
            flat.lifter.give(flat.pose_deviation, flat.pose_mean)
        flat.pose_deviation = torch.ones_like(flat.pose_deviation)
        flat.pose_mean = torch.zeros_like(flat.pose_mean)
    return flat


def _with_networks_in_half(model: ErdModel) -> ErdModel:
    """A copy whose lifter and regressors compute in float16, the geometry in float32."""
    half = _flat(model)
    half.lifter = _InHalf(half.lifter)
    half.regressors = nn.ModuleList(_InHalf(regressor) for regressor in half.regressors)
    return half


def _flat(model: ErdModel) -> ErdModel:
    folded = copy.deepcopy(model)
    with torch.no_grad():
        _fold(folded)
        if isinstance(folded.lifter, LcnLifter):
            folded.lifter = FlatLcn(folded.lifter, folded.lifter_shape().channels)
        deviation, by_joint = folded.increment_deviation, not folded.inputs.config.pca
        folded.regressors = nn.ModuleList(
            FlatRegressor(one, deviation, by_joint) for one in folded.regressors
        )
    folded.increment_deviation = torch.ones_like(deviation)
    return folded


def _fold(network: nn.Module) -> None:
    """Batch normalisation goes into the weights before it, one slope for all into a constant.

    What is not a layer and its normalisation next to each other stays as it is.
    """
    for part in network.modules():
        if not isinstance(part, nn.Sequential):
            continue
        for index, layer in enumerate(part):
            if isinstance(layer, nn.PReLU) and layer.num_parameters == 1:
                # ONNX Runtime's PRelu takes ten times as long as its LeakyRelu.
                part[index] = nn.LeakyReLU(float(layer.weight))
            elif isinstance(layer, nn.BatchNorm1d) and index:
                _fold_into(part, index, layer)


def _fold_into(part: nn.Sequential, index: int, norm: nn.BatchNorm1d) -> None:
    before = part[index - 1]
    if isinstance(before, nn.Linear):
        part[index - 1], part[index] = fuse_linear_bn_eval(before, norm), nn.Identity()
    elif isinstance(before, LocallyConnected) and norm.num_features == before.joints:
        _fold_into_joints(before, norm)
        part[index] = nn.Identity()


def _fold_into_joints(layer: LocallyConnected, norm: nn.BatchNorm1d) -> None:
    """One mean and deviation for all features of a joint; a pair is numbered by rows of joints."""
    assert norm.running_mean is not None  # only without track_running_stats
    assert norm.running_var is not None
    scale = norm.weight / (norm.running_var + norm.eps).sqrt()
    shift = norm.bias - norm.running_mean * scale
    layer.weight.mul_(scale[layer.pairs // layer.joints][:, None, None])
    bias = layer.bias.reshape(layer.joints, -1) * scale[:, None] + shift[:, None]
    layer.bias.copy_(bias.flatten())


PRECISIONS = {"float32": _whole, "mixed_float16": _with_networks_in_half}
