"""What is kept of a run as it goes on: checkpoints, history, scalars, and the final model."""

import json
import time
from dataclasses import dataclass, replace
from pathlib import Path

from erd_ros.artifact import Artifact
from erd_ros.data.batches import Batch, Simulation
from erd_ros.errors import InputError
from erd_ros.models.checkpoint import load_model, save_model
from erd_ros.train.config import TrainConfig
from erd_ros.train.scalars import Scalars
from erd_ros.train.state import BEST, FINAL, HISTORY, LAST, State, save_state
from erd_ros.train.statistics import with_new_statistics
from erd_ros.train.step import learning_rate
from erd_ros.train.validation import errors_mm


@dataclass(frozen=True)
class Interval:
    """The steps between two checkpoints: loss of the last one and of all, and their speed."""

    loss: float
    mean_loss: float
    samples_per_second: float


@dataclass(frozen=True, eq=False)
class Record:
    """The folder of a run, in the hands of the first of its processes."""

    config: TrainConfig
    out: Path
    validation: Batch
    artifact: Artifact
    processes: int
    scalars: Scalars

    def begin(self, state: State) -> None:
        """The lifter that the run was given is its first regressor's to beat."""
        state.best_mm = errors_mm(state.model, self.validation, state.stage)[-1]
        save_model(self.out / BEST, state.model, self.artifact)

    def keep(self, state: State, interval: Interval) -> None:
        """Measure, note, keep the best so far and where the run stands."""
        errors = errors_mm(state.model, self.validation, self._steps(state))
        if errors[-1] < state.best_mm:
            state.best_mm = errors[-1]
            save_model(self.out / BEST, state.model, self.artifact)
        self._write_scalars(state, interval, errors)
        self.keep_state(state)
        line = {
            "stage": state.stage,
            "step": state.step,
            "loss": interval.loss,
            "mean_loss": interval.mean_loss,
            "validation_mpjpe_mm": errors[-1],
            "samples_per_second": round(interval.samples_per_second, 1),
            "time": round(time.time(), 1),
        }
        try:
            with (self.out / HISTORY).open("a") as history:
                history.write(json.dumps(line) + "\n")
        except OSError as error:
            raise InputError(
                f"{self.out / HISTORY} cannot be written: {error.strerror}; make room, then go on "
                "with --resume"
            ) from error

    def try_statistics(self, state: State, simulation: Simulation) -> None:
        """Keep the best of a stage with new statistics where validation is better for them."""
        best, _ = load_model(self.out / BEST)
        device = self.validation.rays.device
        model = with_new_statistics(best.to(device), self.config, state.stage, simulation, device)
        error = errors_mm(model, self.validation, self._steps(state))[-1]
        if error < state.best_mm:
            state.best_mm = error
            save_model(self.out / BEST, model, self.artifact)

    def keep_state(self, state: State) -> None:
        """Where the run stands."""
        save_state(self.out / LAST, state, self.config, self.processes)

    def finish(self, state: State) -> None:
        """Keep as many steps as validation finds best, and write the model with its errors."""
        errors = errors_mm(state.model, self.validation, self.config.model.steps)
        # A regressor that validation never found better left the pose as it was: rounding alone.
        steps = min(range(len(errors)), key=lambda step: (round(errors[step], 2), step))
        training = {**self.artifact.training, "validation_mpjpe_mm": errors}
        final = replace(self.artifact, steps=steps, training=training)
        save_model(self.out / FINAL, state.model.with_steps(steps), final)
        self.scalars.close()

    def _steps(self, state: State) -> int:
        return self.config.model.steps if self.config.schedule == "joint" else state.stage

    def _write_scalars(self, state: State, interval: Interval, errors: list[float]) -> None:
        values = {
            "loss/last": interval.loss,
            "loss/mean": interval.mean_loss,
            "learning_rate": learning_rate(self.config, state.stage, state.step - 1),
            "samples_per_second": interval.samples_per_second,
        }
        values |= {f"validation_mpjpe_mm/step_{k}": error for k, error in enumerate(errors)}
        self.scalars.write(self.config.steps_before(state.stage) + state.step, values)
