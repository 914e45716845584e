"""PyTorch beside the backends: eager, compiled, as CUDA graphs, in both precisions."""

import copy

import torch

from erd_ros.errors import BackendError
from erd_ros.export.networks import PRECISIONS
from erd_ros.models.checkpoint import load_model
from erd_ros.runtime.buckets import bucket_of
from erd_ros.runtime.graph_backend import GraphBackend
from erd_ros.runtime.torch_backend import TorchGraphs


class TorchPeer(GraphBackend):
    """A checkpoint as PyTorch runs it, with copies both ways; ``how`` is a key of ``HOW``."""

    def __init__(self, path, device, how, precision, max_persons):
        if device == "cuda" and not torch.cuda.is_available():
            raise BackendError(f"PyTorch {torch.__version__} sees no CUDA device")
        model, info = load_model(path)
        super().__init__(info, device, "", len(model.sizings) > 0, golden=None)
        self.name, self.precision = f"torch {how}", precision
        torch.backends.cuda.matmul.allow_tf32 = False
        if precision != "float32":
            model = PRECISIONS[precision](model)
        self._call = HOW[how](copy.deepcopy(model).to(device).eval(), device, max_persons)

    def _run(self, inputs):
        try:
            return self._call(inputs)
        except Exception as error:  # compilers raise what they like
            raise BackendError(f"PyTorch failed on {len(inputs[0])} persons: {error}") from error

    def alone(self, persons):
        """The recorded graph without copies, for so many; None where none is recorded."""
        if not isinstance(self._call, TorchGraphs):
            return None
        size = bucket_of(persons, self._call._sizes)
        return lambda: (self._call._recording(size).graph.replay(), torch.cuda.synchronize())


def _eager(model, device, max_persons):
    def call(inputs):
        with torch.inference_mode():
            outputs = model(*(torch.from_numpy(one).to(device) for one in inputs))
            return [one.cpu().numpy() for one in outputs]

    return call


def _compiled(model, device, max_persons):
    # Without a GPU only the tracing is rehearsed: code for the CPU is not compared.
    backend = "inductor" if device == "cuda" else "eager"
    return _eager(torch.compile(model, backend=backend), device, max_persons)


def _graphs(model, device, max_persons):
    if device != "cuda":
        raise BackendError("CUDA graphs need a CUDA device")
    return TorchGraphs(model, max_persons)


HOW = {"eager": _eager, "compiled": _compiled, "graphs": _graphs}
