"""Keypoint topic to Person3DArray between two processes, over real DDS.

Publishes synthetic people at a fixed rate from this process, runs erd_node as another, and takes
the time from ``publish`` to the callback of the answer on this process's clock: serialisation,
transport, estimation and transport back are all in it. CPU load and memory are the node's, from
/proc. Start-up is from starting the process to its first answer.

    python benchmark/keypoint_latency.py --json latency.json
"""

import argparse
import sys
import time
from pathlib import Path

import numpy as np
import rclpy
from erd_ros.msg import Keypoint2D, Person2D, Person2DArray, Person3DArray
from node_process import FRAME_ID, PATIENCE_S, NodeProcess, Topics, join, set_stamp
from sensor_msgs.msg import CameraInfo

from erd_ros.report import write_json
from erd_ros.synthetic import SyntheticConfig, synthesise


def parse_arguments(argv=None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--people", type=int, nargs="+", default=[1, 10], help="persons per frame")
    parser.add_argument("--rate", type=float, default=30.0, help="frames per second")
    parser.add_argument("--duration", type=float, default=20.0, help="seconds measured, each")
    parser.add_argument("--warm-up", type=float, default=2.0, help="seconds before, not measured")
    parser.add_argument("--model", default="", help="model file; empty = the one that ships")
    parser.add_argument("--device", default="cpu", help="where the model runs: cpu, cuda")
    parser.add_argument("--domain", type=int, default=83, help="ROS_DOMAIN_ID to use")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    return parser.parse_args(argv)


class Sender:
    """Publishes frames and takes the time until each answer."""

    def __init__(self, rate_hz: float) -> None:
        self._rate_hz = rate_hz
        self._topics = Topics("keypoint_latency", self._receive, depth=5)
        self._sent_s: dict[tuple[int, int], float] = {}
        self.latencies_s: list[float] = []
        self.inside_s: list[float] = []  # the part between the node's receipt and publication
        self._number = 0

    def _receive(self, people: Person3DArray) -> None:
        now_s = time.perf_counter()
        stamp = people.header.stamp
        sent_s = self._sent_s.pop((stamp.sec, stamp.nanosec), None)
        if sent_s is not None:
            self.latencies_s.append(now_s - sent_s)
            self.inside_s.append(people.latency)

    def send(self, frames: list[Person2DArray], info: CameraInfo) -> None:
        self._number += 1
        message = frames[self._number % len(frames)]
        # The stamp tells which answer belongs to it.
        stamp = set_stamp(message.header, self._number / self._rate_hz)
        self._topics.info.publish(info)
        self._sent_s[stamp] = time.perf_counter()
        self._topics.keypoints.publish(message)

    def run(self, frames: list[Person2DArray], info: CameraInfo, s: float) -> int:
        """Send for ``s`` seconds and wait for the last answer; how many frames were sent."""
        self.latencies_s.clear()
        self.inside_s.clear()
        self._sent_s.clear()
        begin_s, count = time.perf_counter(), int(s * self._rate_hz)
        for number in range(count):
            self._topics.spin_until(begin_s + number / self._rate_hz)
            self.send(frames, info)
        self._topics.spin_until(time.perf_counter() + 0.5)
        return count

    def first_answer_s(self, frames: list[Person2DArray], info: CameraInfo) -> float:
        """Send until the node answers for the first time; when that was."""
        end_s = time.perf_counter() + PATIENCE_S
        while not self.latencies_s:
            if time.perf_counter() > end_s:
                raise SystemExit(f"no answer from erd_node within {PATIENCE_S} s")
            self.send(frames, info)
            self._topics.spin_until(time.perf_counter() + 0.02)
        return time.perf_counter()


def frames_of(people: int) -> tuple[list[Person2DArray], CameraInfo]:
    """Messages with this many persons each, and the camera that saw them.

    The synthetic sequence has two adults; more are the same two at other moments.
    """
    sequence = synthesise(SyntheticConfig())
    camera = sequence.camera
    pixels = sequence.pixels.reshape(-1, *sequence.pixels.shape[2:])
    confidence = sequence.confidence.reshape(-1, sequence.confidence.shape[2])
    frames = []
    for first in range(0, 2 * 100, 2):
        rows = (first + 37 * np.arange(people)) % len(pixels)
        persons = [
            Person2D(
                id=f"p{number}",
                score=1.0,
                keypoints=[
                    Keypoint2D(x=x, y=y, score=score)
                    for (x, y), score in zip(
                        pixels[row].tolist(), confidence[row].tolist(), strict=True
                    )
                ],
            )
            for number, row in enumerate(rows)
        ]
        frames.append(Person2DArray(layout="h36m17", persons=persons))
        frames[-1].header.frame_id = FRAME_ID
    info = CameraInfo(
        width=camera.width,
        height=camera.height,
        k=camera.intrinsics.ravel().tolist(),
        d=list(camera.distortion),
        distortion_model=camera.distortion_model,
    )
    info.header.frame_id = FRAME_ID
    return frames, info


def measure(arguments: argparse.Namespace) -> dict:
    node, sender = (
        NodeProcess(
            "input:=keypoints", f"model:='{arguments.model}'", f"device:={arguments.device}"
        ),
        Sender(arguments.rate),
    )
    try:
        frames, info = frames_of(1)
        figures = {
            "rate_hz": arguments.rate,
            "start_up_s": sender.first_answer_s(frames, info) - node.started_s,
            "people": {},
        }
        for people in arguments.people:
            frames, info = frames_of(people)
            sender.run(frames, info, arguments.warm_up)
            cpu_s = node.cpu_s()
            sent = sender.run(frames, info, arguments.duration)
            load = (node.cpu_s() - cpu_s) / arguments.duration
            latencies_ms = 1e3 * np.array(sender.latencies_s)
            figures["people"][str(people)] = {
                "sent": sent,
                "answered": len(latencies_ms),
                "latency_p50_ms": float(np.percentile(latencies_ms, 50)),
                "latency_p99_ms": float(np.percentile(latencies_ms, 99)),
                "inside_node_p50_ms": float(1e3 * np.median(sender.inside_s)),
                "node_cpu_percent_of_a_core": 100 * load,
                "node_resident_mb": node.resident_mb(),
            }
        return figures
    finally:
        node.stop()


def show(figures: dict) -> None:
    print(f"start-up to first answer: {figures['start_up_s']:.2f} s")
    print(
        f"{figures['rate_hz']:g} Hz    sent answered  p50 ms  p99 ms  node ms  CPU %  resident MB"
    )
    for people, row in figures["people"].items():
        print(
            f"{people:>3} people {row['sent']:6d} {row['answered']:8d} "
            f"{row['latency_p50_ms']:7.2f} {row['latency_p99_ms']:7.2f} "
            f"{row['inside_node_p50_ms']:8.2f} "
            f"{row['node_cpu_percent_of_a_core']:6.1f} {row['node_resident_mb']:12.0f}"
        )


def main() -> int:
    arguments = parse_arguments()
    join(arguments.domain)
    figures = measure(arguments)
    rclpy.try_shutdown()
    show(figures)
    if arguments.json is not None:
        write_json(arguments.json, figures, seed=SyntheticConfig().seed)
    return 0


if __name__ == "__main__":
    sys.exit(main())
