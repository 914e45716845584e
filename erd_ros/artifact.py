"""What a model file says about itself.

Export writes this description into the ONNX metadata (and the safetensors header of a checkpoint
that is run in PyTorch); the runtime reads it back, so that the two arms of the package meet in
one file on disk. It is JSON: data, never a program.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from erd_ros.errors import ArtifactError, InputError
from erd_ros.skeleton import Skeleton

METADATA_KEY = "erd_ros.artifact"
# Of an ONNX file: the nodes that give every step's estimate in the camera frame, for evaluation.
STEPS_KEY = "erd_ros.steps"
MOST_STEPS = 64
FORMAT_VERSION = 1
UNIT = "metre"
Deviations = tuple[tuple[tuple[float, ...], ...], ...]
FRAME = "camera optical (x right, y down, z forward)"


@dataclass(frozen=True)
class Artifact:
    """Description of one model file.

    name, steps, precision  e.g. "linear_erd", 4 residual steps, "float32"
    skeleton                layout of input keypoints and output joints; joint 0 is the root
    training                provenance: config, seed, commit, data sources and their terms, subjects
    deviations              (J, 2, 2) how far each joint errs, one standard deviation in sizes of
                            the person (``cues.py``): where its keypoint is seen and where it is
                            inferred, each across the ray to the person, and along it relative to
                            the root; empty: not measured (`erd calibrate` does)
    Raises ArtifactError when the description is of another format, unit or frame.
    """

    name: str
    skeleton: Skeleton
    steps: int
    precision: str = "float32"
    training: Mapping[str, Any] = field(default_factory=dict)
    deviations: Deviations = ()
    format_version: int = FORMAT_VERSION
    unit: str = UNIT
    frame: str = FRAME

    def __post_init__(self) -> None:
        self._check_kinds()
        for what, value, expected in (
            ("format_version", self.format_version, FORMAT_VERSION),
            ("unit", self.unit, UNIT),
            ("frame", self.frame, FRAME),
        ):
            if value != expected:
                raise ArtifactError(
                    f"model '{self.name}' has {what} {value!r}, this version reads {expected!r}; "
                    "export it again with `erd export`"
                )
        if self.skeleton.parents[:1] != (-1,):
            raise ArtifactError(
                f"model '{self.name}': joint 0 of {', '.join(self.skeleton.joint_names) or 'none'} "
                "must be the root (parent -1); export it again with `erd export`"
            )
        if not 0 <= self.steps <= MOST_STEPS:
            raise ArtifactError(
                f"model '{self.name}' has {self.steps} steps, expected 0 to {MOST_STEPS}"
            )
        if self.deviations:
            self._check_deviations()

    def _check_kinds(self) -> None:
        kinds: dict[str, type] = {"name": str, "steps": int, "precision": str, "training": Mapping}
        for what, kind in kinds.items():
            value = getattr(self, what)
            if not isinstance(value, kind) or isinstance(value, bool):
                raise ArtifactError(
                    f"a model's {what} is {str(value)[:60]!r}, expected {kind.__name__}; "
                    "export it again with `erd export`"
                )

    def _check_deviations(self) -> None:
        rows = [row for joint in self.deviations for row in joint]
        whole = len(rows) == 2 * len(self.deviations) and all(len(row) == 2 for row in rows)
        if len(self.deviations) != len(self.skeleton) or not whole:
            raise ArtifactError(
                f"model '{self.name}' has deviations of {len(self.deviations)} joints, expected "
                f"two pairs for each of {len(self.skeleton)}; measure them again with "
                "`erd calibrate`"
            )
        wrong = [value for row in rows for value in row if not 0 <= value < math.inf]
        if wrong:
            raise ArtifactError(
                f"model '{self.name}' has a deviation of {wrong[0]}, expected 0 or more; measure "
                "them again with `erd calibrate`"
            )

    def to_json(self) -> str:
        """JSON text that ``from_json`` reads back to an equal description."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str, source: str) -> "Artifact":
        """Read a description back; ``source`` names the file in errors. Raises ArtifactError."""
        try:
            values = json.loads(text)
            skeleton = values.pop("skeleton")
            deviations = values.pop("deviations", ())
            return cls(
                deviations=tuple(tuple(tuple(row) for row in joint) for joint in deviations),
                skeleton=Skeleton(
                    skeleton["name"], tuple(skeleton["joint_names"]), tuple(skeleton["parents"])
                ),
                **values,
            )
        except ArtifactError as error:
            raise ArtifactError(f"{source}: {error}") from error
        except (
            ValueError, TypeError, KeyError, AttributeError, RecursionError, InputError,
        ) as error:  # fmt: skip
            raise ArtifactError(
                f"{source}: its description cannot be read ({str(error)[:200]}); "
                "export it again with `erd export`"
            ) from error

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str], source: str) -> "Artifact":
        """Find the description in a file's metadata. Raises ArtifactError for a foreign file."""
        if METADATA_KEY not in metadata:
            raise ArtifactError(
                f"{source} is not a model of erd_ros: its metadata has no '{METADATA_KEY}'; "
                "use the shipped model or one written by `erd export`"
            )
        return cls.from_json(metadata[METADATA_KEY], source)
