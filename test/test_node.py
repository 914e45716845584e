"""erd_node as a process of its own, over real DDS: what comes out for what goes in."""

import os

import cv2
import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from erd_ros.msg import Joint3D, Person3D, Person3DArray
from geometry_msgs.msg import PoseArray
from ros_harness import RosBench
from ros_people import (
    CAMERAS,
    FRAME_ID,
    camera_info,
    estimated,
    joints_of,
    message_of,
    model_path,
    seen_by,
    seen_in,
)
from scipy.spatial.transform import Rotation
from sensor_msgs.msg import CameraInfo, Image
from visualization_msgs.msg import Marker, MarkerArray

from erd_ros.pose import Keypoints2D
from erd_ros.ros.bodies import body_rotations
from erd_ros.ros.markers import marker_id
from erd_ros.runtime import load
from erd_ros.runtime.people import people_from_poses
from erd_ros.skeleton import H36M17


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    """A node that takes keypoints, and a client connected to it."""
    directory = tmp_path_factory.mktemp("node")
    with RosBench(directory) as bench:
        bench.model = model_path(directory)
        bench.start_on_keypoints(
            bench.model,
            "diagnostics_period:=0.5",
            "stale_timeout:=60.0",
            "prediction_timeout:=0.05",
            "smoothing_lag:=0.0",
        )
        bench.stamp_s = 100.0
        yield bench


def exchange(bench, camera, keypoints, ids=None, step_s=0.04) -> Person3DArray:
    """Send keypoints with the camera's CameraInfo; the answer to them, without those not seen."""
    bench.stamp_s += step_s
    answer = bench.ask(camera_info(camera), message_of(keypoints, bench.stamp_s, ids))
    answer.persons = seen_in(answer)
    return answer


@pytest.mark.parametrize("name", CAMERAS)
def test_people_are_those_of_the_estimator(bench, name):
    camera = CAMERAS[name]
    keypoints = seen_by(camera, frame=30)
    answer = exchange(bench, camera, keypoints)
    expected = estimated(keypoints, camera, bench.model)
    assert np.isfinite(expected.root_in_camera).all()
    assert (answer.header.frame_id, answer.layout) == (FRAME_ID, expected.skeleton.name)
    assert tuple(answer.joint_names) == expected.skeleton.joint_names
    assert answer.backend == "onnxruntime cpu float32"
    assert 0 < answer.latency < 10
    assert np.isnan(answer.age)  # the stamps of this test are not of this century
    assert len(answer.persons) == 2
    for index, person in enumerate(answer.persons):
        root = (person.root.x, person.root.y, person.root.z)
        np.testing.assert_allclose(root, expected.root_in_camera[index], atol=1e-5)
        np.testing.assert_allclose(joints_of(person), expected.joints_in_camera[index], atol=1e-5)
        assert person.residual == pytest.approx(expected.residual_px[index], abs=1e-2)
        assert person.state == Person3D.FULL


def test_age_is_told_when_the_clocks_agree(bench):
    now_s = bench.client.node.get_clock().now().nanoseconds * 1e-9
    message = message_of(seen_by(CAMERAS["pinhole"]), now_s - 0.5)
    answer = bench.ask(camera_info(), message)
    assert 0.5 <= answer.age < 10
    bench.stamp_s = now_s


def test_nobody_in_view_is_an_empty_array(bench):
    nobody = seen_by(CAMERAS["pinhole"])
    nobody = Keypoints2D(nobody.skeleton, nobody.pixels[:0], nobody.confidence[:0])
    answer = exchange(bench, CAMERAS["pinhole"], nobody, step_s=0.1)
    assert answer.persons == []


def test_ids_of_the_sender_are_kept_and_missing_ones_given(bench):
    keypoints = seen_by(CAMERAS["pinhole"])
    answer = exchange(bench, CAMERAS["pinhole"], keypoints, ["anna", "ben"])
    assert [person.id for person in answer.persons] == ["anna", "ben"]
    first = exchange(bench, CAMERAS["pinhole"], keypoints)
    swapped = Keypoints2D(keypoints.skeleton, keypoints.pixels[::-1], keypoints.confidence[::-1])
    second = exchange(bench, CAMERAS["pinhole"], swapped)
    ids = [person.id for person in first.persons]
    assert all(person_id.startswith("b") and len(person_id) == 5 for person_id in ids)
    assert [person.id for person in second.persons] == ids[::-1]


def test_time_going_back_twice_gives_new_ids_and_the_node_goes_on(bench):
    keypoints = seen_by(CAMERAS["pinhole"])
    before = {person.id for person in exchange(bench, CAMERAS["pinhole"], keypoints).persons}
    bench.stamp_s -= 1000
    bench.keypoints.publish(message_of(keypoints, bench.stamp_s))
    bench.client.wait_for(lambda: "if the next one does so" in bench.process.log(), "a warning")
    after = exchange(bench, CAMERAS["pinhole"], keypoints)
    assert before.isdisjoint(person.id for person in after.persons)
    assert "are tracked anew and get new ids" in bench.process.log()


def test_joint_that_was_not_seen_is_inferred(bench):
    keypoints = seen_by(CAMERAS["pinhole"])
    knee = H36M17.index("left_knee")
    keypoints.confidence[0, knee] = 0
    answer = exchange(bench, CAMERAS["pinhole"], keypoints)
    person = answer.persons[0]
    assert person.state == Person3D.PARTIAL_BODY
    states = [joint.state for joint in person.joints]
    assert states == [Joint3D.INFERRED if j == knee else Joint3D.OBSERVED for j in range(17)]
    assert np.isfinite(joints_of(person)).all()


def test_poses_and_tf_turn_as_the_body_does(bench):
    tf2_msgs = pytest.importorskip("tf2_msgs.msg", reason="tf2_msgs comes with ROS")
    poses = bench.client.listen(PoseArray, "/erd_node/poses")
    frames = bench.client.listen(tf2_msgs.TFMessage, "/tf")
    bench.wait_until_heard("/erd_node/poses", "/tf")
    keypoints = seen_by(CAMERAS["pinhole"], frame=60)
    answer = exchange(bench, CAMERAS["pinhole"], keypoints, step_s=1.0)
    bench.client.wait_for(lambda: poses and frames, "poses and TF")
    expected = estimated(keypoints, CAMERAS["pinhole"], bench.model)
    rotations = body_rotations(people_from_poses(expected, ["", ""]))
    assert poses[-1].header == answer.header
    for index, (pose, frame) in enumerate(zip(poses[-1].poses, frames[-1].transforms, strict=True)):
        assert frame.header == answer.header
        assert frame.child_frame_id == f"body_{answer.persons[index].id}"
        translation, rotation = frame.transform.translation, frame.transform.rotation
        root = (pose.position.x, pose.position.y, pose.position.z)
        np.testing.assert_allclose(root, expected.root_in_camera[index], atol=1e-5)
        assert (translation.x, translation.y, translation.z) == root
        assert rotation == pose.orientation
        received = Rotation.from_quat([rotation.x, rotation.y, rotation.z, rotation.w])
        difference = received.inv() * Rotation.from_matrix(rotations[index])
        assert difference.magnitude() < 1e-4
    poses.clear(), frames.clear()
    bench.stamp_s += 1
    message = message_of(keypoints, bench.stamp_s)
    message.header.frame_id = "/camera"  # none for tf2
    answer = bench.ask(camera_info(header=message.header), message)
    bench.client.wait_for(lambda: poses and poses[-1].header == answer.header, "poses")
    assert frames == []


def test_markers_come_and_are_deleted_with_the_person(bench):
    arrays = bench.client.listen(MarkerArray, "/erd_node/markers")
    bench.wait_until_heard("/erd_node/markers")
    keypoints = seen_by(CAMERAS["pinhole"])
    exchange(bench, CAMERAS["pinhole"], keypoints, ["anna", "ben"])
    bench.client.wait_for(lambda: arrays, "markers")
    assert {marker.id for marker in arrays[-1].markers} >= {marker_id("anna"), marker_id("ben")}
    alone = Keypoints2D(keypoints.skeleton, keypoints.pixels[:1], keypoints.confidence[:1])
    arrays.clear()
    exchange(bench, CAMERAS["pinhole"], alone, ["anna"], step_s=0.1)
    bench.client.wait_for(lambda: arrays, "markers")
    deleted = {m.id for m in arrays[-1].markers if m.action == Marker.DELETE}
    assert marker_id("ben") in deleted


def test_camera_info_may_change_while_running(bench):
    keypoints = seen_by(CAMERAS["pinhole"])
    near = exchange(bench, CAMERAS["pinhole"], keypoints).persons[0]
    far = exchange(bench, CAMERAS["equidistant"], keypoints).persons[0]
    expected = estimated(keypoints, CAMERAS["equidistant"], bench.model)
    np.testing.assert_allclose(joints_of(far), expected.joints_in_camera[0], atol=1e-5)
    assert not np.allclose(joints_of(far), joints_of(near), atol=1e-4)


def test_diagnostics_say_how_it_runs(bench):
    reports = bench.client.listen(DiagnosticArray, "/diagnostics")

    def ok() -> bool:
        exchange(bench, CAMERAS["pinhole"], seen_by(CAMERAS["pinhole"]))
        return bool(reports) and reports[-1].status[0].level == DiagnosticStatus.OK

    bench.client.wait_for(ok, "diagnostics at level OK")
    status = reports[-1].status[0]
    values = {pair.key: pair.value for pair in status.values}
    assert status.name == "/erd_node: skeletons"
    assert values["backend"] == "onnxruntime cpu float32"
    assert values["sha256"] == load(bench.model).sha256
    assert values["input"] == "keypoints"
    assert values["persons"] == "2"
    assert values["tf"] == "on"
    assert float(values["rate [Hz]"]) > 0
    assert 0 < float(values["latency p50 [s]"]) <= float(values["latency p99 [s]"])
    assert int(values["frames processed"]) > 0
    reports.clear()
    bench.client.wait_for(lambda: len(reports) > 1, "diagnostics without input")
    assert reports[-1].status[0].level == DiagnosticStatus.WARN
    assert "nothing comes on /keypoints" in reports[-1].status[0].message


def test_at_low_load_no_frame_is_dropped(bench):
    keypoints = seen_by(CAMERAS["pinhole"])
    for _ in range(30):
        answer = exchange(bench, CAMERAS["pinhole"], keypoints)
        assert answer.header.stamp.sec == int(bench.stamp_s)


def test_a_flood_drops_frames_counts_them_and_ends_with_the_newest(bench):
    reports = bench.client.listen(DiagnosticArray, "/diagnostics")
    bench.client.wait_for(lambda: reports, "diagnostics")
    before = drops_and_frames(reports[-1])
    keypoints = seen_by(CAMERAS["pinhole"])
    crowd = Keypoints2D(
        keypoints.skeleton,
        np.tile(keypoints.pixels, (5, 1, 1)),
        np.tile(keypoints.confidence, (5, 1)),
    )
    sent = 0
    bench.people.clear()
    for _ in range(200):
        bench.stamp_s += 0.04
        newest = message_of(crowd, bench.stamp_s)
        bench.keypoints.publish(newest)
        sent += 1

    def newest_answered() -> bool:
        nonlocal sent
        bench.keypoints.publish(newest)  # again: best effort may have lost it in the flood
        sent += 1
        bench.client.spin_for(0.5)
        return bool(bench.people) and bench.people[-1].header.stamp == newest.header.stamp

    bench.client.wait_for(newest_answered, "the newest frame")
    reports.clear()
    bench.client.wait_for(lambda: len(reports) > 1, "diagnostics")
    dropped, processed = np.subtract(drops_and_frames(reports[-1]), before)
    assert dropped > 0
    assert dropped + processed <= sent
    stamps = [answer.header.stamp for answer in bench.people]
    assert len(stamps) == processed
    seconds = [stamp.sec + 1e-9 * stamp.nanosec for stamp in stamps]
    assert seconds == sorted(seconds)


def drops_and_frames(report) -> tuple[int, int]:
    values = {pair.key: pair.value for pair in report.status[0].values}
    return int(values.get("dropped: overwritten", 0)), int(values["frames processed"])


def test_real_image_through_the_detector(tmp_path, shared_media):
    pytest.importorskip("mediapipe", reason="mediapipe is not installed")
    from erd_ros.geometry.camera import Camera
    from erd_ros.runtime.detectors import make_detector

    frame_rgb = read_frame(shared_media / "one_person_indoor.mp4", 300)
    height, width = frame_rgb.shape[:2]
    focal = width / 2 / np.tan(np.radians(30))
    camera = Camera(
        width, height, np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1]])
    )
    model = model_path(tmp_path)
    detector = make_detector("mediapipe")
    expected = estimated(detector(frame_rgb), camera, model)
    detector.close()
    assert len(expected) == 1
    with RosBench(tmp_path) as bench:
        bench.start("input:=image", f"model:={model}")
        bench.people = bench.client.listen(Person3DArray, "/erd_node/people")
        bench.keypoints = bench.client.publisher(Image, "image")
        bench.info = bench.client.publisher(CameraInfo, "camera_info")
        bench.connect(bench.keypoints, bench.info)
        image = Image(
            height=height, width=width, encoding="bgr8", step=3 * width, header=camera_info().header
        )
        image.data.frombytes(np.ascontiguousarray(frame_rgb[..., ::-1]).data.cast("B"))
        answer = bench.ask(camera_info(camera), image)
    assert answer.header == image.header
    assert len(answer.persons) == 1
    np.testing.assert_allclose(
        joints_of(answer.persons[0]), expected.joints_in_camera[0], atol=1e-3
    )


def read_frame(path, number: int) -> np.ndarray:
    video = cv2.VideoCapture(str(path))
    video.set(cv2.CAP_PROP_POS_FRAMES, number)
    found, frame_bgr = video.read()
    video.release()
    assert found, f"{os.fspath(path)} has no frame {number}"
    return cv2.cvtColor(frame_bgr, cv2.COLOR_BGR2RGB)
