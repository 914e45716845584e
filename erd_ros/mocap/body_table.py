"""Bodies of many people: lengths of bones, and landmarks that motion capture has not.

docs/data.md tells where they come from. Lengths are those of the 17 joints' bones, left as right.
Landmarks lie in the frames of ``mocap/landmarks.py``, so that any pose of the joints places them.
"""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from erd_ros.cues import LEG, SPINE
from erd_ros.errors import InputError
from erd_ros.mocap.frames import SPLITS
from erd_ros.npz_arrays import read_npz_arrays, write_npz_arrays
from erd_ros.pose import FloatArray
from erd_ros.skeleton import H36M17

# Joints by the bone that leads to them; of both sides the left one.
BONES = (
    "left_hip", "left_knee", "left_ankle", "spine", "thorax", "neck_nose", "head_top",
    "left_shoulder", "left_elbow", "left_wrist",
)  # fmt: skip
# Points of the middle and of the left side. Neck and head top are joints: thorax and head_top.
LANDMARKS = ("nose", "left_eye", "left_ear", "left_heel", "left_big_toe", "left_small_toe")
SOURCES = ("ansur2", "anny")
# Which of them add up to the size, as ``erd_ros/cues.py`` has it.
IN_SIZE = [BONES.index(name) for name in (*SPINE[1:], *(f"left_{part}" for part in LEG[1:]))]
_TENTHS = 1e4  # lengths are stored as whole tenths of a millimetre
_LONGEST = 1.0  # metres, of a bone
_BODY = ("source", "split", "sex", "age", "height", "bones", "landmarks")


@dataclass(frozen=True, eq=False)
class BodyTable:
    """B people, those of one or several sources.

    source     (B,) text, one of ``SOURCES``
    split      (B,) text: train, val or test
    sex        (B,) text: f or m
    age        (B,) years
    height     (B,) metres, from the ground to the top of the head
    bones      (B, 10) metres, lengths in the order of ``BONES``
    landmarks  (B, 6, 3) metres, in the order of ``LANDMARKS``, each in its frame
    """

    source: NDArray[np.str_]
    split: NDArray[np.str_]
    sex: NDArray[np.str_]
    age: FloatArray
    height: FloatArray
    bones: FloatArray
    landmarks: FloatArray

    def __len__(self) -> int:
        return len(self.age)

    def __getitem__(self, chosen: NDArray[Any]) -> "BodyTable":
        return BodyTable(*(getattr(self, one.name)[chosen] for one in fields(self)))

    @property
    def size(self) -> FloatArray:
        """(B,) metres from ankle to head top along the body, as ``erd_ros/cues.py`` has it."""
        total: FloatArray = self.bones[:, IN_SIZE].sum(1)
        return total

    def lengths(self) -> FloatArray:
        """(B, 17) metres, of the bone that leads to each joint of H36M17; 0 of the pelvis."""
        sides = [name.replace("right_", "left_") for name in H36M17.joint_names]
        lengths = np.zeros((len(self), len(H36M17)), np.float32)
        for joint, name in enumerate(sides):
            if name in BONES:
                lengths[:, joint] = self.bones[:, BONES.index(name)]
        return lengths


def write_bodies(path: Path, table: BodyTable) -> None:
    """Write a table to an .npz file. Raises InputError when it cannot be written."""
    arrays: dict[str, NDArray[Any]] = {name: getattr(table, name) for name in _BODY}
    for name in ("height", "bones", "landmarks"):
        arrays[name] = np.rint(arrays[name] * _TENTHS).astype(np.int16)
    arrays["age"] = table.age.astype(np.float16)
    arrays |= {"bone_names": np.array(BONES), "landmark_names": np.array(LANDMARKS)}
    write_npz_arrays(path, arrays, compressed=True)


def read_bodies(path: Path, split: str) -> BodyTable:
    """The bodies of one split. Raises InputError for a file that is missing or of another layout.

    Bodies of ``val`` and ``test`` are never trained on.
    """
    if split not in SPLITS:
        raise InputError(f"unknown split '{split}'; choose one of {', '.join(SPLITS)}")
    if not path.is_file():
        raise InputError(f"table of bodies {path} does not exist; `erd data bodies` makes one")
    arrays = read_npz_arrays(path, "table of bodies")
    table = _table(path, arrays)
    chosen = table[table.split == split]
    if not len(chosen):
        raise InputError(f"table of bodies {path} has no body of split '{split}'")
    return chosen


def _table(path: Path, arrays: dict[str, NDArray[np.generic]]) -> BodyTable:
    lacking = [name for name in (*_BODY, "bone_names", "landmark_names") if name not in arrays]
    if lacking:
        raise InputError(f"table of bodies {path} lacks {', '.join(lacking)}")
    bodies = len(arrays["age"]) if arrays["age"].ndim else 0
    shapes: dict[str, tuple[int, ...]] = {name: (bodies,) for name in _BODY}
    shapes |= {"bones": (bodies, len(BONES)), "landmarks": (bodies, len(LANDMARKS), 3)}
    shapes |= {"bone_names": (len(BONES),), "landmark_names": (len(LANDMARKS),)}
    for name, shape in shapes.items():
        texts = name in ("source", "split", "sex") or name.endswith("_names")
        kinds = "U" if texts else "if"
        if arrays[name].shape != shape or arrays[name].dtype.kind not in kinds:
            raise InputError(
                f"table of bodies {path}: {name} is {arrays[name].dtype} of shape "
                f"{arrays[name].shape}, expected {'text' if texts else 'numbers'} of shape {shape}"
            )
    for name, names in (("bone_names", BONES), ("landmark_names", LANDMARKS)):
        if tuple(arrays[name].tolist()) != names:
            raise InputError(f"table of bodies {path}: {name} are not {', '.join(names)}")
    numbers: dict[str, Any] = {
        name: arrays[name].astype(np.float32) / np.float32(1 if name == "age" else _TENTHS)
        for name in ("age", "height", "bones", "landmarks")
    }
    bones = numbers["bones"]
    if not (np.isfinite(numbers["age"]).all() and ((bones > 0) & (bones < _LONGEST)).all()):
        raise InputError(
            f"table of bodies {path}: an age is not a number or a bone is not between 0 and "
            f"{_LONGEST:g} m long"
        )
    return BodyTable(*(numbers.get(name, arrays[name]) for name in _BODY))
