"""The table of parameters: what ROS declares, what it refuses, and the file that lists it."""

from pathlib import Path

import pytest
import rclpy
import yaml
from rclpy.context import Context
from rclpy.node import Node
from rclpy.parameter import Parameter

from erd_ros.errors import InputError
from erd_ros.ros.declare import changed, declare_parameters
from erd_ros.ros.parameters import (
    PARAMETERS,
    NodeParameters,
    to_markdown,
    to_yaml,
)

CONFIG = Path(__file__).resolve().parent.parent / "config" / "erd_node.yaml"


@pytest.fixture
def make_node():
    """Nodes with parameter overrides, as given on a command line."""
    context, nodes = Context(), []
    rclpy.init(context=context)

    def make(*assignments: str) -> Node:
        arguments = [word for assignment in assignments for word in ("-p", assignment)]
        node = Node(
            "erd_node",
            context=context,
            cli_args=["--ros-args", *arguments] if arguments else None,
            automatically_declare_parameters_from_overrides=True,
        )
        nodes.append(node)
        return node

    yield make
    for node in nodes:
        node.destroy_node()
    context.try_shutdown()


def test_defaults_are_those_of_the_table(make_node):
    assert declare_parameters(make_node()) == NodeParameters()


def test_values_given_are_taken_and_whole_numbers_serve_as_real_ones(make_node):
    node = make_node("input:=keypoints", "threads:=4", "prediction_timeout:=2", "publish_tf:=false")
    parameters = declare_parameters(node)
    assert parameters == NodeParameters(
        input="keypoints", threads=4, prediction_timeout=2.0, publish_tf=False
    )


def test_ros_knows_description_range_and_what_never_changes(make_node):
    node = make_node()
    declare_parameters(node)
    for parameter in PARAMETERS:
        descriptor = node.describe_parameter(parameter.name)
        assert descriptor.description == parameter.description
        assert descriptor.read_only == (parameter.changes == "never")
        ranges = [*descriptor.floating_point_range, *descriptor.integer_range]
        bounds = [(row.from_value, row.to_value) for row in ranges]
        limited = parameter.limits.minimum is not None
        assert bounds == [(parameter.limits.minimum, parameter.limits.maximum)] * limited
    result = node.set_parameters([Parameter("autostart", value=False)])[0]
    assert not result.successful


@pytest.mark.parametrize(
    ("assignment", "said"),
    [
        ("min_confidence:=1.5", r"'min_confidence' is 1.5, expected 0 to 1"),
        ("min_confidence:=.nan", r"'min_confidence' is nan, expected 0 to 1"),
        ("prediction_timeout:=-1.0", r"'prediction_timeout' is -1 s, expected 0 to 60 s"),
        ("threads:=0", r"'threads' is 0, expected 1 to 64"),
        ("threads:=1.5", r"'threads' is 1.5 \(float\), expected int, e.g. 1"),
        ("input:=video", r"'input' is 'video', expected one of image, compressed_image, keypoints"),
        ("detector:=openpose", r"'detector' is 'openpose', expected one of mediapipe"),
        ("publish_tf:=1", r"'publish_tf' is 1 \(int\), expected bool"),
        ("person_height:=0.2", r"'person_height' is 0.2 m, expected 0.5 m or more, or 0"),
        ("model:=5", r"'model' is 5 \(int\), expected str"),
    ],
)
def test_wrong_value_names_parameter_value_and_bound(make_node, assignment, said):
    with pytest.raises(InputError, match=said):
        declare_parameters(make_node(assignment))


def test_values_are_checked_wherever_they_come_from():
    with pytest.raises(InputError, match="'marker_lifetime' is 0 s"):
        NodeParameters(marker_lifetime=0.0)


def test_every_parameter_is_described():
    for parameter in PARAMETERS:
        assert len(parameter.description) > 20
        limited = parameter.limits.minimum is not None or parameter.limits.choices
        assert limited or isinstance(parameter.default, (bool, str))


def test_parameter_file_is_the_table():
    assert CONFIG.read_text() == to_yaml(), "run: python -m erd_ros.ros.parameters --yaml"
    values = yaml.safe_load(CONFIG.read_text())["/**"]["ros__parameters"]
    assert NodeParameters(**values) == NodeParameters()
    assert list(values) == [parameter.name for parameter in PARAMETERS]


def test_markdown_has_a_row_per_parameter():
    rows = to_markdown().splitlines()[2:]
    assert [row.split("`")[1] for row in rows] == [parameter.name for parameter in PARAMETERS]
    assert all(row.count("|") == 7 for row in rows)


def test_changes_are_checked_and_those_without_effect_refused():
    now = NodeParameters()
    later = changed(now, [Parameter("min_confidence", value=0.5)], configured=True)
    assert later == NodeParameters(min_confidence=0.5)
    with pytest.raises(InputError, match="'min_confidence' is 2, expected 0 to 1"):
        changed(now, [Parameter("min_confidence", value=2.0)], configured=True)
    with pytest.raises(InputError, match="'model' takes effect when the node is configured"):
        changed(now, [Parameter("model", value="other.onnx")], configured=True)
    assert changed(now, [Parameter("model", value="other.onnx")], configured=False).model
    assert changed(now, [Parameter("use_sim_time", value=True)], configured=True) == now
