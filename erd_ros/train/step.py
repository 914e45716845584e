"""One step of the optimiser: a batch, its loss, the gradients averaged over the processes."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Generator, Tensor, nn

from erd_ros.data.batches import Batch, Simulation
from erd_ros.models.erd import ErdModel
from erd_ros.train.config import DECAYS, TrainConfig
from erd_ros.train.distributed import Processes
from erd_ros.train.losses import lifter_loss, step_loss
from erd_ros.train.state import State

# Knuth's multiplicative hash: the processes' seeds lie far apart within the 32 bits that count.
_APART = 2_654_435_761


class Objective(nn.Module):
    """What a stage makes small. A module, for these are whose gradients are averaged."""

    def __init__(self, model: ErdModel, config: TrainConfig, stage: int) -> None:
        super().__init__()
        self.model, self.config, self.stage = model, config, stage

    def forward(self, batch: Batch) -> Tensor:
        """Loss () of a batch."""
        if self.stage:
            return step_loss(self.model, batch, self.stage, self.stage)
        loss = lifter_loss(self.model, batch, self.config.loss)
        if self.config.schedule == "joint" and self.config.model.steps:
            loss = loss + step_loss(self.model, batch, 1, self.config.model.steps)
        return loss


def step_seed(config: TrainConfig, stage: int, step: int, rank: int = 0) -> int:
    """Seed of one step of one process: what is drawn there depends on nothing before it."""
    return (config.seed * 1009 + stage) * 10_000_019 + step + rank * _APART


def drawing_on(device: torch.device) -> AbstractContextManager[object]:
    """Within it, tensors that say nothing else are made on the device."""
    # The context costs a look at every operation: not on the CPU, where they are anyway.
    return nullcontext() if device.type == "cpu" else device


def next_batch(
    state: State, config: TrainConfig, simulation: Simulation, processes: Processes
) -> Batch:
    """This process' share of the batch of the next step."""
    seed = step_seed(config, state.stage, state.step, processes.rank)
    size = processes.share(config.batch_size)
    if not config.simulation.fixed_samples:
        return draw(simulation, size, seed, processes.device)
    first = state.step * config.batch_size + processes.rank * size
    return simulation.of_epochs(first, size, step_seed(config, state.stage, 0))


def draw(simulation: Simulation, size: int, seed: int, device: torch.device) -> Batch:
    """A batch drawn on the device, by its own generator."""
    generator = Generator(device).manual_seed(seed)
    with drawing_on(device):
        return simulation.draw(size, generator)


def train_step(
    state: State,
    objective: Callable[[Batch], Tensor],
    config: TrainConfig,
    simulation: Simulation,
    processes: Processes,
) -> Tensor:
    """One step; returns the loss of this process' share of the batch."""
    torch.manual_seed(step_seed(config, state.stage, state.step, processes.rank))  # dropout
    batch = next_batch(state, config, simulation, processes)
    state.model.eval()  # what is frozen neither drops out nor gathers statistics
    state.trained.train()
    for group in state.optimizer.param_groups:
        group["lr"] = learning_rate(config, state.stage, state.step)
    loss = objective(batch)
    state.optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    state.optimizer.step()
    state.step += 1
    return loss.detach()


def learning_rate(config: TrainConfig, stage: int, step: int) -> float:
    """Of the step after ``step`` steps: it falls over the stage."""
    done = step / config.stage_steps(stage)
    ratio = config.last_learning_rate / config.learning_rate
    return config.learning_rate * DECAYS[config.decay](done, ratio)
