"""People to Person3DArray. Metres on both sides."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from geometry_msgs.msg import Point
from numpy.typing import NDArray

from erd_ros.msg import Joint3D, Person3D, Person3DArray
from erd_ros.ros.scene import Mask, Scene
from erd_ros.runtime.people import People, way_s
from erd_ros.runtime.plausible import DISTANCE_M
from erd_ros.skeleton import Skeleton

# Metres per second by which somebody may walk otherwise than the velocity says, one standard
# deviation.
_UNKNOWN_VELOCITY = 0.5
# Nobody is moved on by more: no image takes so long, but clocks of two hosts differ by seconds.
_LARGEST_AHEAD_S = 1.0
# Rows and columns of a symmetric matrix in the order of the messages: xx, xy, xz, yy, yz, zz.
_UPPER = (..., *np.triu_indices(3))


class PeopleWriter:
    """Writes people into one Person3DArray, which it keeps: making new messages costs the most.

    The message that ``write`` returns is valid until the next call.
    """

    def __init__(self, skeleton: Skeleton, backend: str) -> None:
        self._message = empty_array(skeleton, backend)
        self._joints = len(skeleton)
        self._persons: list[Person3D] = []

    def write(self, scene: Scene, ahead_s: float = 0.0) -> Person3DArray:
        """The message, all but latency and age, which are known when it is published.

        ahead_s  seconds after the stamp to which persons are moved on
        """
        people = moved_on(scene.people, ahead_s, scene.origin) if ahead_s else scene.people
        while len(self._persons) < len(people):
            self._persons.append(_empty_person(self._joints))
        for index, person in enumerate(self._persons[: len(people)]):
            _fill_person(person, people, index, scene.possible)
        self._message.header = scene.header
        self._message.state = scene.state
        self._message.prediction = ahead_s
        self._message.persons = self._persons[: len(people)]
        return self._message


def ahead_s(age_s: float) -> float:
    """By how much to move people on, seconds; 0 where stamp and clock disagree.

    age_s  of the image when it is published; NaN = not known
    """
    return age_s if age_s <= _LARGEST_AHEAD_S else 0.0


def moved_on(
    people: People, seconds: float, origin: Sequence[float] | NDArray[np.float64] = (0.0, 0.0, 0.0)
) -> People:
    """The same persons after this time, each ever more slowly, and less surely.

    origin  of the camera in the frame of the people, metres
    Who has no velocity yet stays, and so does who would come to stand in the camera or behind it.
    """
    step = np.nan_to_num(people.velocity) * way_s(seconds)
    before = people.root - origin
    after = before + step
    with np.errstate(invalid="ignore"):
        in_front = (before * after).sum(-1) > 0
        far_enough = np.linalg.norm(after, axis=-1) >= DISTANCE_M[0]
    step[~(in_front & far_enough)] = 0
    spread = (_UNKNOWN_VELOCITY * seconds) ** 2 * np.eye(3)
    return replace(
        people,
        root=people.root + step,
        joints=people.joints + step[:, None],
        covariance=people.covariance + spread,
        of_joints=people.of_joints + spread,
    )


def empty_array(skeleton: Skeleton, backend: str) -> Person3DArray:
    """A message without persons."""
    return Person3DArray(
        layout=skeleton.name,
        joint_names=list(skeleton.joint_names),
        parents=list(skeleton.parents),
        backend=backend,
    )


def _empty_person(joints: int) -> Person3D:
    unknown = np.full(6, np.nan, np.float32)
    return Person3D(
        joints=[Joint3D(covariance=unknown, position=Point()) for _ in range(joints)],
    )


def _fill_person(person: Person3D, people: People, index: int, possible: Mask) -> None:
    confidence = people.confidence[index]
    seen = confidence > 0
    person.id = people.ids[index]
    person.state = person_state(people, index, possible)
    person.score = float(confidence[seen].mean()) if seen.any() else 0.0
    person.unseen = float(people.unseen_s[index])
    person.residual = float(people.residual_px[index])
    person.cues = int(people.cues[index])
    person.size, person.size_deviation = people.size[index].tolist()
    person.root.x, person.root.y, person.root.z = people.root[index].tolist()
    person.root_covariance = people.covariance[index][_UPPER].astype(np.float32)
    velocity = person.velocity
    velocity.x, velocity.y, velocity.z = people.velocity[index].tolist()
    covariances = people.of_joints[index][_UPPER].astype(np.float32)
    _fill_joints(person.joints, people.joints[index], confidence, covariances)


def _fill_joints(
    joints: list[Joint3D],
    positions: NDArray[np.float64],
    confidence: NDArray[np.float64],
    covariances: NDArray[np.float32],
) -> None:
    states = np.where(confidence > 0, Joint3D.OBSERVED, Joint3D.INFERRED)
    states[~np.isfinite(positions).all(-1)] = Joint3D.MISSING
    for joint, (x, y, z), score, state, covariance in zip(
        joints, positions.tolist(), confidence.tolist(), states.tolist(), covariances, strict=True
    ):
        position = joint.position
        position.x, position.y, position.z = x, y, z
        joint.score = score
        joint.state = state
        joint.covariance = covariance


def person_state(people: People, index: int, possible: Mask) -> int:
    """A constant of Person3D."""
    if people.ended[index]:
        return int(Person3D.ENDED)
    if not people.placed[index]:
        return int(Person3D.NO_ROOT)
    seen = people.confidence[index] > 0
    # Not by unseen_s, which is 0 where two images have one stamp.
    if not seen.any():
        return int(Person3D.PREDICTED)
    whole = seen[possible].all()
    return int(Person3D.FULL if whole else Person3D.PARTIAL_BODY)
