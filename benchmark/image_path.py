"""Real video in 720p through the player, MediaPipe and erd_node: frames dropped, and latency.

The video is scaled to 1280 x 720 first and played again and again at 30 Hz. Each minute is told by
itself: a node that fell behind would be slower from minute to minute.

    python benchmark/image_path.py --media ../shared/media --json benchmark/image_path.json
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
import rclpy
from erd_ros.msg import Person3DArray
from node_process import SILENT, NodeProcess, Topics, join
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import CameraInfo

from erd_ros.report import write_json

SIZE = (1280, 720)
VIDEO = "two_people_outdoor.mp4"
_WARM_UP_S = 5.0


def parse_arguments(argv=None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--media", type=Path, required=True, help=f"folder that holds {VIDEO}")
    parser.add_argument("--minutes", type=int, default=10)
    parser.add_argument("--rate", type=float, default=30.0, help="frames per second")
    parser.add_argument("--domain", type=int, default=87, help="ROS_DOMAIN_ID to use")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    return parser.parse_args(argv)


def scaled(source: Path, target: Path) -> None:
    """Write the video in 720p."""
    reader = cv2.VideoCapture(str(source))
    rate_hz = reader.get(cv2.CAP_PROP_FPS)
    writer = cv2.VideoWriter(str(target), cv2.VideoWriter.fourcc(*"mp4v"), rate_hz, SIZE)
    while (read := reader.read())[0]:
        writer.write(cv2.resize(read[1], SIZE, interpolation=cv2.INTER_AREA))
    writer.release()


class Counter:
    """Counts what the player sends and takes the time until each answer of the node."""

    def __init__(self) -> None:
        self.topics = Topics("image_path", self._receive, depth=50)
        # An image's CameraInfo carries its stamp, and costs nothing to receive.
        self.topics.node.create_subscription(
            CameraInfo, "camera_info", self._count, qos_profile_sensor_data
        )
        self.sent = 0
        self.ages_s: list[float] = []
        self.latencies_s: list[float] = []
        self.persons: list[int] = []

    def _count(self, _info: CameraInfo) -> None:
        self.sent += 1

    def _receive(self, message: Person3DArray) -> None:
        if message.state in SILENT:
            return
        stamp = message.header.stamp
        self.ages_s.append(time.time() - stamp.sec - 1e-9 * stamp.nanosec)
        self.latencies_s.append(message.latency)
        self.persons.append(sum(person.unseen == 0 for person in message.persons))

    def during(self, seconds: float) -> dict:
        """Figures of so long a time from now on."""
        self.sent = 0
        for values in (self.ages_s, self.latencies_s, self.persons):
            values.clear()
        self.topics.spin_until(time.perf_counter() + seconds)
        ages_ms, inside_ms = 1e3 * np.array(self.ages_s), 1e3 * np.array(self.latencies_s)
        return {
            "images": self.sent,
            "answers": len(ages_ms),
            "dropped_percent": 100 * (1 - len(ages_ms) / self.sent),
            "age_p50_ms": float(np.percentile(ages_ms, 50)),
            "age_p99_ms": float(np.percentile(ages_ms, 99)),
            "inside_node_p50_ms": float(np.percentile(inside_ms, 50)),
            "persons": float(np.mean(self.persons)),
        }


def measure(video: Path, minutes: int, rate_hz: float) -> dict:
    node, counter = NodeProcess("input:=image"), Counter()
    source = ("source:=video", f"path:='{video}'", f"rate:={rate_hz}", "loop:=true")
    player = NodeProcess(*source, "subscribers:=2", module="player")
    try:
        counter.topics.spin_until_true(lambda: bool(counter.ages_s), "people")
        counter.during(_WARM_UP_S)
        cpu_s, begin_s, resident_mb = node.cpu_s(), time.perf_counter(), node.resident_mb()
        rows = [counter.during(60.0) for _ in range(minutes)]
        return {
            "node_cpu_percent_of_a_core": 100
            * (node.cpu_s() - cpu_s)
            / (time.perf_counter() - begin_s),
            "resident_mb_first": resident_mb,
            "resident_mb_last": node.resident_mb(),
            "minutes": rows,
        }
    finally:
        player.stop()
        node.stop()


def show(figures: dict) -> None:
    print("minute  images answers dropped  age p50  age p99 inside p50 persons")
    for minute, row in enumerate(figures["minutes"], 1):
        print(
            f"{minute:6d} {row['images']:7d} {row['answers']:7d} {row['dropped_percent']:5.1f} % "
            f"{row['age_p50_ms']:5.0f} ms {row['age_p99_ms']:5.0f} ms "
            f"{row['inside_node_p50_ms']:7.0f} ms {row['persons']:7.2f}"
        )
    print(
        f"CPU {figures['node_cpu_percent_of_a_core']:.0f} % of a core, resident "
        f"{figures['resident_mb_first']:.0f} to {figures['resident_mb_last']:.0f} MB"
    )


def main() -> int:
    arguments = parse_arguments()
    join(arguments.domain)
    with tempfile.TemporaryDirectory() as folder:
        video = Path(folder) / "720p.mp4"
        scaled(arguments.media / VIDEO, video)
        figures = measure(video, arguments.minutes, arguments.rate)
    rclpy.try_shutdown()
    show(figures)
    if arguments.json is not None:
        write_json(arguments.json, {"rate_hz": arguments.rate, **figures}, seed=None)
    return 0


if __name__ == "__main__":
    sys.exit(main())
