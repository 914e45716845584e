"""ONNX Runtime: the default on a robot without a graphics processor, and behind TensorRT."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from erd_ros.artifact import Artifact
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

# float32 means float32: TensorFloat-32 rounds to ten bits what the root's solution needs.
PROVIDERS: dict[str, tuple[str, dict[str, str]]] = {
    "cpu": ("CPUExecutionProvider", {}),
    "cuda": ("CUDAExecutionProvider", {"use_tf32": "0"}),
}
_INSTALL = {"cuda": "install onnxruntime-gpu instead of onnxruntime, with its CUDA and cuDNN"}


class OnnxBackend(GraphBackend):
    """See ``erd_ros.runtime.Backend``."""

    name = "onnxruntime"

    def __init__(self, session: Any, info: Artifact, device: str, sha256: str, source: str) -> None:
        inputs = {tensor.name: tensor.shape[1:] for tensor in session.get_inputs()}
        outputs = [tensor.name for tensor in session.get_outputs()]
        takes_cues = check_graph(inputs, outputs, len(info.skeleton), source)
        golden = Golden.from_metadata(session.get_modelmeta().custom_metadata_map, source)
        super().__init__(info, device, sha256, takes_cues, golden)
        self._session = session
        self._inputs, self._outputs = input_names(takes_cues), output_names(takes_cues)

    def _run(self, inputs: tuple[FloatArray, ...]) -> Sequence[FloatArray]:
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
    model = path.read_bytes()
    session = _session(model, path, device, threads)
    info = Artifact.from_metadata(session.get_modelmeta().custom_metadata_map, str(path))
    return OnnxBackend(session, info, device, hashlib.sha256(model).hexdigest(), str(path))


def _session(model: bytes, path: Path, device: str, threads: int) -> Any:
    provider, options = PROVIDERS[device]
    available = onnxruntime.get_available_providers()
    if provider not in available:
        raise BackendError(
            f"ONNX Runtime {onnxruntime.__version__} has no {provider} for device '{device}', only "
            f"{', '.join(available)}; {_INSTALL[device]}, or choose device cpu"
        )
    try:
        session = onnxruntime.InferenceSession(
            model, _options(threads), providers=[(provider, options)]
        )
    except Exception as error:  # its classes share no base of their own
        raise ArtifactError(
            f"{path} ({len(model)} bytes) is not an ONNX file that can be run, perhaps truncated: "
            f"{error}; copy it again or write it with `erd export`"
        ) from error
    # It replaces a provider whose libraries or device are missing by the CPU, with a log line only.
    if provider not in session.get_providers():
        raise BackendError(
            f"ONNX Runtime could not start {provider} for device '{device}', it would run "
            f"{', '.join(session.get_providers())}; {_INSTALL[device]}, or choose device cpu"
        )
    return session


def _options(threads: int) -> Any:
    """For the latency of one call at a time."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    # Threads spin while a call runs, for waking them costs more than their part of the work, but
    # not between the frames, where they would take a robot's core.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    return options
