import numpy as np
import pytest

from erd_ros.errors import InputError
from erd_ros.pose import Keypoints2D
from erd_ros.runtime.tracker import Tracker, TrackerConfig
from erd_ros.skeleton import COCO17, H36M17

# A person 100 pixels tall and 40 wide, keypoints spread over the box.
BODY = np.random.default_rng(7).uniform((0, 0), (40, 100), (17, 2))
SIZE = np.linalg.norm(np.ptp(BODY, axis=0))


def seen(*places, skeleton=COCO17):
    pixels = np.array([BODY + place for place in places]).reshape(-1, 17, 2)
    return Keypoints2D(skeleton, pixels, np.ones(pixels.shape[:2]))


def test_ids_stay_while_people_walk_and_change_places_in_the_list():
    tracker = Tracker()
    for frame in range(60):
        left, right = (100 + 3 * frame, 50), (600 - 3 * frame, 80)
        places = [left, right] if frame % 2 == 0 else [right, left]
        ids = tracker.update(seen(*places), frame / 30)
        assert ids == (["b0001", "b0002"] if frame % 2 == 0 else ["b0002", "b0001"])


def test_the_total_distance_decides_not_the_order():
    tracker = Tracker()
    tracker.update(seen((0, 0), (30, 0)), 0.0)
    # Greedy by list order would give the first person, at 16, to the track at 30.
    assert tracker.update(seen((16, 0), (46, 0)), 0.1) == ["b0001", "b0002"]


def test_a_short_loss_keeps_the_id_and_a_long_one_does_not():
    tracker = Tracker(TrackerConfig(timeout_s=1.0))
    assert tracker.update(seen((0, 0), (300, 0)), 0.0) == ["b0001", "b0002"]
    assert tracker.update(seen((300, 0)), 0.5) == ["b0002"]
    assert tracker.update(seen(), 0.7) == []
    assert tracker.update(seen((0, 0), (300, 0)), 1.0) == ["b0001", "b0002"]
    assert tracker.update(seen((300, 0)), 1.9) == ["b0002"]
    assert tracker.update(seen((0, 0), (300, 0)), 2.1) == ["b0003", "b0002"]


def test_the_gate_grows_with_the_time_unseen():
    config = TrackerConfig(gate=0.3, speed=1.0)
    for step, elapsed_s, same in [(0.2, 0.0, True), (0.5, 0.1, False), (0.5, 0.3, True)]:
        tracker = Tracker(config)
        tracker.update(seen((0, 0)), 10.0)
        ids = tracker.update(seen((step * SIZE, 0)), 10.0 + elapsed_s)
        assert (ids == ["b0001"]) == same


def test_a_person_far_away_is_another_person():
    tracker = Tracker()
    tracker.update(seen((0, 0)), 0.0)
    assert tracker.update(seen((500, 0)), 0.03) == ["b0002"]
    assert tracker.update(seen((500, 0), (0, 0)), 0.06) == ["b0002", "b0001"]


def test_missing_keypoints_do_not_change_the_id():
    tracker = Tracker()
    generator = np.random.default_rng(3)
    for frame in range(20):
        both = seen((100, 0), (300, 0))
        confidence = (generator.random((2, 17)) < 0.6).astype(np.float32)
        ids = tracker.update(Keypoints2D(COCO17, both.pixels, confidence), frame * 0.1)
        assert ids == ["b0001", "b0002"]


def test_a_person_without_keypoints_has_no_id_and_uses_none_up():
    tracker = Tracker()
    pixels = np.full((2, 17, 2), np.nan)
    pixels[1] = BODY
    for stamp_s in (0.0, 0.1):
        nobody_and_one = Keypoints2D(COCO17, pixels, np.ones((2, 17)))
        assert tracker.update(nobody_and_one, stamp_s) == ["", "b0001"]


def test_halves_of_a_body_without_a_common_keypoint_are_not_joined():
    tracker = Tracker()
    upper = seen((0, 0)).pixels.copy()
    lower = upper.copy()
    upper[:, 8:], lower[:, :8] = np.nan, np.nan
    assert tracker.update(Keypoints2D(COCO17, upper, np.ones((1, 17))), 0.0) == ["b0001"]
    assert tracker.update(Keypoints2D(COCO17, lower, np.ones((1, 17))), 0.1) == ["b0002"]


def test_a_clock_that_goes_back_forgets_people_and_counts_on():
    tracker = Tracker()
    assert tracker.update(seen((0, 0)), 100.0) == ["b0001"]
    assert tracker.update(seen((0, 0)), 100.0) == ["b0001"]  # the same stamp is not going back
    assert tracker.update(seen((0, 0)), 5.0) == ["b0002"]
    assert tracker.update(seen((0, 0)), 5.1) == ["b0002"]


def test_another_layout_starts_anew():
    tracker = Tracker()
    assert tracker.update(seen((0, 0)), 0.0) == ["b0001"]
    assert tracker.update(seen((0, 0), skeleton=H36M17), 0.1) == ["b0002"]


def test_after_b9999_free_ids_are_used_again():
    tracker = Tracker(TrackerConfig(timeout_s=0.5))
    ids = []
    for step in range(10_001):
        # One person stays as b0001; another is somewhere else each time.
        places = [(0, 0), (1000 + 1000 * (step % 2), 0)]
        ids.append(tracker.update(seen(*places), step * 0.4))
        assert ids[-1][0] == "b0001"
    others = [pair[1] for pair in ids]
    assert others[:2] == ["b0002", "b0003"]
    assert others[9997:10_000] == ["b9999", "b0002", "b0003"]


def test_the_same_input_gives_the_same_ids():
    generator = np.random.default_rng(5)
    frames = [seen(*generator.uniform(0, 900, (4, 2))) for _ in range(50)]
    runs = []
    for _ in range(2):
        tracker = Tracker()
        runs.append([tracker.update(frame, i * 0.1) for i, frame in enumerate(frames)])
    assert runs[0] == runs[1]


def test_ids_in_one_image_are_never_shared():
    tracker = Tracker()
    for frame in range(20):
        ids = tracker.update(seen((0, 0), (1, 0), (2, 0), (3, 0)), frame * 0.1)
        assert len(set(ids)) == 4


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"timeout_s": -1}, "timeout_s is -1, expected 0"),
        ({"gate": float("nan")}, "gate is nan"),
        ({"speed": float("inf")}, "speed is inf"),
    ],
)
def test_bad_configurations_are_refused(values, message):
    with pytest.raises(InputError, match=message):
        TrackerConfig(**values)


def test_a_stamp_that_is_no_number_is_refused():
    with pytest.raises(InputError, match="stamp is nan s"):
        Tracker().update(seen((0, 0)), float("nan"))


def test_ten_thousand_people_in_one_image_all_get_an_id():
    ids = Tracker().update(seen(*((60.0 * n, 0) for n in range(10_002))), 0.0)
    assert len(set(ids)) == 10_002
    assert ids[9997:10_001] == ["b9998", "b9999", "b10000", "b10001"]


def test_people_who_are_others_in_each_image_do_not_fill_the_memory():
    tracker = Tracker()
    ids = [
        tracker.update(seen(*((2e4 * f + 60.0 * n, 0) for n in range(100))), f / 30)
        for f in range(40)
    ]
    assert len({name for image in ids for name in image}) == 4000
    # 200 lost, and those of the last two images.
    assert len(tracker._tracks) == 400
