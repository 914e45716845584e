"""How fast training is, and how much of a step goes into drawing its batch.

    python benchmark/training_speed.py --json F

Three times per lifter, taken in the same run: `erd train` itself (from the times in its history, so
with validation and checkpoints), drawing batches alone, and a plain PyTorch loop of the same
network on fixed random tensors, which is what no training can be faster than.
"""

import argparse
import json
import os
import tempfile
import time
from contextlib import nullcontext, redirect_stderr
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from erd_ros.data.batches import Simulation
from erd_ros.mocap import read_human36m_cameras, read_mocap
from erd_ros.models.erd import ErdModel
from erd_ros.report import write_json
from erd_ros.skeleton import H36M17
from erd_ros.train import HISTORY, train
from erd_ros.train.config import OPTIMIZERS, PRECISIONS, TrainConfig, read_config

CONFIGS = Path(__file__).parent.parent / "config" / "train"
DATA = Path(os.environ.get("ERD_DATA", "../shared")) / "data"
SEED = 0


def training_seconds(config: TrainConfig, data: Path) -> float:
    """Median seconds of a step between two entries of the history of `erd train`."""
    with (
        tempfile.TemporaryDirectory() as folder,
        open(os.devnull, "w") as silent,
        redirect_stderr(silent),
    ):
        train(config, data, Path(folder))
        lines = (Path(folder) / HISTORY).read_text().splitlines()
    times = np.array([json.loads(line)["time"] for line in lines])
    return float(np.median(np.diff(times)) / config.checkpoint_every)


def drawing_seconds(config: TrainConfig, data: Path, repeats: int) -> float:
    """Median seconds to draw one batch."""
    mocap = read_mocap(data, config.sources, "train")
    simulation = Simulation(mocap, read_human36m_cameras(data, config.cameras), config.simulation)
    generator = torch.Generator().manual_seed(SEED)
    return median_seconds(lambda: simulation.draw(config.batch_size, generator), repeats)


def plain_seconds(config: TrainConfig, repeats: int) -> float:
    """Median seconds of forward, backward and optimiser of the lifter on fixed tensors."""
    torch.manual_seed(SEED)
    model = ErdModel(H36M17, config.model).train()
    lifter, shape, size = model.lifter, model.lifter_shape(), config.batch_size
    features = torch.randn(size, shape.joints, shape.channels)
    context = torch.randn(size, shape.context)
    target = torch.randn(size, shape.joints, shape.outputs)
    optimizer = OPTIMIZERS[config.optimizer](lifter.parameters(), lr=config.learning_rate)
    reduced = config.precision != "float32"

    def step() -> None:
        optimizer.zero_grad()
        in_networks = torch.autocast("cpu", PRECISIONS[config.precision]) if reduced else None
        with in_networks or nullcontext():
            pose = lifter(features, context)
        (pose.float() - target).square().mean().backward()
        optimizer.step()

    return median_seconds(step, repeats)


def median_seconds(work, repeats: int) -> float:
    times = []
    for _ in range(repeats + 3):  # the first are slower: memory is made, kernels are chosen
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return float(np.median(times[3:]))


def measure(name: str, data: Path, steps: int, batch_size: int) -> dict[str, float]:
    """All figures of one lifter, as they go into the JSON file."""
    config = read_config(CONFIGS / f"{name}.yaml")
    config = replace(
        config, batch_size=batch_size or config.batch_size, lifter_steps=6 * steps,
        checkpoint_every=steps, validation_size=64,
        model=replace(config.model, steps=0),
    )  # fmt: skip
    seconds = training_seconds(config, data)
    drawing = drawing_seconds(config, data, steps)
    plain = plain_seconds(config, steps)
    return {
        "batch_size": config.batch_size,
        "samples_per_second": config.batch_size / seconds,
        "plain_samples_per_second": config.batch_size / plain,
        "training_over_plain": plain / seconds,
        "drawing_share": drawing / seconds,
        "step_ms": 1e3 * seconds,
        "drawing_ms": 1e3 * drawing,
        "plain_step_ms": 1e3 * plain,
    }


def show(figures: dict[str, dict[str, float]]) -> None:
    """Print the figures as a table."""
    table = Table(title="training a lifter")
    headings = ("lifter", "samples/s", "plain loop, samples/s", "training / plain", "drawing")
    for heading in headings:
        table.add_column(heading, justify="right")
    for name, row in figures.items():
        table.add_row(
            name,
            f"{row['samples_per_second']:.0f}",
            f"{row['plain_samples_per_second']:.0f}",
            f"{row['training_over_plain']:.2f}",
            f"{100 * row['drawing_share']:.0f} % of a step",
        )
    Console().print(table)


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA, help="motion capture (%(default)s)")
    parser.add_argument(
        "--lifters", nargs="+", default=["linear", "lcn", "semgcn", "abspose"],
        help="configurations in config/train/ (%(default)s)",
    )  # fmt: skip
    parser.add_argument("--steps", type=int, default=50, help="a sixth of a run (%(default)s)")
    parser.add_argument("--batch-size", type=int, default=0, help="(default: as configured)")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="(%(default)s)")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    arguments = parser.parse_args(argv)
    torch.set_num_threads(arguments.threads)
    figures = {
        name: measure(name, arguments.data, arguments.steps, arguments.batch_size)
        for name in arguments.lifters
    }
    show(figures)
    if arguments.json:
        write_json(arguments.json, {"threads": arguments.threads, **figures}, seed=SEED)


if __name__ == "__main__":
    main()
