"""Biovision hierarchy (BVH): a skeleton and its motion in one text file.

The format as Meredith and Maddock describe it ("Motion Capture File Formats Explained", University
of Sheffield, 2001). Position channels replace a joint's offset: files state both for the root.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from erd_ros.errors import InputError
from erd_ros.mocap.clip import Array, Clip, Recipe, combined_joints, turned_up
from erd_ros.mocap.options import (
    UNITS,
    ReaderOptions,
    check_leg_length,
    files_below,
    read_actions,
    read_recipes,
)
from erd_ros.mocap.rotations import product_of_rotations
from erd_ros.mocap.text import Lines

_CHANNELS = ("xposition", "yposition", "zposition", "xrotation", "yrotation", "zrotation")
_END = "_end"


@dataclass(frozen=True)
class BvhJoint:
    """A joint: parent's index or -1, offset from it in file units, channels in the file's order.

    The end site of a joint is a joint of its own, named after it with "_end".
    """

    name: str
    parent: int
    offset: tuple[float, ...]
    channels: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Bvh:
    """A file's joints and its motion (F, channels): file units and degrees, joint by joint."""

    joints: tuple[BvhJoint, ...]
    motion: Array
    frame_time: float


def read_bvh(path: Path) -> Bvh:
    """Parse one file. Raises InputError that names the line and what was expected there."""
    lines = Lines(path)
    lines.take_keyword("HIERARCHY")
    joints: list[BvhJoint] = []
    name = " ".join(lines.take_keyword("ROOT"))
    _read_joint(lines, name, -1, joints)
    lines.take_keyword("MOTION")
    frames = _frame_count(lines)
    time_words = lines.take("'Frame Time:'")
    (frame_time,) = lines.numbers(time_words[2:], 1, "the frame time")
    if not frame_time > 0:
        raise lines.error(f"the frame time is {frame_time} s, expected more than 0")
    channels = sum(len(joint.channels) for joint in joints)
    rows = [
        lines.numbers(lines.take(f"frame {frame + 1} of {frames}"), channels, f"frame {frame + 1}")
        for frame in range(frames)
    ]
    return Bvh(tuple(joints), np.array(rows, np.float64), frame_time)


def _frame_count(lines: Lines) -> int:
    (count,) = lines.numbers(lines.take_keyword("Frames:"), 1, "the number of frames")
    if count < 1 or count != int(count):
        raise lines.error(f"the number of frames is {count}, expected a whole number, 1 or more")
    return int(count)


def _read_joint(lines: Lines, name: str, parent: int, joints: list[BvhJoint]) -> None:
    """Append a joint and all below it, depth first: the order of the motion's columns."""
    if any(joint.name == name for joint in joints):
        raise lines.error(f"a second joint is called '{name}'")
    lines.take_keyword("{")
    offset = tuple(lines.numbers(lines.take_keyword("OFFSET"), 3, f"the offset of '{name}'"))
    ends = name.endswith(_END)
    channels = () if ends else _read_channels(lines, name)
    index = len(joints)
    joints.append(BvhJoint(name, parent, offset, channels))
    while (words := lines.take(f"'}}' that ends '{name}'"))[0] != "}":
        kind = words[0].upper()
        if kind not in ("JOINT", "END") or ends:
            raise lines.error(f"'{words[0]}', expected JOINT, End Site or '}}'")
        below = name + _END if kind == "END" else " ".join(words[1:])
        _read_joint(lines, below, index, joints)


def _read_channels(lines: Lines, name: str) -> tuple[str, ...]:
    words = [word.lower() for word in lines.take_keyword("CHANNELS")]
    known = len(set(words[1:])) == len(words[1:]) and set(words[1:]) <= set(_CHANNELS)
    if words[:1] != [str(len(words) - 1)] or not known:
        raise lines.error(
            f"the channels of '{name}' are '{' '.join(words)}', expected their number and then as "
            f"many of {', '.join(_CHANNELS)}"
        )
    return tuple(words[1:])


def joint_positions(bvh: Bvh) -> dict[str, Array]:
    """Where each joint is (F, 3), in the file's world and units."""
    frames = len(bvh.motion)
    positions: list[Array] = []
    rotations: list[Array] = []
    column = 0
    for joint in bvh.joints:
        values = bvh.motion[:, column : column + len(joint.channels)]
        column += len(joint.channels)
        local = np.tile(np.array(joint.offset), (frames, 1))
        turning = [c for c, channel in enumerate(joint.channels) if channel.endswith("rotation")]
        for index, channel in enumerate(joint.channels):
            if channel.endswith("position"):
                local[:, "xyz".index(channel[0])] = values[:, index]
        turn = product_of_rotations(
            [joint.channels[c][0] for c in turning], np.radians(values[:, turning])
        )
        if joint.parent == -1:
            positions.append(local)
            rotations.append(turn)
        else:
            above = rotations[joint.parent]
            positions.append(positions[joint.parent] + np.einsum("fij,fj->fi", above, local))
            rotations.append(above @ turn)
    return dict(zip((joint.name for joint in bvh.joints), positions, strict=True))


# What rigs call the joints, best first, in lower case without separators and prefixes.
_NAMES = {
    "hip": ("{side}upleg", "{side}thigh", "{side}hip", "{initial}thigh", "{initial}hip"),
    "knee": ("{side}leg", "{side}knee", "{side}shin", "{initial}shin", "{initial}knee"),
    "ankle": ("{side}foot", "{side}ankle", "{initial}foot", "{initial}ankle"),
    "shoulder": ("{side}arm", "{side}uparm", "{side}shoulder", "{initial}shldr"),
    "elbow": ("{side}forearm", "{side}elbow", "{initial}forearm"),
    "wrist": ("{side}hand", "{side}wrist", "{initial}hand"),
}
_MIDLINE_NAMES = {
    "spine": ("spine1", "chest", "spine"),
    "thorax": ("neck",),
    "neck_nose": ("head",),
    "head_top": ("headend",),
}


def bvh_clips(source: Path, options: ReaderOptions) -> tuple[int, Iterator[Clip]]:
    """Clips of a .bvh file or of all below a folder: their number, and one after the other.

    The subject is the folder below ``source`` that the file lies in; for a file in ``source``
    itself what stands before the first "_" of its name. Raises InputError as ``read_bvh`` does,
    and for a skeleton whose joints are not found or are not as large as a person's.
    """
    paths = files_below(source, ".bvh")
    actions, recipes = read_actions(options.actions), read_recipes(options.joints)
    return len(paths), (_clip(source, path, options, actions, recipes) for path in paths)


def _clip(
    source: Path,
    path: Path,
    options: ReaderOptions,
    actions: dict[str, str],
    recipes: dict[str, Recipe],
) -> Clip:
    bvh = read_bvh(path)
    points = {
        name: turned_up(UNITS[options.unit] * points, options.up_axis)
        for name, points in joint_positions(bvh).items()
    }
    try:
        positions = combined_joints(points, _usual_recipes(tuple(points), recipes))
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    check_leg_length(path, positions, options.unit)
    folder = path.relative_to(source).parts[0] if path != source else path.name
    subject, _, rest = path.stem.partition("_")
    return Clip(
        path.stem,
        subject if folder == path.name else folder,
        actions.get(path.stem, rest.replace("_", " ")),
        "",
        positions,
        1 / bvh.frame_time,
    )


def _usual_recipes(names: tuple[str, ...], told: dict[str, Recipe]) -> dict[str, Recipe]:
    """How H36M17's joints follow from a rig's, as told and otherwise by its usual names.

    The pelvis is the midpoint of the hips. Joints on the midline may be missing.
    """
    by_plain_name = {_plain(name): name for name in reversed(names)}
    recipes: dict[str, Recipe] = {}
    for side in ("left", "right"):
        for part, alternatives in _NAMES.items():
            joint = f"{side}_{part}"
            plain = [name.format(side=side, initial=side[0]) for name in alternatives]
            found = [by_plain_name[name] for name in plain if name in by_plain_name]
            if not found and joint not in told:
                raise InputError(
                    f"no joint is called {' or '.join(plain)}; the skeleton has "
                    f"{', '.join(names)}; say with --joints which of them is {joint}"
                )
            recipes[joint] = {found[0]: 1.0} if found else {}
    for joint, alternatives in _MIDLINE_NAMES.items():
        found = [by_plain_name[name] for name in alternatives if name in by_plain_name]
        if found:
            recipes[joint] = {found[0]: 1.0}
    recipes |= told
    hips = [recipes["left_hip"], recipes["right_hip"]]
    midpoint = {part: weight / 2 for hip in hips for part, weight in hip.items()}
    return {"pelvis": midpoint} | recipes


def _plain(name: str) -> str:
    """`mixamorig:LeftUp_Leg` to `leftupleg`."""
    return "".join(letter for letter in name.rpartition(":")[2].lower() if letter.isalnum())
