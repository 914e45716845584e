"""erd_node with nobody in view: whether the empty arrays come at rate, and what that costs.

Keypoints of nobody, or with --input image a grey 720p image for the detector, 30 a second.

    python benchmark/nobody.py --minutes 10 --json benchmark/nobody.json
"""

import argparse
import sys
import time
from pathlib import Path

import numpy as np
import rclpy
from erd_ros.msg import Person2DArray, Person3DArray
from node_process import FRAME_ID, NodeProcess, Topics, join, set_stamp
from sensor_msgs.msg import CameraInfo, Image

from erd_ros.report import write_json

RATE_HZ = 30.0
WIDTH, HEIGHT = 1280, 720
_GREY = 128
_SETTLE_S = 5.0


def parse_arguments(argv=None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10.0, help="each input")
    parser.add_argument("--input", nargs="+", default=["keypoints", "image"])
    parser.add_argument("--domain", type=int, default=85, help="ROS_DOMAIN_ID to use")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    return parser.parse_args(argv)


def message_of(kind: str):
    """What is sent of nobody."""
    if kind == "keypoints":
        return Person2DArray(layout="h36m17", width=WIDTH, height=HEIGHT)
    pixels = bytes([_GREY]) * (3 * WIDTH * HEIGHT)
    image = Image(width=WIDTH, height=HEIGHT, encoding="rgb8", step=3 * WIDTH)
    image.data.frombytes(pixels)
    return image


class Listener:
    """Sends nobody and notes what comes."""

    def __init__(self, kind: str) -> None:
        self._topics = Topics("nobody", self._receive, depth=50)
        self._publisher = self._topics.image if kind == "image" else self._topics.keypoints
        self._message = message_of(kind)
        self._message.header.frame_id = FRAME_ID
        k = [600.0, 0.0, 640.0, 0.0, 600.0, 360.0, 0.0, 0.0, 1.0]
        self._info = CameraInfo(header=self._message.header, width=WIDTH, height=HEIGHT, k=k)
        self.arrived_s: list[float] = []
        self.others = 0

    def _receive(self, message: Person3DArray) -> None:
        if message.state == Person3DArray.FULL and not message.persons:
            self.arrived_s.append(time.perf_counter())
        else:
            self.others += 1

    def run(self, seconds: float) -> int:
        """Send for so long; how many were sent."""
        self.arrived_s.clear()
        self.others = 0
        begin_s, sent = time.perf_counter(), 0
        while sent < seconds * RATE_HZ:
            set_stamp(self._message.header, time.time())
            self._info.header = self._message.header
            self._topics.info.publish(self._info)
            self._publisher.publish(self._message)
            sent += 1
            self._topics.spin_until(begin_s + sent / RATE_HZ)
        self._topics.spin_until(time.perf_counter() + 0.5)
        return sent

    def wait(self) -> None:
        """Until the node answers."""
        while not self.arrived_s:
            self.run(0.2)
        self.run(_SETTLE_S)

    def close(self) -> None:
        self._topics.node.destroy_node()


def measure(kind: str, minutes: float) -> dict:
    node, listener = NodeProcess(f"input:={kind}"), Listener(kind)
    try:
        listener.wait()
        cpu_s, resident_mb, begin_s = node.cpu_s(), node.resident_mb(), time.perf_counter()
        sent = listener.run(60 * minutes)
        elapsed_s = time.perf_counter() - begin_s
        return {
            "sent": sent,
            "empty_arrays": len(listener.arrived_s),
            "other_messages": listener.others,
            "longest_gap_ms": float(1e3 * np.diff(listener.arrived_s).max()),
            "node_cpu_percent_of_a_core": 100 * (node.cpu_s() - cpu_s) / elapsed_s,
            "resident_mb_first": resident_mb,
            "resident_mb_last": node.resident_mb(),
        }
    finally:
        node.stop()
        listener.close()


def main() -> int:
    arguments = parse_arguments()
    join(arguments.domain)
    figures = {kind: measure(kind, arguments.minutes) for kind in arguments.input}
    rclpy.try_shutdown()
    for kind, row in figures.items():
        print(kind, *(f"{name}: {value:.4g}" for name, value in row.items()), sep="\n  ")
    if arguments.json is not None:
        write_json(arguments.json, {"minutes": arguments.minutes, **figures}, seed=None)
    return 0


if __name__ == "__main__":
    sys.exit(main())
