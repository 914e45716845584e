"""MoveNet MultiPose: the graph that ships, its decoder, and what it finds on real video."""

import json
import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from erd_ros.errors import ArtifactError, InputError
from erd_ros.runtime.detectors.graphs import WEIGHTS, Graph
from erd_ros.runtime.detectors.multipose import MultiPose, MultiPoseConfig, letterboxed
from erd_ros.runtime.detectors.multipose_decode import Maps, People2D, decode
from erd_ros.runtime.detectors.oks import merged, similarity
from erd_ros.skeleton import COCO17

ROOT = Path(__file__).parents[1]
MEDIA = Path(os.environ.get("ERD_DATA", ROOT.parent / "shared")) / "media"
REFERENCE = json.loads((ROOT / "test/data/multipose_reference.json").read_text())
HEADS = ("center", "box_scale", "box_offset", "kpt_heatmap", "kpt_regress", "kpt_offset")


@pytest.fixture(scope="module")
def graph():
    return Graph(WEIGHTS / "movenet_multipose_heads.onnx", HEADS)


def frame(name, number):
    video = MEDIA / name
    if not video.is_file():
        pytest.skip(f"{video} is not there")
    capture = cv2.VideoCapture(str(video))
    for _ in range(number):
        assert capture.grab()
    there, image = capture.read()
    assert there
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


@pytest.mark.parametrize("case", REFERENCE, ids=lambda case: f"{case['frame']}-{case['size']}")
def test_heads_and_decoder_are_the_original_graph(graph, case):
    """The whole graph in TensorFlow gave these; see scripts/multipose_reference.py."""
    small = letterboxed(frame(case["video"], case["frame"]), case["size"]).image
    assert list(small.shape[:2]) == case["input"]
    center, *others = (output[0] for output in graph(small[None].astype(np.int32)))
    people = decode(Maps(center[0], *others), 0.0, 6)
    down, across = case["input"]
    for row in np.array(case["people"]):
        expected = row[:51].reshape(17, 3)[:, [1, 0, 2]] * (across, down, 1)
        like = np.abs(people.keypoints - expected).max((1, 2)).argmin()
        np.testing.assert_allclose(people.keypoints[like], expected, atol=0.05)
        np.testing.assert_allclose(people.keypoints[like, :, 2], expected[:, 2], atol=1e-3)
        np.testing.assert_allclose(people.scores[like], row[55], atol=1e-3)
        box = row[[52, 51, 54, 53]] * (across, down, across, down)
        np.testing.assert_allclose(people.boxes[like], box, atol=0.05)


def test_more_than_six_people_are_found(graph):
    """The original's limit; the man at the table, nine times in one image."""
    man = frame("one_person_indoor.mp4", 300)[:, 330:630]
    crowd = np.tile(man, (3, 3, 1))
    people = MultiPose(MultiPoseConfig(sizes=(768,)))(crowd)
    cells = {(int(box[1] + box[3]) // 864, int(box[0] + box[2]) // 600) for box in people.boxes}
    assert len(cells) == 9


def test_two_people_outdoors_are_found_once_each():
    people = MultiPose()(frame("two_people_outdoor.mp4", 60))
    assert len(people) == 2
    assert (people.scores > 0.5).all()


def test_an_empty_room_holds_nobody():
    assert len(MultiPose()(frame("one_person_indoor.mp4", 0))) == 0


@pytest.mark.parametrize("shape", [(1, 1, 3), (2, 500, 3), (1000, 3, 3), (64, 4096, 3)])
def test_images_of_any_size_hold_nobody_when_black(shape):
    assert len(MultiPose()(np.zeros(shape, np.uint8))) == 0


def person(column, score=0.9):
    random = np.random.default_rng(0)
    places = random.uniform(0, 100, (17, 2)) + np.array([column, 0])
    return np.concatenate([places, np.full((17, 1), score)], -1).astype(np.float32)


def people(*keypoints):
    count = len(keypoints)
    scores = np.array([one[0, 2] for one in keypoints], np.float32)
    return People2D(np.array(keypoints), np.zeros((count, 4), np.float32), scores)


def test_similarity_is_one_for_the_same_and_falls_with_distance():
    row = similarity(person(0)[None], np.array([person(0), person(2), person(20), person(500)]))[0]
    assert row[0] == pytest.approx(1)
    assert (np.diff(row) < 0).all()
    assert row[3] < 1e-6


def test_people_found_twice_are_one_in_the_middle_by_their_scores():
    found = merged(people(person(0, 0.3), person(2, 0.9), person(300, 0.2)), 0.4)
    assert found.scores.tolist() == pytest.approx([0.9, 0.2])
    np.testing.assert_allclose(found.keypoints[0], person(1.5, 0.9), rtol=1e-6)
    np.testing.assert_allclose(found.keypoints[1], person(300, 0.2), rtol=1e-6)
    assert len(merged(people(person(0)).chosen(np.s_[:0]), 0.4)) == 0


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"sizes": ()}, "sizes is .* expected one or more of 32 to 2048"),
        ({"sizes": (16,)}, "sizes is .* expected one or more of 32 to 2048"),
        ({"min_score": float("nan")}, "min_score is nan, expected 0 to 1"),
        ({"same": 1.5}, "same is 1.5, expected 0 to 1"),
        ({"most": 0}, "most is 0, expected 1 or more"),
    ],
)
def test_settings_that_make_no_sense_are_refused(setting, message):
    with pytest.raises(InputError, match=message):
        MultiPoseConfig(**setting)


def test_another_graph_is_refused_with_what_was_expected(tmp_path):
    with pytest.raises(ArtifactError, match=r"expected \['image'\] and \['center'"):
        MultiPose(file=WEIGHTS / "robot_erd.onnx")
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"no graph")
    with pytest.raises(ArtifactError, match="not an ONNX file that can be run"):
        MultiPose(file=broken)
    with pytest.raises(ArtifactError, match="is not there"):
        MultiPose(file=tmp_path / "missing.onnx")


def test_pixels_count_from_the_centre_of_the_first_pixel():
    """Mirroring an image W wide takes column u to W - 1 - u; a cell here is 12 pixels."""
    image = frame("one_person_indoor.mp4", 300)
    finder = MultiPose(MultiPoseConfig(sizes=(256, 384)))
    one = finder(image).keypoints[0]
    other = finder(np.ascontiguousarray(image[:, ::-1])).keypoints[0, list(COCO17.flip)]
    assert abs(np.median(one[:, 0] + other[:, 0] - (image.shape[1] - 1))) < 2
