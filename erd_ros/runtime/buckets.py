"""Batches of any size on a graphics processor that replays recordings of a few sizes."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from erd_ros.errors import InputError
from erd_ros.pose import FloatArray


def bucket_sizes(max_persons: int) -> tuple[int, ...]:
    """Powers of two below max_persons, and that: sizes of batches that are recorded."""
    if max_persons < 1:
        raise InputError(f"max_persons is {max_persons}, expected 1 or more")
    powers = [1 << exponent for exponent in range((max_persons - 1).bit_length())]
    return (*powers, max_persons)


def bucket_of(persons: int, sizes: Sequence[int]) -> int:
    """The smallest size that holds so many persons; at most the largest is asked for."""
    return next(size for size in sizes if size >= persons)


def runs(persons: int, max_persons: int) -> Iterator[slice]:
    """The runs that a batch is split into: none is dropped, none larger than max_persons."""
    for first in range(0, persons, max_persons):
        yield slice(first, min(first + max_persons, persons))


def in_runs(
    run: Callable[[tuple[FloatArray, ...]], Sequence[FloatArray]],
    inputs: tuple[FloatArray, ...],
    max_persons: int,
) -> list[FloatArray]:
    """Outputs of a batch of any size, computed by runs of at most max_persons."""
    parts = [
        run(tuple(array[part] for array in inputs)) for part in runs(len(inputs[0]), max_persons)
    ]
    return [np.concatenate(arrays) for arrays in zip(*parts, strict=True)]
