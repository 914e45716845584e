"""The error model: its fit against a general optimiser, its draws against its own figures."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.stats import norm

torch = pytest.importorskip("torch", reason="PyTorch is not installed: no training here")

from erd_ros.data.error_model import (
    ErrorModel,
    draw_errors,
    fit,
    read_error_model,
    write_error_model,
)
from erd_ros.errors import InputError
from erd_ros.skeleton import H36M17

COMMITTED = Path(__file__).parents[1] / "config" / "errors"
NAMES = ("head_top", "left_wrist")
MEAN = np.array([[0.5, -1.0], [2.0, 3.0]])
DEVIATION = np.array([[3.0, 4.0], [6.0, 5.0]])
SHARE = np.array([0.97, 0.8])


def numpy_errors(seed, samples):
    """Drawn without the code under test."""
    generator = np.random.default_rng(seed)
    inlier = generator.random((samples, 2, 1)) < SHARE[:, None]
    gaussian = generator.normal(MEAN, DEVIATION, (samples, 2, 2))
    return np.where(inlier, gaussian, generator.uniform(-50, 50, (samples, 2, 2)))


def negative_log_likelihood(parameters, errors):
    """AbsPoseLifter eq. 9 of one joint, by scipy's densities; the scale of its numbers is free."""
    mean, deviation = parameters[:2], np.exp(parameters[2:4])
    share = 1 / (1 + np.exp(-parameters[4]))
    gaussian = norm.pdf(errors, mean, deviation).prod(-1)
    return -np.log(share * gaussian + (1 - share) / 100**2).mean()


@pytest.mark.parametrize("joint", [0, 1])
def test_fit_is_the_most_likely_model(joint):
    errors = numpy_errors(1, 1500)
    model = fit(errors, NAMES)
    start = np.array([0, 0, 2, 2, 1.0])
    best = minimize(
        negative_log_likelihood, start, (errors[:, joint],), method="BFGS", options={"gtol": 1e-7}
    )
    np.testing.assert_allclose(model.mean[joint], best.x[:2], atol=1e-3)
    np.testing.assert_allclose(model.deviation[joint], np.exp(best.x[2:4]), atol=1e-3)
    assert model.inlier_share[joint] == pytest.approx(1 / (1 + np.exp(-best.x[4])), abs=1e-4)


def test_fit_recovers_what_was_drawn():
    model = fit(numpy_errors(2, 40_000), NAMES)
    np.testing.assert_allclose(model.mean, MEAN, atol=0.1)
    np.testing.assert_allclose(model.deviation, DEVIATION, rtol=0.02)
    np.testing.assert_allclose(model.inlier_share, SHARE, atol=0.005)


def test_single_gaussian_is_mean_and_standard_deviation():
    errors = numpy_errors(3, 500)
    model = fit(errors, NAMES, "gaussian")
    np.testing.assert_allclose(model.mean, errors.mean(0))
    np.testing.assert_allclose(model.deviation, errors.std(0))
    assert (model.inlier_share == 1).all()
    # AbsPoseLifter figure 5: outliers widen the single Gaussian.
    assert (model.deviation[1] > fit(errors, NAMES).deviation[1] * 1.5).all()


@pytest.mark.parametrize("kind", ["mixture", "gaussian"])
def test_missing_errors_have_no_say(kind):
    errors = numpy_errors(4, 400)
    missing = errors.copy()
    missing[300:, 0] = np.nan
    missing[350, 1, 0] = np.nan
    model = fit(missing, NAMES, kind)
    first = fit(errors[:300], NAMES, kind)
    second = fit(np.delete(errors, 350, 0), NAMES, kind)
    np.testing.assert_allclose(model.mean, [first.mean[0], second.mean[1]], atol=1e-4)
    np.testing.assert_allclose(
        model.deviation, [first.deviation[0], second.deviation[1]], atol=1e-4
    )


def test_errors_all_alike_are_no_trouble():
    errors = np.full((50, 1, 2), 2.0)
    for kind in ("mixture", "gaussian"):
        model = fit(errors, ("root",), kind)
        np.testing.assert_allclose(model.mean, [[2, 2]])
        assert (model.deviation < 0.01).all()


def test_draws_have_the_moments_of_the_model():
    model = ErrorModel(NAMES, MEAN, DEVIATION, SHARE, 50.0)
    drawn = draw_errors(model, 100_000, torch.Generator().manual_seed(0))
    assert drawn.shape == (100_000, 2, 2)
    assert drawn.dtype == torch.float32
    share = SHARE[:, None]
    mean = share * MEAN
    second = share * (DEVIATION**2 + MEAN**2) + (1 - share) * 100**2 / 12
    np.testing.assert_allclose(drawn.mean(0), mean, atol=0.15)
    np.testing.assert_allclose(drawn.std(0), np.sqrt(second - mean**2), rtol=0.01)
    far = (drawn.abs() > 30).any(-1).double().mean(0)
    np.testing.assert_allclose(far, (1 - SHARE) * (1 - 0.6**2), atol=0.003)
    again = fit(drawn.numpy(), NAMES)
    np.testing.assert_allclose(again.deviation, DEVIATION, rtol=0.02)
    np.testing.assert_allclose(again.inlier_share, SHARE, atol=0.005)


def test_joints_are_drawn_independently_and_by_the_generator_alone():
    model = ErrorModel(NAMES, np.zeros((2, 2)), np.ones((2, 2)), np.ones(2), kind="gaussian")
    drawn = draw_errors(model, 20_000, torch.Generator().manual_seed(1))
    correlation = np.corrcoef(drawn.reshape(-1, 4).T.numpy())
    np.testing.assert_allclose(correlation, np.eye(4), atol=0.03)
    assert drawn.abs().max() < 6
    torch.manual_seed(5)
    assert torch.equal(drawn, draw_errors(model, 20_000, torch.Generator().manual_seed(1)))


def test_file_gives_the_model_back(tmp_path):
    model = fit(numpy_errors(5, 300), NAMES, half_range=60.0)
    write_error_model(tmp_path / "new" / "errors.json", model, "drawn for a test")
    again = read_error_model(tmp_path / "new" / "errors.json")
    assert (again.joint_names, again.half_range, again.kind) == (NAMES, 60.0, "mixture")
    for name in ("mean", "deviation", "inlier_share"):
        np.testing.assert_allclose(getattr(again, name), getattr(model, name), atol=1e-4)
    content = json.loads((tmp_path / "new" / "errors.json").read_text())
    assert content["origin"] == "drawn for a test"
    assert content["unit"].startswith("pixels")


@pytest.mark.parametrize("kind", ["mixture", "gaussian"])
def test_committed_models(kind):
    model = read_error_model(COMMITTED / f"{kind}.json")
    assert model.kind == kind
    assert model.joint_names == H36M17.joint_names
    assert model.deviation.max() < 15


def test_what_cannot_be_fitted():
    errors = numpy_errors(6, 100)
    with pytest.raises(InputError, match="unknown kind of error model 'laplace'; choose one of mi"):
        fit(errors, NAMES, "laplace")
    with pytest.raises(InputError, match="'left_wrist' has 0 errors, expected 30"):
        fit(np.where([[[False], [True]]], np.nan, errors), NAMES)
    with pytest.raises(InputError, match="'head_top' has 20 errors"):
        fit(errors[:20], NAMES)
    with pytest.raises(InputError, match=r"\(100, 2, 2\), expected \(N, 1, 2\)"):
        fit(errors, ("root",))
    with pytest.raises(InputError, match=r"half_range 0\.0"):
        ErrorModel(NAMES, MEAN, DEVIATION, SHARE, 0.0)
    with pytest.raises(InputError, match="expected 0 to 1"):
        ErrorModel(NAMES, MEAN, DEVIATION, SHARE + 0.1)
    with pytest.raises(InputError, match=r"mean has shape \(1, 2\), expected \(2, 2\)"):
        ErrorModel(NAMES, MEAN[:1], DEVIATION, SHARE)
    with pytest.raises(InputError, match="inlier_share is below 1"):
        ErrorModel(NAMES, MEAN, DEVIATION, SHARE, kind="gaussian")


def test_files_that_are_no_error_models(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        read_error_model(tmp_path / "no.json")
    for text in ("no JSON", "[]", '{"kind": "mixture"}'):
        (tmp_path / "broken.json").write_text(text)
        with pytest.raises(InputError, match="cannot be read"):
            read_error_model(tmp_path / "broken.json")
    content = json.loads((COMMITTED / "mixture.json").read_text()) | {"unit": "metres"}
    (tmp_path / "metres.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match="has the unit 'metres', expected 'pixels"):
        read_error_model(tmp_path / "metres.json")
    with pytest.raises(InputError, match="cannot be written"):
        write_error_model(tmp_path / "metres.json" / "below_a_file.json", model(), "nobody")


def model():
    return ErrorModel(NAMES, MEAN, DEVIATION, SHARE)
