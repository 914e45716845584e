"""Object keypoint similarity (COCO): how alike two sets of keypoints of people are."""

from dataclasses import replace

import numpy as np

from erd_ros.pose import FloatArray
from erd_ros.runtime.detectors.multipose_decode import People2D

# Standard deviations of COCO's annotators in units of the root of a person's area: nose, then pairs
# of eyes, ears, shoulders, elbows, wrists, hips, knees and ankles.
_PAIRS = (0.025, 0.035, 0.079, 0.072, 0.062, 0.107, 0.087, 0.089)
_SIGMAS = np.concatenate([[0.026], np.repeat(_PAIRS, 2)]).astype(np.float32)


def similarity(keypoints: FloatArray, others: FloatArray) -> FloatArray:
    """(N, M) OKS in 0..1 of keypoints (N, 17, 3) and (M, 17, 3): column, row, score.

    The area is that of the box around both people's keypoints, the mean of the two. Keypoints
    count by the product of their scores, since a detector's guesses say little.
    """
    away = ((keypoints[:, None, :, :2] - others[None, :, :, :2]) ** 2).sum(-1)  # (N, M, 17)
    area = (_areas(keypoints)[:, None] + _areas(others)) / 2
    alike = np.exp(-away / (2 * (2 * _SIGMAS) ** 2 * area[..., None]))
    weight = keypoints[:, None, :, 2] * others[None, :, :, 2]
    total = np.maximum(weight.sum(-1), np.finfo(np.float32).tiny)
    return np.asarray((alike * weight).sum(-1) / total, np.float32)


def merged(people: People2D, same: float) -> People2D:
    """Each person once, the best first.

    Who is like a better one, with an OKS of ``same`` or more, is that one.
    A keypoint lies in the mean of its places, weighted by their scores; the largest score stays.
    """
    groups: list[list[int]] = []
    like = similarity(people.keypoints, people.keypoints)
    for index in np.argsort(-people.scores, kind="stable"):
        alike = [group for group in groups if like[index, group[0]] >= same]
        if alike:
            alike[0].append(int(index))
        else:
            groups.append([int(index)])
    best = people.chosen(np.array([group[0] for group in groups], np.int64))
    joined = [_mean(people.keypoints[group]) for group in groups]
    return replace(best, keypoints=np.array(joined, np.float32).reshape(best.keypoints.shape))


def _mean(keypoints: FloatArray) -> FloatArray:
    """(M, 17, 3) of one person to (17, 3)."""
    weight = np.maximum(keypoints[..., 2:], np.finfo(np.float32).tiny)
    places = (keypoints[..., :2] * weight).sum(0) / weight.sum(0)
    return np.concatenate([places, keypoints[..., 2:].max(0)], -1)


def _areas(keypoints: FloatArray) -> FloatArray:
    spans = np.ptp(keypoints[..., :2], axis=1)
    return np.asarray(np.maximum(spans.prod(-1), 1), np.float32)
