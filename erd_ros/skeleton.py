"""Joint layouts, and conversion between them by joint name.

Joints with the same name mean the same point in every layout. A detector's layout seldom has all
joints of the model's; ``conversion_matrix`` derives what can be derived (the pelvis from the hips)
and leaves the rest missing, never zero.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from erd_ros import layouts
from erd_ros.errors import InputError


@dataclass(frozen=True)
class Skeleton:
    """A joint layout: names, in order, and the parent of each joint in the kinematic tree.

    ``parents`` holds indices into ``joint_names``; -1 marks a joint without a parent.
    Raises InputError when the lengths differ, a name repeats, or a parent does not exist.
    """

    name: str
    joint_names: tuple[str, ...]
    parents: tuple[int, ...]

    def __post_init__(self) -> None:
        joints = len(self.joint_names)
        if len(self.parents) != joints:
            raise InputError(
                f"layout '{self.name}': {joints} joint names but {len(self.parents)} parents"
            )
        if len(set(self.joint_names)) != joints:
            raise InputError(f"layout '{self.name}': a joint name occurs twice")
        for joint, parent in zip(self.joint_names, self.parents, strict=True):
            if not -1 <= parent < joints:
                raise InputError(
                    f"layout '{self.name}': parent {parent} of '{joint}' is not in -1..{joints - 1}"
                )

    def __len__(self) -> int:
        return len(self.joint_names)

    def index(self, joint_name: str) -> int:
        """Index of a joint. Raises InputError that lists the names for an unknown one."""
        if joint_name not in self.joint_names:
            raise InputError(
                f"layout '{self.name}' has no joint '{joint_name}'; "
                f"it has {', '.join(self.joint_names)}"
            )
        return self.joint_names.index(joint_name)

    @cached_property
    def bones(self) -> tuple[tuple[int, int], ...]:
        """(parent, child) index pairs."""
        return tuple((parent, child) for child, parent in enumerate(self.parents) if parent >= 0)

    @cached_property
    def flip(self) -> tuple[int, ...]:
        """Index of each joint's mirror image: itself for joints on the midline."""
        return tuple(self.joint_names.index(_mirrored(name)) for name in self.joint_names)


def _mirrored(name: str) -> str:
    if name.startswith("left_"):
        return "right_" + name.removeprefix("left_")
    if name.startswith("right_"):
        return "left_" + name.removeprefix("right_")
    return name


def _skeleton(name: str, rows: layouts.Rows) -> Skeleton:
    names = tuple(row[0] for row in rows)
    parents = tuple(-1 if row[1] is None else names.index(row[1]) for row in rows)
    return Skeleton(name, names, parents)


H36M17 = _skeleton("h36m17", layouts.H36M17)
COCO17 = _skeleton("coco17", layouts.COCO17)
OPENPOSE18 = _skeleton("openpose18", layouts.OPENPOSE18)
BODY25 = _skeleton("body25", layouts.BODY25)
HALPE26 = _skeleton("halpe26", layouts.HALPE26)
BLAZEPOSE33 = _skeleton("blazepose33", layouts.BLAZEPOSE33)
HUMANEVA15 = _skeleton("humaneva15", layouts.HUMANEVA15)
MPI_INF_3DHP28 = _skeleton("mpi_inf_3dhp28", layouts.MPI_INF_3DHP28)

# What detectors give; the layouts of data sets are for their readers alone.
SKELETONS = {
    skeleton.name: skeleton
    for skeleton in (H36M17, COCO17, OPENPOSE18, BODY25, HALPE26, BLAZEPOSE33)
}


def skeleton_by_name(name: str) -> Skeleton:
    """A known layout. Raises InputError that lists the choices for an unknown name."""
    if name not in SKELETONS:
        raise InputError(
            f"unknown keypoint layout '{name}'; choose one of {', '.join(SKELETONS)}, "
            "or describe yours by its joint names"
        )
    return SKELETONS[name]


# How a joint that the source lacks is built: alternatives in order of preference, each a weighted
# mean of other joints. The neck of OpenPose and Halpe is the midpoint of the shoulders by their
# own definition, and so stands for the thorax. neck_nose, the base of the skull in the motion
# capture that the model learns from, is MPI-INF-3DHP's head, and lies halfway from the shoulders
# to the ears.
_HIPS = {"left_hip": 0.5, "right_hip": 0.5}
_SHOULDERS = {"left_shoulder": 0.5, "right_shoulder": 0.5}
_DERIVED: dict[str, tuple[dict[str, float], ...]] = {
    "pelvis": (_HIPS,),
    "thorax": ({"neck": 1.0}, _SHOULDERS),
    "neck": (_SHOULDERS,),
    "spine": (
        {"pelvis": 0.5, "neck": 0.5},
        {"left_hip": 0.25, "right_hip": 0.25, "left_shoulder": 0.25, "right_shoulder": 0.25},
    ),
    "neck_nose": (
        {"head": 1.0},
        {"left_ear": 0.25, "right_ear": 0.25, "left_shoulder": 0.25, "right_shoulder": 0.25},
    ),
}


@lru_cache
def conversion_matrix(source: Skeleton, target: Skeleton) -> NDArray[np.float32]:
    """Weights W (target joints, source joints): target = W @ source, by joint name.

    A row of zeros is a joint that the source cannot give. A derived joint is only as good as the
    worst joint it is built from.
    """
    matrix = np.zeros((len(target), len(source)), np.float32)
    for row, name in enumerate(target.joint_names):
        for recipe in ({name: 1.0}, *_DERIVED.get(name, ())):
            if all(part in source.joint_names for part in recipe):
                for part, weight in recipe.items():
                    matrix[row, source.index(part)] = weight
                break
    matrix.setflags(write=False)
    return matrix
