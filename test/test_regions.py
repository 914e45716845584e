"""Where a landmark network looks, how that follows a person, and which side is left."""

import cv2
import numpy as np
import pytest

from erd_ros.errors import InputError
from erd_ros.runtime.detectors.landmarks import circle_region, landmark_network, refined
from erd_ros.runtime.detectors.regions import Region
from erd_ros.runtime.detectors.schedule import Schedule, ScheduleConfig
from erd_ros.runtime.detectors.sides import exchanged, jumped
from erd_ros.runtime.detectors.steady import first_region, glided
from erd_ros.skeleton import BLAZEPOSE33, COCO17


@pytest.mark.parametrize("angle", [0.0, 0.5, -2.0])
@pytest.mark.parametrize("side", [100.0, 256.0, 700.0])
def test_what_is_seen_in_a_crop_goes_back_to_its_pixel(angle, side):
    image = np.zeros((480, 640, 3), np.uint8)
    place = np.array([330.0, 215.0])
    cv2.circle(image, (330, 215), 12, (255, 255, 255), -1)
    crop = Region(310.0, 230.0, side, angle).crop(image, 256)[..., 0].astype(float)
    rows, columns = np.indices(crop.shape)
    middle = np.array([(crop * columns).sum(), (crop * rows).sum()]) / crop.sum()
    back = Region(310.0, 230.0, side, angle).from_crop((middle + 0.5) / 256)
    np.testing.assert_allclose(back, place, atol=0.2)


def test_a_person_who_leans_is_upright_in_the_crop():
    """The head of one who leans to the right by 90 degrees lies to the right of the hips."""
    region = circle_region(np.array([100, 100], np.float32), np.array([140, 100], np.float32))
    assert region.angle == pytest.approx(np.pi / 2)
    assert region.side == pytest.approx(2 * 40 * 1.25)
    top = region.from_crop(np.array([0.5, 0.5 - 40 / region.side], np.float32))
    np.testing.assert_allclose(top, (140, 100), atol=1e-3)


def test_a_circle_without_a_size_is_still_a_region():
    place = np.array([100, 100], np.float32)
    region = glided(circle_region(place, place), circle_region(place, place))
    assert region.side >= 1
    assert region.crop(np.zeros((50, 50, 3), np.uint8), 256).shape == (256, 256, 3)


def test_refinement_moves_a_place_to_the_mean_of_its_heat():
    heatmaps = np.full((64, 64, 39), -20, np.float32)
    heatmaps[30, 21, 0] = 20  # cell of row 30 and column 21
    heatmaps[10, 10, 1] = -1  # too weak to count
    places = np.full((39, 2), 0.9, np.float32)
    places[0], places[1], places[2] = (0.34, 0.46), (0.16, 0.16), (1.2, 0.5)
    moved = refined(places, heatmaps)
    np.testing.assert_allclose(moved[0], (21 / 64, 30 / 64), atol=1e-4)
    np.testing.assert_array_equal(moved[1:], places[1:])


def standing(score=1.0):
    """COCO keypoints of one who stands facing the camera: the left side is right in the image."""
    half = {"nose": (0, 0), "shoulder": (20, 30), "elbow": (25, 60), "wrist": (26, 90)}
    half |= {"eye": (3, -3), "ear": (7, 0), "hip": (13, 90), "knee": (12, 140), "ankle": (12, 190)}
    rows = []
    for name in COCO17.joint_names:
        side, _, joint = name.rpartition("_")
        across, down = half[joint]
        rows.append((100 + (across if side == "left" else -across), 50 + down, score))
    return np.array(rows, np.float32)


def test_the_first_region_holds_the_person():
    keypoints = standing()
    region = first_region(keypoints)
    assert (region.column, region.row) == (100, 140)
    assert abs(region.angle) < 1e-6
    away = np.abs(keypoints[:, :2] - (region.column, region.row)).max()
    assert away < region.side / 2 < 1.6 * away


def test_somebody_of_whom_little_is_seen():
    keypoints = standing(0.0)
    assert first_region(keypoints) is None
    keypoints[:5, 2] = 1
    region = first_region(keypoints)
    assert np.isfinite([region.column, region.row, region.side, region.angle]).all()


def test_a_region_glides_and_a_jump_is_taken_at_once():
    before, near = Region(100, 100, 200, 3.1), Region(110, 100, 220, -3.1)
    between = glided(before, near)
    assert 100 < between.column < 110
    assert 200 < between.side < 220
    assert abs(between.angle) > 3.1  # on over pi, not back through 0
    for _ in range(60):
        between = glided(between, near)
    assert between.column == pytest.approx(110, abs=0.01)
    assert glided(before, Region(400, 100, 220)) == Region(400, 100, 220)


def test_exchanged_sides_are_told_from_right_ones():
    right = standing()
    crossed = right[list(COCO17.flip)]
    assert exchanged(right, COCO17, right, COCO17) is False
    assert exchanged(crossed, COCO17, right, COCO17) is True
    sideways = right.copy()
    sideways[:, 0] = 100 + (sideways[:, 0] - 100) * 0.02
    moved = sideways + np.array([8, 0, 0], np.float32)
    assert exchanged(moved, COCO17, sideways, COCO17) is None
    assert exchanged(standing(0.0), COCO17, right, COCO17) is None
    assert jumped(crossed, right, COCO17)
    assert not jumped(right + 3, right, COCO17)


def test_layouts_of_the_witness_may_differ():
    blaze = np.zeros((33, 3), np.float32)
    for name, row in zip(COCO17.joint_names, standing(), strict=True):
        blaze[BLAZEPOSE33.index(name)] = row
    assert exchanged(blaze, BLAZEPOSE33, standing(), COCO17) is False
    assert exchanged(blaze[list(BLAZEPOSE33.flip)], BLAZEPOSE33, standing(), COCO17) is True


def looks(stamps, config):
    schedule, made = Schedule(config), []
    for index, stamp in enumerate(stamps):
        if schedule.due(stamp):
            schedule.looked()
            made.append(index)
    return made


@pytest.mark.parametrize("rate", [1, 5, 10, 15, 30, 60])
def test_a_newcomer_is_looked_for_in_time(rate):
    """The longest wait of one who comes right after a look, at any rate of images."""
    stamps = np.arange(0, 10, 1 / rate)
    made = looks(stamps, ScheduleConfig(newcomer_s=0.3, most_images=100))
    waits = np.diff(stamps[made])
    assert waits.max() <= max(0.3, 1 / rate) + 1e-6
    assert waits.mean() > 0.3 - 2 / rate


def test_images_without_stamps_and_a_clock_that_jumps_back():
    assert looks([None] * 30, ScheduleConfig())[:3] == [0, 9, 18]
    assert looks([None] * 10, ScheduleConfig(most_images=4)) == [0, 4, 8]
    assert looks([100.0, 100.03, 5.0], ScheduleConfig()) == [0, 2]


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"newcomer_s": float("nan")}, "newcomer_s is nan, expected 0 or more"),
        ({"most_images": 0}, "most_images is 0, expected 1 or more"),
    ],
)
def test_schedules_that_make_no_sense_are_refused(setting, message):
    with pytest.raises(InputError, match=message):
        ScheduleConfig(**setting)


def test_an_unknown_network_lists_the_choices():
    with pytest.raises(InputError, match="unknown landmark network 'x'; choose one of blazepose"):
        landmark_network("x")
