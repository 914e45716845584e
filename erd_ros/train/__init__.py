"""Training: the lifter, then one regressor after the other, on virtual cameras' batches."""

import json
import math
import time
from contextlib import nullcontext
from dataclasses import asdict, replace
from pathlib import Path

import torch
from torch import Generator, Tensor
from tqdm import tqdm

from erd_ros.artifact import Artifact
from erd_ros.data.batches import Batch, Simulation
from erd_ros.errors import InputError
from erd_ros.metrics import mpjpe_mm
from erd_ros.mocap import Mocap, read_human36m_cameras, read_mocap
from erd_ros.models.checkpoint import load_model, save_model
from erd_ros.models.erd import ErdModel
from erd_ros.report import commit
from erd_ros.skeleton import H36M17
from erd_ros.train.config import PRECISIONS, TrainConfig
from erd_ros.train.losses import lifter_loss, step_loss
from erd_ros.train.state import State, load_state, save_state

LAST, BEST, FINAL = "last.safetensors", "best.safetensors", "final.safetensors"
HISTORY = "history.jsonl"
# The cameras of Human3.6M's own test subjects: training never sees through them.
VALIDATION_CAMERAS = ("S9", "S11")
# Enough for means and deviations; independent of the batch size.
_STATISTICS_SIZE = 8192


def train(
    config: TrainConfig, data: Path, out: Path, *, resume: bool = False, lifter: Path | None = None
) -> Path:
    """Train and return the path of the final checkpoint.

    data    folder with the motion capture and human36m_cameras.json
    out     folder of the run; keeps the last, the best and the final checkpoint, and the history
    resume  go on from the last checkpoint; the result is that of an unbroken run, bit by bit
    lifter  checkpoint whose lifter is taken as it is: only regressors are trained
    Raises InputError for data or configuration that cannot be used and for a full disk.
    """
    mocap = read_mocap(data, config.sources, "train")
    simulation = Simulation(mocap, read_human36m_cameras(data, config.cameras), config.simulation)
    validation = _validation_batch(config, data)
    artifact = _artifact(config, mocap)
    state = _resumed(config, out) if resume else _started(config, out, simulation, lifter)
    if config.precision != "float32":
        precision = PRECISIONS[config.precision]
        state.model.in_networks = lambda: torch.autocast("cpu", precision)
    while state.stage <= config.last_stage:
        _train_stage(state, config, simulation, validation, artifact, out)
        best, _ = load_model(out / BEST)
        state.next_stage(best, config)
        save_state(out / LAST, state, config)
    return _finish(state.model, validation, artifact, out)


def step_seed(config: TrainConfig, stage: int, step: int) -> int:
    """Seed of one training step: what is drawn there depends on nothing before it."""
    return (config.seed * 1009 + stage) * 10_000_019 + step


def _started(config: TrainConfig, out: Path, simulation: Simulation, lifter: Path | None) -> State:
    if (out / LAST).exists():
        raise InputError(f"{out} holds a run already; go on with --resume or name another --out")
    torch.manual_seed(config.seed)
    model = ErdModel(H36M17, config.model)
    if lifter is not None:
        _take_lifter(model, lifter)
        return State.start(model, config, stage=1)
    # Step -1 of the lifter: drawn as batches are, but never trained on.
    generator = Generator().manual_seed(abs(step_seed(config, 0, -1)))
    batch = simulation.draw(_STATISTICS_SIZE, generator)
    model.set_statistics(batch.rays, batch.confidence, batch.joints, batch.root)
    return State.start(model, config)


def _take_lifter(model: ErdModel, checkpoint: Path) -> None:
    """Weights and statistics of a trained lifter. Raises InputError when it is another one."""
    trained, _ = load_model(checkpoint)
    for name in ("inputs", "lifter", "lifter_size", "relative_to"):
        wanted, found = getattr(model.config, name), getattr(trained.config, name)
        if wanted != found:
            raise InputError(f"{checkpoint} has {name} {found}, the configuration says {wanted}")
    model.load_state_dict(
        {k: v for k, v in trained.state_dict().items() if not k.startswith("regressors.")},
        strict=False,
    )


def _resumed(config: TrainConfig, out: Path) -> State:
    state = load_state(out / LAST, ErdModel(H36M17, config.model), config)
    print(f"resumed {out} at stage {state.stage}, step {state.step}")
    return state


def _validation_batch(config: TrainConfig, data: Path) -> Batch:
    mocap = read_mocap(data, config.sources, "val")
    simulation = Simulation(
        mocap,
        read_human36m_cameras(data, VALIDATION_CAMERAS),
        replace(config.simulation, fixed_samples=0),
    )
    return simulation.draw(config.validation_size, Generator().manual_seed(config.seed))


def _artifact(config: TrainConfig, mocap: Mocap) -> Artifact:
    training = {
        "config": asdict(config),
        "seed": config.seed,
        "commit": commit(),
        "sources": list(mocap.sources),
        "subjects": list(mocap.subjects),
    }
    return Artifact(config.name, H36M17, config.model.steps, training=training)


def _train_stage(
    state: State,
    config: TrainConfig,
    simulation: Simulation,
    validation: Batch,
    artifact: Artifact,
    out: Path,
) -> None:
    steps, size = config.stage_steps(state.stage), config.batch_size
    name = f"regressor {state.stage}/{config.last_stage}" if state.stage else "lifter"
    progress = tqdm(
        total=steps * size, initial=state.step * size, desc=name, unit="sample", unit_scale=True
    )
    with progress:
        while state.step < steps:
            loss = _train_step(state, config, simulation)
            progress.update(size)
            if state.step % config.checkpoint_every == 0 or state.step == steps:
                _validate(state, config, validation, artifact, out, loss)
                progress.set_postfix(validation=f"{state.best_mm:.1f} mm", refresh=False)


def _train_step(state: State, config: TrainConfig, simulation: Simulation) -> Tensor:
    """One step of the optimiser; returns the loss."""
    seed = step_seed(config, state.stage, state.step)
    torch.manual_seed(seed)  # dropout
    batch = simulation.draw(config.batch_size, Generator().manual_seed(seed))
    state.model.eval()  # what is frozen neither drops out nor gathers statistics
    state.trained.train()
    for group in state.optimizer.param_groups:
        group["lr"] = _learning_rate(config, state)
    loss = _loss(state, config, batch)
    state.optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    state.optimizer.step()
    state.step += 1
    if not math.isfinite(float(loss.detach())):
        raise InputError(f"the loss is {float(loss)} at step {state.step}; lower learning_rate")
    return loss.detach()


def _loss(state: State, config: TrainConfig, batch: Batch) -> Tensor:
    if state.stage:
        return step_loss(state.model, batch, state.stage, state.stage)
    loss = lifter_loss(state.model, batch, config.loss)
    if config.schedule == "joint" and config.model.steps:
        loss = loss + step_loss(state.model, batch, 1, config.model.steps)
    return loss


def _learning_rate(config: TrainConfig, state: State) -> float:
    """Falls exponentially over the stage."""
    done = state.step / config.stage_steps(state.stage)
    ratio = config.last_learning_rate / config.learning_rate
    return float(config.learning_rate * ratio**done)


def _validate(
    state: State, config: TrainConfig, batch: Batch, artifact: Artifact, out: Path, loss: Tensor
) -> None:
    """Measure, note, keep the best so far and where the run stands."""
    steps = config.model.steps if config.schedule == "joint" else state.stage
    errors = _errors_mm(state.model, batch, steps)
    if errors[-1] < state.best_mm:
        state.best_mm = errors[-1]
        save_model(out / BEST, state.model, artifact)
    save_state(out / LAST, state, config)
    line = {
        "stage": state.stage,
        "step": state.step,
        "loss": float(loss),
        "validation_mpjpe_mm": errors[-1],
        "time": round(time.time(), 1),
    }
    with (out / HISTORY).open("a") as history:
        history.write(json.dumps(line) + "\n")


@torch.no_grad()
def _errors_mm(model: ErdModel, batch: Batch, steps: int) -> list[float]:
    """MPJPE after the lifter and after each step."""
    model.eval()
    in_networks, model.in_networks = model.in_networks, nullcontext
    trajectory = model.trajectory(batch.rays, batch.confidence, steps, batch.root)
    model.in_networks = in_networks
    return [float(mpjpe_mm(one.joints.numpy(), batch.joints.numpy()).mean()) for one in trajectory]


def _finish(model: ErdModel, validation: Batch, artifact: Artifact, out: Path) -> Path:
    """Keep as many steps as validation finds best, and write the model with its errors."""
    errors = _errors_mm(model, validation, model.config.steps)
    steps = min(range(len(errors)), key=errors.__getitem__)
    training = {**artifact.training, "validation_mpjpe_mm": errors}
    final = replace(artifact, steps=steps, training=training)
    save_model(out / FINAL, model.with_steps(steps), final)
    return out / FINAL
