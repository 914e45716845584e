"""ONNX Runtime: the default on a robot without a graphics processor, and behind TensorRT."""

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from erd_ros.artifact import Artifact
from erd_ros.digest import read_onnx
from erd_ros.errors import ArtifactError, BackendError
from erd_ros.golden import Golden
from erd_ros.pose import FloatArray
from erd_ros.runtime.graph_backend import GraphBackend, check_graph, input_names, output_names

try:
    import onnxruntime
except ImportError as error:
    raise BackendError(
        f"ONNX Runtime cannot be imported ({error}); install it with `pip install onnxruntime`"
    ) from error

Provider = tuple[str, dict[str, str]]  # its name and its options

# float32 means float32: TensorFloat-32 rounds to ten bits what the root's solution needs.
PROVIDERS: dict[str, Provider] = {
    "cpu": ("CPUExecutionProvider", {}),
    "cuda": ("CUDAExecutionProvider", {"use_tf32": "0"}),
}
# A thread's share of a batch below this costs more to hand over than it saves.
_FEWEST_PERSONS = 8
_INSTALL = {"cuda": "install onnxruntime-gpu instead of onnxruntime, with its CUDA and cuDNN"}


class OnnxBackend(GraphBackend):
    """See ``erd_ros.runtime.Backend``."""

    name = "onnxruntime"

    def __init__(
        self, session: Any, info: Artifact, device: str, threads: int, sha256: str, source: str
    ) -> None:
        inputs = {tensor.name: tensor.shape[1:] for tensor in session.get_inputs()}
        outputs = [tensor.name for tensor in session.get_outputs()]
        takes_cues = check_graph(inputs, outputs, len(info.skeleton), source)
        golden = Golden.from_metadata(_metadata(session, source), source)
        super().__init__(info, device, sha256, takes_cues, golden)
        self._session = session
        self._threads = threads
        self._helpers = ThreadPoolExecutor(threads)  # a thread starts when it is first needed
        self._inputs, self._outputs = input_names(takes_cues), output_names(takes_cues)

    def _run(self, inputs: tuple[FloatArray, ...]) -> Sequence[FloatArray]:
        """Large batches in equal parts, one for each thread.

        Threads within each operation would wait for each other six hundred times in a call: 64
        persons on two cores take 4.3 ms so and 3.6 ms by parts; and one person at a camera's rate,
        when the other core has to wake up first, up to twice as long as on one thread.
        """
        parts = min(self._threads, len(inputs[0]) // _FEWEST_PERSONS)
        if parts < 2:
            return self._execute(inputs)
        shares = zip(*(np.array_split(array, parts) for array in inputs), strict=True)
        outputs = self._helpers.map(self._execute, shares)
        return [np.concatenate(arrays) for arrays in zip(*outputs, strict=True)]

    def _execute(self, inputs: tuple[FloatArray, ...]) -> Sequence[FloatArray]:
        # Bound buffers (IOBinding) were measured: no faster than this on the CPU.
        try:
            outputs: Sequence[FloatArray] = self._session.run(
                self._outputs, dict(zip(self._inputs, inputs, strict=True))
            )
        except Exception as error:  # its classes share no base of their own
            raise BackendError(
                f"ONNX Runtime failed on {len(inputs[0])} persons: {error}"
            ) from error
        return outputs


def load(path: Path, device: str, threads: int, max_persons: int) -> OnnxBackend:
    """Load an ONNX file; called through ``erd_ros.runtime.load``, which says what is raised.

    Batches larger than max_persons run whole: the CPU needs no profile.
    """
    model = read_onnx(path)
    session = start_session(model, path, device, [PROVIDERS[device]])
    info = Artifact.from_metadata(_metadata(session, str(path)), str(path))
    sha256 = hashlib.sha256(model).hexdigest()
    return OnnxBackend(session, info, device, threads if device == "cpu" else 1, sha256, str(path))


def read_metadata(model: bytes, source: str) -> dict[str, str]:
    """What a file says of itself; its graph is not made ready to run. Raises ArtifactError."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = _started(model, source, options, [PROVIDERS["cpu"]])
    return _metadata(session, source)


def _metadata(session: Any, source: str) -> dict[str, str]:
    try:
        return dict(session.get_modelmeta().custom_metadata_map)
    except UnicodeDecodeError as error:
        raise ArtifactError(
            f"{source}: its description is no text ({error}); export it again with `erd export`"
        ) from error


def start_session(model: bytes, path: Path, device: str, providers: Sequence[Provider]) -> Any:
    """A session of the first provider; the others take what it leaves.

    Raises BackendError where the first cannot be had, ArtifactError for a file that is no model.
    """
    provider = providers[0][0]
    available = onnxruntime.get_available_providers()
    if provider not in available:
        raise BackendError(
            f"ONNX Runtime {onnxruntime.__version__} has no {provider} for device '{device}', only "
            f"{', '.join(available)}; {_INSTALL[device]}, or choose device cpu"
        )
    session = _started(model, str(path), _options(), providers)
    # It replaces a provider whose libraries or device are missing by the CPU, with a log line only.
    if provider not in session.get_providers():
        raise BackendError(
            f"ONNX Runtime could not start {provider} for device '{device}', it would run "
            f"{', '.join(session.get_providers())}; {_INSTALL[device]}, or choose device cpu"
        )
    return session


def _started(model: bytes, source: str, options: Any, providers: Sequence[Provider]) -> Any:
    try:
        return onnxruntime.InferenceSession(model, options, providers=list(providers))
    except Exception as error:  # its classes share no base of their own
        raise ArtifactError(
            f"{source} ({len(model)} bytes) is not an ONNX file that can be run, perhaps "
            f"truncated: {error}; copy it again or write it with `erd export`"
        ) from error


def _options() -> Any:
    """For the latency of one call at a time; threads share a batch, not an operation."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    return options
