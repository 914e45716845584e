"""Samples that are drawn once and trained on again and again."""

import pytest
from tiny_mocap import write_tiny_mocap

torch = pytest.importorskip("torch", reason="PyTorch is not installed: no training here")

from erd_ros.data.batches import Simulation, SimulationConfig
from erd_ros.data.cameras import CameraConfig
from erd_ros.errors import InputError
from erd_ros.mocap import read_human36m_cameras, read_mocap

STUDIO = CameraConfig(robot_share=0.0, studio_jitter=0.0)


@pytest.fixture
def simulation(tmp_path):
    """Of so many fixed samples."""
    folder = write_tiny_mocap(tmp_path)
    mocap, cameras = read_mocap(folder, ["cmu"], "train"), read_human36m_cameras(folder)

    def of(fixed_samples):
        config = SimulationConfig(cameras=STUDIO, detector="simulated", fixed_samples=fixed_samples)
        return Simulation(mocap, cameras, config)

    return of


def test_fixed_samples_come_again(simulation):
    batch = simulation(5).draw(100, torch.Generator().manual_seed(0))
    assert len(torch.unique(batch.rays, dim=0)) == 5


def test_an_epoch_has_every_fixed_sample_once(simulation):
    ten = simulation(10)
    batches = [ten.of_epochs(first, 4, seed=3).rays for first in range(0, 20, 4)]
    epochs = torch.cat(batches).split(10)
    for epoch in epochs:
        assert len(torch.unique(epoch, dim=0)) == 10
    assert not torch.equal(*epochs)
    assert torch.equal(ten.of_epochs(8, 4, seed=3).rays, batches[2])
    assert not torch.equal(ten.of_epochs(8, 4, seed=4).rays, batches[2])
    assert len(torch.unique(ten.of_epochs(5, 35, seed=3).rays, dim=0)) == 10


def test_samples_drawn_anew_have_no_epochs(simulation):
    with pytest.raises(InputError, match="fixed_samples is 0"):
        simulation(0).of_epochs(0, 4, seed=0)
