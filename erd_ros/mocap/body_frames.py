"""Axes of the parts of a body whose 17 joints are known: x to the front, y to the left, z along it.

z runs against the bones of limbs, from their ends to the trunk: up in a person who stands with the
arms down.
"""

from collections.abc import Mapping

import numpy as np

from erd_ros.mocap.landmarks import axes_from, foot_frames, head_frames, unit
from erd_ros.pose import FloatArray
from erd_ros.skeleton import H36M17

SIDES = ("left", "right")
# Sine of the angle by which a knee or an elbow bends, from which its plane is known.
_KNEE_BENT, _ELBOW_BENT = 0.2, 0.12
_KNEE_WEIGHT = 2.0


def body_frames(joints: FloatArray, toes: FloatArray) -> dict[str, FloatArray]:
    """Axes (F, 3, 3), in columns, of every part, of poses (F, 17, 3).

    toes  (F, 2, 3) left and right; NaN where not known, and so are the foot's axes then
    Parts: pelvis, chest, head, and left_ and right_ thigh, shank, foot, upper_arm, forearm.
    """
    at = {name: joints[:, index] for index, name in enumerate(H36M17.joint_names)}
    trunk = at["thorax"] - at["pelvis"]
    frames = {
        "pelvis": axes_from(trunk, at["left_hip"] - at["right_hip"]),
        "chest": axes_from(trunk, at["left_shoulder"] - at["right_shoulder"]),
        "head": head_frames(joints)[1],
    }
    for index, side in enumerate(SIDES):
        frames |= _leg(at, side, frames["pelvis"][..., 1])
        frames |= _arm(at, side, frames["chest"][..., 1])
        frames[f"{side}_foot"] = foot_frames(joints, toes[:, index], side)[1]
    return frames


def _leg(at: Mapping[str, FloatArray], side: str, left: FloatArray) -> dict[str, FloatArray]:
    """Thigh and shank: y as the hips lie, or across the plane of a knee that bends."""
    thigh = unit(at[f"{side}_hip"] - at[f"{side}_knee"])
    shank = unit(at[f"{side}_knee"] - at[f"{side}_ankle"])
    across = np.cross(thigh, shank)
    bent = np.linalg.norm(across, axis=-1, keepdims=True)
    same_way = np.sign((across * left).sum(-1, keepdims=True))
    weight = _KNEE_WEIGHT * np.clip(bent - _KNEE_BENT, 0, None) * same_way
    y = left + weight * across
    return {f"{side}_thigh": axes_from(thigh, y), f"{side}_shank": axes_from(shank, y)}


def _arm(at: Mapping[str, FloatArray], side: str, left: FloatArray) -> dict[str, FloatArray]:
    """Upper arm and forearm: y across the plane of the elbow, which bends to the front."""
    upper = unit(at[f"{side}_shoulder"] - at[f"{side}_elbow"])
    fore = unit(at[f"{side}_elbow"] - at[f"{side}_wrist"])
    across = np.cross(fore, upper)
    straight = np.linalg.norm(across, axis=-1, keepdims=True) < _ELBOW_BENT
    y = np.where(straight, left, across)
    return {f"{side}_upper_arm": axes_from(upper, y), f"{side}_forearm": axes_from(fore, y)}
