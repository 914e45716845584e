"""What a reader may be told, and the small files that tell it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from erd_ros.errors import InputError
from erd_ros.mocap.clip import Recipe
from erd_ros.pose import FloatArray
from erd_ros.skeleton import H36M17

# Metres per unit of length.
UNITS = {"m": 1.0, "cm": 0.01, "mm": 0.001, "inch": 0.0254}
# Hip to ankle of people, metres: a wrong unit lies outside.
_LEG_LENGTHS = (0.4, 1.3)


@dataclass(frozen=True)
class ReaderOptions:
    """What a reader needs to know beyond its files; each reader takes some of it.

    detections       file of 2D keypoints that belong to the clips
    cameras          human36m_cameras.json
    joints           YAML: a joint of H36M17 to a joint of the source, or to {joint: weight}
    actions          YAML: the name of a clip to its action
    unit             of lengths, a key of UNITS
    up_axis          y or z
    source_fps       frames per second where the files do not state it
    Raises InputError for a value outside these.
    """

    detections: Path | None = None
    cameras: Path | None = None
    joints: Path | None = None
    actions: Path | None = None
    unit: str = "cm"
    up_axis: str = "y"
    source_fps: float = 120.0

    def __post_init__(self) -> None:
        if self.unit not in UNITS:
            raise InputError(f"unknown unit '{self.unit}'; choose one of {', '.join(UNITS)}")
        if self.up_axis not in ("y", "z"):
            raise InputError(f"the up axis is '{self.up_axis}', expected y or z")
        if not self.source_fps > 0:
            raise InputError(
                f"the source's frame rate is {self.source_fps} frames per second, expected more "
                "than 0"
            )


def files_below(source: Path, suffix: str) -> list[Path]:
    """``source`` itself, or all files below it that end in ``suffix``, sorted.

    Raises InputError where there are none.
    """
    if source.is_file():
        return [source]
    found = sorted(p for p in source.rglob("*") if p.suffix.lower() == suffix and p.is_file())
    if not found:
        raise InputError(f"{source} is no file and holds none that ends in {suffix}")
    return found


def read_actions(path: Path | None) -> dict[str, str]:
    """Clip names to actions. Raises InputError for a file of another form."""
    mapping = {} if path is None else read_yaml_mapping(path)
    return {str(name): str(action) for name, action in mapping.items()}


def read_recipes(path: Path | None) -> dict[str, Recipe]:
    """Joints of H36M17 to what they are made of. Raises InputError for a file of another form."""
    recipes: dict[str, Recipe] = {}
    for name, parts in ({} if path is None else read_yaml_mapping(path)).items():
        if name not in H36M17.joint_names:
            raise InputError(
                f"{path}: no joint '{name}'; choose from {', '.join(H36M17.joint_names)}"
            )
        if isinstance(parts, str):
            recipes[name] = {parts: 1.0}
        elif isinstance(parts, dict) and all(isinstance(w, int | float) for w in parts.values()):
            recipes[name] = {str(part): float(weight) for part, weight in parts.items()}
        else:
            raise InputError(
                f"{path}: '{name}' is {parts!r}, expected a joint of the source or joints with "
                "weights, as {LeftArm: 0.5, RightArm: 0.5}"
            )
    return recipes


def read_yaml_mapping(path: Path) -> Mapping[str, Any]:
    """A YAML file that holds a mapping. Raises InputError that names file and line."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read: {error}") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f", line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or error
        raise InputError(f"{path}{place}: no YAML: {problem}") from error
    if not isinstance(content, dict):
        raise InputError(f"{path} holds {type(content).__name__}, expected `name: value` lines")
    return content


def check_leg_length(path: Path, positions: FloatArray, unit: str) -> None:
    """Raises InputError where legs (F, 17, 3) are not as long as people's: another unit."""
    hip, knee, ankle = (H36M17.index(f"left_{part}") for part in ("hip", "knee", "ankle"))
    bones = np.diff(positions[:, [hip, knee, ankle]], axis=1)
    length = float(np.median(np.linalg.norm(bones, axis=-1).sum(-1)))
    low, high = _LEG_LENGTHS
    if not low <= length <= high:
        raise InputError(
            f"{path}: the leg is {length:.3g} m long where lengths are in {unit}, expected {low} "
            f"to {high}; another unit, one of {', '.join(UNITS)}?"
        )
