"""Where each body is and how it is turned: PoseArray and TF.

Body frame of REP-155: origin in the pelvis, x forward out of the body, y to its left, z towards
the head.
"""

from typing import Any, NamedTuple

import numpy as np
from geometry_msgs.msg import (
    Point,
    Pose,
    PoseArray,
    Quaternion,
    Transform,
    TransformStamped,
    Vector3,
)
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation
from std_msgs.msg import Header

from erd_ros.errors import InputError
from erd_ros.runtime.people import People
from erd_ros.skeleton import Skeleton

# The first that a layout has tells where the head is, seen from the pelvis.
_UPWARD_JOINTS = ("thorax", "neck", "spine", "head_top", "nose")


def body_rotations(people: People) -> NDArray[np.float64]:
    """(N, 3, 3) rotations whose columns are the body's x, y, z in the frame of the people.

    NaN for a person whose pose is not known, or whose hips and spine lie on one line.
    Raises InputError for a layout without hips or a joint of the upper body.
    """
    right, left, top = torso(people.skeleton)
    joints = people.joints
    hips = (joints[:, right] + joints[:, left]) / 2
    leftward = joints[:, left] - joints[:, right]
    with np.errstate(invalid="ignore"):
        z = _unit(joints[:, top] - hips)
        x = _unit(np.cross(leftward, z))
    return np.stack([x, np.cross(z, x), z], axis=-1)


def torso(skeleton: Skeleton) -> tuple[int, int, int]:
    """Indices of right hip, left hip and a joint above them. Raises InputError without them."""
    top = next((name for name in _UPWARD_JOINTS if name in skeleton.joint_names), None)
    if top is None:
        raise InputError(
            f"layout '{skeleton.name}' has none of {', '.join(_UPWARD_JOINTS)}: where a body is "
            "turned to is not known"
        )
    return skeleton.index("right_hip"), skeleton.index("left_hip"), skeleton.index(top)


def _unit(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    # Of less than that nothing but rounding is left.
    return np.asarray(vectors / np.where(lengths > 1e-9, lengths, np.nan))


class Body(NamedTuple):
    """Where a person is: position of the body frame [m] and its quaternion (x, y, z, w)."""

    person_id: str
    position: list[float]
    quaternion: list[float]


def bodies(people: People) -> list[Body]:
    """Those persons whose place and orientation are known."""
    rotations = body_rotations(people)
    roots = people.root
    known = np.flatnonzero(np.isfinite(rotations).all((-1, -2)) & np.isfinite(roots).all(-1))
    if not len(known):
        return []
    quaternions = Rotation.from_matrix(rotations[known]).as_quat()
    return [
        Body(people.ids[person], roots[person].tolist(), quaternion.tolist())
        for person, quaternion in zip(known, quaternions, strict=True)
    ]


def pose_array(header: Header, placed: list[Body]) -> PoseArray:
    """A pose per body, in the order of ~/people."""
    poses = [
        Pose(position=_xyz(Point, body.position), orientation=_quaternion(body)) for body in placed
    ]
    return PoseArray(header=header, poses=poses)


def transforms(header: Header, placed: list[Body]) -> list[TransformStamped]:
    """Frame ``body_<id>`` in the frame of the header, per body."""
    return [
        TransformStamped(
            header=header,
            child_frame_id=f"body_{body.person_id}",
            transform=Transform(
                translation=_xyz(Vector3, body.position), rotation=_quaternion(body)
            ),
        )
        for body in placed
    ]


def _xyz(message_type: type, values: list[float]) -> Any:
    return message_type(**dict(zip("xyz", values, strict=True)))


def _quaternion(body: Body) -> Quaternion:
    return Quaternion(**dict(zip("xyzw", body.quaternion, strict=True)))
