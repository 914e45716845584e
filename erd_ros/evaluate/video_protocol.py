"""The video protocol: detectors and a model on real video with a truth, beside MediaPipe's own 3D.

Errors are those of the twelve joints of the limbs, from the middle of the hips, over the frames
whose truth can be relied on; the mean of the views. A ratio is to MediaPipe's own 3D of the same
frames.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from erd_ros.errors import InputError
from erd_ros.evaluate.video_views import LIMBS, Clip, read_clip, relative
from erd_ros.pose import Keypoints2D
from erd_ros.runtime import Backend, load
from erd_ros.runtime.detectors import Detector, make_detector
from erd_ros.runtime.detectors.landmarks import NETWORKS
from erd_ros.runtime.detectors.people_detector import PeopleConfig, PeopleDetector
from erd_ros.runtime.estimator import Estimator, EstimatorConfig
from erd_ros.skeleton import Skeleton

Array = NDArray[np.float64]
Figures = dict[str, object]

# Scores of keypoints as detectors give them, and floored, which uses what they are unsure of.
SCORES = {"as given": (0.0, 0.3), "floored at 0.3": (0.3, 0.05)}


@dataclass(frozen=True, eq=False)
class Watched:
    """What a detector sees of a clip.

    keypoints  (V, F, J, 3) column, row, confidence of the surest person; NaN for nobody
    cpu_ms     of the processor, for an image
    """

    skeleton: Skeleton
    keypoints: Array
    cpu_ms: float


def _people(landmarks: str) -> Detector:
    return PeopleDetector(PeopleConfig(landmarks=landmarks))


DETECTORS: dict[str, Callable[[], Detector]] = {
    "mediapipe": partial(make_detector, "mediapipe"),
    "multipose": partial(make_detector, "multipose"),
    **{name: partial(_people, name) for name in NETWORKS},
}
SHIPPED = ("mediapipe", "multipose", "blazepose_heavy")  # the others' weights have to be made


def evaluate_video(
    model: Path, folder: Path, truth: Path, detectors: Sequence[str] = SHIPPED
) -> Figures:
    """Figures of each detector on one clip. Raises as ``read_clip`` does, and InputError."""
    if unknown := [name for name in detectors if name not in DETECTORS]:
        raise InputError(f"unknown detector '{unknown[0]}'; choose from {', '.join(DETECTORS)}")
    clip, backend = read_clip(folder, truth), load(model)
    peer = _errors_mm(clip, clip.peer)
    rows = {name: _row(backend, clip, watch(DETECTORS[name], clip), peer) for name in detectors}
    rows["perfect 2D"] = _row(backend, clip, _perfect(clip), peer)
    return {
        "model": {"file": str(model), "sha256": backend.sha256},
        "views": len(clip.videos),
        "frames": int(clip.good.sum()),
        "mediapipe_own_3d_mm": float(peer.mean()),
        "detectors": rows,
    }


def watch(make: Callable[[], Detector], clip: Clip) -> Watched:
    """Run a new detector on each view."""
    seen, spent_s, images = [], 0.0, 0
    for view in range(len(clip.videos)):
        detector = make()
        rows = []
        for index, image in enumerate(clip.images(view)):
            start = time.process_time()
            found = detector(image, index / clip.fps)
            spent_s += time.process_time() - start
            rows.append(_surest(found))
            images += 1
        skeleton = detector.skeleton
        detector.close()
        seen.append(rows)
    return Watched(skeleton, np.array(seen), 1000 * spent_s / images)


def _surest(found: Keypoints2D) -> Array:
    """(J, 3) of the person of the largest mean confidence."""
    if not len(found):
        return np.full((len(found.skeleton), 3), np.nan)
    best = int(found.confidence.mean(-1).argmax())
    return np.concatenate([found.pixels[best], found.confidence[best, :, None]], -1)


def _perfect(clip: Clip) -> Watched:
    """The truth as a detector of the limbs alone would give it."""
    skeleton = Skeleton("limbs", LIMBS, (-1,) * len(LIMBS))
    places = np.stack([clip.places(view) for view in range(len(clip.videos))])
    return Watched(skeleton, np.concatenate([places, np.ones_like(places[..., :1])], -1), 0.0)


def _row(backend: Backend, clip: Clip, watched: Watched, peer: Array) -> dict[str, Any]:
    row = {**_keypoint_figures(clip, watched), "cpu_ms": watched.cpu_ms}
    for name, (floor, min_confidence) in SCORES.items():
        poses = _poses(backend, clip, watched, floor, min_confidence)
        errors = _errors_mm(clip, poses)
        row[name] = {
            "mpjpe_mm": float(errors.mean()),
            "ratio": float(errors.mean() / peer.mean()),
            "hips_m": _of_finite(np.mean, _hips_m(clip, poses)),
            "estimated_percent": 100 * float(np.isfinite(poses[:, clip.good]).all((2, 3)).mean()),
        }
    return row


def _poses(
    backend: Backend, clip: Clip, watched: Watched, floor: float, min_confidence: float
) -> Array:
    """(V, F, 12, 3) in each camera; NaN where there is none."""
    estimator = Estimator(backend, EstimatorConfig(min_confidence=min_confidence))
    limbs = [estimator.skeleton.index(name) for name in LIMBS]
    poses = []
    for camera, keypoints in zip(clip.cameras, watched.keypoints, strict=True):
        seen = np.isfinite(keypoints[..., 0])
        confidence = np.where(seen, np.maximum(np.nan_to_num(keypoints[..., 2]), floor), 0)
        given = Keypoints2D(watched.skeleton, keypoints[..., :2], confidence)
        poses.append(estimator.estimate(given, camera).joints_in_camera[:, limbs])
    return np.array(poses, np.float64)


def _errors_mm(clip: Clip, poses: Array) -> Array:
    """(V,) mean errors of the poses that there are."""
    away = np.linalg.norm(relative(poses) - relative(clip.truth), axis=-1).mean(-1)
    means = [_of_finite(np.mean, view) for view in away[:, clip.good]]
    return 1000 * np.array(means, np.float64)


def _hips_m(clip: Clip, poses: Array) -> Array:
    away = poses[..., 6:8, :].mean(-2) - clip.truth[..., 6:8, :].mean(-2)
    return np.asarray(np.linalg.norm(away, axis=-1)[:, clip.good], np.float64)


def _keypoint_figures(clip: Clip, watched: Watched) -> dict[str, Any]:
    limbs = [watched.skeleton.index(name) for name in LIMBS]
    places = np.stack([clip.places(view) for view in range(len(clip.videos))])[:, clip.good]
    pixels = watched.keypoints[:, clip.good][..., :2]
    as_is = np.linalg.norm(pixels[:, :, limbs] - places, axis=-1)
    mirrored = [watched.skeleton.flip[index] for index in limbs]
    crossed = np.linalg.norm(pixels[:, :, mirrored] - places, axis=-1)
    return {
        "found_percent": 100 * float(np.isfinite(as_is).any(-1).mean()),
        "median_px": _of_finite(np.median, as_is),
        "exchanged_frames": int((np.median(crossed, -1) < np.median(as_is, -1)).sum()),
    }


def _of_finite(statistic: Callable[[Array], Any], values: Array) -> float:
    """A statistic of the values that there are; NaN of none."""
    there = values[np.isfinite(values)]
    return float(statistic(there)) if there.size else float("nan")
