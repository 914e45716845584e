"""Bodies of the body model Anny in poses of motion capture: surface, joints and landmarks.

The body has its own bones, trunk and limbs as long as people's; each part is turned as the same
part of the pose is. Only drawing needs this, and the truth of what is drawn.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation, Slerp

from erd_ros.data.anny_bodies import drawn_phenotypes, load_anny, ours, rig_joints
from erd_ros.errors import InputError
from erd_ros.mocap.body_frames import SIDES, body_frames
from erd_ros.mocap.landmarks import BOTH_SIDES, unit
from erd_ros.pose import FloatArray
from erd_ros.skeleton import H36M17

# Parts that have no axes of their own take these.
_AXES_OF = {
    **dict.fromkeys(("spine05", "spine04", "spine03", "spine02", "neck"), "chest"),
    "left_clavicle": "chest", "right_clavicle": "chest",
}  # fmt: skip
# How far each vertebra follows the chest rather than the pelvis, and the neck the head.
_SPINE = {"spine05": 0.1, "spine04": 0.35, "spine03": 0.6, "spine02": 0.85}
_NECK = 0.5
# The part that a bone of the rig turns with, by how its name begins; {}: its side.
_PART_OF_BONE = {
    "root": "pelvis", "pelvis": "pelvis", "spine01": "chest",
    "upperarm": "{}_upper_arm", "lowerarm": "{}_forearm", "wrist": "{}_forearm",
    "finger": "{}_forearm", "metacarpal": "{}_forearm", "clavicle": "{}_clavicle",
    "shoulder": "{}_clavicle", "upperleg": "{}_thigh", "lowerleg": "{}_shank",
    "foot": "{}_foot", "toe": "{}_foot", "neck": "neck", "head": "head", "eye": "head",
}  # fmt: skip
# The model's own limbs are not as long as people's are: grown-ups' mean lengths in the survey
# (``mocap/ansur.py``) by the model's, and the deviation of one person's from it.
_LIMB_LENGTHS = {"upperleg": 1.07, "lowerleg": 0.935, "upperarm": 1.07, "lowerarm": 1.11}
_TRUNK_LENGTH, _LENGTH_STD = 1.02, 0.04
_CLAVICLE_MOST, _CLAVICLE_FOLLOWS = 0.5, 0.7  # radians; of the way to where the shoulder is


@dataclass(frozen=True, eq=False)
class Rest:
    """A body in Anny's rest pose, metres, x to the front, y to the left, z up.

    vertices   (V, 3)
    heads      (bones, 3) where bones of the rig begin
    joints     (17, 3)
    landmarks  (11, 3) in the order of ``BOTH_SIDES``
    lengths    (bones,) how much longer than the model's each bone is drawn
    age        years
    """

    vertices: FloatArray
    heads: FloatArray
    joints: FloatArray
    landmarks: FloatArray
    lengths: FloatArray
    age: float


@dataclass(frozen=True, eq=False)
class Posed:
    """A body in a pose: vertices (V, 3), joints (17, 3) and landmarks (11, 3), pelvis near 0."""

    vertices: FloatArray
    joints: FloatArray
    landmarks: FloatArray


class Figures:
    """Bodies to be drawn, half of them children, each with limbs of its own.

    Raises InputError where Anny is not installed.
    """

    def __init__(self, bodies: int, seed: int) -> None:
        anny = load_anny()
        self._model = anny.Anny()
        find = anny.KeypointsRegressor.coco(self._model)
        torch.manual_seed(seed)
        age, phenotypes = drawn_phenotypes(self._model, bodies)
        rows = [find.labels.index(name) for name in BOTH_SIDES]
        self._landmarks: FloatArray = find.regression_weights.numpy()[rows]
        self.faces: NDArray[np.int32] = self._model.faces.numpy().astype(np.int32)
        self._weights = self._model.vertex_bone_weights.numpy().astype(np.float32)
        self._bones = self._model.vertex_bone_indices.numpy()
        self.part_of_bone = [_part(label) for label in self._model.bone_labels]
        main = self._weights.argmax(1)
        self.bone_of_vertex = self._bones[np.arange(len(main)), main]
        generator = np.random.default_rng(seed)
        self.bodies = [
            self._rest(
                float(one),
                {name: values[[index]] for name, values in phenotypes.items()},
                _lengths(self.bone_names, generator),
            )
            for index, one in enumerate(age)
        ]

    @property
    def bone_names(self) -> list[str]:
        """Names of the rig's bones."""
        return list(self._model.bone_labels)

    def _rest(self, age: float, phenotypes: dict[str, Any], lengths: FloatArray) -> Rest:
        with torch.no_grad():
            body = self._model(phenotype_kwargs=phenotypes)
        vertices = ours(body["rest_vertices"])[0]
        heads = ours(body["rest_bone_heads"])[0]
        landmarks = self._landmarks @ vertices
        highest = vertices[vertices[:, 2].argmax()]
        joints = self._joints(heads, landmarks, highest)
        return Rest(vertices, heads, joints, landmarks, lengths, age)

    def _joints(self, heads: FloatArray, landmarks: FloatArray, top: FloatArray) -> FloatArray:
        named = {name: point[None] for name, point in zip(self.bone_names, heads, strict=True)}
        found = {name: point[None] for name, point in zip(BOTH_SIDES, landmarks, strict=True)}
        joints: FloatArray = rig_joints(named, found, top[None])[0]
        return joints

    def posed(self, rest: Rest, joints: FloatArray, toes: FloatArray) -> Posed:
        """A body in the pose of joints (17, 3) and toes (2, 3), z up.

        Raises InputError for a pose in which a part has no direction.
        """
        turns = self._turns(rest, joints, toes)
        if not np.isfinite(turns).all():
            raise InputError("the pose lacks joints, or two of a bone's are in one place")
        heads = np.zeros_like(rest.heads)
        for bone, parent in enumerate(self._model.bone_parents):
            if parent >= 0:
                along = rest.heads[bone] - rest.heads[parent]
                heads[bone] = heads[parent] + turns[parent] @ along
        vertices = np.zeros_like(rest.vertices)
        for which, weight in zip(self._bones.T, self._weights.T, strict=True):
            away = rest.vertices - rest.heads[which]
            moved = np.einsum("vij,vj->vi", turns[which], away) + heads[which]
            vertices += weight[:, None] * moved
        landmarks = self._landmarks @ vertices
        top = vertices[rest.vertices[:, 2].argmax()]
        return Posed(vertices, self._joints(heads, landmarks, top), landmarks)

    def _turns(self, rest: Rest, joints: FloatArray, toes: FloatArray) -> FloatArray:
        """(bones, 3, 3) by which each bone is turned from the rest pose."""
        big_toes = rest.landmarks[[BOTH_SIDES.index(f"{side}_big_toe") for side in SIDES]]
        before = body_frames(rest.joints[None], big_toes[None])
        after = body_frames(joints[None], toes[None])
        turns = {part: after[part][0] @ before[part][0].T for part in before}
        if not all(np.isfinite(turn).all() for turn in turns.values()):
            return np.full((len(self.part_of_bone), 3, 3), np.nan, np.float32)
        for name, follows in _SPINE.items():
            turns[name] = _between(turns["pelvis"], turns["chest"], follows)
        turns["neck"] = _between(turns["chest"], turns["head"], _NECK)
        for side in SIDES:
            turns[f"{side}_clavicle"] = _clavicle(rest.joints, joints, turns["chest"], side)
        of_bones = [
            turns[part] @ _stretched(before[_AXES_OF.get(part, part)][0][:, 2], length)
            for part, length in zip(self.part_of_bone, rest.lengths, strict=True)
        ]
        stacked: FloatArray = np.stack(of_bones)
        return stacked.astype(np.float32)


def _lengths(bone_names: list[str], generator: np.random.Generator) -> FloatArray:
    """(bones,) factors, left as right; hands, feet, head and neck stay as they are."""
    drawn = {name: factor * np.exp(_LENGTH_STD * generator.standard_normal()) for name, factor in
             (*_LIMB_LENGTHS.items(), ("spine", _TRUNK_LENGTH))}  # fmt: skip
    lengths = np.ones(len(bone_names), np.float32)
    for bone, name in enumerate(bone_names):
        for begins, factor in drawn.items():
            if name.startswith(begins):
                lengths[bone] = factor
    return lengths


def _stretched(along: FloatArray, factor: float) -> FloatArray:
    """(3, 3) that makes things longer along a unit vector."""
    stretch: FloatArray = np.eye(3) + (factor - 1) * np.outer(along, along)
    return stretch


def _part(label: str) -> str:
    """The part of the body that a bone of the rig turns with."""
    name, _, side = label.partition(".")
    if name in _SPINE:
        return name
    begins = next(begin for begin in _PART_OF_BONE if name.startswith(begin))
    return _PART_OF_BONE[begins].format("left" if side == "L" else "right")


def _between(one: FloatArray, other: FloatArray, follows: float) -> FloatArray:
    turn: FloatArray = Slerp([0, 1], Rotation.from_matrix([one, other]))([follows]).as_matrix()[0]
    return turn


def _clavicle(rest: FloatArray, joints: FloatArray, chest: FloatArray, side: str) -> FloatArray:
    """The chest's turn, and on towards where the shoulder is."""
    shoulder, thorax = H36M17.index(f"{side}_shoulder"), H36M17.index("thorax")
    before = unit(rest[shoulder] - rest[thorax])
    after = chest.T @ unit(joints[shoulder] - joints[thorax])
    axis = np.cross(before, after)
    angle = min(float(np.arctan2(np.linalg.norm(axis), before @ after)), _CLAVICLE_MOST)
    raised = Rotation.from_rotvec(np.nan_to_num(unit(axis)) * angle * _CLAVICLE_FOLLOWS)
    turn: FloatArray = chest @ raised.as_matrix()
    return turn
