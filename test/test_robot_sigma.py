"""How honest the deviation of the distance is, as the robot protocol says it."""

import numpy as np
import pytest
from tiny_mocap import write_tiny_mocap

pytest.importorskip("torch", reason="PyTorch is not installed: no training here")

from erd_ros.evaluate.robot_present import markdown
from erd_ros.evaluate.robot_protocol import evaluate_robot
from erd_ros.evaluate.scenes import Scene
from erd_ros.evaluate.summary import pose_errors
from erd_ros.runtime import DEFAULT_MODEL

SOURCES = ("cmu", "accad")


def test_sigmas_are_held_against_the_error_of_the_distance():
    truth = np.array([[0.0, 0, 4], [0, 3, 4], [0, 0, 2]])
    joints = np.zeros((3, 17, 3)) + np.arange(17)[:, None]
    scene = Scene(np.zeros((3, 17, 2)), np.ones((3, 17)), joints, truth)
    found = truth * np.array([[1.05], [1.05], [1.05]])  # 20, 25 and 10 cm too far
    errors = pose_errors(joints, found, scene, sigma=np.array([0.21, 0.2, 0.04])).of_poses
    np.testing.assert_array_equal(errors["within_sigma_percent"], [100, 0, 0])
    np.testing.assert_array_equal(errors["within_two_sigma_percent"], [100, 100, 0])
    np.testing.assert_allclose(errors["sigma_mm"], [210, 200, 40])


def test_the_model_that_ships_says_how_sure_it_is(tmp_path):
    data = write_tiny_mocap(tmp_path, SOURCES, frames=60)
    figures = evaluate_robot({"release": DEFAULT_MODEL}, data, SOURCES, "test", 0)
    lifter, *_, last = figures["models"]["release"]["steps"]
    assert 0 < last["within_sigma_percent"] <= last["within_two_sigma_percent"] <= 100
    assert "sigma_mm" not in lifter
    assert "release, sigma of the distance" in markdown(figures, "erd")
