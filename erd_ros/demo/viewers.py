"""Where the demo is watched: Rerun's window or web page, RViz, or nowhere."""

import argparse
import importlib.util
import os
import shutil
import socket
from pathlib import Path

from erd_ros.demo.processes import Processes
from erd_ros.errors import BackendError, InputError
from erd_ros.fastdds import share_file

# Camera images are shown to this machine alone; Rerun's default is every network.
_HERE = "127.0.0.1"
# What the page or window keeps before it forgets the oldest.
_MEMORY = "500MB"


def viewer_of(arguments: argparse.Namespace) -> str:
    """rerun, web, rviz or none. Raises ErdError when the one asked for cannot be had."""
    if arguments.headless or arguments.viewer == "none":
        return "none"
    if arguments.web or arguments.viewer == "rerun":
        require("rerun", "this viewer", "erd_ros[viewer]")
        _check_ports(arguments.web_port)
        return "web" if arguments.web else "rerun"
    rviz = shutil.which("rviz2") is not None
    if arguments.viewer == "rviz":
        if not rviz:
            raise BackendError("rviz2 is not on the PATH; source your ROS, or use --viewer rerun")
        return "rviz"
    if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return "none"
    if importlib.util.find_spec("rerun") is not None:
        _check_ports(arguments.web_port)
        return "rerun"
    return "rviz" if rviz else "none"


def start_viewer(group: Processes, viewer: str, web_port: int, people_topic: str) -> None:
    """Start what shows the people of a topic; nothing for viewer "none"."""
    if viewer == "rviz":
        config = share_file("rviz/erd.rviz")
        group.start("rviz2", ["rviz2", *(["-d", str(config)] if config else [])])
    if viewer in ("web", "rerun"):
        group.start("rerun", _rerun_command(viewer, web_port))
        server = f"rerun+http://{_HERE}:{web_port + 1}/proxy"
        group.start_node("viewer", {"server": server}, "-r", f"people:={people_topic}")


def _rerun_command(viewer: str, web_port: int) -> list[str]:
    """Rerun's program itself: the script of that name is a process between it and its signals."""
    spec = importlib.util.find_spec("rerun_cli")
    if spec is None or spec.origin is None:
        raise BackendError("rerun-sdk has no viewer in it; `pip install 'erd_ros[viewer]'`")
    command = [str(Path(spec.origin).parent / "rerun"), "--bind", _HERE]
    command += ["--port", str(web_port + 1), "--hide-welcome-screen"]
    if viewer == "rerun":
        return [*command, "--memory-limit", _MEMORY]
    page = ["--serve-web", "--web-viewer-port", str(web_port)]
    return [*command, *page, "--server-memory-limit", _MEMORY]


def _check_ports(web_port: int) -> None:
    """Raises InputError when a port is out of range or taken."""
    if not 1024 <= web_port <= 65534:
        raise InputError(f"--web-port is {web_port}, expected 1024 to 65534")
    for port in (web_port, web_port + 1):
        with socket.socket() as probe:
            # As servers do: a port whose last connection has just ended is free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((_HERE, port))
            except OSError as error:
                raise InputError(
                    f"port {port} is taken ({error.strerror}); Rerun needs --web-port and the "
                    "one after it, give another"
                ) from error


def require(module: str, purpose: str, extra: str) -> None:
    """Raises BackendError when a module is not installed; ``extra`` is what brings it."""
    if importlib.util.find_spec(module) is None:
        raise BackendError(
            f"{purpose} needs {module}, which is not installed; `pip install '{extra}'`"
        )
