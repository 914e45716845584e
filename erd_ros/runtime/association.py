"""Which of the people seen is which of those known, and when that cannot be told."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from erd_ros.pose import FloatArray

# Posture of somebody seen from image to image: mean distance of a keypoint, once place and size are
# taken out, in sizes of the person. It holds until a track learns what its own detections show.
TREMBLE = 0.05
# Standard deviations of a match: of somebody who was just there, and what each second unseen adds.
# Across and down in sizes of the person: who walks stays at the same height on the image.
_ACROSS, _ACROSS_UNSEEN = 0.04, 0.35
_DOWN, _DOWN_UNSEEN = 0.04, 0.1
# Of the posture and of the logarithm of the size on the image, what each second unseen adds.
_POSTURE_UNSEEN, _GROWTH_UNSEEN = 0.2, 0.1
# Seconds after which a posture, and after which height and size, are no less certain than before.
_STRIDE_S, _SETTLED_S = 0.5, 1.0
# Somebody hidden for long could be anywhere, but is behind one of the few in view: where one comes
# out is no less likely than at a deviation of this many sizes.
_BEHIND = 0.7
# Surprise, minus the logarithm of the likelihood, that somebody comes back in this very image who
# was not in the one before.
_COMES_BACK = 3.0
# Detectors err wildly now and then: where nobody else could be meant, what is far off surprises no
# more than in Student's distribution of this shape.
_TAIL = 4.0
# Who walks into the image grows from an arm to a person within a few images, and is missed in some:
# for so long, seconds, a track is young. Where nobody else could be meant it surprises no more than
# this, however odd it looks.
_YOUNG_S, _YOUNG = 0.5, 8.0
# Surprise beyond which somebody is rather a stranger; and one that no sum of others reaches.
_STRANGER, _IMPOSSIBLE = 16.0, 1e6
# An answer stands if every other one is more surprising by this, fifty times less likely; of
# somebody in the image before less is asked, for whoever is in view seldom needs a new id.
_MARGIN_LOST, _MARGIN = 4.0, 2.0

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]


class Comparison(NamedTuple):
    """N persons with T expected ones, over the keypoints in common; each (N, T).

    distance  mean over the keypoints, in sizes of the larger; infinite without a common one
    across    to the right of where they were expected, in the mean, in sizes
    down      below it, likewise
    posture   mean distance of the keypoints from there, in sizes
    growth    logarithm of how much larger they are than expected
    lever     how much a keypoint's error, in sizes, counts in ``growth``: more where the keypoints
              are few and close together
    """

    distance: Array
    across: Array
    down: Array
    posture: Array
    growth: Array
    lever: Array


class Match(NamedTuple):
    """Person ``row`` is rather ``column`` than anyone else known.

    certain  every other answer is much less likely
    rival    somebody known, not seen elsewhere, who it might be as well where it is not certain
    """

    row: int
    column: int
    certain: bool
    rival: int | None


def compare(persons: FloatArray, expected: FloatArray) -> Comparison:
    """Each of ``persons`` (N, J, 2) with each of ``expected`` (T, J, 2), pixels, NaN = missing."""
    steps = (persons[:, None] - expected[None]).astype(np.float64)  # (N, T, J, 2)
    common = np.isfinite(steps).all(-1)
    count = np.maximum(common.sum(-1), 1)
    size = np.maximum(_sizes(persons)[:, None], _sizes(expected)[None])
    steps = np.where(common[..., None], steps / size[..., None, None], 0)
    mean = steps.sum(-2) / count[..., None]
    around = np.where(common[..., None], steps - mean[..., None, :], 0)
    ours, theirs = (_spread(points, common, count) for points in (persons[:, None], expected[None]))
    return Comparison(
        distance=np.where(common.any(-1), np.linalg.norm(steps, axis=-1).sum(-1) / count, np.inf),
        across=mean[..., 0],
        down=mean[..., 1],
        posture=np.linalg.norm(around, axis=-1).sum(-1) / count,
        growth=np.log(ours / theirs),
        lever=size / np.minimum(ours, theirs) / np.sqrt(count),
    )


def surprise(
    compared: Comparison, unseen_s: Array, known_s: Array, lost: Mask, tremble: Array, reach: Array
) -> Array:
    """(N, T) minus the logarithm of how likely each match is.

    unseen_s  (T,) seconds since each was seen
    known_s   (T,) seconds from when each was first seen to the last time
    lost      (T,) not in the image before
    tremble   (T,) posture from image to image, as ``TREMBLE``
    reach     (T,) distance, in sizes, within which somebody else may be meant as well

    Somebody long unseen could be anywhere, and so explains a person worse than one who was just
    there: whoever comes out from behind another does not take the other's id.
    """
    settled_s = np.minimum(unseen_s, _SETTLED_S)
    of_keypoints = tremble * compared.lever
    across = np.hypot(_ACROSS, _ACROSS_UNSEEN * unseen_s)
    down = np.hypot(_DOWN, _DOWN_UNSEEN * settled_s)
    posture = np.hypot(tremble, _POSTURE_UNSEEN * np.minimum(unseen_s, _STRIDE_S))
    growth = np.hypot(of_keypoints, _GROWTH_UNSEEN * settled_s)
    squared = (compared.across / across) ** 2 + (compared.down / down) ** 2
    squared += (compared.posture / posture) ** 2 + (compared.growth / growth) ** 2
    wider = np.minimum(across, _BEHIND) / _ACROSS * down / _DOWN * posture / TREMBLE
    wider = wider * growth / (TREMBLE * compared.lever)
    near, young = compared.distance <= reach, known_s < _YOUNG_S
    alone = near & (near.sum(1, keepdims=True) == 1)
    tail = _TAIL * np.log1p(squared / 2 / _TAIL)
    tailed = np.where(alone & ~lost, tail, squared / 2)
    tailed = np.where(alone & young, np.minimum(tail, _YOUNG), tailed)
    return np.asarray(tailed + np.log(wider) + _COMES_BACK * lost)


def assign(costs: Array, lost: Mask) -> Iterator[Match]:
    """The likeliest matches together, by surprise (N, T), infinite = not possible.

    lost  (T,) as above

    A person who would be more surprising as anybody known than as a stranger is in no match.
    """
    persons, known = costs.shape
    likely = costs < _STRANGER
    # A column of its own for each person: to be nobody of those known.
    strangers = np.full((persons, persons), _STRANGER)
    costs = np.hstack([np.where(likely, costs, _IMPOSSIBLE), strangers])
    rows, columns = linear_sum_assignment(costs)
    best = costs[rows, columns].sum()
    for row, column in zip(rows, columns, strict=True):
        if column >= known:
            continue
        if likely[row].sum() == likely[:, column].sum() == 1:
            yield Match(row, column, True, None)
            continue
        others = costs.copy()
        others[row, column] = _IMPOSSIBLE
        _, other_columns = linear_sum_assignment(others)
        margin = _MARGIN_LOST if lost[column] else _MARGIN
        certain = bool(others[rows, other_columns].sum() - best >= margin)
        other = other_columns[row]
        free = not certain and other < known and other not in columns
        yield Match(row, column, certain, other if free else None)


def _spread(points: FloatArray, common: Mask, count: NDArray[np.int64]) -> Array:
    """(N, T) root mean square distance from their middle of the keypoints in common, pixels."""
    used = np.where(common[..., None], points, 0).astype(np.float64)
    middle = used.sum(-2, keepdims=True) / count[..., None, None]
    squared = np.where(common, ((used - middle) ** 2).sum(-1), 0).sum(-1) / count
    # A pixel is added: a spread of nothing, of one keypoint alone, says nothing.
    return np.asarray(np.sqrt(squared) + 1)


def _sizes(pixels: FloatArray) -> FloatArray:
    """Diagonal (N,) of the box around the keypoints seen, pixels, at least one."""
    extent = np.nanmax(pixels, axis=1) - np.nanmin(pixels, axis=1)
    return np.asarray(np.maximum(np.linalg.norm(extent, axis=-1), 1), np.float32)
