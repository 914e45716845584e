"""The synthetic sequence: rigid bodies of the stated size on the floor, walking forwards."""

import numpy as np
import pytest

from erd_ros.demo.figures import stature, steadiness
from erd_ros.errors import InputError
from erd_ros.skeleton import H36M17
from erd_ros.synthetic import (
    ANKLE_HEIGHT,
    CAMERA_HEIGHT_M,
    CAMERA_PITCH_DOWN_DEG,
    STATURES_M,
    SyntheticConfig,
    synthesise,
)

WALKER, WAVER = 0, 1


@pytest.fixture(scope="module")
def sequence():
    return synthesise()


def joint(sequence, name, person):
    return sequence.truth_in_camera[:, person, H36M17.index(name)]


def height_above_floor(points_in_camera):
    """By the plane of the floor: its distance from the camera is the camera's height."""
    pitch = np.radians(CAMERA_PITCH_DOWN_DEG)
    up_in_camera = np.array([0, -np.cos(pitch), -np.sin(pitch)])
    return points_in_camera @ up_in_camera + CAMERA_HEIGHT_M


@pytest.mark.parametrize("person", [WALKER, WAVER])
def test_bodies_are_rigid_and_as_tall_as_stated(sequence, person):
    joints = sequence.truth_in_camera[:, person]
    assert max(steadiness(H36M17, joints).values()) < 1e-9
    np.testing.assert_allclose(stature(H36M17, joints), STATURES_M[person], rtol=1e-9)


@pytest.mark.parametrize("person", [WALKER, WAVER])
def test_a_foot_is_on_the_floor_in_every_frame(sequence, person):
    ankles = [height_above_floor(joint(sequence, f"{s}_ankle", person)) for s in ("left", "right")]
    lowest = np.min(ankles, axis=0)
    np.testing.assert_allclose(lowest, ANKLE_HEIGHT * STATURES_M[person], atol=1e-9)


def test_the_walker_walks_forwards_on_knees_that_bend_backwards(sequence):
    pelvis = joint(sequence, "pelvis", WALKER)
    velocity = np.roll(pelvis, -1, axis=0) - np.roll(pelvis, 1, axis=0)
    speed = np.linalg.norm(velocity, axis=-1) * sequence.rate_hz / 2
    assert 0.4 < speed.min() < speed.max() < 1.6
    forwards = velocity / np.linalg.norm(velocity, axis=-1, keepdims=True)
    for side in ("left", "right"):
        hip, knee, ankle = (
            joint(sequence, f"{side}_{n}", WALKER) for n in ("hip", "knee", "ankle")
        )
        in_front = knee - (hip + ankle) / 2
        assert (np.einsum("ti,ti->t", in_front, forwards) > -0.01).all()


def test_left_and_right_are_not_swapped(sequence):
    """The waver begins facing the camera: the right hand is then at the left of the image."""
    first = {name: joint(sequence, name, WAVER)[0] for name in ("left_wrist", "right_wrist")}
    assert first["right_wrist"][0] < first["left_wrist"][0]


def test_the_waver_raises_the_right_hand_alone(sequence):
    head = height_above_floor(joint(sequence, "head_top", WAVER))
    assert height_above_floor(joint(sequence, "right_wrist", WAVER)).max() > head.max() - 0.15
    assert height_above_floor(joint(sequence, "left_wrist", WAVER)).max() < 1.0


def test_one_period_follows_the_other_without_a_jump(sequence):
    steps = np.linalg.norm(np.diff(sequence.truth_in_camera, axis=0), axis=-1)
    seam = np.linalg.norm(sequence.truth_in_camera[0] - sequence.truth_in_camera[-1], axis=-1)
    assert seam.max() <= 1.1 * steps.max()


def test_keypoints_are_projections_with_the_stated_error():
    config = SyntheticConfig(noise_px=2.0, missing=0.1, seed=3)
    sequence = synthesise(config)
    error = sequence.pixels - sequence.camera.project(sequence.truth_in_camera)
    assert np.nanstd(error) == pytest.approx(2.0, rel=0.05)
    assert abs(np.nanmean(error)) < 0.1
    assert (sequence.confidence == 0).mean() == pytest.approx(0.1, abs=0.02)
    assert np.array_equal(np.isnan(sequence.pixels[..., 0]), sequence.confidence == 0)


def test_the_same_config_gives_the_same_sequence():
    first, second = (synthesise.__wrapped__(SyntheticConfig(seed=5)) for _ in range(2))
    np.testing.assert_array_equal(first.pixels, second.pixels)
    assert not np.array_equal(first.pixels, synthesise(SyntheticConfig(seed=6)).pixels)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"rate_hz": 0}, "rate is 0 Hz, expected 1 to 200"),
        ({"rate_hz": float("nan")}, "rate is nan Hz"),
        ({"duration_s": 0.5}, "duration is 0.5 s, expected 1 to 600"),
        ({"noise_px": -1}, "noise is -1 pixels"),
        ({"missing": 1}, "missing keypoints is 1"),
    ],
)
def test_config_names_value_and_bound(values, said):
    with pytest.raises(InputError, match=said):
        SyntheticConfig(**values)
