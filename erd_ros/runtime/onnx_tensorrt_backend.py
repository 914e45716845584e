"""TensorRT inside ONNX Runtime, for machines whose TensorRT has no Python module."""

import hashlib
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from erd_ros.artifact import Artifact
from erd_ros.digest import read_onnx
from erd_ros.pose import FloatArray
from erd_ros.runtime.buckets import in_runs
from erd_ros.runtime.engine_cache import cache_folder, not_trusted
from erd_ros.runtime.onnx_backend import (
    PROVIDERS,
    OnnxBackend,
    read_metadata,
    start_session,
)

_logger = logging.getLogger(__name__)
PROVIDER = "TensorrtExecutionProvider"


class OnnxTensorRtBackend(OnnxBackend):
    """See ``erd_ros.runtime.Backend``. Larger batches are split into runs of ``max_persons``."""

    name = "onnxruntime_tensorrt"

    def __init__(
        self, session: Any, info: Artifact, device: str, sha256: str, source: str, max_persons: int
    ) -> None:
        super().__init__(session, info, device, 1, sha256, source)
        self._max_persons = max_persons
        # The provider builds again, for seconds to minutes, when a batch has a size outside of
        # those it has seen: both ends are seen here, not while a robot waits.
        joints = len(info.skeleton)
        for persons in (1, max_persons):
            self(np.zeros((persons, joints, 2)), np.ones((persons, joints)))

    def _run(self, inputs: tuple[FloatArray, ...]) -> Sequence[FloatArray]:
        return in_runs(self._execute, inputs, self._max_persons)


def load(path: Path, device: str, threads: int, max_persons: int) -> OnnxTensorRtBackend:
    """Load an ONNX file, built for 1 to max_persons persons; see ``erd_ros.runtime.load``."""
    model, source = read_onnx(path), str(path)
    info = Artifact.from_metadata(read_metadata(model, source), source)
    providers = [(PROVIDER, options(info.precision)), PROVIDERS[device]]
    session = start_session(model, path, device, providers)
    sha256 = hashlib.sha256(model).hexdigest()
    return OnnxTensorRtBackend(session, info, device, sha256, source, max_persons)


def options(precision: str) -> dict[str, str]:
    """Of the provider; engines are kept only where nobody else may write, for they are code."""
    chosen = {"trt_fp16_enable": "0" if precision == "float32" else "1"}
    folder = cache_folder() / "onnxruntime"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        reason = not_trusted(folder) or not_trusted(folder.parent)
    except OSError as error:
        reason = f"{folder}: {error.strerror}"
    if reason:
        _logger.warning(
            "engines cannot be kept (%s): they are built at every start; set ROS_HOME or "
            "XDG_CACHE_HOME to a folder of this user", reason,
        )  # fmt: skip
        return chosen
    return chosen | {"trt_engine_cache_enable": "1", "trt_engine_cache_path": str(folder)}
