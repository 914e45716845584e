"""Whether a network took somebody's left for the right, by another network's keypoints."""

import numpy as np

from erd_ros.pose import FloatArray
from erd_ros.skeleton import Skeleton

# Shoulders to ankles in COCO's layout: hands, feet and faces cross the body too often.
_LIMBS = tuple(
    f"{side}_{joint}"
    for joint in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
    for side in ("left", "right")
)
# Mean distance with sides exchanged over that without: below, they were exchanged, and above the
# inverse they were not; in between a person stands sideways and nothing can be said.
_CLEARLY = 0.75
# Likewise from image to image: legs that cross in walking, seen from the side, are no exchange.
_JUMP = 0.5


def exchanged(
    keypoints: FloatArray,
    skeleton: Skeleton,
    witness: FloatArray,
    of: Skeleton,
    clearly: float = _CLEARLY,
) -> bool | None:
    """Whether sides of keypoints (J, 3) are exchanged, by those of a witness of the same image.

    None where it cannot be said. Both are column, row, confidence, and both confidences weigh.
    """
    ours = [skeleton.index(name) for name in _LIMBS]
    theirs = [of.index(name) for name in _LIMBS]
    mirrored = [skeleton.flip[index] for index in ours]
    weight = keypoints[ours, 2] * witness[theirs, 2]
    weight_mirrored = keypoints[mirrored, 2] * witness[theirs, 2]
    if weight.sum() < 0.5 or weight_mirrored.sum() < 0.5:
        return None
    as_is = _distance(keypoints[ours], witness[theirs], weight)
    crossed = _distance(keypoints[mirrored], witness[theirs], weight_mirrored)
    if crossed < clearly * as_is:
        return True
    if as_is < clearly * crossed:
        return False
    return None


def jumped(keypoints: FloatArray, before: FloatArray, skeleton: Skeleton) -> bool:
    """Whether keypoints are nearer to those of the image before with left and right exchanged."""
    return exchanged(keypoints, skeleton, before, skeleton, _JUMP) is True


def _distance(ours: FloatArray, theirs: FloatArray, weight: FloatArray) -> float:
    away = np.linalg.norm(ours[:, :2] - theirs[:, :2], axis=-1)
    return float((away * weight).sum() / weight.sum())
