"""erd_node, and RViz on request.

    ros2 launch erd_ros erd.launch.py image_topic:=/camera/image_raw \
        camera_info_topic:=/camera/camera_info rviz:=true

The node then publishes people, markers and poses under <namespace>/erd_node.
"""

import os
from pathlib import Path

from launch.actions import DeclareLaunchArgument, OpaqueFunction, SetEnvironmentVariable
from launch.conditions import IfCondition
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

from launch import LaunchDescription

# The source tree and the installed package have the same folders.
PACKAGE = Path(__file__).resolve().parent.parent
PARAMETERS = PACKAGE / "config" / "erd_node.yaml"
FASTDDS_PROFILE = PACKAGE / "config" / "fastdds.xml"
RVIZ_CONFIG = PACKAGE / "rviz" / "erd.rviz"

ARGUMENTS = {
    "namespace": ("", "namespace of the node and of its topics"),
    "params_file": (str(PARAMETERS), "parameters of the node"),
    "input": ("", "image or keypoints; empty = as the params_file has it"),
    "image_topic": ("image", "sensor_msgs/Image, for input image"),
    "camera_info_topic": ("camera_info", "sensor_msgs/CameraInfo of that image"),
    "keypoints_topic": ("keypoints", "erd_ros/Person2DArray, for input keypoints"),
    "use_sim_time": ("false", "take the time from /clock, e.g. when a bag is played"),
    "log_level": ("info", "debug, info, warn or error"),
    "rviz": ("false", "show the result in RViz"),
}


def nodes(context) -> list[Node]:
    """The nodes, once the arguments are known."""
    value = {name: LaunchConfiguration(name).perform(context) for name in ARGUMENTS}
    topics = [(name, value[f"{name}_topic"]) for name in ("image", "camera_info", "keypoints")]
    use_sim_time = {"use_sim_time": value["use_sim_time"].lower() in ("true", "1")}
    chosen = {"input": value["input"]} if value["input"] else {}
    erd_node = Node(
        package="erd_ros",
        executable="erd_node",
        name="erd_node",
        namespace=value["namespace"],
        parameters=[value["params_file"], use_sim_time, *([chosen] if chosen else [])],
        remappings=topics,
        ros_arguments=["--log-level", value["log_level"]],
        output="screen",
    )
    rviz = Node(
        package="rviz2",
        executable="rviz2",
        namespace=value["namespace"],
        arguments=["-d", str(RVIZ_CONFIG)],
        parameters=[use_sim_time],
        remappings=topics,
        condition=IfCondition(value["rviz"]),
    )
    return [erd_node, rviz]


def generate_launch_description() -> LaunchDescription:
    profile = "FASTRTPS_DEFAULT_PROFILES_FILE"
    return LaunchDescription(
        [
            *(
                DeclareLaunchArgument(name, default_value=default, description=description)
                for name, (default, description) in ARGUMENTS.items()
            ),
            SetEnvironmentVariable(profile, os.environ.get(profile, str(FASTDDS_PROFILE))),
            OpaqueFunction(function=nodes),
        ]
    )
