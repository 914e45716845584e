"""Real nodes in real processes, and a client that talks to them over DDS."""

import itertools
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import rclpy
from erd_ros.msg import Person2DArray, Person3DArray
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import QoSProfile, qos_profile_sensor_data
from sensor_msgs.msg import CameraInfo

from erd_ros.fastdds import FASTDDS_VARIABLES

ROOT = Path(__file__).resolve().parent.parent
# Discovery ends on the two sides at different moments, and only one can be seen from here.
SETTLING_S = 0.5
SILENT = (Person3DArray.STALE, Person3DArray.FAULT)  # states of a message that answers no input
PATIENCE_S = 20.0  # for what takes a moment on an idle machine and several on a busy one

# Domains up to 100 use ports below those that Linux gives out. Two runs of the tests begin apart.
_domains = (1 + number % 100 for number in itertools.count(os.getpid()))


def next_domain() -> int:
    """A DDS domain that no test of this run, and no other process of this machine, is in."""
    return next(domain for domain in _domains if _is_free(domain))


def _is_free(domain: int) -> bool:
    """By the ports of the domain's discovery and first participant (DDSI-RTPS 9.6.1.1)."""
    for port in (7400 + 250 * domain, 7410 + 250 * domain):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.bind(("", port))
            except OSError:
                return False
    return True


def ros_environment(domain: int, log_directory: Path) -> dict[str, str]:
    """Variables that keep a process in its own domain, on this machine."""
    return {
        "ROS_DOMAIN_ID": str(domain),
        "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
        **dict.fromkeys(FASTDDS_VARIABLES, str(ROOT / "config" / "fastdds.xml")),
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


class RosBench:
    """A domain with one node under test and one client; ends both at the end of the block.

    ``people``, ``keypoints`` and ``info`` are the client's ends of the node's topics, set by
    ``start_on_keypoints`` or by the test that opens them.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._domain = next_domain()
        self.process: NodeProcess | None = None

    def __enter__(self) -> "RosBench":
        ours = ros_environment(self._domain, self._directory)
        self._before = {name: os.environ.get(name) for name in ours}
        os.environ.update(ours)
        self.client = Client(self._domain)
        return self

    def __exit__(self, *_exception) -> None:
        # The client last: Fast DDS 2.14 can wait for itself for ever when it ends just as another
        # process' new topics are discovered, and a node opens topics for people it has just seen.
        if self.process is not None:
            self.process.stop()
        self.client.close()
        for name, value in self._before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value

    def start(self, *parameters: str, remap=(), params_file=None) -> NodeProcess:
        """Run erd_node with parameters ``name:=value`` and remappings ``from:=to``."""
        arguments = [word for parameter in parameters for word in ("-p", parameter)]
        arguments += [word for rule in remap for word in ("-r", rule)]
        arguments += ["--params-file", params_file] if params_file else []
        self.process = NodeProcess(
            "erd_ros.ros.node", ["--ros-args", *arguments], self._domain, self._directory
        )
        return self.process

    def start_on_keypoints(self, model, *parameters: str) -> None:
        """Run erd_node on keypoints, with the client at both ends of it."""
        self.start("input:=keypoints", f"model:={model}", *parameters)
        self.people = self.client.listen(Person3DArray, "/erd_node/people")
        self.keypoints = self.client.publisher(Person2DArray, "keypoints")
        self.info = self.client.publisher(CameraInfo, "camera_info")
        self.connect(self.keypoints, self.info)

    def connect(self, *publishers) -> None:
        """Wait until the node hears these publishers, and is heard."""

        def connected() -> bool:
            assert self.process.running(), f"the node has ended:\n{self.process.log()}"
            return all(publisher.get_subscription_count() for publisher in publishers)

        self.client.wait_for(connected, "the node's subscriptions")
        self.client.spin_for(SETTLING_S)

    def wait_until_heard(self, *topics: str) -> None:
        """Wait until the client and the node know each other on topics that the node publishes."""
        node = self.client.node
        self.client.wait_for(
            lambda: all(node.count_publishers(topic) for topic in topics), f"{topics}"
        )
        self.client.spin_for(SETTLING_S)

    def ask(self, info, message):
        """Send a camera and an input of its own stamp; the people that the node makes of it."""
        stamp = message.header.stamp

        def answers():
            return [
                people
                for people in self.people
                if people.header.stamp == stamp and people.state not in SILENT
            ]

        self.people.clear()
        self.info.publish(info)
        self.client.spin_for(0.05)  # two topics have no order: let the camera be first
        self.keypoints.publish(message)
        self.client.wait_for(answers, f"people; the node says:\n{self.process.log()}")
        return answers()[-1]
