"""The robot arm without ROS: real images in, metres out, with the model that ships."""

from itertools import pairwise

import cv2
import numpy as np
import pytest

from erd_ros.geometry.camera import Camera
from erd_ros.runtime import DEFAULT_MODEL, load
from erd_ros.runtime.detectors import make_detector
from erd_ros.runtime.estimator import Estimator
from erd_ros.runtime.tracker import Tracker

# The camera is not known; 60 degrees across 768 pixels are assumed, as in the demo.
FOCAL_PX = 384 / np.tan(np.radians(30))
CAMERA = Camera(768, 432, [[FOCAL_PX, 0, 383.5], [0, FOCAL_PX, 215.5], [0, 0, 1]])
STANDING_LINE = (
    "right_ankle",
    "right_knee",
    "right_hip",
    "spine",
    "thorax",
    "neck_nose",
    "head_top",
)


@pytest.fixture(scope="module", params=["mediapipe", "people"])
def standing(request, shared_media):
    """Poses (F, 17, 3), residuals (F,) and ids of a man who stands at a table for six seconds."""
    if request.param == "mediapipe":
        pytest.importorskip("mediapipe", reason="mediapipe is not installed")
    if not DEFAULT_MODEL.is_file():
        pytest.skip(f"{DEFAULT_MODEL} is not there")
    estimator, detector, tracker = (
        Estimator(load(DEFAULT_MODEL)),
        make_detector(request.param),
        Tracker(),
    )
    capture = cv2.VideoCapture(str(shared_media / "one_person_indoor.mp4"))
    seen = []
    for frame in range(330):
        image_bgr = capture.read()[1]
        if frame >= 270:
            keypoints = detector(cv2.cvtColor(image_bgr, cv2.COLOR_BGR2RGB), frame / 10)
            pose = estimator.estimate(keypoints, CAMERA)
            seen.append((pose, tracker.update(keypoints, frame / 10)))
    detector.close()
    capture.release()
    return seen[5:]  # the detector has settled


def joints(standing):
    return np.concatenate([pose.joints_in_camera for pose, _ in standing])


def lengths(positions, skeleton, parents_and_children):
    pairs = [(skeleton.index(a), skeleton.index(b)) for a, b in parents_and_children]
    return np.stack(
        [np.linalg.norm(positions[:, a] - positions[:, b], axis=-1) for a, b in pairs], -1
    )


def test_one_person_is_seen_in_every_frame_under_one_id(standing):
    assert all(ids == ["b0001"] for _, ids in standing)
    assert np.isfinite(joints(standing)).all()


def test_the_man_is_as_tall_as_a_man(standing):
    skeleton = standing[0][0].skeleton
    line = list(pairwise(STANDING_LINE))
    # Ankle to head top along the bones; ankles are some 0.08 m above the floor.
    heights = lengths(joints(standing), skeleton, line).sum(-1)
    assert 1.4 < np.median(heights) < 2.0
    assert np.ptp(heights) < 0.15


def test_he_stands_where_he_stands(standing):
    roots = np.concatenate([pose.root_in_camera for pose, _ in standing])
    assert 2 < np.median(roots[:, 2]) < 6
    assert (np.ptp(roots, axis=0) < (0.3, 0.3, 0.6)).all()


def test_his_bones_keep_their_length(standing):
    skeleton = standing[0][0].skeleton
    names = skeleton.joint_names
    bones = lengths(joints(standing), skeleton, [(names[a], names[b]) for a, b in skeleton.bones])
    assert np.median(bones.std(0) / bones.mean(0)) < 0.05


def test_the_skeleton_lies_on_the_image_of_the_man(standing):
    residuals = np.concatenate([pose.residual_px for pose, _ in standing])
    # He is 330 pixels tall.
    assert np.median(residuals) < 20
