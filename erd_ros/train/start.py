"""How a run begins: from nothing, from a trained lifter, or where it was broken off."""

from contextlib import AbstractContextManager
from itertools import pairwise
from pathlib import Path

import torch

from erd_ros.data.batches import Simulation
from erd_ros.errors import InputError
from erd_ros.models.checkpoint import load_model
from erd_ros.models.erd import ErdModel
from erd_ros.skeleton import H36M17
from erd_ros.train.config import PRECISIONS, TrainConfig
from erd_ros.train.distributed import Processes
from erd_ros.train.state import LAST, State, load_state
from erd_ros.train.step import draw, step_seed

# Enough for means and deviations; independent of the batch size.
_STATISTICS_SIZE = 8192


def started(
    config: TrainConfig,
    out: Path,
    simulation: Simulation,
    processes: Processes,
    lifter: Path | None = None,
    further: bool = False,
) -> State:
    """At the first step. Raises InputError when the folder holds a run, or for another lifter."""
    if (out / LAST).exists():
        raise InputError(f"{out} holds a run already; go on with --resume or name another --out")
    model = _model(config, processes)
    if lifter is not None:
        _take_lifter(model, lifter)
        return State.start(model, config, stage=0 if further else 1)
    # Step -1 of the lifter: drawn as batches are, but never trained on.
    seed = abs(step_seed(config, 0, -1))
    batch = draw(simulation, _STATISTICS_SIZE, seed, processes.device)
    model.set_statistics(batch.rays, batch.confidence, batch.joints, batch.root)
    return State.start(model, config)


def resumed(config: TrainConfig, out: Path, processes: Processes) -> State:
    """Where the last checkpoint stands. Raises ErdError when it is of another run, or none."""
    state = load_state(out / LAST, _model(config, processes), config, processes.count)
    if processes.is_first:
        print(f"resumed {out} at stage {state.stage}, step {state.step}")
    return state


def _model(config: TrainConfig, processes: Processes) -> ErdModel:
    """Drawn on the CPU, so that the seed means the same weights on every device."""
    torch.manual_seed(config.seed)
    model = ErdModel(H36M17, config.model).to(processes.device)
    if config.precision != "float32":
        precision = PRECISIONS[config.precision]

        def in_networks() -> AbstractContextManager[object]:
            return torch.autocast(processes.device.type, precision)

        model.in_networks = in_networks
    return model


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
    # Steps that it has not trained begin with the trust in the last that it has.
    for known, new in pairwise(model.sizings[max(len(trained.sizings) - 1, 0) :]):
        new.load_state_dict(known.state_dict())
