"""REP-155's joint angles: put into the chains of its URDF they give the skeleton back."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

pytest.importorskip("rclpy", reason="rclpy is not installed: there is no node")

from ros_people import scene_of

from erd_ros.pose import Pose3D
from erd_ros.ros.bodies import body_rotations
from erd_ros.ros.human_model import human_joint_angles
from erd_ros.skeleton import H36M17, SKELETONS
from erd_ros.synthetic import synthesise

X, Y, Z = np.eye(3)
SIDES = {"l": ("left", 1), "r": ("right", -1)}


def axes(limb, side):
    """Joint names and axes of a limb from the body outwards, as the URDF has them."""
    if limb == "arm":
        names = ("y_shoulder", "p_shoulder", "r_shoulder", "elbow")
        return dict(zip(names, (-side * Z, side * X, side * Z, -Y), strict=True))
    names = ("y_hip", "p_hip", "r_hip", "knee")
    return dict(zip(names, (-Z, side * X, -Y, -Y), strict=True))


def bones_by_urdf(angles, limb, letter):
    """Directions of a limb's two bones in the body frame."""
    turned, bones = Rotation.identity(), []
    for name, axis in axes(limb, SIDES[letter][1]).items():
        turned = turned * Rotation.from_rotvec(axis * angles[f"{letter}_{name}"])
        bones.append(turned.apply(-Z))
    return bones[2], bones[3]


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def bones_seen(joints, body, limb, letter):
    names = ("shoulder", "elbow", "wrist") if limb == "arm" else ("hip", "knee", "ankle")
    points = [joints[H36M17.index(f"{SIDES[letter][0]}_{name}")] for name in names]
    return unit(np.diff(points, axis=0) @ body)


@pytest.fixture(scope="module")
def poses():
    """People who walk, turn and wave, and where each body is turned to."""
    joints = synthesise().truth_in_camera[::5].reshape(-1, len(H36M17), 3)
    persons = len(joints)
    unknown = np.zeros(persons, np.float32)
    pose = Pose3D(H36M17, joints - joints[:, :1], joints[:, 0], np.ones(joints.shape[:2]), unknown)
    people = scene_of(pose, [""] * persons).people
    return joints, body_rotations(people)


@pytest.mark.parametrize("letter", SIDES)
@pytest.mark.parametrize(("limb", "off"), [("arm", 1e-6), ("leg", 0.08)])
def test_limbs_point_where_they_do(poses, limb, off, letter):
    for joints, body in zip(*poses, strict=True):
        angles = human_joint_angles(H36M17, joints, body)
        expected = bones_seen(joints, body, limb, letter)
        first, second = bones_by_urdf(angles, limb, letter)
        np.testing.assert_allclose(first, expected[0], atol=1e-6)
        # A knee that is nearly straight is taken to bend backward, whatever noise says.
        np.testing.assert_allclose(second, expected[1], atol=off)


def posed(**places):
    """Somebody who stands straight in the body frame, with some joints elsewhere; metres."""
    joints = np.zeros((len(H36M17), 3))
    standing = {
        "thorax": (0, 0, 0.5), "head_top": (0, 0, 0.75),
        "left_shoulder": (0, 0.2, 0.5), "left_elbow": (0, 0.2, 0.2), "left_wrist": (0, 0.2, -0.1),
        "right_shoulder": (0, -0.2, 0.5), "right_elbow": (0, -0.2, 0.2),
        "right_wrist": (0, -0.2, -0.1),
        "left_hip": (0, 0.1, 0), "left_knee": (0, 0.1, -0.4), "left_ankle": (0, 0.1, -0.8),
        "right_hip": (0, -0.1, 0), "right_knee": (0, -0.1, -0.4), "right_ankle": (0, -0.1, -0.8),
    }  # fmt: skip
    for name, place in {**standing, **places}.items():
        joints[H36M17.index(name)] = place
    return human_joint_angles(H36M17, joints, np.eye(3))


def test_who_stands_straight_has_no_angles():
    angles = posed()
    assert len(angles) == 20
    np.testing.assert_allclose(list(angles.values()), 0, atol=1e-9)


def test_angles_are_what_they_are_called():
    lifted = posed(right_elbow=(0, -0.5, 0.5), right_wrist=(0, -0.8, 0.5))
    assert lifted["r_p_shoulder"] == pytest.approx(np.pi / 2)
    assert lifted["r_elbow"] == pytest.approx(0, abs=1e-6)
    bent = posed(left_wrist=(0.3, 0.2, 0.2))
    assert bent["l_elbow"] == pytest.approx(np.pi / 2)
    sitting = posed(left_knee=(0.4, 0.1, 0), left_ankle=(0.4, 0.1, -0.4))
    assert sitting["l_r_hip"] == pytest.approx(np.pi / 2)
    assert sitting["l_knee"] == pytest.approx(-np.pi / 2)
    nodding = posed(head_top=(0.25 * np.sin(0.3), 0, 0.5 + 0.25 * np.cos(0.3)))
    assert nodding["p_head"] == pytest.approx(-0.3)


def test_an_arm_that_swings_past_the_body_does_not_jump():
    swings = np.linspace(-0.5, 0.5, 40)
    turns = [posed(left_elbow=(0.3 * np.sin(a), 0.2, 0.5 - 0.3 * np.cos(a))) for a in swings]
    for name in ("l_y_shoulder", "l_p_shoulder"):
        assert np.abs(np.diff([angles[name] for angles in turns])).max() < 0.1


def test_what_is_not_known_is_left_out():
    folded = posed(left_wrist=(0, 0.2, 0.2))  # the wrist in the elbow
    assert {"l_y_shoulder", "l_p_shoulder"} <= folded.keys()
    assert not {"l_r_shoulder", "l_elbow"} & folded.keys()
    coco = SKELETONS["coco17"]
    joints = np.random.default_rng(0).normal(size=(len(coco), 3))
    assert not {"r_head", "y_head", "p_head"} & human_joint_angles(coco, joints, np.eye(3)).keys()
