"""Biovision hierarchy (BVH): a skeleton and its motion in one text file.

The format as Meredith and Maddock describe it ("Motion Capture File Formats Explained", University
of Sheffield, 2001). Position channels replace a joint's offset: files state both for the root.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from erd_ros.mocap.clip import Array
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
    """A file's joints and its motion (F, channels): file units and degrees, joint by joint.

    goes_on  the file has more lines than the frames that it states
    """

    joints: tuple[BvhJoint, ...]
    motion: Array
    frame_time: float
    goes_on: bool = False


def read_bvh(path: Path) -> Bvh:
    """Parse one file. Raises InputError that names the line and what was expected there."""
    lines = Lines(path)
    lines.take_keyword("HIERARCHY")
    joints = _read_hierarchy(lines)
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
    return Bvh(tuple(joints), np.array(rows, np.float64), frame_time, bool(lines.peek()))


def _frame_count(lines: Lines) -> int:
    (count,) = lines.numbers(lines.take_keyword("Frames:"), 1, "the number of frames")
    if count < 1 or count != int(count):
        raise lines.error(f"the number of frames is {count}, expected a whole number, 1 or more")
    return int(count)


def _read_hierarchy(lines: Lines) -> list[BvhJoint]:
    """The root and all below it, depth first: the order of the motion's columns.

    A loop with a list of the joints that are open: files nest thousands of them.
    """
    joints: list[BvhJoint] = []
    names: set[str] = set()
    opened: list[int] = []
    kind, name = "ROOT", " ".join(lines.take_keyword("ROOT"))
    while True:
        if name in names:
            raise lines.error(f"a second joint is called '{name}'")
        names.add(name)
        joints.append(_read_joint(lines, kind, name, opened[-1] if opened else -1))
        opened.append(len(joints) - 1)
        while (words := lines.take(f"'}}' that ends '{joints[opened[-1]].name}'"))[0] == "}":
            kind = "JOINT"
            opened.pop()
            if not opened:
                return joints
        if words[0].upper() not in ("JOINT", "END") or kind == "END":
            raise lines.error(f"'{words[0][:60]}', expected JOINT, End Site or '}}'")
        kind = words[0].upper()
        name = joints[opened[-1]].name + _END if kind == "END" else " ".join(words[1:])


def _read_joint(lines: Lines, kind: str, name: str, parent: int) -> BvhJoint:
    lines.take_keyword("{")
    offset = tuple(lines.numbers(lines.take_keyword("OFFSET"), 3, f"the offset of '{name}'"))
    return BvhJoint(name, parent, offset, () if kind == "END" else _read_channels(lines, name))


def _read_channels(lines: Lines, name: str) -> tuple[str, ...]:
    words = [word.lower() for word in lines.take_keyword("CHANNELS")]
    known = len(set(words[1:])) == len(words[1:]) and set(words[1:]) <= set(_CHANNELS)
    if words[:1] != [str(len(words) - 1)] or not known:
        raise lines.error(
            f"the channels of '{name}' are '{' '.join(words)[:60]}', expected their number and "
            f"then as many of {', '.join(_CHANNELS)}"
        )
    return tuple(words[1:])


def joint_positions(bvh: Bvh, wanted: Iterable[str] | None = None) -> dict[str, Array]:
    """Where each joint is (F, 3), in the file's world and units: all, or those that are wanted."""
    needed = _with_ancestors(bvh, wanted)
    positions: dict[int, Array] = {}
    rotations: dict[int, Array] = {}
    column = 0
    for index, joint in enumerate(bvh.joints):
        values = bvh.motion[:, column : column + len(joint.channels)]
        column += len(joint.channels)
        if index not in needed:
            continue
        local, turn = _moved(joint, values)
        if joint.parent == -1:
            positions[index], rotations[index] = local, turn
        else:
            above = rotations[joint.parent]
            positions[index] = positions[joint.parent] + np.einsum("fij,fj->fi", above, local)
            rotations[index] = above @ turn
    return {bvh.joints[index].name: position for index, position in positions.items()}


def _with_ancestors(bvh: Bvh, wanted: Iterable[str] | None) -> set[int]:
    if wanted is None:
        return set(range(len(bvh.joints)))
    chosen = set(wanted)
    needed: set[int] = set()
    for index in range(len(bvh.joints) - 1, -1, -1):  # children stand after their parents
        if bvh.joints[index].name in chosen or index in needed:
            needed |= {index, bvh.joints[index].parent}
    return needed


def _moved(joint: BvhJoint, values: Array) -> tuple[Array, Array]:
    """Its place (F, 3) and its rotation (F, 3, 3) in its parent, by its channels' values."""
    local = np.tile(np.array(joint.offset), (len(values), 1))
    turning = [c for c, channel in enumerate(joint.channels) if channel.endswith("rotation")]
    for index, channel in enumerate(joint.channels):
        if channel.endswith("position"):
            local[:, "xyz".index(channel[0])] = values[:, index]
    axes = [joint.channels[c][0] for c in turning]
    return local, product_of_rotations(axes, np.radians(values[:, turning]))
