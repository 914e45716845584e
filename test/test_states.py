"""What a watcher of ~/people sees when input stops, cannot be used, or the camera is unknown."""

import math
import signal
import subprocess
import sys
import time

import pytest
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from erd_ros.msg import Person3D, Person3DArray
from rclpy.duration import Duration
from rclpy.event_handler import SubscriptionEventCallbacks
from rclpy.qos import QoSProfile
from ros_harness import ROOT, RosBench
from ros_people import CAMERAS, camera_info, message_of, model_path, seen_by

PINHOLE = CAMERAS["pinhole"]


@pytest.fixture
def bench(tmp_path):
    """A node that calls an input stale after half a second."""
    with RosBench(tmp_path) as bench:
        bench.reports = bench.client.listen(DiagnosticArray, "/diagnostics")
        bench.start_on_keypoints(
            model_path(tmp_path),
            "stale_timeout:=0.5",
            "diagnostics_period:=0.2",
            "smoothing_lag:=0.0",
        )
        yield bench


def wait_for_state(bench, state: int) -> Person3DArray:
    bench.people.clear()
    bench.client.wait_for(
        lambda: any(people.state == state for people in bench.people), f"state {state}"
    )
    return next(people for people in bench.people if people.state == state)


def test_stale_when_nothing_comes_and_full_again_when_it_does(bench):
    before = bench.ask(camera_info(), message_of(seen_by(PINHOLE), 10.0))
    assert before.state == Person3DArray.FULL
    stale = wait_for_state(bench, Person3DArray.STALE)
    assert stale.header == before.header
    assert (stale.persons, stale.backend) == ([], before.backend)
    assert math.isnan(stale.latency)
    bench.client.wait_for(lambda: facts(bench).get("state") == "STALE", "diagnostics")
    again = bench.ask(camera_info(), message_of(seen_by(PINHOLE), 10.9))
    assert again.state == Person3DArray.FULL
    assert [p.id for p in again.persons] == [p.id for p in before.persons]


def test_fault_when_nothing_that_comes_can_be_used(bench):
    bench.ask(camera_info(), message_of(seen_by(PINHOLE), 10.0))
    bad = message_of(seen_by(PINHOLE), 11.0)
    bad.layout = "coco99"

    def fault() -> bool:
        bench.keypoints.publish(bad)
        return bool(bench.people) and bench.people[-1].state == Person3DArray.FAULT

    bench.client.wait_for(fault, "state FAULT")
    bench.client.wait_for(lambda: facts(bench).get("state") == "FAULT", "diagnostics")
    assert bench.ask(camera_info(), message_of(seen_by(PINHOLE), 12.0)).state == Person3DArray.FULL


def test_uncalibrated_camera_shows_who_is_there_but_not_where(bench):
    blind = bench.ask(camera_info(k=[0.0] * 9), message_of(seen_by(PINHOLE), 1.0))
    assert blind.state == Person3DArray.NO_ROOT
    assert [person.state for person in blind.persons] == [Person3D.NO_ROOT] * 2
    assert all(math.isnan(person.root.z) for person in blind.persons)
    # The first report that says so: the next, 0.2 s later with nothing new in it, warns alone.
    bench.client.wait_for(lambda: statuses(bench, "NO_ROOT"), "diagnostics")
    assert statuses(bench, "NO_ROOT")[0].level == DiagnosticStatus.ERROR
    seen = bench.ask(camera_info(), message_of(seen_by(PINHOLE), 1.1))
    assert seen.state == Person3DArray.FULL
    assert [p.id for p in seen.persons] == [p.id for p in blind.persons]
    assert all(math.isfinite(person.root.z) for person in seen.persons)


def test_lost_people_are_predicted_then_ended(bench):
    everyone = message_of(seen_by(PINHOLE), 1.0, ["anna", "ben"])
    bench.ask(camera_info(), everyone)
    nobody = message_of(seen_by(PINHOLE), 1.5, [])
    nobody.persons = []
    predicted = bench.ask(camera_info(), nobody).persons
    assert [(p.id, p.state) for p in predicted] == [
        ("anna", Person3D.PREDICTED), ("ben", Person3D.PREDICTED)
    ]  # fmt: skip
    assert all(p.unseen == pytest.approx(0.5) and math.isfinite(p.root.z) for p in predicted)
    nobody.header.stamp.sec = 2
    ended = bench.ask(camera_info(), nobody).persons
    assert [(p.id, p.state) for p in ended] == [("anna", Person3D.ENDED), ("ben", Person3D.ENDED)]
    nobody.header.stamp.sec = 3
    assert bench.ask(camera_info(), nobody).persons == []


def test_a_message_that_comes_late_does_not_begin_anew(bench):
    ids = [p.id for p in bench.ask(camera_info(), message_of(seen_by(PINHOLE), 5.0)).persons]
    bench.people.clear()
    bench.keypoints.publish(message_of(seen_by(PINHOLE), 4.9))
    bench.client.wait_for(lambda: "came after it" in bench.process.log(), "a warning")
    after = bench.ask(camera_info(), message_of(seen_by(PINHOLE), 5.1))
    assert [p.id for p in after.persons] == ids


def test_a_node_that_is_killed_loses_its_liveliness(bench):
    lost = []
    bench.client.node.create_subscription(
        Person3DArray,
        "/erd_node/people",
        lambda message: None,
        QoSProfile(depth=5, liveliness_lease_duration=Duration(seconds=1.5)),
        event_callbacks=SubscriptionEventCallbacks(
            liveliness=lambda event: lost.append(event.not_alive_count_change > 0)
        ),
    )
    bench.wait_until_heard("/erd_node/people")
    begin_s = time.monotonic()
    bench.process.stop(signal.SIGKILL)
    bench.client.wait_for(lambda: any(lost), "the loss of liveliness")
    print(f"liveliness lost {time.monotonic() - begin_s:.2f} s after kill -9")


_STARTER = """
import subprocess, sys
parameters = ["-p", "input:=keypoints", "-p", "end_with_parent:=true"]
node = [sys.executable, "-m", "erd_ros.ros.node", "--ros-args", *parameters]
raise SystemExit(subprocess.call(node))
"""


def test_a_node_ends_with_whoever_started_it_killed_as_that_is(tmp_path):
    with RosBench(tmp_path) as bench:
        starter = subprocess.Popen([sys.executable, "-c", _STARTER], cwd=ROOT)
        try:

            def nodes() -> int:
                return bench.client.node.count_publishers("/erd_node/people")

            bench.client.wait_for(lambda: nodes() == 1, "the node")
            starter.kill()
            bench.client.wait_for(lambda: nodes() == 0, "its end", patience_s=10)
        finally:
            starter.kill()
            starter.wait()


def facts(bench) -> dict[str, str]:
    if not bench.reports:
        return {}
    return values(bench.reports[-1].status[0])


def values(status) -> dict[str, str]:
    return {pair.key: pair.value for pair in status.values}


def statuses(bench, state: str) -> list[DiagnosticStatus]:
    """Of all reports so far that say this state, the oldest first."""
    every = [report.status[0] for report in bench.reports]
    return [status for status in every if values(status).get("state") == state]


def test_a_fallback_is_said_in_every_message(tmp_path):
    """Unless the machine has what device cuda needs: then nothing falls back."""
    with RosBench(tmp_path) as bench:
        bench.start_on_keypoints(model_path(tmp_path), "device:=cuda", "allow_fallback:=true")
        answer = bench.ask(camera_info(), message_of(seen_by(PINHOLE), 10.0))
        if answer.backend.startswith("onnxruntime cpu"):
            assert answer.state == Person3DArray.CPU_FALLBACK
            assert "the model runs on cpu, for tensorrt on cuda: " in bench.process.log()
