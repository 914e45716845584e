"""Messages to arrays and back. Pixels, metres and seconds on both sides: units do not change."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import Point
from numpy.typing import NDArray
from sensor_msgs.msg import CameraInfo
from std_msgs.msg import Header

from erd_ros.errors import InputError
from erd_ros.geometry.camera import Camera
from erd_ros.msg import Joint3D, Person2DArray, Person3D, Person3DArray
from erd_ros.pose import FloatArray, Keypoints2D, Pose3D
from erd_ros.skeleton import SKELETONS, Skeleton, conversion_matrix, skeleton_by_name

Mask = NDArray[np.bool_]


def seconds_from_stamp(stamp: Time) -> float:
    """A stamp in seconds."""
    return float(stamp.sec) + 1e-9 * float(stamp.nanosec)


def camera_from_info(info: CameraInfo, rectified: bool = False) -> Camera:
    """The camera that took the image beside this CameraInfo, binning and ROI applied (REP-104).

    rectified  the image is rectified: P[:3, :3] and no distortion, instead of K and D
    Raises InputError when the camera is not calibrated or its distortion model is unknown.
    """
    intrinsics = (
        np.array(info.p, np.float64).reshape(3, 4)[:, :3]
        if rectified
        else np.array(info.k, np.float64).reshape(3, 3)
    )
    roi = info.roi
    whole = roi.width == 0 or roi.height == 0
    width, height = (info.width, info.height) if whole else (roi.width, roi.height)
    offset = np.zeros(2) if whole else np.array([roi.x_offset, roi.y_offset])
    binning = np.maximum([info.binning_x, info.binning_y], 1)
    intrinsics[[0, 1], [0, 1]] /= binning
    # Pixel centres are whole numbers: pixel 0 after binning by 2 lies at 0.5 of the pixels before.
    intrinsics[:2, 2] = (intrinsics[:2, 2] - offset + 0.5) / binning - 0.5
    return Camera(
        width=width // int(binning[0]),
        height=height // int(binning[1]),
        intrinsics=intrinsics,
        distortion=() if rectified else tuple(info.d),
        distortion_model="" if rectified else info.distortion_model,
    )


class CameraReader:
    """Turns CameraInfo messages into a Camera, anew only when what it says has changed."""

    def __init__(self, rectified: bool) -> None:
        self._rectified = rectified
        self._said: tuple[object, ...] | None = None
        self._camera: Camera | None = None

    def read(self, info: CameraInfo) -> Camera:
        """The camera of this message. Raises InputError as ``camera_from_info`` does."""
        roi = info.roi
        said = (
            *(info.width, info.height, info.binning_x, info.binning_y, info.distortion_model),
            *(roi.x_offset, roi.y_offset, roi.width, roi.height),
            *(tuple(info.d), info.k.tobytes(), info.p.tobytes()),
        )
        if self._camera is None or said != self._said:
            self._camera = None
            self._camera = camera_from_info(info, self._rectified)
            self._said = said
        return self._camera


def check_image_size(width: int, height: int, camera: Camera) -> None:
    """Raises InputError that names both sizes when the image is not the camera's."""
    if (width, height) != (camera.width, camera.height):
        raise InputError(
            f"the image is {width}x{height}, but its CameraInfo describes "
            f"{camera.width}x{camera.height}; publish the CameraInfo of this resolution "
            "(image_proc's resize node scales both)"
        )


@dataclass(frozen=True)
class ReceivedKeypoints:
    """Keypoints of one image, ready to be lifted.

    ids      as the sender gave them; None when it gave none, or not to everyone
    ignored  how many keypoints have a score, but a position that cannot be used
    remark   what is wrong with the first of them, and the way out; empty when there are none
    """

    keypoints: Keypoints2D
    ids: list[str] | None = None
    ignored: int = 0
    remark: str = ""


def keypoints_from_message(
    message: Person2DArray, camera: Camera, image_margin: float
) -> ReceivedKeypoints:
    """The persons of a message. Positions that cannot be used are remarked on.

    image_margin  fraction of the longer side of the image, see EstimatorConfig, by which a
                  keypoint may lie outside; farther out, or NaN, it counts as not seen
    Raises InputError when the layout is unknown, a person has another number of keypoints than
    it, a score lies outside 0..1, or two persons have the same id.
    """
    skeleton = skeleton_from_message(message)
    values = _keypoint_values(message, skeleton)
    pixels, confidence = values[..., :2], values[..., 2]
    _check_scores(message, skeleton, confidence)
    size = np.array([camera.width, camera.height])
    margin = 0.5 + image_margin * size.max()
    inside = ((pixels >= -margin) & (pixels <= size - 1 + margin)).all(-1)
    bad = ~inside & (confidence > 0)
    remark = _remark(message, skeleton, values, bad, camera) if bad.any() else ""
    keypoints = Keypoints2D(skeleton, pixels, confidence)
    return ReceivedKeypoints(keypoints, _ids(message), int(bad.sum()), remark)


def skeleton_from_message(message: Person2DArray) -> Skeleton:
    """The layout of a message: its own joint names if it has any, else the layout it names.

    Raises InputError for an unknown layout, and for names of which none is known here.
    """
    if message.joint_names:
        return _own_skeleton(message.layout, tuple(message.joint_names))
    return skeleton_by_name(message.layout)


@lru_cache
def _own_skeleton(layout: str, joint_names: tuple[str, ...]) -> Skeleton:
    known = sorted({name for skeleton in SKELETONS.values() for name in skeleton.joint_names})
    if not set(known) & set(joint_names):
        raise InputError(
            f"none of the joint names {', '.join(joint_names)} is known; "
            f"known are {', '.join(known)}"
        )
    return Skeleton(layout or "unnamed", joint_names, (-1,) * len(joint_names))


def _keypoint_values(message: Person2DArray, skeleton: Skeleton) -> FloatArray:
    """(N, J, 3): column, row, score."""
    for index, person in enumerate(message.persons):
        if len(person.keypoints) != len(skeleton):
            raise InputError(
                f"{_name(message, index)} has {len(person.keypoints)} keypoints, but layout "
                f"'{skeleton.name}' has {len(skeleton)}; name the layout you publish, send score "
                "0 for keypoints that were not seen, or describe your layout in joint_names"
            )
    rows = [
        (keypoint.x, keypoint.y, keypoint.score)
        for person in message.persons
        for keypoint in person.keypoints
    ]
    return np.array(rows, np.float32).reshape(len(message.persons), len(skeleton), 3)


def _check_scores(message: Person2DArray, skeleton: Skeleton, confidence: FloatArray) -> None:
    wrong = np.argwhere((confidence < 0) | (confidence > 1))
    if len(wrong):
        person, joint = wrong[0]
        raise InputError(
            f"{_name(message, person)}: {skeleton.joint_names[joint]} has score "
            f"{confidence[person, joint]:g}, expected 0 to 1; scale the scores in their publisher"
        )


def _remark(
    message: Person2DArray,
    skeleton: Skeleton,
    values: FloatArray,
    bad: Mask,
    camera: Camera,
) -> str:
    person, joint = np.argwhere(bad)[0]
    column, row, score = values[person, joint]
    return (
        f"{bad.sum()} keypoints are taken as missing: {_name(message, person)} has "
        f"{skeleton.joint_names[joint]} at ({column:g}, {row:g}) with score {score:g}, outside "
        f"the image of {camera.width}x{camera.height}; send score 0 for what was not seen, and "
        "pixels of the image that the CameraInfo describes"
    )


def _name(message: Person2DArray, index: int) -> str:
    return f"person {index} '{message.persons[index].id}'"


def _ids(message: Person2DArray) -> list[str] | None:
    ids = [person.id for person in message.persons]
    if not all(ids):
        return None
    for index, person_id in enumerate(ids):
        if person_id in ids[:index]:
            raise InputError(
                f"persons {ids.index(person_id)} and {index} have the same id '{person_id}'; "
                "send ids that differ, or empty ones to have them tracked here"
            )
    return ids


@dataclass(frozen=True)
class People:
    """The persons of one image, ready to be published.

    header    of the input, untouched
    ids       one per person
    poses     in the frame of the header
    possible  (J,) bool, joints that the detector's layout can give
    """

    header: Header
    ids: list[str]
    poses: Pose3D
    possible: Mask


def possible_joints(source: Skeleton, target: Skeleton) -> Mask:
    """(J,) joints of ``target`` that keypoints in the layout ``source`` can give."""
    return np.asarray(conversion_matrix(source, target).any(axis=1))


class PeopleWriter:
    """Writes People into one Person3DArray, which it keeps: making new messages costs the most.

    The message that ``write`` returns is valid until the next call.
    """

    def __init__(self, skeleton: Skeleton, backend: str) -> None:
        self._message = Person3DArray(
            layout=skeleton.name,
            joint_names=list(skeleton.joint_names),
            parents=list(skeleton.parents),
            backend=backend,
        )
        self._joints = len(skeleton)
        self._persons: list[Person3D] = []

    def write(self, people: People) -> Person3DArray:
        """The message, all but latency and age, which are known when it is published."""
        while len(self._persons) < len(people.ids):
            self._persons.append(_empty_person(self._joints))
        for index, person in enumerate(self._persons[: len(people.ids)]):
            _fill_person(person, people, index)
        self._message.header = people.header
        self._message.persons = self._persons[: len(people.ids)]
        return self._message


def _empty_person(joints: int) -> Person3D:
    unknown = np.full(6, np.nan, np.float32)
    return Person3D(
        root_covariance=unknown,
        joints=[Joint3D(covariance=unknown, position=Point()) for _ in range(joints)],
    )


def _fill_person(person: Person3D, people: People, index: int) -> None:
    poses = people.poses
    confidence = poses.confidence[index]
    seen = confidence > 0
    person.id = people.ids[index]
    person.state = _state(poses.root_in_camera[index], seen, people.possible)
    person.score = float(confidence[seen].mean()) if seen.any() else 0.0
    person.residual = float(poses.residual_px[index])
    root = person.root
    root.x, root.y, root.z = poses.root_in_camera[index].tolist()
    positions = poses.joints_in_camera[index]
    states = np.where(seen, Joint3D.OBSERVED, Joint3D.INFERRED)
    states[~np.isfinite(positions).all(-1)] = Joint3D.MISSING
    for joint, (x, y, z), score, state in zip(
        person.joints, positions.tolist(), confidence.tolist(), states.tolist(), strict=True
    ):
        position = joint.position
        position.x, position.y, position.z = x, y, z
        joint.score = score
        joint.state = state


def _state(
    root: FloatArray,
    seen: Mask,
    possible: Mask,
) -> int:
    if not np.isfinite(root).all():
        return int(Person3D.NO_ROOT)
    return int(Person3D.FULL if seen[possible].all() else Person3D.PARTIAL_BODY)
