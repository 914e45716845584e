"""Detectors and the model on real video with a truth: reading it, and the figures."""

import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from erd_ros.cli import main
from erd_ros.errors import InputError
from erd_ros.evaluate.video_protocol import evaluate_video
from erd_ros.evaluate.video_views import LIMBS, read_clip, relative
from erd_ros.runtime import DEFAULT_MODEL

ROOT = Path(__file__).parents[1]
SHARED = Path(os.environ.get("ERD_DATA", ROOT.parent / "shared"))
TRUTH = SHARED / "tools/multiview/development_clip.npz"


def views(folder, count):
    for index in range(count):
        (folder / f"{index + 1}.mp4").touch()
    return folder


def tiny_truth(file, frames=2, **changed):
    arrays = {
        "truth": np.full((1, frames, 12, 3), 3.0),
        "world": np.zeros((1, frames, 33, 3)),
        "K": np.array([[[500.0, 0, 160], [0, 500, 120], [0, 0, 1]]]),
        "D": np.zeros((1, 5)),
        "size": np.array([[320.0, 240.0]]),
        "good": np.ones(frames, bool),
        "fps": 25.0,
    }
    np.savez(
        file, **{name: value for name, value in (arrays | changed).items() if value is not None}
    )
    return file


def test_perfect_keypoints_of_the_development_clip_give_the_known_error(tmp_path):
    """Measured by hand with the same rule before this protocol was: 0.59 of MediaPipe's own 3D."""
    if not TRUTH.is_file():
        pytest.skip(f"{TRUTH} is not there")
    figures = evaluate_video(DEFAULT_MODEL, views(tmp_path, 4), TRUTH, [])
    assert figures["mediapipe_own_3d_mm"] == pytest.approx(118.2, abs=0.5)
    row = figures["detectors"]["perfect 2D"]
    assert row["as given"]["ratio"] == pytest.approx(0.594, abs=0.01)
    assert (row["median_px"], row["exchanged_frames"]) == (pytest.approx(0, abs=1e-3), 0)


def test_limbs_are_relative_to_the_middle_of_the_hips():
    joints = np.random.default_rng(0).normal(size=(5, 12, 3))
    hips = [LIMBS.index(f"{side}_hip") for side in ("left", "right")]
    np.testing.assert_allclose(relative(joints)[:, hips].mean(1), 0, atol=1e-12)


def test_the_command_shows_a_table_for_real_images(tmp_path, capsys):
    writer = cv2.VideoWriter(
        str(tmp_path / "1.mp4"), cv2.VideoWriter_fourcc(*"mp4v"), 25, (320, 240)
    )
    for _ in range(3):
        writer.write(np.zeros((240, 320, 3), np.uint8))
    writer.release()
    random = np.random.default_rng(0)
    truth = random.normal((0, 0, 3), 0.3, (1, 2, 12, 3))
    file = tiny_truth(tmp_path / "truth.npz", truth=truth)
    options = ["--protocol", "video", "--views", str(tmp_path), "--truth", str(file)]
    main(["evaluate", *options, "--detectors", "multipose", "--json", str(tmp_path / "out.json")])
    shown = capsys.readouterr().out
    assert "multipose" in shown
    assert "perfect 2D" in shown
    assert (tmp_path / "out.json").is_file()


def test_what_does_not_fit_is_refused(tmp_path):
    truth = tiny_truth(tmp_path / "truth.npz")
    with pytest.raises(InputError, match=r"has 0 \.mp4 files, .* is of 1 views"):
        read_clip(tmp_path, truth)
    with pytest.raises(InputError, match="is not there"):
        read_clip(tmp_path, tmp_path / "missing.npz")
    with pytest.raises(InputError, match="has no good, fps"):
        read_clip(tmp_path, tiny_truth(tmp_path / "less.npz", good=None, fps=None))
    with pytest.raises(InputError, match="unknown detector 'x'; choose from mediapipe"):
        evaluate_video(DEFAULT_MODEL, tmp_path, truth, ["x"])
    with pytest.raises(InputError, match="ends after 0 frames, its truth has 2"):
        next(read_clip(views(tmp_path, 1), truth).images(0))
