"""Counting, and the level that diagnostics make of it."""

import math

import pytest
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticStatus

from erd_ros.ros.diagnostics import OVERWRITTEN, assess, diagnostic_array
from erd_ros.ros.statistics import Statistics


def test_report_has_totals_and_what_is_new():
    statistics = Statistics(now_s=10.0)
    for number in range(1, 101):
        statistics.processed(number * 1e-3, persons=2, residual_px=3.0)
    statistics.dropped(OVERWRITTEN)
    statistics.dropped("bad image", "why")
    report = statistics.report(now_s=15.0)
    assert report.processed == report.recent_processed == 100
    assert report.rate_hz == pytest.approx(20.0)
    assert report.latency_p50_s == pytest.approx(0.0505)
    assert report.latency_p99_s == pytest.approx(0.09901)
    assert report.drops == report.recent_drops == {OVERWRITTEN: 1, "bad image": 1}
    statistics.noticed("keypoints", "nan")
    assert (report.reason, report.persons, report.residual_px) == ("why", 2, 3.0)
    statistics.dropped(OVERWRITTEN)
    second = statistics.report(now_s=16.0)
    assert (second.processed, second.recent_processed, second.rate_hz) == (100, 0, 0.0)
    assert second.drops == {OVERWRITTEN: 2, "bad image": 1}
    assert second.recent_drops == {OVERWRITTEN: 1}
    assert (second.notices, second.recent_notices) == ({"keypoints": 1}, {"keypoints": 1})
    assert second.reason == "nan"
    third = statistics.report(now_s=17.0)
    assert (third.notices, third.recent_notices, third.reason) == ({"keypoints": 1}, {}, "")


def test_before_the_first_frame_latency_is_not_a_number():
    report = Statistics(0.0).report(1.0)
    assert math.isnan(report.latency_p50_s)
    assert math.isnan(report.residual_px)


def after(processed: int = 0, **drops: str):
    statistics = Statistics(0.0)
    for _ in range(processed):
        statistics.processed(0.001, 1, 1.0)
    for cause, reason in drops.items():
        statistics.dropped(cause, reason)
    return statistics.report(1.0)


@pytest.mark.parametrize(
    ("report", "level", "said"),
    [
        (after(5), DiagnosticStatus.OK, "ok"),
        (after(), DiagnosticStatus.WARN, "nothing comes on /image"),
        (after(5, overwritten=""), DiagnosticStatus.WARN, "dropped, overwritten: 1"),
        (after(0, camera="K is 0"), DiagnosticStatus.ERROR, "every frame is dropped: K is 0"),
        (after(5, camera="K is 0"), DiagnosticStatus.WARN, "dropped, camera: 1; K is 0"),
    ],
)
def test_level_says_how_bad_it_is_and_why(report, level, said):
    assert assess(report, "/image") == (level, said)


def test_a_notice_is_a_warning_even_where_every_frame_has_one():
    statistics = Statistics(0.0)
    statistics.processed(0.001, 1, 1.0)
    statistics.noticed("keypoints", "x is nan")
    level, said = assess(statistics.report(1.0), "/image")
    assert (level, said) == (DiagnosticStatus.WARN, "keypoints: 1; x is nan")


def test_what_cannot_be_done_is_a_warning():
    assert assess(after(5), "/image", ("no TF",)) == (DiagnosticStatus.WARN, "no TF")


def test_message_has_numbers_and_facts():
    facts = {"backend": "onnxruntime cpu float32", "model": "linear_erd"}
    report = after(5, overwritten="")
    array = diagnostic_array(Time(sec=3), "/erd_node", report, facts, "/image", ())
    status = array.status[0]
    values = {pair.key: pair.value for pair in status.values}
    assert array.header.stamp.sec == 3
    assert status.name == "/erd_node: skeletons"
    assert status.hardware_id == values["backend"] == "onnxruntime cpu float32"
    assert values["rate [Hz]"] == "5.0"
    assert values["latency p50 [s]"] == "0.0010"
    assert values["frames processed"] == "5"
    assert values["dropped: overwritten"] == "1"


def test_why_frames_are_dropped_comes_before_what_else_is_noticed():
    statistics = Statistics(now_s=0.0)
    statistics.dropped("bad camera info", "not calibrated")
    statistics.noticed("stamp stands still", "the stamp came before")
    assert statistics.report(1.0).reason == "not calibrated"
    statistics.noticed("stamp stands still", "the stamp came before")
    assert statistics.report(2.0).reason == "the stamp came before"
