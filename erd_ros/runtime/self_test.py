"""A backend proves itself on the model's golden vectors before a robot trusts it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from erd_ros.errors import ArtifactError, BackendError

if TYPE_CHECKING:
    from erd_ros.golden import Golden
    from erd_ros.runtime import Backend

# Largest difference from float32 in PyTorch, by the file's precision, in metres (the residual:
# in normalised image coordinates). Export allows a hundredth of the first between two runtimes of
# one machine; the root along the ray takes most of it.
TOLERANCES = {"float32": 1e-3, "mixed_float16": 3e-2}
_OUTPUTS = {"joints", "root", "residual", "size", "sigma"}


@dataclass(frozen=True)
class SelfTest:
    """A test that was passed: of how many persons, the largest difference, and what was allowed."""

    persons: int
    difference: float
    tolerance: float

    def __str__(self) -> str:
        return (
            f"self-test passed: {1e3 * self.difference:.3g} mm off at most over {self.persons} "
            f"persons, {1e3 * self.tolerance:g} mm allowed"
        )


def self_test(backend: "Backend") -> SelfTest | None:
    """Hold a backend against the golden vectors of its file; None where the file has none.

    Raises BackendError that names output, difference and tolerance, and for an unknown precision,
    ArtifactError for vectors of other names.
    """
    if backend.golden is None:
        return None
    if backend.precision not in TOLERANCES:
        raise BackendError(
            f"precision '{backend.precision}' has no tolerance for a self-test; "
            f"choose a file of one of {', '.join(TOLERANCES)}"
        )
    _check_names(backend.golden)
    tolerance = TOLERANCES[backend.precision]
    persons = len(backend.golden)
    # One person alone runs other kernels than a batch.
    differences = [
        _check(backend, backend.golden, count, tolerance) for count in sorted({1, persons})
    ]
    return SelfTest(persons, max(differences), tolerance)


def _check_names(golden: "Golden") -> None:
    if set(golden.inputs) - {"cues"} != {"rays", "confidence"} or not _OUTPUTS.issuperset(
        golden.outputs
    ):
        raise ArtifactError(
            f"golden vectors are of {[*golden.inputs, *golden.outputs]}, expected rays, confidence "
            f"and some of {', '.join(sorted(_OUTPUTS))}; export the model again with `erd export`"
        )


def _check(backend: "Backend", golden: "Golden", persons: int, tolerance: float) -> float:
    """Largest difference over the first so many persons; NaN counts as one."""
    found = backend(**{name: array[:persons] for name, array in golden.inputs.items()})
    largest = 0.0
    for name, expected in golden.outputs.items():
        given = getattr(found, name)
        if given is None or given.shape != expected[:persons].shape:
            raise BackendError(
                f"self-test of {backend.name} on {backend.device}: output '{name}' has shape "
                f"{getattr(given, 'shape', None)}, expected {expected[:persons].shape}; "
                "export the model again with `erd export`"
            )
        difference = float(np.abs(given - expected[:persons]).max())
        if not difference <= tolerance:
            raise BackendError(
                f"self-test of {backend.name} on {backend.device} failed: with {persons} persons "
                f"'{name}' is {difference:.4g} off, at most {tolerance:g} is allowed for "
                f"{backend.precision}; set allow_fallback: true, or another device, or export the "
                "model again"
            )
        largest = max(largest, difference)
    return largest
