"""Keypoint messages of other packages: hri_msgs, yolo_msgs, zed_msgs. Joints go by their names."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from erd_ros.errors import InputError
from erd_ros.pose import FloatArray, Keypoints2D
from erd_ros.ros.convert import ReceivedKeypoints, left_out
from erd_ros.ros.names import ids_of_everyone
from erd_ros.skeleton import COCO17, OPENPOSE18, Skeleton

Size = tuple[int, int]
# Of the fit of a focal length: keypoints that it takes, and fraction of the variance of the pixels
# that may stay, beyond which the points are in another frame.
_FEWEST_POINTS, _LARGEST_UNEXPLAINED = 6, 0.05
# Metres of its points, beyond what such a camera sees.
_NEAREST_M, _FARTHEST_M = 1e-3, 1e3


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
    Raises InputError for another number of keypoints than 18, and for scores above 1.
    """
    points = np.array([(point.x, point.y, point.c) for point in message.skeleton], np.float32)
    if len(points) != len(SKELETON2D):
        raise InputError(f"the Skeleton2D has {len(points)} keypoints, expected {len(SKELETON2D)}")
    if wrong := _score_above_1(points[:, 2]):
        raise InputError(f"the Skeleton2D has {wrong}")
    # (0, 0) is the corner of the image, where our pixels begin at -0.5.
    with np.errstate(over="ignore"):  # where no image is, a keypoint is missing
        pixels = points[:, :2] * np.array(size or (1, 1), np.float32) - 0.5
    # Of what a detector has not found it says (0, 0).
    pixels[(points[:, :2] == 0).all(-1)] = np.nan
    seen = points[:, 2] > 0
    persons = slice(0, int(seen.any()))
    keypoints = Keypoints2D(SKELETON2D, pixels[None][persons], points[None, :, 2][persons])
    return ReceivedKeypoints(keypoints)


def keypoints_from_yolo(message: Any, size: Size | None) -> ReceivedKeypoints:
    """The detections with keypoints of a yolo_msgs/DetectionArray, in COCO's layout.

    A person with a keypoint whose id is not one of COCO's, or a score above 1, is left out.
    Raises InputError where that is everybody.
    """
    persons = [detection for detection in message.detections if detection.keypoints.data]
    values = np.zeros((len(persons), len(COCO17), 3), np.float32)
    wrong = {}
    for row, detection in enumerate(persons):
        numbers = np.array([keypoint.id for keypoint in detection.keypoints.data])
        # They count from 1, and leave out those below their threshold.
        strange = numbers[(numbers < 1) | (numbers > len(COCO17))]
        if len(strange):
            wrong[row] = (
                f"detection {row} has a keypoint of id {strange[0]}, expected 1 to "
                f"{len(COCO17)}; run a pose model of COCO's 17 keypoints"
            )
            continue
        points = [(one.point.x, one.point.y, one.score) for one in detection.keypoints.data]
        with np.errstate(over="ignore"):  # what float32 cannot hold is outside any image
            values[row, numbers - 1] = points
        if too_high := _score_above_1(values[row, :, 2]):
            wrong[row] = f"detection {row} has {too_high}"
    return _received(COCO17, values, [detection.id for detection in persons], wrong)


def _score_above_1(scores: FloatArray) -> str:
    if not (scores > 1).any():
        return ""
    return f"score {np.nanmax(scores):g}, expected 0 to 1; scale the scores in their publisher"


def keypoints_from_zed(message: Any, size: Size | None) -> ReceivedKeypoints:
    """The persons of a zed_msgs/ObjectsStamped that have a skeleton.

    Its keypoints carry no score: those that are there have the object's confidence; where that is
    NaN, they count as not seen. Who has an unknown body format, or another than the first person
    with a known one, is left out.
    Raises InputError where that is everybody.
    """
    persons = [found for found in message.objects if found.skeleton_available]
    formats = [int(found.body_format) for found in persons]
    known = next((one for one in formats if one in ZED_LAYOUTS), 0)
    skeleton = ZED_LAYOUTS[known]
    values = np.zeros((len(persons), len(skeleton), 3), np.float32)
    wrong = {}
    for row, (found, body_format) in enumerate(zip(persons, formats, strict=True)):
        if body_format != known:
            wrong[row] = (
                f"body_format is {body_format}, expected one of "
                f"{', '.join(map(str, ZED_LAYOUTS))}, and the same for all persons"
            )
            continue
        points = [tuple(point.kp) for point in found.skeleton_2d.keypoints[: len(skeleton)]]
        values[row, :, :2] = points
        # Keypoints that were not seen are NaN, or negative in the SDK's own form.
        seen = np.isfinite(values[row, :, :2]).all(-1) & (values[row, :, :2] >= 0).all(-1)
        score = np.clip(np.nan_to_num(found.confidence / 100, nan=0), 0, 1)
        values[row, :, 2] = np.where(seen, score, 0)
    received = _received(skeleton, values, [str(found.label_id) for found in persons], wrong)
    rows = [row for row in range(len(persons)) if row not in wrong]
    points_3d = [
        [tuple(point.kp) for point in persons[row].skeleton_3d.keypoints[: len(skeleton)]]
        for row in rows
    ]
    return replace(received, focal_px=_focal_length(values[rows], points_3d))


def _focal_length(
    values: FloatArray, points: Sequence[Sequence[tuple[float, ...]]]
) -> float | None:
    """Pixels, by least squares; None where too few are known or they do not fit each other.

    values  (N, J, 3) columns, rows and scores
    points  (N, J, 3) the same keypoints in metres: x forward, y to the left, z up
    """
    forward, left, up = np.array(points, np.float64).reshape(*values.shape).transpose(2, 0, 1)
    # Written so that NaN is not known.
    near = (np.abs([forward, left, up]) < _FARTHEST_M).all(0) & (forward > _NEAREST_M)
    known = (values[..., 2] > 0) & near
    if known.sum() < _FEWEST_POINTS:
        return None
    rays = -np.stack([left[known], up[known]], -1) / forward[known][:, None]
    rays -= rays.mean(0)
    pixels = values[known, :2].astype(np.float64)
    pixels -= pixels.mean(0)
    spread, total = (rays**2).sum(), (pixels**2).sum()
    if not (spread > 0 and total > 0):
        return None
    focal_px = float((rays * pixels).sum() / spread)
    unexplained = ((pixels - focal_px * rays) ** 2).sum() / total
    return focal_px if focal_px > 0 and unexplained < _LARGEST_UNEXPLAINED else None


def _received(
    skeleton: Skeleton, values: FloatArray, ids: Sequence[str], wrong: Mapping[int, str]
) -> ReceivedKeypoints:
    """Columns, rows and scores (N, J, 3) of those who are not wrong; ids if they all differ."""
    remarks = left_out(wrong, len(values))
    kept = [index for index in range(len(values)) if index not in wrong]
    legal = ids_of_everyone(ids[index] for index in kept)
    distinct = legal is not None and len(set(legal)) == len(legal)
    keypoints = Keypoints2D(skeleton, values[kept, :, :2], values[kept, :, 2])
    return ReceivedKeypoints(keypoints, legal if distinct else None, remarks)
