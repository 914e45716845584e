"""Everybody in a stream of images: real video through the finder and the landmark network."""

import numpy as np
import pytest
from real_video import frames

from erd_ros.errors import BackendError, InputError
from erd_ros.runtime.detectors.people_detector import PeopleConfig, PeopleDetector
from erd_ros.runtime.detectors.schedule import ScheduleConfig

INDOOR, OUTDOOR = "one_person_indoor.mp4", "two_people_outdoor.mp4"


@pytest.fixture
def detector():
    made = PeopleDetector()
    yield made
    made.close()


def watch(detector, images, rate=30):
    return [detector(image, index / rate) for index, image in enumerate(images)]


def place(keypoints, name, person=0):
    return keypoints.pixels[person, keypoints.skeleton.index(name)]


def test_two_people_outdoors_are_both_seen_and_the_finder_rests(detector):
    seen = watch(detector, frames(OUTDOOR, 60, 96))
    assert np.mean([len(keypoints) == 2 for keypoints in seen]) >= 0.9
    hips = sorted(place(seen[-1], "left_hip", person).tolist() for person in range(2))
    np.testing.assert_allclose(hips, [(646, 248), (1083, 722)], atol=30)
    assert detector.looks <= 6


def test_an_empty_room_holds_nobody(detector):
    assert not any(len(keypoints) for keypoints in watch(detector, frames(INDOOR, 0, 15), 10))


def test_a_newcomer_is_seen_within_the_time_and_one_who_goes_is_lost_at_once(detector):
    man, empty = next(frames(INDOOR, 300, 301)), next(frames(INDOOR, 0, 1))
    counts = [len(found) for found in watch(detector, [empty] + [man] * 10 + [empty] * 2)]
    first = counts.index(1)
    assert 1 <= first <= 9  # 0.3 s at 30 Hz, after the look at the empty room
    assert counts[first:11] == [1] * (11 - first)
    assert counts[11:] == [0, 0]


def test_more_than_one_of_the_same_looks_stay_two_people(detector):
    man = next(frames(INDOOR, 300, 301))[:, 330:630]
    pair = np.ascontiguousarray(np.hstack([man, man]))
    seen = watch(detector, [pair] * 12)
    assert [len(keypoints) for keypoints in seen] == [2] * 12
    columns = sorted(place(seen[-1], "nose", person)[0] for person in range(2))
    assert columns[1] - columns[0] == pytest.approx(300, abs=5)


def test_joints_lie_where_they_are(detector):
    """A man stands at the table: head at row 40, feet at row 370, read off the picture."""
    keypoints = watch(detector, frames(INDOOR, 290, 300), 10)[-1]
    np.testing.assert_allclose(place(keypoints, "nose"), (459, 49), atol=15)
    assert 330 < place(keypoints, "left_ankle")[1] < 370


def test_left_is_the_persons_left_and_pixels_count_from_the_first_ones_centre(detector):
    """Mirroring an image W wide takes column u to W - 1 - u and left to right."""
    image = next(frames(INDOOR, 300, 301))
    mirrored = np.ascontiguousarray(image[:, ::-1])
    one = watch(detector, [image] * 8)[-1]
    other = watch(PeopleDetector(), [mirrored] * 8)[-1]
    for part in ("shoulder", "hip"):
        for keypoints in (one, other):  # he turns his back to the camera
            left, right = place(keypoints, f"left_{part}"), place(keypoints, f"right_{part}")
            assert left[0] < right[0]
    flipped = other.pixels[0, list(one.skeleton.flip)]
    sums = one.pixels[0, 11:29, 0] + flipped[11:29, 0] - (image.shape[1] - 1)
    assert abs(np.median(sums)) < 1.5


@pytest.mark.parametrize("shape", [(1, 1, 3), (2, 500, 3), (1000, 3, 3)])
def test_black_images_of_any_size_hold_nobody(detector, shape):
    assert len(detector(np.zeros(shape, np.uint8))) == 0


def test_what_is_no_image_is_refused_and_a_closed_detector_says_so(detector):
    with pytest.raises(InputError, match=r"image has shape \(48, 64\)"):
        detector(np.zeros((48, 64), np.uint8))
    detector.close()
    with pytest.raises(BackendError, match="closed"):
        detector(np.zeros((48, 64, 3), np.uint8))


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"min_presence": 2.0}, "min_presence is 2.0, expected 0 to 1"),
        ({"most": 0}, "most is 0, expected 1 or more"),
        ({"most_misses": -1}, "most_misses is -1, expected 0 or more"),
    ],
)
def test_settings_that_make_no_sense_are_refused(setting, message):
    with pytest.raises(InputError, match=message):
        PeopleConfig(**setting)


def test_a_finder_that_looks_at_every_image():
    detector = PeopleDetector(PeopleConfig(schedule=ScheduleConfig(most_images=1)))
    watch(detector, [np.zeros((64, 64, 3), np.uint8)] * 4)
    assert detector.looks == 4
