"""Batches of any size in runs of a few sizes."""

import numpy as np
import pytest

from erd_ros.errors import InputError
from erd_ros.runtime.buckets import bucket_of, bucket_sizes, in_runs, runs


@pytest.mark.parametrize(
    ("largest", "sizes"),
    [(1, (1,)), (2, (1, 2)), (3, (1, 2, 3)), (8, (1, 2, 4, 8)), (50, (1, 2, 4, 8, 16, 32, 50))],
)
def test_sizes(largest, sizes):
    assert bucket_sizes(largest) == sizes


def test_no_size_is_refused():
    with pytest.raises(InputError, match="max_persons is 0, expected 1 or more"):
        bucket_sizes(0)


def test_every_batch_has_a_size_less_than_twice_too_large():
    sizes = bucket_sizes(50)
    for persons in range(1, 51):
        assert persons <= bucket_of(persons, sizes) < 2 * persons or persons == 1


@pytest.mark.parametrize("persons", [1, 4, 5, 8, 9, 23])
def test_runs_cover_everybody_once(persons):
    parts = list(runs(persons, 4))
    assert [index for part in parts for index in range(persons)[part]] == list(range(persons))
    assert max(part.stop - part.start for part in parts) <= 4


def test_outputs_come_in_order():
    numbers = np.arange(11, dtype=np.float32)
    asked = []

    def run(inputs):
        asked.append(len(inputs[0]))
        return [inputs[0] * 2, inputs[1][:, None]]

    doubled, column = in_runs(run, (numbers, -numbers), 4)
    assert asked == [4, 4, 3]
    np.testing.assert_array_equal(doubled, 2 * numbers)
    np.testing.assert_array_equal(column, -numbers[:, None])
