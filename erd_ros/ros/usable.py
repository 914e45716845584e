"""Which of the received keypoints and persons are used."""

from dataclasses import replace

import numpy as np

from erd_ros.pose import Keypoints2D
from erd_ros.ros.convert import ReceivedKeypoints, Remarks, joint_at, person_name
from erd_ros.ros.parameters import NodeParameters
from erd_ros.runtime.plausible import seen_keypoints, surest


def usable(
    received: ReceivedKeypoints, size: tuple[int, int] | None, parameters: NodeParameters
) -> ReceivedKeypoints:
    """Without keypoints that nobody saw, and without the persons who are too many.

    size  (width, height) of the image as its CameraInfo has it, pixels; None = not known
    """
    size, margin = received.size or size, parameters.image_margin
    keypoints = seen_keypoints(received.keypoints, size, margin)
    remarks = received.remarks
    if received.image is None:  # a detector of our own guesses what it cannot see
        remarks += outside_image(received.keypoints, keypoints, size, received.ids)
    most, persons = parameters.max_persons, len(keypoints)
    if persons <= most:
        return replace(received, keypoints=keypoints, remarks=remarks)
    kept = surest(keypoints, most)
    ids = [received.ids[person] for person in kept] if received.ids else None
    return replace(
        received,
        keypoints=keypoints.of(kept),
        ids=ids,
        remarks=(*remarks, _too_many(persons, most)),
    )


def _too_many(persons: int, most: int) -> tuple[str, str]:
    return (
        "too many persons",
        f"{persons} persons in one image: the surest {most} are used, {persons - most} are "
        "left out; raise max_persons if they are real",
    )


def outside_image(
    received: Keypoints2D, seen: Keypoints2D, size: tuple[int, int] | None, ids: list[str] | None
) -> Remarks:
    """The remark on keypoints that came with a score and do not count as seen.

    Those at exactly (0, 0) need none: that is how detectors say that they have not found it.
    """
    lost = (received.confidence > 0) & (seen.confidence == 0) & (received.pixels != 0).any(-1)
    if size is None or not lost.any():
        return ()
    person, joint = np.argwhere(lost)[0]
    where = joint_at(received.skeleton, joint, received.pixels[person, joint])
    who = person_name(person, ids[person] if ids else "")
    words = (
        f"{lost.sum()} keypoints are taken as missing: {who} has {where} "
        f"with score {received.confidence[person, joint]:g}, outside the image of "
        f"{size[0]}x{size[1]}; send score 0 for what was not seen, and pixels of the image "
        "that the CameraInfo describes"
    )
    return (("keypoints", words),)
