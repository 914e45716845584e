"""Schedules, precisions, optimisers, a given lifter, overrides: what a configuration may say."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from tiny_mocap import write_tiny_mocap

torch = pytest.importorskip("torch", reason="PyTorch is not installed: no training here")

from erd_ros.cli import main
from erd_ros.data.batches import Simulation
from erd_ros.errors import InputError
from erd_ros.mocap import read_human36m_cameras, read_mocap
from erd_ros.models.checkpoint import load_model, read_tensors, save_model
from erd_ros.models.config import ModelConfig
from erd_ros.models.linear import LifterConfig
from erd_ros.train import BEST, HISTORY, LAST, record, train
from erd_ros.train.config import TrainConfig, read_config
from erd_ros.train.distributed import Processes
from erd_ros.train.scalars import Scalars
from erd_ros.train.start import started
from erd_ros.train.state import State
from erd_ros.train.statistics import with_new_statistics
from erd_ros.train.step import Objective, draw, learning_rate, step_seed
from erd_ros.train.validation import errors_mm, validation_batch

ROOT = Path(__file__).resolve().parents[1]
LEARNING = TrainConfig(
    lifter_steps=150,
    batch_size=64,
    validation_size=64,
    checkpoint_every=10,
    model=ModelConfig(lifter_size=LifterConfig(width=64, blocks=1, dropout=0), steps=0),
)
TINY = replace(
    LEARNING,
    lifter_steps=4,
    regressor_steps=3,
    batch_size=16,
    checkpoint_every=2,
    model=replace(LEARNING.model, steps=2),
)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_tiny_mocap(tmp_path_factory.mktemp("mocap"))


@pytest.fixture(scope="module")
def lifter(data, tmp_path_factory):
    out = tmp_path_factory.mktemp("lifter")
    return train(replace(TINY, model=replace(TINY.model, steps=0)), data, out)


def history(out):
    return [json.loads(line) for line in (out / HISTORY).read_text().splitlines()]


def errors_of(out):
    return [line["validation_mpjpe_mm"] for line in history(out)]


def begun(config, data, out):
    """A model at its first step, and a batch."""
    cameras = read_human36m_cameras(data, config.cameras)
    simulation = Simulation(read_mocap(data, config.sources, "train"), cameras, config.simulation)
    state = started(config, out, simulation, Processes())
    return state.model, simulation.draw(32, torch.Generator().manual_seed(0))


def test_joint_trains_everything_in_one_stage(data, tmp_path):
    config = replace(LEARNING, schedule="joint", model=replace(LEARNING.model, steps=2))
    before, _ = begun(config, data, tmp_path)
    final = train(config, data, tmp_path)
    assert {line["stage"] for line in history(tmp_path)} == {0}
    assert min(errors_of(tmp_path)[-5:]) < 0.9 * errors_of(tmp_path)[0]
    assert len(load_model(final)[1].training["validation_mpjpe_mm"]) == 3
    after, _ = read_tensors(tmp_path / BEST)
    unmoved = [name for name, one in before.named_parameters() if torch.equal(one, after[name])]
    assert not unmoved


def test_the_joint_loss_is_that_of_all_steps(data, tmp_path):
    config = replace(TINY, schedule="joint")
    model, batch = begun(config, data, tmp_path)
    steps = model.eval().trajectory(batch.rays, batch.confidence)
    distances = [(one.joints - batch.joints).norm(dim=-1).mean() for one in steps]
    loss = Objective(model, config, 0)(batch)
    # The lifter's own loss is the distance in the view, where distances are the same.
    assert float(loss.detach()) == pytest.approx(float(sum(distances).detach()), rel=1e-5)


def test_bfloat16_learns_and_keeps_its_weights_in_float32(data, tmp_path):
    train(replace(LEARNING, precision="bfloat16"), data, tmp_path)
    assert min(errors_of(tmp_path)[-5:]) < 0.9 * errors_of(tmp_path)[0]
    tensors, _ = read_tensors(tmp_path / LAST)
    floating = {one.dtype for one in tensors.values() if one.is_floating_point()}
    assert floating == {torch.float32}


def test_geometry_stays_float32_under_bfloat16(data, tmp_path):
    model, batch = begun(replace(TINY, precision="bfloat16"), data, tmp_path)
    within, into = [], []
    model.lifter.network[0].register_forward_hook(lambda _, given, out: within.append(out.dtype))
    model.regressors[0].register_forward_hook(lambda _, given, out: into.append(given[0].dtype))
    estimates = model.eval().trajectory(batch.rays, batch.confidence)
    assert within == [torch.bfloat16]
    assert into == [torch.float32]
    assert {one.joints.dtype for one in estimates} == {torch.float32}
    # The rays of what was estimated: exact to float32, which bfloat16's three digits are not.
    lifted = model.lift(model.inputs.view(batch.rays, batch.confidence))
    assert {lifted.poses.dtype, lifted.depth.dtype, estimates[0].root.dtype} == {torch.float32}


def test_rmsprop_learns(data, tmp_path):
    train(replace(LEARNING, optimizer="rmsprop"), data, tmp_path)
    assert min(errors_of(tmp_path)[-5:]) < 0.95 * errors_of(tmp_path)[0]
    tensors, _ = read_tensors(tmp_path / LAST)
    assert {"optimizer.0.square_avg", "optimizer.0.step"} <= tensors.keys()


def test_cosine_falls_slowly_first_and_last():
    config = replace(LEARNING, decay="cosine")
    rates = [learning_rate(config, 0, step) for step in (0, 15, 75, 150)]
    assert rates == pytest.approx([1e-3, 0.975 * 0.99e-3 + 1e-5, 0.505e-3, 1e-5], rel=1e-3)


def test_fixed_samples_are_trained_on_once_an_epoch(data, tmp_path, monkeypatch):
    """Twice 16 steps of 16 samples each, over 64: four epochs of each of the two stages."""
    firsts, of_epochs = [], Simulation.of_epochs

    def noting(self, first, size, seed):
        firsts.append((first, seed))
        return of_epochs(self, first, size, seed)

    monkeypatch.setattr(Simulation, "of_epochs", noting)
    fixed = replace(TINY.simulation, fixed_samples=64)
    model = replace(TINY.model, steps=1)
    train(replace(TINY, simulation=fixed, model=model), data, tmp_path)
    assert [first for first, _ in firsts] == [0, 16, 32, 48, 0, 16, 32]
    assert len({seed for _, seed in firsts}) == 2


WITH_DROPOUT = replace(
    LEARNING, model=replace(LEARNING.model, lifter_size=LifterConfig(64, 1, dropout=0.5))
)


def test_new_statistics_are_those_of_the_samples(data, tmp_path):
    """With dropout off the first layer's statistics are those of what comes into it."""
    config = replace(WITH_DROPOUT, statistics_samples=2048)
    train(WITH_DROPOUT, data, tmp_path)
    model, _ = load_model(tmp_path / BEST)
    cameras = read_human36m_cameras(data, config.cameras)
    simulation = Simulation(read_mocap(data, config.sources, "train"), cameras, config.simulation)
    device = torch.device("cpu")
    anew = with_new_statistics(model, config, 0, simulation, device)
    batch = draw(simulation, 2048, step_seed(config, 0, config.lifter_steps), device)
    seen = []
    anew.lifter.network[0].register_forward_hook(lambda _, given, out: seen.append(out))
    anew.trajectory(batch.rays, batch.confidence)
    layer = anew.lifter.network[1]
    torch.testing.assert_close(layer.running_mean, seen[0].mean(0), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(layer.running_var, seen[0].var(0), rtol=1e-4, atol=1e-5)
    weights = dict(model.named_parameters())
    assert all(torch.equal(one, weights[name]) for name, one in anew.named_parameters())


def test_new_statistics_are_kept_where_validation_is_better(data, tmp_path):
    """Of a model whose statistics are those of quite other samples."""
    config = replace(LEARNING, statistics_samples=2048)
    model, artifact = load_model(train(config, data, tmp_path / "run"))
    model.lifter.network[1].running_mean += 5
    device = torch.device("cpu")
    validation = validation_batch(config, data, device)
    kept = record.Record(config, tmp_path, validation, artifact, 1, Scalars(tmp_path, 1))
    state = State.start(model, config)
    kept.begin(state)
    spoilt = state.best_mm
    cameras = read_human36m_cameras(data, config.cameras)
    mocap = read_mocap(data, config.sources, "train")
    kept.try_statistics(state, Simulation(mocap, cameras, config.simulation))
    kept.scalars.close()
    best, _ = load_model(tmp_path / BEST)
    assert state.best_mm < 0.95 * spoilt
    assert errors_mm(best, validation, 0) == [pytest.approx(state.best_mm)]


def test_new_statistics_that_do_harm_are_not_kept(data, tmp_path, monkeypatch):
    def harmful(model, *others):
        with torch.no_grad():
            model.pose_mean += 1
        return model

    monkeypatch.setattr(record, "with_new_statistics", harmful)
    final = train(replace(TINY, statistics_samples=64), data, tmp_path)
    errors = load_model(final)[1].training["validation_mpjpe_mm"]
    assert errors[-1] == pytest.approx(min(errors_of(tmp_path)))


def test_a_given_lifter_is_left_as_it_is(data, lifter, tmp_path):
    final = train(TINY, data, tmp_path, lifter=lifter)
    assert [line["stage"] for line in history(tmp_path)] == [1, 1, 2, 2]
    given, _ = read_tensors(lifter)
    after, _ = read_tensors(tmp_path / BEST)
    assert given.keys() <= after.keys()
    assert all(torch.equal(given[name], after[name]) for name in given)
    assert train(TINY, data, tmp_path, resume=True, lifter=lifter) == final


def test_a_given_lifter_is_trained_further(data, lifter, tmp_path):
    final = train(TINY, data, tmp_path, lifter=lifter, further=True)
    assert [line["stage"] for line in history(tmp_path)] == [0, 0, 1, 1, 2, 2]
    # What it was before does not count, even where validation liked that better.
    of_lifter = [line["validation_mpjpe_mm"] for line in history(tmp_path) if not line["stage"]]
    model, artifact = load_model(final)
    assert artifact.training["validation_mpjpe_mm"][0] <= min(of_lifter) + 1e-6
    given = load_model(lifter)[0].lifter.state_dict()
    assert any(not torch.equal(given[name], new) for name, new in model.lifter.state_dict().items())
    with pytest.raises(InputError, match="no lifter to train further; name one with --lifter"):
        train(TINY, data, tmp_path / "other", further=True)


def test_further_steps_trust_their_own_rows_as_the_given_lifters_last_does(data, tmp_path):
    config = replace(TINY, model=replace(TINY.model, root="cues", steps=1))
    final = train(config, data, tmp_path / "lifter")
    model, artifact = load_model(final)
    with torch.no_grad():
        model.sizings[-1].log_depth_deviation.fill_(-2.5)
    save_model(final, model, artifact)
    longer = replace(config, model=replace(config.model, steps=3))
    simulation = Simulation(
        read_mocap(data, ["cmu"], "train"), read_human36m_cameras(data), longer.simulation
    )
    state = started(longer, tmp_path / "run", simulation, Processes(), final)
    trusts = [one.log_depth_deviation.item() for one in state.model.sizings]
    last = len(model.sizings) - 1
    assert trusts[last:] == [-2.5] * (4 - last)
    assert trusts[0] == pytest.approx(-3.5, abs=0.1)


def test_regressors_that_do_harm_are_not_kept(data, lifter, tmp_path):
    harmful = replace(TINY, learning_rate=1.0, last_learning_rate=1.0)
    final = train(harmful, data, tmp_path, lifter=lifter)
    of_lifter, *others = load_model(final)[1].training["validation_mpjpe_mm"]
    assert min(errors_of(tmp_path)) > of_lifter
    assert others == [pytest.approx(of_lifter)] * TINY.model.steps


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            "model.lifter_size.width=32",
            r"has lifter_size .*width=64.*configuration says .*width=32",
        ),
        ("model.lifter=lcn", "has lifter linear, the configuration says lcn"),
        ("model.relative_to=[pelvis, spine]", "has relative_to"),
        ("model.inputs.frame=camera", "has inputs"),
    ],
)
def test_another_lifter_is_refused(data, lifter, tmp_path, override, message):
    path = tmp_path / "tiny.yaml"
    path.write_text("model: {lifter_size: {width: 64, blocks: 1, dropout: 0.0}}")
    with pytest.raises(InputError, match=message):
        train(read_config(path, [override]), data, tmp_path / "run", lifter=lifter)


def test_overrides_set_values_within_the_file(tmp_path):
    path = tmp_path / "tiny.yaml"
    path.write_text("batch_size: 16\nmodel: {steps: 2}\n")
    words = ["batch_size=32", "model.root=given", "simulation.cameras.robot_height=[1, 2]"]
    config = read_config(path, words)
    assert config.batch_size == 32
    assert (config.model.steps, config.model.root) == (2, "given")
    assert config.simulation.cameras.robot_height == (1.0, 2.0)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("batch_size", "override 'batch_size', expected KEY=VALUE"),
        ("model.=1", "expected KEY=VALUE"),
        ("batch_size.half=1", "'batch_size' holds a value, not keys"),
        ("batch_size=[", "is not YAML"),
        ("speed=1", "unknown key 'speed'"),
        ("model.depth=1", "model: unknown key 'depth'"),
        ("optimizer=sgd", "unknown optimizer 'sgd'; choose one of adam, rmsprop"),
        ("schedule=lazy", "unknown schedule 'lazy'; choose one of greedy, joint"),
        ("precision=float16", "unknown precision 'float16'; choose one of float32, bfloat16"),
    ],
)
def test_overrides_that_cannot_be(tmp_path, capsys, override, message):
    path = tmp_path / "tiny.yaml"
    path.write_text("batch_size: 16\n")
    assert main(["train", str(path), "--out", str(tmp_path / "run"), "--set", override]) == 1
    assert message in capsys.readouterr().err
