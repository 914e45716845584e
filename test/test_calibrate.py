"""How far joints err: measured, written into the model file, and said of every pose."""

import shutil

import numpy as np
import pytest
from test_estimator import CAMERA, keypoints_of
from tiny_mocap import write_tiny_mocap
from untrained import write_models

pytest.importorskip("torch", reason="PyTorch is not installed: nothing is measured here")

from erd_ros.cli import main
from erd_ros.errors import ArtifactError
from erd_ros.evaluate.coverage import coverage
from erd_ros.evaluate.deviations import with_deviations
from erd_ros.evaluate.robot_protocol import evaluate_robot, robot_scene
from erd_ros.evaluate.steps import load_steps
from erd_ros.mocap import read_mocap
from erd_ros.runtime import load
from erd_ros.runtime.estimator import Estimator
from erd_ros.runtime.people import PeopleFilter, moved, people_from_poses
from erd_ros.runtime.uncertainty import covariances, joint_deviations

SOURCES = ["cmu", "accad"]
TABLE = (((0.01, 0.0), (0.02, 0.0)),) + (((0.03, 0.04), (0.05, 0.12)),) * 16


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_tiny_mocap(tmp_path_factory.mktemp("mocap"), SOURCES, frames=600)


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    return write_models(tmp_path_factory.mktemp("model"), "cues")[".onnx"]


@pytest.fixture
def model_file(exported, tmp_path):
    """A copy that a test may change."""
    return shutil.copy(exported, tmp_path / "model.onnx")


def erring(scene, size, sigma):
    """Joints and roots that are the truth and errors of just the table's size."""
    generator = np.random.default_rng(0)
    direction = scene.root / np.linalg.norm(scene.root, axis=-1, keepdims=True)
    seen = scene.confidence > 0
    deviations = joint_deviations(np.float32(TABLE), seen, size, sigma)
    relative = np.sqrt(deviations[..., 1:] ** 2 - sigma[:, None, None] ** 2)
    drawn = generator.standard_normal((*seen.shape, 3)) * deviations[..., :1]
    across = drawn - (drawn * direction[:, None]).sum(-1, keepdims=True) * direction[:, None]
    along = relative * generator.standard_normal((*seen.shape, 1))
    away = sigma[:, None] * generator.standard_normal((len(seen), 1))
    joints = scene.joints + across + along * direction[:, None]
    return joints, scene.root + away * direction


def calibrate(model, data, *more):
    return main(["calibrate", str(model), "--data", str(data), "--sources", *SOURCES, *more])


def scene_of(data, split):
    return robot_scene(read_mocap(data, SOURCES, split), 0).scene


def test_a_table_of_seen_and_inferred_joints_becomes_metres():
    seen = np.ones((2, 17), bool)
    seen[1, 3] = False
    size, sigma = np.float32([1.6, 1.5]), np.float32([0.3, 0.5])
    deviations = joint_deviations(np.float32(TABLE), seen, size, sigma)
    assert deviations.shape == (2, 17, 2)
    assert deviations.dtype == np.float32
    np.testing.assert_allclose(deviations[:, 0], [[0.016, 0.3], [0.015, 0.5]], rtol=1e-6)
    np.testing.assert_allclose(deviations[0, 3], [0.048, np.hypot(0.064, 0.3)], rtol=1e-6)
    np.testing.assert_allclose(deviations[1, 3], [0.075, np.hypot(0.18, 0.5)], rtol=1e-6)


def test_a_covariance_has_the_ray_for_an_axis():
    direction = np.array([0.0, 0.6, 0.8])
    covariance = covariances(direction, np.array([[0.02, 0.3], [np.nan, 0.3]]))
    np.testing.assert_allclose(covariance[0] @ direction, 0.09 * direction)
    np.testing.assert_allclose(np.linalg.eigvalsh(covariance[0]), [0.0004, 0.0004, 0.09])
    assert np.isnan(covariance[1]).all()


def test_what_is_measured_covers_errors_of_others_too(model_file, data, capsys):
    before = model_file.read_bytes()
    plain = load_steps(model_file)
    assert evaluate_robot({"it": model_file}, data, SOURCES, "test", 0)["coverage"] == {}
    assert calibrate(model_file, data) == 0
    assert "across the ray joints err by at most" in capsys.readouterr().out
    assert model_file.read_bytes() != before
    model = load_steps(model_file)
    assert len(model.info.deviations) == 17
    assert [along for _, along in model.info.deviations[0]] == [0, 0]
    rays, confidence = (getattr(scene_of(data, "test"), n)[:50] for n in ("rays", "confidence"))
    for one, other in zip(plain(rays, confidence), model(rays, confidence), strict=True):
        np.testing.assert_array_equal(one[0], other[0])
    figures = evaluate_robot({"it": model_file}, data, SOURCES, "val", 0)
    assert set(figures["coverage"]["it"]) == {"seen", "inferred"}


def test_errors_as_large_as_said_are_covered_as_a_gaussian_is(data):
    scene = scene_of(data, "test")
    said = np.full(len(scene.root), 1.6), np.full(len(scene.root), 0.2)
    for figures in coverage(TABLE, erring(scene, *said), said, scene).values():
        assert figures["joints"] > 1000
        assert figures["within_sigma_percent"] == pytest.approx(68.3, abs=2.5)
        assert figures["within_two_sigma_percent"] == pytest.approx(95.4, abs=1.5)


def test_every_pose_of_such_a_file_says_how_sure_its_joints_are(model_file):
    model_file.write_bytes(with_deviations(model_file.read_bytes(), TABLE))
    keypoints = keypoints_of()
    keypoints.confidence[1, 3] = 0
    pose = Estimator(load(model_file)).estimate(keypoints, CAMERA)
    assert pose.deviations is not None
    np.testing.assert_allclose(pose.deviations[:, 0, 1], pose.sigma, rtol=1e-6)
    across = pose.deviations[..., 0] / pose.size[:, :1]
    assert across[0, 3] == pytest.approx(0.03)
    assert across[1, 3] == pytest.approx(0.05)


def test_covariances_turn_with_the_frame_and_grow_while_nobody_is_seen(model_file):
    model_file.write_bytes(with_deviations(model_file.read_bytes(), TABLE))
    pose = Estimator(load(model_file)).estimate(keypoints_of(), CAMERA)
    people = people_from_poses(pose, ["a", "b", "c"])
    np.testing.assert_array_equal(people.covariance, people.of_joints[:, 0])
    turn = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
    turned = moved(people, turn, np.ones(3))
    np.testing.assert_allclose(turned.of_joints[1, 4], turn @ people.of_joints[1, 4] @ turn.T)
    known = PeopleFilter()
    known.update(people, np.zeros(3), 0.0)
    nobody = people_from_poses(
        Estimator(load(model_file)).estimate(keypoints_of(np.zeros((0, 3))), CAMERA), []
    )
    lost = known.update(nobody, np.zeros(3), 0.4)
    added = lost.of_joints - people.of_joints
    np.testing.assert_allclose(added, np.broadcast_to(added[0, 0, 0, 0] * np.eye(3), added.shape))
    assert added[0, 0, 0, 0] > 0.01
    assert np.isnan(known.update(nobody, np.zeros(3), 9.0).of_joints).all()


def test_what_cannot_be_measured_is_said(tmp_path, model_file, data, capsys):
    for folder in ("plain", "few"):
        (tmp_path / folder).mkdir()
    without_cues = write_models(tmp_path / "plain")[".onnx"]
    assert calibrate(without_cues, data) == 1
    assert "takes no cues" in capsys.readouterr().err
    few = write_tiny_mocap(tmp_path / "few", SOURCES, frames=20)
    before = model_file.read_bytes()
    assert calibrate(model_file, few) == 1
    assert "100 are needed; give more of cmu, accad" in capsys.readouterr().err
    assert model_file.read_bytes() == before
    (tmp_path / "foreign.onnx").write_bytes(b"no model")
    assert calibrate(tmp_path / "foreign.onnx", data) == 1
    with pytest.raises(ArtifactError):
        with_deviations(without_cues.read_bytes(), TABLE[:3])
