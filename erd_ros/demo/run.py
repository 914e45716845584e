"""``erd demo``: player, node, recorder and viewer as processes on real topics, then the report."""

import argparse
import importlib.util
import os
import time
from pathlib import Path
from typing import Any

from rich.console import Console

from erd_ros.demo.environment import RosEnvironment, ros_environment
from erd_ros.demo.figures import errors_against, figures, truth_of_published
from erd_ros.demo.picture import save_picture
from erd_ros.demo.playback import Playback, playback_of
from erd_ros.demo.processes import Processes, processes
from erd_ros.demo.recording import Recording
from erd_ros.demo.tables import tables
from erd_ros.demo.viewers import require, start_viewer, viewer_of
from erd_ros.errors import BackendError
from erd_ros.files import check_log_folder, check_writable
from erd_ros.report import write_json
from erd_ros.synthetic import SyntheticConfig, synthesise

# After the last frame: the node answers it, the recorder hears the answer.
_LAST_ANSWER_S = 1.5
_START_S = 60.0
_PEOPLE = "/erd_node/people"


def run_demo(arguments: argparse.Namespace) -> None:
    """Carry out ``erd demo``. Raises ErdError when the source cannot be played."""
    environment = ros_environment(os.environ)
    playback = playback_of(arguments)
    viewer = viewer_of(arguments)
    if playback.input == "image":
        require("mediapipe", "detecting people in images", "erd_ros[mediapipe]")
    check_log_folder(os.environ)
    recording_file = arguments.out / "recording.npz"
    check_writable(arguments.out)  # now, not when the user has waited for the end
    console = Console()
    console.print(f"source: {playback.description}", highlight=False)
    console.print(f"viewer: {_about_viewer(viewer, arguments.web_port)}", highlight=False)
    for remark in environment.remarks:
        console.print(remark, highlight=False, markup=False, soft_wrap=True)
    interrupted = _play(environment, arguments, playback, viewer, recording_file)
    _report(Recording.load(recording_file), arguments, playback, console)
    if interrupted and viewer == "none":
        raise KeyboardInterrupt


def _about_viewer(viewer: str, web_port: int) -> str:
    return {
        "none": "none (no screen, none installed, or not wanted; --web serves a page)",
        "web": f"web page at http://127.0.0.1:{web_port}/?url=rerun%2Bhttp://127.0.0.1:"
        f"{web_port + 1}/proxy ; Ctrl-C ends",
        "rerun": "Rerun's window; closing it, or Ctrl-C here, ends",
        "rviz": "RViz; closing it, or Ctrl-C here, ends",
    }[viewer]


def _play(
    environment: RosEnvironment,
    arguments: argparse.Namespace,
    playback: Playback,
    viewer: str,
    recording_file: Path,
) -> bool:
    """Run the processes to the end; True when the user ended it."""
    with processes(environment.variables) as group:
        _start(group, arguments, playback, viewer, recording_file)
        try:
            group.wait_for_any("player", "rviz2", "rerun")
            time.sleep(_LAST_ANSWER_S)
            interrupted = False
        except KeyboardInterrupt:
            interrupted = True
        except BackendError:
            group.kill("recorder")  # it would complain that it heard nothing
            raise
        try:
            group.stop("recorder")
        except BackendError:
            if interrupted:  # before there was anything to record
                raise KeyboardInterrupt from None
            raise
    return interrupted


def _start(
    group: Processes,
    arguments: argparse.Namespace,
    playback: Playback,
    viewer: str,
    recording_file: Path,
) -> None:
    people = ("-r", f"people:={_PEOPLE}")
    group.start_node("recorder", {"path": str(recording_file.resolve())}, *people)
    start_viewer(group, viewer, arguments.web_port, _PEOPLE)
    node = {
        "input": playback.input,
        "model": str(Path(arguments.model).resolve()) if arguments.model else "",
        "publish_tf": importlib.util.find_spec("tf2_msgs") is not None,
    }
    group.start_node("node", node)
    listeners = 3 if viewer in ("web", "rerun") else 2
    player = {
        "seconds": float(arguments.seconds),
        "loop": viewer != "none",
        "subscribers": listeners,
        "wait": _START_S,
    }
    group.start_node("player", {**playback.player, **player})


def _report(
    recording: Recording, arguments: argparse.Namespace, playback: Playback, console: Console
) -> None:
    result: dict[str, Any] = {"source": playback.description, **figures(recording)}
    truth = None
    if playback.player["source"] == "synthetic":
        rate_hz = float(str(playback.player["rate"]))
        period = synthesise(SyntheticConfig(rate_hz=rate_hz)).truth_in_camera
        truth = truth_of_published(recording, period)
        result["error"] = errors_against(recording, truth)
    for table in tables(result):
        console.print(table)
    picture = arguments.out / "demo.png"
    save_picture(recording, picture, playback.description, truth)
    console.print(f"picture: {picture}", highlight=False)
    if arguments.json is not None:
        write_json(arguments.json, result, seed=None)
        console.print(f"figures: {arguments.json}", highlight=False)
