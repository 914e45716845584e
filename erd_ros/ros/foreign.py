"""Keypoint messages of other packages: hri_msgs, yolo_msgs, zed_msgs. Joints go by their names."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from erd_ros.errors import InputError
from erd_ros.pose import FloatArray, Keypoints2D
from erd_ros.ros.convert import ReceivedKeypoints
from erd_ros.skeleton import COCO17, OPENPOSE18, Skeleton

Size = tuple[int, int]


def _layout(name: str, joint_names: Sequence[str]) -> Skeleton:
    return Skeleton(name, tuple(joint_names), (-1,) * len(joint_names))


# hri_msgs/Skeleton2D says that it follows OpenPose, but 14 to 17 are the other way round there:
# right eye, left eye, right ear, left ear.
SKELETON2D = _layout(
    "hri_skeleton2d",
    (*OPENPOSE18.joint_names[:14], "left_eye", "right_eye", "left_ear", "right_ear"),
)
_ZED34 = (
    "pelvis naval_spine chest_spine neck left_clavicle left_shoulder left_elbow left_wrist "
    "left_hand left_hand_tip left_hand_thumb right_clavicle right_shoulder right_elbow right_wrist "
    "right_hand right_hand_tip right_hand_thumb left_hip left_knee left_ankle left_foot right_hip "
    "right_knee right_ankle right_foot zed_head nose left_eye left_ear right_eye right_ear "
    "left_heel right_heel"
)
_ZED38 = (
    "pelvis spine_1 spine_2 spine_3 neck nose left_eye right_eye left_ear right_ear left_clavicle "
    "right_clavicle left_shoulder right_shoulder left_elbow right_elbow left_wrist right_wrist "
    "left_hip right_hip left_knee right_knee left_ankle right_ankle left_big_toe right_big_toe "
    "left_small_toe right_small_toe left_heel right_heel left_hand_thumb right_hand_thumb "
    "left_hand_index right_hand_index left_hand_middle right_hand_middle left_hand_pinky "
    "right_hand_pinky"
)
# By zed_msgs/Object's body_format.
ZED_LAYOUTS = {
    0: _layout("zed18", OPENPOSE18.joint_names),
    1: _layout("zed34", _ZED34.split()),
    2: _layout("zed38", _ZED38.split()),
}


def keypoints_from_skeleton2d(message: Any, size: Size | None) -> ReceivedKeypoints:
    """The one person of a hri_msgs/Skeleton2D; nobody when no keypoint was seen.

    size  (width, height) of the image that its coordinates are parts of; None: not known, and
          then they stay parts of it
    Raises InputError for another number of keypoints than 18.
    """
    points = np.array([(point.x, point.y, point.c) for point in message.skeleton], np.float32)
    if len(points) != len(SKELETON2D):
        raise InputError(f"the Skeleton2D has {len(points)} keypoints, expected {len(SKELETON2D)}")
    # (0, 0) is the corner of the image, where our pixels begin at -0.5.
    pixels = points[:, :2] * np.array(size or (1, 1), np.float32) - 0.5
    # Of what a detector has not found it says (0, 0).
    pixels[(points[:, :2] == 0).all(-1)] = np.nan
    seen = points[:, 2] > 0
    persons = slice(0, int(seen.any()))
    keypoints = Keypoints2D(SKELETON2D, pixels[None][persons], points[None, :, 2][persons])
    return ReceivedKeypoints(keypoints)


def keypoints_from_yolo(message: Any, size: Size | None) -> ReceivedKeypoints:
    """The detections with keypoints of a yolo_msgs/DetectionArray, in COCO's layout.

    Raises InputError for a keypoint whose id is not one of COCO's.
    """
    persons = [detection for detection in message.detections if detection.keypoints.data]
    values = np.zeros((len(persons), len(COCO17), 3), np.float32)
    for row, detection in enumerate(persons):
        for keypoint in detection.keypoints.data:
            # They count from 1, and leave out those below their threshold.
            if not 1 <= keypoint.id <= len(COCO17):
                raise InputError(
                    f"detection {row} has a keypoint of id {keypoint.id}, expected 1 to "
                    f"{len(COCO17)}; run a pose model of COCO's 17 keypoints"
                )
            values[row, keypoint.id - 1] = keypoint.point.x, keypoint.point.y, keypoint.score
    return _received(COCO17, values, [detection.id for detection in persons])


def keypoints_from_zed(message: Any, size: Size | None) -> ReceivedKeypoints:
    """The persons of a zed_msgs/ObjectsStamped that have a skeleton.

    Its keypoints carry no score: those that are there have the object's confidence.
    Raises InputError for an unknown body format, or more than one in a message.
    """
    persons = [found for found in message.objects if found.skeleton_available]
    formats = {int(found.body_format) for found in persons} or {0}
    if len(formats) > 1 or not formats <= ZED_LAYOUTS.keys():
        raise InputError(
            f"body_format is {', '.join(map(str, sorted(formats)))}, expected one of "
            f"{', '.join(map(str, ZED_LAYOUTS))}"
        )
    skeleton = ZED_LAYOUTS[formats.pop()]
    values = np.zeros((len(persons), len(skeleton), 3), np.float32)
    for row, found in enumerate(persons):
        points = [tuple(point.kp) for point in found.skeleton_2d.keypoints[: len(skeleton)]]
        values[row, :, :2] = points
        # Keypoints that were not seen are NaN, or negative in the SDK's own form.
        seen = np.isfinite(values[row, :, :2]).all(-1) & (values[row, :, :2] >= 0).all(-1)
        values[row, :, 2] = np.where(seen, np.clip(found.confidence / 100, 0, 1), 0)
    return _received(skeleton, values, [str(found.label_id) for found in persons])


def _received(skeleton: Skeleton, values: FloatArray, ids: Sequence[str]) -> ReceivedKeypoints:
    """Columns, rows and scores (N, J, 3); the ids if they tell everyone apart."""
    distinct = all(ids) and len(set(ids)) == len(ids)
    keypoints = Keypoints2D(skeleton, values[..., :2], values[..., 2])
    return ReceivedKeypoints(keypoints, list(ids) if distinct else None)
