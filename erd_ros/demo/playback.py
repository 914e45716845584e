"""What the command line asks to be played, checked before anything starts."""

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from erd_ros.demo.bag import bag_topics
from erd_ros.demo.calibration import camera_from_file
from erd_ros.demo.capture import DEFAULT_FIELD_OF_VIEW_DEG, capture
from erd_ros.demo.sources import SyntheticSource
from erd_ros.errors import InputError
from erd_ros.input_file import check_name


@dataclass(frozen=True)
class Playback:
    """What the player is told, what the node listens to, and what the report calls it."""

    player: Mapping[str, object]
    input: str
    description: str


def playback_of(arguments: argparse.Namespace) -> Playback:
    """Open the source once to check it. Raises InputError that names the value and the way out."""
    if not (np.isfinite(arguments.seconds) and arguments.seconds >= 0):
        raise InputError(f"--seconds is {arguments.seconds:g}, expected 0 or more")
    if not (arguments.rate == 0 or 0.1 <= arguments.rate <= 200):
        raise InputError(f"--rate is {arguments.rate:g} Hz, expected 0.1 to 200")
    _check_names(arguments)
    if arguments.image_topic is not None and arguments.bag is None:
        raise InputError("--image-topic is for --bag; give it too")
    if arguments.bag is not None:
        return _bag(arguments)
    if arguments.video is None and arguments.camera is None:
        return _synthetic(arguments)
    return _capture(arguments)


def _check_names(arguments: argparse.Namespace) -> None:
    """Of what other processes are told: ROS parameters are UTF-8."""
    for what in ("video", "bag", "image_topic", "camera_info", "model", "out"):
        name = getattr(arguments, what)
        if name:
            check_name(str(name), f"--{what.replace('_', '-')}")
    check_name(str(Path.cwd()), "the working directory")


def _synthetic(arguments: argparse.Namespace) -> Playback:
    given = "--fov" if arguments.fov is not None else "--camera-info"
    if arguments.fov is not None or arguments.camera_info is not None:
        raise InputError(f"{given} is for --video, --camera and --bag; give one of them too")
    source = SyntheticSource(arguments.rate)
    player = {"source": "synthetic", "rate": source.rate_hz}
    return Playback(player, "keypoints", source.description)


def _capture(arguments: argparse.Namespace) -> Playback:
    video = arguments.camera if arguments.video is None else arguments.video
    fov_deg = DEFAULT_FIELD_OF_VIEW_DEG if arguments.fov is None else arguments.fov
    source = capture(video, arguments.camera_info, fov_deg, arguments.rate)
    player = {
        "source": "camera" if source.live else "video",
        "path": "" if source.live else str(Path(video).resolve()),
        "camera": video if source.live else 0,
        "rate": float(arguments.rate),
        "fov": float(fov_deg),
        "camera_info": _absolute(arguments.camera_info),
    }
    source.close()
    return Playback(player, "image", source.description)


def _bag(arguments: argparse.Namespace) -> Playback:
    if arguments.rate:
        raise InputError(f"--rate is {arguments.rate:g} Hz, but a bag is played as it was recorded")
    topics = bag_topics(arguments.bag, arguments.image_topic or "")
    if arguments.camera_info is not None:
        camera_from_file(arguments.camera_info)
    elif arguments.fov is None and not topics.camera_info:
        raise InputError(
            f"bag '{arguments.bag}' has no CameraInfo; give --camera-info YAML or --fov DEG"
        )
    played = [topic for topic in (topics.image, topics.keypoints, topics.camera_info) if topic]
    player = {
        "source": "bag",
        "path": str(Path(arguments.bag).resolve()),
        "image_topic": arguments.image_topic or "",
        "fov": float(arguments.fov or 0.0),
        "camera_info": _absolute(arguments.camera_info),
    }
    return Playback(player, topics.input, f"bag '{arguments.bag}': {', '.join(played)}")


def _absolute(path: Path | None) -> str:
    return "" if path is None else str(path.resolve())
