"""Training: the lifter, then one regressor after the other, on virtual cameras' batches."""

import math
import time
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from erd_ros.artifact import Artifact
from erd_ros.data.batches import Simulation
from erd_ros.errors import InputError
from erd_ros.mocap import Mocap, read_human36m_cameras, read_mocap
from erd_ros.models.checkpoint import load_model
from erd_ros.report import commit
from erd_ros.skeleton import H36M17
from erd_ros.train.config import TrainConfig
from erd_ros.train.distributed import Processes
from erd_ros.train.record import Interval, Record
from erd_ros.train.scalars import Scalars
from erd_ros.train.start import resumed, started
from erd_ros.train.state import BEST, FINAL, HISTORY, LAST, SCALARS, State
from erd_ros.train.step import Objective, drawing_on, train_step
from erd_ros.train.validation import validation_batch

__all__ = ["BEST", "FINAL", "HISTORY", "LAST", "SCALARS", "train"]


def train(
    config: TrainConfig,
    data: Path,
    out: Path,
    *,
    resume: bool = False,
    lifter: Path | None = None,
    further: bool = False,
    processes: Processes | None = None,
) -> Path:
    """Train and return the path of the final checkpoint.

    data       folder with the motion capture and human36m_cameras.json
    out        folder of the run; keeps the last, the best and the final checkpoint, the history and
               TensorBoard's scalars
    resume     go on from the last checkpoint; the result is that of an unbroken run, bit by bit
    lifter     checkpoint whose lifter is taken as it is: only regressors are trained
    further    that lifter is trained on for the lifter's steps, before the regressors
    processes  that train together, each calling this; one on the CPU where not given
    Raises InputError for data or configuration that cannot be used and for a full disk.
    """
    if further and lifter is None:
        raise InputError("there is no lifter to train further; name one with --lifter")
    processes = Processes() if processes is None else processes
    processes.share(config.batch_size)
    mocap = read_mocap(data, config.sources, "train")
    cameras = read_human36m_cameras(data, config.cameras)
    with drawing_on(processes.device):
        simulation = Simulation(mocap, cameras, config.simulation)
    if resume:
        state = resumed(config, out, processes)
    else:
        state = started(config, out, simulation, processes, lifter, further)
    processes.wait()  # all have read the last checkpoint before the first writes another
    record = _record(config, data, out, state, mocap, processes) if processes.is_first else None
    # Trained on, with another goal or other data, a lifter is not held against what it was.
    if record and lifter and not further and not resume:
        record.begin(state)
    while state.stage <= config.last_stage:
        _train_stage(state, config, simulation, processes, record)
        if record and config.statistics_samples:
            record.try_statistics(state, simulation)
        processes.wait()  # the stage's best is on the disk
        best, _ = load_model(out / BEST)
        state.next_stage(best, config)
        if record:
            record.keep_state(state)
    if record:
        record.finish(state)
    return out / FINAL


def _record(
    config: TrainConfig, data: Path, out: Path, state: State, mocap: Mocap, processes: Processes
) -> Record:
    training = {
        "config": asdict(config),
        "seed": config.seed,
        "processes": processes.count,
        "commit": commit(),
        "sources": list(mocap.sources),
        "subjects": list(mocap.subjects),
    }
    artifact = Artifact(config.name, H36M17, config.model.steps, training=training)
    scalars = Scalars(out / SCALARS, config.steps_before(state.stage) + state.step + 1)
    validation = validation_batch(config, data, processes.device)
    return Record(config, out, validation, artifact, processes.count, scalars)


def _train_stage(
    state: State,
    config: TrainConfig,
    simulation: Simulation,
    processes: Processes,
    record: Record | None,
) -> None:
    steps = config.stage_steps(state.stage)
    objective = processes.averaged(Objective(state.model, config, state.stage))
    with _progress(state, config, hidden=record is None) as progress:
        while state.step < steps:
            start, beginning = time.perf_counter(), state.step
            following = min(beginning + config.checkpoint_every, steps)
            total = torch.zeros((), device=processes.device)
            while state.step < following:
                loss = train_step(state, objective, config, simulation, processes)
                total += loss
                progress.update(config.batch_size)
            losses = _losses(loss, total / (following - beginning), processes, following)
            samples = (following - beginning) * config.batch_size
            interval = Interval(*losses, samples / (time.perf_counter() - start))
            if record:
                record.keep(state, interval)
                progress.set_postfix(validation=f"{state.best_mm:.1f} mm", refresh=False)


def _progress(state: State, config: TrainConfig, hidden: bool) -> "tqdm[None]":
    size = config.batch_size
    return tqdm(
        total=config.stage_steps(state.stage) * size,
        initial=state.step * size,
        desc=f"regressor {state.stage}/{config.last_stage}" if state.stage else "lifter",
        unit="sample",
        unit_scale=True,
        disable=hidden,
    )


def _losses(last: Tensor, mean: Tensor, processes: Processes, step: int) -> tuple[float, float]:
    """Averaged over the processes; looked at here alone, for a look waits for the GPU."""
    of_last, of_all = processes.mean(torch.stack([last, mean])).tolist()
    if not math.isfinite(of_all):
        raise InputError(f"the mean loss is {of_all} at step {step}; lower learning_rate")
    return of_last, of_all
