"""Messages in, messages out, without a node: the same each time to the bit, and on in a loop."""

import copy
import re
import time

import numpy as np
import pytest
from crossings import CAMERA, RATE_HZ, crossing, walks
from erd_ros.msg import Person3DArray
from odd_images import black_png, jpeg_that_claims, png_with_chunk_length
from ros_people import camera_info, contents, message_of, model_path
from sensor_msgs.msg import CompressedImage, Image

from erd_ros.geometry.camera import Camera
from erd_ros.ros.convert import ReceivedKeypoints, keypoints_from_message
from erd_ros.ros.inputs import KeypointFrontEnd
from erd_ros.ros.parameters import NodeParameters
from erd_ros.ros.people_message import PeopleWriter
from erd_ros.ros.pipeline import Inputs, Pipeline
from erd_ros.ros.scene import FrameError
from erd_ros.runtime import load

INFO = camera_info(CAMERA)


@pytest.fixture(scope="module")
def backend(tmp_path_factory):
    return load(model_path(tmp_path_factory.mktemp("model")))


@pytest.fixture(scope="module")
def recorded(shared_data):
    """Three seconds in which two people cross: messages without ids, as a detector sends them."""
    clips = walks(shared_data / "cmu.npz")
    frames = crossing(clips[4], clips[5], (4.0, 4.6), noise=0.02, missing=0.2)
    return [message_of(keypoints, 50 + f / RATE_HZ) for f, (_, keypoints, _) in enumerate(frames)]


def pipeline(backend, remarks):
    parameters = NodeParameters(input="keypoints")
    return Pipeline(parameters, backend, None, lambda cause, _: remarks.append(cause))


def replay(recorded, backend, rounds=1):
    """What a node answers to the messages, played ``rounds`` times in a row."""
    remarks = []
    running = pipeline(backend, remarks)
    writer = PeopleWriter(backend.info.skeleton, "")
    answers, ids = [], []
    for _ in range(rounds):
        for message in recorded:
            scene = running.scene(Inputs(message, INFO))
            answers.append(contents(writer.write(scene)))
            ids.append(
                {
                    n
                    for n, gone in zip(scene.people.ids, scene.people.ended, strict=True)
                    if not gone
                }
            )
    return answers, ids, remarks


def test_played_twice_the_answers_are_the_same(recorded, backend):
    first, ids, _ = replay(recorded, backend)
    assert first == replay(recorded, backend)[0]
    assert set.union(*ids) == {"b0001", "b0002"}


def test_in_a_loop_ids_go_on(recorded, backend):
    _, ids, remarks = replay(recorded, backend, rounds=3)
    length = len(recorded)
    rounds = [set.union(*ids[begin : begin + length]) for begin in range(0, 3 * length, length)]
    assert rounds == [{"b0001", "b0002"}, {"b0003", "b0004"}, {"b0005", "b0006"}]
    assert remarks.count("time went back") == 2


def test_people_who_hide_each_other_are_predicted_near_where_they_are(
    recorded, backend, shared_data
):
    running = pipeline(backend, [])
    clips = walks(shared_data / "cmu.npz")
    frames = list(crossing(clips[4], clips[5], (4.0, 4.6)))
    off_m = []
    for frame, (truth, keypoints, order) in enumerate(frames):
        people = running.scene(Inputs(message_of(keypoints, frame / RATE_HZ), INFO)).people
        for row in np.flatnonzero(people.unseen_s > 0):
            (hidden,) = set(range(2)) - set(order)
            # Across the image: how far away somebody is, is another matter.
            off_m.append(abs(people.root[row, 0] - truth[hidden, 0, 0]))
    assert len(off_m) > 3
    assert np.median(off_m) < 0.3


def test_late_messages_are_dropped_and_jumps_forward_are_not(recorded, backend):
    running = pipeline(backend, [])
    ids = running.scene(Inputs(recorded[0], INFO)).people.ids
    late = message_of(next(crossing_keypoints(recorded)), 49.8)
    with pytest.raises(FrameError, match=r"0\.200 s before the last one"):
        running.scene(Inputs(late, INFO))
    assert running.scene(Inputs(recorded[1], INFO)).people.ids == ids
    later = message_of(next(crossing_keypoints(recorded)), 5000.0)
    people = running.scene(Inputs(later, INFO)).people
    assert people.ended.tolist() == [False, False, True, True]


def crossing_keypoints(recorded):
    for message in recorded:
        yield keypoints_from_message(message, (CAMERA.width, CAMERA.height)).keypoints


def test_people_of_a_zed_are_in_the_optical_frame_of_its_camera_info(recorded, backend):
    """Its messages name the frame that looks along x, where the positions would be wrong."""
    remarks = []
    running = pipeline(backend, remarks)
    message = copy.deepcopy(recorded[0])
    message.header.frame_id = "zed_left_camera_frame"
    running.front_end = KeypointFrontEnd(type(message), keypoints_from_message, True)
    scene = running.scene(Inputs(message, INFO))
    assert scene.header.frame_id == INFO.header.frame_id
    assert scene.header.stamp == message.header.stamp
    assert remarks == []
    keypoints = keypoints_from_message(message, None).keypoints
    wrong = ReceivedKeypoints(keypoints, focal_px=1e4)
    running.front_end = KeypointFrontEnd(type(message), lambda *_: wrong, True)
    with pytest.raises(FrameError, match="pub_resolution: NATIVE") as error:
        running.scene(Inputs(recorded[1], INFO))
    assert error.value.cause == "size mismatch"


@pytest.mark.parametrize("frame_id", ["", "/camera"])
def test_a_frame_that_is_none_for_tf_is_remarked_on_once_an_image(recorded, backend, frame_id):
    remarks = []
    running = pipeline(backend, remarks)
    message, info = copy.deepcopy(recorded[0]), copy.deepcopy(INFO)
    message.header.frame_id = info.header.frame_id = frame_id
    people = running.scene(Inputs(message, info)).people
    assert np.isfinite(people.root).all()
    assert remarks == ["frame_id"]


@pytest.fixture(scope="module")
def on_images(backend):
    """Pipelines with a real detector, by their input."""
    pytest.importorskip("mediapipe", reason="mediapipe is not installed")
    made = {
        name: Pipeline(NodeParameters(input=name), backend, None, lambda cause, said: None)
        for name in ("image", "compressed_image")
    }
    yield made
    for one in made.values():
        one.close()


def compressed(data: bytes) -> CompressedImage:
    message = CompressedImage(header=INFO.header, format="png")
    message.data.frombytes(data)
    return message


def raw(width: int, height: int, encoding: str, step: int, size: int = 0) -> Image:
    message = Image(header=INFO.header, width=width, height=height, encoding=encoding, step=step)
    message.data.frombytes(bytes(size))
    return message


def test_an_image_of_another_size_is_refused_before_it_is_decoded(on_images):
    """A PNG whose pixels are damaged: only who decodes it can say so."""
    png = bytearray(black_png(80, 60))
    at = png.index(b"IDAT") + 4
    png[at : at + 8] = bytes(8)
    running, message = on_images["compressed_image"], compressed(bytes(png))
    with pytest.raises(FrameError, match="the image is 80x60") as refused:
        running.scene(Inputs(message, INFO))
    assert refused.value.cause == "size mismatch"
    with pytest.raises(FrameError, match="cannot be decoded: its content is damaged"):
        running.scene(
            Inputs(message, camera_info(Camera(80, 60, [[70, 0, 40], [0, 70, 30], [0, 0, 1]])))
        )


@pytest.mark.parametrize("info", [INFO, None], ids=["camera", "no camera"])
@pytest.mark.parametrize(
    ("message", "said"),
    [
        (compressed(jpeg_that_claims(65000, 16000)), "65000x16000, more than the 33.6 million"),
        (compressed(black_png(10000, 10000)), "10000x10000, more than the 33.6 million"),
        (compressed(png_with_chunk_length(2**31 - 1)), "a PNG chunk of 2147483647 bytes"),
        (raw(2**15, 2**16, "mono8", 2**15), "32768x65536, more than the 33.6 million"),
        (raw(2**31, 1, "rgb8", 2**32 - 1), "2147483648x1, more than"),
        (raw(640, 480, "rgb8", 2**31), "holds 0 bytes, but 480 rows of 2147483648 bytes"),
        (raw(640, 480, "rgb8", 1919, 1919 * 480), "step is 1919 bytes, but 640 pixels"),
        (raw(640, 480, "rgb8", 1920, 1920 * 480 - 1), "holds 921599 bytes"),
        (raw(641, 480, "yuv422", 1282, 1282 * 480), "yuv422 image is 641 pixels wide"),
    ],
    ids=lambda value: value[:20] if isinstance(value, str) else "",
)
def test_no_image_larger_than_it_is_reaches_the_detector(on_images, message, said, info):
    name = "image" if isinstance(message, Image) else "compressed_image"
    begin_s = time.monotonic()
    with pytest.raises(FrameError, match=said) as refused:
        on_images[name].scene(Inputs(message, info))
    assert time.monotonic() - begin_s < 0.1
    assert refused.value.cause == "bad image"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"k": [1200.0, 0, 640, 0, 1200, 480, 0, 0, 1]}, "1280x960 and not an image of 640x480"),
        ({"k": [300.0, 0, 160, 0, 300, 120, 0, 0, 1]}, "320x240 and not an image of 640x480"),
        ({"k": [0.94, 0, 0.5, 0, 1.25, 0.5, 0, 0, 1]}, "0.94 and 1.25.*fractions"),
        ({"k": [4.2, 0, 2.4, 0, 4.2, 1.8, 0, 0, 1]}, "4.2 and 4.2.*millimetres"),
        ({"k": [600.0, 0, 0, 0, 600, 0, 0, 0, 1]}, r"\(0, 0\), expected near \(320, 240\)"),
        ({"k": [600.0, 0, 320, 0, 6000, 240, 0, 0, 1]}, "600 and 6000 pixels"),
        ({"d": [300.0, -200.0, 0.0, 0.0, 0.0]}, r"D = \[300.0"),
        ({"d": [-300.0, 200.0, 0.0, 0.0, 0.0]}, r"D = \[-300.0"),
    ],
)
def test_a_calibration_that_cannot_be_places_nobody_and_is_named(recorded, backend, change, said):
    running = pipeline(backend, [])
    scene = running.scene(Inputs(recorded[0], camera_info(**change)))
    assert scene.state == Person3DArray.NO_ROOT
    assert scene.problem.cause == "bad camera info"
    assert re.search(said, str(scene.problem))
    assert len(scene.people.ids) == 2
    assert np.isnan(scene.people.root).all()
    assert np.isfinite(running.scene(Inputs(recorded[1], INFO)).people.root).any()
