"""The real graph with random weights, as a file for each backend."""

import importlib.util

from tiny_onnx import FIGURE, write_tiny_onnx

from erd_ros.artifact import Artifact
from erd_ros.skeleton import H36M17


def write_models(folder, root="perspective"):
    """One model as a file for each backend, by suffix; without PyTorch, the tiny graph."""
    onnx_file = folder / "model.onnx"
    if importlib.util.find_spec("torch") is None:
        return {".onnx": write_tiny_onnx(onnx_file)}
    from erd_ros.export import export
    from erd_ros.models.checkpoint import save_model

    model, artifact = untrained_model(root)
    checkpoint = folder / "model.safetensors"
    save_model(checkpoint, model, artifact)
    export(checkpoint, onnx_file)
    return {".onnx": onnx_file, ".safetensors": checkpoint}


def untrained_model(root="perspective"):
    """Random weights around the tiny model's figure: poses that differ, at sensible depths."""
    import torch

    from erd_ros.models.config import ModelConfig
    from erd_ros.models.erd import ErdModel
    from erd_ros.models.linear import LifterConfig, RegressorConfig
    from erd_ros.models.sizing import size_of

    torch.manual_seed(0)
    config = ModelConfig(
        lifter_size=LifterConfig(width=64, blocks=1),
        steps=2,
        regressor_size=RegressorConfig(32),
        root=root,
    )
    model = ErdModel(H36M17, config)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm1d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
    for regressor in model.regressors:
        torch.nn.init.normal_(regressor.network[-1].weight, std=0.1)
    model.pose_mean.copy_(torch.from_numpy(FIGURE)[None])
    if model.sizings:
        # In sizes, and where a joint would be relative to itself the logarithms of size and sigma.
        model.pose_mean.div_(size_of(torch.from_numpy(FIGURE), H36M17))
        model.pose_mean[0, 0] = torch.tensor([0.5, -3.0, 0.0])
    model.pose_deviation.fill_(0.05)
    return model.eval(), Artifact("untrained", H36M17, 2)
