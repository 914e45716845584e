"""A bag and /clock from one process, erd_node in another: the same each time, and on in a loop."""

import importlib.util
import itertools

import numpy as np
import pytest
from builtin_interfaces.msg import Time as Stamp
from diagnostic_msgs.msg import DiagnosticArray
from erd_ros.msg import Person2DArray, Person3D, Person3DArray
from geometry_msgs.msg import PoseArray
from rclpy.time import Time
from ros_bags import RECORDED_NS, STEP_NS, write_bag
from ros_harness import SETTLING_S, NodeProcess, RosBench
from ros_people import contents, model_path
from rosbags.rosbag2 import StoragePlugin
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo
from visualization_msgs.msg import MarkerArray

from erd_ros.demo.bag import bag_topics
from erd_ros.ros.packets import info_from_camera, message_from_keypoints, packets_of_bag
from erd_ros.runtime.people import way_s
from erd_ros.synthetic import SyntheticConfig, robot_camera, synthesise

FRAMES = 40  # two seconds
# The one walks behind something for half a second; nobody is seen for longer than they are missed.
HIDDEN, EMPTY = range(8, 18), range(24, 34)
AGE_S = 0.25
OUTPUTS = {
    "/erd_node/people": Person3DArray,
    "/erd_node/poses": PoseArray,
    "/erd_node/markers": MarkerArray,
}
if importlib.util.find_spec("hri_msgs") is not None:
    from hri_msgs.msg import IdsList

    OUTPUTS["/humans/bodies/tracked"] = IdsList


@pytest.fixture(scope="module")
def bag(tmp_path_factory):
    """Noisy keypoints of two adults, without ids, as a detector sends them; MCAP."""
    sequence = synthesise(SyntheticConfig(rate_hz=1e9 / STEP_NS, noise_px=3.0, missing=0.1))
    keypoints = []
    for frame in range(FRAMES):
        message = message_from_keypoints(sequence.keypoints(frame), robot_camera())
        message.persons = [] if frame in EMPTY else message.persons[: 1 if frame in HIDDEN else 2]
        keypoints.append(message)
    infos = [info_from_camera(robot_camera()) for _ in range(FRAMES)]
    path = tmp_path_factory.mktemp("bag") / "people"
    return str(
        write_bag(path, {"/camera_info": infos, "/keypoints": keypoints}, StoragePlugin.MCAP)
    )


class Replay(RosBench):
    """Plays bags with their own stamps and a /clock that stands still until each is answered."""

    def open(self, *parameters: str) -> None:
        self.start_on_keypoints(
            model_path(self._directory), "use_sim_time:=true", "prediction_timeout:=0.4",
            "stale_timeout:=60.0", *parameters,
        )  # fmt: skip
        self.heard = {name: self.client.listen(kind, name) for name, kind in OUTPUTS.items()}
        self.clock = self.client.publisher(Clock, "/clock")
        self.connect(self.clock)
        self.wait_until_heard(*OUTPUTS)

    def set_clock(self, stamp: Stamp, later_s: float = 0.0) -> None:
        now_ns = Time.from_msg(stamp).nanoseconds + round(1e9 * later_s)
        self.clock.publish(Clock(clock=Time(nanoseconds=now_ns).to_msg()))

    def play(self, path: str) -> list[Person3DArray]:
        """The bag as `ros2 bag play --clock` gives it, but in step: what it says of each frame."""
        answers, info = [], None
        for packet in packets_of_bag(path, bag_topics(path), None):
            (message,) = packet.messages
            if isinstance(message, CameraInfo):
                info = message
            else:
                self.set_clock(message.header.stamp, AGE_S)
                answers.append(self.ask(info, message))
        return answers


def replay_once(directory, bag):
    """Everything that a new node process says to the bag; its answers to each frame."""
    directory.mkdir()
    with Replay(directory) as bench:
        bench.open()
        answers = bench.play(bag)
        for topic, messages in bench.heard.items():
            bench.client.wait_for(lambda m=messages: len(m) >= FRAMES, f"the last of {topic}")
        assert all(len(messages) == FRAMES for messages in bench.heard.values())
        return bench.heard, answers


def test_replayed_twice_every_output_is_the_same_to_the_bit(tmp_path, bag):
    heard, answers = replay_once(tmp_path / "first", bag)
    again, _ = replay_once(tmp_path / "second", bag)
    for messages in (heard, again):
        for people in messages["/erd_node/people"]:
            assert people.latency > 0
            people.latency = 0.0  # measured, not computed: the one thing that may differ
    for topic, messages in heard.items():
        assert list(map(contents, messages)) == list(map(contents, again[topic])), topic
    states = [[person.state for person in answer.persons] for answer in answers]
    assert states[HIDDEN[0]][1] == Person3D.PREDICTED
    assert {answer.prediction for answer in answers} == {0.0}
    assert states[EMPTY[-1]] == []
    np.testing.assert_allclose([answer.age for answer in answers], AGE_S, rtol=1e-6)


def test_a_looped_bag_goes_on_with_new_ids_though_stamps_and_clock_go_back(tmp_path, bag):
    with Replay(tmp_path) as bench:
        bench.open()
        rounds = [bench.play(bag) for _ in range(3)]
        log = bench.process.log()
    begins = [{p.id for p in answers[0].persons if p.unseen == 0} for answers in rounds]
    assert [len(ids) for ids in begins] == [2, 2, 2]
    assert len(set.union(*begins)) == 6
    latest = [max(p.id for answer in answers for p in answer.persons) for answers in rounds]
    assert latest == sorted(latest)
    for answers in rounds:
        np.testing.assert_allclose([answer.age for answer in answers], AGE_S, rtol=1e-6)
        assert [answer.header.stamp.sec for answer in answers] == [
            (RECORDED_NS + frame * STEP_NS) // 10**9 for frame in range(FRAMES)
        ]
    assert "persons are tracked anew" in log
    assert "Traceback" not in log


def test_the_demos_player_loops_a_bag_with_its_own_stamps(tmp_path, bag):
    with Replay(tmp_path) as bench:
        bench.start_on_keypoints(model_path(tmp_path))
        words = ["-p", "source:=bag", "-p", f"path:={bag}", "-p", "loop:=true"]
        words += ["-p", "original_stamps:=true", "-p", "seconds:=5.0"]
        player = NodeProcess("erd_ros.ros.player", ["--ros-args", *words], bench._domain, tmp_path)
        bench.client.wait_for(lambda: not player.running(), "the end of the player", 60)
        bench.client.spin_for(SETTLING_S)
        assert player.wait() == 0
        assert bench.process.running(), bench.process.log()
        stamps = [Time.from_msg(people.header.stamp).nanoseconds for people in bench.people]
        ids = {p.id for people in bench.people for p in people.persons}
    assert sum(later < before for before, later in itertools.pairwise(stamps)) == 2
    assert len(ids) >= 6


def test_under_simulated_time_a_paused_clock_does_not_stop_the_watcher(tmp_path, bag):
    with Replay(tmp_path) as bench:
        reports = bench.client.listen(DiagnosticArray, "/diagnostics")
        bench.open("stale_timeout:=0.3", "diagnostics_period:=0.1")
        answers = bench.play(bag)
        last = answers[-1].header
        bench.client.wait_for(
            lambda: any(people.state == Person3DArray.STALE for people in bench.people), "STALE"
        )
        stale = next(p for p in bench.people if p.state == Person3DArray.STALE)
        assert stale.header == last
        assert stale.age == pytest.approx(AGE_S, rel=1e-6)
        paused_ns = Time.from_msg(last.stamp).nanoseconds + round(1e9 * AGE_S)
        reports.clear()
        bench.client.wait_for(lambda: len(reports) > 2, "diagnostics while the clock stands still")
        assert [Time.from_msg(report.header.stamp).nanoseconds for report in reports[1:3]] == [
            paused_ns, paused_ns
        ]  # fmt: skip


def test_without_a_clock_the_age_is_not_known_and_people_are(tmp_path, bag):
    """use_sim_time before /clock starts: time is 0, as for every node of ROS."""
    with Replay(tmp_path) as bench:
        bench.start_on_keypoints(model_path(tmp_path), "use_sim_time:=true")
        packets = packets_of_bag(bag, bag_topics(bag), None)
        by_type = {type(m): m for packet in packets for m in packet.messages}
        answer = bench.ask(by_type[CameraInfo], by_type[Person2DArray])
        assert len(answer.persons) == 2
        assert np.isnan(answer.age)


def test_people_can_be_moved_on_to_the_time_of_publication(tmp_path, bag):
    with Replay(tmp_path) as bench:
        bench.open("predict_to_publication:=true")
        answers = bench.play(bag)
        poses = bench.heard["/erd_node/poses"]
        bench.client.wait_for(lambda: len(poses) == FRAMES, "the last poses")
    placed = 0
    for answer, as_of_stamp in zip(answers, poses, strict=True):
        assert answer.header == as_of_stamp.header
        assert answer.prediction == pytest.approx(AGE_S, rel=1e-6)
        people = [person for person in answer.persons if person.state != Person3D.ENDED]
        for person, pose in zip(people, as_of_stamp.poses, strict=True):
            for axis in "xyz":
                step = way_s(AGE_S) * getattr(person.velocity, axis)
                moved = getattr(person.root, axis) - getattr(pose.position, axis)
                assert moved == pytest.approx(step, abs=1e-6)
            placed += 1
    assert placed > FRAMES
    assert any(abs(person.velocity.x) > 0.3 for answer in answers for person in answer.persons)
