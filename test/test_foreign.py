"""Keypoints of other packages' messages: by joint name, with each package's own habits."""

from types import SimpleNamespace

import numpy as np
import pytest

from erd_ros.errors import InputError
from erd_ros.geometry.camera import Camera
from erd_ros.ros.cameras import check_focal_length, scaled
from erd_ros.ros.foreign import (
    SKELETON2D,
    ZED_LAYOUTS,
    keypoints_from_skeleton2d,
    keypoints_from_yolo,
    keypoints_from_zed,
)
from erd_ros.skeleton import COCO17, H36M17, OPENPOSE18
from erd_ros.synthetic import synthesise

NAN = float("nan")


def test_skeleton2d_has_eyes_and_ears_as_its_definition_says():
    messages = pytest.importorskip("hri_msgs.msg", reason="hri_msgs comes with ROS")
    for index, name in enumerate(SKELETON2D.joint_names):
        assert getattr(messages.Skeleton2D, name.upper()) == index
    swapped = [
        index
        for index, name in enumerate(SKELETON2D.joint_names)
        if OPENPOSE18.joint_names[index] != name
    ]
    assert swapped == [14, 15, 16, 17]


def test_skeleton2d_becomes_pixels():
    messages = pytest.importorskip("hri_msgs.msg", reason="hri_msgs comes with ROS")
    message = messages.Skeleton2D()
    message.skeleton[messages.Skeleton2D.LEFT_EAR].x = 0.25
    message.skeleton[messages.Skeleton2D.LEFT_EAR].y = 0.5
    message.skeleton[messages.Skeleton2D.LEFT_EAR].c = 0.75
    found = keypoints_from_skeleton2d(message, (640, 480)).keypoints.to_layout(COCO17)
    ear = COCO17.index("left_ear")
    np.testing.assert_allclose(found.pixels[0, ear], (159.5, 239.5))
    assert np.flatnonzero(found.confidence[0]).tolist() == [ear]
    assert found.confidence[0, ear] == 0.75
    assert len(keypoints_from_skeleton2d(messages.Skeleton2D(), (640, 480)).keypoints) == 0


def detection(*keypoints, track=""):
    """Keypoints are (id, x, y, score)."""
    data = [
        SimpleNamespace(id=number, point=SimpleNamespace(x=x, y=y), score=score)
        for number, x, y, score in keypoints
    ]
    return SimpleNamespace(id=track, keypoints=SimpleNamespace(data=data))


def test_yolo_counts_from_one_and_leaves_out_what_it_did_not_see():
    car = detection()
    person = detection((1, 10.0, 20.0, 0.9), (17, 30.0, 40.0, 0.5), track="7")
    found = keypoints_from_yolo(SimpleNamespace(detections=[car, person]), None)
    assert found.ids == ["n0007"]
    assert found.keypoints.skeleton == COCO17
    assert np.flatnonzero(found.keypoints.confidence[0]).tolist() == [0, 16]
    np.testing.assert_allclose(found.keypoints.pixels[0, 16], (30, 40))
    assert keypoints_from_yolo(SimpleNamespace(detections=[]), None).keypoints.pixels.shape[0] == 0
    with pytest.raises(InputError, match="keypoint of id 18, expected 1 to 17"):
        keypoints_from_yolo(SimpleNamespace(detections=[detection((18, 0.0, 0.0, 1.0))]), None)


def test_ids_below_0_and_ids_that_come_twice_are_tracked_here():
    persons = [detection((1, 10.0, 20.0, 0.9), track=track) for track in ("7", "-1")]
    assert keypoints_from_yolo(SimpleNamespace(detections=persons), None).ids is None
    twice = [detection((1, 10.0, 20.0, 0.9), track="7")] * 2
    assert keypoints_from_yolo(SimpleNamespace(detections=twice), None).ids is None
    unknown = SimpleNamespace(objects=[zed_object(0, [(10.0, 100.0)] * 18, label=-1)])
    assert keypoints_from_zed(unknown, None).ids is None


def zed_object(body_format, points, label=3, available=True, points_3d=()):
    nowhere = [(NAN, NAN, NAN)] * (70 - len(points_3d))
    kept = [SimpleNamespace(kp=point) for point in points]
    return SimpleNamespace(
        skeleton_available=available,
        body_format=body_format,
        label_id=label,
        confidence=80.0,
        skeleton_2d=SimpleNamespace(keypoints=kept + [SimpleNamespace(kp=(0.0, 0.0))] * 70),
        skeleton_3d=SimpleNamespace(
            keypoints=[SimpleNamespace(kp=point) for point in [*points_3d, *nowhere]]
        ),
    )


@pytest.mark.parametrize("body_format", ZED_LAYOUTS)
def test_zed_layouts_go_by_name(body_format):
    layout = ZED_LAYOUTS[body_format]
    points = [(10.0 + number, 100.0) for number in range(len(layout))]
    points[layout.index("left_knee")] = (float("nan"), float("nan"))
    points[layout.index("right_knee")] = (-1.0, -1.0)
    message = SimpleNamespace(
        objects=[zed_object(body_format, points), zed_object(5, [], available=False)]
    )
    found = keypoints_from_zed(message, None)
    assert found.ids == ["n0003"]
    in_model = found.keypoints.to_layout(H36M17)
    wrist = layout.index("left_wrist")
    np.testing.assert_allclose(in_model.pixels[0, H36M17.index("left_wrist")], (10 + wrist, 100))
    assert in_model.confidence[0, H36M17.index("left_wrist")] == pytest.approx(0.8)
    for knee in ("left_knee", "right_knee"):
        assert in_model.confidence[0, H36M17.index(knee)] == 0
    assert in_model.confidence[0, H36M17.index("pelvis")] > 0


def test_a_score_nan_is_a_keypoint_not_seen():
    nan = zed_object(0, [(10.0, 100.0)] * 18)
    nan.confidence = NAN
    both = SimpleNamespace(objects=[nan, zed_object(0, [(10.0, 100.0)] * 18)])
    found = keypoints_from_zed(both, None).keypoints.confidence
    assert (found[0] == 0).all()
    np.testing.assert_allclose(found[1], 0.8)
    strange = detection((1, 10.0, 20.0, NAN), (2, 1e300, NAN, 0.9), (3, 10.0, 20.0, 0.9))
    found = keypoints_from_yolo(SimpleNamespace(detections=[strange]), None).keypoints
    assert np.flatnonzero(found.confidence[0]).tolist() == [2]
    points = [SimpleNamespace(x=0.5, y=0.5, c=NAN), SimpleNamespace(x=0.5, y=0.5, c=0.9)] * 9
    found = keypoints_from_skeleton2d(SimpleNamespace(skeleton=points), (640, 480)).keypoints
    assert np.flatnonzero(found.confidence[0]).tolist() == list(range(1, 18, 2))


def test_a_person_of_another_package_who_cannot_be_used_is_left_out_alone():
    good, far = detection((1, 10.0, 20.0, 0.9)), detection((18, 0.0, 0.0, 1.0))
    percent = detection((1, 10.0, 20.0, 90.0))
    found = keypoints_from_yolo(SimpleNamespace(detections=[far, good, percent]), None)
    assert len(found.keypoints) == 1
    ((_, words),) = found.remarks
    assert words.startswith("2 of 3 are left out: detection 0 has a keypoint of id 18")
    with pytest.raises(InputError, match="detection 0 has score 90, expected 0 to 1"):
        keypoints_from_yolo(SimpleNamespace(detections=[percent]), None)
    points = [(10.0, 100.0)] * 38
    objects = [zed_object(9, points), zed_object(2, points, 4), zed_object(1, points)]
    found = keypoints_from_zed(SimpleNamespace(objects=objects), None)
    assert (found.keypoints.skeleton, found.ids) == (ZED_LAYOUTS[2], ["n0004"])
    assert found.remarks[0][1].startswith("2 of 3 are left out: body_format is 9")


def zed_of(camera, joints, noise_px=0.0):
    """What a ZED sends of people (N, 17, 3) in the optical frame: in the places of zed34."""
    generator = np.random.default_rng(0)
    objects = []
    for person in joints:
        pixels = camera.project(person) + generator.normal(0, noise_px, (17, 2))
        points_3d = np.stack([person[:, 2], -person[:, 0], -person[:, 1]], -1)
        objects.append(zed_object(1, list(map(tuple, pixels)), points_3d=points_3d.tolist()))
    return SimpleNamespace(objects=objects)


def test_a_zed_whose_camera_info_is_scaled_is_noticed():
    """Keypoints stay those of the camera's own resolution."""
    camera = Camera(1920, 1080, [[1060, 0, 960], [0, 1060, 540], [0, 0, 1]])
    message = zed_of(camera, synthesise().truth_in_camera[0], noise_px=2.0)
    focal_px = keypoints_from_zed(message, None).focal_px
    assert focal_px == pytest.approx(1060, rel=0.05)
    check_focal_length(focal_px, camera)
    with pytest.raises(
        InputError, match=r"10\d\d px, the CameraInfo's is 530.*pub_resolution: NAT"
    ):
        check_focal_length(focal_px, scaled(camera, 960, 540))


def test_where_a_zeds_points_are_in_another_frame_or_few_nothing_is_known():
    camera = Camera(1920, 1080, [[1060, 0, 960], [0, 1060, 540], [0, 0, 1]])
    message = zed_of(camera, synthesise().truth_in_camera[0][:1])
    (person,) = message.objects
    for point in person.skeleton_3d.keypoints:  # a map's frame
        x, y, z = point.kp
        point.kp = (5 - y, 3 + x, z)
    assert keypoints_from_zed(message, None).focal_px is None
    assert keypoints_from_zed(SimpleNamespace(objects=[]), None).focal_px is None
    same = zed_object(1, [(9.0, 9.0)] * 34, points_3d=[(1.0, 0.0, 0.0)] * 34)
    assert keypoints_from_zed(SimpleNamespace(objects=[same]), None).focal_px is None


def test_zed_formats_that_are_not_known_are_refused():
    message = SimpleNamespace(objects=[zed_object(9, [])])
    with pytest.raises(InputError, match="body_format is 9, expected one of 0, 1, 2"):
        keypoints_from_zed(message, None)
    assert len(keypoints_from_zed(SimpleNamespace(objects=[]), None).keypoints) == 0
