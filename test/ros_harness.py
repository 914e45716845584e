"""Real nodes in real processes, and a client that talks to them over DDS."""

import itertools
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import rclpy
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import QoSProfile, qos_profile_sensor_data

ROOT = Path(__file__).resolve().parent.parent
PATIENCE_S = 20.0  # for what takes a moment on an idle machine and several on a busy one

# Domains 1 to 100 use ports below those that Linux gives out; the process id keeps two test runs
# on one machine apart.
_domains = itertools.count(os.getpid())


def next_domain() -> int:
    """A DDS domain that no other test of this run uses."""
    return 1 + next(_domains) % 100


def ros_environment(domain: int, log_directory: Path) -> dict[str, str]:
    """Variables that keep a process in its own domain, on this machine."""
    return {
        "ROS_DOMAIN_ID": str(domain),
        "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
        "FASTRTPS_DEFAULT_PROFILES_FILE": str(ROOT / "config" / "fastdds.xml"),
        "ROS_LOG_DIR": str(log_directory),
        "PYTHONUNBUFFERED": "1",
    }


class NodeProcess:
    """A module of the package as a process of its own, its output in a file."""

    def __init__(self, module: str, arguments: list[str], domain: int, directory: Path) -> None:
        self._output = directory / f"{module}.{domain}.txt"
        with self._output.open("wb") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", module, *arguments],
                cwd=ROOT,
                env={**os.environ, **ros_environment(domain, directory)},
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def log(self) -> str:
        """What the process said so far."""
        return self._output.read_text()

    def running(self) -> bool:
        return self._process.poll() is None

    def wait(self) -> int:
        """Wait for the process to end by itself; its exit code."""
        return self._process.wait(PATIENCE_S)

    def stop(self, signal_number: int = signal.SIGINT) -> int:
        """Tell the process to end, and see that it does; its exit code."""
        if self.running():
            self._process.send_signal(signal_number)
        try:
            return self._process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            raise


class Client:
    """A node of the test, in a context of its own; messages that arrive are kept in lists."""

    def __init__(self, domain: int, name: str = "test_client") -> None:
        self._context = Context()
        rclpy.init(context=self._context, domain_id=domain)
        self.node = rclpy.create_node(name, context=self._context)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self.node)

    def listen(self, message_type, topic: str, depth: int = 100) -> list:
        """The list that grows by each message of the topic."""
        received = []
        self.node.create_subscription(message_type, topic, received.append, QoSProfile(depth=depth))
        return received

    def publisher(self, message_type, topic: str):
        return self.node.create_publisher(message_type, topic, qos_profile_sensor_data)

    def wait_for(self, condition, what: str, patience_s: float = PATIENCE_S) -> None:
        """Spin until the condition holds; fail, naming what was waited for, if it does not."""
        end = time.monotonic() + patience_s
        while not condition():
            assert time.monotonic() < end, f"waited {patience_s} s for {what}"
            self._executor.spin_once(0.02)

    def spin_for(self, seconds: float) -> None:
        """Spin for a while, to see that something does not come."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._executor.spin_once(0.02)

    def close(self) -> None:
        self._executor.shutdown()
        self.node.destroy_node()
        self._context.try_shutdown()
