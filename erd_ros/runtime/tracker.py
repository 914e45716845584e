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
# Time constants, seconds: of a track's velocity, and of the slowing down of one that is not seen.
_VELOCITY_TIME_S, _SLOWING_S = 0.15, 0.5

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
        distances = _distances(persons, expected)
        allowed = distances <= self.config.gate + self.config.speed * unseen_s
        costs = _surprise(distances, unseen_s)
        # More than all that are allowed together: never taken in the place of one of them.
        forbidden = 1 + costs[allowed].sum()
        rows, columns = linear_sum_assignment(np.where(allowed, costs, forbidden))
        return {
            int(row): self._tracks[column]
            for row, column in zip(rows, columns, strict=True)
            if allowed[row, column]
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


def _surprise(distances: NDArray[np.float64], unseen_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N, T) minus the logarithm of a normal distribution in the image, 0 for the best match.

    A track long unseen could be anywhere, and so explains a person worse than one that was just
    there: whoever comes out from behind another does not take the other's id.
    """
    deviations = 1 + _DEVIATION_UNSEEN / _DEVIATION * unseen_s
    return np.asarray(
        (distances / (_DEVIATION * deviations)) ** 2 / 2 + 2 * np.log(deviations), np.float64
    )


def _distances(persons: FloatArray, tracks: FloatArray) -> NDArray[np.float64]:
    """(N, T) mean distance over common keypoints, in sizes of the larger; infinite for none."""
    distances = np.linalg.norm(persons[:, None] - tracks[None], axis=-1)  # (N, T, J)
    common = np.isfinite(distances)
    total = np.where(common, distances, 0).sum(-1, dtype=np.float64)
    mean = np.full(total.shape, np.inf)
    np.divide(total, common.sum(-1), out=mean, where=common.any(-1))
    mean /= np.maximum(_sizes(persons)[:, None], _sizes(tracks)[None])
    return mean


def _sizes(pixels: FloatArray) -> FloatArray:
    """Diagonal (N,) of the box around the keypoints seen, pixels, at least one."""
    extent = np.nanmax(pixels, axis=1) - np.nanmin(pixels, axis=1)
    return np.asarray(np.maximum(np.linalg.norm(extent, axis=-1), 1), np.float32)
