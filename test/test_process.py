"""A signal ends a process within 2 s, whatever its threads are at."""

import os
import signal
import subprocess
import sys
import time

import pytest
from ros_harness import next_domain, ros_environment

# Native code that no signal interrupts, for half a minute.
LONG = "import hashlib; hashlib.pbkdf2_hmac('sha512', b'', b'', 2**26)"

BODIES = {
    "idle": ("told.wait()", 0),
    "main thread at work": (f"print('at it', flush=True); {LONG}", 1),
    "another thread at work": (
        f"Thread(target=exec, args=({LONG!r},), daemon=True).start(); told.wait()",
        0,
    ),
    "a callback raises": (
        "node = rclpy.create_node('n'); node.create_timer(0.05, lambda: 1 / 0); spin(node, told)",
        0,
    ),
}
SCRIPT = """
import sys
from threading import Thread
import rclpy
from erd_ros.ros.process import run_process, spin

def body(told):
    print("begun", flush=True)
    {body}

sys.exit(run_process("n", [], body))
"""


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_in_time(tmp_path, name, signal_number):
    body, expected = BODIES[name]
    code, seconds, said = ended(tmp_path, SCRIPT.format(body=body), signal_number)
    assert (code, seconds < 2.0) == (expected, True), (seconds, said)
    assert ("did not end by itself" in said) == (expected == 1)
    assert ("ZeroDivisionError" in said) == (name == "a callback raises")


NODE = f"""
import sys
from erd_ros.ros import node, pipeline

def scene(self, inputs):
    print("begun", flush=True)
    {LONG}

pipeline.Pipeline.scene = scene
real = node.ErdNode.autostart

def autostart(self):
    real(self)
    from erd_ros.msg import Person2DArray
    self._worker._store(Person2DArray())

node.ErdNode.autostart = autostart
sys.exit(node.main(["--ros-args", "-p", "input:=keypoints"]))
"""


def test_a_frame_that_takes_long_does_not_keep_the_node(tmp_path):
    code, seconds, said = ended(tmp_path, NODE, signal.SIGTERM)
    assert (code, seconds < 2.0) == (0, True), (seconds, said)
    assert "a frame was not finished within 1 s" in said


def test_what_ros_says_of_a_command_line_is_kept_whole(tmp_path):
    """rcl ends its messages with places in its source, and those alone go."""
    script = "from erd_ros.ros import node; node.main(['--ros-args', '--params-file', '/a, at /b'])"
    said = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, **ros_environment(next_domain(), tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ).stdout
    assert "'--params-file /a, at /b'. Error: Error opening YAML file\n" in said


def ended(directory, script, signal_number) -> tuple[int, float, str]:
    """Exit code of a script that is told to end, seconds until then, and what it said."""
    process = subprocess.Popen(
        [sys.executable, "-c", script],
        env={**os.environ, **ros_environment(next_domain(), directory)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        while "begun" not in (line := process.stdout.readline()):
            assert line, "it has ended"
        time.sleep(0.5)
        process.send_signal(signal_number)
        begin_s = time.monotonic()
        process.wait(20)
        return process.returncode, time.monotonic() - begin_s, process.stdout.read()
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
