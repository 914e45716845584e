"""How good a model is on subjects and cameras that training never sees."""

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import torch

from erd_ros.data.batches import Batch, Simulation
from erd_ros.metrics import mpjpe_mm
from erd_ros.mocap import TEST_CAMERAS, read_human36m_cameras, read_mocap
from erd_ros.models.erd import ErdModel
from erd_ros.train.config import TrainConfig
from erd_ros.train.step import draw


def validation_batch(config: TrainConfig, data: Path, device: torch.device) -> Batch:
    """Samples drawn on the CPU, so that they are the same ones on every device."""
    mocap = read_mocap(data, config.sources, "val")
    cameras = read_human36m_cameras(data, TEST_CAMERAS)
    simulation = Simulation(mocap, cameras, replace(config.simulation, fixed_samples=0))
    batch = draw(simulation, config.validation_size, config.seed, torch.device("cpu"))
    return batch.to(device)


@torch.no_grad()
def errors_mm(model: ErdModel, batch: Batch, steps: int) -> list[float]:
    """MPJPE after the lifter and after each step, in float32."""
    model.eval()
    in_networks, model.in_networks = model.in_networks, nullcontext
    trajectory = model.trajectory(batch.rays, batch.confidence, steps, batch.root, batch.cues)
    model.in_networks = in_networks
    truth = batch.joints.cpu().numpy()
    return [float(mpjpe_mm(one.joints.cpu().numpy(), truth).mean()) for one in trajectory]
