"""Who is who from image to image, by the keypoints' positions alone."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from erd_ros.errors import InputError
from erd_ros.pose import FloatArray, Keypoints2D
from erd_ros.skeleton import Skeleton

# hri_rviz reads the last five characters of a frame as the id: one letter and four digits.
_LARGEST_ID = 9999


@dataclass(frozen=True)
class TrackerConfig:
    """How far and how long a person may go unseen and still be the same.

    timeout_s  seconds after which a person who is not seen is forgotten
    gate       mean keypoint distance, in sizes of the person on the image, up to which two
               observations may be the same person
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
            track.pixels = keypoints.pixels[person]
            track.seen_s = stamp_s
            identities[person] = track.identity
        return identities

    def _matches(self, persons: FloatArray) -> dict[int, _Track]:
        """Tracks by index into ``persons`` (N, J, 2), least total distance, none past its gate."""
        if not len(persons) or not self._tracks:
            return {}
        unseen_s = self._stamp_s - np.array([track.seen_s for track in self._tracks])
        distances = _distances(persons, np.stack([track.pixels for track in self._tracks]))
        allowed = distances <= self.config.gate + self.config.speed * unseen_s
        # More than all that are allowed together: never taken in the place of one of them.
        forbidden = 1 + distances[allowed].sum()
        rows, columns = linear_sum_assignment(np.where(allowed, distances, forbidden))
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
