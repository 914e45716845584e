"""Regions that follow a person without shaking: what a landmark network sees should be steady."""

import numpy as np

from erd_ros.pose import FloatArray
from erd_ros.runtime.detectors.landmarks import circle_region
from erd_ros.runtime.detectors.regions import Region

_SEEN = 0.2  # score of a keypoint
_AROUND_KEYPOINTS = 1.1  # radius of a person's circle, where keypoints end before feet and head do
_JUMP = 0.3  # of the side: so far a region does not glide
_FOLLOWS = 0.3  # of what is new, taken over in each image; measured, see docs/detectors.md


def first_region(keypoints: FloatArray) -> Region | None:
    """Region around a person of layout coco17, (17, 3): column, row, score.

    Its centre lies between the hips, or is that of the keypoints where no hip is seen; None for
    somebody of whom fewer than three keypoints are seen.
    """
    seen = keypoints[:, 2] > _SEEN
    if seen.sum() < 3:
        return None
    places = keypoints[:, :2]
    shoulders, hips = _middle(keypoints, (5, 6)), _middle(keypoints, (11, 12))
    if hips is None:
        hips = np.asarray((places[seen].min(0) + places[seen].max(0)) / 2, np.float32)
    radius = np.linalg.norm(places[seen] - hips, axis=-1).max() * _AROUND_KEYPOINTS
    up = np.array([0, -1.0]) if shoulders is None else shoulders - hips
    length = np.linalg.norm(up)
    up = up / length if length > 0.05 * radius else np.array([0, -1.0])
    return circle_region(hips, np.asarray(hips + up * max(radius, 1), np.float32))


def glided(region: Region, wanted: Region) -> Region:
    """The region a part of the way on to the one that is wanted; a jump is taken at once."""
    across, down = wanted.column - region.column, wanted.row - region.row
    if np.hypot(across, down) > _JUMP * wanted.side:
        return wanted
    turn = (wanted.angle - region.angle + np.pi) % (2 * np.pi) - np.pi
    return Region(
        region.column + _FOLLOWS * across,
        region.row + _FOLLOWS * down,
        float(region.side * (wanted.side / region.side) ** _FOLLOWS),
        region.angle + _FOLLOWS * turn,
    )


def _middle(keypoints: FloatArray, pair: tuple[int, int]) -> FloatArray | None:
    """Between two keypoints of which both are seen, or where the one is that is."""
    seen = [keypoints[joint, :2] for joint in pair if keypoints[joint, 2] > _SEEN]
    return np.asarray(np.mean(seen, axis=0), np.float32) if seen else None
