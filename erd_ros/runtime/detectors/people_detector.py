"""Everybody in a stream of images: a finder that looks now and then, a network for each person.

The finder (``multipose``) is slow whoever is there, a landmark network is quick and sees one person
better. So each person is followed by a region of their own, and the finder looks when somebody may
have come, gone or been mixed up. It is also the witness of which side is left.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from erd_ros.errors import BackendError, InputError
from erd_ros.pose import FloatArray, Keypoints2D
from erd_ros.runtime.detectors import check_image
from erd_ros.runtime.detectors.landmarks import LandmarkNetwork, Landmarks, landmark_network
from erd_ros.runtime.detectors.multipose import MultiPose, MultiPoseConfig
from erd_ros.runtime.detectors.oks import similarity
from erd_ros.runtime.detectors.regions import Region
from erd_ros.runtime.detectors.schedule import Schedule, ScheduleConfig
from erd_ros.runtime.detectors.sides import exchanged, jumped
from erd_ros.runtime.detectors.steady import first_region, glided
from erd_ros.skeleton import COCO17, Skeleton


@dataclass(frozen=True)
class PeopleConfig:
    """What is looked for, and how often.

    finder        how the finder looks
    schedule      when the finder looks
    landmarks     name of the landmark network: a key of ``landmarks.NETWORKS``
    min_presence  0..1, of a person in a region, below which they are lost
    same          0..1, OKS above which two found in different ways are one person
    most_misses   looks of the finder in which a person may go unfound before they are dropped
    most          people at most
    """

    finder: MultiPoseConfig = field(default_factory=MultiPoseConfig)
    schedule: ScheduleConfig = field(default_factory=ScheduleConfig)
    landmarks: str = "blazepose_heavy"
    min_presence: float = 0.5
    same: float = 0.3
    most_misses: int = 3
    most: int = 16

    def __post_init__(self) -> None:
        for name in ("min_presence", "same"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"{name} is {getattr(self, name)}, expected 0 to 1")
        if self.most < 1:
            raise InputError(f"most is {self.most}, expected 1 or more")
        if self.most_misses < 0:
            raise InputError(f"most_misses is {self.most_misses}, expected 0 or more")


@dataclass
class _Person:
    """Somebody who is followed, as the last image showed them."""

    region: Region
    seen: Landmarks
    before: FloatArray  # keypoints of the image before, sides as the network gave them
    exchanged: bool = False
    turned: bool = False  # sides have changed since the finder looked
    misses: int = 0

    def keypoints(self, skeleton: Skeleton) -> FloatArray:
        """(J, 3), sides put right."""
        order = list(skeleton.flip) if self.exchanged else slice(None)
        return np.asarray(self.seen.keypoints[order], np.float32)


class PeopleDetector:
    """See ``erd_ros.runtime.detectors.Detector``; people keep no number, a tracker gives one.

    looks  how often the finder has looked
    Raises as ``Graph`` does, and InputError for a network's name that is unknown.
    """

    def __init__(self, config: PeopleConfig | None = None) -> None:
        self.config = config or PeopleConfig()
        self._network: LandmarkNetwork | None = landmark_network(self.config.landmarks)
        self._finder = MultiPose(self.config.finder)
        self._schedule = Schedule(self.config.schedule)
        self._people: list[_Person] = []
        self.skeleton = self._network.skeleton
        self._coco = [self.skeleton.index(name) for name in COCO17.joint_names]
        self.looks = 0

    def __call__(self, image_rgb: NDArray[np.uint8], stamp_s: float | None = None) -> Keypoints2D:
        """Keypoints of N persons in an image (H, W, 3) uint8, red first.

        stamp_s  seconds, of the image; without, images are taken to be 1/30 s apart
        """
        check_image(image_rgb)
        if self._network is None:
            raise BackendError("the people detector is closed; make another")
        due = self._schedule.due(stamp_s)
        lost = self._follow(image_rgb, self._network)
        if due or lost or (self._in_doubt() and self._schedule.may_look_early()):
            self._look(image_rgb, self._network)
            self._schedule.looked()
        values = np.array([person.keypoints(self.skeleton) for person in self._people], np.float32)
        values = values.reshape(-1, len(self.skeleton), 3)
        return Keypoints2D(self.skeleton, values[..., :2], values[..., 2])

    def close(self) -> None:
        """Forget everybody and free the networks."""
        self._network, self._people = None, []

    def _follow(self, image_rgb: NDArray[np.uint8], network: LandmarkNetwork) -> bool:
        """See everybody again where they were; whether somebody was lost."""
        count = len(self._people)
        for person in self._people:
            person.before = person.seen.keypoints
            person.seen = network(image_rgb, person.region)
            person.region = self._next_region(person)
            # Nobody turns round between two images; the finder has the last word.
            if jumped(person.seen.keypoints, person.before, self.skeleton):
                person.exchanged, person.turned = not person.exchanged, True
        self._people = [one for one in self._people if one.seen.presence >= self._least]
        return len(self._people) < count

    @property
    def _least(self) -> float:
        return self.config.min_presence

    def _next_region(self, person: _Person) -> Region:
        wanted = person.seen.follows or first_region(person.seen.keypoints[self._coco])
        return person.region if wanted is None else glided(person.region, wanted)

    def _in_doubt(self) -> bool:
        """Whether people are close to each other, or sides have changed from image to image."""
        like = self._likeness([one.seen.keypoints for one in self._people])
        close = (like[~np.eye(len(like), dtype=bool)] >= self.config.same).any()
        return bool(close) or any(one.turned for one in self._people)

    def _likeness(
        self, keypoints: list[FloatArray], others: FloatArray | None = None
    ) -> FloatArray:
        """OKS of keypoints of this detector's layout, with each other or with COCO's (M, 17, 3)."""
        ours = np.array(keypoints, np.float32).reshape(-1, len(self.skeleton), 3)[:, self._coco]
        return similarity(ours, ours if others is None else others)

    def _look(self, image_rgb: NDArray[np.uint8], network: LandmarkNetwork) -> None:
        """Let the finder look: take up who came, drop who went, put sides right."""
        self.looks += 1
        found = self._finder(image_rgb).keypoints
        pairs = self._paired(found)
        for index, person in enumerate(self._people):
            person.misses = 0 if index in pairs else person.misses + 1
            person.turned = False
            if index in pairs:
                said = exchanged(person.seen.keypoints, self.skeleton, found[pairs[index]], COCO17)
                person.exchanged = person.exchanged if said is None else said
        self._people = [one for one in self._people if one.misses <= self.config.most_misses]
        taken = set(pairs.values())
        for index, keypoints in enumerate(found):
            if index not in taken and len(self._people) < self.config.most:
                self._take_up(image_rgb, network, keypoints)
        self._drop_doubles()

    def _paired(self, found: FloatArray) -> dict[int, int]:
        """Index of who is followed -> index of who is found, the most alike over all."""
        like = self._likeness([one.keypoints(self.skeleton) for one in self._people], found)
        crossed = [one.seen.keypoints[list(self.skeleton.flip)] for one in self._people]
        as_seen = [one.seen.keypoints for one in self._people]
        # Sides may be exchanged in either; it is the same person all the same.
        like = np.maximum(like, self._likeness(crossed, found))
        like = np.maximum(like, self._likeness(as_seen, found))
        rows, columns = linear_sum_assignment(-like)
        return {
            int(row): int(column)
            for row, column in zip(rows, columns, strict=True)
            if like[row, column] >= self.config.same
        }

    def _take_up(
        self, image_rgb: NDArray[np.uint8], network: LandmarkNetwork, keypoints: FloatArray
    ) -> None:
        """Follow somebody whom the finder found and nobody follows, if the network agrees."""
        region = first_region(keypoints)
        if region is None:
            return
        seen = network(image_rgb, region)
        if seen.presence < self._least:
            return
        person = _Person(region, seen, seen.keypoints)
        said = exchanged(seen.keypoints, self.skeleton, keypoints, COCO17)
        person.exchanged = bool(said)
        person.region = self._next_region(person)
        self._people.append(person)

    def _drop_doubles(self) -> None:
        """Of two who follow the same body, keep the one of the better standing."""
        self._people.sort(key=lambda one: one.misses)
        kept: list[_Person] = []
        for person in self._people:
            others = [one.keypoints(self.skeleton) for one in kept]
            like = self._likeness([*others, person.keypoints(self.skeleton)])[-1, :-1]
            if not (like >= _DOUBLE).any():
                kept.append(person)
        self._people = kept


_DOUBLE = 0.6  # OKS of two whom one body was taken for
