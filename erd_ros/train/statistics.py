"""Batch normalisation as it will be used: with the statistics of what dropout does not thin out.

While a network learns, dropout widens what its normalising layers see, and their running
statistics are those of earlier weights besides (Li et al. 2019, "variance shift").
"""

import copy
from contextlib import nullcontext

import torch
from torch import nn

from erd_ros.data.batches import Simulation
from erd_ros.models.erd import ErdModel
from erd_ros.train.config import TrainConfig
from erd_ros.train.state import trained_part
from erd_ros.train.step import Objective, draw, step_seed

# Of one forward pass: the mean over several is close to that of all samples together.
_TOGETHER = 2048


@torch.no_grad()
def with_new_statistics(
    model: ErdModel, config: TrainConfig, stage: int, simulation: Simulation, device: torch.device
) -> ErdModel:
    """A copy whose part trained in ``stage`` has means and deviations gathered anew, in float32."""
    model = copy.deepcopy(model).eval()
    model.in_networks = nullcontext
    for layer in _normalising(trained_part(model, config, stage)):
        layer.reset_running_stats()
        layer.momentum = None  # the mean over all batches
        layer.train()
    objective = Objective(model, config, stage)
    for index in range(-(-config.statistics_samples // _TOGETHER)):
        size = min(_TOGETHER, config.statistics_samples - index * _TOGETHER)
        # Seeds of steps beyond the last: never trained on.
        seed = step_seed(config, stage, config.stage_steps(stage) + index)
        objective(draw(simulation, size, seed, device))
    return model.eval()


def _normalising(part: nn.Module) -> list[nn.BatchNorm1d]:
    return [layer for layer in part.modules() if isinstance(layer, nn.BatchNorm1d)]
