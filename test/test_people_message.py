"""People to messages: every value, and what each state looks like."""

import math
from dataclasses import replace

import numpy as np
import pytest
from erd_ros.msg import Joint3D, Person3D
from ros_people import scene_of

from erd_ros.pose import Pose3D
from erd_ros.ros.people_message import PeopleWriter, ahead_s, moved_on
from erd_ros.ros.scene import possible_joints
from erd_ros.runtime.people import PeopleConfig, PeopleFilter
from erd_ros.skeleton import BLAZEPOSE33, H36M17


def scene(count: int, possible=None, **changes):
    rng = np.random.default_rng(count)
    joints = rng.normal(size=(count, 17, 3)).astype(np.float32)
    poses = {
        "joints_in_camera": joints,
        "root_in_camera": joints[:, 0].copy(),
        "confidence": np.full((count, 17), 0.75, np.float32),
        "residual_px": np.arange(count, dtype=np.float32),
    }
    ids = [f"b{number:04d}" for number in range(count)]
    poses.update(changes)
    return scene_of(Pose3D(H36M17, **poses), ids, possible=possible)


def test_person_message_has_every_value():
    confidence = np.full((2, 17), 0.75, np.float32)
    confidence[1, 3] = 0
    written = scene(2, confidence=confidence)
    message = PeopleWriter(H36M17, "onnxruntime cpu float32").write(written)
    assert message.header == written.header
    assert message.layout == "h36m17"
    assert tuple(message.joint_names) == H36M17.joint_names
    assert tuple(message.parents) == H36M17.parents
    assert message.backend == "onnxruntime cpu float32"
    for index, person3d in enumerate(message.persons):
        assert person3d.id == f"b000{index}"
        assert person3d.residual == index
        assert person3d.score == pytest.approx(0.75)
        points = [(j.position.x, j.position.y, j.position.z) for j in person3d.joints]
        np.testing.assert_array_equal(points, written.people.joints[index])
        root = person3d.root
        np.testing.assert_array_equal((root.x, root.y, root.z), written.people.root[index])
        assert np.isnan(person3d.root_covariance).all()
        assert all(np.isnan(joint.covariance).all() for joint in person3d.joints)
        np.testing.assert_allclose([j.score for j in person3d.joints], confidence[index])
    assert [p.state for p in message.persons] == [Person3D.FULL, Person3D.PARTIAL_BODY]
    states = [joint.state for joint in message.persons[1].joints]
    assert states == [Joint3D.INFERRED if j == 3 else Joint3D.OBSERVED for j in range(17)]


def test_person_without_a_place_is_there_but_nan():
    nan = np.full((1, 17, 3), np.nan, np.float32)
    written = scene(
        1,
        joints_in_camera=nan,
        root_in_camera=nan[:, 0],
        confidence=np.zeros((1, 17), np.float32),
        residual_px=np.array([np.nan], np.float32),
    )
    person3d = PeopleWriter(H36M17, "").write(written).persons[0]
    assert person3d.state == Person3D.NO_ROOT
    assert math.isnan(person3d.root.x)
    assert math.isnan(person3d.residual)
    assert person3d.score == 0
    assert {joint.state for joint in person3d.joints} == {Joint3D.MISSING}


def test_joints_that_the_detector_never_gives_leave_a_body_full():
    confidence = np.ones((1, 17), np.float32)
    possible = possible_joints(BLAZEPOSE33, H36M17)
    assert not possible[H36M17.index("head_top")]
    confidence[:, ~possible] = 0
    written = scene(1, confidence=confidence, possible=possible)
    person3d = PeopleWriter(H36M17, "").write(written).persons[0]
    assert person3d.state == Person3D.FULL
    assert person3d.joints[H36M17.index("head_top")].state == Joint3D.INFERRED


def test_a_kept_message_follows_the_number_of_people():
    writer = PeopleWriter(H36M17, "")
    for count in (0, 3, 1, 4, 0):
        message = writer.write(scene(count))
        assert [p.id for p in message.persons] == [f"b000{i}" for i in range(count)]


def test_uncertainty_lies_along_the_ray_and_size_stands_beside_it():
    root = np.array([[3.0, 0.0, 4.0]], np.float32)  # 5 m away
    written = scene(
        1,
        root_in_camera=root,
        sigma=np.array([0.5], np.float32),
        size=np.array([[1.6, 0.07, 1.5, 0.1]], np.float32),
    )
    written = replace(written, people=replace(written.people, cues=np.array([Person3D.CUE_GROUND])))
    person3d = PeopleWriter(H36M17, "").write(written).persons[0]
    # 0.25 m2 along (0.6, 0, 0.8): xx, xy, xz, yy, yz, zz.
    np.testing.assert_allclose(person3d.root_covariance, [0.09, 0, 0.12, 0, 0, 0.16], atol=1e-7)
    assert person3d.size == pytest.approx(1.6)
    assert person3d.size_deviation == pytest.approx(0.07)
    assert person3d.cues == Person3D.CUE_GROUND


def test_each_joint_says_how_sure_it_is():
    root = np.array([[3.0, 0.0, 4.0]], np.float32)  # 5 m away
    deviations = np.tile(np.float32([0.02, 0.3]), (1, 17, 1))
    deviations[0, 5] = [0.2, 0.5]
    written = scene(1, root_in_camera=root, deviations=deviations)
    person3d = PeopleWriter(H36M17, "").write(written).persons[0]

    def expected(across, along):
        outer = np.outer([0.6, 0, 0.8], [0.6, 0, 0.8])
        covariance = across**2 * (np.eye(3) - outer) + along**2 * outer
        return [covariance[row] for row in zip(*np.triu_indices(3), strict=True)]

    np.testing.assert_allclose(person3d.root_covariance, expected(0.02, 0.3), atol=1e-7)
    for index, joint in enumerate(person3d.joints):
        of_joint = expected(0.2, 0.5) if index == 5 else expected(0.02, 0.3)
        np.testing.assert_allclose(joint.covariance, of_joint, atol=1e-7)


def test_states_of_those_who_are_not_seen():
    people = PeopleFilter(PeopleConfig(prediction_timeout_s=0.5))
    seen, nobody = scene(1).people, scene(0).people
    writer = PeopleWriter(H36M17, "")
    for stamp_s, now, states in [
        (0.0, seen, [Person3D.FULL]),
        (0.3, nobody, [Person3D.PREDICTED]),
        (0.6, nobody, [Person3D.ENDED]),
        (0.7, nobody, []),
    ]:
        said = replace(scene(0), people=people.update(now, np.zeros(3), stamp_s))
        persons = writer.write(said).persons
        assert [person3d.state for person3d in persons] == states
        assert all(person3d.unseen == pytest.approx(stamp_s) for person3d in persons)


def test_who_is_moved_on_is_known_less_surely():
    now = scene(2).people
    velocity = np.array([[1.0, 0, -0.5], [np.nan] * 3])
    unsure = np.zeros((2, 3, 3)), np.zeros((2, 17, 3, 3))
    now = replace(now, velocity=velocity, covariance=unsure[0], of_joints=unsure[1])
    later = moved_on(now, 0.2)
    step = 0.5 * (1 - np.exp(-0.4)) * velocity
    step[1] = 0
    np.testing.assert_allclose(later.root - now.root, step, atol=1e-9)
    np.testing.assert_allclose(
        later.joints - now.joints, step[:, None] + np.zeros((17, 3)), atol=1e-9
    )
    spread = 0.01 * np.eye(3)
    np.testing.assert_allclose(later.covariance, np.broadcast_to(spread, (2, 3, 3)))
    np.testing.assert_allclose(later.of_joints, np.broadcast_to(spread, (2, 17, 3, 3)))


@pytest.mark.parametrize("seconds", [0.3, 1.0, 60.0])
def test_nobody_is_moved_behind_the_camera(seconds):
    now = scene(1).people
    for distance_m in (0.5, 2.0, 4.0):
        root = np.array([[0.1, 0, distance_m]])
        fast = replace(now, root=root, joints=now.joints, velocity=-3 * root)
        later = moved_on(fast, seconds)
        assert later.root[0, 2] > 0
        away = moved_on(replace(fast, root=root + 7, velocity=-3 * root), seconds, (7, 7, 7))
        assert away.root[0, 2] > 7
        assert np.linalg.norm(moved_on(replace(fast, velocity=root), 60.0).root - root) < 2.1


def test_an_age_that_no_image_has_moves_nobody():
    assert [ahead_s(age) for age in (0.0, 0.25, 1.0)] == [0.0, 0.25, 1.0]
    assert [ahead_s(age) for age in (1.01, 59.0, math.nan)] == [0.0] * 3
