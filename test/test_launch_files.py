"""The launch file and what it names: files, arguments, and a real launch where ROS has one."""

import ast
import asyncio
import os
import re
import xml.etree.ElementTree
from pathlib import Path

import pytest
import yaml
from erd_ros.msg import Person2DArray, Person3DArray
from ros_harness import RosBench
from ros_people import CAMERAS, camera_info, message_of, model_path, seen_by
from sensor_msgs.msg import CameraInfo

from erd_ros.fastdds import FASTDDS_VARIABLES, fastdds_environment
from erd_ros.ros.parameters import PARAMETERS

ROOT = Path(__file__).resolve().parent.parent
LAUNCH_FILE = ROOT / "launch" / "erd.launch.py"
ARGUMENTS = {
    "namespace",
    "params_file",
    "input",
    "image_topic",
    "camera_info_topic",
    "keypoints_topic",
    "depth_topic",
    "model",
    "target_frame",
    "ground_frame",
    "autostart",
    "respawn",
    "use_sim_time",
    "log_level",
    "rviz",
    "fixed_frame",
}
DOCK_AREAS = {"left": "00000000", "bottom": "00000003"}  # Qt's QInternal::DockPosition


def assignments() -> dict[str, ast.expr]:
    tree = ast.parse(LAUNCH_FILE.read_text())
    return {
        target.id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def functions() -> dict[str, ast.FunctionDef]:
    tree = ast.parse(LAUNCH_FILE.read_text())
    return {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}


def function_alone(name, **names):
    """One function of the launch file without the rest: launch itself is not on PyPI."""
    exec(compile(ast.Module([functions()[name]], []), str(LAUNCH_FILE), "exec"), names)
    return names[name]


def test_arguments_are_those_of_the_readme_with_a_description_each():
    keys = {key.value for key in assignments()["ARGUMENTS"].keys}
    assert keys == ARGUMENTS
    for value in assignments()["ARGUMENTS"].values:
        assert len(value.elts[1].value) > 15


def test_every_file_it_names_exists():
    for name in ("PARAMETERS", "RVIZ_CONFIG", "RVIZ_CONFIG_ROBOT"):
        strings = [n for n in ast.walk(assignments()[name]) if isinstance(n, ast.Constant)]
        strings.sort(key=lambda node: node.col_offset)
        assert ROOT.joinpath(*(string.value for string in strings)).is_file(), name


@pytest.mark.parametrize(
    ("file", "frame"), [("erd.rviz", "camera_optical_frame"), ("erd_robot.rviz", "base_link")]
)
def test_rviz_config_shows_what_the_node_publishes(file, frame):
    config = yaml.safe_load((ROOT / "rviz" / file).read_text())["Visualization Manager"]
    topics = {
        display["Class"].rpartition("/")[2]: display["Topic"]["Value"]
        for display in config["Displays"]
        if "Topic" in display
    }
    assert topics == {
        "MarkerArray": "erd_node/markers",
        "PoseArray": "erd_node/poses",
        "Image": "image",
    }
    assert config["Global Options"]["Fixed Frame"] == frame


@pytest.mark.parametrize("file", ["erd.rviz", "erd_robot.rviz"])
def test_the_3d_view_has_most_of_rviz_window(file):
    """As QMainWindow::saveState writes it: dock areas with width and height, names in UTF-16."""
    config = yaml.safe_load((ROOT / "rviz" / file).read_text())
    window = config["Window Geometry"]
    state = window["QMainWindow State"]
    areas = {
        name: re.search(f"{position}(?P<w>.{{8}})(?P<h>.{{8}})fc", state)
        for name, position in DOCK_AREAS.items()
    }
    assert int(areas["left"]["w"], 16) < window["Width"] / 4
    assert int(areas["bottom"]["h"], 16) < window["Height"] / 10
    panels = {panel["Name"] for panel in config["Panels"]}
    for name in panels | {"Image"}:
        at = state.index(name.encode("utf-16-be").hex())
        assert (at > areas["bottom"].start()) == (name == "Time")


@pytest.mark.parametrize(
    ("target_frame", "fixed_frame", "arguments"),
    [
        ("", "", ["-d", "camera"]),
        (
            "",
            "realsense_color_optical_frame",
            ["-d", "camera", "-f", "realsense_color_optical_frame"],
        ),
        ("base_link", "", ["-d", "robot", "-f", "base_link"]),
        ("base_link", "map", ["-d", "robot", "-f", "map"]),
    ],
)
def test_rviz_starts_in_the_frame_that_is_given(target_frame, fixed_frame, arguments):
    rviz_arguments = function_alone(
        "_rviz_arguments", RVIZ_CONFIG="camera", RVIZ_CONFIG_ROBOT="robot"
    )
    assert rviz_arguments(target_frame, fixed_frame) == arguments
    nodes = ast.unparse(functions()["nodes"])
    assert "_rviz_arguments(value['target_frame'], value['fixed_frame'])" in nodes


def test_arguments_that_name_parameters_are_parameters_and_topics_are_those_of_the_node():
    chosen = {name.value for name in assignments()["CHOSEN"].elts}
    parameters = {parameter.name for parameter in PARAMETERS}
    assert chosen | {"autostart"} <= parameters & ARGUMENTS
    topics = {name.removesuffix("_topic") for name in ARGUMENTS if name.endswith("_topic")}
    assert topics == {"image", "camera_info", "keypoints", "depth"}


def test_both_names_of_the_fastdds_profile_are_set_and_the_users_own_goes_first():
    profile = str(ROOT / "config" / "fastdds.xml")
    assert fastdds_environment({}) == dict.fromkeys(FASTDDS_VARIABLES, profile)
    own = {FASTDDS_VARIABLES[0]: "/own.xml"}
    assert fastdds_environment(own) == dict.fromkeys(FASTDDS_VARIABLES, "/own.xml")
    described = functions()["generate_launch_description"]
    assert "SetEnvironmentVariable(name, profile) for name, profile in fastdds_environment(" in (
        ast.unparse(described)
    )


def test_fastdds_profile_is_for_whole_images():
    names = {"dds": "http://www.eprosima.com/XMLSchemas/fastRTPS_Profiles"}
    tree = xml.etree.ElementTree.parse(ROOT / "config" / "fastdds.xml")
    largest = int(tree.findtext(".//dds:maxMessageSize", namespaces=names))
    assert largest >= 1920 * 1080 * 4
    assert int(tree.findtext(".//dds:segment_size", namespaces=names)) >= largest


def test_a_params_file_that_is_not_there_is_refused(tmp_path):
    check = function_alone("_check_params_file", Path=Path, PARAMETERS="/share/erd_node.yaml")
    with pytest.raises(RuntimeError, match=r"'/nowhere\.yaml' is not there; .*/share/erd_node"):
        check("/nowhere.yaml")
    given = tmp_path / "given.yaml"
    given.touch()
    check(str(given))
    assert "_check_params_file(" in ast.unparse(functions()["nodes"])


def test_launched_node_listens_where_it_is_told(tmp_path):
    pytest.importorskip("launch_ros", reason="launch comes with ROS, it is not on PyPI")
    from ament_index_python.packages import get_package_prefix

    if not Path(get_package_prefix("erd_ros"), "lib", "erd_ros", "erd_node").is_file():
        pytest.skip("erd_ros is not installed as a ROS package")
    from launch.actions import IncludeLaunchDescription
    from launch.launch_description_sources import PythonLaunchDescriptionSource

    from launch import LaunchDescription, LaunchService

    parameters = tmp_path / "parameters.yaml"
    values = {"input": "image", "model": model_path(tmp_path)}
    parameters.write_text(yaml.safe_dump({"/**": {"ros__parameters": values}}))
    arguments = {
        "namespace": "robot",
        "params_file": str(parameters),
        "input": "keypoints",
        "keypoints_topic": "/detector/people",
        "camera_info_topic": "/camera/info",
    }
    launched = IncludeLaunchDescription(
        PythonLaunchDescriptionSource(str(LAUNCH_FILE)), launch_arguments=arguments.items()
    )
    with RosBench(tmp_path) as bench:
        service = LaunchService()
        service.include_launch_description(LaunchDescription([launched]))
        asyncio.run(talk_to_launched(bench, service))


async def talk_to_launched(bench, service) -> None:
    launched = asyncio.create_task(service.run_async())
    bench.people = bench.client.listen(Person3DArray, "/robot/erd_node/people")
    keypoints = bench.client.publisher(Person2DArray, "/detector/people")
    info = bench.client.publisher(CameraInfo, "/camera/info")
    message = message_of(seen_by(CAMERAS["pinhole"]), 1.0)
    try:
        for _ in range(400):
            info.publish(camera_info())
            keypoints.publish(message)
            bench.client.spin_for(0.02)
            await asyncio.sleep(0.03)
            if bench.people:
                break
        assert len(bench.people[-1].persons) == 2
        for name in FASTDDS_VARIABLES:
            assert os.environ[name].endswith("fastdds.xml")
    finally:
        await service.shutdown()
        assert await asyncio.wait_for(launched, 20) == 0
