"""Where landmarks of face and feet lie on a body whose 17 joints are known.

Each landmark has a place in the frame of its bone: x to the front, y to the left, z along the body
to the head, metres. Frames follow from joints alone, and for feet from where the toes are:

- head: origin neck_nose, z to head_top, y as the shoulders lie. A head that is turned to the side
  is turned about z; the joints do not show it.
- foot: origin the ankle, x to the toes, y to the left of the plane through knee, ankle and toes.
"""

import numpy as np

from erd_ros.errors import InputError
from erd_ros.mocap.body_table import LANDMARKS
from erd_ros.pose import FloatArray
from erd_ros.skeleton import H36M17

FACE = [
    index
    for index, name in enumerate(LANDMARKS)
    if name.rpartition("_")[2] in ("nose", "eye", "ear")
]
FOOT = [index for index in range(len(LANDMARKS)) if index not in FACE]
# Both sides: what has a side comes first as the left one, then as the right one.
BOTH_SIDES = tuple(
    name.replace("left_", side)
    for name in LANDMARKS
    for side in (("left_", "right_") if name.startswith("left_") else ("",))
)
_NO_DIRECTION = 1e-9


def head_frames(joints: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Origins (F, 3) and axes (F, 3, 3), in columns, of heads of poses (F, 17, 3)."""
    neck, top, left, right = (
        joints[:, H36M17.index(name)]
        for name in ("neck_nose", "head_top", "left_shoulder", "right_shoulder")
    )
    return neck, axes_from(along_z=top - neck, near_y=left - right)


def foot_frames(joints: FloatArray, toes: FloatArray, side: str) -> tuple[FloatArray, FloatArray]:
    """Origins (F, 3) and axes (F, 3, 3), in columns, of the feet of one side, left or right.

    toes  (F, 3) of that side
    """
    if side not in ("left", "right"):
        raise InputError(f"side is '{side}', expected left or right")
    knee, ankle = (joints[:, H36M17.index(f"{side}_{part}")] for part in ("knee", "ankle"))
    x = unit(toes - ankle)
    y = unit(np.cross(knee - ankle, x))
    return ankle, np.stack([x, y, np.cross(x, y)], -1)


def placed(origins: FloatArray, axes: FloatArray, local: FloatArray) -> FloatArray:
    """Points (F, K, 3) of places (F, K, 3) in frames."""
    return origins[:, None] + local @ axes.swapaxes(-1, -2)


def local_places(origins: FloatArray, axes: FloatArray, points: FloatArray) -> FloatArray:
    """Places (F, K, 3) in frames, of points (F, K, 3)."""
    return (points - origins[:, None]) @ axes


def landmark_points(joints: FloatArray, toes: FloatArray, landmarks: FloatArray) -> FloatArray:
    """Points (F, 11, 3) in the order of ``BOTH_SIDES``, of poses (F, 17, 3).

    toes       (F, 2, 3) left and right; NaN where not known, and so is the foot then
    landmarks  (F, 6, 3) as a ``BodyTable`` has them
    """
    head = head_frames(joints)
    mirrored = landmarks * np.array([1, -1, 1], landmarks.dtype)
    feet = [
        foot_frames(joints, toes[:, index], side) for index, side in enumerate(("left", "right"))
    ]
    points = []
    for index, name in enumerate(LANDMARKS):
        left, right = (head, head) if index in FACE else feet
        points.append(placed(*left, landmarks[:, index, None]))
        if name.startswith("left_"):
            points.append(placed(*right, mirrored[:, index, None]))
    return np.concatenate(points, 1)


def axes_from(along_z: FloatArray, near_y: FloatArray) -> FloatArray:
    """Axes (F, 3, 3), in columns: z as given, y as near as can be to what is given, (F, 3) each."""
    z = unit(along_z)
    x = unit(np.cross(near_y, z))
    return np.stack([x, np.cross(z, x), z], -1)


def unit(vectors: FloatArray) -> FloatArray:
    """Vectors of length 1; NaN where there is no direction."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    units: FloatArray = vectors / np.where(lengths > _NO_DIRECTION, lengths, np.nan)
    return units
