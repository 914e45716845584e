"""Every step's estimate from the ONNX file that ships, run by ONNX Runtime."""

import base64
import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from erd_ros.artifact import STEPS_KEY, Artifact
from erd_ros.digest import read_onnx
from erd_ros.errors import ArtifactError, BackendError
from erd_ros.metrics import Array
from erd_ros.pose import FloatArray
from erd_ros.runtime import check_cues
from erd_ros.runtime.graph_backend import INPUTS

try:
    import onnx
except ImportError as error:
    raise BackendError(
        f"evaluation looks inside the model file with onnx, which cannot be imported ({error}); "
        "install it with `pip install erd_ros[train]`"
    ) from error

_BATCH = 1024


class StepModel:
    """A model file whose inner estimates, ``joints_step_0`` to ``root_step_K``, are outputs."""

    def __init__(self, session: Any, info: Artifact, sha256: str) -> None:
        self._session = session
        self.info = info
        self.sha256 = sha256
        self.takes_cues = len(session.get_inputs()) == len(INPUTS)

    def __call__(
        self, rays: FloatArray, confidence: FloatArray, cues: FloatArray | None = None
    ) -> list[tuple[Array, Array]]:
        """Joints (N, J, 3) relative to the root and root (N, 3) of every step, metres; N > 0.

        cues  (N, C) for a model that takes them; it does without where none are given
        """
        values = self._run(_step_names(self.info.steps), rays, confidence, cues)
        return list(zip(values[0::2], values[1::2], strict=True))

    def size_and_sigma(
        self, rays: FloatArray, confidence: FloatArray
    ) -> tuple[Array, Array] | tuple[None, None]:
        """(N,) sizes without cues and deviations of the distance, metres; None: it does not say."""
        if not self.takes_cues:
            return None, None
        size, sigma = self._run(["size", "sigma"], rays, confidence, None)
        return size[:, 0], sigma

    def _run(
        self, names: list[str], rays: FloatArray, confidence: FloatArray, cues: FloatArray | None
    ) -> list[Array]:
        given = (rays, confidence, *check_cues(cues, len(rays), self.takes_cues))
        parts = []
        for first in range(0, len(rays), _BATCH):
            some = slice(first, first + _BATCH)
            inputs = dict(zip(INPUTS, (one[some] for one in given), strict=False))
            parts.append(self._session.run(names, inputs))
        return [np.concatenate(of_batches) for of_batches in zip(*parts, strict=True)]


def load_steps(path: Path) -> StepModel:
    """Open a model file of `erd export`. Raises ArtifactError when it is not one."""
    if not path.is_file():
        raise ArtifactError(f"model file {path} does not exist; `erd export` writes one")
    content = read_onnx(path)
    try:
        model = onnx.load_model_from_string(content)
    except Exception as error:  # protobuf's errors share no public base
        raise ArtifactError(f"{path} is not an ONNX file: {error}; copy it again") from error
    metadata = {one.key: one.value for one in model.metadata_props}
    info = Artifact.from_metadata(metadata, str(path))
    steps = _steps_graph(metadata.get(STEPS_KEY, ""), path)
    # Files of before there was such a graph have these values in their own.
    described = {value.name: value for value in (*model.graph.value_info, *steps.output)}
    absent = [name for name in _step_names(info.steps) if name not in described]
    if absent:
        raise ArtifactError(
            f"{path}: its graph has no value '{absent[0]}'; export it again with `erd export`"
        )
    model.graph.node.extend(steps.node)
    model.graph.initializer.extend(steps.initializer)
    model.graph.output.extend(described[name] for name in _step_names(info.steps))
    try:
        session = onnxruntime.InferenceSession(
            model.SerializeToString(), providers=["CPUExecutionProvider"]
        )
    except Exception as error:  # its classes share no base of their own
        raise ArtifactError(
            f"{path}: the nodes of its steps do not fit its graph ({str(error)[:200]}); "
            "export it again with `erd export`"
        ) from error
    return StepModel(session, info, hashlib.sha256(content).hexdigest())


def _steps_graph(text: str, path: Path) -> onnx.GraphProto:
    try:
        graph: onnx.GraphProto = onnx.GraphProto.FromString(base64.b64decode(text))
    except Exception as error:  # protobuf's errors share no public base
        raise ArtifactError(
            f"{path}: the nodes of its steps cannot be read ({str(error)[:200]}); "
            "export it again with `erd export`"
        ) from error
    return graph


def _step_names(steps: int) -> list[str]:
    return [f"{what}_step_{step}" for step in range(steps + 1) for what in ("joints", "root")]
