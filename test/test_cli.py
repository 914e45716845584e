"""The command line as a user meets it: real processes, exit codes and single-line errors."""

import subprocess
import sys

import pytest

from erd_ros import cli


def _erd(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "erd_ros.cli", *arguments], capture_output=True, text=True
    )


def test_help_lists_every_command():
    result = _erd("--help")
    assert result.returncode == 0
    for name in cli.COMMANDS:
        assert name in result.stdout


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_help_of_a_command_imports_nothing_heavy(name):
    heavy = ("torch", "rclpy", "onnxruntime", "mediapipe", "matplotlib")
    code = (
        "import sys\n"
        "from erd_ros import cli\n"
        "try:\n"
        f"    cli.main(['{name}', '--help'])\n"
        "except SystemExit:\n"
        f"    print('heavy:', [name for name in {heavy} if name in sys.modules])\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout.endswith("heavy: []\n"), result.stdout + result.stderr


def test_unknown_command_lists_the_choices():
    result = _erd("lift")
    assert result.returncode == 2
    assert "'lift'" in result.stderr
    assert "evaluate" in result.stderr


def test_an_error_is_one_line_and_exit_code_1(tmp_path):
    pytest.importorskip("onnx", reason="onnx is not installed: erd evaluate says that first")
    missing = tmp_path / "no_such_model.onnx"
    result = _erd("evaluate", str(missing), "--data", str(tmp_path))
    assert result.returncode == 1
    assert result.stderr.startswith("erd evaluate: ")
    assert "no_such_model.onnx" in result.stderr
    assert "Traceback" not in result.stderr
