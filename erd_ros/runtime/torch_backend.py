"""PyTorch on a checkpoint of ``erd train``: for comparison; a robot runs the ONNX file.

On a graphics processor batches are replayed as CUDA graphs.
"""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from erd_ros.artifact import Artifact
from erd_ros.cues import CUES
from erd_ros.digest import read_file
from erd_ros.errors import BackendError
from erd_ros.pose import FloatArray
from erd_ros.runtime.buckets import bucket_of, bucket_sizes, in_runs
from erd_ros.runtime.graph_backend import GraphBackend

try:
    import torch
    from torch import Tensor

    from erd_ros.models.checkpoint import load_model
    from erd_ros.models.erd import ErdModel
except ImportError as error:
    raise BackendError(
        f"PyTorch cannot be imported ({error}); install it with `pip install erd_ros[train]`, "
        "or run the .onnx file of the same model"
    ) from error

_WARM_UP_CALLS = 3  # as PyTorch's documentation of CUDA graphs has it


@dataclass(frozen=True, eq=False)
class _Recording:
    """One batch size: the graph, and the tensors that it reads and writes in place."""

    graph: torch.cuda.CUDAGraph
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]


class TorchGraphs:
    """Batches on the graphics processor; each batch size is recorded when first needed."""

    def __init__(self, model: ErdModel, max_persons: int) -> None:
        self._model = model.to("cuda")
        self._sizes = bucket_sizes(max_persons)
        self._recordings: dict[int, _Recording] = {}
        # The root's solution needs float32 whole.
        torch.backends.cuda.matmul.allow_tf32 = False

    def __call__(self, inputs: tuple[FloatArray, ...]) -> Sequence[FloatArray]:
        """Outputs of N persons, N > 0; raises RuntimeError as PyTorch does."""
        return in_runs(self._replay, inputs, self._sizes[-1])

    def _replay(self, inputs: tuple[FloatArray, ...]) -> list[FloatArray]:
        persons = len(inputs[0])
        recording = self._recording(bucket_of(persons, self._sizes))
        for buffer, array in zip(recording.inputs, inputs, strict=True):
            buffer[:persons].copy_(torch.from_numpy(array))
        recording.graph.replay()
        return [output[:persons].cpu().numpy() for output in recording.outputs]

    def _recording(self, size: int) -> _Recording:
        if size not in self._recordings:
            self._recordings[size] = self._record(size)
        return self._recordings[size]

    @torch.inference_mode()
    def _record(self, size: int) -> _Recording:
        joints = len(self._model.skeleton)
        shapes = [(size, joints, 2), (size, joints), (size, len(CUES))]
        inputs = tuple(
            torch.zeros(shape, device="cuda") for shape in shapes[: 3 if self._model.sizings else 2]
        )
        stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(_WARM_UP_CALLS):
                self._model(*inputs)
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            outputs = self._model(*inputs)
        return _Recording(graph, inputs, outputs)


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
    sha256 = hashlib.sha256(read_file(path)).hexdigest()
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
