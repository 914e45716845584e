"""Acclaim skeleton files (ASF), as CMU's motion capture database has them.

The format as M. Schafer defines it (Acclaim Skeleton File Definition V1.10, 1994): a bone begins
where its parent ends, points in ``direction`` at rest in the world, and turns about its own axes,
which ``axis`` states. With C the rotation of the axes and M that of the motion, its orientation is
parent * C * M * inverse(C).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from erd_ros.mocap.clip import Array
from erd_ros.mocap.rotations import fixed_axes_rotation
from erd_ros.mocap.text import Lines

ROOT = "root"
_ANGLES = {"deg": np.pi / 180, "rad": 1.0}
MOVES, TURNS = ("tx", "ty", "tz"), ("rx", "ry", "rz")
_INCH = 0.0254


@dataclass(frozen=True, eq=False)
class Bone:
    """A bone at rest; the root has no length.

    offset              (3,) from its beginning to its end, file units
    axes                (3, 3) rotation C of its own axes in the world
    degrees_of_freedom  what the motion states of it, in order: tx to tz, rx to rz
    """

    offset: Array
    axes: Array
    degrees_of_freedom: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Asf:
    """A skeleton: bones by name, ``root`` among them, each bone's parent, parents first.

    metres_per_unit  CMU's files say "length 0.45": a unit is 1 / 0.45 inches
    """

    bones: Mapping[str, Bone]
    parents: Mapping[str, str]
    metres_per_unit: float
    radians_per_unit: float


def read_asf(path: Path) -> Asf:
    """Parse a skeleton. Raises InputError that names the line and what was expected there."""
    lines = Lines(path, comment="#")
    length, angle = 1.0, _ANGLES["deg"]
    bones: dict[str, Bone] = {}
    parents: dict[str, str] = {}
    while lines.peek():
        section = lines.take("a section")[0].lower()
        if section == ":units":
            length, angle = _read_units(lines)
        elif section == ":root":
            bones[ROOT] = _read_root(lines)
        elif section == ":bonedata":
            bones |= _read_bones(lines, angle)
        elif section == ":hierarchy":
            parents = _read_hierarchy(lines, bones)
    if ROOT not in bones or not parents:
        raise lines.error("the file ends without ':root' or ':hierarchy'")
    return Asf(bones, parents, _INCH / length, angle)


def _read_units(lines: Lines) -> tuple[float, float]:
    """Units of length per inch, and radians per unit of angle."""
    length, angle = 1.0, _ANGLES["deg"]
    while lines.peek() and not lines.peek()[0].startswith(":"):
        words = lines.take("a unit")
        if words[0] == "length":
            (length,) = lines.numbers(words[1:], 1, "length")
            if not length > 0:
                raise lines.error(f"length is {length}, expected more than 0")
        elif words[0] == "angle":
            if words[1:] not in (["deg"], ["rad"]):
                raise lines.error(f"the angle is '{' '.join(words[1:])}', expected deg or rad")
            angle = _ANGLES[words[1]]
    return length, angle


def _read_root(lines: Lines) -> Bone:
    order: tuple[str, ...] = ()
    while lines.peek() and not lines.peek()[0].startswith(":"):
        words = lines.take("the root")
        if words[0] == "order":
            order = _degrees_of_freedom(lines, words[1:], MOVES + TURNS)
        elif words[0] in ("position", "orientation") and any(
            lines.numbers(words[1:], 3, f"the root's {words[0]}")
        ):
            raise lines.error(f"the root's {words[0]} is not 0 0 0, which is not supported")
    if not order:
        raise lines.error("the root ends without 'order'")
    return Bone(np.zeros(3), np.eye(3), order)


def _read_bones(lines: Lines, angle: float) -> dict[str, Bone]:
    bones: dict[str, Bone] = {}
    while lines.peek() and not lines.peek()[0].startswith(":"):
        lines.take_keyword("begin")
        name, bone = _read_bone(lines, angle)
        if name in bones:
            raise lines.error(f"a second bone is called '{name}'")
        bones[name] = bone
    return bones


def _read_bone(lines: Lines, angle: float) -> tuple[str, Bone]:
    fields: dict[str, list[str]] = {}
    while (words := lines.take("'end' of a bone"))[0] != "end":
        fields[words[0]] = words[1:]  # limits go on over lines that begin with a bracket
    missing = {"name", "direction", "length", "axis"} - set(fields)
    if missing:
        raise lines.error(f"the bone that ends here has no '{min(missing)}'")
    name = " ".join(fields["name"])
    direction = np.array(lines.numbers(fields["direction"], 3, f"the direction of '{name}'"))
    (length,) = lines.numbers(fields["length"], 1, f"the length of '{name}'")
    turns = np.array(lines.numbers(fields["axis"][:3], 3, f"the axis of '{name}'"))
    order = _axis_order(lines, fields["axis"][3:])
    axes = fixed_axes_rotation(order, angle * turns[None, ["xyz".index(axis) for axis in order]])[0]
    turning = _degrees_of_freedom(lines, fields.get("dof", []), TURNS)
    return name, Bone(direction * length, axes, turning)


def _axis_order(lines: Lines, words: list[str]) -> str:
    order = "".join(words).lower()
    if sorted(order) != ["x", "y", "z"]:
        raise lines.error(f"the order of the axes is '{order}', expected one such as XYZ")
    return order


def _degrees_of_freedom(
    lines: Lines, words: list[str], allowed: tuple[str, ...]
) -> tuple[str, ...]:
    named = tuple(word.lower() for word in words)
    if len(set(named)) != len(named) or not set(named) <= set(allowed):
        raise lines.error(
            f"the degrees of freedom are '{' '.join(words)}', expected some of {', '.join(allowed)}"
        )
    return named


def _read_hierarchy(lines: Lines, bones: Mapping[str, Bone]) -> dict[str, str]:
    """Each bone's parent, parents before their children."""
    lines.take_keyword("begin")
    parents: dict[str, str] = {}
    known = {ROOT}
    while (words := lines.take("'end' of the hierarchy"))[0] != "end":
        if words[0] not in known:
            raise lines.error(f"'{words[0]}' has children before it has a parent")
        for child in words[1:]:
            if child not in bones or child in known:
                raise lines.error(f"'{child}' is no bone, or has two parents")
            parents[child] = words[0]
            known.add(child)
    return parents
