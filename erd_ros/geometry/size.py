"""The person's size and the root's depth together, from rows that each know how sure they are.

Keypoints alone leave one number open: a person twice as large stands twice as far. Whatever else
is known (how large people are, how tall this one is, where the ground lies, how far the pelvis is)
is linear in size and depth, so that all of it together has a closed form of two unknowns.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

# Determinants below this come from rows that say nothing; information is 1e-6 / m^2 or more.
_SMALLEST_DETERMINANT = 1e-12


@dataclass(frozen=True, eq=False)
class Row:
    """``of_size * size + of_depth * depth = value``, each (...), metres.

    information  1 / variance of the value, 1/m^2; 0 where the row is absent

    NumPy arrays, torch tensors and plain numbers alike; value and factors are finite always.
    """

    of_size: Any
    of_depth: Any
    value: Any
    information: Any


@dataclass(frozen=True, eq=False)
class SizeAndDepth:
    """Size and depth (...), metres, their variances and their covariance, m^2."""

    size: Any
    depth: Any
    size_variance: Any
    depth_variance: Any
    covariance: Any


def solve_size_and_depth(rows: Sequence[Row]) -> SizeAndDepth:
    """Weighted least squares of both unknowns; the rows must determine them.

    Two rows at least are needed, of different directions: ``depth - k size = 0`` from the
    keypoints, and a prior of the size. The result has the precision of what comes in.
    """
    size_size = sum(row.information * row.of_size * row.of_size for row in rows)
    size_depth = sum(row.information * row.of_size * row.of_depth for row in rows)
    depth_depth = sum(row.information * row.of_depth * row.of_depth for row in rows)
    of_size = sum(row.information * row.of_size * row.value for row in rows)
    of_depth = sum(row.information * row.of_depth * row.value for row in rows)
    determinant = size_size * depth_depth - size_depth * size_depth
    inverse = 1 / determinant.clip(min=_SMALLEST_DETERMINANT)
    return SizeAndDepth(
        (depth_depth * of_size - size_depth * of_depth) * inverse,
        (size_size * of_depth - size_depth * of_size) * inverse,
        depth_depth * inverse,
        size_size * inverse,
        -size_depth * inverse,
    )
