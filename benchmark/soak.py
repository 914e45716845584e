"""erd_node for long: people who cross and are lost, a camera that restarts, a clock that jumps.

Five synthetic people walk to and fro before the camera, each at a depth of its own and faster than
the next, so that they cross all the time; keypoints are lost at random, and whoever is behind
somebody is not detected. Now and then the camera stops for three seconds, and once per run the
stamps jump an hour ahead and once back. It is told how often an id stood for another person than
before, and how the node's memory grew.

    python benchmark/soak.py --minutes 60 --json soak.json
"""

import argparse
import sys
import time
from pathlib import Path

import numpy as np
import rclpy
from erd_ros.msg import Keypoint2D, Person2D, Person2DArray, Person3D, Person3DArray
from keypoint_latency import FRAME_ID, NodeUnderTest, Topics, join
from sensor_msgs.msg import CameraInfo

from erd_ros.report import write_json
from erd_ros.synthetic import SyntheticConfig, synthesise

RATE_HZ = 30.0
PEOPLE = 5
DEPTHS = np.linspace(3.0, 6.0, PEOPLE)
INTRINSICS = np.array([[620.0, 0, 640], [0, 620.0, 360], [0, 0, 1]])
SIZE = (1280, 720)
_HIDING_PX = 45  # nearer than this on the image, whoever is behind is not detected
_FORGET_S = 2.0  # beyond the node's prediction_timeout: then a new id is right
_SETTLE_S = 30.0


def parse_arguments(argv=None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--domain", type=int, default=84, help="ROS_DOMAIN_ID to use")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    return parser.parse_args(argv)


class Walkers:
    """Five people: the synthetic adults' poses, moved to and fro across the image."""

    def __init__(self) -> None:
        truth = synthesise(SyntheticConfig()).truth_in_camera  # (frames, 2, 17, 3)
        self._poses = truth - truth[:, :, :1]
        self._generator = np.random.default_rng(0)

    def roots(self, time_s: float) -> np.ndarray:
        """(5, 3) metres, camera frame."""
        periods = 9.0 + 2.0 * np.arange(PEOPLE)
        across = 0.75 * DEPTHS * np.sin(2 * np.pi * time_s / periods + np.arange(PEOPLE))
        return np.stack([across, np.full(PEOPLE, 0.3), DEPTHS], -1)

    def seen(self, time_s: float) -> list[tuple[int, np.ndarray, np.ndarray]]:
        """(person, pixels (17, 2), scores (17,)) of those detected, in random order."""
        frame = int(time_s * 25) % len(self._poses)
        roots = self.roots(time_s)
        points = self._poses[frame, np.arange(PEOPLE) % 2] + roots[:, None]
        projected = points @ INTRINSICS.T
        pixels = projected[..., :2] / projected[..., 2:]
        pixels += self._generator.normal(0, 3.0, pixels.shape) * (3 / DEPTHS)[:, None, None]
        scores = (self._generator.random((PEOPLE, 17)) > 0.15).astype(float)
        found = []
        for person in self._generator.permutation(PEOPLE):
            nearer = pixels[:person, 0, 0]
            hidden = (np.abs(nearer - pixels[person, 0, 0]) < _HIDING_PX).any()
            if not hidden and self._generator.random() > 0.02:
                found.append((int(person), pixels[person], scores[person]))
        return found


class Watch:
    """Sends what is seen, and watches whether an id ever stands for another person."""

    def __init__(self) -> None:
        self._topics = Topics("soak", self._receive, depth=50)
        self._asked: dict[tuple[int, int], list[int]] = {}
        self._owner: dict[str, tuple[int, float]] = {}
        self.answers = self.swaps = self.stale = 0
        self.ids: set[str] = set()
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
            self._check(said.id, person)

    def _check(self, name: str, person: int) -> None:
        now_s = time.perf_counter()
        before, when_s = self._owner.get(name, (person, now_s))
        self.swaps += before != person and now_s - when_s < _FORGET_S
        self._owner[name] = (person, now_s)
        self.ids.add(name)

    def send(self, walkers: Walkers, time_s: float, stamp_s: float) -> None:
        found = walkers.seen(time_s)
        message = Person2DArray(layout="h36m17", width=SIZE[0], height=SIZE[1])
        message.header.frame_id = FRAME_ID
        sec, nanosec = divmod(round(stamp_s * 1e9), 1_000_000_000)
        message.header.stamp.sec, message.header.stamp.nanosec = sec, nanosec
        for _, pixels, scores in found:
            keypoints = [
                Keypoint2D(x=x, y=y, score=score)
                for (x, y), score in zip(pixels.tolist(), scores.tolist(), strict=True)
            ]
            message.persons.append(Person2D(score=1.0, keypoints=keypoints))
        self._asked = {(sec, nanosec): [person for person, _, _ in found], **self._asked}
        self._asked = dict(list(self._asked.items())[:100])
        info = CameraInfo(width=SIZE[0], height=SIZE[1], k=INTRINSICS.ravel().tolist())
        info.header = message.header
        self._topics.info.publish(info)
        self._topics.keypoints.publish(message)

    def spin_until(self, end_s: float) -> None:
        self._topics.spin_until(end_s)


def jump_s(elapsed_s: float, total_s: float) -> float:
    """What is added to the stamps: an hour in the second third, and nothing again after it."""
    return 3600.0 if total_s / 3 < elapsed_s < 2 * total_s / 3 else 0.0


def measure(minutes: float) -> dict:
    node, watch, walkers = NodeUnderTest(""), Watch(), Walkers()
    begin_s, total_s, frame = time.perf_counter(), 60 * minutes, 0
    resident_mb: list[float] = []
    try:
        while (elapsed_s := time.perf_counter() - begin_s) < total_s:
            if elapsed_s % 60 > 3:  # the camera stops for three seconds of each minute
                watch.send(walkers, elapsed_s, 1000 + elapsed_s + jump_s(elapsed_s, total_s))
            frame += 1
            if frame % 150 == 0 and elapsed_s > _SETTLE_S:
                resident_mb.append(node.resident_mb())
            watch.spin_until(begin_s + frame / RATE_HZ)
    finally:
        node.stop()
    return {
        "minutes": minutes,
        "answers": watch.answers,
        "swapped_ids": watch.swaps,
        "ids_given": len(watch.ids),
        "stale_messages": watch.stale,
        "latency_p50_ms": float(1e3 * np.percentile(watch.latencies_s, 50)),
        "latency_p99_ms": float(1e3 * np.percentile(watch.latencies_s, 99)),
        "resident_mb_first": resident_mb[0],
        "resident_mb_last": resident_mb[-1],
    }


def main() -> int:
    arguments = parse_arguments()
    join(arguments.domain)
    figures = measure(arguments.minutes)
    rclpy.try_shutdown()
    for name, value in figures.items():
        print(f"{name}: {value:.4g}" if isinstance(value, float) else f"{name}: {value}")
    if arguments.json is not None:
        write_json(arguments.json, figures, seed=0)
    return 0


if __name__ == "__main__":
    sys.exit(main())
