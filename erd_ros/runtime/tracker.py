"""Who is who from image to image, by the keypoints' positions alone."""

from dataclasses import dataclass, field
from itertools import count

import numpy as np

from erd_ros.errors import InputError
from erd_ros.pose import FloatArray, Keypoints2D
from erd_ros.runtime.association import TREMBLE, Array, Comparison, Mask, assign, compare, surprise
from erd_ros.skeleton import Skeleton

# Seconds for which somebody whose id has ended is remembered: who comes out from behind another
# may be that one, and must not be given the id of a third who vanished there.
_MEMORY_S = 10.0
# Somebody unseen for longer who comes out from behind another may as well be a third.
_HIDDEN_S = 0.8
# For so long the distance grows within which somebody lost might be meant; who was lost for longer
# could be anywhere.
_REACH_S = 0.5
# Time constants, seconds: of a track's velocity, of the slowing down of one that is not seen, and
# of what its keypoints' tremble is taken from.
_VELOCITY_TIME_S, _SLOWING_S, _TREMBLE_TIME_S = 0.15, 0.5, 1.0

# So many of those lost are remembered, the last seen first: keypoints that are somebody else in
# each image, as noise is, would fill the memory with thousands.
_MOST_REMEMBERED = 200

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
    tremble_squared: float  # of the posture from image to image, in sizes
    velocity: FloatArray = field(default_factory=lambda: np.zeros(2, np.float32))  # (2,) pixels/s
    known_s: float = 0.0  # seconds from when the person was first seen until ``seen_s``
    ended: bool = False  # the id is not given again; who had it may still be there

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
        self.pixels, self.seen_s, self.known_s = pixels, stamp_s, self.known_s + elapsed_s

    def learn(self, posture: float, elapsed_s: float) -> None:
        """Take over how much the posture differed from what was expected, in sizes."""
        weight = elapsed_s / (elapsed_s + _TREMBLE_TIME_S)
        self.tremble_squared += weight * (posture**2 - self.tremble_squared)


class Tracker:
    """Gives each person an id, b0001 and counting, that stays while the person is seen.

    A person who may be one or another of those lost is given a new id rather than a wrong one.
    Same keypoints and stamps, same ids. After b9999 come the ids that are free from b0001 on, and
    b10000 and counting where none is.
    """

    def __init__(self, config: TrackerConfig | None = None) -> None:
        self.config = config or TrackerConfig()
        self._tracks: list[_Track] = []
        self._skeleton: Skeleton | None = None
        self._stamp_s = self._stamp_before_s = -np.inf
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
        self._stamp_before_s, self._stamp_s = self._stamp_s, stamp_s
        self._skeleton = keypoints.skeleton
        self._let_time_pass()
        seen = np.flatnonzero((keypoints.confidence > 0).any(-1))
        matches = self._matches(keypoints.pixels[seen])
        identities = [""] * len(keypoints)
        taken = {track.identity for track in self._tracks}
        for row, person in enumerate(seen):
            track = matches.get(row) or self._new_track(keypoints.pixels[person], taken)
            track.see(keypoints.pixels[person], stamp_s)
            identities[person] = track.identity
        return identities

    def _let_time_pass(self) -> None:
        """End and forget those who were not seen for too long, or who are too many."""
        memory_s = max(self.config.timeout_s, _MEMORY_S)
        self._tracks = [t for t in self._tracks if self._stamp_s - t.seen_s <= memory_s]
        lost = [t for t in self._tracks if t.seen_s < self._stamp_before_s]
        if len(lost) > _MOST_REMEMBERED:
            lost.sort(key=lambda track: track.seen_s)
            forgotten = {track.identity for track in lost[:-_MOST_REMEMBERED]}
            self._tracks = [t for t in self._tracks if t.identity not in forgotten]
        for track in self._tracks:
            track.ended |= self._stamp_s - track.seen_s > self.config.timeout_s

    def _matches(self, persons: FloatArray) -> dict[int, _Track]:
        """Tracks by index into ``persons`` (N, J, 2): likeliest together, none past its gate."""
        if not len(persons) or not self._tracks:
            return {}
        unseen_s = self._stamp_s - np.array([track.seen_s for track in self._tracks])
        gate = self.config.gate + self.config.speed * unseen_s
        expected = np.stack([track.expected(self._stamp_s) for track in self._tracks])
        compared = compare(persons, expected, gate)
        found: dict[int, _Track] = {}
        told: set[int] = set()
        lost = unseen_s > self._stamp_s - self._stamp_before_s
        costs = np.where(compared.distance <= gate, self._costs(compared, unseen_s, lost), np.inf)
        behind = ((compared.distance <= self.config.gate) & ~lost).any(1)
        long_lost = lost & (unseen_s > _HIDDEN_S)
        for match in list(assign(costs, lost)):
            track = self._tracks[match.column]
            if behind[match.row] and long_lost[match.column]:
                match = match._replace(certain=False)
            if match.rival is not None:
                self._tracks[match.rival].ended = True
            if match.certain and not track.ended:
                found[match.row] = track
                posture = float(compared.posture[match.row, match.column])
                track.learn(posture, float(unseen_s[match.column]))
            elif match.certain or not track.ended:
                # Who had this id has another one from now on.
                told.add(match.column)
        self._tracks = [track for i, track in enumerate(self._tracks) if i not in told]
        return found

    def _costs(self, compared: Comparison, unseen_s: Array, lost: Mask) -> Array:
        """(N, T) surprise of each match."""
        tremble = np.sqrt([track.tremble_squared for track in self._tracks])
        known_s = np.array([track.known_s for track in self._tracks])
        reach = self.config.gate + self.config.speed * np.minimum(unseen_s, _REACH_S)
        return surprise(compared, unseen_s, known_s, lost, tremble, reach)

    def _new_track(self, pixels: FloatArray, taken: set[str]) -> _Track:
        """``taken`` are the ids of all tracks; the new one is added."""
        identity = self._free_id(taken)
        taken.add(identity)
        # The same detector sees them all.
        known = [track.tremble_squared for track in self._tracks] or [TREMBLE**2]
        track = _Track(identity, pixels, self._stamp_s, float(np.median(known)))
        self._tracks.append(track)
        return track

    def _free_id(self, taken: set[str]) -> str:
        for _ in range(_LARGEST_ID):
            self._count = self._count % _LARGEST_ID + 1
            identity = f"b{self._count:04d}"
            if identity not in taken:
                return identity
        beyond = (f"b{number}" for number in count(_LARGEST_ID + 1))
        return next(identity for identity in beyond if identity not in taken)
