"""Keypoint messages of our own to arrays. Pixels on both sides."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from erd_ros.errors import InputError
from erd_ros.msg import Person2DArray
from erd_ros.pose import FloatArray, Keypoints2D
from erd_ros.ros.images import ImageArray
from erd_ros.ros.names import ids_of_everyone
from erd_ros.skeleton import SKELETONS, Skeleton, skeleton_by_name

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class ReceivedKeypoints:
    """Keypoints of one image, ready to be lifted.

    ids      as the sender gave them; None when it gave none, or not to everyone
    ignored  how many keypoints have a score, but a position that cannot be used
    remark   what is wrong with the first of them, and the way out; empty when there are none
    size     (width, height) of the image in pixels; None = that of the CameraInfo
    image    (height, width, 3) uint8 RGB that they were found in; None = only its keypoints came
    """

    keypoints: Keypoints2D
    ids: list[str] | None = None
    ignored: int = 0
    remark: str = ""
    size: tuple[int, int] | None = None
    image: ImageArray | None = None


def keypoints_from_message(
    message: Person2DArray, size: tuple[int, int] | None, image_margin: float
) -> ReceivedKeypoints:
    """The persons of a message. Positions that cannot be used are remarked on.

    size          (width, height) of the image as its CameraInfo has it, pixels; None = not known
    image_margin  fraction of the longer side of the image, see EstimatorConfig, by which a
                  keypoint may lie outside; farther out, or NaN, it counts as not seen
    Raises InputError when the layout is unknown, a person has another number of keypoints than
    it, a score lies outside 0..1, or two persons have the same id.
    """
    skeleton = skeleton_from_message(message)
    values = _keypoint_values(message, skeleton)
    pixels, confidence = values[..., :2], values[..., 2]
    _check_scores(message, skeleton, confidence)
    own_size = _size(message, size)
    limits = np.array(size or own_size or (np.inf, np.inf))
    margin = 0.5 + image_margin * limits.max()
    inside = ((pixels >= -margin) & (pixels <= limits - 1 + margin)).all(-1)
    bad = ~inside & (confidence > 0)
    remark = _remark(message, skeleton, values, bad, limits) if bad.any() else ""
    # Missing for the tracker too, which would take so large a person for another.
    keypoints = Keypoints2D(skeleton, pixels, np.where(bad, 0, confidence))
    return ReceivedKeypoints(keypoints, _ids(message), int(bad.sum()), remark, own_size)


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


def _keypoint_values(message: Person2DArray, skeleton: Skeleton) -> FloatArray:
    """(N, J, 3): column, row, score."""
    for index, person in enumerate(message.persons):
        if len(person.keypoints) != len(skeleton):
            raise InputError(
                f"{_name(message, index)} has {len(person.keypoints)} keypoints, but layout "
                f"'{skeleton.name}' has {len(skeleton)}; name the layout you publish, send score "
                "0 for keypoints that were not seen, or describe your layout in joint_names"
            )
    rows = [
        (keypoint.x, keypoint.y, keypoint.score)
        for person in message.persons
        for keypoint in person.keypoints
    ]
    return np.array(rows, np.float32).reshape(len(message.persons), len(skeleton), 3)


def _check_scores(message: Person2DArray, skeleton: Skeleton, confidence: FloatArray) -> None:
    wrong = np.argwhere((confidence < 0) | (confidence > 1))
    if len(wrong):
        person, joint = wrong[0]
        raise InputError(
            f"{_name(message, person)}: {skeleton.joint_names[joint]} has score "
            f"{confidence[person, joint]:g}, expected 0 to 1; scale the scores in their publisher"
        )


def _remark(
    message: Person2DArray,
    skeleton: Skeleton,
    values: FloatArray,
    bad: Mask,
    size: NDArray[np.generic],
) -> str:
    person, joint = np.argwhere(bad)[0]
    column, row, score = values[person, joint]
    return (
        f"{bad.sum()} keypoints are taken as missing: {_name(message, person)} has "
        f"{skeleton.joint_names[joint]} at ({column:g}, {row:g}) with score {score:g}, outside "
        f"the image of {size[0]}x{size[1]}; send score 0 for what was not seen, and "
        "pixels of the image that the CameraInfo describes"
    )


def _name(message: Person2DArray, index: int) -> str:
    return f"person {index} '{message.persons[index].id}'"


def _ids(message: Person2DArray) -> list[str] | None:
    ids = ids_of_everyone(person.id for person in message.persons)
    if ids is None:
        return None
    for index, person_id in enumerate(ids):
        if person_id in ids[:index]:
            raise InputError(
                f"persons {ids.index(person_id)} and {index} have the same id '{person_id}'; "
                "send ids that differ, or empty ones to have them tracked here"
            )
    return ids
