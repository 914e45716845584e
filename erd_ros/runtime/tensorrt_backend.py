"""TensorRT: the default on a robot with an NVIDIA graphics processor."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from erd_ros.artifact import Artifact
from erd_ros.digest import read_onnx
from erd_ros.errors import BackendError
from erd_ros.golden import Golden
from erd_ros.pose import FloatArray
from erd_ros.runtime.buckets import bucket_of, bucket_sizes, in_runs
from erd_ros.runtime.cuda_device import Buffer, Cuda
from erd_ros.runtime.engine_cache import EngineKey, cache_folder, cached
from erd_ros.runtime.graph_backend import GraphBackend, check_graph, input_names, output_names
from erd_ros.runtime.onnx_backend import read_metadata
from erd_ros.runtime.tensorrt_builder import Log, build, check_version, making, tensorrt


@dataclass(frozen=True, eq=False)
class _Recording:
    """One batch size: its buffers, and what copies, computes and copies back as one CUDA graph.

    context  keeps what the graph uses alive
    """

    inputs: tuple[Buffer, ...]
    outputs: tuple[Buffer, ...]
    replay: Callable[[], None]
    context: Any


class TensorRtBackend(GraphBackend):
    """See ``erd_ros.runtime.Backend``."""

    name = "tensorrt"

    def __init__(
        self, engine: "tensorrt.ICudaEngine", cuda: Cuda, info: Artifact, sha256: str,
        golden: Golden | None, max_persons: int, source: str,
    ) -> None:  # fmt: skip
        shapes = _shapes(engine)
        inputs = {name: shape for name, (is_input, shape) in shapes.items() if is_input}
        outputs = [name for name in shapes if name not in inputs]
        takes_cues = check_graph(inputs, outputs, len(info.skeleton), source)
        super().__init__(info, "cuda", sha256, takes_cues, golden)
        self._engine = engine
        self._cuda = cuda
        self._shapes = {name: tuple(shape) for name, (_, shape) in shapes.items()}
        self._inputs, self._outputs = input_names(takes_cues), output_names(takes_cues)
        self._sizes = bucket_sizes(max_persons)
        self._recordings: dict[int, _Recording] = {}

    def _run(self, inputs: tuple[FloatArray, ...]) -> Sequence[FloatArray]:
        return in_runs(self._replay, inputs, self._sizes[-1])

    def _replay(self, inputs: tuple[FloatArray, ...]) -> list[FloatArray]:
        persons = len(inputs[0])
        size = bucket_of(persons, self._sizes)
        if size not in self._recordings:
            self._recordings[size] = self._record(size)
        recording = self._recordings[size]
        # Places beyond the last person keep whom they had: nobody reads what comes of them.
        for buffer, array in zip(recording.inputs, inputs, strict=True):
            buffer.host[:persons] = array
        recording.replay()
        self._cuda.wait()
        return [buffer.host[:persons].copy() for buffer in recording.outputs]

    def _record(self, size: int) -> _Recording:
        """Each batch size has its own context: a graph is valid for the shapes it was made of."""
        context = self._engine.create_execution_context()
        if context is None:
            raise BackendError(
                f"TensorRT has no execution context for {size} persons, perhaps for want of the "
                "graphics processor's memory; stop what else uses it, or lower max_persons"
            )
        buffers = {name: self._cuda.buffer((size, *rest)) for name, rest in self._shapes.items()}
        for name in self._inputs:
            _expect(context.set_input_shape(name, buffers[name].host.shape), f"shape of {name}")
        for name, buffer in buffers.items():
            _expect(context.set_tensor_address(name, buffer.device), f"address of {name}")
        inputs = tuple(buffers[name] for name in self._inputs)
        outputs = tuple(buffers[name] for name in self._outputs)

        def work() -> None:
            for buffer in inputs:
                self._cuda.upload(buffer)
            _expect(context.execute_async_v3(self._cuda.stream), f"{size} persons")
            for buffer in outputs:
                self._cuda.download(buffer)

        # The first execution with new shapes allocates, which must not become part of the graph.
        work()
        self._cuda.wait()
        return _Recording(inputs, outputs, self._cuda.record(work), context)


def load(path: Path, device: str, threads: int, max_persons: int) -> TensorRtBackend:
    """Load an ONNX file, its engine from the cache or built now; see ``erd_ros.runtime.load``."""
    check_version()
    model, source = read_onnx(path), str(path)
    metadata = read_metadata(model, source)
    info = Artifact.from_metadata(metadata, source)
    golden = Golden.from_metadata(metadata, source)
    cuda, log = Cuda(), Log()
    sha256 = hashlib.sha256(model).hexdigest()
    key = EngineKey(
        sha256, tensorrt.__version__, cuda.gpu, cuda.capability, cuda.driver, info.precision,
        max_persons,
    )  # fmt: skip
    with making("a runtime"):
        runtime = tensorrt.Runtime(log)
    engine = cached(
        cache_folder(),
        key,
        build=lambda: build(model, source, info.precision, max_persons, log),
        start=runtime.deserialize_cuda_engine,
    )
    return TensorRtBackend(engine, cuda, info, sha256, golden, max_persons, source)


def _shapes(engine: "tensorrt.ICudaEngine") -> dict[str, tuple[bool, list[int]]]:
    """Of each tensor: whether it is an input, and its shape without the number of persons."""
    shapes = {}
    for index in range(engine.num_io_tensors):
        name = engine.get_tensor_name(index)
        is_input = engine.get_tensor_mode(name) == tensorrt.TensorIOMode.INPUT
        shapes[name] = (is_input, list(engine.get_tensor_shape(name))[1:])
    return shapes


def _expect(done: bool, what: str) -> None:
    if not done:
        raise BackendError(
            f"TensorRT refused {what}; its log says why; start the node anew, or run with "
            "backend 'onnxruntime'"
        )
