"""The filter's lag is what it promises, by construction; and it calms real motion without harm."""

import numpy as np
import pytest
from crossings import RATE_HZ, across, walks

from erd_ros.errors import InputError
from erd_ros.runtime.smoothing import OneEuro, SmoothingConfig

STEP_S = 0.01


def run(points, config, step_s=STEP_S):
    """Filtered points (frames, n, d)."""
    euro = OneEuro(points[0])
    filtered = [euro.update(now, step_s, config) for now in points[1:]]
    return np.stack([points[0], *filtered]), euro


@pytest.mark.parametrize("speed", [0.05, 0.5, 2.0, 8.0])
def test_lag_of_steady_motion_is_bounded_in_seconds_and_in_metres(speed):
    config = SmoothingConfig(lag_s=0.1, offset_m=0.03)
    times = np.arange(0, 5, STEP_S)
    points = np.zeros((len(times), 1, 3))
    points[:, 0, 0] = speed * times
    filtered, euro = run(points, config)
    behind_m = points[-1, 0, 0] - filtered[-1, 0, 0]
    assert 0 < behind_m <= 0.03
    assert behind_m / speed <= 0.1
    # In closed form: 1 / lag = 1 / lag_s + speed / offset_m.
    assert behind_m == pytest.approx(speed / (1 / 0.1 + speed / 0.03), rel=0.01)
    np.testing.assert_allclose(euro.velocity[0], (speed, 0, 0), rtol=1e-3, atol=1e-9)


def test_a_step_is_followed_within_the_lag():
    points = np.zeros((400, 1, 1))
    points[100:] = 0.001  # so small that its speed does not open the filter
    filtered, _ = run(points, SmoothingConfig(lag_s=0.1, offset_m=10.0))
    # A low-pass of time constant 0.1 s has come 63 % of the way after it, 99 % after 0.46 s.
    assert filtered[110, 0, 0] == pytest.approx(0.00063, rel=0.1)
    assert filtered[150, 0, 0] > 0.00099


def test_no_lag_is_no_smoothing():
    points = np.random.default_rng(0).normal(size=(20, 4, 3))
    np.testing.assert_allclose(run(points, SmoothingConfig(lag_s=0.0))[0], points, atol=1e-12)


def test_points_do_not_influence_each_other():
    points = np.random.default_rng(0).normal(size=(50, 2, 3))
    together, _ = run(points, SmoothingConfig())
    alone, _ = run(points[:, 1:], SmoothingConfig())
    np.testing.assert_allclose(together[:, 1:], alone)


def test_real_walking_with_noise_becomes_calmer_and_nearer_the_truth(shared_data):
    generator = np.random.default_rng(4)
    jitters, errors = [], []
    for clip in walks(shared_data / "cmu.npz")[::8]:
        truth = across(clip, 4.0, True).astype(np.float64)
        noisy = truth + generator.normal(0, 0.03, truth.shape)
        filtered, _ = run(noisy, SmoothingConfig(), 1 / RATE_HZ)
        jitters.append([np.abs(np.diff(motion, 2, axis=0)).mean() for motion in (noisy, filtered)])
        errors.append([np.linalg.norm(m - truth, axis=-1)[5:].mean() for m in (noisy, filtered)])
    noisy, calm = np.mean(jitters, 0)
    assert calm < 0.6 * noisy
    before, after = np.mean(errors, 0)
    assert after < before


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"lag_s": -0.1}, "lag_s is -0.1, expected 0 or more"),
        ({"lag_s": float("nan")}, "lag_s is nan"),
        ({"offset_m": 0.0}, "offset_m is 0.0, expected above 0"),
    ],
)
def test_bad_configurations_are_refused(values, said):
    with pytest.raises(InputError, match=said):
        SmoothingConfig(**values)
