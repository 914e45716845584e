"""Who is there over time: smoothed, predicted, ended; in whatever frame."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from erd_ros.errors import InputError
from erd_ros.pose import Pose3D
from erd_ros.runtime.people import PeopleConfig, PeopleFilter, moved, people_from_poses
from erd_ros.runtime.smoothing import SmoothingConfig
from erd_ros.skeleton import H36M17

HERE = np.zeros(3)
FIGURE = np.random.default_rng(2).normal(0, 0.4, (17, 3))
FIGURE[0] = 0
RAW = SmoothingConfig(lag_s=0.0)


def seen(roots, ids=None, sigma=None):
    """Persons with the pelvis at ``roots`` (N, 3), in the camera frame."""
    roots = np.asarray(roots, np.float32).reshape(-1, 3)
    count = len(roots)
    poses = Pose3D(
        H36M17,
        (FIGURE + roots[:, None]).astype(np.float32),
        roots,
        np.ones((count, 17), np.float32),
        np.ones(count, np.float32),
        sigma=None if sigma is None else np.full(count, sigma, np.float32),
    )
    return people_from_poses(poses, ids or [f"b{n:04d}" for n in range(count)])


def test_the_first_image_is_taken_as_it_is():
    first = seen([(0, 0, 3), (1, 0, 4)])
    said = PeopleFilter().update(first, HERE, 10.0)
    assert said.ids == first.ids
    np.testing.assert_allclose(said.joints, first.joints, atol=1e-6)
    np.testing.assert_array_equal(said.velocity, 0)
    assert not said.ended.any()


def test_velocity_of_a_walk_is_its_velocity():
    people = PeopleFilter()
    for frame in range(60):
        said = people.update(seen([(frame * 0.04, 0, 4 - frame * 0.02)]), HERE, frame / 25)
    np.testing.assert_allclose(said.velocity[0], (1.0, 0, -0.5), atol=0.01)
    assert abs(said.root[0, 0] - 59 * 0.04) < 0.03


def test_noise_of_the_distance_does_not_let_the_pose_tremble():
    generator = np.random.default_rng(0)
    people = PeopleFilter()
    poses, directions = [], []
    for frame in range(200):
        said = people.update(seen([(0, 0, generator.normal(4, 0.1))]), HERE, frame / 25)
        poses.append(said.joints[0] - said.root[0])
        directions.append(said.root[0] / np.linalg.norm(said.root[0]))
    np.testing.assert_allclose(poses, np.broadcast_to(FIGURE, (200, 17, 3)), atol=1e-5)
    np.testing.assert_allclose(directions, np.broadcast_to((0, 0, 1), (200, 3)), atol=1e-9)


def test_someone_lost_goes_on_ever_more_slowly_and_is_ended_once():
    people = PeopleFilter(PeopleConfig(1.0, RAW))
    for frame in range(50):
        last = people.update(seen([(frame * 0.04, 0, 4)], sigma=0.1), HERE, frame / 25)
    way, spread = [], []
    for unseen in range(1, 26):
        said = people.update(seen([]), HERE, (49 + unseen) / 25)
        assert said.ids == ["b0000"]
        assert said.unseen_s[0] == pytest.approx(unseen / 25)
        way.append(said.root[0, 0] - last.root[0, 0])
        spread.append(np.sqrt(said.covariance[0, 0, 0]))
        np.testing.assert_allclose(said.joints[0] - said.root[0], FIGURE, atol=1e-6)
    # v T (1 - exp(-t / T)) with v = 1 m/s, T = 0.5 s.
    np.testing.assert_allclose(way, 0.5 * (1 - np.exp(-np.arange(1, 26) / 25 / 0.5)), atol=2e-3)
    assert np.all(np.diff(spread) > 0)
    ended = people.update(seen([]), HERE, 75.5 / 25)
    assert ended.ended.tolist() == [True]
    assert np.isnan(ended.root).all()
    assert len(people.update(seen([]), HERE, 76 / 25)) == 0


def test_someone_found_again_goes_on_as_the_same():
    people = PeopleFilter()
    people.update(seen([(0, 0, 4)]), HERE, 0.0)
    people.update(seen([]), HERE, 0.4)
    again = people.update(seen([(0.1, 0, 4)]), HERE, 0.5)
    assert (again.ids, again.unseen_s.tolist()) == (["b0000"], [0.0])


def test_time_that_goes_back_ends_everyone_and_begins_anew():
    people = PeopleFilter()
    people.update(seen([(0, 0, 4)], ["anna"]), HERE, 100.0)
    after = people.update(seen([(9, 0, 4)], ["b0001"]), HERE, 1.0)
    assert after.ids == ["b0001", "anna"]
    assert after.ended.tolist() == [False, True]
    np.testing.assert_allclose(after.root[0], (9, 0, 4))
    assert np.isnan(after.unseen_s[1])


def test_someone_without_a_place_is_there_and_then_ended():
    nan = np.full((1, 3), np.nan)
    people = PeopleFilter(PeopleConfig(0.5, RAW))
    people.update(seen(nan, ["b0001"]), HERE, 0.0)
    assert np.isnan(people.update(seen([]), HERE, 0.2).root).all()
    assert people.update(seen([]), HERE, 0.7).ended.all()
    # Who has no id cannot be followed.
    assert people.update(seen(nan, [""]), HERE, 0.8).ids == [""]
    assert people.update(seen([]), HERE, 0.9).ids == []


def test_frames_and_filter_may_be_exchanged():
    """Smoothing in another frame is smoothing in the camera's, turned and moved."""
    rotation = Rotation.from_euler("xyz", (0.3, -1.2, 2.0)).as_matrix()
    translation = np.array([1.0, -2.0, 0.5])
    here, there = PeopleFilter(), PeopleFilter()
    generator = np.random.default_rng(6)
    for frame in range(30):
        now = seen([generator.normal((0, 0, 4), 0.05)], sigma=0.2)
        expected = moved(here.update(now, HERE, frame / 25), rotation, translation)
        said = there.update(moved(now, rotation, translation), translation, frame / 25)
        np.testing.assert_allclose(said.joints, expected.joints, atol=1e-9)
        np.testing.assert_allclose(said.velocity, expected.velocity, atol=1e-9)
        np.testing.assert_allclose(said.covariance, expected.covariance, atol=1e-9)


def test_uncertainty_is_that_of_the_ray():
    said = seen([(3, 0, 4)], sigma=0.5)
    values, vectors = np.linalg.eigh(said.covariance[0])
    np.testing.assert_allclose(values, (0, 0, 0.25), atol=1e-9)
    np.testing.assert_allclose(np.abs(vectors[:, 2]), (0.6, 0, 0.8), atol=1e-6)


def test_bad_configuration_is_refused():
    with pytest.raises(InputError, match="prediction_timeout_s is -1"):
        PeopleConfig(prediction_timeout_s=-1)
