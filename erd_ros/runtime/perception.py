"""The perception loop: keypoints of image after image in, people with ids out. No ROS."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from erd_ros.cues import Cues
from erd_ros.errors import InputError
from erd_ros.geometry.camera import Camera
from erd_ros.pose import Keypoints2D, Pose3D
from erd_ros.runtime import Backend
from erd_ros.runtime.carried_size import SizesByPerson
from erd_ros.runtime.depths import estimate_with_depths
from erd_ros.runtime.estimator import Estimator, EstimatorConfig
from erd_ros.runtime.heights import Heights
from erd_ros.runtime.people import People, PeopleConfig, PeopleFilter, moved, people_from_poses
from erd_ros.runtime.plausible import seen_keypoints, surest
from erd_ros.runtime.tracker import Tracker, TrackerConfig
from erd_ros.skeleton import Skeleton

# Called with a cause to count and the words that say what was wrong; the image is used.
Remark = Callable[[str, str], None]
# Rotation (3, 3) and translation (3,) in metres of the camera in the frame of the output.
CameraPlace = tuple[NDArray[np.float64], NDArray[np.float64]]
_HERE: CameraPlace = (np.eye(3), np.zeros(3))


def _warn(cause: str, words: str) -> None:
    warnings.warn(f"{cause}: {words}", stacklevel=4)


@dataclass(frozen=True)
class PerceptionConfig:
    """The configurations of the parts.

    max_persons        persons of one image that are used, the surest
    person_height_m    how tall everybody is; 0 = not known
    person_height_std  metres, of that and of heights given for single persons
    """

    estimator: EstimatorConfig = field(default_factory=EstimatorConfig)
    tracker: TrackerConfig = field(default_factory=TrackerConfig)
    people: PeopleConfig = field(default_factory=PeopleConfig)
    max_persons: int = 100
    person_height_m: float = 0.0
    person_height_std: float = 0.03

    def __post_init__(self) -> None:
        if self.max_persons < 1:
            raise InputError(f"max_persons is {self.max_persons}, expected 1 or more")


@dataclass(frozen=True)
class Used:
    """What counts as seen of the keypoints of one image.

    persons  (M,) rows of the keypoints as they were given
    """

    keypoints: Keypoints2D
    persons: Sequence[int]


class Perception:
    """Everyone before one camera: ids, poses, sizes and smoothing. Same input, same output."""

    def __init__(
        self,
        backend: Backend,
        config: PerceptionConfig | None = None,
        remark: Remark = _warn,
        name_ids: Callable[[Sequence[str]], list[str]] = list,
    ) -> None:
        """``name_ids`` changes the tracker's ids, to make them unique among several cameras."""
        self._tracker, self._filter = Tracker(), PeopleFilter()
        self._estimator = Estimator(backend)
        self._sizes, self._heights = SizesByPerson(), Heights()
        self._remark, self._name_ids = remark, name_ids
        self.configure(config or PerceptionConfig())

    def configure(self, config: PerceptionConfig) -> None:
        """Go on with other values."""
        self.config = config
        self._tracker.config, self._filter.config = config.tracker, config.people
        self._estimator.config = config.estimator

    @property
    def skeleton(self) -> Skeleton:
        """Layout of the people that come out."""
        return self._estimator.skeleton

    @property
    def takes_cues(self) -> bool:
        """Whether the model uses what is known besides keypoints."""
        return self._estimator.backend.takes_cues

    def warm_up(self, skeleton: Skeleton | None = None) -> None:
        """Estimate somebody: the first image is not late, a layout of no use is known now."""
        skeleton = skeleton or self.skeleton
        camera = Camera(640, 480, np.array([[500.0, 0, 320], [0, 500, 240], [0, 0, 1]]))
        pixels = np.linspace((300, 100), (340, 400), len(skeleton), dtype=np.float32)
        confidence = np.ones((1, len(skeleton)), np.float32)
        self._estimator.estimate(Keypoints2D(skeleton, pixels[None], confidence), camera)

    def set_height(self, person_id: str, height_m: float) -> None:
        """How tall one person is; 0 = not known any more. From any thread.

        Raises InputError for who is not there, a height that nobody has, and a model without cues.
        """
        if not self.takes_cues:
            raise InputError("a height has no effect: the model takes no cues")
        self._heights.tell(person_id, height_m)

    def used(self, keypoints: Keypoints2D, size: tuple[int, int] | None) -> Used:
        """Without keypoints that nobody saw, and without the persons who are too many.

        size  (width, height) of the image in pixels; None = not known
        """
        seen = seen_keypoints(keypoints, size, self.config.estimator.image_margin)
        most, persons = self.config.max_persons, len(keypoints)
        if persons <= most:
            return Used(seen, range(persons))
        self._remark(
            "too many persons",
            f"{persons} persons in one image: the surest {most} are used, {persons - most} are "
            "left out; raise max_persons if they are real",
        )
        kept = [int(row) for row in surest(seen, most)]
        return Used(seen.of(kept), kept)

    def update(
        self,
        keypoints: Keypoints2D,
        camera: Camera | None,
        stamp_s: float,
        *,
        ids: Sequence[str] | None = None,
        cues: Sequence[Cues] | None = None,
        camera_in_output: CameraPlace = _HERE,
    ) -> People:
        """The people of one image, then those lost for a while; see ``PeopleFilter.update``.

        keypoints         of N persons, pixels
        camera            None = not calibrated: people have ids, but no place
        stamp_s           seconds; when it goes back everyone is somebody new
        ids               one per person; None = they are tracked here
        cues              what is known of each person besides, for a model that takes them
        camera_in_output  place of the camera in a frame that does not move; by default people
                          stand in the camera's optical frame
        Raises InputError when model, keypoints, ids and cues do not go together.
        """
        used = self.used(keypoints, (camera.width, camera.height) if camera else None)
        return self.update_used(
            used.keypoints,
            camera,
            stamp_s,
            ids=None if ids is None else [ids[person] for person in used.persons],
            cues=None if cues is None else [cues[person] for person in used.persons],
            camera_in_output=camera_in_output,
        )

    def update_used(
        self,
        keypoints: Keypoints2D,
        camera: Camera | None,
        stamp_s: float,
        *,
        ids: Sequence[str] | None = None,
        cues: Sequence[Cues] | None = None,
        camera_in_output: CameraPlace = _HERE,
    ) -> People:
        """``update`` with what ``used`` gave, for who needs that for something else too."""
        if ids is None:
            ids = self._name_ids(self._tracker.update(keypoints, stamp_s))
        poses, found_with = self._estimate(keypoints, camera, ids, cues)
        seen = moved(people_from_poses(poses, ids, found_with), *camera_in_output)
        people = self._filter.update(seen, camera_in_output[1], stamp_s)
        self._forget_ended(people)
        return people

    def _estimate(
        self,
        keypoints: Keypoints2D,
        camera: Camera | None,
        ids: Sequence[str],
        cues: Sequence[Cues] | None,
    ) -> tuple[Pose3D, list[int]]:
        """Poses in the camera frame, and which cues each was found with."""
        if camera is None:
            return Pose3D.unplaced(keypoints, self.skeleton), []
        if not self.takes_cues:
            return self._estimator.estimate(keypoints, camera, cues), []
        known = cues or [Cues()] * len(keypoints)
        poses, told, refused = estimate_with_depths(
            lambda keypoints, cues: self._estimator.estimate(keypoints, camera, cues),
            keypoints,
            self._sizes.told(
                ids, [self._with_height(*one) for one in zip(ids, known, strict=True)]
            ),
        )
        for words in refused:
            self._remark("depth refused", words)
        assert poses.size is not None  # models that take cues give it
        self._sizes.learn(ids, poses.size)
        return poses, [cue.used for cue in told]

    def _with_height(self, person_id: str, cues: Cues) -> Cues:
        height_m = self._heights.of(person_id, self.config.person_height_m)
        return cues.with_height(height_m, self.config.person_height_std) if height_m > 0 else cues

    def _forget_ended(self, people: People) -> None:
        ended = {people.ids[row] for row in np.flatnonzero(people.ended)}
        self._sizes.forget(sorted(ended))
        self._heights.keep({name for name in people.ids if name} - ended)
