"""What is wrong with an input is said with its value and the way out, and the node goes on."""

import math

import pytest
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from erd_ros.msg import Keypoint2D, Person2DArray, Person3D, Person3DArray
from ros_harness import RosBench
from ros_people import CAMERAS, FRAME_ID, camera_info, message_of, model_path, seen_by, seen_in
from sensor_msgs.msg import CameraInfo, Image

from erd_ros.pose import Keypoints2D
from erd_ros.skeleton import Skeleton

PINHOLE = CAMERAS["pinhole"]


def open_topics(bench, message_type, topic: str) -> None:
    bench.stamp_s = 1.0
    bench.people = bench.client.listen(Person3DArray, "/erd_node/people")
    bench.reports = bench.client.listen(DiagnosticArray, "/diagnostics")
    bench.keypoints = bench.client.publisher(message_type, topic)
    bench.info = bench.client.publisher(CameraInfo, "camera_info")
    bench.connect(bench.keypoints, bench.info)


@pytest.fixture(scope="module")
def keypoint_bench(tmp_path_factory):
    """A node that takes keypoints and warns of every frame."""
    directory = tmp_path_factory.mktemp("keypoints")
    with RosBench(directory) as bench:
        bench.start(
            "input:=keypoints",
            f"model:={model_path(directory)}",
            "warning_period:=0.0",
            "diagnostics_period:=0.2",
            "stale_timeout:=60.0",
        )
        open_topics(bench, Person2DArray, "keypoints")
        yield bench


@pytest.fixture
def bench(keypoint_bench):
    """The same node for all tests: that it goes on is what they are about."""
    still_works(keypoint_bench)
    keypoint_bench.client.spin_for(0.1)
    keypoint_bench.people.clear()
    keypoint_bench.said_before = len(keypoint_bench.process.log())
    return keypoint_bench


@pytest.fixture
def image_bench(tmp_path):
    """A node that runs a detector on images."""
    pytest.importorskip("mediapipe", reason="mediapipe is not installed")
    with RosBench(tmp_path) as bench:
        bench.start("input:=image", f"model:={model_path(tmp_path)}", "warning_period:=0.0")
        open_topics(bench, Image, "image")
        bench.said_before = 0
        yield bench


def good(bench):
    bench.stamp_s += 0.1
    return message_of(seen_by(PINHOLE), bench.stamp_s)


def bad(bench, change):
    message = good(bench)
    change(message)
    return message


def send_until_said(bench, message, *words: str, info=None) -> str:
    """Send a message until the log has a line with all these words; the line."""

    def lines() -> list[str]:
        if info is not None:
            bench.info.publish(info)
        bench.keypoints.publish(message)
        said = bench.process.log()[bench.said_before :].splitlines()
        return [line for line in said if all(word in line for word in words)]

    bench.client.wait_for(lines, f"a line with {words}; the node says:\n{bench.process.log()}")
    assert "Traceback" not in bench.process.log()
    return lines()[0]


def still_works(bench) -> None:
    answer = bench.ask(camera_info(), good(bench))
    assert [person.state for person in seen_in(answer)] == [Person3D.FULL] * 2


def drop_last_keypoint(message):
    message.persons[0].keypoints = message.persons[0].keypoints[:-1]


def set_last(**fields):
    def change(message):
        for name, value in fields.items():
            setattr(message.persons[0].keypoints[-1], name, value)

    return change


def set_field(name, value):
    return lambda message: setattr(message, name, value)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (set_field("layout", "coco99"), ("dropped", "'coco99'", "choose one of", "coco17")),
        (set_field("width", 1280), ("dropped", "1280x480", "640x480", "publish the CameraInfo")),
    ],
    ids=["unknown layout", "other size"],
)
def test_message_that_cannot_be_used_is_dropped(bench, change, words):
    send_until_said(bench, bad(bench, change), *words, info=camera_info())
    assert bench.people == []
    still_works(bench)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (set_last(x=math.nan), ("right_wrist at (nan, ", "taken as missing", "send score 0")),
        (set_last(x=5000.0), ("right_wrist at (5000, ", "image of 640x480", "send score 0")),
    ],
    ids=["nan", "out of image"],
)
def test_keypoint_that_cannot_be_used_is_left_out(bench, change, words):
    send_until_said(bench, bad(bench, change), *words, info=camera_info())
    bench.client.wait_for(lambda: bench.people, "people")
    first, second = bench.people[-1].persons
    assert (first.state, second.state) == (Person3D.PARTIAL_BODY, Person3D.FULL)
    still_works(bench)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (drop_last_keypoint, ("person 0", "has 16 keypoints", "has 17", "score 0")),
        (set_last(score=87.0), ("right_wrist has score 87", "0 to 1", "scale")),
    ],
    ids=["too few keypoints", "percentages"],
)
def test_a_person_who_cannot_be_used_costs_nobody_else(bench, change, words):
    send_until_said(bench, bad(bench, change), "1 of 2 are left out", *words, info=camera_info())
    bench.client.wait_for(lambda: bench.people, "people")
    assert [person.state for person in seen_in(bench.people[-1])] == [Person3D.FULL]
    still_works(bench)


def test_camera_info_of_another_frame_is_noticed_and_the_frame_used(bench):
    info = camera_info()
    info.header.frame_id = "other_camera"
    message = good(bench)
    send_until_said(bench, message, f"frame '{FRAME_ID}'", "'other_camera'", info=info)
    bench.client.wait_for(lambda: bench.people, "people")
    assert bench.people[-1].header.frame_id == FRAME_ID
    still_works(bench)


def test_person_with_too_few_keypoints_has_no_place(bench):
    message = good(bench)
    for keypoint in message.persons[0].keypoints[4:]:
        keypoint.score = 0.0
    answer = bench.ask(camera_info(), message)
    first, second = answer.persons
    assert first.state == Person3D.NO_ROOT
    assert math.isnan(first.root.z)
    assert math.isnan(first.joints[0].position.x)
    assert second.state == Person3D.FULL
    still_works(bench)


def test_person_without_any_keypoint_is_still_there(bench):
    message = good(bench)
    message.persons[0].keypoints = [Keypoint2D(x=math.nan, y=math.nan) for _ in range(17)]
    answer = bench.ask(camera_info(), message)
    assert [person.state for person in seen_in(answer)] == [Person3D.NO_ROOT, Person3D.FULL]
    still_works(bench)


def test_before_the_first_camera_info_frames_are_dropped_and_the_topic_is_named(tmp_path):
    with RosBench(tmp_path) as bench:
        bench.start("input:=keypoints", f"model:={model_path(tmp_path)}", "diagnostics_period:=0.2")
        open_topics(bench, Person2DArray, "keypoints")
        bench.said_before = 0
        send_until_said(bench, good(bench), "no CameraInfo on /camera_info", "remap camera_info")
        message = wait_for_level(bench, DiagnosticStatus.ERROR)
        assert "no CameraInfo on /camera_info" in message
        still_works(bench)
        lines = [line for line in bench.process.log().splitlines() if "no CameraInfo" in line]
        assert len(lines) == 1  # throttled: many frames were dropped


@pytest.mark.parametrize(
    ("info", "words"),
    [
        (camera_info(k=[0.0] * 9), ("not calibrated", "camera_calibration")),
        (
            camera_info(distortion_model="fisheye", d=[0.0] * 4),
            ("'fisheye'", "equidistant", "plumb_bob"),
        ),
        (camera_info(distortion_model="brown", d=[0.0] * 5), ("'brown'", "choose one of")),
        (camera_info(width=1280, height=720), ("1280x720", "resolution")),
    ],
    ids=["K is 0", "fisheye", "unknown model", "other size"],
)
def test_camera_that_cannot_be_used_is_an_error_until_it_can(bench, info, words):
    message = good(bench)
    message.width, message.height = 640, 480
    send_until_said(bench, message, "frame dropped", *words, info=info)
    said = wait_for_level(bench, DiagnosticStatus.ERROR, message, info)
    assert all(word in said for word in words), said
    still_works(bench)


def wait_for_level(bench, level, message=None, info=None) -> str:
    """The newest message of this level; meanwhile the same bad input goes on."""
    bench.reports.clear()

    def found() -> bool:
        if info is not None:
            bench.info.publish(info)
        bench.keypoints.publish(message or good(bench))
        return any(report.status[0].level == level for report in bench.reports)

    bench.client.wait_for(found, f"diagnostics at level {level!r}")
    status = next(r.status[0] for r in reversed(bench.reports) if r.status[0].level == level)
    return status.message


def test_images_that_cannot_be_used_are_dropped(image_bench):
    bench = image_bench
    header = camera_info().header
    strange = Image(width=640, height=480, encoding="32FC1", step=2560, header=header)
    send_until_said(bench, strange, "dropped", "'32FC1'", "rgb8, bgr8", info=camera_info())
    small = Image(width=320, height=240, encoding="rgb8", step=960, header=header)
    small.data.frombytes(bytes(960 * 240))
    send_until_said(bench, small, "dropped", "320x240", "640x480")
    black = Image(width=640, height=480, encoding="rgb8", step=1920, header=header)
    black.data.frombytes(bytes(1920 * 480))
    black.header.stamp.sec = 9
    assert bench.ask(camera_info(), black).persons == []


def test_images_that_get_lost_on_the_way_are_named_with_what_helps(image_bench):
    bench = image_bench
    info = camera_info()

    def named() -> bool:
        info.header.stamp.nanosec += 50_000_000
        info.header.stamp.sec += info.header.stamp.nanosec // 10**9
        info.header.stamp.nanosec %= 10**9
        bench.info.publish(info)
        bench.client.spin_for(0.05)
        return "images get lost" in bench.process.log()

    bench.client.wait_for(named, f"a warning; the node says:\n{bench.process.log()}")
    said = next(line for line in bench.process.log().splitlines() if "images get lost" in line)
    for word in (
        "0 images came beside",
        "on /image",
        "FASTRTPS_DEFAULT_PROFILES_FILE and FASTDDS_DEFAULT_PROFILES_FILE",
        "config/fastdds.xml",
        "qos_overrides./image.subscription.reliability:=reliable",
    ):
        assert word in said
    status = next(s for r in bench.reports for s in r.status if "images get lost" in s.message)
    assert status.level == DiagnosticStatus.WARN


def test_a_layout_of_which_the_model_knows_nothing_is_said_so(bench):
    legless = Keypoints2D(
        Skeleton("face", ("nose", "left_eye", "right_eye", "left_ear", "right_ear"), (-1,) * 5),
        seen_by(PINHOLE).pixels[:, :5],
        seen_by(PINHOLE).confidence[:, :5],
    )
    bench.stamp_s += 0.1
    message = message_of(legless, bench.stamp_s)
    message.joint_names = list(legless.skeleton.joint_names)
    send_until_said(bench, message, "dropped", "'face'", "left_eye", info=camera_info())
    still_works(bench)
