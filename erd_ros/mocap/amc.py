"""Acclaim motion files (AMC), and the clips of a folder; ``asf`` describes the format."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from erd_ros.errors import InputError
from erd_ros.mocap.asf import MOVES, ROOT, TURNS, Asf, Bone, read_asf
from erd_ros.mocap.clip import Array, Clip, Recipe, combined_joints, turned_up
from erd_ros.mocap.options import (
    FrameRates,
    ReaderOptions,
    files_below,
    read_actions,
    read_recipes,
    subject_by_pattern,
)
from erd_ros.mocap.proportions import check_proportions
from erd_ros.mocap.rotations import fixed_axes_rotation
from erd_ros.mocap.text import Lines

# Bones whose ends are H36M17's joints. CMU's head bone ends in the middle of the head.
_RECIPES: dict[str, Recipe] = {
    "pelvis": {"lhipjoint": 0.5, "rhipjoint": 0.5},
    "right_hip": {"rhipjoint": 1},
    "right_knee": {"rfemur": 1},
    "right_ankle": {"rtibia": 1},
    "left_hip": {"lhipjoint": 1},
    "left_knee": {"lfemur": 1},
    "left_ankle": {"ltibia": 1},
    "spine": {"lowerback": 1},
    "thorax": {"lowerneck": 1},
    "neck_nose": {"upperneck": 1},
    "head_top": {"head": 2, "upperneck": -1},
    "left_shoulder": {"lclavicle": 1},
    "left_elbow": {"lhumerus": 1},
    "left_wrist": {"lradius": 1},
    "right_shoulder": {"rclavicle": 1},
    "right_elbow": {"rhumerus": 1},
    "right_wrist": {"rradius": 1},
}


def read_amc(path: Path, asf: Asf) -> dict[str, Array]:
    """The motion of each bone (F, degrees of freedom), file units and radians.

    Raises InputError for a bone that the skeleton lacks, or that a frame lacks, and the line.
    """
    lines = Lines(path, comment="#")
    radians_per_unit = asf.radians_per_unit
    while lines.peek() and lines.peek()[0].startswith(":"):
        word = lines.take("a frame")[0].lower()
        radians_per_unit = {":degrees": np.pi / 180, ":radians": 1.0}.get(word, radians_per_unit)
    moving = {name: bone.degrees_of_freedom for name, bone in asf.bones.items()}
    moving = {name: freedoms for name, freedoms in moving.items() if freedoms}
    rows: dict[str, list[list[float]]] = {name: [] for name in moving}
    frame = 0
    while lines.peek():
        frame += 1
        if lines.take(f"frame {frame}") != [str(frame)]:
            raise lines.error(f"expected the number of frame {frame} alone")
        for _ in moving:
            name, *values = lines.take(f"a bone of frame {frame}")
            if len(rows.get(name, ())) != frame - 1 or name not in moving:
                raise lines.error(f"'{name}', expected a bone that frame {frame} has not had yet")
            rows[name].append(lines.numbers(values, len(moving[name]), f"'{name}'"))
    if not frame:
        raise lines.error("the file ends without a frame")
    scales = {
        name: np.where([freedom in TURNS for freedom in freedoms], radians_per_unit, 1.0)
        for name, freedoms in moving.items()
    }
    return {name: np.array(values) * scales[name] for name, values in rows.items()}


def bone_ends(asf: Asf, motion: Mapping[str, Array]) -> dict[str, Array]:
    """Where each bone ends (F, 3), and the root, in metres, in the file's world."""
    frames = len(motion[ROOT])
    root = asf.bones[ROOT]
    freedoms = root.degrees_of_freedom
    position = np.zeros((frames, 3))
    for column, freedom in enumerate(freedoms):
        if freedom in MOVES:
            position[:, MOVES.index(freedom)] = motion[ROOT][:, column]
    ends = {ROOT: position}
    orientations = {ROOT: _turned(root, motion[ROOT])}
    for name, parent in asf.parents.items():
        bone = asf.bones[name]
        values = motion.get(name, np.zeros((frames, 0)))
        orientations[name] = orientations[parent] @ _turned(bone, values)
        ends[name] = ends[parent] + orientations[name] @ bone.offset
    return {name: asf.metres_per_unit * end for name, end in ends.items()}


def _turned(bone: Bone, motion: Array) -> Array:
    """C * M * inverse(C) (F, 3, 3) of a bone's motion (F, degrees of freedom)."""
    turning = [c for c, freedom in enumerate(bone.degrees_of_freedom) if freedom in TURNS]
    order = "".join(bone.degrees_of_freedom[column][1] for column in turning)
    return bone.axes @ fixed_axes_rotation(order, motion[:, turning]) @ bone.axes.T


def asf_amc_clips(source: Path, options: ReaderOptions) -> tuple[int, Iterator[Clip]]:
    """Clips of all .amc files below a folder: their number, and one after the other.

    A motion's skeleton is the .asf file beside it that has the name before its last "_" or, if
    there is but one, that one. The subject is the skeleton's name, or what ``options.subject``
    finds in the path. Raises InputError as ``read_asf`` and ``read_amc`` do, and where a skeleton
    is not found or not CMU's; the iterator goes on with the next motion after it.
    """
    paths = files_below(source, ".amc")
    actions, recipes = read_actions(options.actions), _RECIPES | read_recipes(options.joints)
    rates = FrameRates(options.source_fps)

    def clip(path: Path) -> Clip:
        subject = subject_by_pattern(options.subject, source, path)
        return _clip(path, subject, options, actions, recipes, rates.of(path.stem))

    return len(paths), map(clip, paths)


def _skeleton_of(path: Path) -> Path:
    beside = sorted(p for p in path.parent.iterdir() if p.suffix.lower() == ".asf")
    named = [p for p in beside if p.stem == path.stem.rpartition("_")[0]]
    found = named or beside
    if len(found) != 1:
        raise InputError(
            f"{path}: expected one .asf file beside it, or one with its name before the last '_'; "
            f"{path.parent} has {len(beside)}"
        )
    return found[0]


def _clip(
    path: Path,
    subject: str | None,
    options: ReaderOptions,
    actions: Mapping[str, str],
    recipes: Mapping[str, Recipe],
    frames_per_second: float,
) -> Clip:
    skeleton = _skeleton_of(path)
    asf = read_asf(skeleton)
    ends = bone_ends(asf, read_amc(path, asf))
    points = {name: turned_up(end, options.up_axis) for name, end in ends.items()}
    try:
        positions = combined_joints(points, recipes)
    except InputError as error:
        raise InputError(f"{skeleton}: {error}") from error
    check_proportions(skeleton, positions, "1 / length inches")
    action = actions.get(path.stem, "")
    return Clip(path.stem, subject or skeleton.stem, action, "", positions, frames_per_second)
