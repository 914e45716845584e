"""The demo's processes: started together, watched, and none of them left behind."""

import ctypes
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from erd_ros.errors import BackendError

_POLL_S = 0.1
# A detector may have to finish its image, the recorder to write its file.
_PATIENCE_S = 20.0
# Domains above 100 use ports that Linux hands out to outgoing connections.
_LAST_DOMAIN = 100
# Fast DDS 2 knows the first, 3 the second; both name the file of its profile.
FASTDDS_VARIABLES = ("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE")
_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def share_file(name: str) -> Path | None:
    """A file that the package ships beside its code, e.g. config/fastdds.xml; None = not there."""
    prefixes = [sys.prefix, *os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep)]
    folders = [Path(__file__).resolve().parents[2]]
    folders += [Path(prefix) / "share" / "erd_ros" for prefix in prefixes if prefix]
    return next((folder / name for folder in folders if (folder / name).is_file()), None)


def ros_environment() -> dict[str, str]:
    """Environment of the processes: found by each other alone, images through shared memory.

    What the user has set is kept; a ROS_DOMAIN_ID of the user's also keeps the user's discovery.
    """
    environment = dict(os.environ)
    environment.setdefault("AMENT_PREFIX_PATH", sys.prefix)
    environment.setdefault("HOME", str(Path.cwd()))  # rclpy logs below it
    if "ROS_DOMAIN_ID" not in environment:
        environment["ROS_DOMAIN_ID"] = str(free_domain())
        environment.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    environment.setdefault("RUST_LOG", "warn")  # Rerun's
    return {**fastdds_environment(environment), **environment}


def fastdds_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables that name Fast DDS' profile; the user's own file, named by either, goes first.

    Empty where the package's file is not there.
    """
    given = next((environment[name] for name in FASTDDS_VARIABLES if name in environment), None)
    profile = given or share_file("config/fastdds.xml")
    return dict.fromkeys(FASTDDS_VARIABLES, str(profile)) if profile else {}


def free_domain() -> int:
    """A DDS domain that nobody on this machine is in, by the ports of its discovery.

    Raises BackendError when there is none.
    """
    domains = list(range(1, _LAST_DOMAIN + 1))
    random.shuffle(domains)
    for domain in domains:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                # DDSI-RTPS 9.6.1.1: multicast discovery of a domain.
                probe.bind(("", 7400 + 250 * domain))
            except OSError:
                continue
            return domain
    raise BackendError("every ROS_DOMAIN_ID from 1 to 100 is in use here; set one that you share")


class Processes:
    """A group of child processes by name."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = dict(environment)
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, command: Sequence[str]) -> None:
        """Start one; its output goes where ours goes. Raises BackendError when it cannot be."""
        try:
            # Out of reach of the terminal's Ctrl-C: it is passed on in order. Not out of ours.
            self._running[name] = subprocess.Popen(
                command,
                env=self._environment,
                start_new_session=True,
                preexec_fn=end_with_parent,
            )
        except OSError as error:
            raise BackendError(f"{command[0]} cannot be started ({error.strerror})") from error

    def start_node(self, name: str, parameters: Mapping[str, object], *arguments: str) -> None:
        """Start a node of this package with ROS parameters and further ROS arguments."""
        command = [sys.executable, "-m", f"erd_ros.ros.{name}", "--ros-args", *arguments]
        for key, value in parameters.items():
            command += ["-p", f"{key}:={_yaml(value)}"]
        self.start(name, command)

    def wait_for_any(self, *names: str) -> str:
        """Wait until one of the named ends well; its name.

        Raises BackendError as soon as any process at all ends otherwise.
        """
        while True:
            for name, process in self._running.items():
                code = process.poll()
                if code is None:
                    continue
                if code != 0 or name not in names:
                    raise BackendError(
                        f"{name} ended early with code {code}; the lines above say why"
                    )
                return name
            time.sleep(_POLL_S)

    def stop(self, name: str) -> None:
        """Ask one to end and wait for it. Raises BackendError when it fails in doing so."""
        process = self._running.pop(name)
        _end(process)
        if process.returncode != 0:
            raise BackendError(
                f"{name} ended with code {process.returncode}; the lines above say why"
            )

    def kill(self, name: str) -> None:
        """End one that has nothing left to say or to write."""
        process = self._running.pop(name)
        process.kill()
        process.wait()

    def stop_all(self) -> None:
        """End whatever still runs, the last one started first: it may talk to those before it."""
        for process in reversed(self._running.values()):
            _end(process)
        self._running.clear()


def end_with_parent() -> None:
    """From now on Linux ends this process, by SIGTERM, when the one that started it is gone.

    Killed, that one has no chance to tidy up.
    """
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _yaml(value: object) -> str:
    """A parameter's value such that YAML reads back its type."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return str(value)


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
    try:
        process.wait(_PATIENCE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextmanager
def processes() -> Iterator[Processes]:
    """A group of processes that has ended when the block is left, by SIGTERM too."""

    def interrupt(_signal: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    group = Processes(ros_environment())
    kinds = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {kind: signal.signal(kind, interrupt) for kind in kinds}
    try:
        yield group
    finally:
        for kind in before:
            signal.signal(kind, signal.SIG_IGN)  # a second Ctrl-C must not leave one behind
        group.stop_all()
        for kind, handler in before.items():
            signal.signal(kind, handler)
