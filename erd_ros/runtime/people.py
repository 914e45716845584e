"""Persons from image to image: smoothed while they are seen, predicted for a while, then ended."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from erd_ros.errors import InputError
from erd_ros.pose import Pose3D
from erd_ros.runtime.plausible import DISTANCE_M
from erd_ros.runtime.smoothing import Array, OneEuro, SmoothingConfig
from erd_ros.runtime.uncertainty import covariances
from erd_ros.skeleton import Skeleton

# A predicted person slows down with this time constant: nobody walks on in a straight line for
# long, and a velocity that was measured badly does not carry a person through the wall.
_SLOWING_S = 0.5
# Metres per second by which somebody may change the velocity unseen, one standard deviation.
_UNKNOWN_VELOCITY = 0.5


def way_s(seconds: float) -> float:
    """How far somebody comes in this time, in seconds at the velocity of its beginning."""
    return _SLOWING_S * (1 - math.exp(-seconds / _SLOWING_S))


@dataclass(frozen=True)
class PeopleConfig:
    """prediction_timeout_s  seconds for which a person who is not seen is predicted; then ended."""

    prediction_timeout_s: float = 1.0
    smoothing: SmoothingConfig = field(default_factory=SmoothingConfig)

    def __post_init__(self) -> None:
        if not 0 <= self.prediction_timeout_s < math.inf:
            raise InputError(
                f"prediction_timeout_s is {self.prediction_timeout_s}, expected 0 or more"
            )


@dataclass(frozen=True, eq=False)
class People:
    """N persons at one moment, all in one frame; metres, metres per second.

    ids          one per person; "" for a person of whom no keypoint was seen
    joints       (N, J, 3), absolute; NaN for a person whose place is not known
    root         (N, 3), NaN likewise
    covariance   (N, 3, 3) of root, square metres; NaN where the model does not estimate it
    of_joints    (N, J, 3, 3) covariances of joints likewise; NaN where they were not measured
    velocity     (N, 3) of root; NaN for a person whose place is not known
    confidence   (N, J) 0..1 of the keypoint behind each joint; 0 = not seen
    residual_px  (N,) root mean square reprojection error, pixels; NaN = not known
    size         (N, 2) from ankle to head top along the body, and its standard deviation; NaN
                 where the model does not say
    cues         (N,) sum of the constants CUE_ of Person3D.msg that size and root were found with
    unseen_s     (N,) seconds since each was last seen; 0 = in this image, NaN = stamps went back
    ended        (N,) not seen for too long: said once, then forgotten
    """

    skeleton: Skeleton
    ids: Sequence[str]
    joints: Array
    root: Array
    covariance: Array
    of_joints: Array
    velocity: Array
    confidence: Array
    residual_px: Array
    size: Array
    cues: NDArray[np.int64]
    unseen_s: Array
    ended: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def placed(self) -> NDArray[np.bool_]:
        """(N,) whose place is known."""
        return np.asarray(np.isfinite(self.root).all(-1))


_UNKNOWN_WHEN_ENDED = (
    "joints", "root", "covariance", "of_joints", "velocity", "residual_px", "size",
)  # fmt: skip
_ARRAYS = tuple(row.name for row in fields(People) if row.name not in ("skeleton", "ids"))


def people_from_poses(poses: Pose3D, ids: Sequence[str], cues: Sequence[int] = ()) -> People:
    """Persons just seen, in the camera optical frame, their velocity not known yet.

    ids, cues  one per person, see ``People``; no cues: none were used
    """
    persons = len(poses)
    root = poses.root_in_camera.astype(np.float64)
    covariance, of_joints = _covariances(poses, root)
    return People(
        skeleton=poses.skeleton,
        ids=list(ids),
        joints=poses.joints_in_camera.astype(np.float64),
        root=root,
        covariance=covariance,
        of_joints=of_joints,
        velocity=np.full((persons, 3), np.nan),
        confidence=poses.confidence.astype(np.float64),
        residual_px=poses.residual_px.astype(np.float64),
        size=np.full((persons, 2), np.nan)
        if poses.size is None
        else poses.size[:, :2].astype(float),
        cues=np.array(list(cues) or [0] * persons, np.int64),
        unseen_s=np.zeros(persons),
        ended=np.zeros(persons, np.bool_),
    )


def _covariances(poses: Pose3D, root: Array) -> tuple[Array, Array]:
    """Of roots (N, 3, 3) and of joints (N, J, 3, 3), in the camera."""
    persons, joints = len(poses), len(poses.skeleton)
    direction, _ = _polar(root)
    if poses.deviations is not None:
        of_joints = covariances(direction[:, None], poses.deviations.astype(np.float64))
        return of_joints[:, 0], of_joints
    # Along the ray is all that the model says of the root.
    sigma = np.full(persons, np.nan) if poses.sigma is None else poses.sigma.astype(np.float64)
    deviations = np.stack([np.where(np.isnan(sigma), np.nan, 0), sigma], -1)
    return covariances(direction, deviations), np.full((persons, joints, 3, 3), np.nan)


def moved(people: People, rotation: Array, translation: Array) -> People:
    """The same persons in another frame, where a point p is R p + t.

    rotation, translation  (3, 3) and (3,), metres
    """
    return replace(
        people,
        joints=people.joints @ rotation.T + translation,
        root=people.root @ rotation.T + translation,
        velocity=people.velocity @ rotation.T,
        covariance=rotation @ people.covariance @ rotation.T,
        of_joints=rotation @ people.of_joints @ rotation.T,
    )


def joined(like: People, parts: Sequence[People]) -> People:
    """The persons of all parts; nobody, in the layout of ``like``, when there is none."""
    arrays: dict[str, Any] = {
        name: np.concatenate([getattr(like, name)[:0], *(getattr(part, name) for part in parts)])
        for name in _ARRAYS
    }
    return replace(like, ids=[name for part in parts for name in part.ids], **arrays)


def _row(people: People, row: int) -> People:
    """One of the persons."""
    arrays: dict[str, Any] = {name: getattr(people, name)[row : row + 1] for name in _ARRAYS}
    return replace(people, ids=[people.ids[row]], **arrays)


class PeopleFilter:
    """Knows everyone who was seen of late. Same input, same output."""

    def __init__(self, config: PeopleConfig | None = None) -> None:
        self.config = config or PeopleConfig()
        self._persons: dict[str, _Person] = {}
        self._stamp_s = -math.inf
        self._origin: Array = np.zeros(3)

    def update(self, seen: People, origin: Array, stamp_s: float) -> People:
        """Those seen, in their order and smoothed, then those lost, by id.

        seen     of one image, in a frame that does not move, or in the camera's
        origin   (3,) place of the camera in that frame
        stamp_s  of the image; when it goes back everyone known is ended
        """
        before = self._persons
        self._persons = {} if stamp_s < self._stamp_s else dict(before)
        self._stamp_s, self._origin = stamp_s, np.asarray(origin, np.float64)
        now = [self._see(_row(seen, row)) for row in range(len(seen))]
        lost = [self._lose(name, before[name]) for name in sorted(before.keys() - set(seen.ids))]
        return joined(seen, [*now, *lost])

    def _see(self, said: People) -> People:
        (name,) = said.ids
        if not name:
            return said
        person = self._persons.get(name)
        if person is None or not person.placed:
            person = self._persons[name] = _Person(said, self._origin, self._stamp_s)
        else:
            person.see(said, self._origin, self._stamp_s, self.config.smoothing)
        return person.smoothed(self._origin) if said.placed[0] else said

    def _lose(self, name: str, person: "_Person") -> People:
        unseen_s = self._stamp_s - person.seen_s
        if name not in self._persons or unseen_s > self.config.prediction_timeout_s:
            self._persons.pop(name, None)
            return _ended(person.said, unseen_s if unseen_s >= 0 else math.nan)
        if person.placed:
            return person.predicted(self._origin, unseen_s)
        return replace(person.said, unseen_s=np.full(1, unseen_s))


class _Person:
    """One person's filters: distance and direction from the camera, and the pose, each its own.

    The distance is by far the worst known. Smoothed with the rest, its noise would pass for motion
    and open the filter of everything.
    """

    def __init__(self, said: People, origin: Array, stamp_s: float) -> None:
        self.said = said
        self.seen_s = self._placed_s = stamp_s
        self.placed = bool(said.placed[0])
        if self.placed:
            direction, distance = _polar(said.root - origin)
            self._direction, self._distance = OneEuro(direction), OneEuro(distance)
            self._root, self._pose = OneEuro(said.root), OneEuro(said.joints[0] - said.root)

    def see(self, said: People, origin: Array, stamp_s: float, config: SmoothingConfig) -> None:
        """Take what a later image says; ``origin`` (3,) is the camera's place at its time."""
        self.seen_s = stamp_s
        elapsed_s = stamp_s - self._placed_s
        if not said.placed[0] or elapsed_s <= 0:
            return
        self.said, self._placed_s = said, stamp_s
        direction, distance = _polar(said.root - origin)
        # Of a direction the offset is an angle.
        of_angles = replace(config, offset_m=config.offset_m / float(distance[0, 0]))
        self._direction.update(direction, elapsed_s, of_angles)
        self._distance.update(distance, elapsed_s, config)
        self._root.update(said.root, elapsed_s, config)
        self._pose.update(said.joints[0] - said.root, elapsed_s, config)

    def smoothed(self, origin: Array) -> People:
        """As it was last seen, smoothed."""
        direction, _ = _polar(self._direction.position)
        root = origin + direction * self._distance.position
        joints = (root + self._pose.position)[None]
        return replace(self.said, root=root, joints=joints, velocity=self._root.velocity)

    def predicted(self, origin: Array, unseen_s: float) -> People:
        """Moved on with the velocity that it had, more slowly from moment to moment.

        Nowhere once that leads to where nobody can be seen.
        """
        last = self.smoothed(origin)
        step = last.velocity * way_s(unseen_s)
        spread = (_UNKNOWN_VELOCITY * unseen_s) ** 2 * np.eye(3)
        _, ((distance,),) = _polar(last.root + step - origin)
        if not DISTANCE_M[0] <= distance <= DISTANCE_M[1]:
            unknown = _ended(last, unseen_s)
            return replace(unknown, cues=last.cues, ended=np.zeros(1, np.bool_))
        return replace(
            last,
            root=last.root + step,
            joints=last.joints + step,
            velocity=last.velocity * math.exp(-unseen_s / _SLOWING_S),
            covariance=last.covariance + spread,
            of_joints=last.of_joints + spread,
            confidence=np.zeros_like(last.confidence),
            residual_px=np.full(1, np.nan),
            unseen_s=np.full(1, unseen_s),
        )


def _ended(said: People, unseen_s: float) -> People:
    unknown: dict[str, Any] = {
        name: np.full_like(getattr(said, name), np.nan) for name in _UNKNOWN_WHEN_ENDED
    }
    return replace(
        said,
        **unknown,
        confidence=np.zeros_like(said.confidence),
        cues=np.zeros(1, np.int64),
        unseen_s=np.full(1, unseen_s),
        ended=np.ones(1, np.bool_),
    )


def _polar(vectors: Array) -> tuple[Array, Array]:
    """(N, 3) to directions (N, 3) of length 1 and lengths (N, 1)."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return vectors / np.maximum(lengths, 1e-9), lengths
