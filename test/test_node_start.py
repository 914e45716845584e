"""How erd_node starts and ends: one line for what cannot be used, a clean end when told to."""

import importlib.util
import signal

import pytest
import rclpy
from erd_ros.msg import Person2DArray, Person3DArray
from ros_harness import RosBench
from ros_people import CAMERAS, camera_info, message_of, model_path, seen_by
from sensor_msgs.msg import CameraInfo
from tiny_onnx import FIGURE, write_tiny_onnx

from erd_ros.ros.names import id_prefix
from erd_ros.skeleton import Skeleton

HAS_TENSORRT = importlib.util.find_spec("tensorrt") is not None


@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGTERM])
def test_signals_end_it_cleanly(tmp_path, signal_number):
    with RosBench(tmp_path) as bench:
        bench.start("input:=keypoints", f"model:={model_path(tmp_path)}")
        bench.connect(bench.client.publisher(Person2DArray, "keypoints"))
        assert bench.process.stop(signal_number) == 0
        assert "Traceback" not in bench.process.log()


def truncated(directory):
    path = directory / "truncated.onnx"
    path.write_bytes(write_tiny_onnx(directory / "whole.onnx").read_bytes()[:200])
    return path


def foreign(directory):
    return write_tiny_onnx(directory / "foreign.onnx", metadata={"author": "somebody"})


def other_layout(directory):
    fingers = Skeleton("fingers", ("thumb", "index", "ring"), (-1, 0, 1))
    return write_tiny_onnx(directory / "hand.onnx", skeleton=fingers, figure=FIGURE[:3])


def pickled(directory):
    path = directory / "model.pt"
    path.write_bytes(b"\x80\x04.")
    return path


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda directory: directory / "nowhere.onnx", ("nowhere.onnx does not exist", "ships")),
        (truncated, ("truncated.onnx",)),
        (foreign, ("foreign.onnx", "not a model of erd_ros")),
        (other_layout, ("'fingers'",)),
        (pickled, ("'.pt'", ".onnx")),
    ],
    ids=["missing", "truncated", "foreign", "other layout", "pickled"],
)
def test_model_that_cannot_be_used_ends_the_node_with_one_line(tmp_path, make, words):
    ends_with_one_line(tmp_path, words, "input:=keypoints", f"model:={make(tmp_path)}")


@pytest.mark.parametrize(
    ("assignment", "words"),
    [
        ("min_confidence:=2.0", ("'min_confidence' is 2", "0 to 1")),
        ("threads:=many", ("'threads' is 'many'", "expected int")),
        ("input:=video", ("'input' is 'video'", "image, keypoints")),
        ("device:=cuda:7", ("'cuda:7'", "cpu")),
        pytest.param(
            "device:=cuda",
            ("tensorrt",),
            marks=pytest.mark.skipif(HAS_TENSORRT, reason="TensorRT is installed"),
        ),
    ],
)
def test_parameter_that_cannot_be_used_ends_the_node_with_one_line(tmp_path, assignment, words):
    ends_with_one_line(
        tmp_path, words, f"model:={model_path(tmp_path)}", "input:=keypoints", assignment
    )


def test_parameter_file_that_is_not_there_ends_the_node_with_one_line(tmp_path):
    lines = ends(tmp_path, params_file="/nowhere.yaml")
    assert lines.pop(0).endswith("Failed to parse global arguments")  # said by rcl itself
    assert "FATAL" in lines[0]
    assert "'--params-file /nowhere.yaml'. Error: Error opening YAML file" in lines[0]
    assert len(lines) == 1


def test_unknown_parameter_is_warned_of(tmp_path):
    with RosBench(tmp_path) as bench:
        bench.start("input:=keypoints", f"model:={model_path(tmp_path)}", "treads:=2")
        bench.connect(bench.client.publisher(Person2DArray, "keypoints"))
        assert "unknown parameter 'treads'" in bench.process.log()
        assert "did you mean 'threads'" in bench.process.log()


def test_names_follow_namespace_and_remapping(tmp_path):
    with RosBench(tmp_path) as bench:
        bench.start(
            "input:=keypoints",
            f"model:={model_path(tmp_path)}",
            remap=["__ns:=/robot", "keypoints:=detector/people", "camera_info:=/cam/info"],
        )
        bench.people = bench.client.listen(Person3DArray, "/robot/erd_node/people")
        bench.keypoints = bench.client.publisher(Person2DArray, "/robot/detector/people")
        bench.info = bench.client.publisher(CameraInfo, "/cam/info")
        bench.connect(bench.keypoints, bench.info)
        answer = bench.ask(camera_info(), message_of(seen_by(CAMERAS["pinhole"]), 1.0))
        prefix = id_prefix("/robot")
        assert [person.id for person in answer.persons] == [f"{prefix}001", f"{prefix}002"]


def test_two_nodes_of_one_name_are_named(tmp_path):
    with RosBench(tmp_path) as bench:
        bench.start("input:=keypoints", f"model:={model_path(tmp_path)}", "diagnostics_period:=0.2")
        other = rclpy.create_node("erd_node", context=bench.client.node.context)
        bench.client.wait_for(
            lambda: "2 nodes are called /erd_node" in bench.process.log(), "a warning"
        )
        other.destroy_node()


def ends_with_one_line(directory, words, *parameters: str) -> None:
    lines = ends(directory, *parameters)
    assert len(lines) == 1, lines
    assert "FATAL" in lines[0]
    assert all(word in lines[0] for word in words), lines[0]


def ends(directory, *parameters: str, params_file=None) -> list[str]:
    """The lines that a node says which ends with exit code 1."""
    with RosBench(directory) as bench:
        bench.start(*parameters, params_file=params_file)
        assert bench.process.wait() == 1
        return bench.process.log().splitlines()
