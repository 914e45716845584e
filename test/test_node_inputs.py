"""erd_node with inputs other than raw images and its own keypoints, over real DDS."""

import importlib.util

import cv2
import numpy as np
import pytest
from erd_ros.msg import Person3DArray
from ros_harness import RosBench
from ros_people import CAMERAS, camera_info, estimated, joints_of, model_path, seen_by
from sensor_msgs.msg import CameraInfo, CompressedImage

from erd_ros.errors import InputError
from erd_ros.pose import Keypoints2D
from erd_ros.ros.foreign import SKELETON2D
from erd_ros.ros.inputs import FRONT_ENDS, rgb_from_compressed
from erd_ros.ros.parameters import INPUTS
from erd_ros.runtime import DEFAULT_MODEL

PINHOLE = CAMERAS["pinhole"]


def test_every_input_has_a_front_end():
    assert tuple(FRONT_ENDS) == INPUTS


@pytest.mark.parametrize("name", ["hri_skeleton2d", "yolo", "zed"])
def test_a_package_that_is_not_installed_is_named(tmp_path, name):
    package = {"hri_skeleton2d": "hri_msgs", "yolo": "yolo_msgs", "zed": "zed_msgs"}[name]
    if importlib.util.find_spec(package) is not None:
        pytest.skip(f"{package} is installed")
    with RosBench(tmp_path) as bench:
        bench.start(f"input:={name}", f"model:={model_path(tmp_path)}")
        assert bench.process.wait() == 1
        (line,) = bench.process.log().splitlines()
    assert all(word in line for word in ("FATAL", f"'{name}' needs {package}", "keypoints"))


def test_skeleton2d_of_ros4hri(tmp_path):
    hri_msgs = pytest.importorskip("hri_msgs.msg", reason="hri_msgs comes with ROS")
    seen = seen_by(PINHOLE)
    one = Keypoints2D(seen.skeleton, seen.pixels[:1], seen.confidence[:1]).to_layout(SKELETON2D)
    message = hri_msgs.Skeleton2D(header=camera_info().header)
    for point, (x, y), c in zip(message.skeleton, one.pixels[0], one.confidence[0], strict=True):
        if c > 0:
            point.x, point.y, point.c = float((x + 0.5) / 640), float((y + 0.5) / 480), float(c)
    model = model_path(tmp_path)
    with RosBench(tmp_path) as bench:
        bench.start("input:=hri_skeleton2d", f"model:={model}", remap=["keypoints:=/body/skeleton"])
        bench.people = bench.client.listen(Person3DArray, "/erd_node/people")
        bench.keypoints = bench.client.publisher(hri_msgs.Skeleton2D, "/body/skeleton")
        bench.info = bench.client.publisher(CameraInfo, "camera_info")
        bench.connect(bench.keypoints, bench.info)
        (person,) = bench.ask(camera_info(), message).persons
    expected = estimated(one, PINHOLE, model)
    np.testing.assert_allclose(joints_of(person), expected.joints_in_camera[0], atol=1e-4)


def test_compressed_images_are_those_that_went_in():
    generator = np.random.default_rng(0)
    image_rgb = cv2.resize(generator.integers(0, 255, (6, 8, 3), np.uint8), (80, 60))
    _, png = cv2.imencode(".png", cv2.cvtColor(image_rgb, cv2.COLOR_RGB2BGR))
    message = CompressedImage(format="png")
    message.data.frombytes(png.tobytes())
    np.testing.assert_array_equal(rgb_from_compressed(message), image_rgb)
    message.data = message.data[:10]
    with pytest.raises(InputError, match="format 'png' is refused: an image file of 10 bytes"):
        rgb_from_compressed(message)
    with pytest.raises(InputError, match="of 0 bytes cannot be decoded"):
        rgb_from_compressed(CompressedImage())


def test_compressed_image_through_the_detector(tmp_path, shared_media):
    pytest.importorskip("mediapipe", reason="mediapipe is not installed")
    video = cv2.VideoCapture(str(shared_media / "one_person_indoor.mp4"))
    video.set(cv2.CAP_PROP_POS_FRAMES, 300)
    frame_bgr = video.read()[1]
    video.release()
    height, width = frame_bgr.shape[:2]
    message = CompressedImage(header=camera_info().header, format="jpeg")
    message.data.frombytes(cv2.imencode(".jpg", frame_bgr)[1].tobytes())
    # The CameraInfo is of twice the resolution: told so, the node scales it.
    k = [1.74 * width, 0.0, width, 0.0, 1.74 * width, height, 0.0, 0.0, 1.0]
    info = camera_info(width=2 * width, height=2 * height, k=k)
    with RosBench(tmp_path) as bench:
        bench.start(
            "input:=compressed_image",
            "scale_camera_info:=true",
            f"model:={model_path(tmp_path)}",
            remap=["image/compressed:=/camera/jpeg"],
        )
        bench.people = bench.client.listen(Person3DArray, "/erd_node/people")
        bench.keypoints = bench.client.publisher(CompressedImage, "/camera/jpeg")
        bench.info = bench.client.publisher(CameraInfo, "camera_info")
        bench.connect(bench.keypoints, bench.info)
        (person,) = bench.ask(info, message).persons
    assert 1 < person.root.z < 10  # metres: he stands in a room
    assert person.residual < 0.05 * height


def test_two_people_of_an_image_through_the_people_detector(tmp_path, shared_media):
    """Some ten metres away, by the camera's own calibration."""
    video = cv2.VideoCapture(str(shared_media / "two_people_outdoor.mp4"))
    video.set(cv2.CAP_PROP_POS_FRAMES, 90)
    frame_bgr = video.read()[1]
    video.release()
    height, width = frame_bgr.shape[:2]
    # Not raw: of five megabytes, sent with best effort, a busy machine loses pieces.
    message = CompressedImage(header=camera_info().header, format="jpeg")
    message.data.frombytes(cv2.imencode(".jpg", frame_bgr)[1].tobytes())
    k = [2520.09, 0.0, 884.0, 0.0, 2520.09, 497.0, 0.0, 0.0, 1.0]
    with RosBench(tmp_path) as bench:
        bench.start("input:=compressed_image", "detector:=people", f"model:={DEFAULT_MODEL}")
        bench.people = bench.client.listen(Person3DArray, "/erd_node/people")
        bench.keypoints = bench.client.publisher(CompressedImage, "image/compressed")
        bench.info = bench.client.publisher(CameraInfo, "camera_info")
        bench.connect(bench.keypoints, bench.info)
        people = bench.ask(camera_info(width=width, height=height, k=k, d=[]), message).persons
    assert [5 < person.root.z < 20 for person in people] == [True, True]
