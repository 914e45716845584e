"""Keypoint messages of our own to arrays. Pixels on both sides."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from erd_ros.errors import InputError
from erd_ros.msg import Person2DArray
from erd_ros.pose import FloatArray, Keypoints2D
from erd_ros.ros.images import ImageArray
from erd_ros.ros.names import ids_of_everyone, legal_id
from erd_ros.skeleton import SKELETONS, Skeleton, skeleton_by_name

Remarks = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class ReceivedKeypoints:
    """Keypoints of one image, ready to be lifted.

    ids      as the sender gave them, legal in ROS names; None when it gave none, or not to everyone
    remarks  (cause, what is wrong with persons or keypoints that are left out and the way out)
    size     (width, height) of the image in pixels; None = that of the CameraInfo
    image    (height, width, 3) uint8 RGB that they were found in; None = only its keypoints came
    focal_px focal length that they and 3D points of the sender agree with; None = not known
    """

    keypoints: Keypoints2D
    ids: list[str] | None = None
    remarks: Remarks = ()
    size: tuple[int, int] | None = None
    image: ImageArray | None = None
    focal_px: float | None = None


def keypoints_from_message(
    message: Person2DArray, size: tuple[int, int] | None
) -> ReceivedKeypoints:
    """The persons of a message that can be used; the others are remarked on.

    A person is left out for another number of keypoints than the layout has, a score outside
    0..1, or an id that came before. A position that is not finite is a keypoint not seen.
    size  (width, height) of the image as its CameraInfo has it, pixels; None = not known
    Raises InputError when the layout is unknown, and when there are persons, but none can be used.
    """
    skeleton = skeleton_from_message(message)
    wrong = _wrong_numbers(message, skeleton)
    values = _keypoint_values(message, skeleton, wrong)
    wrong |= _wrong_scores(message, skeleton, values[..., 2])
    wrong |= _repeated_ids(message, wrong)
    remarks = left_out(wrong, len(message.persons)) + _not_finite(message, skeleton, values)
    kept = [index for index in range(len(message.persons)) if index not in wrong]
    keypoints = Keypoints2D(skeleton, values[kept, :, :2], values[kept, :, 2])
    ids = ids_of_everyone(message.persons[index].id for index in kept)
    return ReceivedKeypoints(keypoints, ids, remarks, _size(message, size))


def left_out(wrong: Mapping[int, str], persons: int) -> Remarks:
    """The remark on persons who cannot be used, by index why.

    Raises InputError when that is everybody: nobody would mean that nobody is there.
    """
    if not wrong:
        return ()
    first = wrong[min(wrong)]
    if len(wrong) == persons:
        raise InputError(first)
    return (("persons left out", f"{len(wrong)} of {persons} are left out: {first}"),)


def _size(message: Person2DArray, size: tuple[int, int] | None) -> tuple[int, int] | None:
    """That of the message, whose sides are 0 where they are not given."""
    width, height = size or (0, 0)
    own = (int(message.width or width), int(message.height or height))
    return own if all(own) else None


def skeleton_from_message(message: Person2DArray) -> Skeleton:
    """The layout of a message: its own joint names if it has any, else the layout it names.

    Raises InputError for an unknown layout, and for names of which none is known here.
    """
    if message.joint_names:
        return _own_skeleton(message.layout, tuple(message.joint_names))
    return skeleton_by_name(message.layout)


@lru_cache
def _own_skeleton(layout: str, joint_names: tuple[str, ...]) -> Skeleton:
    known = sorted({name for skeleton in SKELETONS.values() for name in skeleton.joint_names})
    if not set(known) & set(joint_names):
        raise InputError(
            f"none of the joint names {', '.join(joint_names)} is known; "
            f"known are {', '.join(known)}"
        )
    return Skeleton(layout or "unnamed", joint_names, (-1,) * len(joint_names))


def _wrong_numbers(message: Person2DArray, skeleton: Skeleton) -> dict[int, str]:
    return {
        index: f"{person_name(index, legal_id(person.id))} has {len(person.keypoints)} keypoints, "
        f"but layout '{skeleton.name}' has {len(skeleton)}; name the layout you publish, send "
        "score 0 for keypoints that were not seen, or describe your layout in joint_names"
        for index, person in enumerate(message.persons)
        if len(person.keypoints) != len(skeleton)
    }


def _keypoint_values(
    message: Person2DArray, skeleton: Skeleton, wrong: Collection[int]
) -> FloatArray:
    """(N, J, 3): column, row, score; NaN for those who are wrong."""
    unknown = [(np.nan,) * 3] * len(skeleton)
    rows = [
        unknown if index in wrong else [(point.x, point.y, point.score) for point in one.keypoints]
        for index, one in enumerate(message.persons)
    ]
    return np.array(rows, np.float32).reshape(len(rows), len(skeleton), 3)


def _wrong_scores(
    message: Person2DArray, skeleton: Skeleton, confidence: FloatArray
) -> dict[int, str]:
    found: dict[int, str] = {}
    for person, joint in np.argwhere((confidence < 0) | (confidence > 1)):
        name = person_name(person, legal_id(message.persons[person].id))
        found.setdefault(
            int(person),
            f"{name}: {skeleton.joint_names[joint]} has score {confidence[person, joint]:g}, "
            "expected 0 to 1; scale the scores in their publisher",
        )
    return found


def _repeated_ids(message: Person2DArray, wrong: Collection[int]) -> dict[int, str]:
    first: dict[str, int] = {}
    found = {}
    for index, person in enumerate(message.persons):
        name = legal_id(person.id)
        if not name or index in wrong:
            continue
        if name in first:
            found[index] = (
                f"persons {first[name]} and {index} have the same id '{name}'; "
                "send ids that differ, or empty ones to have them tracked here"
            )
        first.setdefault(name, index)
    return found


def _not_finite(message: Person2DArray, skeleton: Skeleton, values: FloatArray) -> Remarks:
    """The remark on keypoints with a score and without a position, or with a score NaN."""
    scored = ~(values[..., 2] <= 0)
    lost = scored & ~np.isfinite(values).all(-1)
    lost &= np.isfinite(values[..., 2]) | np.isfinite(values[..., :2]).all(-1)
    if not lost.any():
        return ()
    person, joint = np.argwhere(lost)[0]
    name = person_name(person, legal_id(message.persons[person].id))
    where = joint_at(skeleton, joint, values[person, joint])
    words = (
        f"{lost.sum()} keypoints are taken as missing: {name} has {where} with score "
        f"{values[person, joint, 2]:g}; "
        "send score 0 for what was not seen"
    )
    return (("keypoints", words),)


def joint_at(skeleton: Skeleton, joint: int, position: FloatArray) -> str:
    """A keypoint in a remark; ``position`` is column and row in pixels."""
    return f"{skeleton.joint_names[joint]} at ({position[0]:g}, {position[1]:g})"


def person_name(index: int, person_id: str) -> str:
    """A person of a message in a remark; the id is a legal one, so that it is bounded."""
    return f"person {index} '{person_id}'"
