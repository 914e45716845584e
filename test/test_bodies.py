"""Body frames by REP-155: x out of the chest, y to the left, z to the head."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from std_msgs.msg import Header

from erd_ros.errors import InputError
from erd_ros.pose import Pose3D
from erd_ros.ros.bodies import bodies, body_rotations, pose_array, transforms
from erd_ros.runtime.people import people_from_poses
from erd_ros.skeleton import H36M17, Skeleton

HEADER = Header(frame_id="camera")

# A figure in its own body frame: x forward, y left, z up, metres.
IN_BODY = np.zeros((17, 3))
IN_BODY[H36M17.index("left_hip")] = (0, 0.13, 0)
IN_BODY[H36M17.index("right_hip")] = (0, -0.13, 0)
IN_BODY[H36M17.index("thorax")] = (0, 0, 0.5)
IN_BODY[H36M17.index("head_top")] = (0.05, 0, 0.75)

# Standing and facing the camera: forward is towards it (-z), left is to its right (x), up is -y.
FACING = Rotation.from_matrix(np.array([[0, 1, 0], [0, 0, -1], [-1, 0, 0]]))


def people(rotations: list[Rotation], roots: np.ndarray):
    joints = np.stack(
        [turned.apply(IN_BODY) + root for turned, root in zip(rotations, roots, strict=True)]
    ).astype(np.float32)
    count = len(joints)
    poses = Pose3D(
        H36M17,
        joints,
        np.asarray(roots, np.float32),
        np.ones((count, 17), np.float32),
        np.zeros(count, np.float32),
    )
    ids = [f"b{number:04d}" for number in range(count)]
    return people_from_poses(poses, ids)


def test_rotation_is_the_one_the_figure_was_turned_by():
    turned = [FACING, *(FACING * Rotation.random(20, random_state=5))]
    roots = np.random.default_rng(1).normal((0, 0, 4), 1, (21, 3))
    rotations = body_rotations(people(turned, roots))
    expected = np.stack([rotation.as_matrix() for rotation in turned])
    np.testing.assert_allclose(rotations, expected, atol=1e-5)


def test_poses_and_transforms_say_the_same():
    rotation = FACING * Rotation.from_euler("z", 30, degrees=True)
    standing = people([rotation], np.array([[0.5, 0.2, 3.0]]))
    placed = bodies(standing)
    pose = pose_array(HEADER, placed).poses[0]
    transform = transforms(HEADER, placed)[0]
    assert transform.header.frame_id == "camera"
    assert transform.child_frame_id == "body_b0000"
    position, translation = pose.position, transform.transform.translation
    np.testing.assert_allclose((position.x, position.y, position.z), (0.5, 0.2, 3.0), rtol=1e-6)
    assert (translation.x, translation.y, translation.z) == (position.x, position.y, position.z)
    assert transform.transform.rotation == pose.orientation
    q = pose.orientation
    received = Rotation.from_quat((q.x, q.y, q.z, q.w))
    assert (received * rotation.inv()).magnitude() < 1e-5


def test_those_without_a_place_or_a_direction_are_left_out():
    everyone = people([FACING] * 3, np.array([[0, 0, 2.0], [1, 0, 2.0], [2, 0, 2.0]]))
    everyone.joints[0] = np.nan
    everyone.root[0] = np.nan
    everyone.joints[1] = 1.0  # all joints in one point
    assert [body.person_id for body in bodies(everyone)] == ["b0002"]


def test_nobody():
    poses = Pose3D(H36M17, *(np.zeros((0, *s), np.float32) for s in ((17, 3), (3,), (17,), ())))
    assert pose_array(HEADER, bodies(people_from_poses(poses, []))).poses == []


def test_layout_without_a_torso_is_refused():
    legs = Skeleton("legs", ("left_hip", "right_hip"), (-1, 0))
    poses = Pose3D(legs, *(np.zeros((1, *s), np.float32) for s in ((2, 3), (3,), (2,), ())))
    with pytest.raises(InputError, match="'legs' has none of thorax, neck"):
        body_rotations(people_from_poses(poses, ["b0001"]))
