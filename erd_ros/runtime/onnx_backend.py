"""ONNX Runtime on the CPU: the default on a robot."""

import hashlib
from pathlib import Path
from typing import Any

from numpy.typing import ArrayLike

from erd_ros.artifact import Artifact
from erd_ros.cues import CUES
from erd_ros.errors import ArtifactError, BackendError
from erd_ros.runtime import PoseOutputs, check_cues, check_inputs, empty_outputs

try:
    import onnxruntime
except ImportError as error:
    raise BackendError(
        f"ONNX Runtime cannot be imported ({error}); install it with `pip install onnxruntime`"
    ) from error

PROVIDERS = {"cpu": "CPUExecutionProvider"}
INPUTS = ("rays", "confidence", "cues")  # the last of models that take them
OUTPUTS = ("joints", "root", "residual")
OUTPUTS_OF_CUES = ("size", "sigma")


class OnnxBackend:
    """See ``erd_ros.runtime.Backend``."""

    name = "onnxruntime"

    def __init__(self, session: Any, info: Artifact, device: str, sha256: str) -> None:
        self._session = session
        self.info = info
        self.device = device
        self.precision = info.precision
        self.sha256 = sha256
        self.takes_cues = len(session.get_inputs()) == len(INPUTS)

    def __call__(
        self, rays: ArrayLike, confidence: ArrayLike, cues: ArrayLike | None = None
    ) -> PoseOutputs:
        """Poses of N persons; see ``Backend``. Raises BackendError when ONNX Runtime fails."""
        joints = len(self.info.skeleton)
        rays, confidence = check_inputs(rays, confidence, joints)
        more = check_cues(cues, len(rays), self.takes_cues)
        if not len(rays):
            return empty_outputs(joints, self.takes_cues)
        inputs = dict(zip(INPUTS, (rays, confidence, *more), strict=False))
        try:
            outputs = self._session.run(OUTPUTS + OUTPUTS_OF_CUES * self.takes_cues, inputs)
        except Exception as error:  # its classes share no base of their own
            raise BackendError(f"ONNX Runtime failed on {len(rays)} persons: {error}") from error
        return PoseOutputs(*outputs)


def load(path: Path, device: str, threads: int) -> OnnxBackend:
    """Load an ONNX file; called through ``erd_ros.runtime.load``, which says what is raised."""
    if device not in PROVIDERS:
        raise BackendError(
            f"device '{device}' is not available with ONNX Runtime; "
            f"choose one of {', '.join(PROVIDERS)}"
        )
    model = path.read_bytes()
    try:
        session = onnxruntime.InferenceSession(
            model, _options(threads), providers=[PROVIDERS[device]]
        )
    except Exception as error:  # its classes share no base of their own
        raise ArtifactError(
            f"{path} ({len(model)} bytes) is not an ONNX file that can be run, perhaps truncated: "
            f"{error}; copy it again or write it with `erd export`"
        ) from error
    info = Artifact.from_metadata(session.get_modelmeta().custom_metadata_map, str(path))
    _check_graph(session, len(info.skeleton), path)
    return OnnxBackend(session, info, device, hashlib.sha256(model).hexdigest())


def _options(threads: int) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    return options


def _check_graph(session: Any, joints: int, path: Path) -> None:
    inputs = {tensor.name: tensor.shape[1:] for tensor in session.get_inputs()}
    outputs = {tensor.name for tensor in session.get_outputs()}
    expected = {"rays": [joints, 2], "confidence": [joints]}
    wanted: tuple[str, ...] = OUTPUTS
    if "cues" in inputs:
        expected["cues"] = [len(CUES)]
        wanted += OUTPUTS_OF_CUES
    if inputs != expected or not outputs.issuperset(wanted):
        raise ArtifactError(
            f"{path}: its graph takes {inputs} and gives {sorted(outputs)}, but its description "
            f"of {joints} joints needs {expected} and {sorted(wanted)}; "
            "export it again with `erd export`"
        )
