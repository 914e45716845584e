"""erd_node, and RViz on request.

    ros2 launch erd_ros erd.launch.py image_topic:=/camera/image_raw \
        camera_info_topic:=/camera/camera_info rviz:=true

The node then publishes people, markers and poses under <namespace>/erd_node. Several cameras:
launch it once for each, with a namespace of its own.
"""

import os
from pathlib import Path

from launch.actions import DeclareLaunchArgument, OpaqueFunction, SetEnvironmentVariable
from launch.conditions import IfCondition
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import LifecycleNode, Node

from erd_ros.fastdds import fastdds_environment
from launch import LaunchDescription

# The source tree and the installed package have the same folders.
PACKAGE = Path(__file__).resolve().parent.parent
PARAMETERS = PACKAGE / "config" / "erd_node.yaml"
RVIZ_CONFIG = PACKAGE / "rviz" / "erd.rviz"
RVIZ_CONFIG_ROBOT = PACKAGE / "rviz" / "erd_robot.rviz"

ARGUMENTS = {
    "namespace": ("", "namespace of the node and of its topics"),
    "params_file": (str(PARAMETERS), "parameters of the node"),
    "input": ("", "what the node listens to, e.g. keypoints; empty = as the params_file has it"),
    "model": ("", "path of the model file; empty = as the params_file has it"),
    "image_topic": ("image", "sensor_msgs/Image, for input image"),
    "camera_info_topic": ("camera_info", "sensor_msgs/CameraInfo of that image"),
    "keypoints_topic": ("keypoints", "keypoints of another node, of the type that input names"),
    "depth_topic": ("depth_image", "sensor_msgs/Image of depths, registered to the camera"),
    "target_frame": ("", "frame of the output, by TF; empty = as the params_file has it"),
    "ground_frame": (
        "",
        "frame whose z points up from the ground; empty = as the params_file has it",
    ),
    "autostart": (
        "true",
        "configure and activate at start; false = wait for lifecycle transitions",
    ),
    "respawn": ("false", "start the node again, a second later, when it has ended by itself"),
    "use_sim_time": ("false", "take the time from /clock, e.g. when a bag is played"),
    "log_level": ("info", "debug, info, warn or error"),
    "rviz": ("false", "show the result in RViz"),
    "fixed_frame": (
        "",
        "fixed frame of RViz: the frame_id of your CameraInfo; empty = target_frame, or "
        "camera_optical_frame without one",
    ),
}


# Arguments that go before the params_file where they are given.
CHOSEN = ("input", "model", "target_frame", "ground_frame")


def _is_true(text: str) -> bool:
    return text.lower() in ("true", "1")


def _rviz_arguments(target_frame: str, fixed_frame: str) -> list[str]:
    """The view of the camera, or of a frame whose z points up; the config's frame, or another."""
    config = RVIZ_CONFIG_ROBOT if target_frame else RVIZ_CONFIG
    frame = fixed_frame or target_frame
    return ["-d", str(config), *(["-f", frame] if frame else [])]


def _check_params_file(path: str) -> None:
    """launch_ros warns of a file that is not there, and starts the node with its defaults."""
    if not Path(path).is_file():
        raise RuntimeError(f"params_file '{path}' is not there; the node's own is {PARAMETERS}")


def nodes(context) -> list[Node]:
    """The nodes, once the arguments are known."""
    value = {name: LaunchConfiguration(name).perform(context) for name in ARGUMENTS}
    _check_params_file(value["params_file"])
    topics = [(name, value[f"{name}_topic"]) for name in ("image", "camera_info", "keypoints")]
    topics += [
        ("depth_image", value["depth_topic"]),
        ("image/compressed", f"{value['image_topic']}/compressed"),
    ]
    use_sim_time = {"use_sim_time": _is_true(value["use_sim_time"])}
    chosen = {name: value[name] for name in CHOSEN if value[name]}
    chosen |= {"autostart": _is_true(value["autostart"]), "end_with_parent": True}
    erd_node = LifecycleNode(
        package="erd_ros",
        executable="erd_node",
        name="erd_node",
        namespace=value["namespace"],
        parameters=[value["params_file"], use_sim_time, chosen],
        remappings=topics,
        ros_arguments=["--log-level", value["log_level"]],
        output="screen",
        respawn=_is_true(value["respawn"]),
        respawn_delay=1.0,
    )
    rviz = Node(
        package="rviz2",
        executable="rviz2",
        namespace=value["namespace"],
        arguments=_rviz_arguments(value["target_frame"], value["fixed_frame"]),
        parameters=[use_sim_time],
        remappings=topics,
        condition=IfCondition(value["rviz"]),
    )
    return [erd_node, rviz]


def generate_launch_description() -> LaunchDescription:
    return LaunchDescription(
        [
            *(
                DeclareLaunchArgument(name, default_value=default, description=description)
                for name, (default, description) in ARGUMENTS.items()
            ),
            *(
                SetEnvironmentVariable(name, profile)
                for name, profile in fastdds_environment(os.environ).items()
            ),
            OpaqueFunction(function=nodes),
        ]
    )
