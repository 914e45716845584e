"""`erd data`: from 2D errors, measured, simulated or drawn, to their model."""

import json
from dataclasses import replace

import numpy as np
import pytest
from test_data_prepare import refused
from tiny_datasets import people

from erd_ros.cli import main
from erd_ros.data.error_table import read_error_table
from erd_ros.mocap import Cameras, Clip, write_clips
from erd_ros.skeleton import H36M17


def drawn_errors(samples=4000):
    """(N, 2, 2) pixels: of the wrist 10 % anywhere within 50 pixels, of the hip none."""
    generator = np.random.default_rng(0)
    errors = generator.normal((1, -2), (3, 5), (samples, 2, 2))
    far = generator.random(samples) < 0.1
    errors[far, 1] = generator.uniform(-50, 50, (far.sum(), 2))
    errors[::7, 0] = np.nan
    return errors


def fitted(path):
    return json.loads(path.read_text())["joints"]


@pytest.mark.parametrize("suffix", [".npz", ".csv"])
def test_a_table_of_errors_becomes_a_model(tmp_path, capsys, suffix):
    pytest.importorskip("torch", reason="PyTorch is not installed: no error models here")
    errors, names = drawn_errors(), ("right_hip", "left_wrist")
    table = tmp_path / f"errors{suffix}"
    if suffix == ".npz":
        np.savez(table, errors=errors, joint_names=np.array(names))
    else:
        rows = [
            f"{name},{x},{y}"
            for joint, name in reversed(list(enumerate(names)))
            for x, y in errors[:, joint]
            if np.isfinite(x)
        ]
        table.write_text("\n".join(["joint,x,y", *rows]) + "\n")
    out = tmp_path / "model.json"
    assert main(["data", "fit-errors", str(table), "--out", str(out)]) == 0
    assert "mixture of 2 joints" in capsys.readouterr().out
    joints = fitted(out)
    assert list(joints) == list(names)
    assert joints["right_hip"]["mean"] == pytest.approx([1, -2], abs=0.3)
    assert joints["left_wrist"]["deviation"] == pytest.approx([3, 5], rel=0.1)
    assert joints["left_wrist"]["inlier_share"] == pytest.approx(0.9, abs=0.03)
    assert main(["data", "fit-errors", str(table), "--out", str(out), "--model", "gaussian"]) == 0
    spread = np.nanstd(errors, axis=0)
    assert fitted(out)["left_wrist"]["deviation"] == pytest.approx(spread[1], rel=1e-3)


def test_tables_that_are_broken(tmp_path, capsys):
    pytest.importorskip("torch", reason="PyTorch is not installed: no error models here")

    def message(name):
        return refused(capsys, "fit-errors", tmp_path / name, "--out", tmp_path / "model.json")

    assert "ends in '.txt', expected .npz or .csv" in message("a.txt")
    assert "a.csv does not exist" in message("a.csv")
    (tmp_path / "a.csv").write_text("joint,u,v\n")
    assert "a.csv, line 1: ['joint', 'u', 'v'], expected ['joint', 'x', 'y']" in message("a.csv")
    (tmp_path / "a.csv").write_text("joint,x,y\nright_hip,1,2\nright_hip,1\n")
    assert "a.csv, line 3: 'right_hip,1', expected a joint's name and two" in message("a.csv")
    (tmp_path / "a.csv").write_text("joint,x,y\n")
    assert "a.csv has no row" in message("a.csv")
    np.savez(tmp_path / "a.npz", errors=np.ones((5, 3, 2)), joint_names=np.array(["a", "b"]))
    assert "have the shape (5, 3, 2), expected (N, 2, 2)" in message("a.npz")
    np.savez(tmp_path / "a.npz", errors=np.ones((5, 3, 2)))
    assert "a.npz cannot be read: " in message("a.npz")
    np.savez(tmp_path / "a.npz", errors=np.array([{}]), joint_names=np.array(["a"]))
    assert "a.npz cannot be read: " in message("a.npz")  # a pickle
    (tmp_path / "a.npz").write_bytes((tmp_path / "a.npz").read_bytes()[:100])
    assert "a.npz cannot be read: " in message("a.npz")


def by_hand(points, camera):
    """OpenCV's pinhole with k1, k2, p1, p2, k3, as its documentation writes it."""
    turn, move, intrinsics, (k1, k2, p1, p2, k3) = camera
    x, y, z = (points @ turn.T + move).T
    x, y = x / z, y / z
    r2 = x**2 + y**2
    radial = 1 + k1 * r2 + k2 * r2**2 + k3 * r2**3
    u = x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x**2)
    v = y * radial + p1 * (r2 + 2 * y**2) + 2 * p2 * x * y
    return np.stack([intrinsics[0, 0] * u + intrinsics[0, 2],
                     intrinsics[1, 1] * v + intrinsics[1, 2]], -1)  # fmt: skip


def seen_clip(split, errors):
    """Two cameras see somebody 5 m away; their keypoints are off by ``errors`` (F, 2, 17, 2)."""
    level = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
    turns = np.stack([level, level @ np.diag([-1.0, -1, 1])])
    moves = np.array([[0, 1, 5.0], [0.2, 1.1, 4.8]])
    lenses = np.array([[[1145.0, 0, 512], [0, 1143, 515], [0, 0, 1]]] * 2)
    distortion = np.array([[-0.2, 0.24, -0.001, 0.002, 0.01], [-0.19, 0.2, 0.003, 0.001, -0.02]])
    positions = people(len(errors)).astype(np.float32)
    exact = [
        by_hand(positions.reshape(-1, 3), camera).reshape(-1, 17, 2)
        for camera in zip(turns, moves, lenses, distortion, strict=True)
    ]
    keypoints = np.stack(exact, 1) + errors
    cameras = Cameras(("a", "b"), turns, moves, lenses, distortion)
    return Clip(split, "S1", "", split, positions, 25.0, keypoints.astype(np.float32), cameras)


def test_errors_of_a_real_detector_are_measured(tmp_path, capsys):
    errors = np.random.default_rng(0).normal(0, 10, (12, 2, 17, 2))
    errors[3, 1, 5] = np.nan
    clips = [seen_clip("train", errors), seen_clip("test", errors[:4])]
    clips[0].positions_in_world[7, 8] = np.nan
    write_clips(tmp_path / "mine.npz", clips, "a test")
    words = ["data", "measure-errors", str(tmp_path / "mine.npz"), "--out", str(tmp_path / "t.npz")]
    assert main(words) == 0
    assert "errors of 24 images in 1 clips" in capsys.readouterr().out
    table, names = read_error_table(tmp_path / "t.npz")
    expected = errors.copy()
    expected[7, :, 8] = np.nan
    assert names == H36M17.joint_names
    np.testing.assert_allclose(table, expected.reshape(-1, 17, 2), atol=1e-3)
    assert "no clip to measure errors on" in refused(capsys, *words[1:], "--split", "val")
    bare = [replace(clip, cameras=None) for clip in clips]
    write_clips(tmp_path / "mine.npz", bare, "a test")
    assert "prepare the data set with --detections and --cameras" in refused(capsys, *words[1:])


def test_errors_of_the_simulated_detector_become_a_model(shared_data, tmp_path, capsys):
    pytest.importorskip("torch", reason="PyTorch is not installed: no detector here")
    table, model = tmp_path / "table.npz", tmp_path / "model.json"
    words = ["--data", str(shared_data), "--subject", "cmu_05", "--seed", "3"]
    assert main(["data", "simulate-errors", *words, "--out", str(table)]) == 0
    assert main(["data", "fit-errors", str(table), "--out", str(model)]) == 0
    assert len(fitted(model)) == 17
    with np.load(table) as archive:
        assert archive["errors"].shape[1:] == (17, 2)
    assert "errors of 17 joints" in capsys.readouterr().out
    assert "ends in .npz" in refused(
        capsys, "simulate-errors", *words, "--out", tmp_path / "table.csv"
    )
