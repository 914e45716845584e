"""What a new process takes until its first answer, and its memory then and after a large batch."""

import statistics
import subprocess
import sys
import time
from pathlib import Path

from erd_ros.errors import BackendError

# The clock is the system's, the same in parent and child, so that Python's own start is counted.
_CHILD = """
import sys, time
from erd_ros.runtime import load
path, device, backend, persons, started = sys.argv[1:]
model = load(path, device, 1, backend, max_persons=int(persons))
import numpy as np
joints = len(model.info.skeleton)
model(np.zeros((1, joints, 2)), np.ones((1, joints)))
seconds = time.clock_gettime(time.CLOCK_MONOTONIC) - float(started)
def resident():
    lines = open("/proc/self/status").read().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) / 1024
first = resident()
model(np.zeros((int(persons), joints, 2)), np.ones((int(persons), joints)))
print(seconds, first, resident())
"""


def start_up(model: Path, device: str, backend: str, persons: int, starts: int) -> dict[str, float]:
    """Medians over new processes: seconds to the first answer, and MiB resident.

    persons  of the large batch after which memory is read again
    Raises BackendError when a process fails.
    """
    rows = [_start(model, device, backend, persons) for _ in range(starts)]
    seconds, first, large = (statistics.median(column) for column in zip(*rows, strict=True))
    return {"seconds": seconds, "resident_MiB": first, "resident_after_largest_batch_MiB": large}


def _start(model: Path, device: str, backend: str, persons: int) -> tuple[float, ...]:
    started = time.clock_gettime(time.CLOCK_MONOTONIC)
    arguments = [str(model), device, backend, str(persons), str(started)]
    result = subprocess.run(
        [sys.executable, "-c", _CHILD, *arguments], capture_output=True, text=True
    )
    if result.returncode:
        last = result.stderr.strip().rpartition("\n")[2]
        raise BackendError(f"a new process that loads {model} failed: {last}")
    return tuple(float(number) for number in result.stdout.split())
