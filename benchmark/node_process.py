"""What the benchmarks of the running node share: its processes, and the ends of its topics."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import cached_property
from pathlib import Path

import rclpy
from erd_ros.msg import Person2DArray, Person3DArray
from rclpy.event_handler import SubscriptionEventCallbacks
from rclpy.publisher import Publisher
from rclpy.qos import QoSProfile, qos_profile_sensor_data
from sensor_msgs.msg import CameraInfo, Image

from erd_ros.fastdds import fastdds_environment

ROOT = Path(__file__).resolve().parent.parent
FRAME_ID = "camera_optical_frame"
TICKS_PER_S = os.sysconf("SC_CLK_TCK")
PATIENCE_S = 60.0
SILENT = (Person3DArray.STALE, Person3DArray.FAULT)  # states of a message that answers no input


def join(domain: int) -> None:
    """Start rclpy in a domain of this machine alone, in which the node will be started too."""
    os.environ["ROS_DOMAIN_ID"] = str(domain)
    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    os.environ.update(fastdds_environment(os.environ))
    rclpy.init()


class NodeProcess:
    """erd_node, or another node of the package, in a process of its own."""

    def __init__(self, *parameters: str, module: str = "node", namespace: str = "/") -> None:
        """Start it with parameters ``name:=value``."""
        self.started_s = time.perf_counter()
        options = [word for parameter in parameters for word in ("-p", parameter)]
        options += ["-r", f"__ns:={namespace}"]
        self._process = subprocess.Popen(
            [sys.executable, "-m", f"erd_ros.ros.{module}", "--ros-args", *options], cwd=ROOT
        )

    def cpu_s(self) -> float:
        """Processor time used so far, user and system."""
        self._must_run()
        words = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(words[11]) + int(words[12])) / TICKS_PER_S

    def resident_mb(self) -> float:
        return self._memory_mb("VmRSS")

    def swapped_mb(self) -> float:
        return self._memory_mb("VmSwap")

    def _memory_mb(self, which: str) -> float:
        self._must_run()
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        return int(status.split(f"{which}:")[1].split()[0]) / 1024

    def _must_run(self) -> None:
        if (code := self._process.poll()) is not None:
            raise SystemExit(f"the node has ended by itself, with code {code}")

    def stop(self, signal_number: int = signal.SIGINT) -> None:
        self._process.send_signal(signal_number)
        self._process.wait(PATIENCE_S)


class Topics:
    """What goes into erd_node and comes out; ``receive`` is called with what comes.

    A publisher is made when it is first asked for. ``liveliness`` is called whenever a publisher
    of the results appears or is gone.
    """

    def __init__(
        self,
        name: str,
        receive: Callable[[Person3DArray], None],
        depth: int,
        liveliness: Callable[[object], None] | None = None,
        lease: rclpy.duration.Duration | None = None,
    ) -> None:
        self.node = rclpy.create_node(name)
        qos = QoSProfile(depth=depth)
        if lease is not None:
            qos.liveliness_lease_duration = lease
        self.node.create_subscription(
            Person3DArray,
            "/erd_node/people",
            receive,
            qos,
            event_callbacks=SubscriptionEventCallbacks(liveliness=liveliness),
        )
        self._executor = rclpy.executors.SingleThreadedExecutor()
        self._executor.add_node(self.node)

    @cached_property
    def keypoints(self) -> Publisher:
        return self.node.create_publisher(Person2DArray, "keypoints", qos_profile_sensor_data)

    @cached_property
    def info(self) -> Publisher:
        return self.node.create_publisher(CameraInfo, "camera_info", qos_profile_sensor_data)

    @cached_property
    def image(self) -> Publisher:
        return self.node.create_publisher(Image, "image", qos_profile_sensor_data)

    def spin_until(self, end_s: float) -> None:
        while (left_s := end_s - time.perf_counter()) > 0:
            self._executor.spin_once(left_s)

    def spin_until_true(self, condition: Callable[[], bool], what: str) -> float:
        """Spin until the condition holds; when that was, by ``time.perf_counter``."""
        end_s = time.perf_counter() + PATIENCE_S
        while not condition():
            if time.perf_counter() > end_s:
                raise SystemExit(f"waited {PATIENCE_S:g} s for {what}")
            self._executor.spin_once(0.02)
        return time.perf_counter()


def set_stamp(header, seconds: float) -> tuple[int, int]:
    """Stamp a header; the stamp as (sec, nanosec)."""
    sec, nanosec = divmod(round(seconds * 1e9), 1_000_000_000)
    header.stamp.sec, header.stamp.nanosec = sec, nanosec
    return sec, nanosec
