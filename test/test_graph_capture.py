"""What PyTorch's CUDA graphs ask of the model: no tensor elsewhere, no waiting for one."""

from collections import Counter

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed: no training here")

from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from untrained import untrained_model

from erd_ros.cues import CUES
from erd_ros.export.networks import PRECISIONS


class OnTheProcessor(TorchDispatchMode):
    """Counts operations, and those that read or make a tensor in the processor's memory."""

    def __init__(self):
        super().__init__()
        self.operations = 0
        self.elsewhere = Counter()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        self.operations += 1
        tensors = (one for one in tree_leaves((args, kwargs, result)) if torch.is_tensor(one))
        self.elsewhere[str(function)] += any(one.device.type == "cpu" for one in tensors)
        return result


@pytest.mark.parametrize("precision", [None, *PRECISIONS])
@pytest.mark.parametrize("root", ["perspective", "cues"])
def test_the_model_can_be_recorded(root, precision):
    """On the device "meta", which refuses to give a number out, as a recording does."""
    model, _ = untrained_model(root)
    model = (model if precision is None else PRECISIONS[precision](model)).to("meta")
    shapes = [(4, 17, 2), (4, 17), *([(4, len(CUES))] if root == "cues" else [])]
    inputs = [torch.zeros(shape, device="meta") for shape in shapes]
    with torch.inference_mode(), OnTheProcessor() as watch:
        outputs = model(*inputs)
    assert {one.device.type for one in outputs} == {"meta"}
    assert {one.dtype for one in outputs} == {torch.float32}
    assert watch.operations > 100
    assert not +watch.elsewhere


def test_a_tensor_elsewhere_is_seen():
    with OnTheProcessor() as watch:
        torch.zeros(2, device="meta") * torch.tensor(2.0)
    assert +watch.elsewhere
