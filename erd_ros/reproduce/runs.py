"""Runs of training that tables need: trained once, gone on with, or taken as they are."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from erd_ros.errors import InputError
from erd_ros.models.checkpoint import load_model, read_tensors
from erd_ros.train import FINAL, LAST, train
from erd_ros.train.config import TrainConfig, from_values, read_config
from erd_ros.train.state import read_run


@dataclass(frozen=True)
class Run:
    """One run of training.

    name         of its folder
    config       file in the folder of configurations
    overrides    "model.root=given": what differs from the file
    lifter       run whose lifter is taken as it is: only regressors are trained
    error_model  file in ``errors/`` beside the configurations, for the detector "error_model"
    """

    name: str
    config: str = "linear.yaml"
    overrides: tuple[str, ...] = ()
    lifter: "Run | None" = None
    error_model: str = ""


@dataclass(frozen=True)
class Workplace:
    """Where runs find what they need, and where they go.

    data       folder with the motion capture
    configs    folder with the YAML files
    folder     of all runs, one folder each
    overrides  for every run; what makes a run itself stands above them
    """

    data: Path
    configs: Path
    folder: Path
    overrides: tuple[str, ...] = ()

    def config(self, run: Run) -> TrainConfig:
        """The configuration of a run. Raises InputError."""
        own = run.overrides
        if run.error_model:
            path = self.configs.parent / "errors" / run.error_model
            own += ("simulation.detector=error_model", f"simulation.error_model={path}")
        return read_config(self.configs / run.config, (*self.overrides, *own, f"name={run.name}"))


def trained(run: Run, place: Workplace) -> Path:
    """The folder of a finished run; trains what is missing, first of all the lifter's run.

    An unfinished run is gone on with. Raises InputError when the folder holds a run of another
    configuration or with another lifter, and names the folder to remove.
    """
    lifter = trained(run.lifter, place) / FINAL if run.lifter else None
    out, config = place.folder / run.name, place.config(run)
    found = _found(out)
    if found is not None:
        _check_same(found, config, out)
    if not (out / FINAL).is_file():
        train(config, place.data, out, resume=found is not None, lifter=lifter)
        print(f"{run.name}: {_outcome(out)}", flush=True)
    if lifter:
        _check_lifter(out, lifter)
    return out


def _found(out: Path) -> dict[str, Any] | None:
    """The configuration of the run in a folder; None where there is none."""
    if (out / FINAL).is_file():
        _, artifact = load_model(out / FINAL)
        return dict(artifact.training["config"])
    if (out / LAST).is_file():
        _, metadata = read_tensors(out / LAST)
        return dict(read_run(metadata, out / LAST)["config"])
    return None


def _check_same(found: dict[str, Any], config: TrainConfig, out: Path) -> None:
    """Raise InputError where a run's configuration, as JSON has it, is another."""
    # Read as a configuration, so that options younger than the run have their defaults.
    of_run = _flat(asdict(from_values(TrainConfig, found, str(out))))
    wanted = _flat(asdict(config))
    different = [key for key in wanted if of_run[key] != wanted[key]]
    if different:
        key = different[0]
        raise InputError(
            f"{out} holds a run with {key} {of_run[key]!r}, this table needs {wanted[key]!r}; "
            f"remove the folder {out} to train it anew, or name another --runs"
        )


def _flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """ "model.root" to its value, of nested mappings."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        nested = isinstance(value, dict)
        flat |= _flat(value, f"{prefix}{key}.") if nested else {f"{prefix}{key}": value}
    return flat


def _check_lifter(out: Path, lifter: Path) -> None:
    """Raise InputError where the run went on from another lifter than that in the file."""
    own, _ = read_tensors(out / FINAL)
    shared, _ = read_tensors(lifter)
    names = [name for name in shared if name.startswith("lifter.")]
    if not all(torch.equal(own[name], shared[name]) for name in names):
        raise InputError(
            f"{out} was trained on another lifter than {lifter} holds; "
            f"remove the folder {out} to train it anew"
        )


def _outcome(out: Path) -> str:
    _, artifact = load_model(out / FINAL)
    errors = artifact.training["validation_mpjpe_mm"]
    after = f", {errors[artifact.steps]:.1f} mm after step {artifact.steps}" if errors[1:] else ""
    return f"trained; validation {errors[0]:.1f} mm by the lifter{after}"
