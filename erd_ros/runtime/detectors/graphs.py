"""Graphs of detectors in ONNX Runtime: one image in, arrays out."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from erd_ros.errors import ArtifactError, BackendError

WEIGHTS = Path(__file__).parents[2] / "weights"


class Graph:
    """An ONNX file with one input ``image`` on the CPU.

    Raises BackendError when ONNX Runtime is not installed, ArtifactError when the file is missing,
    cannot be run or has other inputs and outputs than those that are named.
    """

    def __init__(self, file: Path, outputs: Sequence[str], threads: int = 1) -> None:
        self.file = file
        self._outputs = list(outputs)
        self._session = _session(file, threads)
        inputs = [tensor.name for tensor in self._session.get_inputs()]
        there = [tensor.name for tensor in self._session.get_outputs()]
        if inputs != ["image"] or not set(outputs) <= set(there):
            raise ArtifactError(
                f"{file} takes {inputs} and gives {there}, expected ['image'] and "
                f"{self._outputs}; make it with scripts/convert_detectors.py"
            )

    @property
    def sha256(self) -> str:
        """Digest of the file, hexadecimal."""
        return hashlib.sha256(self.file.read_bytes()).hexdigest()

    def __call__(self, image: NDArray[Any]) -> list[NDArray[np.float32]]:
        """Outputs, in the order in which they were named. Raises BackendError."""
        try:
            outputs: list[NDArray[np.float32]] = self._session.run(self._outputs, {"image": image})
        except Exception as error:  # its classes share no base of their own
            raise BackendError(
                f"ONNX Runtime failed on {self.file.name} with an image of {image.shape}: {error}"
            ) from error
        return outputs


def _session(file: Path, threads: int) -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise BackendError(
            f"ONNX Runtime cannot be imported ({error}); install it with `pip install onnxruntime`"
        ) from error
    if not file.is_file():
        raise ArtifactError(
            f"the detector's file {file} is not there; make it with scripts/convert_detectors.py"
        )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Threads that wait for work in a loop would take the cores from the rest of the robot.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its classes share no base of their own
        raise ArtifactError(
            f"{file} is not an ONNX file that can be run, perhaps truncated: {error}; make it "
            "again with scripts/convert_detectors.py"
        ) from error
