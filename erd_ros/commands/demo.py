"""``erd demo``: from a video, camera, bag or the synthetic sequence to skeletons and a picture."""

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command line."""
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--video", metavar="FILE", help="play a video file, or show a photo")
    source.add_argument("--camera", metavar="N", type=int, help="use the camera of this number")
    source.add_argument("--bag", metavar="FOLDER", help="play the topics of a ROS 2 bag")
    parser.add_argument(
        "--image-topic",
        metavar="TOPIC",
        help="images of the bag to play (default: its keypoints, or else its colour camera)",
    )
    camera = parser.add_mutually_exclusive_group()
    camera.add_argument(
        "--fov", metavar="DEG", type=float, help="horizontal field of view (60 is assumed)"
    )
    camera.add_argument(
        "--camera-info", metavar="YAML", type=Path, help="calibration by camera_calibration"
    )
    viewer = parser.add_mutually_exclusive_group()
    viewer.add_argument(
        "--viewer",
        choices=("rerun", "rviz", "none"),
        help="where to watch (default: the first of these that is installed, if there is a screen)",
    )
    viewer.add_argument("--web", action="store_true", help="watch in a browser on this machine")
    viewer.add_argument("--headless", action="store_true", help="do not watch: --viewer none")
    parser.add_argument(
        "--web-port", metavar="PORT", type=int, default=9090, help="of the page (default 9090)"
    )
    parser.add_argument("--model", metavar="FILE", help="model file (default: the shipped one)")
    parser.add_argument(
        "--rate", metavar="HZ", type=float, default=0.0, help="frames per second to play at"
    )
    parser.add_argument(
        "--seconds",
        metavar="S",
        type=float,
        default=0.0,
        help="stop after S seconds; without it the demo ends with the source, or on Ctrl-C where "
        "it is watched: it then begins again at the end",
    )
    parser.add_argument(
        "--out",
        metavar="DIR",
        type=Path,
        default=Path("demo_output"),
        help="folder for picture and recording (default: %(default)s)",
    )
    parser.add_argument("--json", metavar="FILE", type=Path, help="write the figures to FILE")


def run(arguments: argparse.Namespace) -> None:
    """Carry it out. Raises ErdError when the source cannot be played or a process fails."""
    from erd_ros.demo.run import run_demo

    run_demo(arguments)
