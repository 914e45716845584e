"""A node that is configured and cleaned up again keeps no memory of it."""

import os
import subprocess
import sys

import pytest
from ros_harness import next_domain, ros_environment

CYCLES = """
import ctypes, gc, sys
import rclpy
from erd_ros.ros.node import ErdNode

def resident_mb():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS")) / 1024

rclpy.init(args=["--ros-args", "-p", "autostart:=false", "-p", "input:=image"])
node = ErdNode()
for _ in range(8):
    node.trigger_configure()
    node.trigger_activate()
    node.trigger_deactivate()
    node.trigger_cleanup()
kept = resident_mb()
gc.collect()
ctypes.CDLL(None).malloc_trim(0)
print(kept - resident_mb())
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_what_was_freed_is_given_back_to_the_system(tmp_path):
    pytest.importorskip("mediapipe", reason="mediapipe is not installed")
    result = subprocess.run(
        [sys.executable, "-c", CYCLES],
        env={**os.environ, **ros_environment(next_domain(), tmp_path)},
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
    )
    assert float(result.stdout.split()[-1]) < 40
