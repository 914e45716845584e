"""Rotations about coordinate axes, as motion capture files write them."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def axis_rotation(axis: str, angles: Array) -> Array:
    """Rotations (F, 3, 3) by ``angles`` (F,) in radians about "x", "y" or "z"; right-handed."""
    first, second = {"x": (1, 2), "y": (2, 0), "z": (0, 1)}[axis]
    matrices = np.tile(np.eye(3), (len(angles), 1, 1))
    cosine, sine = np.cos(angles), np.sin(angles)
    matrices[:, first, first] = cosine
    matrices[:, second, second] = cosine
    matrices[:, first, second] = -sine
    matrices[:, second, first] = sine
    return matrices


def product_of_rotations(axes: Sequence[str], angles: Array) -> Array:
    """R_1 R_2 ... (F, 3, 3) of angles (F, len(axes)) in radians: the last axis turns first."""
    product = np.tile(np.eye(3), (len(angles), 1, 1))
    for column, axis in enumerate(axes):
        product = product @ axis_rotation(axis, angles[:, column])
    return product


def fixed_axes_rotation(order: Sequence[str], angles: Array) -> Array:
    """(F, 3, 3) of angles (F, len(order)) in radians about fixed axes, the first turning first."""
    return product_of_rotations(order[::-1], angles[:, ::-1])
