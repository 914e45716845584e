"""What the machine itself allows: reading every weight once, and doing every multiplication."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from erd_ros.errors import BackendError
from erd_ros.runtime.cuda_device import Cuda

_ROUNDS = 15
_OF_MEMORY = 1 << 29  # bytes, far beyond any cache
_SIDE = 1024  # of the square matrices whose product is timed


@dataclass(frozen=True)
class Work:
    """What one call has to do.

    weights_bytes  of all matrices of the graph as it is executed
    operations     multiplications and additions with them for one person
    """

    weights_bytes: int
    operations: int


@dataclass(frozen=True)
class Floor:
    """Of one process with so many threads, float32.

    memory_bytes_per_s   reading far more than any cache holds
    weights_bytes_per_s  reading as much as the weights are, again and again: they may stay in a
                         cache between calls
    operations_per_s     multiplications and additions of the product of large matrices
    """

    memory_bytes_per_s: float
    weights_bytes_per_s: float
    operations_per_s: float

    def seconds(self, work: Work, persons: int) -> float:
        """The least that a call can take: weights once, or arithmetic, whichever is longer."""
        return max(
            work.weights_bytes / self.weights_bytes_per_s,
            persons * work.operations / self.operations_per_s,
        )


def work_of(model: Path) -> Work:
    """Of an ONNX file after ONNX Runtime has put its weights together."""
    import onnx
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.log_severity_level = 3
    with tempfile.TemporaryDirectory() as folder:
        options.optimized_model_filepath = str(Path(folder) / "optimised.onnx")
        onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
        graph = onnx.load(options.optimized_model_filepath).graph
    sizes = {one.name: int(np.prod(one.dims)) for one in graph.initializer if len(one.dims) == 2}
    products = [node for node in graph.node if node.op_type in ("Gemm", "MatMul")]
    elements = sum(sizes.get(name, 0) for node in products for name in node.input)
    return Work(4 * elements, 2 * elements)


def measure_floor(work: Work, threads: int) -> Floor:
    """In a process of its own, for the number of threads is fixed when NumPy is imported."""
    names = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS")
    environment = os.environ | dict.fromkeys(names, str(threads))
    command = [sys.executable, "-m", "erd_ros.bench.floor", str(work.weights_bytes)]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return Floor(**json.loads(result.stdout))


def launch_seconds() -> float | None:
    """From starting the least of recordings on the graphics processor to its end; None without."""
    try:
        cuda = Cuda()
    except BackendError:
        return None
    buffer = cuda.buffer((1,))
    replay = cuda.record(lambda: cuda.upload(buffer))

    def launch() -> None:
        replay()
        cuda.wait()

    return _fastest(launch)


def _measure(weights_bytes: int) -> Floor:
    generator = np.random.default_rng(0)
    square = generator.normal(size=(_SIDE, _SIDE)).astype(np.float32)
    product = _fastest(lambda: square @ square)
    return Floor(_reading(_OF_MEMORY), _reading(weights_bytes), 2 * _SIDE**3 / product)


def _reading(size: int) -> float:
    """Bytes per second of a matrix times a vector, which reads each number once."""
    rows = max(1, size // (4 * _SIDE))
    matrix, vector = np.ones((rows, _SIDE), np.float32), np.ones(_SIDE, np.float32)
    return matrix.nbytes / _fastest(lambda: matrix @ vector)


def _fastest(call: Callable[[], object]) -> float:
    """Seconds of the fastest of several calls: a limit, not a typical value."""
    call()
    best = float("inf")
    for _ in range(_ROUNDS):
        start = time.perf_counter()
        call()
        best = min(best, time.perf_counter() - start)
    return best


if __name__ == "__main__":
    print(json.dumps(vars(_measure(int(sys.argv[1])))))
