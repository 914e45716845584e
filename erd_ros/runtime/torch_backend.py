"""PyTorch on a checkpoint of ``erd train``: for comparison; a robot runs the ONNX file."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from erd_ros.artifact import Artifact
from erd_ros.errors import BackendError
from erd_ros.pose import FloatArray
from erd_ros.runtime.graph_backend import GraphBackend

try:
    import torch

    from erd_ros.models.checkpoint import load_model
    from erd_ros.models.erd import ErdModel
    from erd_ros.runtime.torch_graphs import TorchGraphs
except ImportError as error:
    raise BackendError(
        f"PyTorch cannot be imported ({error}); install it with `pip install erd_ros[train]`, "
        "or run the .onnx file of the same model"
    ) from error


class TorchBackend(GraphBackend):
    """See ``erd_ros.runtime.Backend``."""

    name = "torch"

    def __init__(
        self, model: ErdModel, info: Artifact, threads: int, sha256: str, max_persons: int = 0
    ) -> None:
        """``max_persons`` above 0 runs it on the graphics processor, as CUDA graphs."""
        device = "cuda" if max_persons else "cpu"
        super().__init__(info, device, sha256, len(model.sizings) > 0, golden=None)
        self._model = model
        self._threads = threads
        self._graphs = TorchGraphs(model, max_persons) if max_persons else None

    def _run(self, inputs: tuple[FloatArray, ...]) -> Sequence[FloatArray]:
        try:
            if self._graphs is not None:
                return self._graphs(inputs)
            with torch.inference_mode(), _threads(self._threads):
                outputs = self._model(*map(torch.from_numpy, inputs))
        except RuntimeError as error:  # out of memory and a lost device are of this class too
            raise BackendError(f"PyTorch failed on {len(inputs[0])} persons: {error}") from error
        return [output.numpy() for output in outputs]


def load(path: Path, device: str, threads: int, max_persons: int) -> TorchBackend:
    """Load a checkpoint; called through ``erd_ros.runtime.load``, which says what is raised."""
    if device == "cuda" and not torch.cuda.is_available():
        raise BackendError(
            f"PyTorch {torch.__version__} sees no CUDA device; choose device cpu, or install a "
            "PyTorch with CUDA and the driver it needs"
        )
    model, info = load_model(path)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    return TorchBackend(model, info, threads, sha256, max_persons if device == "cuda" else 0)


@contextmanager
def _threads(number: int) -> Iterator[None]:
    """PyTorch's number of threads belongs to the whole process: it is given back."""
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)
