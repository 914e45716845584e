"""Cameras that hang upside down or lie on a side: the model is shown an upright image.

Training has rolled the camera by 25 degrees at most. Beyond 45 the rays are turned about the
optical axis, and pose and root are turned back.

Without the ground from TF, people who seem to be turned are tried turned: a camera on its side
gives poses 108 mm off on validation motion, where an upright one gives 48.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from erd_ros.cues import CUES
from erd_ros.pose import FloatArray
from erd_ros.runtime import PoseOutputs
from erd_ros.skeleton import Skeleton

Mask = NDArray[np.bool_]
Array = NDArray[np.float64]
# Rays, confidence and cues of N persons to what the graph says of them.
Run = Callable[[FloatArray, FloatArray, FloatArray | None], PoseOutputs]

_COLUMN = {name: index for index, name in enumerate(CUES)}
_UP = [_COLUMN["up_x"], _COLUMN["up_y"]]
_LARGEST_ROLL = np.pi / 4
# A camera that looks up or down this steeply, sine of the angle from the vertical, has no roll.
_STEEP = 0.5
# Cosines: the trunk points down the image within 45 degrees, the legs up within 60.
_TRUNK, _LEGS = 0.707, 0.5
# Ratio of the turned image's reprojection error to the other's. At this one, of poses in motion
# capture that look upside down before an upright camera, 9 of 66 in validation, 2 of 51 in test and
# 8 of 38 in training are turned wrongly; 9 of 10 people before a camera that hangs upside down are
# turned rightly. Of 930 people before a camera on its side 861 are, of 38 who lie 1 is wrongly.
_BETTER = 0.6
_UPPER = ("left_shoulder", "right_shoulder", "thorax", "neck_nose", "head_top")
_HIPS = ("pelvis", "left_hip", "right_hip")
_LOWER = ("left_knee", "right_knee", "left_ankle", "right_ankle")


def run_upright(
    run: Run, skeleton: Skeleton, rays: FloatArray, confidence: FloatArray, cues: FloatArray | None
) -> PoseOutputs:
    """What ``run`` says of N persons when it sees them upright; everything in the camera frame.

    Where the cues have the ground, the camera's roll is known. Elsewhere a person who is upside
    down or sideways in the image is turned if the turned keypoints fit a pose much better.
    """
    roll, known = _roll_of_ground(cues, len(rays))
    if roll.any():
        return _turned_run(run, rays, confidence, cues, roll)
    outputs = run(rays, confidence, cues)
    turn = _seeming_turn(skeleton, rays, confidence)
    asked = np.flatnonzero(~known & (turn != 0))
    if not len(asked):
        return outputs
    of_asked = None if cues is None else cues[asked]
    turned = _turned_run(run, rays[asked], confidence[asked], of_asked, turn[asked])
    seen = confidence[asked] > 0
    better = _typical(turned.residual, seen) < _BETTER * _typical(outputs.residual[asked], seen)
    return _with_rows(outputs, turned, asked, better)


def _roll_of_ground(cues: FloatArray | None, persons: int) -> tuple[Array, Mask]:
    """(N,) radians, clockwise, by which up is turned in the image, 0 up to 45 degrees; if known."""
    if cues is None:
        return np.zeros(persons), np.zeros(persons, bool)
    known = np.isfinite(cues[:, _COLUMN["camera_height_variance"]])
    x, y = cues[:, _UP].astype(np.float64).T
    roll = np.arctan2(x, -y)
    level = known & (np.hypot(x, y) >= _STEEP)
    return np.where(level & (np.abs(roll) > _LARGEST_ROLL), roll, 0.0), known


def _turned_run(
    run: Run, rays: FloatArray, confidence: FloatArray, cues: FloatArray | None, roll: Array
) -> PoseOutputs:
    if cues is not None:
        cues = cues.copy()
        cues[:, _UP] = _turned(cues[:, None, _UP], -roll)[:, 0]
    outputs = run(_turned(rays, -roll), confidence, cues)
    joints, root = _turned(outputs.joints, roll), _turned(outputs.root[:, None], roll)[:, 0]
    return replace(outputs, joints=joints, root=root)


def _turned(points: FloatArray, angle: Array) -> FloatArray:
    """Points (N, P, 2 or 3) turned clockwise in the image, about the optical axis; float32."""
    sine, cosine = np.sin(angle)[:, None], np.cos(angle)[:, None]
    turned = points.astype(np.float64)
    x, y = points[..., 0].astype(np.float64), points[..., 1].astype(np.float64)
    turned[..., 0], turned[..., 1] = cosine * x - sine * y, sine * x + cosine * y
    return turned.astype(np.float32)


def _seeming_turn(skeleton: Skeleton, rays: FloatArray, confidence: FloatArray) -> Array:
    """(N,) radians, clockwise, by which each seems to be turned in the image: 0, a quarter or half.

    Half: the trunk points down and legs, where they were seen, point up. A quarter: the trunk lies.
    """
    upper, hips, lower = (
        _mean(skeleton, names, rays, confidence) for names in (_UPPER, _HIPS, _LOWER)
    )
    trunk, legs = upper - hips, hips - lower
    # NaN, of parts that were not seen, is never above or below.
    far = _TRUNK * np.linalg.norm(trunk, axis=-1)
    legs_not_up = legs[:, 1] <= _LEGS * np.linalg.norm(legs, axis=-1)
    cases = [(trunk[:, 1] > far) & ~legs_not_up, trunk[:, 0] > far, -trunk[:, 0] > far]
    return np.asarray(np.select(cases, [np.pi, np.pi / 2, -np.pi / 2], 0.0))


def _mean(
    skeleton: Skeleton, names: tuple[str, ...], rays: FloatArray, confidence: FloatArray
) -> Array:
    """(N, 2) over the joints of these names that were seen; NaN for none."""
    joints = [skeleton.index(name) for name in names if name in skeleton.joint_names]
    seen = confidence[:, joints] > 0
    total = np.where(seen[..., None], rays[:, joints], 0).sum(1, dtype=np.float64)
    count = seen.sum(1)[:, None]
    mean = np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)
    return np.asarray(mean, np.float64)


def _typical(residual: FloatArray, seen: Mask) -> Array:
    """(N,) median over the joints seen, of which everyone here has some; infinite of NaN."""
    known = np.where(np.isfinite(residual), residual, np.inf)
    return np.asarray(np.nanmedian(np.where(seen, known, np.nan), axis=-1), np.float64)


def _with_rows(
    outputs: PoseOutputs, others: PoseOutputs, rows: NDArray[np.int64], chosen: Mask
) -> PoseOutputs:
    """The outputs with ``chosen`` of the others in the places ``rows`` of theirs."""

    def put(into: FloatArray, values: FloatArray) -> FloatArray:
        mixed = into.copy()
        mixed[rows[chosen]] = values[chosen]
        return mixed

    size, sigma = outputs.size, outputs.sigma
    return PoseOutputs(
        put(outputs.joints, others.joints),
        put(outputs.root, others.root),
        put(outputs.residual, others.residual),
        size if size is None or others.size is None else put(size, others.size),
        sigma if sigma is None or others.sigma is None else put(sigma, others.sigma),
    )
