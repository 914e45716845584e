"""The player, erd_node and RViz: the demo where ROS is installed.

    ros2 launch erd_ros demo.launch.py
    ros2 launch erd_ros demo.launch.py source:=video path:=FILE fov:=60.0

Without a source it plays the synthetic sequence, which needs no detector. `erd demo` is its
counterpart where ROS is not installed.
"""

from pathlib import Path

from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription, OpaqueFunction
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from launch import LaunchDescription

PACKAGE = Path(__file__).resolve().parent.parent
ERD_LAUNCH_FILE = PACKAGE / "launch" / "erd.launch.py"
PARAMETERS = PACKAGE / "config" / "erd_node.yaml"

ARGUMENTS = {
    "source": ("synthetic", "what is played: synthetic, video, camera or bag"),
    "path": ("", "file of the video, folder of the bag"),
    "camera": ("0", "number of the camera, for source camera"),
    "camera_info": ("", "calibration (YAML); empty = a pinhole of fov, or the bag's own"),
    "fov": ("0.0", "horizontal field of view in degrees; 0 = 60, or the bag's own camera"),
    "rate": ("0.0", "frames per second; 0 = the source's own"),
    "loop": ("true", "begin again when the source ends"),
    "input": ("", "image or keypoints; empty = what the source has"),
    "params_file": (str(PARAMETERS), "parameters of erd_node"),
    "log_level": ("info", "debug, info, warn or error"),
    "rviz": ("true", "show the result in RViz"),
    "fixed_frame": ("", "fixed frame of RViz, for a bag; empty = camera_optical_frame"),
}


def nodes(context) -> list[Node | IncludeLaunchDescription]:
    """The nodes, once the arguments are known."""
    value = {name: LaunchConfiguration(name).perform(context) for name in ARGUMENTS}
    made_up = value["source"] == "synthetic"
    node_input = value["input"] or ("keypoints" if made_up else "image")
    player = Node(
        package="erd_ros",
        executable="erd_player",
        name="player",
        parameters=[
            {
                **{name: value[name] for name in ("source", "path", "camera_info")},
                **{name: float(value[name]) for name in ("fov", "rate")},
                "camera": int(value["camera"]),
                "loop": value["loop"].lower() in ("true", "1"),
            }
        ],
        ros_arguments=["--log-level", value["log_level"]],
        output="screen",
    )
    shared = {name: value[name] for name in ("params_file", "log_level", "rviz", "fixed_frame")}
    erd = IncludeLaunchDescription(
        PythonLaunchDescriptionSource(str(ERD_LAUNCH_FILE)),
        launch_arguments={**shared, "input": node_input}.items(),
    )
    # erd.launch.py first: it sets the DDS profile for all that come after it.
    return [erd, player]


def generate_launch_description() -> LaunchDescription:
    return LaunchDescription(
        [
            *(
                DeclareLaunchArgument(name, default_value=default, description=description)
                for name, (default, description) in ARGUMENTS.items()
            ),
            OpaqueFunction(function=nodes),
        ]
    )
