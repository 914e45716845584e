"""Training a model whose size and root come from cues."""

import json
import math
from dataclasses import replace

import pytest
from test_train_options import LEARNING
from tiny_mocap import write_tiny_mocap

torch = pytest.importorskip("torch", reason="PyTorch is not installed: no training here")

from erd_ros.models.checkpoint import load_model
from erd_ros.train import FINAL, HISTORY, train
from erd_ros.train.losses import lifter_loss, step_loss
from erd_ros.train.start import started

WITH_CUES = replace(
    LEARNING,
    regressor_steps=20,
    statistics_samples=256,
    model=replace(LEARNING.model, steps=1, root="cues"),
)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_tiny_mocap(tmp_path_factory.mktemp("mocap"))


@pytest.fixture(scope="module")
def finished(data, tmp_path_factory):
    out = tmp_path_factory.mktemp("run")
    train(WITH_CUES, data, out)
    return out


def test_each_stage_learns_the_deviations_of_its_rows(finished):
    lines = [json.loads(line) for line in (finished / HISTORY).read_text().splitlines()]
    of_lifter = [line["validation_mpjpe_mm"] for line in lines if line["stage"] == 0]
    assert min(of_lifter[-5:]) < 0.95 * of_lifter[0]
    model, artifact = load_model(finished / FINAL)
    assert len(model.sizings) == artifact.steps + 1
    assert model.sizings[0].log_depth_deviation.item() != pytest.approx(-4.0, abs=1e-4)


def test_a_broken_run_goes_on_to_the_same_end(data, finished, tmp_path):
    """Broken off within the regressor's stage."""
    short = replace(WITH_CUES, regressor_steps=10)
    train(short, data, tmp_path / "whole")
    broken = tmp_path / "broken"

    with pytest.MonkeyPatch.context() as patch:
        steps, of_model = 0, step_loss

        def counting(*arguments):
            nonlocal steps
            steps += 1
            if steps == 5:
                raise KeyboardInterrupt
            return of_model(*arguments)

        patch.setattr("erd_ros.train.step.step_loss", counting)
        with pytest.raises(KeyboardInterrupt):
            train(short, data, broken)
    train(short, data, broken, resume=True)
    whole, _ = load_model(tmp_path / "whole" / FINAL)
    again, _ = load_model(broken / FINAL)
    tensors = again.state_dict()
    assert all(torch.equal(one, tensors[name]) for name, one in whole.state_dict().items())


def test_a_surer_guess_that_is_wrong_costs_more(data, tmp_path):
    """The size's loss is a likelihood: it is least where the deviation is the error."""
    from erd_ros.data.batches import Simulation
    from erd_ros.mocap import read_human36m_cameras, read_mocap
    from erd_ros.train.distributed import Processes

    cameras = read_human36m_cameras(data, WITH_CUES.cameras)
    mocap = read_mocap(data, WITH_CUES.sources, "train")
    simulation = Simulation(mocap, cameras, WITH_CUES.simulation)
    model = started(WITH_CUES, tmp_path, simulation, Processes()).model.eval()
    batch = simulation.draw(500, torch.Generator().manual_seed(0))
    losses = []
    with torch.no_grad():
        model.lifter.network[-1].weight.zero_()
        model.lifter.network[-1].bias.zero_()
        model.sizings[0].log_depth_deviation.fill_(-1.0)  # of the mean pose
        spread = float(model.pose_deviation[0, 0, 0])
        for deviation in (spread / 4, spread, 4 * spread):
            model.pose_mean[0, 0, 1] = math.log(deviation)
            losses.append(float(lifter_loss(model, batch, "distance")))
    assert losses[1] < min(losses[0], losses[2])
