"""The person's size and the root's depth together, from rows that each know how sure they are.

Keypoints alone leave one number open: a person twice as large stands twice as far. Whatever else
is known (how large people are, how tall this one is, where the ground lies, how far the pelvis is)
is linear in size and depth, so that all of it together has a closed form of two unknowns.
"""

from dataclasses import dataclass
from itertools import combinations
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


class SizeAndDepthSolver:
    """Weighted least squares of both unknowns, for the same rows as often as wanted.

    The solution is the mean of those of every pair of rows i, j, each weighted by the product of
    both rows' information and of the squared determinant ``d = a_i b_j - a_j b_i`` (Jacobi 1841).
    Normal equations would say the same, but where one row is far surer than the others their
    determinant is a difference of nearly equal numbers, which float32 does not hold; here it is a
    sum of squares.
    """

    def __init__(self, rows: Rows) -> None:
        a, b, value = rows.of_size, rows.of_depth, rows.value
        pairs = list(combinations(range(a.shape[-1]), 2))
        self._first, self._second = ([pair[side] for pair in pairs] for side in (0, 1))
        determinant = self._cross(a, b)
        self._squared = determinant * determinant
        self._size = determinant * self._cross(value, b)
        self._depth = determinant * self._cross(a, value)
        self._of_size, self._of_depth, self._of_both = a * a, b * b, a * b

    def solve(self, information: Any) -> SizeAndDepth:
        """Size and depth under the information (..., R), 1/m^2, of the rows; 0: a row is absent.

        At least two rows of different directions are needed: ``depth - k size = 0`` from the
        keypoints, and a prior of the size. The result has the precision of what comes in.
        """
        both = information[..., self._first] * information[..., self._second]
        inverse = 1 / _total(both * self._squared).clip(min=_SMALLEST_DETERMINANT)
        return SizeAndDepth(
            _total(both * self._size) * inverse,
            _total(both * self._depth) * inverse,
            _total(information * self._of_depth) * inverse,
            _total(information * self._of_size) * inverse,
            -_total(information * self._of_both) * inverse,
        )

    def _cross(self, one: Any, other: Any) -> Any:
        first, second = self._first, self._second
        return one[..., first] * other[..., second] - one[..., second] * other[..., first]


def _total(values: Any) -> Any:
    return values.sum(-1, keepdims=True)
