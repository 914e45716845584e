"""Who is told from whom among people who were lost, and who is given a new id instead."""

import numpy as np
import pytest

from benchmark.walkers import RATE_HZ, Owners, Walkers, is_running
from erd_ros.pose import Keypoints2D
from erd_ros.runtime.association import assign, compare
from erd_ros.runtime.tracker import Tracker
from erd_ros.skeleton import H36M17

BODY = np.random.default_rng(7).uniform((-20, -50), (20, 50), (17, 2))
GONE_S = 0.6


def seen(*people):
    """One image of people, each (x, y, size)."""
    pixels = np.array([BODY * size + (x, y) for x, y, size in people]).reshape(-1, 17, 2)
    return Keypoints2D(H36M17, pixels, np.ones(pixels.shape[:2]))


def watched(*people, seconds=1.0):
    """A tracker that has seen these for a while, and what time it is."""
    tracker = Tracker()
    for stamp_s in np.arange(0, seconds, 1 / RATE_HZ):
        ids = tracker.update(seen(*people), stamp_s)
    tracker.update(seen(), stamp_s + 0.03)
    return tracker, ids, stamp_s


def test_of_two_who_vanished_at_one_place_the_size_tells_who_comes_back():
    tracker, ids, now_s = watched((300, 0, 2.0), (310, 0, 1.2))
    assert tracker.update(seen((320, 0, 1.2)), now_s + GONE_S) == [ids[1]]
    assert tracker.update(seen((300, 0, 2.0), (320, 0, 1.2)), now_s + GONE_S + 0.03) == ids


def wild(*people):
    """As ``seen``; keypoints of the first are a fifth of the body off, left and right in turn."""
    keypoints = seen(*people)
    keypoints.pixels[0, :, 0] += np.resize([-25, 25], 17) * people[0][2]
    return keypoints


def test_a_detectors_wild_error_ends_no_id_where_nobody_else_could_be_meant():
    tracker, ids, now_s = watched((300, 0, 2.0))
    tracker.update(seen((300, 0, 2.0)), now_s + 0.06)
    assert tracker.update(wild((300, 0, 2.0)), now_s + 0.09) == ids


def test_of_two_alike_who_vanished_at_one_place_neither_gives_the_other_an_id():
    tracker, ids, now_s = watched((300, 0, 2.0), (320, 0, 2.0))
    (first,) = tracker.update(seen((310, 0, 2.0)), now_s + GONE_S)
    both = tracker.update(seen((310, 0, 2.0), (340, 0, 2.0)), now_s + GONE_S + 0.03)
    assert both[0] == first
    assert not {*both} & {*ids}


def test_one_alone_who_vanished_is_found_again():
    tracker, ids, now_s = watched((300, 0, 2.0))
    assert tracker.update(seen((320, 0, 2.0)), now_s + GONE_S) == ids


def test_someone_whose_id_has_ended_is_not_taken_for_who_vanished_there_since():
    tracker, (ended,), now_s = watched((300, 0, 2.0))
    for step in range(90):
        stamp_s = now_s + 1.5 + step / RATE_HZ
        place = 1500 - 18 * max(step - 30, 0)
        (other,) = tracker.update(seen((place, 0, 2.0)), stamp_s)
    assert other != ended
    tracker.update(seen(), stamp_s + 0.03)
    found = tracker.update(seen((330, 0, 2.0)), stamp_s + 0.9)
    assert not {*found} & {ended, other}


def test_growth_counts_less_where_few_keypoints_lie_close_together():
    whole = seen((0, 0, 1.0)).pixels
    hand = whole.copy()
    hand[:, 3:] = np.nan
    hand[:, :3] = hand[:, :1] + [[[0, 0], [3, 0], [0, 3]]]
    anywhere = np.full(1, np.inf)
    full, part = compare(whole, whole, anywhere), compare(hand, hand, anywhere)
    assert part.lever > full.lever
    np.testing.assert_allclose([full.distance, full.posture, full.growth], 0, atol=1e-6)


@pytest.mark.parametrize(("second", "certain"), [(3.0, False), (9.0, True)])
def test_an_answer_is_certain_when_every_other_is_far_less_likely(second, certain):
    (match,) = assign(np.array([[2.0, second]]), np.ones(2, bool))
    assert (match.row, match.column, match.certain) == (0, 0, certain)
    assert match.rival == (None if certain else 1)


def test_somebody_too_surprising_is_a_stranger():
    assert list(assign(np.array([[20.0], [np.inf]]), np.zeros(1, bool))) == []


@pytest.mark.parametrize("begin_s", [196.0, 285.0, 400.0, 655.0], ids=lambda s: f"{s:.0f} s")
def test_five_who_hide_each_other_never_take_an_id_of_another(begin_s):
    """The moments of the soak at which ids were swapped before; nothing is easier than there."""
    tracker, owners, walkers = Tracker(), Owners(), Walkers(seed=3)
    for elapsed_s in begin_s + np.arange(0, 25, 1 / RATE_HZ):
        if not is_running(elapsed_s):
            continue
        people = walkers.seen(elapsed_s)
        pixels = np.array([pixels for _, pixels, _ in people]).reshape(-1, 17, 2)
        scores = np.array([scores for _, _, scores in people]).reshape(-1, 17)
        names = tracker.update(Keypoints2D(H36M17, pixels, scores), elapsed_s)
        for (person, _, _), name in zip(people, names, strict=True):
            owners.check(name, person, elapsed_s)
    assert owners.swaps == 0
    assert owners.found >= 0.9 * owners.gaps > 20


def test_who_walks_in_is_one_person_though_the_first_images_show_little():
    """A shoulder at the border, then nothing, then the whole person."""
    tracker = Tracker()
    (first,) = tracker.update(seen((300, 0, 0.6)), 0.0)
    tracker.update(seen(), 0.1)
    assert tracker.update(seen((315, 25, 1.0)), 0.2) == [first]
    # Of somebody who was known it would be too odd.
    tracker, _, now_s = watched((300, 0, 0.6))
    assert tracker.update(seen((315, 25, 1.0)), now_s + 0.2) == ["b0002"]


def test_who_comes_out_from_behind_another_after_long_may_be_a_third():
    places = (300, 0, 1.0), (330, 0, 1.0)
    for companion, again in ((places[1], False), ((700, 0, 1.0), True)):
        tracker = Tracker()
        for stamp_s in np.arange(0, 1, 1 / RATE_HZ):
            ids = tracker.update(seen(places[0], companion), stamp_s)
        for stamp_s in np.arange(1, 1.9, 1 / RATE_HZ):
            tracker.update(seen(companion), stamp_s)
        back, _ = tracker.update(seen(places[0], companion), 1.9)
        assert (back == ids[0]) == again
