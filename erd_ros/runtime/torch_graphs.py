"""The PyTorch model on a graphics processor, replayed as CUDA graphs."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from erd_ros.cues import CUES
from erd_ros.models.erd import ErdModel
from erd_ros.pose import FloatArray
from erd_ros.runtime.buckets import bucket_of, bucket_sizes, in_runs

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
