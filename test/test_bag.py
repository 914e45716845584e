"""Which topics of a bag are played, and one line for bags that cannot be read."""

import sqlite3
import struct

import numpy as np
import pytest
from rclpy.serialization import serialize_message
from ros_bags import write_bag
from rosbags.rosbag2 import CompressionMode, StoragePlugin
from sensor_msgs.msg import CompressedImage, Image

from benchmark.changed_files import mutated
from erd_ros.demo.bag import COMPRESSED_IMAGE, IMAGE, _encoding, bag_topics
from erd_ros.errors import InputError
from erd_ros.ros.packets import info_from_camera, message_from_keypoints, packets_of_bag
from erd_ros.synthetic import robot_camera, synthesise


def infos():
    return [info_from_camera(robot_camera()) for _ in range(3)]


def image_of(encoding: str, pixel_bytes: int, height: int = 48) -> Image:
    message = Image(width=64, height=height, encoding=encoding, step=64 * pixel_bytes)
    message.header.frame_id = "cam"
    message.data.frombytes(bytes(64 * height * pixel_bytes))
    return message


REALSENSE = {
    "/camera/aligned_depth_to_color/image_raw": [image_of("16UC1", 2)],
    "/camera/aligned_depth_to_color/camera_info": infos()[:1],
    "/camera/color/image_raw": [image_of("rgb8", 3)],
    "/camera/depth/colorized": [image_of("bgr8", 3)],
    "/camera/infra1/camera_info": infos()[:1],
    "/camera/infra1/image_rect_raw": [image_of("mono8", 1)],
    "/a/image/compressedDepth": [CompressedImage(format="16UC1; compressedDepth png")],
}


def test_of_several_image_topics_the_colour_camera_is_played(tmp_path):
    bag = str(write_bag(tmp_path / "bag", REALSENSE))
    assert bag_topics(bag).image == "/camera/color/image_raw"
    without = {name: m for name, m in REALSENSE.items() if name != "/camera/color/image_raw"}
    assert bag_topics(str(write_bag(tmp_path / "two", without))).image == "/camera/depth/colorized"
    del without["/camera/depth/colorized"]
    grey = bag_topics(str(write_bag(tmp_path / "three", without)))
    assert grey.image == "/camera/infra1/image_rect_raw"
    assert grey.camera_info == "/camera/infra1/camera_info"


def test_depth_images_alone_are_no_cameras(tmp_path):
    depth = {name: m for name, m in REALSENSE.items() if "epth" in name and "colorized" not in name}
    with pytest.raises(
        InputError, match=r"no colour or grey images .* it has /a/image/compressedD"
    ):
        bag_topics(str(write_bag(tmp_path / "bag", depth)))


def test_an_image_topic_can_be_named(tmp_path):
    keypoints = [message_from_keypoints(synthesise().keypoints(0), robot_camera())]
    bag = str(write_bag(tmp_path / "bag", {**REALSENSE, "/people": keypoints}))
    assert bag_topics(bag).input == "keypoints"
    named = bag_topics(bag, "camera/infra1/image_rect_raw")
    assert (named.input, named.image) == ("image", "/camera/infra1/image_rect_raw")
    assert named.camera_info == "/camera/infra1/camera_info"
    with pytest.raises(InputError, match=r"'/nowhere'; choose one of /a/image/compressedDepth, /c"):
        bag_topics(bag, "/nowhere")


@pytest.mark.parametrize("height", [4, 48, 100, 200])
@pytest.mark.parametrize("frame", ["", "a", "cam", "frame"])
def test_encodings_are_read_from_the_bytes(height, frame):
    message = image_of("bayer_rggb8", 1, height)
    message.header.frame_id = frame
    assert _encoding(IMAGE, serialize_message(message)) == "bayer_rggb8"
    small = CompressedImage(header=message.header, format="jpeg")
    assert _encoding(COMPRESSED_IMAGE, serialize_message(small)) == "jpeg"


@pytest.mark.parametrize("mode", [CompressionMode.FILE, CompressionMode.MESSAGE])
@pytest.mark.parametrize("storage", [StoragePlugin.SQLITE3, StoragePlugin.MCAP])
def test_bags_compressed_by_zstd_are_played(tmp_path, storage, mode):
    topics = {"/image": [image_of("rgb8", 3)] * 3, "/camera_info": infos()[:3]}
    bag = str(write_bag(tmp_path / "bag", topics, storage, mode))
    packets = list(packets_of_bag(bag, bag_topics(bag), None))
    assert len(packets) == 6
    assert {m.encoding for p in packets for m in p.messages if isinstance(m, Image)} == {"rgb8"}


def test_a_bag_of_ros_1_gets_the_command_that_converts_it(tmp_path):
    file = tmp_path / "old.bag"
    file.write_bytes(b"#ROSBAG V2.0\n" + bytes(50))
    command = f"rosbags-convert --src {file} --dst {tmp_path / 'old'} "
    for path in (file, tmp_path):
        with pytest.raises(InputError, match="is one of ROS 1") as error:
            bag_topics(str(path))
        assert command in str(error.value)


def test_a_folder_without_metadata_is_played_or_gets_the_command_that_helps(tmp_path):
    topics = {"/image": [image_of("rgb8", 3)], "/camera_info": infos()[:1]}
    bag = write_bag(tmp_path / "bag", topics, StoragePlugin.MCAP)
    (bag / "metadata.yaml").unlink()
    assert bag_topics(str(bag)).image == "/image"
    (bag / "second.mcap").write_bytes((bag / "bag.mcap").read_bytes())
    with pytest.raises(InputError, match=r"2 files but no metadata.yaml; `ros2 bag reindex") as two:
        bag_topics(str(bag))
    assert f"rosbags-convert --src {bag}/*.mcap --dst NEW_FOLDER" in str(two.value)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"without metadata.yaml, and no .mcap or"):
        bag_topics(str(tmp_path / "empty"))


def test_a_stamp_of_another_clock_and_a_pause_of_years_do_not_stop_the_player(tmp_path):
    bag = str(write_bag(tmp_path / "bag", {"/image": [image_of("rgb8", 3)] * 3}))
    topics, camera = bag_topics(bag), robot_camera()
    for packet in packets_of_bag(bag, topics, camera):
        assert packet.stamp_s == pytest.approx(packet.due_s)
    with sqlite3.connect(tmp_path / "bag" / "bag.db3") as table:
        rows = [bytes(data) for (data,) in table.execute("select data from messages order by id")]
        changed = rows[1][:4] + struct.pack("<i", -5) + rows[1][8:]
        table.execute("update messages set data = ? where id = 2", (changed,))
    packets = list(packets_of_bag(bag, topics, camera))
    assert [p.stamp_s for p in packets] == pytest.approx([0, 0.05, 0.1])
    with sqlite3.connect(tmp_path / "bag" / "bag.db3") as table:
        table.execute("update messages set timestamp = timestamp * 2 where id = 3")
    with pytest.raises(InputError, match=r"pauses for 4444\d\d\.\d hours, expected 1 at most"):
        list(packets_of_bag(bag, topics, camera))


@pytest.mark.parametrize("storage", [StoragePlugin.SQLITE3, StoragePlugin.MCAP])
def test_bags_changed_at_random_are_played_or_refused(tmp_path, storage):
    topics = {"/image": [image_of("rgb8", 3, 4)] * 2, "/camera_info": infos()[:2]}
    bag = write_bag(tmp_path / "bag", topics, storage)
    file = next(file for file in bag.iterdir() if file.suffix != ".yaml")
    contents = {path: path.read_bytes() for path in (file, bag / "metadata.yaml")}
    generator = np.random.default_rng(18)
    refused = 0
    for index in range(300):
        path = (file, file, bag / "metadata.yaml")[index % 3]
        path.write_bytes(mutated(contents[path], generator))
        try:
            list(packets_of_bag(str(bag), bag_topics(str(bag)), None))
        except InputError as error:
            refused += "\n" not in str(error)
        path.write_bytes(contents[path])
    assert 50 < refused < 300
