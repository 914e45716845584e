"""Colours of a drawn body: skin, hair, face and clothes, simple, but enough for detectors."""

from collections.abc import Mapping

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from erd_ros.data.figures import Figures, Rest
from erd_ros.mocap.landmarks import BOTH_SIDES
from erd_ros.pose import FloatArray
from erd_ros.skeleton import H36M17

Mask = NDArray[np.bool_]

_SKIN, _HAIR = np.array([0.93, 0.72, 0.60]), np.array([0.50, 0.35, 0.20])
_TRUNK = ("pelvis", "spine05", "spine04", "spine03", "spine02", "chest", "clavicle")


def dressed(figures: Figures, rest: Rest, generator: Generator) -> FloatArray:
    """(V, 3) colours, 0..1, drawn at random."""
    skin = np.clip(_SKIN * generator.uniform(0.35, 1.08) * generator.uniform(0.9, 1.05, 3), 0, 1)
    hair = _HAIR * generator.uniform(0.05, 1.6)
    colours = np.tile(skin, (len(rest.vertices), 1))
    parts = _Parts(figures, rest)
    shirt, trousers, shoes = (_cloth(generator) for _ in range(3))
    colours[parts.below_chest()] = trousers
    if generator.random() < 0.75:
        colours[parts.of("shank")] = trousers
    colours[parts.of("foot")] = shoes * 0.7
    colours[parts.shirt(generator)] = shirt
    sleeves = parts.of("upper_arm") & (generator.random() < 0.85)
    if generator.random() < 0.5:
        sleeves |= parts.begins("lowerarm")
    colours[sleeves] = shirt
    for where, colour in parts.face(generator, skin, hair):
        colours[where] = colour
    return np.clip(colours, 0, 1).astype(np.float32)


def _cloth(generator: Generator) -> NDArray[np.float64]:
    colour = generator.uniform(0, 1, 3) * generator.uniform(0.3, 1) + generator.uniform(0, 0.3)
    clipped: NDArray[np.float64] = np.clip(colour, 0, 1)
    return clipped


class _Parts:
    """Which vertices are where on a body in the rest pose."""

    def __init__(self, figures: Figures, rest: Rest) -> None:
        names = np.array(figures.bone_names)[figures.bone_of_vertex]
        self._bones = np.array([name.partition(".")[0] for name in names])
        parts = np.array(figures.part_of_bone)[figures.bone_of_vertex]
        self._parts = np.array([one.replace("left_", "").replace("right_", "") for one in parts])
        self._places = rest.vertices
        self._joints = dict(zip(H36M17.joint_names, rest.joints, strict=True))
        self._marks: Mapping[str, FloatArray] = dict(zip(BOTH_SIDES, rest.landmarks, strict=True))

    def of(self, *parts: str) -> Mask:
        mask: Mask = np.isin(self._parts, parts)
        return mask

    def begins(self, bone: str) -> Mask:
        mask: Mask = np.char.startswith(self._bones, bone)
        return mask

    def below_chest(self) -> Mask:
        mask: Mask = self._places[:, 2] < self._joints["spine"][2]
        return mask & self.of(*_TRUNK, "thigh")

    def shirt(self, generator: Generator) -> Mask:
        """From the neck down to a hem between the waist and below the hips."""
        height = self._places[:, 2]
        thorax, neck = self._joints["thorax"][2], self._joints["neck_nose"][2]
        hips = self._joints["pelvis"][2]
        collar = thorax + 0.35 * (neck - thorax)
        hem = hips + generator.uniform(-0.25, 0.3) * (thorax - hips)
        mask: Mask = self.of(*_TRUNK, "thigh") & (height > hem) & (height < collar)
        return mask

    def face(
        self, generator: Generator, skin: FloatArray, hair: FloatArray
    ) -> list[tuple[Mask, FloatArray]]:
        """Hair, eyes with brows, and a mouth, in this order."""
        head = self.of("head")
        x, y, z = self._places.T
        ears = (self._marks["left_ear"] + self._marks["right_ear"]) / 2
        size = self._joints["head_top"][2] - ears[2]
        eyes_z = self._marks["left_eye"][2]
        behind = (x < ears[0] + 0.15 * size) & (z > ears[2] - generator.uniform(0, 0.6) * size)
        above = z > eyes_z + 0.55 * (self._joints["head_top"][2] - eyes_z)
        painted = [(head & (behind | above), hair)]
        for side in ("left", "right"):
            eye = self._marks[f"{side}_eye"]
            apart = np.linalg.norm((self._places - eye) * [0.5, 1, 1.6], axis=1)
            front = head & (x > eye[0] - 0.2 * size)
            brow = (np.abs(z - eye[2] - 0.15 * size) < 0.03 * size) & (
                np.abs(y - eye[1]) < 0.13 * size
            )
            painted += [
                (front & (apart < 0.085 * size), np.array([0.93, 0.93, 0.90])),
                (front & (apart < 0.045 * size), np.array([0.10, 0.07, 0.05])),
                (front & brow, hair * 0.8),
            ]
        mouth = self._marks["nose"] - size * np.array([0.06, 0, 0.28])
        lips = (np.abs(z - mouth[2]) < 0.035 * size) & (np.abs(y) < 0.17 * size)
        lips &= head & (x > mouth[0] - 0.2 * size)
        return [*painted, (lips, skin * np.array([0.85, 0.55, 0.55]))]
