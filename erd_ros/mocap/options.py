"""What a reader may be told, and the small files that tell it."""

import math
import re
import reprlib
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import yaml

from erd_ros.errors import InputError
from erd_ros.mocap.clip import Recipe
from erd_ros.skeleton import H36M17

# Metres per unit of length.
UNITS = {"m": 1.0, "cm": 0.01, "mm": 0.001, "inch": 0.0254}
_AMC_FPS = 120.0  # of nearly all of CMU's
_LONGEST_ACTION = 1000
# All scalars stay text: `07` would be the number 7 otherwise, and `33_01` 3301. In C where there is
# one: the loader in Python takes a second for 100 kB.
_LOADER: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)


@dataclass(frozen=True)
class ReaderOptions:
    """What a reader needs to know beyond its files; each reader takes some of it.

    detections       file of 2D keypoints that belong to the clips
    cameras          human36m_cameras.json
    joints           YAML: a joint of H36M17 to a joint of the source, or to {joint: weight}
    actions          YAML: the name of a clip to its action
    unit             of lengths, a key of UNITS or a number of metres; None: the layout's usual one
    up_axis          y or z
    source_fps       frames per second where the files do not state it or are wrong, or a YAML file
                     that has them by the clip's name, which may be a pattern such as 33_*
    subject          regular expression that finds the subject in a file's path below the source;
                     its first group, or all that it matches
    Raises InputError for a value outside these.
    """

    detections: Path | None = None
    cameras: Path | None = None
    joints: Path | None = None
    actions: Path | None = None
    unit: str | None = None
    up_axis: str = "y"
    source_fps: float | Path | None = None
    subject: str | None = None

    def __post_init__(self) -> None:
        if self.unit is not None:
            metres_per_unit(self.unit)
        if self.up_axis not in ("y", "z"):
            raise InputError(f"the up axis is '{self.up_axis}', expected y or z")
        if self.source_fps is not None and not isinstance(self.source_fps, Path):
            _check_rate(self.source_fps, "the source's frame rate")
        if self.subject is not None:
            try:
                re.compile(self.subject)
            except (re.error, OverflowError, RecursionError) as error:
                raise InputError(
                    f"--subject {self.subject}: no regular expression: {error}"
                ) from error


def metres_per_unit(unit: str) -> float:
    """Metres of a unit of length: a key of UNITS, or a number. Raises InputError for others."""
    if unit in UNITS:
        return UNITS[unit]
    try:
        metres = float(unit)
    except ValueError:
        metres = math.nan
    if not 0 < metres < math.inf:
        raise InputError(
            f"unknown unit '{unit}'; choose one of {', '.join(UNITS)}, or a number of metres"
        )
    return metres


def _check_rate(rate: float, what: str) -> None:
    if not 0 < rate < math.inf:
        raise InputError(f"{what} is {rate} frames per second, expected more than 0")


class FrameRates:
    """Frames per second of clips: one for all, or by name from a YAML file.

    Raises InputError for a file of another form.
    """

    def __init__(self, stated: float | Path | None) -> None:
        self._all = None if isinstance(stated, Path) else stated
        self._by_name: dict[str, float] = {}
        if isinstance(stated, Path):
            for name, text in read_yaml_mapping(stated).items():
                self._by_name[name] = _number(text, f"{stated}: the frame rate of '{name}'")
                _check_rate(self._by_name[name], f"{stated}: the frame rate of '{name}'")

    def of(self, clip: str, otherwise: float = _AMC_FPS) -> float:
        """The rate of a clip: by its name, else the first pattern that fits, else ``otherwise``."""
        if self._all is not None:
            return self._all
        fitting = (rate for name, rate in self._by_name.items() if fnmatchcase(clip, name))
        return self._by_name.get(clip, next(fitting, otherwise))


def _number(text: Any, what: str) -> float:
    try:
        return float(text)
    except (TypeError, ValueError):
        raise InputError(f"{what} is {reprlib.repr(text)}, expected a number") from None


def subject_by_pattern(pattern: str | None, source: Path, path: Path) -> str | None:
    """The subject that a regular expression finds in a path below ``source``; None without one.

    Raises InputError for a path in which it finds none.
    """
    if pattern is None:
        return None
    below = path.name if path == source else path.relative_to(source).as_posix()
    found = re.search(pattern, below)
    subject = found[1 if found.re.groups else 0] if found else None
    if not subject:
        raise InputError(f"{path}: --subject {pattern} finds no subject in '{below}'")
    return subject


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
    for name, action in mapping.items():
        if not isinstance(action, str) or len(action) > _LONGEST_ACTION:
            raise InputError(
                f"{path}: '{name}' is {reprlib.repr(action)}, expected the name of an action"
            )
    return dict(mapping)


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
        elif isinstance(parts, dict):
            weights = {
                str(p): _number(w, f"{path}: a weight of '{name}'") for p, w in parts.items()
            }
            if not all(map(math.isfinite, weights.values())):
                raise InputError(f"{path}: a weight of '{name}' is not finite")
            recipes[name] = weights
        else:
            raise InputError(
                f"{path}: '{name}' is {reprlib.repr(parts)}, expected a joint of the source or "
                "joints with weights, as {LeftArm: 0.5, RightArm: 0.5}"
            )
    return recipes


def read_yaml_mapping(path: Path) -> Mapping[str, Any]:
    """A YAML file that holds a mapping, all scalars as text.

    Raises InputError that names file and line.
    """
    text = ""
    try:
        text = path.read_text(encoding="utf-8")
        content = yaml.load(text, _LOADER)
    except (OSError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise InputError(f"{path} cannot be read: {error}") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        # The loader in C counts one line more where the file ends too soon.
        place = f", line {min(mark.line + 1, len(text.splitlines()))}" if mark else ""
        problem = " ".join(str(getattr(error, "problem", None) or error).split())
        raise InputError(f"{path}{place}: no YAML: {problem}") from error
    if not isinstance(content, dict):
        raise InputError(f"{path} holds {type(content).__name__}, expected `name: value` lines")
    for name in content:
        if not isinstance(name, str):
            raise InputError(f"{path}: {reprlib.repr(name)}, expected a name")
    return content
