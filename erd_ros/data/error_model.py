"""How 2D detectors err, joint by joint: AbsPoseLifter's mixture, its fit, its file, its draws.

AbsPoseLifter eq. 8: with probability gamma a keypoint's error is Gaussian (good, jitter), else it
is uniform over a square (inversion, miss). Errors are pixels of a Human3.6M image, about 1000 wide.
"""

import json
import reprlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit
from torch import Generator, Tensor

from erd_ros.errors import InputError
from erd_ros.files import write_atomically

KINDS = ("mixture", "gaussian")
_UNIT = "pixels of a Human3.6M image, about 1000 wide"
_INLIER_SHARE_AT_FIRST = 0.9  # AbsPoseLifter section 4.2
# Fewer errors of a joint than this say little about its five parameters.
_FEWEST_SAMPLES = 30
# Keeps the likelihood finite where all errors of a joint are the same, pixels squared.
_SMALLEST_VARIANCE = 1e-6
# The share of inliers never reaches 1, so that a far error always has a likelihood.
_LARGEST_SHARE = 1 - 1e-12
# A step that changes no parameter by more than this, in pixels or shares, is the last.
_CONVERGED = 1e-6
_MOST_STEPS = 2000
_BROKEN = (
    ValueError, KeyError, TypeError, AttributeError, OSError, OverflowError, RecursionError,
)  # fmt: skip

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ErrorModel:
    """The distribution of the 2D error of J joints, each joint by itself.

    joint_names   (J,)
    mean          (J, 2) of the Gaussian, pixels
    deviation     (J, 2) standard deviations of the Gaussian along x and y, pixels
    inlier_share  (J,) gamma, the probability of the Gaussian; 1 for the kind "gaussian"
    half_range    other errors are uniform over [-half_range, half_range] in x and y, pixels
    kind          one of KINDS
    Raises InputError for an unknown kind, shapes that do not fit and numbers out of bounds.
    """

    joint_names: tuple[str, ...]
    mean: Array
    deviation: Array
    inlier_share: Array
    half_range: float = 50.0
    kind: str = "mixture"

    def __post_init__(self) -> None:
        _check_kind(self.kind)
        joints = len(self.joint_names)
        for name, shape in _SHAPES.items():
            array = np.asarray(getattr(self, name), np.float64)
            object.__setattr__(self, name, array)
            if array.shape != (joints, *shape) or not np.isfinite(array).all():
                raise InputError(
                    f"error model: {name} has shape {array.shape}, expected {(joints, *shape)}, "
                    "all finite; fit it again"
                )
        if not ((self.inlier_share >= 0) & (self.inlier_share <= 1)).all():
            raise InputError(f"inlier_share is {self.inlier_share}, expected 0 to 1")
        if not (self.deviation > 0).all() or not 0 < self.half_range < np.inf:
            raise InputError(
                f"deviation is {self.deviation.min()} at least and half_range {self.half_range}, "
                "expected more than 0 pixels"
            )
        if self.kind == "gaussian" and not (self.inlier_share == 1).all():
            raise InputError("inlier_share is below 1, expected 1 for the kind 'gaussian'")


_SHAPES: dict[str, tuple[int, ...]] = {"mean": (2,), "deviation": (2,), "inlier_share": ()}


def fit(
    errors: ArrayLike, joint_names: Sequence[str], kind: str = "mixture", half_range: float = 50.0
) -> ErrorModel:
    """The most likely model of errors (N, J, 2) in pixels, NaN where a joint has none.

    "mixture" is AbsPoseLifter algorithm 1 until it converges. The printed listing gives eta_0 the
    numerator gamma p_0; it is (1 - gamma) p_0, as its denominator has it. "gaussian" is the single
    Gaussian that algorithm 1 starts from (table 2). Raises InputError for an unknown kind, for a
    joint with fewer than 30 errors and where algorithm 1 does not converge.
    """
    _check_kind(kind)
    errors = np.asarray(errors, np.float64)
    if errors.ndim != 3 or errors.shape[1:] != (len(joint_names), 2):
        raise InputError(f"errors have shape {errors.shape}, expected (N, {len(joint_names)}, 2)")
    known = np.isfinite(errors).all(-1)  # (N, J)
    for name, count in zip(joint_names, known.sum(0), strict=True):
        if count < _FEWEST_SAMPLES:
            raise InputError(
                f"joint '{name}' has {count} errors, expected {_FEWEST_SAMPLES} or more; "
                "run the detector on more frames"
            )
    errors = np.where(known[..., None], errors, 0)
    mean, variance = _weighted_moments(errors, known.astype(np.float64))
    share = np.ones(len(joint_names))
    if kind == "mixture":
        mean, variance, share, _ = _expectation_maximization(
            errors, known, mean, variance, half_range
        )
    return ErrorModel(tuple(joint_names), mean, np.sqrt(variance), share, half_range, kind)


def _expectation_maximization(
    errors: Array, known: NDArray[np.bool_], mean: Array, variance: Array, half_range: float
) -> tuple[Array, Array, Array, int]:
    """Mean, variance, share and the steps taken: AbsPoseLifter algorithm 1, all joints at once."""
    log_uniform = -2 * np.log(2 * half_range)  # p_0 = 1 / v, line 5
    share = np.full(errors.shape[1], _INLIER_SHARE_AT_FIRST)
    for step in range(1, _MOST_STEPS + 1):
        log_odds = np.log(share) - np.log1p(-share) - log_uniform
        membership = known * expit(log_odds + _log_gaussian(errors, mean, variance))  # eta_1, 8
        before = np.concatenate([mean.ravel(), np.sqrt(variance).ravel(), share])
        mean, variance = _weighted_moments(errors, membership)  # 10, 11
        share = np.minimum(membership.sum(0) / known.sum(0), _LARGEST_SHARE)  # 12
        after = np.concatenate([mean.ravel(), np.sqrt(variance).ravel(), share])
        if np.abs(after - before).max() < _CONVERGED:
            return mean, variance, share, step
    raise InputError(
        f"algorithm 1 did not converge in {_MOST_STEPS} steps; give it more errors or the kind "
        "'gaussian'"
    )


def _log_gaussian(errors: Array, mean: Array, variance: Array) -> Array:
    """log p_1 (N, J) of line 6, with a diagonal covariance."""
    squares = (errors - mean) ** 2 / variance
    return np.asarray(
        -0.5 * squares.sum(-1) - np.log(2 * np.pi) - 0.5 * np.log(variance).sum(-1), np.float64
    )


def _weighted_moments(errors: Array, weights: Array) -> tuple[Array, Array]:
    """Mean (J, 2) and variance (J, 2) of errors (N, J, 2) by weights (N, J)."""
    share = (weights / np.maximum(weights.sum(0), np.finfo(np.float64).tiny))[..., None]
    mean = (share * errors).sum(0)
    variance = (share * (errors - mean) ** 2).sum(0)
    return mean, np.maximum(variance, _SMALLEST_VARIANCE)


def draw_errors(model: ErrorModel, persons: int, generator: Generator) -> Tensor:
    """Errors (persons, J, 2) float32, pixels, on the generator's device; it alone decides."""
    device, joints = generator.device, len(model.joint_names)

    def constant(array: Array) -> Tensor:
        return torch.as_tensor(array, dtype=torch.float32, device=device)

    shape = (persons, joints, 2)
    noise = torch.randn(shape, generator=generator, device=device)
    gaussian = constant(model.mean) + constant(model.deviation) * noise
    outside = torch.rand(shape, generator=generator, device=device)
    uniform = model.half_range * (2 * outside - 1)
    inlier = torch.rand((persons, joints, 1), generator=generator, device=device)
    return torch.where(inlier < constant(model.inlier_share)[:, None], gaussian, uniform)


def write_error_model(path: Path, model: ErrorModel, origin: str) -> None:
    """Write a JSON file; ``origin`` says whose errors these are and by what command.

    Raises InputError when the file cannot be written.
    """
    joints = {
        name: {
            "mean": [round(value, 4) for value in model.mean[index].tolist()],
            "deviation": [round(value, 4) for value in model.deviation[index].tolist()],
            "inlier_share": round(float(model.inlier_share[index]), 6),
        }
        for index, name in enumerate(model.joint_names)
    }
    content = {
        "kind": model.kind,
        "unit": _UNIT,
        "origin": origin,
        "half_range": model.half_range,
        "joints": joints,
    }
    write_atomically(path, _compact(content).encode())


def _compact(content: Mapping[str, Any]) -> str:
    """JSON with one line per joint."""
    head = json.dumps({**content, "joints": {}}, indent=1).removesuffix("{}\n}")
    rows = [f"  {json.dumps(name)}: {json.dumps(row)}" for name, row in content["joints"].items()]
    return head + "{\n" + ",\n".join(rows) + "\n }\n}\n"


def read_error_model(path: Path) -> ErrorModel:
    """Read a file of ``write_error_model``. Raises InputError when it is not one."""
    if not path.is_file():
        raise InputError(f"error model {path} does not exist; config/errors/ has some")
    try:
        content = json.loads(path.read_text())
        unit, rows = content["unit"], content["joints"]
        mean, deviation, inlier_share = (
            np.array([row[name] for row in rows.values()], np.float64) for name in _SHAPES
        )
        half_range, kind = float(content["half_range"]), str(content["kind"])
    except _BROKEN as error:
        raise InputError(
            f"error model {path} cannot be read: {reprlib.repr(error)}; fit it again"
        ) from error
    if unit != _UNIT:
        raise InputError(
            f"error model {path} has the unit {reprlib.repr(unit)}, expected '{_UNIT}'"
        )
    return ErrorModel(tuple(rows), mean, deviation, inlier_share, half_range, kind)


def _check_kind(kind: str) -> None:
    if kind not in KINDS:
        raise InputError(f"unknown kind of error model '{kind}'; choose one of {', '.join(KINDS)}")
