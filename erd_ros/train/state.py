"""Where a run stands: everything that the next step depends on, in one file."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from erd_ros.errors import ArtifactError, InputError
from erd_ros.models.checkpoint import read_tensors, write_tensors
from erd_ros.models.erd import ErdModel
from erd_ros.train.config import OPTIMIZERS, TrainConfig

# The files of a run.
LAST, BEST, FINAL = "last.safetensors", "best.safetensors", "final.safetensors"
HISTORY, SCALARS = "history.jsonl", "tensorboard"
RUN_KEY = "erd_ros.run"
_MODEL, _OPTIMIZER = "model.", "optimizer."


@dataclass(eq=False)
class State:
    """A run after ``step`` steps of ``stage``: 0 is the lifter or all, k the k-th regressor."""

    model: ErdModel
    trained: nn.Module
    optimizer: torch.optim.Optimizer
    stage: int = 0
    step: int = 0
    best_mm: float = float("inf")

    @classmethod
    def start(cls, model: ErdModel, config: TrainConfig, stage: int = 0) -> "State":
        """At the first step of a stage; only what the stage trains has a gradient."""
        model.requires_grad_(False)
        trained = trained_part(model, config, stage)
        trained.requires_grad_(True)
        options: dict[str, Any] = {"lr": config.learning_rate}
        optimizer = OPTIMIZERS[config.optimizer](trained.parameters(), **options)
        return cls(model, trained, optimizer, stage)

    def next_stage(self, best: ErdModel, config: TrainConfig) -> None:
        """Take the best of this stage into the next; after the last nothing is trained.

        An untrained regressor changes nothing: the best so far is the next stage's to beat.
        """
        self.model.load_state_dict(best.state_dict())
        self.stage, self.step = self.stage + 1, 0
        if self.stage <= config.last_stage:
            if self.model.sizings:
                trusted = self.model.sizings[self.stage - 1].state_dict()
                self.model.sizings[self.stage].load_state_dict(trusted)
            following = State.start(self.model, config, self.stage)
            self.trained, self.optimizer = following.trained, following.optimizer


def save_state(path: Path, state: State, config: TrainConfig, processes: int) -> None:
    """Write a run of so many processes, whole or not at all.

    Raises InputError when the disk is full.
    """
    tensors = {_MODEL + name: tensor for name, tensor in state.model.state_dict().items()}
    for index, moments in state.optimizer.state_dict()["state"].items():
        tensors |= {f"{_OPTIMIZER}{index}.{name}": value for name, value in moments.items()}
    run = {
        "config": asdict(config),
        "processes": processes,
        "stage": state.stage,
        "step": state.step,
        # JSON has no infinity: before the first validation there is no best.
        "best_mm": None if state.best_mm == float("inf") else state.best_mm,
    }
    write_tensors(path, tensors, {RUN_KEY: json.dumps(run)})


def read_run(metadata: Mapping[str, str], path: Path) -> dict[str, Any]:
    """Where a run stands and its configuration. Raises ArtifactError where that is not said."""
    if RUN_KEY not in metadata:
        raise ArtifactError(f"{path} is not the checkpoint of a run; expected one of `erd train`")
    try:
        run = dict(json.loads(metadata[RUN_KEY]))
        dict(run["config"])
        if [type(run[name]) for name in ("stage", "step")] == [int, int]:
            return run | {"best_mm": run["best_mm"] and float(run["best_mm"])}
        raise ValueError("stage and step are no numbers")
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise ArtifactError(
            f"{path}: where its run stands cannot be read ({str(error)[:200]}); start anew with "
            "another --out"
        ) from error


def load_state(path: Path, model: ErdModel, config: TrainConfig, processes: int) -> State:
    """Read a run back into a model of its configuration, on the model's device.

    Raises ArtifactError when the file is not a run's, InputError when the configuration or the
    number of processes differs.
    """
    tensors, metadata = read_tensors(path)
    run = read_run(metadata, path)
    saved = {"processes": run.get("processes", 1), **run["config"]}
    given = {"processes": processes, **asdict(config)}
    _check_same(saved, json.loads(json.dumps(given)), path)
    model.load_state_dict(_under(_MODEL, tensors))
    state = State.start(model, config, min(run["stage"], config.last_stage))
    moments: dict[int, dict[str, torch.Tensor]] = {}
    for name, tensor in _under(_OPTIMIZER, tensors).items():
        index, _, moment = name.partition(".")
        moments.setdefault(int(index), {})[moment] = tensor
    groups = state.optimizer.state_dict()["param_groups"]
    state.optimizer.load_state_dict({"state": moments, "param_groups": groups})
    state.stage, state.step = run["stage"], run["step"]
    state.best_mm = float("inf") if run["best_mm"] is None else run["best_mm"]
    return state


def trained_part(model: ErdModel, config: TrainConfig, stage: int) -> nn.Module:
    """What a stage trains: the lifter, a regressor, or with the schedule "joint" everything."""
    if config.schedule == "joint":
        return model
    network = model.regressors[stage - 1] if stage else model.lifter
    return nn.ModuleList([network, model.sizings[stage]]) if model.sizings else network


def _under(prefix: str, tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def _check_same(saved: dict[str, object], given: dict[str, object], path: Path) -> None:
    different = [key for key in given if saved.get(key) != given[key]]
    if different:
        key = different[0]
        raise InputError(
            f"{path} was trained with {key} {saved.get(key)!r}, this run has {given[key]!r}; "
            "go on with the same, or start anew with another --out"
        )
