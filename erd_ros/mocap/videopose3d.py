"""VideoPose3D's processed files: dictionaries subject to action to arrays, pickled in .npz.

The layouts are those that prepare_data_h36m.py and prepare_data_humaneva.py of
facebookresearch/VideoPose3D write: positions in metres in the world; keypoints in pixels, a list
with an array for each camera.
"""

import reprlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from erd_ros.errors import InputError
from erd_ros.mocap.clip import measured_joints
from erd_ros.mocap.npz_objects import read_npz_object
from erd_ros.pose import FloatArray
from erd_ros.skeleton import COCO17, H36M17, HUMANEVA15, Skeleton

# The files name their layout by the joints of the left and of the right side.
_LONGEST_NAME = 200
_LAYOUTS = (H36M17, HUMANEVA15, COCO17)


def read_positions(path: Path, joints: int) -> dict[tuple[str, str], FloatArray]:
    """``positions_3d`` of a file: (subject, action) to (F, joints, 3) in metres.

    Raises InputError for a file of another form or with another number of joints.
    """
    positions = {}
    for subject, action, value in _entries(path, read_npz_object(path, "positions_3d")):
        positions[subject, action] = _checked(path, subject, action, value, (joints, 3))
    return positions


def read_keypoints(path: Path) -> dict[tuple[str, str], list[FloatArray]]:
    """``positions_2d`` of a file: (subject, action) to one (F, 17, 2) in pixels for each camera.

    Joints are H36M17's, NaN where the file's layout lacks them. Raises InputError for a file of
    another form or of an unknown layout.
    """
    layout = _layout(path, read_npz_object(path, "metadata"))
    keypoints = {}
    for subject, action, cameras in _entries(path, read_npz_object(path, "positions_2d")):
        if not isinstance(cameras, list | tuple | np.ndarray):
            raise InputError(f"{path}: {subject}, '{action}' is no list of cameras")
        keypoints[subject, action] = [
            measured_joints(_checked(path, subject, action, camera, (len(layout), 2)), layout)
            for camera in cameras
        ]
    return keypoints


def stacked_keypoints(
    path: Path,
    keypoints: Mapping[tuple[str, str], list[FloatArray]],
    key: tuple[str, str],
    frames: int,
) -> FloatArray:
    """Keypoints (F, C, 17, 2) of one clip. The files' videos may run on after the motion capture.

    Raises InputError where the clip is missing or shorter.
    """
    cameras = keypoints.get(key)
    if not cameras:
        raise InputError(f"{path} has no keypoints of {key[0]}, '{key[1]}'")
    shortest = min(map(len, cameras))
    if shortest < frames:
        raise InputError(
            f"{path}: {key[0]}, '{key[1]}' has {shortest} frames of keypoints and {frames} of poses"
        )
    return np.stack([camera[:frames] for camera in cameras], 1)


def _entries(path: Path, content: Any) -> Iterator[tuple[str, str, Any]]:
    if not isinstance(content, dict) or not all(isinstance(a, dict) for a in content.values()):
        raise InputError(f"{path} holds no dictionary of subjects and their actions")
    for subject, actions in content.items():
        for action, value in actions.items():
            if not all(isinstance(n, str) and len(n) < _LONGEST_NAME for n in (subject, action)):
                raise InputError(
                    f"{path} has the subject {reprlib.repr(subject)} and action "
                    f"{reprlib.repr(action)}, expected names"
                )
            yield subject, action, value


def _checked(
    path: Path, subject: str, action: str, value: Any, last: tuple[int, int]
) -> FloatArray:
    """(F, J, 2 or 3) as float32; columns after the last wanted, as scores, are left out."""
    shape = np.shape(value) if isinstance(value, np.ndarray) else None
    if (
        shape is None
        or len(shape) != 3
        or shape[1] != last[0]
        or shape[2] < last[1]
        or not shape[0]
        or value.dtype.kind not in "fiu"
    ):
        raise InputError(
            f"{path}: {subject}, '{action}' has the shape {shape}, expected (frames, {last[0]}, "
            f"{last[1]})"
        )
    with np.errstate(over="ignore", invalid="ignore"):
        chosen = np.asarray(value[..., : last[1]], np.float32)
    if np.isinf(chosen).any():
        raise InputError(f"{path}: {subject}, '{action}' has numbers that are infinite")
    return chosen


def _layout(path: Path, metadata: Any) -> Skeleton:
    sides = metadata.get("keypoints_symmetry") if isinstance(metadata, dict) else None
    try:
        numbers = None if sides is None else [sorted(map(int, side)) for side in sides]
    except (TypeError, ValueError, OverflowError):
        numbers = None
    for layout in _LAYOUTS:
        if numbers == _sides(layout):
            return layout
    stated = metadata.get("layout_name", "?") if isinstance(metadata, dict) else "?"
    raise InputError(
        f"{path} has keypoints of the layout {reprlib.repr(stated)}, expected one of "
        f"{', '.join(layout.name for layout in _LAYOUTS)}"
    )


def _sides(layout: Skeleton) -> list[list[int]]:
    names = list(enumerate(layout.joint_names))
    return [[i for i, n in names if n.startswith(side)] for side in ("left_", "right_")]
