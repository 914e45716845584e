"""The person's size and the root's depth together, from rows that each know how sure they are.

Keypoints alone leave one number open: a person twice as large stands twice as far. Whatever else
is known (how large people are, how tall this one is, where the ground lies, how far the pelvis is)
is linear in size and depth, so that all of it together has a closed form of two unknowns.

Rows are one tensor (N, 3, R): ``of_size * size + of_depth * depth + constant = 0`` for each of R,
in metres and finite. One by one rows, pairs and unknowns would be so many small operations that a
runtime spends its time between them; and nothing is picked out by lists of indices, which CUDA
graphs cannot record.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

# Determinants below this come from rows that say nothing; information is 1e-6 / m^2 or more.
_SMALLEST_DETERMINANT = 1e-12


@dataclass(frozen=True, eq=False)
class SizeAndDepth:
    """The solution, and how sure it is.

    solution   (N, 3, 1) size and depth, metres, and 1
    variances  (N, R, 1) of what is left of each row, m^2: of a row (1, 0, ...) that is the variance
               of the size, of (0, 1, ...) that of the depth; such rows may have no information
    """

    solution: Tensor
    variances: Tensor

    def excess(self, rows: Tensor) -> Tensor:
        """(N, R, 1) what is left of rows (N, 3, R), the solver's or others, metres."""
        return rows.mT @ self.solution


class SizeAndDepthSolver:
    """Weighted least squares of both unknowns, for the same rows as often as wanted.

    Two rows have their solution in common, which is their cross product over its last component,
    the determinant ``d = a_i b_j - a_j b_i``. The solution of all rows is the mean of those of
    every pair, each weighted by the product of both rows' information and of d squared (Jacobi
    1841). Normal equations would say the same, but where one row is far surer than the others
    their determinant is a difference of nearly equal numbers, which float32 does not hold; here it
    is a sum of squares.
    """

    def __init__(self, rows: Tensor) -> None:
        self._rows = rows.shape[2]
        cyclic = torch.cat([rows, rows[:, :2]], 1)
        one, other = cyclic[:, 1:4], cyclic[:, 2:]
        cross = one[..., None] * other[:, :, None] - other[..., None] * one[:, :, None]
        self._of_pairs = (cross * cross[:, 2:]).flatten(1, 2)

    def solve(self, information: Tensor) -> SizeAndDepth:
        """Size and depth under the information (N, R, 1), 1/m^2, of the rows; 0: a row is absent.

        At least two rows of different directions are needed: ``depth - k size = 0`` from the
        keypoints, and a prior of the size. The result has the precision of what comes in.
        """
        of_rows = self._of_pairs @ information
        totals = of_rows.reshape(-1, 3, self._rows) @ information
        # Every pair comes twice here, and once for each of its rows in the variances.
        twice = totals[:, 2:].clamp(min=_SMALLEST_DETERMINANT)
        variances = of_rows[:, 2 * self._rows :] / (twice * 0.5)
        return SizeAndDepth(totals / twice, variances)
