"""The player as a process: what it publishes of a video, a bag and the synthetic sequence."""

import cv2
import numpy as np
import pytest
from erd_ros.msg import Person2DArray
from rclpy.time import Time
from ros_bags import RECORDED_NS, STEP_NS, write_bag
from ros_harness import NodeProcess, RosBench
from rosbags.rosbag2 import StoragePlugin
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header

from erd_ros.demo.bag import bag_topics
from erd_ros.demo.capture import CaptureSource
from erd_ros.errors import InputError
from erd_ros.ros.cameras import camera_from_info
from erd_ros.ros.convert import keypoints_from_message
from erd_ros.ros.images import image_from_rgb, rgb_from_image
from erd_ros.ros.packets import info_from_camera, message_from_keypoints
from erd_ros.ros.player import PACKETS, PlayerParameters
from erd_ros.synthetic import SyntheticConfig, robot_camera, synthesise

SIZE = (64, 48)
FRAMES = 12


def nanoseconds(message) -> int:
    return Time.from_msg(message.header.stamp).nanoseconds


def assert_evenly_spaced(stamps) -> None:
    """Steps as long as they should be; a busy machine makes some longer, never shorter."""
    steps = np.diff(stamps)
    assert np.median(steps) == pytest.approx(STEP_NS, abs=200)
    assert steps.min() >= STEP_NS - 200


def flat_images():
    """Images of one colour each, told apart by their brightness."""
    return [np.full((SIZE[1], SIZE[0], 3), 20 + 15 * index, np.uint8) for index in range(FRAMES)]


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    path = tmp_path_factory.mktemp("video") / "grey.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 20.0, SIZE)
    for image in flat_images():
        writer.write(image)
    writer.release()
    return path


def infos():
    return [info_from_camera(robot_camera()) for _ in range(FRAMES)]


def compressed(image) -> CompressedImage:
    return CompressedImage(format="png", data=cv2.imencode(".png", image)[1].tobytes())


class Listener(RosBench):
    """Plays something and keeps what is heard of it."""

    def play(self, *parameters: str) -> int:
        """Run the player to its end; its exit code."""
        self.heard = {
            name: self.client.listen(kind, name)
            for name, kind in (
                ("image", Image),
                ("keypoints", Person2DArray),
                ("camera_info", CameraInfo),
            )
        }
        words = [word for value in parameters for word in ("-p", value)]
        self.process = NodeProcess(
            "erd_ros.ros.player", ["--ros-args", *words], self._domain, self._directory
        )
        self.client.wait_for(lambda: not self.process.running(), "the end of the player", 60)
        self.client.spin_for(0.3)
        return self.process.wait()


def test_synthetic_sequence_is_published_whole(tmp_path):
    sequence = synthesise(SyntheticConfig(rate_hz=20.0))
    with Listener(tmp_path) as bench:
        assert bench.play("source:=synthetic", "rate:=20.0", "seconds:=2.0") == 0
        heard = bench.heard
    assert [len(messages) for messages in heard.values()] == [40, 40, 40]
    stamps = np.array([nanoseconds(message) for message in heard["keypoints"]])
    assert_evenly_spaced(stamps)
    for name in ("image", "camera_info"):
        assert [nanoseconds(message) for message in heard[name]] == stamps.tolist()
    camera = camera_from_info(heard["camera_info"][0])
    assert camera.distortion == sequence.camera.distortion
    for index in (0, 17, 39):
        message = heard["keypoints"][index]
        received = keypoints_from_message(message, (camera.width, camera.height)).keypoints
        np.testing.assert_allclose(received.pixels, sequence.pixels[index], rtol=1e-6)
        assert heard["keypoints"][index].persons[0].id == ""


def test_loop_goes_on_without_a_pause(tmp_path, video):
    with Listener(tmp_path) as bench:
        # 12 frames at 20 Hz last 0.6 s.
        assert bench.play("source:=video", f"path:={video}", "loop:=true", "seconds:=1.5") == 0
        stamps = [nanoseconds(message) for message in bench.heard["image"]]
    assert len(stamps) == 30
    assert_evenly_spaced(stamps)


def test_video_arrives_image_by_image_with_its_camera(tmp_path, video):
    with Listener(tmp_path) as bench:
        assert bench.play("source:=video", f"path:={video}", "fov:=90.0") == 0
        images = [rgb_from_image(message) for message in bench.heard["image"]]
        info = bench.heard["camera_info"][0]
    assert len(images) == FRAMES
    for received, sent in zip(images, flat_images(), strict=True):
        assert received.shape == sent.shape
        assert abs(received.mean() - sent.mean()) < 3  # JPEG
    # 90 degrees wide: half the width is as long as the focal length.
    assert info.k[0] == pytest.approx(SIZE[0] / 2)


@pytest.mark.parametrize("storage", [StoragePlugin.SQLITE3, StoragePlugin.MCAP])
def test_bag_is_played_with_its_camera_and_stamps_moved_to_now(tmp_path, storage):
    images = [image_from_rgb(image, Header()) for image in flat_images()]
    bag = write_bag(
        tmp_path / "bag", {"/cam/image_raw": images, "/cam/camera_info": infos()}, storage
    )
    with Listener(tmp_path) as bench:
        assert bench.play("source:=bag", f"path:={bag}") == 0
        heard = bench.heard
    assert len(heard["image"]) == len(heard["camera_info"]) == FRAMES
    stamps = [nanoseconds(message) for message in heard["image"]]
    assert_evenly_spaced(stamps)
    # An image and its CameraInfo still have one stamp, to the rounding of seconds in a double.
    info_stamps = [nanoseconds(message) for message in heard["camera_info"]]
    np.testing.assert_allclose(np.subtract(stamps, info_stamps), 0, atol=200)
    assert stamps[0] > RECORDED_NS + 10**9
    assert [m.data[0] for m in heard["image"]] == [i[0, 0, 0] for i in flat_images()]


def test_bag_keeps_its_stamps_when_told_to(tmp_path):
    keypoints = [
        message_from_keypoints(synthesise().keypoints(index), robot_camera())
        for index in range(FRAMES)
    ]
    bag = write_bag(tmp_path / "bag", {"/people": keypoints, "/camera_info": infos()})
    assert bag_topics(str(bag)).input == "keypoints"
    with Listener(tmp_path) as bench:
        assert bench.play("source:=bag", f"path:={bag}", "original_stamps:=true") == 0
        heard = bench.heard["keypoints"]
    assert [nanoseconds(m) for m in heard] == [RECORDED_NS + i * STEP_NS for i in range(FRAMES)]
    assert heard[5].persons == keypoints[5].persons


def test_compressed_images_are_decoded_and_a_missing_camera_is_assumed(tmp_path):
    messages = [compressed(image) for image in flat_images()]
    bag = write_bag(tmp_path / "bag", {"/cam/image/compressed": messages})
    with Listener(tmp_path) as bench:
        assert bench.play("source:=bag", f"path:={bag}", "fov:=90.0") == 0
        heard = bench.heard
    received = [rgb_from_image(message)[0, 0, 0] for message in heard["image"]]
    assert received == [image[0, 0, 0] for image in flat_images()]
    assert heard["camera_info"][0].k[0] == pytest.approx(SIZE[0] / 2)
    assert nanoseconds(heard["camera_info"][3]) == nanoseconds(heard["image"][3])


def test_bag_of_several_cameras_plays_the_one_with_a_camera_info(tmp_path):
    image = [image_from_rgb(flat_images()[0], Header())]
    bag = write_bag(
        tmp_path / "bag",
        {"/a/image_raw": image, "/b/image_raw": image, "/b/camera_info": infos()[:1]},
    )
    topics = bag_topics(str(bag))
    assert (topics.image, topics.camera_info) == ("/b/image_raw", "/b/camera_info")


def test_bag_without_image_or_keypoints_lists_what_it_has(tmp_path):
    bag = write_bag(tmp_path / "bag", {"/b/camera_info": infos()})
    with pytest.raises(InputError, match=r"it has /b/camera_info \(sensor_msgs/msg/CameraInfo\)"):
        bag_topics(str(bag))


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"source": "film"}, "source is 'film', expected one of synthetic, video, camera, bag"),
        ({"source": "video", "path": "/nowhere.mp4"}, "video '/nowhere.mp4' does not exist"),
        ({"source": "camera", "camera": 97}, "no camera 97"),
        ({"source": "bag", "path": "/nowhere"}, "bag '/nowhere' does not exist"),
        ({"source": "bag", "rate": 5.0}, "a bag is played as it was recorded"),
        ({"fov": 200.0}, "fov is 200 degrees, expected 5 to 170"),
        ({"rate": float("nan")}, "rate is nan Hz, expected 0.1 to 200"),
        ({"seconds": -1.0}, "seconds is -1, expected 0 or more"),
    ],
)
def test_what_cannot_be_played_is_said(parameters, said):
    def play():
        asked = PlayerParameters(**parameters)
        PACKETS[asked.source](asked)

    with pytest.raises(InputError, match=said):
        play()


def test_nobody_who_listens_is_one_line_and_exit_code_1(tmp_path):
    words = ["--ros-args", "-p", "wait:=0.2", "-p", "subscribers:=2"]
    with RosBench(tmp_path) as bench:
        bench.process = NodeProcess("erd_ros.ros.player", words, bench._domain, tmp_path)
        assert bench.process.wait() == 1
        log = bench.process.log()
    assert "0 of 2 nodes listened to /camera_info after 0.2 s" in log
    assert "Traceback" not in log


@pytest.mark.parametrize(
    ("content", "said"), [(b"", "empty \\(0 bytes\\)"), (b"text" * 99, "not a")]
)
def test_a_file_that_is_no_video_is_said(tmp_path, content, said):
    path = tmp_path / "film.mp4"
    path.write_bytes(content)
    with pytest.raises(InputError, match=f"film.mp4' is {said}"):
        CaptureSource(str(path))
