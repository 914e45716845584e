"""Golden vectors: what the model makes of a few people, kept in the model file itself.

Export computes them in float32 with PyTorch; whatever executes the file on a robot is held against
them before it is trusted (``runtime/self_test.py``).
"""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from erd_ros.errors import ArtifactError
from erd_ros.pose import FloatArray

METADATA_KEY = "erd_ros.golden"
_STORED = np.dtype("<f4")  # whatever the byte order of the machine that reads it


@dataclass(frozen=True, eq=False)
class Golden:
    """Inputs and reference outputs of N persons, N > 0, by the names and units of the graph.

    inputs   rays (N, J, 2), confidence (N, J) and, where the model takes them, cues (N, C)
    outputs  joints (N, J, 3), root (N, 3), residual (N, J), and size and sigma likewise
    Raises ArtifactError for arrays that are not of the same persons.
    """

    inputs: Mapping[str, FloatArray]
    outputs: Mapping[str, FloatArray]

    def __post_init__(self) -> None:
        arrays = {**self.inputs, **self.outputs}
        persons = {name: array.shape[0] if array.ndim else 0 for name, array in arrays.items()}
        if not self.inputs or not self.outputs or len(set(persons.values())) != 1 or not self:
            raise ArtifactError(f"golden vectors are of {persons} persons, expected one number")

    def __len__(self) -> int:
        """N."""
        first: FloatArray = next(iter(self.inputs.values()))
        return len(first) if first.ndim else 0

    def to_json(self) -> str:
        """JSON text that ``from_json`` reads back to equal numbers, infinities included."""
        parts = {"inputs": self.inputs, "outputs": self.outputs}
        return json.dumps(
            {
                what: {name: _packed(one) for name, one in part.items()}
                for what, part in parts.items()
            }
        )

    @classmethod
    def from_json(cls, text: str, source: str) -> "Golden":
        """Read them back; ``source`` names the file in errors. Raises ArtifactError."""
        try:
            parts = json.loads(text)
            inputs, outputs = (
                {name: _unpacked(one) for name, one in parts[what].items()}
                for what in ("inputs", "outputs")
            )
            return cls(inputs, outputs)
        except (
            ValueError, TypeError, KeyError, AttributeError, RecursionError, ArtifactError,
        ) as error:  # fmt: skip
            raise ArtifactError(
                f"{source}: its golden vectors cannot be read ({str(error)[:200]}); "
                "export it again with `erd export`"
            ) from error

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str], source: str) -> "Golden | None":
        """Of a file's metadata; None for a file that has none. Raises ArtifactError."""
        text = metadata.get(METADATA_KEY)
        return None if text is None else cls.from_json(text, source)


def _packed(array: FloatArray) -> dict[str, object]:
    content = base64.b64encode(array.astype(_STORED).tobytes()).decode()
    return {"shape": list(array.shape), "float32": content}


def _unpacked(packed: dict[str, object]) -> FloatArray:
    content = base64.b64decode(str(packed["float32"]), validate=True)
    shape = packed["shape"]
    if not isinstance(shape, list):
        raise ValueError(f"shape is {shape!r}, expected a list")
    return np.frombuffer(content, _STORED).astype(np.float32).reshape(shape)
