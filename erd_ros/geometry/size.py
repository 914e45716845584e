"""The person's size and the root's depth together, from rows that each know how sure they are.

Keypoints alone leave one number open: a person twice as large stands twice as far. Whatever else
is known (how large people are, how tall this one is, where the ground lies, how far the pelvis is)
is linear in size and depth, so that all of it together has a closed form of two unknowns.
"""

from dataclasses import dataclass
from typing import Any

# Determinants below this come from rows that say nothing; information is 1e-6 / m^2 or more.
_SMALLEST_DETERMINANT = 1e-12


@dataclass(frozen=True, eq=False)
class Rows:
    """R rows ``of_size * size + of_depth * depth = value``, each (..., R), metres and finite.

    NumPy arrays and torch tensors alike. Together in arrays, for one by one they are so many small
    operations that a runtime spends its time between them.
    """

    of_size: Any
    of_depth: Any
    value: Any


@dataclass(frozen=True, eq=False)
class SizeAndDepth:
    """Size and depth (..., 1), metres, their variances and their covariance, m^2."""

    size: Any
    depth: Any
    size_variance: Any
    depth_variance: Any
    covariance: Any


def solve_size_and_depth(rows: Rows, information: Any) -> SizeAndDepth:
    """Weighted least squares of both unknowns; the rows must determine them.

    information  (..., R) 1 / variance of the values, 1/m^2; 0 where a row is absent

    Two rows at least are needed, of different directions: ``depth - k size = 0`` from the
    keypoints, and a prior of the size. The result has the precision of what comes in.
    """

    def total(product: Any) -> Any:
        # Products of the rows first: they are the same however often the information changes.
        return (information * product).sum(-1, keepdims=True)

    size_size = total(rows.of_size * rows.of_size)
    size_depth = total(rows.of_size * rows.of_depth)
    depth_depth = total(rows.of_depth * rows.of_depth)
    of_size = total(rows.of_size * rows.value)
    of_depth = total(rows.of_depth * rows.value)
    determinant = size_size * depth_depth - size_depth * size_depth
    inverse = 1 / determinant.clip(min=_SMALLEST_DETERMINANT)
    size_variance, depth_variance = depth_depth * inverse, size_size * inverse
    covariance = -size_depth * inverse
    return SizeAndDepth(
        size_variance * of_size + covariance * of_depth,
        covariance * of_size + depth_variance * of_depth,
        size_variance,
        depth_variance,
        covariance,
    )
