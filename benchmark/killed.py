"""kill -9 of the player, of erd_node and of what started both: who notices when, who is back when.

A watcher listens to ~/people with a liveliness lease of a second, as README.md advises. Each is
killed while the synthetic sequence is playing at 30 Hz, and started again at once.

    python benchmark/killed.py --json benchmark/killed.json
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import rclpy
from erd_ros.msg import Person3DArray
from node_process import PATIENCE_S, SILENT, NodeProcess, Topics, join
from rclpy.duration import Duration

from erd_ros.report import write_json

STALE_TIMEOUT_S = 1.0
LEASE_S = 1.0
_SETTLE_S, _RUNNING_S = 0.5, 2.0
_NODE = ("input:=keypoints", f"stale_timeout:={STALE_TIMEOUT_S}")
_PLAYER = ("source:=synthetic", "rate:=30.0", "loop:=true")
_STARTS = {
    "node": lambda: NodeProcess(*_NODE),
    "player": lambda: NodeProcess(*_PLAYER, module="player"),
}
_NOTICED = {"stale": "stale_s", "lost": "liveliness_lost_s"}


def parse_arguments(argv=None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=5, help="how often each is killed")
    parser.add_argument("--domain", type=int, default=86, help="ROS_DOMAIN_ID to use")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    return parser.parse_args(argv)


class Watcher:
    """Notes when people, STALE and the loss of liveliness were last heard of."""

    def __init__(self) -> None:
        self.people_s = self.stale_s = self.lost_s = -np.inf
        lease = Duration(seconds=LEASE_S)
        self.topics = Topics("watcher", self._receive, 5, self._liveliness, lease)

    def _receive(self, message: Person3DArray) -> None:
        if message.state == Person3DArray.STALE:
            self.stale_s = time.perf_counter()
        elif message.state not in SILENT:
            self.people_s = time.perf_counter()

    def _liveliness(self, event) -> None:
        if event.not_alive_count_change > 0:
            self.lost_s = time.perf_counter()

    def wait_for(self, name: str, begin_s: float) -> float:
        """Seconds from ``begin_s`` until it is heard of: people, stale or lost."""
        attribute = f"{name}_s"
        self.topics.spin_until_true(lambda: getattr(self, attribute) > begin_s, name)
        return getattr(self, attribute) - begin_s

    def watch(self) -> None:
        """People come, and go on coming for a while."""
        self.topics.spin_until(time.perf_counter() + _SETTLE_S)  # what another node said before
        self.wait_for("people", time.perf_counter())
        self.topics.spin_until(time.perf_counter() + _RUNNING_S)


def kill(name: str, notices: str, watcher: Watcher, times: int) -> dict[str, list[float]]:
    """Of "player" or "node": noticed that long after the kill, people that long after the start.

    notices  what the watcher then hears of: "stale" or "lost"
    """
    noticed_s, people_again_s = [], []
    running = {which: start() for which, start in _STARTS.items()}
    try:
        for _ in range(times):
            watcher.watch()
            killed_s = time.perf_counter()
            running[name].stop(signal.SIGKILL)
            noticed_s.append(watcher.wait_for(notices, killed_s))
            running[name] = _STARTS[name]()
            people_again_s.append(watcher.wait_for("people", running[name].started_s))
    finally:
        for process in reversed(running.values()):
            process.stop()
    return {_NOTICED[notices]: noticed_s, "people_again_s": people_again_s}


def start_demo() -> subprocess.Popen:
    """`erd demo`, which starts the node and the player, without a viewer."""
    options = ["--headless", "--seconds", "600", "--out", tempfile.gettempdir()]
    command = [sys.executable, "-m", "erd_ros.cli", "demo", *options]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL)


def children(parent: int) -> list[int]:
    """Processes that it has started and that run."""
    found = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return [int(pid) for pid in found]


def _is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def kill_demo(watcher: Watcher, times: int) -> dict[str, list[float]]:
    """Its processes are gone that long after the kill, people come that long after a new start."""
    figures: dict[str, list[float]] = {"processes_gone_s": [], "people_again_s": []}
    demo = start_demo()
    for _ in range(times):
        watcher.watch()
        started = children(demo.pid)
        killed_s = time.perf_counter()
        os.kill(demo.pid, signal.SIGKILL)
        demo.wait()
        gone_s = watcher.topics.spin_until_true(
            lambda pids=started: not any(map(_is_running, pids)), "the demo's processes to end"
        )
        figures["processes_gone_s"].append(gone_s - killed_s)
        begin_s = time.perf_counter()
        demo = start_demo()
        figures["people_again_s"].append(watcher.wait_for("people", begin_s))
    watcher.watch()
    demo.send_signal(signal.SIGINT)
    demo.wait(PATIENCE_S)
    return figures


def main() -> int:
    arguments = parse_arguments()
    join(arguments.domain)
    watcher = Watcher()
    figures = {
        "player": kill("player", "stale", watcher, arguments.times),
        "node": kill("node", "lost", watcher, arguments.times),
        "demo": kill_demo(watcher, arguments.times),
    }
    rclpy.try_shutdown()
    for kind, rows in figures.items():
        for name, values in rows.items():
            print(f"{kind} {name}: median {np.median(values):.2f}, at most {max(values):.2f}")
    if arguments.json is not None:
        content = {"stale_timeout_s": STALE_TIMEOUT_S, "lease_s": LEASE_S, **figures}
        write_json(arguments.json, content, seed=None)
    return 0


if __name__ == "__main__":
    sys.exit(main())
