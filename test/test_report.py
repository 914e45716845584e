"""Results name files so that they mean the same on every machine."""

import json
import re
import sys
from pathlib import Path

import pytest

from erd_ros.report import command, file_name
from erd_ros.runtime import DEFAULT_MODEL

RESULTS = Path(__file__).resolve().parents[1] / "docs" / "results"


def strings(value):
    """Every text in a JSON value."""
    if isinstance(value, dict):
        value = [*value, *value.values()]
    if isinstance(value, list):
        return [text for one in value for text in strings(one)]
    return [value] if isinstance(value, str) else []


def test_files_are_named_from_the_checkout_or_the_working_folder(tmp_path, monkeypatch):
    assert file_name(DEFAULT_MODEL) == "erd_ros/weights/robot_erd.onnx"
    monkeypatch.chdir(tmp_path)
    assert file_name(DEFAULT_MODEL) == "erd_ros/weights/robot_erd.onnx"
    assert file_name(Path("runs/one.onnx")) == "runs/one.onnx"
    assert file_name(tmp_path / "runs" / "one.onnx") == "runs/one.onnx"
    assert file_name(tmp_path.parent / "elsewhere" / "one.onnx") == "one.onnx"


def test_the_command_names_files_from_the_working_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data, model = tmp_path.parent / "data", tmp_path / "one.onnx"
    monkeypatch.setattr(sys, "argv", ["/bin/erd", "evaluate", "--data", str(data), f"one={model}"])
    assert command() == "erd evaluate --data ../data one=one.onnx"


@pytest.mark.parametrize("path", sorted(RESULTS.glob("*.json")), ids=lambda path: path.stem)
def test_results_hold_no_path_from_the_root(path):
    bad = [
        text for text in strings(json.loads(path.read_text())) if re.search(r"(^|[ =])/\w", text)
    ]
    assert bad == []
