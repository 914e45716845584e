"""REP-155's kinematic model of the human: the angles of its joints.

Names and axes are those of the URDF in the package human_description, so that
robot_state_publisher can make frames of them. In the body frame, x forward, y left, z up, limbs
hang along -z. With s = 1 for the left side and -1 for the right, and y, p, r for the first three
joints of a limb, an upper arm is turned by Rz(-s y) Rx(s p) Rz(s r) and a thigh by Rz(-y) Rx(s p)
Ry(-r); elbow and knee then turn about -y. The head is turned by Rx(r) Rz(y) Ry(-p). The torso
stands on the waist along z, which is how ``bodies`` turns the body frame.
"""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from erd_ros.skeleton import Skeleton

# Plain numbers: numpy takes longer for so few.
Vector = tuple[float, float, float]
Angles = tuple[float, float, float, float]

# Of the two ways to hold an upper arm, the one nearer to the middle of the range that the URDF
# gives y_shoulder, -1.1 to 1.9.
_USUAL_TURN = 0.4
# A knee bent by less, as a sine, rather bends about the axis across the body than about its own,
# which is then mostly noise.
_NEARLY_STRAIGHT = 0.1


def human_joint_angles(
    skeleton: Skeleton, joints: NDArray[np.float64], body: NDArray[np.float64]
) -> dict[str, float]:
    """Angles in radians by joint name, without the body's id at the end.

    joints  (J, 3) metres, in any frame
    body    (3, 3) whose columns are the body's x, y, z in that frame
    Joints of limbs that the layout lacks, or whose bones have no length, are left out. Two angles
    do not show in a skeleton and are 0: y_head, how far the head is turned to a side, and waist, as
    hips and torso have one frame.
    """
    at = dict(zip(skeleton.joint_names, (joints @ body).tolist(), strict=True))
    angles = {"waist": 0.0}
    if "thorax" in at and "head_top" in at:
        roll, pitch = _head(_direction(at["thorax"], at["head_top"]))
        angles |= {"r_head": roll, "y_head": 0.0, "p_head": pitch}
    for letter, word, side in (("l", "left", 1.0), ("r", "right", -1.0)):
        for (root, bend, end), solve in _LIMBS.items():
            chain = [f"{word}_{name}" for name in (root, bend, end)]
            if set(chain) <= at.keys():
                first, second, third = (at[name] for name in chain)
                found = solve(_direction(first, second), _direction(second, third), side)
                names = (
                    f"{letter}_{name}" for name in (f"y_{root}", f"p_{root}", f"r_{root}", bend)
                )
                angles |= dict(zip(names, found, strict=True))
    return {name: angle for name, angle in angles.items() if math.isfinite(angle)}


def _direction(start: Vector, end: Vector) -> Vector:
    """Unit vector; NaN where the two are one point."""
    x, y, z = end[0] - start[0], end[1] - start[1], end[2] - start[2]
    length = math.sqrt(x * x + y * y + z * z) or math.nan
    return x / length, y / length, z / length


def _head(up: Vector) -> tuple[float, float]:
    """Roll and pitch of a head whose z axis points ``up``."""
    return math.atan2(-up[1], up[2]), math.asin(_clipped(-up[0]))


def _arm(upper: Vector, fore: Vector, side: float) -> Angles:
    turn = math.atan2(upper[0], side * upper[1])
    lift = math.acos(_clipped(-upper[2]))
    if abs(turn - _USUAL_TURN) > math.pi / 2:
        turn, lift = _wrapped(turn + math.pi), -lift
    hand = _turned_back(fore, -side * turn, side * lift)
    return turn, lift, side * math.atan2(hand[1], hand[0]), math.acos(_clipped(-hand[2]))


def _leg(thigh: Vector, shank: Vector, side: float) -> Angles:
    axis = _knee_axis(thigh, shank)
    turn, lift = math.atan2(axis[0], axis[1]), side * math.asin(_clipped(axis[2]))
    swings = [
        math.atan2(bone[0], -bone[2])
        for bone in (_turned_back(bone, -turn, side * lift) for bone in (thigh, shank))
    ]
    return turn, lift, swings[0], _wrapped(swings[1] - swings[0])


def _knee_axis(thigh: Vector, shank: Vector) -> Vector:
    """Unit vector to the left and across the thigh."""
    (a, b, c), (d, e, f) = thigh, shank
    x, y, z = b * f - c * e, c * d - a * f, a * e - b * d
    bent = math.copysign(math.sqrt(x * x + y * y + z * z), y)
    straight = _NEARLY_STRAIGHT**2
    left = (-straight * b * a, straight * (1 - b * b), -straight * b * c)
    return _direction((0.0, 0.0, 0.0), (bent * x + left[0], bent * y + left[1], bent * z + left[2]))


# Root, bend and end of a limb, and what finds its angles from the directions of its two bones.
_LIMBS: dict[tuple[str, str, str], Callable[[Vector, Vector, float], Angles]] = {
    ("shoulder", "elbow", "wrist"): _arm,
    ("hip", "knee", "ankle"): _leg,
}


def _turned_back(vector: Vector, about_z: float, about_x: float) -> Vector:
    """What Rz(about_z) Rx(about_x) turns into the vector."""
    x, y, z = vector
    cos, sin = math.cos(about_z), math.sin(about_z)
    x, y = cos * x + sin * y, cos * y - sin * x
    cos, sin = math.cos(about_x), math.sin(about_x)
    return x, cos * y + sin * z, cos * z - sin * y


def _clipped(value: float) -> float:
    """A sine or cosine that rounding has carried beyond 1; NaN stays NaN."""
    return min(max(value, -1.0), 1.0)


def _wrapped(angle: float) -> float:
    return math.remainder(angle, 2 * math.pi)
