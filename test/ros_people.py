"""Synthetic people, as messages and as the estimator sees them without a node."""

from array import array

import numpy as np
from erd_ros.msg import Keypoint2D, Person2D, Person2DArray
from sensor_msgs.msg import CameraInfo
from std_msgs.msg import Header
from tiny_onnx import write_tiny_onnx

from erd_ros.geometry.camera import Camera
from erd_ros.pose import Keypoints2D, Pose3D
from erd_ros.ros.scene import Scene
from erd_ros.runtime import DEFAULT_MODEL, load
from erd_ros.runtime.estimator import Estimator
from erd_ros.runtime.people import people_from_poses
from erd_ros.skeleton import H36M17
from erd_ros.synthetic import synthesise

FRAME_ID = "camera_optical_frame"
INTRINSICS = np.array([[620.0, 0, 322.5], [0, 615.0, 241.0], [0, 0, 1]])
CAMERAS = {
    "pinhole": Camera(640, 480, INTRINSICS),
    "plumb_bob": Camera(640, 480, INTRINSICS, (-0.28, 0.09, 1e-3, -5e-4, 0.0), "plumb_bob"),
    "equidistant": Camera(
        640, 480, INTRINSICS * [[0.5], [0.5], [1]] + [[0, 0, 160], [0, 0, 120], [0, 0, 0]],
        (0.02, -0.01, 0.004, -0.001), "equidistant",
    ),
}  # fmt: skip


def model_path(directory) -> str:
    """The model that ships, or one that stands in for it where none is in the checkout."""
    if DEFAULT_MODEL.is_file():
        return str(DEFAULT_MODEL)
    return str(write_tiny_onnx(directory / "tiny.onnx"))


def camera_info(camera: Camera = CAMERAS["pinhole"], **fields) -> CameraInfo:
    info = CameraInfo(
        width=camera.width,
        height=camera.height,
        k=camera.intrinsics.ravel().tolist(),
        d=list(camera.distortion),
        distortion_model=camera.distortion_model,
        p=np.column_stack([camera.intrinsics, np.zeros(3)]).ravel().tolist(),
    )
    info.header.frame_id = FRAME_ID
    for name, value in fields.items():
        setattr(info, name, value)
    return info


def seen_by(camera: Camera, frame: int = 0) -> Keypoints2D:
    """What this camera sees of the two synthetic adults."""
    pixels = camera.project(synthesise().truth_in_camera[frame])
    return Keypoints2D(H36M17, pixels, np.ones(pixels.shape[:2]))


def message_of(keypoints: Keypoints2D, stamp_s: float, ids: list[str] | None = None):
    message = Person2DArray(
        layout=keypoints.skeleton.name,
        persons=[
            Person2D(
                id=person_id,
                score=1.0,
                keypoints=[
                    Keypoint2D(x=x, y=y, score=score)
                    for (x, y), score in zip(pixels.tolist(), scores.tolist(), strict=True)
                ],
            )
            for person_id, pixels, scores in zip(
                ids or [""] * len(keypoints), keypoints.pixels, keypoints.confidence, strict=True
            )
        ],
    )
    message.header.frame_id = FRAME_ID
    message.header.stamp.sec = int(stamp_s)
    message.header.stamp.nanosec = round(stamp_s % 1 * 1e9)
    return message


def estimated(keypoints: Keypoints2D, camera: Camera, model: str):
    """What the estimator says of these keypoints in this process."""
    return Estimator(load(model)).estimate(keypoints, camera)


def joints_of(person) -> np.ndarray:
    """(J, 3) positions in a received Person3D."""
    return np.array([(j.position.x, j.position.y, j.position.z) for j in person.joints])


def seen_in(message) -> list:
    """The persons of a received Person3DArray that were seen in its image."""
    return [person for person in message.persons if person.unseen == 0]


def scene_of(poses: Pose3D, ids, frame_id: str = "camera", possible=None) -> Scene:
    """Poses just seen, as the pipeline hands them to the publishers."""
    header = Header(frame_id=frame_id)
    joints = len(poses.skeleton)
    nothing = Keypoints2D(poses.skeleton, np.zeros((0, joints, 2)), np.zeros((0, joints)))
    possible = np.ones(joints, bool) if possible is None else possible
    return Scene(header, header, people_from_poses(poses, ids), possible, nothing)


def contents(value):
    """A message as tuples, its numbers to the last bit (serialised, padding would differ)."""
    if isinstance(value, float):
        return value.hex()
    if isinstance(value, np.ndarray):
        return value.tobytes()
    if isinstance(value, (list, array)):
        return tuple(map(contents, value))
    if hasattr(value, "get_fields_and_field_types"):
        names = value.get_fields_and_field_types()
        return tuple(contents(getattr(value, name)) for name in names)
    return value
