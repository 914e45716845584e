"""The protocol of cues: what is drawn, sizes handed on along tracks, the command."""

import json

import numpy as np
import pytest
from tiny_mocap import write_tiny_mocap
from untrained import write_models

torch = pytest.importorskip("torch", reason="PyTorch is not installed: no training here")
pytest.importorskip("onnx", reason="onnx is not installed: no export here")

from erd_ros.cli import main
from erd_ros.evaluate.cue_protocol import EXACT, NONE, SETTINGS, evaluate_cues
from erd_ros.evaluate.scenes import fixed_views
from erd_ros.evaluate.summary import true_size
from erd_ros.mocap import TEST_CAMERAS, read_human36m_cameras, read_mocap
from erd_ros.models.sizing import size_of
from erd_ros.skeleton import H36M17


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_tiny_mocap(tmp_path_factory.mktemp("mocap"))


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    return {
        root: write_models(tmp_path_factory.mktemp(root), root)[".onnx"]
        for root in ("cues", "perspective")
    }


@pytest.fixture(scope="module")
def figures(models, data):
    return evaluate_cues(models["cues"], data, ["cmu"])


@pytest.fixture(scope="module")
def views(data):
    return fixed_views(read_mocap(data, ["cmu"], "test"), read_human36m_cameras(data, TEST_CAMERAS))


def test_cameras_stand_where_they_say(views):
    """The ground is where the lowest joints of the people are."""
    height = (views.points_in_camera * views.up[:, None]).sum(-1) + views.camera_height[:, None]
    mocap_lowest = height.min(1)
    np.testing.assert_allclose(np.linalg.norm(views.up, axis=-1), 1, atol=1e-6)
    assert np.abs(mocap_lowest).max() < 0.3


def test_tracks_are_frames_of_one_clip_and_camera(views):
    for track in np.unique(views.track):
        up = views.up[views.track == track]
        np.testing.assert_allclose(up, np.broadcast_to(up[0], up.shape))


def test_sizes_are_those_of_training(views):
    points = views.points_in_camera
    of_training = size_of(torch.from_numpy(points), H36M17).numpy()
    np.testing.assert_allclose(true_size(points), of_training)


def test_every_setting_has_its_figures(figures):
    assert set(figures) == {"exact", "detected"}
    for settings in figures.values():
        assert set(settings) == set(SETTINGS)
        assert all(np.isfinite(value) for one in settings.values() for value in one.values())
        assert settings[NONE]["closed_percent"] == 0
        assert settings[EXACT]["closed_percent"] == pytest.approx(100)


def test_an_exact_root_leaves_no_error_in_depth(figures):
    assert figures["exact"][EXACT]["mrpe_mm"] < 0.7 * figures["exact"][NONE]["mrpe_mm"]
    assert figures["exact"][EXACT]["sigma_mm"] < 2


def test_one_good_cue_serves_later_frames(figures):
    """The tiny people are rigid and all frames of a track are one person's."""
    first = "depth to 5 cm in the first tenth of a track"
    errors = figures["exact"]
    assert errors[first]["size_error_mm"] < errors[NONE]["size_error_mm"]
    carried = errors[f"{first}, size carried"]["size_error_mm"]
    assert carried < 0.95 * errors[first]["size_error_mm"]


def test_a_better_size_is_a_smaller_error(figures):
    errors = [figures["exact"][f"size to {cm} cm"]["size_error_mm"] for cm in (1, 2, 4)]
    assert errors == sorted(errors)
    # Gaussian: the mean absolute error is 0.8 deviations, here of some tracks alone.
    assert errors[0] < 20


def test_command(models, data, tmp_path, capsys):
    out, page = tmp_path / "cues.json", tmp_path / "page.md"
    page.write_text("<!-- erd evaluate, cues: begin -->\n<!-- erd evaluate, cues: end -->\n")
    arguments = ["--protocol", "cues", "--data", str(data), "--sources", "cmu"]
    picture = tmp_path / "cues.png"
    wanted = ["--json", str(out), "--markdown", str(page), "--plot", str(picture)]
    assert main(["evaluate", str(models["cues"]), *arguments, *wanted]) == 0
    assert "depth to 5 cm" in capsys.readouterr().out
    assert json.loads(out.read_text())["seed"] == 0
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert "| depth to 5 cm |" in page.read_text()
    assert main(["evaluate", str(models["perspective"]), *arguments]) == 1
    assert "takes no cues" in capsys.readouterr().err
