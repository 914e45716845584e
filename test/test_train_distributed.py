"""Training by several processes, started by torchrun as a user starts them, and on devices."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tiny_mocap import write_tiny_mocap

torch = pytest.importorskip("torch", reason="PyTorch is not installed: no training here")

from erd_ros.data.batches import Simulation, SimulationConfig
from erd_ros.errors import BackendError, InputError
from erd_ros.mocap import read_human36m_cameras, read_mocap
from erd_ros.models.checkpoint import read_tensors
from erd_ros.models.config import ModelConfig
from erd_ros.models.erd import ErdModel
from erd_ros.models.lifters import LIFTERS
from erd_ros.models.linear import LifterConfig
from erd_ros.skeleton import H36M17
from erd_ros.train import FINAL, HISTORY, LAST, train
from erd_ros.train.config import TrainConfig, read_config
from erd_ros.train.distributed import Processes, training_processes
from erd_ros.train.start import resumed
from erd_ros.train.step import Objective, drawing_on, step_seed

ROOT = Path(__file__).resolve().parents[1]
TINY_YAML = """
lifter_steps: {lifter_steps}
regressor_steps: 10
batch_size: 16
validation_size: 64
checkpoint_every: 2
model:
  lifter_size: {{width: 16, blocks: 1, dropout: {dropout}}}
  steps: {steps}
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_tiny_mocap(tmp_path_factory.mktemp("mocap"))


def write_config(folder, **values):
    path = folder / "tiny.yaml"
    path.write_text(TINY_YAML.format(**values))
    return path


def two_processes(config, data, out, *more):
    """The command line; gloo talks over the loopback interface."""
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    training = ["-m", "erd_ros.cli", "train", config, "--data", data, "--out", out]
    words = [*torchrun, "--nproc-per-node", "2", *training, "--device", "cpu", "--threads", "1"]
    return {
        "args": [*map(str, words), *more],
        "cwd": ROOT,
        "env": {**os.environ, "GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1"},
        "start_new_session": True,
    }


def run(command):
    done = subprocess.run(**command, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stderr
    return done


def history(out):
    return [json.loads(line) for line in (out / HISTORY).read_text().splitlines()]


def half_batch_gradients(config, data):
    """Loss and gradient of each process' half batch, and the lifter after the first half."""
    mocap = read_mocap(data, config.sources, "train")
    cameras = read_human36m_cameras(data, config.cameras)
    simulation = Simulation(mocap, cameras, config.simulation)

    def drawn(size, seed):
        return simulation.draw(size, torch.Generator().manual_seed(seed))

    losses, gradients, models = [], [], []
    for rank in (0, 1):
        torch.manual_seed(config.seed)
        model = ErdModel(H36M17, config.model)
        all_of_it = drawn(8192, abs(step_seed(config, 0, -1)))
        model.set_statistics(all_of_it.rays, all_of_it.confidence, all_of_it.joints, all_of_it.root)
        half = drawn(config.batch_size // 2, step_seed(config, 0, 0, rank))
        poses = model.lift(model.inputs.view(half.rays, half.confidence)).poses
        truth = half.joints @ model.inputs.view(
            half.rays, half.confidence
        ).rotation_camera_to_view.transpose(1, 2)
        loss = (poses[:, 0] - truth).norm(dim=-1).mean()
        losses.append(float(loss.detach()))
        gradients.append(torch.autograd.grad(loss, list(model.lifter.parameters())))
        models.append(model)
    return losses, gradients, models[0]


def test_two_processes_average_the_gradients_of_half_batches(data, tmp_path):
    path = write_config(tmp_path, lifter_steps=1, dropout=0, steps=0)
    config, out = read_config(path), tmp_path / "run"
    done = run(two_processes(path, data, out))
    # The first process alone speaks and writes.
    assert done.stdout.count("trained:") == 1
    (line,) = history(out)
    losses, gradients, first = half_batch_gradients(config, data)
    assert losses[0] != losses[1]
    assert line["loss"] == line["mean_loss"] == pytest.approx(sum(losses) / 2, rel=1e-5)
    tensors, _ = read_tensors(out / LAST)
    for index, pair in enumerate(zip(*gradients, strict=True)):
        # Adam's first moment after one step is a tenth of the gradient.
        found = 10 * tensors[f"optimizer.{index}.exp_avg"]
        torch.testing.assert_close(found, sum(pair) / 2, rtol=1e-4, atol=1e-6)
    for name, buffer in first.lifter.named_buffers():
        torch.testing.assert_close(tensors[f"model.lifter.{name}"], buffer)


def test_killed_processes_resume_to_the_same_bits(data, tmp_path):
    path = write_config(tmp_path, lifter_steps=60, dropout=0.1, steps=1)
    killed, unbroken = tmp_path / "killed", tmp_path / "unbroken"
    with subprocess.Popen(
        **two_processes(path, data, killed), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        while process.poll() is None:
            if (killed / HISTORY).exists() and len(history(killed)) >= 5:
                os.killpg(process.pid, signal.SIGKILL)
                for worker in workers_of(killed):
                    os.kill(worker, signal.SIGKILL)
                break
            time.sleep(0.01)
    assert not (killed / FINAL).exists(), "the run was over before it could be killed"
    assert "resumed" in run(two_processes(path, data, killed, "--resume")).stdout
    run(two_processes(path, data, unbroken))
    (tensors, _), (expected, _) = read_tensors(killed / FINAL), read_tensors(unbroken / FINAL)
    assert tensors.keys() == expected.keys()
    different = [name for name in expected if not torch.equal(tensors[name], expected[name])]
    assert not different
    losses = [line["mean_loss"] for line in history(unbroken) if line["stage"] == 0]
    assert sum(losses[-5:]) < sum(losses[:5])


def workers_of(out):
    """Processes of this run: torchrun gives each a session of its own."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if str(out).encode() in words:
            yield int(folder.name)


def test_another_number_of_processes_does_not_go_on(data, tmp_path):
    config = TrainConfig(
        lifter_steps=1,
        batch_size=16,
        validation_size=16,
        model=ModelConfig(lifter_size=LifterConfig(width=8, blocks=0), steps=0),
    )
    train(config, data, tmp_path)
    with pytest.raises(InputError, match="was trained with processes 1, this run has 2"):
        resumed(config, tmp_path, Processes(count=2))


@pytest.mark.parametrize(("size", "count"), [(15, 2), (2, 2), (16, 5)])
def test_a_batch_that_cannot_be_shared(size, count):
    with pytest.raises(InputError, match=f"batch_size {size} over {count} processes"):
        Processes(count=count).share(size)


def test_each_process_draws_its_own():
    """The CPU's generator uses the lowest 32 bits of a seed alone."""
    config = TrainConfig()
    seeds = {
        step_seed(config, stage, step, rank) % 2**32
        for stage in range(5)
        for step in range(0, 100_000, 97)
        for rank in range(8)
    }
    assert len(seeds) == 5 * len(range(0, 100_000, 97)) * 8


def test_devices_by_name():
    with training_processes("cpu") as alone:
        assert (alone.device.type, alone.rank, alone.count) == ("cpu", 0, 1)
    with pytest.raises(InputError, match="unknown device 'tpu'; choose one of cpu, cuda"):
        training_processes("tpu").__enter__()


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu():
    with training_processes() as alone:
        assert alone.device.type == "cpu"
    with pytest.raises(BackendError, match=r"sees 0 GPUs.*or choose cpu"):
        training_processes("cuda").__enter__()


@pytest.mark.parametrize("detector", ["layouts", "exact"])
@pytest.mark.parametrize("lifter", LIFTERS)
def test_nothing_stays_behind_on_the_cpu(data, detector, lifter):
    """The device "meta" computes nothing but refuses, as a GPU does, what is not there too."""
    mocap, cameras = read_mocap(data, ["cmu"], "train"), read_human36m_cameras(data, ["S1"])
    model = ModelConfig(lifter=lifter, lifter_size=LifterConfig(width=8, blocks=1), steps=2)
    config = TrainConfig(schedule="joint", model=model)
    meta = torch.device("meta")
    with drawing_on(meta):
        simulation = Simulation(mocap, cameras, SimulationConfig(detector=detector))
        # There is no generator of this device; without one the default is used.
        batch = simulation.draw(16, None)
    assert batch.rays.device == batch.root.device == meta
    graph = ErdModel(H36M17, model).to(meta)
    graph.set_statistics(batch.rays, batch.confidence, batch.joints, batch.root)
    Objective(graph, config, 0)(batch).backward()
    # What has no gradient would have the processes wait for it for ever.
    assert all(parameter.grad.device == meta for parameter in graph.parameters())
