"""ONNX Runtime against PyTorch on the same model: time per call, start-up, memory.

    python benchmark/runtime_latency.py --json F

Both run the same weights in one process, taking turns, on one thread; the ratio is what to look
at, milliseconds depend on the machine. Start-up and memory are those of a new process each. The
weights do not matter to any of it: without a checkpoint they are random.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from erd_ros.artifact import Artifact
from erd_ros.export import export
from erd_ros.models.checkpoint import save_model
from erd_ros.models.config import ModelConfig
from erd_ros.models.erd import ErdModel
from erd_ros.report import write_json
from erd_ros.runtime import Backend, load
from erd_ros.skeleton import H36M17

BATCHES = (1, 16, 64)
SEED = 0

# A new process loads the model, answers once, and says what it used. The clock is the system's,
# the same in parent and child, so that the start of Python itself is counted.
_CHILD = """
import sys, time
from erd_ros.runtime import load
import numpy as np
backend = load(sys.argv[1])
joints = len(backend.info.skeleton)
backend(np.zeros((1, joints, 2)), np.ones((1, joints)))
seconds = time.clock_gettime(time.CLOCK_MONOTONIC) - float(sys.argv[2])
resident = next(line for line in open("/proc/self/status") if line.startswith("VmRSS"))
print(seconds, int(resident.split()[1]) / 1024)
"""


def random_checkpoint(folder: Path) -> Path:
    """A model of the default size that nobody has trained."""
    config = ModelConfig()
    path = folder / "random.safetensors"
    model = ErdModel(H36M17, config).eval()
    model.pose_mean.uniform_(-0.5, 0.5)  # a body with an extent, so that it has a depth
    model.pose_deviation.fill_(0.01)
    save_model(path, model, Artifact("random", H36M17, config.steps))
    return path


def latencies_ms(backends: dict[str, Backend], batch: int, repeats: int) -> dict[str, np.ndarray]:
    """Milliseconds of each call, (repeats,) for each backend; the backends take turns."""
    generator = np.random.default_rng(SEED)
    joints = len(next(iter(backends.values())).info.skeleton)
    rays = generator.uniform(-0.5, 0.5, (batch, joints, 2)).astype(np.float32)
    confidence = generator.uniform(0.3, 1, (batch, joints)).astype(np.float32)
    for backend in backends.values():
        for _ in range(20):
            backend(rays, confidence)
    times = {name: np.empty(repeats) for name in backends}
    for repeat in range(repeats):
        for name, backend in backends.items():
            start = time.perf_counter()
            backend(rays, confidence)
            times[name][repeat] = time.perf_counter() - start
    return {name: 1e3 * seconds for name, seconds in times.items()}


def start_up(model: Path) -> tuple[float, float]:
    """Seconds from a new process to its first answer, and its resident memory then in MiB."""
    started = time.clock_gettime(time.CLOCK_MONOTONIC)
    command = [sys.executable, "-c", _CHILD, str(model), str(started)]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    seconds, mebibytes = result.stdout.split()
    return float(seconds), float(mebibytes)


def measure(models: dict[str, Path], repeats: int, starts: int) -> dict[str, dict]:
    """All figures by name, as they go into the JSON file."""
    backends = {name: load(path) for name, path in models.items()}
    figures: dict[str, dict] = {"latency": {}, "start_up": {}}
    for batch in BATCHES:
        times = latencies_ms(backends, batch, repeats)
        row = {
            f"{name}_p{percentile}_ms": float(np.percentile(times[name], percentile))
            for name in times
            for percentile in (50, 99)
        }
        for percentile in (50, 99):
            row[f"torch_over_onnxruntime_p{percentile}"] = (
                row[f"torch_p{percentile}_ms"] / row[f"onnxruntime_p{percentile}_ms"]
            )
        figures["latency"][f"batch_{batch}"] = row
    for name, path in models.items():
        samples = np.array([start_up(path) for _ in range(starts)])
        seconds, mebibytes = np.median(samples, axis=0)
        figures["start_up"][name] = {"seconds": float(seconds), "resident_MiB": float(mebibytes)}
    return figures


def show(figures: dict[str, dict]) -> None:
    """Print the figures as two tables."""
    console = Console()
    latency = Table(title="one call, ms (p50 / p99)")
    for heading in ("persons", "ONNX Runtime", "PyTorch", "PyTorch / ONNX Runtime"):
        latency.add_column(heading, justify="right")
    for batch, row in zip(BATCHES, figures["latency"].values(), strict=True):
        cells = [
            f"{row[f'{name}_p50_ms']:.3f} / {row[f'{name}_p99_ms']:.3f}"
            for name in ("onnxruntime", "torch")
        ]
        ratios = [row[f"torch_over_onnxruntime_p{percentile}"] for percentile in (50, 99)]
        latency.add_row(str(batch), *cells, f"{ratios[0]:.1f} / {ratios[1]:.1f}")
    console.print(latency)
    start_up = Table(title="a new process, until its first answer")
    for heading in ("", "seconds", "resident MiB"):
        start_up.add_column(heading, justify="right")
    for name, row in figures["start_up"].items():
        start_up.add_row(name, f"{row['seconds']:.2f}", f"{row['resident_MiB']:.0f}")
    console.print(start_up)


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--checkpoint", type=Path, help=".safetensors of `erd train`")
    parser.add_argument("--repeats", type=int, default=500, help="calls of each (%(default)s)")
    parser.add_argument("--starts", type=int, default=3, help="processes of each (%(default)s)")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    arguments = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = arguments.checkpoint or random_checkpoint(Path(folder))
        exported = Path(folder) / "exported.onnx"
        export(checkpoint, exported)
        models = {"onnxruntime": exported, "torch": checkpoint}
        figures = measure(models, arguments.repeats, arguments.starts)
    show(figures)
    if arguments.json:
        write_json(arguments.json, figures, seed=SEED)


if __name__ == "__main__":
    main()
