"""The demo's figures, against answers known by construction and against real motion capture."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import SHARED

from erd_ros.demo.drawing import draw_keypoints, from_jpeg, jpeg
from erd_ros.demo.figures import (
    errors_against,
    figures,
    frame_to_frame,
    stature,
    steadiness,
    truth_of_published,
)
from erd_ros.demo.picture import best_answer, save_picture
from erd_ros.demo.recording import Recording
from erd_ros.demo.tables import tables
from erd_ros.errors import InputError
from erd_ros.skeleton import H36M17
from erd_ros.synthetic import ANKLE_HEIGHT, synthesise

PERIOD_NS = 40_000_000
START_NS = 1_700_000_000_123_456_789


def recording_of(joints, ids=("b0001", "b0002"), dropped=(), images=True) -> Recording:
    """A recording of joints (F, P, J, 3), all frames answered but those named."""
    sequence = synthesise()
    frames, people = joints.shape[:2]
    stamps = START_NS + PERIOD_NS * np.arange(frames)
    answered = np.setdiff1d(np.arange(frames), dropped)
    files = [
        jpeg(draw_keypoints((1280, 720), sequence.keypoints(frame)))
        for frame in (range(0, frames, 10) if images else ())
    ]
    rows = len(answered) * people
    camera = sequence.camera
    return Recording(
        backend="onnxruntime cpu float32",
        layout=H36M17.name,
        joint_names=np.array(H36M17.joint_names),
        parents=np.array(H36M17.parents),
        published_ns=stamps,
        answered_ns=stamps[answered],
        arrived_ns=PERIOD_NS * answered,
        latency_s=np.full(len(answered), 0.004, np.float32),
        age_s=np.full(len(answered), 0.005, np.float32),
        message=np.repeat(np.arange(len(answered)), people),
        ids=np.tile(ids, len(answered)),
        joints=joints[answered].reshape(rows, 17, 3).astype(np.float32),
        scores=np.ones((rows, 17), np.float32),
        residual_px=np.full(rows, 3.0, np.float32),
        images_ns=stamps[: len(files) * 10 : 10],
        image_ends=np.cumsum([len(file) for file in files], dtype=np.int64),
        image_bytes=np.concatenate([np.zeros(0, np.uint8), *files]),
        camera_size=np.array([camera.width, camera.height]),
        camera_intrinsics=camera.intrinsics,
        camera_distortion=np.array(camera.distortion),
        camera_distortion_model=camera.distortion_model,
    )


@pytest.fixture(scope="module")
def truth():
    return synthesise().truth_in_camera


@pytest.mark.parametrize("source", ["cmu", "accad", "uiprmd", "mhad"])
def test_stature_of_real_people_is_that_of_adults_and_of_their_upright_frames(source):
    file = SHARED / "data" / f"{source}.npz"
    if not file.is_file():
        pytest.skip(f"{file} is not there; ERD_DATA may name the folder that holds data/")
    with np.load(file) as data:
        positions, subjects = data["positions"], data["clip_subject"][data["clip_id"]]
    for subject in np.unique(subjects):
        joints = positions[subjects == subject][::20]
        estimate = np.median(stature(H36M17, joints))
        # Independent of the bones: top of the head above the lower ankle, standing upright.
        extent = np.percentile(joints[:, 10, 2] - joints[:, [3, 6], 2].min(1), 95)
        assert 1.45 < estimate < 1.9, f"{source} {subject}"
        assert -0.01 < estimate - extent / (1 - ANKLE_HEIGHT) < 0.09, f"{source} {subject}"


def test_errors_are_those_put_in(truth):
    """Every root 100 mm too far along z, every wrist 170 mm further: 10 mm over 17 joints."""
    joints = truth + np.array([0, 0, 0.1])
    joints[:, :, H36M17.index("left_wrist"), 2] += 0.17
    recording = recording_of(joints, dropped=[3, 4, 100])
    error = errors_against(recording, truth_of_published(recording, truth))
    assert error["mrpe_mm"] == pytest.approx(100, abs=0.01)
    assert error["mpjpe_mm"] == pytest.approx(10, abs=0.01)
    assert error["absolute_mpjpe_mm"] == pytest.approx(110, abs=0.01)
    assert error["persons_compared"] == 2 * (250 - 3)


def test_an_answer_to_a_frame_not_yet_heard_of_is_left_out(truth):
    recording = recording_of(truth, images=False)
    early = replace(recording, published_ns=recording.published_ns[:-1])
    error = errors_against(early, truth_of_published(early, truth))
    assert error["persons_compared"] == 2 * 249
    assert error["absolute_mpjpe_mm"] == pytest.approx(0, abs=0.01)


def test_truth_repeats_with_the_sequence(truth):
    recording = recording_of(np.concatenate([truth, truth[:50]]), images=False)
    error = errors_against(recording, truth_of_published(recording, truth))
    assert error["absolute_mpjpe_mm"] == pytest.approx(0, abs=0.01)


def test_figures_of_a_known_recording(truth):
    found = figures(recording_of(truth, dropped=[10, 20]))
    assert (found["people_at_once"], found["ids"]) == (2, 2)
    assert (found["frames_published"], found["frames_answered"]) == (250, 248)
    assert found["frames_dropped"] == 2
    # 248 answers in 249 periods of 40 ms.
    assert found["rate_hz"] == pytest.approx(247 / (249 * 0.04))
    assert found["latency_s"]["p99"] == pytest.approx(0.004)
    walker = found["people"]["b0001"]
    assert walker["height_m"]["median"] == pytest.approx(1.78, abs=1e-5)
    assert 3.2 < walker["distance_m"]["p5"] < walker["distance_m"]["p95"] < 5.1
    assert walker["bone_length_variation"]["worst"] < 1e-5


def test_variation_of_bone_lengths_is_that_put_in(truth):
    """The whole body scaled by 1 +- 0.02, alternately: 2 % deviation, 4 % from frame to frame."""
    scale = 1 + 0.02 * np.where(np.arange(250) % 2, 1, -1)
    joints = truth[:, 0] * scale[:, None, None]
    assert list(steadiness(H36M17, joints).values()) == pytest.approx([0.02] * 8, rel=1e-3)
    assert frame_to_frame(H36M17, joints) == pytest.approx(0.04, rel=0.03)


def test_a_person_without_a_root_is_counted_but_not_measured(truth):
    joints = truth.copy()
    joints[:, 1] = np.nan
    found = figures(recording_of(joints))
    assert found["ids_too_short_to_measure"] == 1
    assert list(found["people"]) == ["b0001"]
    assert found["people_at_once"] == 2


def test_nobody_in_view_is_a_result_not_an_error(truth, tmp_path):
    recording = recording_of(truth[:, :0], ids=())
    found = figures(recording)
    assert found["people"] == {}
    assert found["people_at_once"] == 0
    assert len(tables(found)) == 2
    save_picture(recording, tmp_path / "nobody.png", "nobody")


def test_picture_shows_people_in_their_colours(truth, tmp_path):
    recording = recording_of(truth)
    path = tmp_path / "demo.png"
    save_picture(recording, path, "two adults", truth_of_published(recording, truth))
    picture = cv2.imread(str(path))
    assert picture.shape == (1000, 1600, 3)
    for blue_green_red in ((178, 114, 0), (0, 159, 230)):
        near = np.abs(picture.astype(int) - blue_green_red).max(-1) < 12
        assert near.sum() > 1000


def test_skeletons_are_shown_without_images_too(truth, tmp_path):
    recording = recording_of(truth, images=False)
    assert best_answer(recording) is not None
    save_picture(recording, tmp_path / "demo.png", "keypoints of a bag")


def test_image_shown_is_of_the_answer_shown(truth):
    recording = recording_of(truth)
    answer = best_answer(recording)
    assert recording.answered_ns[answer] in recording.images_ns
    image = from_jpeg(recording.image(0))
    assert image.shape == (720, 1280, 3)


def test_recording_is_read_back_as_written(truth, tmp_path):
    recording = recording_of(truth)
    recording.save(tmp_path / "recording.npz")
    again = Recording.load(tmp_path / "recording.npz")
    np.testing.assert_array_equal(again.joints, recording.joints)
    assert again.skeleton == H36M17
    assert again.backend == recording.backend
    assert again.camera.distortion == recording.camera.distortion
    assert [path.name for path in tmp_path.iterdir()] == ["recording.npz"]


@pytest.mark.parametrize("content", [None, b"", b"PK\x03\x04 cut short", b"text"])
def test_what_is_no_recording_is_said(tmp_path: Path, content):
    path = tmp_path / "recording.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=r"recording .*recording\.npz cannot be read: "):
        Recording.load(path)
