"""Measured depths held against what the keypoints say without them."""

import math
from collections.abc import Callable, Sequence

import numpy as np

from erd_ros.cues import Cues
from erd_ros.pose import Keypoints2D, Pose3D

# A depth may differ from that of the keypoints by so much of the latter.
_LARGEST_DIFFERENCE = 0.5

Estimate = Callable[[Keypoints2D, Sequence[Cues]], Pose3D]


def estimate_with_depths(
    estimate: Estimate, keypoints: Keypoints2D, cues: Sequence[Cues]
) -> tuple[Pose3D, list[Cues], list[str]]:
    """Poses, the cues that each was found with, and why depths were refused.

    cues  one per person. A depth that differs by more than half from what is found without it is
          of something else than the person, or in another unit.
    """
    persons = len(keypoints)
    measured = [row for row, cue in enumerate(cues) if math.isfinite(cue.depth_deviation)]
    if not measured:
        return estimate(keypoints, cues), list(cues), []
    found_with = list(cues)
    without = [cues[person].with_depth(math.nan, math.inf) for person in measured]
    # Both in one call, which costs less than two.
    poses = estimate(keypoints.of([*range(persons), *measured]), [*cues, *without])
    chosen = np.arange(persons)
    refused: list[str] = []
    for row, (person, cue) in enumerate(zip(measured, without, strict=True), persons):
        depth_m, own_m = cues[person].depth, float(poses.root_in_camera[row, 2])
        if not abs(depth_m - own_m) <= _LARGEST_DIFFERENCE * own_m:
            chosen[person], found_with[person] = row, cue
            refused += _disagreement(person, depth_m, own_m)
    return poses.of(chosen), found_with, refused


def _disagreement(person: int, depth_m: float, own_m: float) -> list[str]:
    if np.isnan(own_m):  # nobody, by the keypoints
        return []
    return [
        f"the depth image has person {person} at {depth_m:.2f} m, by the keypoints it is "
        f"{own_m:.2f} m: the depth is not used; check its unit (32FC1 is in metres) and that it "
        "is registered to the camera"
    ]
