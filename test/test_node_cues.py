"""What the node knows besides keypoints reaches the model, and the message says which it was."""

import importlib.util
import math

import numpy as np
import pytest
from builtin_interfaces.msg import Time
from erd_ros.msg import Person3D
from ros_harness import RosBench
from ros_people import CAMERAS, FRAME_ID, camera_info, message_of, model_path, seen_by
from scipy.spatial.transform import Rotation
from sensor_msgs.msg import Image

from erd_ros.cues import ANKLE_HEIGHT
from erd_ros.errors import InputError
from erd_ros.geometry.camera import Camera
from erd_ros.pose import Keypoints2D
from erd_ros.ros.depth import DepthImages, depths_of_people, metres_from_depth_image
from erd_ros.ros.frames import Placement
from erd_ros.ros.knowledge import cues_of_persons, used_cues
from erd_ros.ros.parameters import NodeParameters
from erd_ros.ros.pipeline import Inputs, Pipeline
from erd_ros.runtime import DEFAULT_MODEL, load
from erd_ros.skeleton import COCO17

PINHOLE = CAMERAS["pinhole"]


def depth_image(values, encoding="32FC1", padding=0):
    values = np.asarray(values, {"32FC1": np.float32, "16UC1": np.uint16}[encoding])
    height, width = values.shape
    message = Image(height=height, width=width, encoding=encoding)
    message.step = values.itemsize * width + padding
    rows = np.pad(values.view(np.uint8).reshape(height, -1), ((0, 0), (0, padding)))
    message.data.frombytes(rows.tobytes())
    message.header.frame_id = FRAME_ID
    return message


def two_people():
    """COCO's keypoints of two, with the hips at (100, 50) and (300, 50), and (20, 60), (40, 60)."""
    pixels = np.full((2, 17, 2), 30.0)
    left, right = COCO17.index("left_hip"), COCO17.index("right_hip")
    pixels[0, left], pixels[0, right] = (100, 50), (300, 50)
    pixels[1, left], pixels[1, right] = (20, 60), (40, 60)
    return Keypoints2D(COCO17, pixels, np.ones((2, 17)))


def test_nothing_known_is_no_cue():
    cues = cues_of_persons(NodeParameters(), None, [0, 0])
    assert [used_cues(cue) for cue in cues] == [0, 0]
    assert all(math.isinf(cue.size_deviation) for cue in cues)


def test_height_is_from_the_ground_and_size_from_the_ankle():
    parameters = NodeParameters(person_height_deviation=0.03)
    (cue, other) = cues_of_persons(parameters, None, [1.78, 0])
    assert cue.size == pytest.approx(1.78 - ANKLE_HEIGHT)
    assert cue.size_deviation == 0.03
    assert [used_cues(cue), used_cues(other)] == [Person3D.CUE_SIZE, 0]


def test_ground_is_seen_from_the_camera():
    # The optical frame of a camera that looks along x, 1.1 m above ground, tilted down by 20 deg.
    level = np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]])
    tilted = level @ Rotation.from_euler("x", -20, degrees=True).as_matrix()
    placement = Placement(tilted, np.array([4.0, 5.0, 1.1]))
    (cue, _) = cues_of_persons(NodeParameters(), placement, [0, 0])
    assert cue.camera_height == 1.1
    np.testing.assert_allclose(
        cue.up, (0, -math.cos(math.radians(20)), -math.sin(math.radians(20))), atol=1e-9
    )
    assert used_cues(cue) == Person3D.CUE_GROUND


SMALL = Camera(320, 120, [[300, 0, 160], [0, 300, 60], [0, 0, 1]])


def test_depth_is_that_of_the_body_around_the_middle_of_the_hips():
    depths = np.full((120, 320), np.nan, np.float32)
    depths[30:70, 180:220] = 3.0
    depths[45:55, 195:205] = 9.0  # some pixels that see past the body
    depths[60, 30] = 5.0  # one pixel is no body
    found = depths_of_people(two_people(), depth_image(depths), SMALL, (FRAME_ID,))
    # The pelvis lies behind what is seen of it.
    np.testing.assert_allclose(found, [3.1, np.nan], rtol=1e-6)


@pytest.mark.parametrize(
    ("encoding", "missing"),
    [("32FC1", (0, -1, np.nan, np.inf, -np.inf)), ("16UC1", (0, 65535))],
)
def test_what_is_no_return_is_not_measured(encoding, missing):
    unit = {"32FC1": 1, "16UC1": 1000}[encoding]
    for value in missing:
        image = np.full((120, 320), value)
        found = depths_of_people(two_people(), depth_image(image, encoding), SMALL, (FRAME_ID,))
        assert np.isnan(found).all()
        image[::2] = 3 * unit  # every other row
        found = depths_of_people(two_people(), depth_image(image, encoding), SMALL, (FRAME_ID,))
        np.testing.assert_allclose(found, 3.1, rtol=1e-6)


def test_a_depth_image_of_another_size_or_frame_is_refused():
    fits = depth_image(np.ones((120, 320)))
    with pytest.raises(InputError, match=r"is 320x120, the camera's image 640x480.*registered"):
        depths_of_people(two_people(), fits, PINHOLE, (FRAME_ID,))
    with pytest.raises(InputError, match=rf"frame '{FRAME_ID}', the camera's image in 'colour'"):
        depths_of_people(two_people(), fits, SMALL, ("colour", "rgb"))


def test_depth_images_are_metres_whatever_their_unit():
    metres = np.array([[1.5, np.nan, 3.25], [0.5, 2.0, 8.0]])
    np.testing.assert_allclose(metres_from_depth_image(depth_image(metres, padding=4)), metres)
    millimetres = np.nan_to_num(metres * 1000)
    np.testing.assert_allclose(
        metres_from_depth_image(depth_image(millimetres, "16UC1", padding=2)),
        metres,
        rtol=1e-6,
    )
    wrong = depth_image(metres)
    wrong.encoding = "rgb8"
    with pytest.raises(InputError, match="'rgb8' of the depth image; publish one of 32FC1, 16UC1"):
        metres_from_depth_image(wrong)
    short = depth_image(metres)
    short.height = 3
    with pytest.raises(InputError, match="too few for 3x3 in 32FC1"):
        metres_from_depth_image(short)


def test_the_depth_image_nearest_in_time_is_taken_if_it_is_near():
    images = DepthImages()
    assert images.of(Time(sec=1)) is None
    for nanosec in (0, 40_000_000, 80_000_000):
        message = depth_image(np.ones((1, 1)))
        message.header.stamp = Time(sec=1, nanosec=nanosec)
        images.put(message)
    assert images.of(Time(sec=1, nanosec=50_000_000)).header.stamp.nanosec == 40_000_000
    assert images.of(Time(sec=1, nanosec=200_000_000)) is None


@pytest.mark.parametrize("error", ["metres", "millimetres", "size", "frame"])
def test_a_depth_that_cannot_be_changes_nothing(error):
    """Against the same people without a depth image."""
    backend = load(DEFAULT_MODEL)
    message, info = message_of(seen_by(PINHOLE), 1.0), camera_info()
    unit = {"millimetres": 1000}.get(error, 1)
    image = depth_image(np.full((480, 640), 4.0 * unit))
    if error == "size":
        image = depth_image(np.full((240, 320), 4.0))
    elif error == "frame":
        image.header.frame_id = "left_infrared"
    remarks = []
    parameters = NodeParameters(input="keypoints", use_depth=True)
    pipeline = Pipeline(parameters, backend, None, lambda *remark: remarks.append(remark))
    people = pipeline.scene(Inputs(message, info, image)).people
    alone = Pipeline(NodeParameters(input="keypoints"), backend, None, lambda *_: None)
    without = alone.scene(Inputs(message, info)).people
    if error == "metres":
        np.testing.assert_allclose(people.root[:, 2], 4.1, atol=0.1)
        assert (people.cues == Person3D.CUE_DEPTH).all()
        assert remarks == []
        return
    np.testing.assert_allclose(people.root, without.root, atol=1e-5)
    assert (people.cues == 0).all()
    assert {cause for cause, _ in remarks} == {
        "depth refused" if error == "millimetres" else "no depth"
    }
    if error == "millimetres":
        assert "person 0 at 4000.10 m, by the keypoints it is" in remarks[0][1]


def ask_with_depth(bench, stamp_s, depth_m):
    message = message_of(seen_by(PINHOLE), stamp_s)
    image = depth_image(np.full((480, 640), depth_m * 1000), "16UC1")
    image.header.stamp = message.header.stamp
    bench.depth.publish(image)
    bench.client.spin_for(0.2)  # the image is large and comes on a topic of its own
    return bench.ask(camera_info(), message).persons


def test_a_depth_image_and_a_height_decide_where_people_are(tmp_path):
    with RosBench(tmp_path) as bench:
        bench.start_on_keypoints(
            str(DEFAULT_MODEL), "use_depth:=true", "depth_deviation:=0.001",
            "person_height:=1.7", "person_height_deviation:=1.0", "smoothing_lag:=0.0",
        )  # fmt: skip
        bench.depth = bench.client.publisher(Image, "depth_image")
        bench.connect(bench.depth)
        for stamp_s, depth_m in ((1.0, 3.5), (2.0, 4.0)):
            for person in ask_with_depth(bench, stamp_s, depth_m):
                assert person.cues == Person3D.CUE_SIZE + Person3D.CUE_DEPTH
                assert person.root.z == pytest.approx(depth_m + 0.1, abs=0.02)
                assert math.isfinite(person.size)
                assert person.size_deviation > 0
                assert 0 < np.trace(np.diag(person.root_covariance[[0, 3, 5]])) < 0.1
        alone = bench.ask(camera_info(), message_of(seen_by(PINHOLE), 3.0)).persons
        assert {person.cues for person in alone} == {Person3D.CUE_SIZE}
        # What was measured with the depth is known of the same persons without it.
        assert all(person.size_deviation < 0.1 for person in alone)
        assert "no depth image" in bench.process.log()


def test_a_model_without_cues_says_so(tmp_path, model_files):
    with RosBench(tmp_path) as bench:
        bench.start_on_keypoints(model_files[".onnx"], "person_height:=1.7")
        persons = bench.ask(camera_info(), message_of(seen_by(PINHOLE), 1.0)).persons
        assert {person.cues for person in persons} == {0}
        assert all(math.isnan(person.size) for person in persons)
        assert "the model takes no cues" in bench.process.log()


@pytest.mark.skipif(importlib.util.find_spec("tf2_ros") is not None, reason="tf2_ros is installed")
@pytest.mark.parametrize("name", ["target_frame", "ground_frame"])
def test_frames_without_tf2_are_an_error_that_names_it(tmp_path, name):
    with RosBench(tmp_path) as bench:
        bench.start("input:=keypoints", f"model:={model_path(tmp_path)}", f"{name}:=map")
        assert bench.process.wait() == 1
        (line,) = bench.process.log().splitlines()
    assert "need tf2_ros, which cannot be imported" in line
