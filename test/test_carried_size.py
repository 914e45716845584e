"""A size carried along a track: how frames are joined, and how little is claimed."""

import numpy as np
import pytest

from erd_ros.cues import CUES, Cues
from erd_ros.runtime.carried_size import CarriedSize, SizesByPerson

COLUMN = {name: index for index, name in enumerate(CUES)}
FIRST = np.array([0])


def carried_along(sizes, deviations):
    carried = CarriedSize.unknown(1)
    for size, deviation in zip(sizes, deviations, strict=True):
        carried = carried.with_frame(FIRST, [size], [deviation])
    return carried


def test_nothing_is_known_before_the_first_frame():
    unknown = CarriedSize.unknown(2)
    assert np.isinf(unknown.variance).all()
    given = np.stack([Cues(depth=2, depth_deviation=0.1).row()] * 2)
    rows = unknown.as_cue(np.arange(2), given)
    assert np.isinf(rows[:, COLUMN["size_variance"]]).all()
    np.testing.assert_allclose(rows[:, COLUMN["depth"]], 2)


def test_a_frame_often_repeated_is_no_surer():
    once, often = (carried_along([1.7] * n, [0.05] * n) for n in (1, 100))
    np.testing.assert_allclose(often.size, 1.7)
    np.testing.assert_allclose(often.variance, once.variance)


def test_one_good_frame_outweighs_many_poor_ones():
    carried = carried_along([1.5] * 50 + [1.8], [0.1] * 50 + [0.01])
    assert carried.size[0] == pytest.approx(1.8, abs=0.01)
    assert carried.variance[0] ** 0.5 < 0.02


@pytest.mark.parametrize("shared", [0.0, 0.02, 0.05])
def test_the_deviation_holds_however_errors_depend_on_each_other(shared):
    generator = np.random.default_rng(0)
    persons, frames, deviation = 2000, 30, 0.05
    alone = np.sqrt(deviation**2 - shared**2)
    common = shared * generator.standard_normal(persons)
    carried = CarriedSize.unknown(persons)
    for _ in range(frames):
        found = 1.6 + common + alone * generator.standard_normal(persons)
        carried = carried.with_frame(np.arange(persons), found, np.full(persons, deviation))
    error = np.abs(carried.size - 1.6)
    assert (error < np.sqrt(carried.variance)).mean() > 0.66


def test_others_are_left_alone():
    carried = CarriedSize.unknown(3).with_frame(np.array([2]), [1.7], [0.03])
    assert np.isinf(carried.variance[:2]).all()
    assert carried.size[2] == 1.7


def test_ground_and_size_that_came_from_it_count_half():
    carried = CarriedSize.unknown(1).with_frame(FIRST, [1.7], [0.03])
    ground = Cues(camera_height_deviation=0.02, tilt_deviation=0.01).row()[None]
    rows = carried.as_cue(FIRST, ground)
    for name in ("camera_height_variance", "tilt_variance"):
        assert rows[0, COLUMN[name]] == pytest.approx(2 * ground[0, COLUMN[name]])
    assert rows[0, COLUMN["size_variance"]] == pytest.approx(2 * 0.03**2)
    without = carried.as_cue(FIRST, Cues().row()[None])
    assert without[0, COLUMN["size_variance"]] == pytest.approx(0.03**2)


def test_a_size_that_was_told_is_joined_with_what_was_measured():
    carried = CarriedSize.unknown(1).with_frame(FIRST, [1.7], [0.03])
    rows = carried.as_cue(FIRST, Cues(size=1.6, size_deviation=0.03).row()[None])
    assert rows[0, COLUMN["size"]] == pytest.approx(1.65)
    assert rows[0, COLUMN["size_variance"]] == pytest.approx(0.03**2 / 2, rel=1e-4)


def test_sizes_follow_ids():
    sizes = SizesByPerson()
    nothing = Cues()
    sizes.learn(["b0001", "b0002", ""], [[1.7, 0.1, 1.7, 0.03], [1.6, 0.1, 9, 100], [1, 1, 1, 0.1]])
    first, second, nobody = sizes.told(["b0001", "b0002", ""], [nothing] * 3)
    assert first.size == pytest.approx(1.7)
    assert first.size_deviation == pytest.approx(0.03)
    assert second is nothing  # the image said nothing of this size
    assert nobody is nothing
    sizes.forget(["b0001", "b0009"])
    assert sizes.told(["b0001"], [nothing]) == [nothing]


def test_who_was_not_estimated_teaches_nothing():
    sizes = SizesByPerson()
    sizes.learn(["b0001"], np.full((1, 4), np.nan))
    assert sizes.told(["b0001"], [Cues()]) == [Cues()]
