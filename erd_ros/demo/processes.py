"""The demo's processes: started together, watched, and none of them left behind."""

import ctypes
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import FrameType

from erd_ros.errors import BackendError

_POLL_S = 0.1
# A detector may have to finish its image, the recorder to write its file.
_PATIENCE_S = 20.0
_PR_SET_PDEATHSIG = 1  # linux/prctl.h


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
def processes(environment: Mapping[str, str]) -> Iterator[Processes]:
    """A group of processes that has ended when the block is left, by SIGTERM too."""

    def interrupt(_signal: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    group = Processes(environment)
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
