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


def compare(persons: FloatArray, expected: FloatArray, gate: Array) -> Comparison:
    """Each of ``persons`` (N, J, 2) with each of ``expected`` (T, J, 2), pixels, NaN = missing.

    gate  (T,) in sizes; pairs whose boxes lie farther apart have an infinite distance, and what
          else is said of them means nothing
    """
    shape = len(persons), len(expected)
    size = np.maximum(_sizes(persons)[:, None], _sizes(expected)[None]).astype(np.float64)
    rows, columns = np.nonzero(_gaps(persons, expected) <= gate * size)
    pairs = _compare_pairs(
        _by_keypoint(persons)[..., rows], _by_keypoint(expected)[..., columns], size[rows, columns]
    )
    full = Comparison(*(np.zeros(shape) for _ in Comparison._fields))
    full = full._replace(distance=np.full(shape, np.inf), lever=np.ones(shape))
    for matrix, values in zip(full, pairs, strict=True):
        matrix[rows, columns] = values
    return full


def _compare_pairs(ours: Array, theirs: Array, size: Array) -> Comparison:
    """Of P pairs (2, J, P), each of this ``size`` (P,); all that is said (P,)."""
    across, down = (ours - theirs) / size
    common = np.isfinite(across + down)
    count = np.maximum(common.sum(0), 1)
    across, down = (np.where(common, steps, 0) for steps in (across, down))
    mean_across, mean_down = across.sum(0) / count, down.sum(0) / count
    distance = np.sqrt(across**2 + down**2).sum(0) / count
    around = np.sqrt((across - mean_across) ** 2 + (down - mean_down) ** 2)
    our_spread, their_spread = (_spread(points, common, count) for points in (ours, theirs))
    return Comparison(
        distance=np.where(common.any(0), distance, np.inf),
        across=mean_across,
        down=mean_down,
        posture=np.where(common, around, 0).sum(0) / count,
        growth=np.log(our_spread / their_spread),
        lever=size / np.minimum(our_spread, their_spread) / np.sqrt(count),
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
    open_costs = np.hstack([np.where(likely, costs, _IMPOSSIBLE), strangers])
    rows, columns = linear_sum_assignment(open_costs)
    matched = columns < known
    alone = (likely.sum(1)[rows] == 1) & (likely.sum(0)[np.where(matched, columns, 0)] == 1)
    if not (matched & ~alone).any():
        yield from (Match(rows[i], columns[i], True, None) for i in np.flatnonzero(matched))
        return
    others = _Others(np.where(likely, costs, np.inf), rows[matched], columns[matched])
    for place, index in enumerate(np.flatnonzero(matched)):
        row, column = rows[index], columns[index]
        if alone[index]:
            yield Match(row, column, True, None)
            continue
        certain = bool(others.dearer[place] >= (_MARGIN_LOST if lost[column] else _MARGIN))
        rival = None if certain else others.rival(place)
        yield Match(row, column, certain, rival)


class _Others:
    """What the best answers without one match each cost more than the best with it.

    Who gives up a column takes that of somebody else, who takes another one, until a column is
    taken that nobody had or the one given up: a way around. The nodes are the M matches, and last
    whatever nobody has; the shortest ways between all of them are Floyd and Warshall's.

    dearer  (M,) by how much
    """

    def __init__(self, costs: Array, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> None:
        """``costs`` (N, T), infinite = not possible; matches ``rows``, ``columns`` (M,)."""
        free = np.ones(costs.shape[1], bool)
        free[columns] = False
        nobody = np.ones(len(costs), bool)
        nobody[rows] = False
        had = costs[rows, columns]
        steps = np.full((len(rows) + 1, len(rows) + 1), np.inf)
        steps[:-1, :-1] = costs[np.ix_(rows, columns)] - had[:, None]
        self._free, self._of_free = np.flatnonzero(free), costs[np.ix_(rows, free)]
        cheapest = self._of_free.min(1, initial=np.inf)
        steps[:-1, -1] = np.minimum(cheapest, _STRANGER) - had
        # A column may stay free, or go to somebody who had none.
        entering = costs[np.ix_(nobody, columns)].min(0, initial=np.inf) - _STRANGER
        steps[-1, :-1] = np.minimum(entering, 0)
        np.fill_diagonal(steps, np.inf)
        self._around = steps + _shortest(steps).T
        self._cheapest = cheapest
        self.dearer = self._around.min(1)[:-1]

    def rival(self, match: int) -> int | None:
        """The column that nobody has which this match's person would take, if it is one."""
        takes_free = self._around[match].argmin() == len(self._around) - 1
        if not takes_free or self._cheapest[match] >= _STRANGER:
            return None
        return int(self._free[self._of_free[match].argmin()])


def _shortest(steps: Array) -> Array:
    """Lengths (M, M) of the shortest ways between M nodes (Floyd and Warshall)."""
    length = steps.copy()
    through = np.empty_like(length)
    for node in range(len(length)):
        np.add(length[:, node, None], length[node], out=through)
        np.minimum(length, through, out=length)
    return length


def _by_keypoint(points: FloatArray) -> Array:
    """(N, J, 2) to (2, J, N): numpy goes through all persons at a stretch."""
    return np.ascontiguousarray(points.transpose(2, 1, 0), np.float64)


def _spread(points: Array, common: Mask, count: NDArray[np.int64]) -> Array:
    """(P,) root mean square distance from their middle of the keypoints in common, pixels.

    points  (2, J, P) with ``common`` (J, P) and their ``count`` (P,)
    """
    x, y = (np.where(common, one, 0.0) for one in points)
    x, y = x - x.sum(0) / count, y - y.sum(0) / count
    squared = np.where(common, x * x + y * y, 0).sum(0) / count
    # A pixel is added: a spread of nothing, of one keypoint alone, says nothing.
    return np.asarray(np.sqrt(squared) + 1)


def _gaps(persons: FloatArray, expected: FloatArray) -> Array:
    """(N, T) pixels from box to box along the axis on which they lie farther apart; 0 = neither.

    No keypoint of the one is nearer to one of the other.
    """
    low, high = np.nanmin(persons, axis=1)[:, None], np.nanmax(persons, axis=1)[:, None]
    other_low, other_high = np.nanmin(expected, axis=1), np.nanmax(expected, axis=1)
    return np.asarray(np.maximum(low - other_high, other_low - high).max(-1), np.float64).clip(0)


def _sizes(pixels: FloatArray) -> FloatArray:
    """Diagonal (N,) of the box around the keypoints seen, pixels, at least one."""
    extent = np.nanmax(pixels, axis=1) - np.nanmin(pixels, axis=1)
    return np.asarray(np.maximum(np.linalg.norm(extent, axis=-1), 1), np.float32)
