"""Who is who from image to image, by the keypoints' positions alone."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from erd_ros.errors import InputError
from erd_ros.pose import FloatArray, Keypoints2D
from erd_ros.skeleton import Skeleton

# Standard deviation of a match, in sizes of the person: of one in view, and what each second
# unseen adds to it. They decide who is who among those that the gate admits.
_DEVIATION, _DEVIATION_UNSEEN = 0.05, 0.5
# Likewise of the logarithm of how much larger or smaller a person has become on the image.
_GROWTH, _GROWTH_UNSEEN = 0.3, 0.3
# Surprise, minus the logarithm of the likelihood, beyond which somebody is rather a stranger: more
# than five standard deviations. And one that no sum of others reaches.
_STRANGER, _IMPOSSIBLE = 16.0, 1e6
# Time constants, seconds: of a track's velocity, and of the slowing down of one that is not seen.
_VELOCITY_TIME_S, _SLOWING_S = 0.15, 0.5

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

# hri_rviz reads the last five characters of a frame as the id: one letter and four digits.
_LARGEST_ID = 9999


@dataclass(frozen=True)
class TrackerConfig:
    """How far and how long a person may go unseen and still be the same.

    timeout_s  seconds after which a person who is not seen is forgotten
    gate       mean keypoint distance, in sizes of the person on the image, between where a person
               is seen and where the track expects to see the person, up to which they may be one
    speed      sizes per second added to the gate for the time since the person was last seen
    """

    timeout_s: float = 1.0
    gate: float = 0.3
    speed: float = 1.0

    def __post_init__(self) -> None:
        for name in ("timeout_s", "gate", "speed"):
            value = getattr(self, name)
            if not 0 <= value < np.inf:
                raise InputError(f"tracker {name} is {value}, expected 0 or more")


@dataclass
class _Track:
    identity: str
    pixels: FloatArray  # (J, 2), as last seen
    seen_s: float
    velocity: FloatArray = field(default_factory=lambda: np.zeros(2, np.float32))  # (2,) pixels/s

    def expected(self, stamp_s: float) -> FloatArray:
        """(J, 2) keypoints where they would be now if the person went on, ever more slowly."""
        unseen_s = stamp_s - self.seen_s
        way = self.velocity * _SLOWING_S * (1 - np.exp(-unseen_s / _SLOWING_S))
        return np.asarray(self.pixels + way, np.float32)

    def see(self, pixels: FloatArray, stamp_s: float) -> None:
        """Take over what was seen of the person."""
        elapsed_s = stamp_s - self.seen_s
        steps = pixels - self.pixels
        common = np.isfinite(steps).all(-1)
        if elapsed_s > 0 and common.any():
            # The median: an arm that swings, a knee that is mistaken for the other, is no motion.
            measured = np.median(steps[common], axis=0) / elapsed_s
            weight = elapsed_s / (elapsed_s + _VELOCITY_TIME_S)
            self.velocity = np.asarray(
                self.velocity + weight * (measured - self.velocity), np.float32
            )
        self.pixels, self.seen_s = pixels, stamp_s


class Tracker:
    """Gives each person an id, b0001 and counting, that stays while the person is seen.

    Same keypoints and stamps, same ids. After b9999 come the ids that are free from b0001 on.
    """

    def __init__(self, config: TrackerConfig | None = None) -> None:
        self.config = config or TrackerConfig()
        self._tracks: list[_Track] = []
        self._skeleton: Skeleton | None = None
        self._stamp_s = -np.inf
        self._count = 0

    def update(self, keypoints: Keypoints2D, stamp_s: float) -> list[str]:
        """Ids of the N persons of one image; "" for a person without any keypoint.

        A stamp before the last one (a bag that starts again, a clock that was set) and another
        layout forget all persons: their ids are not given again until the count wraps.
        Raises InputError for a stamp that is not finite.
        """
        if not np.isfinite(stamp_s):
            raise InputError(f"stamp is {stamp_s} s, expected a finite number")
        if stamp_s < self._stamp_s or keypoints.skeleton != self._skeleton:
            self._tracks = []
        self._stamp_s, self._skeleton = stamp_s, keypoints.skeleton
        oldest = stamp_s - self.config.timeout_s
        self._tracks = [track for track in self._tracks if track.seen_s >= oldest]
        seen = np.flatnonzero((keypoints.confidence > 0).any(-1))
        matches = self._matches(keypoints.pixels[seen])
        identities = [""] * len(keypoints)
        for row, person in enumerate(seen):
            track = matches.get(row) or self._new_track(keypoints.pixels[person])
            track.see(keypoints.pixels[person], stamp_s)
            identities[person] = track.identity
        return identities

    def _matches(self, persons: FloatArray) -> dict[int, _Track]:
        """Tracks by index into ``persons`` (N, J, 2): likeliest together, none past its gate."""
        if not len(persons) or not self._tracks:
            return {}
        unseen_s = self._stamp_s - np.array([track.seen_s for track in self._tracks])
        expected = np.stack([track.expected(self._stamp_s) for track in self._tracks])
        distances, growths = _compare(persons, expected)
        allowed = distances <= self.config.gate + self.config.speed * unseen_s
        costs = np.where(allowed, _surprise(distances, growths, unseen_s), _IMPOSSIBLE)
        # A column of its own for each person: to be nobody of those known.
        strangers = np.full((len(persons), len(persons)), _STRANGER)
        rows, columns = linear_sum_assignment(np.hstack([costs, strangers]))
        return {
            int(row): self._tracks[column]
            for row, column in zip(rows, columns, strict=True)
            if column < len(self._tracks)
        }

    def _new_track(self, pixels: FloatArray) -> _Track:
        taken = {track.identity for track in self._tracks}
        while True:
            self._count = self._count % _LARGEST_ID + 1
            identity = f"b{self._count:04d}"
            if identity not in taken:
                break
        track = _Track(identity, pixels, self._stamp_s)
        self._tracks.append(track)
        return track


def _surprise(distances: Array, growths: Array, unseen_s: Array) -> Array:
    """(N, T) minus the logarithm of normal distributions of distance and growth, 0 at the best.

    A track long unseen could be anywhere, and so explains a person worse than one that was just
    there: whoever comes out from behind another does not take the other's id.
    """
    wider = 1 + _DEVIATION_UNSEEN / _DEVIATION * unseen_s
    distance = distances / (_DEVIATION * wider)
    growth = growths / (_GROWTH + _GROWTH_UNSEEN * unseen_s)
    return np.asarray((distance**2 + growth**2) / 2 + 2 * np.log(wider))


def _compare(persons: FloatArray, tracks: FloatArray) -> tuple[Array, Array]:
    """Each person (N, J, 2) with each track (T, J, 2), both (N, T), over their common keypoints.

    Mean distance in sizes of the larger, infinite without a common keypoint; and the logarithm of
    how much larger the one is than the other, which tells who is nearer to the camera.
    """
    steps = (persons[:, None] - tracks[None]).astype(np.float64)  # (N, T, J, 2)
    common = np.isfinite(steps).all(-1)
    count = np.maximum(common.sum(-1), 1)
    total = np.where(common, np.linalg.norm(steps, axis=-1), 0).sum(-1)
    mean = np.where(common.any(-1), total / count, np.inf)
    mean /= np.maximum(_sizes(persons)[:, None], _sizes(tracks)[None])
    spreads = [_spread(points, common, count) for points in (persons[:, None], tracks[None])]
    return mean, np.abs(np.log(spreads[0] / spreads[1]))


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
