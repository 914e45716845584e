"""What a training run is, and how a YAML file says it."""

import math
import reprlib
import types
from collections.abc import Callable, Sequence
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from functools import partial
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import torch

from erd_ros.data.batches import SimulationConfig
from erd_ros.errors import InputError
from erd_ros.input_file import yaml_values
from erd_ros.mocap import SHIPPABLE_SOURCES, TRAINING_CAMERAS
from erd_ros.models.config import ModelConfig
from erd_ros.models.inputs import check_choice
from erd_ros.train.losses import LOSSES

SCHEDULES = {
    "greedy": "the lifter, then each regressor with all before it frozen (ERD paper 4.2)",
    "joint": "the lifter and all regressors together, for as long as the lifter's stage",
}
# From 1 at the start of a stage, done 0, to the ratio of the last to the first at its end, done 1.
DECAYS: dict[str, Callable[[float, float], float]] = {
    "exponential": lambda done, ratio: float(ratio**done),
    "cosine": lambda done, ratio: ratio + (1 - ratio) * (1 + math.cos(math.pi * done)) / 2,
}
_LARGEST = 1e15
PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}
OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "adam": partial(torch.optim.Adam, fused=True),
    "rmsprop": torch.optim.RMSprop,
}


@dataclass(frozen=True)
class TrainConfig:
    """A run of training.

    name                 of the model, in its file
    sources              of motion capture
    cameras              subjects of Human3.6M's studio whose cameras training sees through
    seed                 of everything that is drawn
    schedule             name in ``SCHEDULES``
    lifter_steps         optimiser steps of the lifter
    regressor_steps      optimiser steps of each regressor
    batch_size           samples of one step, over all processes
    loss                 of the lifter, name in ``LOSSES``; regressors learn the mean distance of
                         the joints (ERD paper eq. 3)
    optimizer            name in ``OPTIMIZERS``
    learning_rate        at the start of each stage
    last_learning_rate   at its end
    decay                from the one to the other, name in ``DECAYS``
    statistics_samples   at the end of each stage, means and deviations of its batch normalisation
                         are gathered anew from so many samples with dropout off, as they will be
                         used, and kept if validation is better for it; 0 leaves them
    precision            of the matrix products in training, name in ``PRECISIONS``; validation and
                         weights are float32 always
    validation_size      samples drawn once from the validation subjects
    checkpoint_every     steps between validations, each followed by a checkpoint
    """

    name: str = "erd"
    sources: tuple[str, ...] = SHIPPABLE_SOURCES
    cameras: tuple[str, ...] = TRAINING_CAMERAS
    seed: int = 0
    schedule: str = "greedy"
    lifter_steps: int = 6000
    regressor_steps: int = 1000
    batch_size: int = 512
    loss: str = "distance"
    optimizer: str = "adam"
    learning_rate: float = 1e-3
    last_learning_rate: float = 1e-5
    decay: str = "exponential"
    statistics_samples: int = 0
    precision: str = "float32"
    validation_size: int = 4096
    checkpoint_every: int = 500
    model: ModelConfig = field(default_factory=ModelConfig)
    simulation: SimulationConfig = field(default_factory=SimulationConfig)

    def __post_init__(self) -> None:
        check_choice("schedule", self.schedule, SCHEDULES)
        check_choice("loss", self.loss, LOSSES)
        check_choice("optimizer", self.optimizer, OPTIMIZERS)
        check_choice("decay", self.decay, DECAYS)
        check_choice("precision", self.precision, PRECISIONS)
        for name in ("lifter_steps", "regressor_steps", "validation_size", "checkpoint_every"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} is {getattr(self, name)}, expected 1 or more")
        if self.batch_size < 2:
            raise InputError(f"batch_size is {self.batch_size}; batch normalisation needs 2")
        if self.statistics_samples < 0:
            raise InputError(
                f"statistics_samples is {self.statistics_samples}, expected 0 (none) or more"
            )
        if not 0 < self.last_learning_rate <= self.learning_rate:
            raise InputError(
                f"learning_rate falls from {self.learning_rate} to {self.last_learning_rate}, "
                "expected 0 < last <= first"
            )

    @property
    def last_stage(self) -> int:
        """Stage 0 is the lifter, or everything at once; stage k the k-th regressor."""
        return 0 if self.schedule == "joint" else self.model.steps

    def stage_steps(self, stage: int) -> int:
        """Optimiser steps of a stage."""
        return self.regressor_steps if stage else self.lifter_steps

    def steps_before(self, stage: int) -> int:
        """Optimiser steps of all stages before this one."""
        return sum(self.stage_steps(one) for one in range(stage))


def read_config(path: Path, overrides: Sequence[str] = ()) -> TrainConfig:
    """Read a YAML file of what differs from the defaults.

    overrides  "model.root=given": one key after the other, then a value in YAML
    Raises InputError for unknown keys and unfit values.
    """
    if not path.is_file():
        raise InputError(f"training configuration {path} does not exist; see config/train/")
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"training configuration {path} cannot be read: {error}") from error
    values = yaml_values(text, str(path))
    values = {} if values is None else values
    if not isinstance(values, dict):
        raise InputError(f"{path} is {reprlib.repr(values)}, expected keys and values")
    for override in overrides:
        _override(values, override)
    config: TrainConfig = from_values(TrainConfig, values, str(path))
    return config


def _override(values: Any, override: str) -> None:
    """Set one value within nested mappings."""
    key, equals, text = override.partition("=")
    *outer, last = key.split(".")
    if not equals or not last:
        raise InputError(f"override '{override}', expected KEY=VALUE such as model.root=given")
    for name in outer:
        values = values.setdefault(name, {})
        if not isinstance(values, dict):
            raise InputError(f"override '{override}': '{name}' holds a value, not keys")
    values[last] = yaml_values(text, f"override '{override}'")


def from_values(kind: Any, values: Any, where: str) -> Any:
    """A configuration dataclass from nested mappings. Raises InputError naming the key."""
    if not isinstance(values, dict):
        raise InputError(f"{where} is {reprlib.repr(values)}, expected keys and values")
    known = {one.name: one for one in fields(kind)}
    unknown = [key for key in values if key not in known]
    if unknown:
        raise InputError(
            f"{where}: unknown key '{str(unknown[0])[:60]}'; choose one of {', '.join(known)}"
        )
    required = [n for n, one in known.items() if one.default is one.default_factory is MISSING]
    absent = [name for name in required if name not in values]
    if absent:
        raise InputError(f"{where}: key '{absent[0]}' is missing")
    hints = get_type_hints(kind)
    made = {key: _value(hints[key], given, f"{where}: {key}") for key, given in values.items()}
    try:
        return kind(**made)
    except InputError as error:
        raise InputError(f"{where}: {error}") from error


def _value(hint: Any, given: Any, where: str) -> Any:
    if is_dataclass(hint):
        return from_values(hint, given, where)
    if get_origin(hint) is tuple:
        return _tuple(hint, given, where)
    # Whole numbers are floats too; true is not a number here, though Python thinks so.
    accepted = (int, float) if hint is float else (hint,)
    if not isinstance(given, accepted) or (isinstance(given, bool) and hint is not bool):
        name = hint.__name__ if isinstance(hint, type) else str(hint)
        raise InputError(
            f"{where} is {reprlib.repr(given)}, expected {name} (write 1.0e-3, not 1e-3)"
        )
    if hint is float and abs(given) > _LARGEST:
        raise InputError(f"{where} is {reprlib.repr(given)}, at most {_LARGEST:g} is possible")
    return float(given) if hint is float else given


def _tuple(hint: types.GenericAlias, given: Any, where: str) -> tuple[Any, ...]:
    kinds = get_args(hint)
    if not isinstance(given, list | tuple):
        raise InputError(f"{where} is {reprlib.repr(given)}, expected a list")
    if kinds[-1] is Ellipsis:
        kinds = (kinds[0],) * len(given)
    if len(kinds) != len(given):
        raise InputError(f"{where} has {len(given)} values, expected {len(kinds)}")
    return tuple(_value(kind, one, where) for kind, one in zip(kinds, given, strict=True))
