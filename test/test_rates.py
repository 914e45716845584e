"""Images that get lost between the camera's driver and the node."""

import pytest

from erd_ros.ros.rates import ImageRate


def after(seconds, rate_hz, image_every, info_every=1, latched=False):
    """What is said of a camera of this rate of whose images one in ``image_every`` comes."""
    rate = ImageRate(0.0)
    for index in range(round(seconds * rate_hz)):
        stamp_s = index / rate_hz
        if index % info_every == 0 and not (latched and index):
            rate.info(100 + stamp_s, stamp_s)
            rate.info(100 + stamp_s, stamp_s)  # by both subscriptions
        # Of lost images now and then two follow each other.
        if index % image_every == 0 or (image_every > 1 and index % (4 * image_every) == 1):
            rate.image(100 + stamp_s, stamp_s)
    return rate.lost(seconds)


@pytest.mark.parametrize(
    ("case", "said"),
    [
        (dict(seconds=8, rate_hz=27, image_every=5), "images came beside 13"),
        (dict(seconds=8, rate_hz=30, image_every=6, latched=True), "by their stamps"),
        (dict(seconds=4, rate_hz=30, image_every=5), None),  # too early to say
        (dict(seconds=8, rate_hz=30, image_every=1), None),
        (dict(seconds=8, rate_hz=30, image_every=1, latched=True), None),
        (dict(seconds=8, rate_hz=1, image_every=1), None),
    ],
)
def test_far_fewer_images_than_the_camera_takes_are_named(case, said):
    lost = after(**case)
    assert (lost is None) if said is None else (said in lost)


def test_a_camera_that_slows_down_or_stops_with_its_info_has_lost_nothing():
    rate = ImageRate(0.0)
    stamp_s = 0.0
    while stamp_s < 20:
        rate.info(stamp_s, stamp_s)
        rate.image(stamp_s, stamp_s)
        stamp_s += 1 / 30 if stamp_s < 10 else 1 / 5
        assert rate.lost(stamp_s) is None
    assert rate.lost(40.0) is None
