"""Networks as they are exported compute what they were trained to."""

import numpy as np
import pytest
from untrained import untrained_model

torch = pytest.importorskip("torch", reason="PyTorch is not installed: no training here")
pytest.importorskip("onnx", reason="onnx is not installed: no export here")

from erd_ros.export.networks import PRECISIONS
from erd_ros.models.config import ModelConfig
from erd_ros.models.erd import ErdModel
from erd_ros.models.linear import LifterConfig, RegressorConfig
from erd_ros.skeleton import H36M17

NORMS = (torch.nn.BatchNorm1d, torch.nn.PReLU)


def model_of(lifter):
    """Random weights and statistics, so that each joint and feature has its own."""
    torch.manual_seed(1)
    config = ModelConfig(
        lifter=lifter,
        lifter_size=LifterConfig(width=8, blocks=1),
        steps=1,
        regressor_size=RegressorConfig(16),
    )
    model = ErdModel(H36M17, config)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm1d):
            for values in (module.running_mean, module.weight.data, module.bias.data):
                values.normal_()
            module.running_var.uniform_(0.5, 2)
        if isinstance(module, torch.nn.PReLU):
            module.weight.data.uniform_(-0.5, 1.5)
    return model.eval()


def lifted(model):
    generator = torch.Generator().manual_seed(0)
    shape = model.lifter_shape()
    features = torch.randn((5, shape.joints, shape.channels), generator=generator)
    context = torch.randn((5, shape.context), generator=generator)
    with torch.no_grad():
        return model.lifter(features, context).numpy()


@pytest.mark.parametrize("lifter", ["linear", "lcn", "semgcn"])
def test_folding_changes_no_answer(lifter):
    model = model_of(lifter)
    before = lifted(model)
    folded = PRECISIONS["float32"](model)
    np.testing.assert_allclose(lifted(folded), before, atol=2e-5 * np.abs(before).max())
    np.testing.assert_array_equal(lifted(model), before)  # the model itself stays as it was
    if lifter != "semgcn":  # its layers are no sequence of a layer and its normalisation
        assert not [one for one in folded.modules() if isinstance(one, NORMS)]


@pytest.mark.parametrize("lifter", ["linear", "lcn", "semgcn"])
def test_half_precision_is_near(lifter):
    model = model_of(lifter)
    before = lifted(model)
    half = PRECISIONS["mixed_float16"](model)
    found = lifted(half)
    assert found.dtype == np.float16
    np.testing.assert_allclose(found, before, atol=1e-2 * np.abs(before).max())
    kinds = {name.partition(".")[0]: one.dtype for name, one in half.named_parameters()}
    assert kinds["lifter"] == kinds["regressors"] == torch.float16
    assert half.pose_mean.dtype == torch.float32


def test_the_whole_model_computes_the_same():
    """Means and deviations of poses and increments included, which the last layers take over."""
    model, _ = untrained_model("cues")
    generator = torch.Generator().manual_seed(3)
    model.increment_deviation.uniform_(0.01, 0.2, generator=generator)
    model.pose_deviation.uniform_(0.01, 0.1, generator=generator)
    model.pose_deviation[0, 0] = torch.tensor([0.05, 0.1, 0.1])
    rays = torch.randn((6, 17, 2), generator=generator) * 0.1
    confidence = (torch.rand((6, 17), generator=generator) + 0.2).clamp(max=1)
    confidence[1, 3:6] = 0
    with torch.no_grad():
        expected = model(rays, confidence)
        for precision, bound in (("float32", 1e-5), ("mixed_float16", 2e-2)):
            for one, other in zip(
                PRECISIONS[precision](model)(rays, confidence), expected, strict=True
            ):
                torch.testing.assert_close(one, other, atol=bound, rtol=bound)


def test_the_geometry_stays_float32():
    model, _ = untrained_model("cues")
    half = PRECISIONS["mixed_float16"](model)
    assert {one.dtype for one in half.sizings.parameters()} == {torch.float32}
