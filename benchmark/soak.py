"""erd_node for long: people who cross and are lost, a camera that restarts, a clock that jumps.

Five synthetic people walk to and fro before the camera, each at a depth of its own and faster than
the next, so that they cross all the time; keypoints are lost at random, and whoever is behind
somebody is not detected. Now and then the camera stops for three seconds, and once per run the
stamps jump an hour ahead and once back. Every ten seconds something goes wrong besides
(``adversity.py``). It is told how often an id stood for another person than before, what was
answered, and how the memory of the nodes grew; the JSON is written anew after each minute.

    python benchmark/soak.py --minutes 60 --json benchmark/soak.json

With --calm nothing goes wrong besides. With --offline the same people go straight into the tracker,
as fast as it can.
"""

import argparse
import importlib.util
import sys
import time
from pathlib import Path

import numpy as np
import rclpy
from adversity import GROUND_FRAME, IMAGE_NAMESPACE, Adversity
from erd_ros.msg import Keypoint2D, Person2D, Person2DArray, Person3D, Person3DArray
from node_process import FRAME_ID, NodeProcess, Topics, join, set_stamp
from sensor_msgs.msg import CameraInfo
from walkers import INTRINSICS, RATE_HZ, SIZE, Owners, Walkers, is_running, jump_s

from erd_ros.pose import Keypoints2D
from erd_ros.report import write_json
from erd_ros.runtime.tracker import Tracker
from erd_ros.skeleton import H36M17

_FIRST_STAMP_S = 1000.0
_WARM_S = 300.0
_STRIKE_S = 10
_LARGEST_FIRST = 80


def parse_arguments(argv=None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=0, help="of noise and random loss")
    parser.add_argument("--calm", action="store_true", help="without what goes wrong besides")
    parser.add_argument("--offline", action="store_true", help="the tracker alone, without ROS")
    parser.add_argument("--domain", type=int, default=84, help="ROS_DOMAIN_ID to use")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    return parser.parse_args(argv)


class Watch:
    """Sends what is seen, and watches whether an id ever stands for another person."""

    def __init__(self) -> None:
        self.topics = Topics("soak", self._receive, depth=50)
        self._asked: dict[tuple[int, int], list[int]] = {}
        self.owners = Owners()
        self.sent = self.answers = self.stale = 0
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
        self.topics.info.publish(info)
        self.topics.keypoints.publish(message)
        self.sent += 1

    def spin_until(self, end_s: float) -> None:
        self.topics.spin_until(end_s)


class _Record:
    """The figures minute by minute; written each time, so that a kill leaves what there was.

    Memory grows from ``_WARM_S`` on, or a sixth of a shorter soak: mean of a minute to mean of one.
    """

    def __init__(self, minutes: float, seed: int, path: Path | None) -> None:
        self._minutes, self._seed, self._path = minutes, seed, path
        self._warm_s = min(_WARM_S, 10 * minutes)
        self._minute_mb: dict[str, list[float]] = {}
        self.by_minute: list[dict] = []

    def note(self, nodes: dict[str, NodeProcess]) -> None:
        """Their memory now."""
        for name, node in nodes.items():
            self._minute_mb.setdefault(name, []).append(node.resident_mb())

    def end_minute(self, elapsed_s: float, watch: Watch, adversity: Adversity | None) -> dict:
        """The figures so far, this minute's among them."""
        self.by_minute.append(
            {"elapsed_s": elapsed_s, "sent": watch.sent, "answers": watch.answers}
            | {f"{name}_mb": float(np.mean(mb)) for name, mb in self._minute_mb.items()}
        )
        self._minute_mb = {}
        figures = {
            "minutes": self._minutes,
            "sent": watch.sent,
            "answers": watch.answers,
            **figures_of(watch.owners),
            "stale_messages": watch.stale,
            "latency_p50_ms": float(1e3 * np.percentile(watch.latencies_s or [np.nan], 50)),
            "latency_p99_ms": float(1e3 * np.percentile(watch.latencies_s or [np.nan], 99)),
            **self._growth(),
        }
        if adversity is not None:
            figures |= {"adversity": adversity.counts, "wrong": adversity.wrong}
        figures["by_minute"] = self.by_minute
        if self._path is not None:
            write_json(self._path, figures, seed=self._seed)
        return figures

    def _growth(self) -> dict:
        warm = [row for row in self.by_minute if row["elapsed_s"] > self._warm_s]
        figures = {}
        for name in [key for key in (warm or [{}])[0] if key.endswith("_mb")]:
            first, last = warm[0][name], warm[-1][name]
            figures |= {
                f"{name}_first": first,
                f"{name}_last": last,
                f"{name}_growth_percent": 100 * (last / first - 1),
            }
        return figures


def measure(minutes: float, seed: int, calm: bool, path: Path | None) -> dict:
    """The figures of the node in a process of its own; with adversity of a second one for images.

    Raises SystemExit when a node ends by itself.
    """
    nodes, watch, walkers = _start(calm), Watch(), Walkers(seed)
    adversity = None if calm else Adversity(watch.topics, seed)
    record = _Record(minutes, seed, path)
    if adversity is not None:
        _reach_most_memory(watch, adversity)
    begin_s, total_s, frame = time.perf_counter(), 60 * minutes, 0
    figures: dict = {}
    try:
        while (elapsed_s := time.perf_counter() - begin_s) < total_s:
            stamp_s = _FIRST_STAMP_S + elapsed_s + jump_s(elapsed_s, total_s)
            if is_running(elapsed_s):
                if adversity is not None:
                    adversity.usual(stamp_s)
                watch.send(walkers, elapsed_s, stamp_s)
            frame += 1
            if adversity is not None and frame % int(_STRIKE_S * RATE_HZ) == 0:
                adversity.strike(stamp_s + 0.5 / RATE_HZ)
            if frame % 150 == 0:
                record.note(nodes)
            if frame % int(60 * RATE_HZ) == 0:
                figures = record.end_minute(elapsed_s, watch, adversity)
                print(record.by_minute[-1], flush=True)
            watch.spin_until(begin_s + frame / RATE_HZ)
        if adversity is not None:
            adversity.end()
        figures["swapped_mb"] = sum(node.swapped_mb() for node in nodes.values())
    finally:
        for node in nodes.values():
            node.stop()
    return figures


def _reach_most_memory(watch: Watch, adversity: Adversity) -> None:
    """The largest messages come first: what DDS keeps of them would pass for growth.

    It keeps the memory of the largest message in each place of its queues, and touches the shared
    memory of the Fast DDS profile, 32 MB, one part after another; other messages come in between,
    so that every place has its turn.
    """
    watch.spin_until(time.perf_counter() + 10)
    for number in range(_LARGEST_FIRST):
        adversity.crowd(number)
        for part in range(1, 8):
            adversity.crowd(number + part / 8, persons=5)
            watch.spin_until(time.perf_counter() + 0.15)


def _start(calm: bool) -> dict[str, NodeProcess]:
    """Nodes by the name that stands before their figures."""
    if calm:
        return {"resident": NodeProcess("input:=keypoints")}
    cues = ["use_depth:=true"]
    if importlib.util.find_spec("tf2_ros"):
        cues.append(f"ground_frame:={GROUND_FRAME}")
    return {
        "resident": NodeProcess("input:=keypoints", *cues),
        "images": NodeProcess("input:=compressed_image", namespace=IMAGE_NAMESPACE),
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
        figures = measure(arguments.minutes, arguments.seed, arguments.calm, arguments.json)
        rclpy.try_shutdown()
    for name, value in figures.items():
        if name != "by_minute":
            print(f"{name}: {value:.4g}" if isinstance(value, float) else f"{name}: {value}")
    if arguments.json is not None:
        write_json(arguments.json, figures, seed=arguments.seed)
    return 0


if __name__ == "__main__":
    sys.exit(main())
