"""Figures from a recording: how many people, where, how tall, how steady, how fast."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from erd_ros.demo.recording import Recording
from erd_ros.metrics import mpjpe_mm, mrpe_mm
from erd_ros.pose import FloatArray
from erd_ros.skeleton import Skeleton
from erd_ros.synthetic import ANKLE_HEIGHT

Array = NDArray[np.float64]

# A person seen in fewer frames than this is counted, but not measured.
MIN_FRAMES = 10

_LEGS = (
    ("left_hip", "left_knee"),
    ("left_knee", "left_ankle"),
    ("right_hip", "right_knee"),
    ("right_knee", "right_ankle"),
)
_TRUNK = (("pelvis", "thorax"), ("thorax", "head_top"))
_LIMBS = tuple(
    f"{side}_{joint}" for side in ("left", "right") for joint in ("knee", "ankle", "elbow", "wrist")
)


def stature(skeleton: Skeleton, joints: FloatArray | Array) -> Array:
    """Body height (...) in metres from joints (..., J, 3), whatever the posture.

    The mean of the legs from hip to ankle, plus pelvis to thorax, plus thorax to the top of the
    head, is the height above the ankles of somebody who stands upright; ankles lie 3.9 % of
    stature above the floor (Drillis and Contini 1966, tabled by Winter). Distances over several
    joints of the spine are taken straight, since its joints do not lie on one line.
    """

    def total(pairs: tuple[tuple[str, str], ...]) -> Array:
        near, far = ([skeleton.index(pair[end]) for pair in pairs] for end in (0, 1))
        bones = joints[..., far, :] - joints[..., near, :]
        return np.asarray(np.linalg.norm(bones, axis=-1).sum(-1), np.float64)

    return (total(_LEGS) / 2 + total(_TRUNK)) / (1 - ANKLE_HEIGHT)


def bone_lengths(skeleton: Skeleton, joints: FloatArray | Array) -> dict[str, Array]:
    """Length (...) in metres of each bone of joints (..., J, 3), by the name of its far joint."""
    return {
        skeleton.joint_names[child]: np.linalg.norm(
            joints[..., child, :] - joints[..., parent, :], axis=-1
        )
        for parent, child in skeleton.bones
    }


def steadiness(skeleton: Skeleton, joints: FloatArray | Array) -> dict[str, float]:
    """Coefficient of variation of each limb bone's length over frames (F, J, 3).

    Standard deviation over mean; 0 for a rigid skeleton. Limbs alone: their bones are rigid in
    truth, while spine and shoulders are chains of many.
    """
    lengths = bone_lengths(skeleton, joints)
    return {name: float(lengths[name].std() / lengths[name].mean()) for name in _LIMBS}


def frame_to_frame(skeleton: Skeleton, joints: FloatArray | Array) -> float:
    """Median relative change of a limb bone's length between successive frames (F, J, 3)."""
    lengths = bone_lengths(skeleton, joints)
    changes = [np.abs(np.diff(lengths[name])) / lengths[name][1:] for name in _LIMBS]
    return float(np.median(changes))


def rows_of(recording: Recording, person: str) -> NDArray[np.int64]:
    """Indices of the rows in which a person has a position."""
    placed = np.isfinite(recording.joints).all((1, 2))
    return np.flatnonzero((recording.ids == person) & placed)


def persons(recording: Recording) -> list[str]:
    """Ids with a position in at least MIN_FRAMES frames, in order of appearance."""
    ids = list(dict.fromkeys(recording.ids.tolist()))
    return [person for person in ids if len(rows_of(recording, person)) >= MIN_FRAMES]


def _spread(values: Array | FloatArray) -> dict[str, float]:
    low, median, high = np.percentile(values, (5, 50, 95)).tolist()
    return {"median": median, "p5": low, "p95": high}


def _person_figures(recording: Recording, person: str) -> dict[str, Any]:
    rows = rows_of(recording, person)
    joints = recording.joints[rows]
    variation = steadiness(recording.skeleton, joints)
    worst = max(variation, key=lambda name: variation[name])
    return {
        "frames": len(rows),
        "distance_m": _spread(np.linalg.norm(joints[:, 0], axis=-1)),
        "height_m": _spread(stature(recording.skeleton, joints)),
        "bone_length_variation": {
            "median": float(np.median(list(variation.values()))),
            "worst": variation[worst],
            "worst_bone": worst,
            "frame_to_frame": frame_to_frame(recording.skeleton, joints),
        },
        "residual_px": _spread(recording.residual_px[rows]),
        "keypoints_seen": float((recording.scores[rows] > 0).mean()),
    }


def _timing_figures(recording: Recording) -> dict[str, Any]:
    answered = len(recording.answered_ns)
    # Loops of a source repeat no stamp, so that published frames can be counted as a set.
    dropped = len(set(recording.published_ns.tolist()) - set(recording.answered_ns.tolist()))
    span_s = float(np.ptp(recording.arrived_ns)) * 1e-9 if answered > 1 else 0.0
    p50, p99 = np.percentile(recording.latency_s, (50, 99)).tolist() if answered else (None, None)
    return {
        "frames_published": len(recording.published_ns),
        "frames_answered": answered,
        "frames_dropped": dropped,
        "rate_hz": (answered - 1) / span_s if span_s else None,
        "latency_s": {"p50": p50, "p99": p99},
    }


def figures(recording: Recording) -> dict[str, Any]:
    """Everything the demo reports, ready for JSON: SI units, pixels where the name says so."""
    measured = persons(recording)
    at_once = np.bincount(recording.message, minlength=1) if len(recording.message) else [0]
    return {
        "backend": recording.backend,
        "people_at_once": int(np.max(at_once)),
        "ids": len(set(recording.ids.tolist())),
        "ids_too_short_to_measure": len(set(recording.ids.tolist())) - len(measured),
        **_timing_figures(recording),
        "people": {person: _person_figures(recording, person) for person in measured},
    }


def truth_of_published(recording: Recording, truth_in_camera: Array) -> Array:
    """The truth (F, P, J, 3) of each published frame, from that (T, P, J, 3) of one period.

    By counting, not by the stamps: a player that falls behind does not hurry.
    """
    frames = np.arange(len(recording.published_ns)) % len(truth_in_camera)
    return np.asarray(truth_in_camera[frames], np.float64)


def errors_against(recording: Recording, truth: Array) -> Mapping[str, float]:
    """Mean errors in millimetres against the truth (F, P, J, 3) of the published frames.

    The person is found by the nearest direction of the root, so that an error of depth cannot pick
    the person. ``mpjpe_mm`` is relative to the root, ``mrpe_mm`` the distance of the roots,
    ``absolute_mpjpe_mm`` the error of all joints in the camera frame. Empty when nobody was placed.
    """
    published = {stamp: frame for frame, stamp in enumerate(recording.published_ns.tolist())}
    # An interrupted recorder may have heard an answer, but not yet that its frame was published.
    frames = np.array([published.get(stamp, -1) for stamp in recording.answered_ns.tolist()], int)
    frame_of_row = frames[recording.message]
    placed = np.flatnonzero(np.isfinite(recording.joints).all((1, 2)) & (frame_of_row >= 0))
    if not len(placed):
        return {}
    candidates = truth[frame_of_row[placed]]
    joints = recording.joints[placed]
    rays = joints[:, None, 0, :2] / joints[:, None, 0, 2:]
    true_rays = candidates[:, :, 0, :2] / candidates[:, :, 0, 2:]
    nearest = np.linalg.norm(rays - true_rays, axis=-1).argmin(1)
    true_joints = candidates[np.arange(len(placed)), nearest]
    root, true_root = joints[:, 0], true_joints[:, 0]
    return {
        "mpjpe_mm": float(
            mpjpe_mm(joints - root[:, None], true_joints - true_root[:, None]).mean()
        ),
        "mrpe_mm": float(mrpe_mm(root, true_root).mean()),
        "absolute_mpjpe_mm": float(mpjpe_mm(joints, true_joints).mean()),
        "persons_compared": float(len(placed)),
    }
