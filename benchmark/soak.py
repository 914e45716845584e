"""erd_node for long: people who cross and are lost, a camera that restarts, a clock that jumps.

Five synthetic people walk to and fro before the camera, each at a depth of its own and faster than
the next, so that they cross all the time; keypoints are lost at random, and whoever is behind
somebody is not detected. Now and then the camera stops for three seconds, and once per run the
stamps jump an hour ahead and once back. It is told how often an id stood for another person than
before, and how the node's memory grew.

    python benchmark/soak.py --minutes 60 --json benchmark/soak.json

With --offline the same people go straight into the tracker, as fast as it can.
"""

import argparse
import sys
import time
from pathlib import Path

import numpy as np
import rclpy
from erd_ros.msg import Keypoint2D, Person2D, Person2DArray, Person3D, Person3DArray
from node_process import FRAME_ID, NodeProcess, Topics, join, set_stamp
from sensor_msgs.msg import CameraInfo
from walkers import INTRINSICS, RATE_HZ, SIZE, Owners, Walkers, is_running, jump_s

from erd_ros.pose import Keypoints2D
from erd_ros.report import write_json
from erd_ros.runtime.tracker import Tracker
from erd_ros.skeleton import H36M17

_FIRST_STAMP_S = 1000.0
_SETTLE_S = 30.0


def parse_arguments(argv=None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=0, help="of noise and random loss")
    parser.add_argument("--offline", action="store_true", help="the tracker alone, without ROS")
    parser.add_argument("--domain", type=int, default=84, help="ROS_DOMAIN_ID to use")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    return parser.parse_args(argv)


class Watch:
    """Sends what is seen, and watches whether an id ever stands for another person."""

    def __init__(self) -> None:
        self._topics = Topics("soak", self._receive, depth=50)
        self._asked: dict[tuple[int, int], list[int]] = {}
        self.owners = Owners()
        self.answers = self.stale = 0
        self.latencies_s: list[float] = []

    def _receive(self, message: Person3DArray) -> None:
        if message.state == Person3DArray.STALE:
            self.stale += 1
            return
        stamp = message.header.stamp
        persons = self._asked.pop((stamp.sec, stamp.nanosec), None)
        if persons is None:
            return
        self.answers += 1
        self.latencies_s.append(message.latency)
        seen = [person for person in message.persons if person.state != Person3D.ENDED]
        for person, said in zip(persons, [p for p in seen if p.unseen == 0], strict=True):
            self.owners.check(said.id, person, time.perf_counter())

    def send(self, walkers: Walkers, time_s: float, stamp_s: float) -> None:
        found = walkers.seen(time_s)
        message = Person2DArray(layout="h36m17", width=SIZE[0], height=SIZE[1])
        message.header.frame_id = FRAME_ID
        stamp = set_stamp(message.header, stamp_s)
        for _, pixels, scores in found:
            keypoints = [
                Keypoint2D(x=x, y=y, score=score)
                for (x, y), score in zip(pixels.tolist(), scores.tolist(), strict=True)
            ]
            message.persons.append(Person2D(score=1.0, keypoints=keypoints))
        self._asked = {stamp: [person for person, _, _ in found], **self._asked}
        self._asked = dict(list(self._asked.items())[:100])
        info = CameraInfo(width=SIZE[0], height=SIZE[1], k=INTRINSICS.ravel().tolist())
        info.header = message.header
        self._topics.info.publish(info)
        self._topics.keypoints.publish(message)

    def spin_until(self, end_s: float) -> None:
        self._topics.spin_until(end_s)


def measure(minutes: float, seed: int) -> dict:
    """The figures of the node in a process of its own."""
    node, watch, walkers = NodeProcess("input:=keypoints"), Watch(), Walkers(seed)
    begin_s, total_s, frame = time.perf_counter(), 60 * minutes, 0
    resident_mb: list[float] = []
    try:
        while (elapsed_s := time.perf_counter() - begin_s) < total_s:
            if is_running(elapsed_s):
                stamp_s = _FIRST_STAMP_S + elapsed_s + jump_s(elapsed_s, total_s)
                watch.send(walkers, elapsed_s, stamp_s)
            frame += 1
            if frame % 150 == 0 and elapsed_s > _SETTLE_S:
                resident_mb.append(node.resident_mb())
            watch.spin_until(begin_s + frame / RATE_HZ)
    finally:
        node.stop()
    return {
        "minutes": minutes,
        "answers": watch.answers,
        **figures_of(watch.owners),
        "stale_messages": watch.stale,
        "latency_p50_ms": float(1e3 * np.percentile(watch.latencies_s, 50)),
        "latency_p99_ms": float(1e3 * np.percentile(watch.latencies_s, 99)),
        "resident_mb_first": resident_mb[0],
        "resident_mb_last": resident_mb[-1],
    }


def measure_offline(minutes: float, seed: int) -> dict:
    """The figures of the tracker alone, in simulated time."""
    tracker, owners, walkers = Tracker(), Owners(), Walkers(seed)
    total_s = 60 * minutes
    for elapsed_s in np.arange(0, total_s, 1 / RATE_HZ):
        if not is_running(elapsed_s):
            continue
        found = walkers.seen(elapsed_s)
        pixels = np.array([pixels for _, pixels, _ in found]).reshape(-1, 17, 2)
        scores = np.array([scores for _, _, scores in found]).reshape(-1, 17)
        stamp_s = _FIRST_STAMP_S + elapsed_s + jump_s(elapsed_s, total_s)
        names = tracker.update(Keypoints2D(H36M17, pixels, scores), stamp_s)
        for (person, _, _), name in zip(found, names, strict=True):
            owners.check(name, person, elapsed_s)
    return {"minutes": minutes, **figures_of(owners)}


def figures_of(owners: Owners) -> dict:
    return {
        "swapped_ids": owners.swaps,
        "ids_given": len(owners.ids),
        "short_gaps": owners.gaps,
        "found_again": owners.found,
    }


def main() -> int:
    arguments = parse_arguments()
    if arguments.offline:
        figures = measure_offline(arguments.minutes, arguments.seed)
    else:
        join(arguments.domain)
        figures = measure(arguments.minutes, arguments.seed)
        rclpy.try_shutdown()
    for name, value in figures.items():
        print(f"{name}: {value:.4g}" if isinstance(value, float) else f"{name}: {value}")
    if arguments.json is not None:
        write_json(arguments.json, figures, seed=arguments.seed)
    return 0


if __name__ == "__main__":
    sys.exit(main())
