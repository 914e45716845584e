"""Training runs, tiny and on made-up motion capture: resumed, refused, broken off."""

import json
import resource
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from tiny_mocap import write_tiny_mocap

torch = pytest.importorskip("torch", reason="PyTorch is not installed: no training here")

from erd_ros.cli import main
from erd_ros.errors import ArtifactError, InputError
from erd_ros.models.checkpoint import load_model, read_tensors, write_tensors
from erd_ros.models.config import ModelConfig
from erd_ros.models.linear import LifterConfig
from erd_ros.train import BEST, FINAL, HISTORY, LAST, train
from erd_ros.train.config import OPTIMIZERS, TrainConfig, read_config

ROOT = Path(__file__).resolve().parents[1]
TINY = TrainConfig(
    name="tiny",
    lifter_steps=7,
    regressor_steps=4,
    batch_size=16,
    validation_size=64,
    checkpoint_every=3,
    model=ModelConfig(lifter_size=LifterConfig(width=16, blocks=1), steps=2),
)
TINY_YAML = """
lifter_steps: 40
regressor_steps: 10
batch_size: 16
validation_size: 64
checkpoint_every: 2
model:
  lifter_size: {width: 16, blocks: 1}
  steps: 2
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_tiny_mocap(tmp_path_factory.mktemp("mocap"))


@pytest.fixture(scope="module")
def finished(data, tmp_path_factory):
    out = tmp_path_factory.mktemp("finished")
    train(TINY, data, out)
    return out


def history(out):
    return [json.loads(line) for line in (out / HISTORY).read_text().splitlines()]


def test_goes_through_all_stages(finished):
    stages = [(line["stage"], line["step"]) for line in history(finished)]
    assert stages == [(0, 3), (0, 6), (0, 7), (1, 3), (1, 4), (2, 3), (2, 4)]


def test_the_final_model_says_where_it_comes_from(finished):
    model, artifact = load_model(finished / FINAL)
    assert artifact.name == "tiny"
    assert artifact.training["sources"] == ["cmu", "accad", "uiprmd"]
    assert artifact.training["config"]["lifter_steps"] == 7
    assert len(artifact.training["subjects"]) == 6
    errors = artifact.training["validation_mpjpe_mm"]
    assert len(errors) == 3
    # It keeps as many steps as validation found best.
    assert artifact.steps == len(model.regressors) == errors.index(min(errors))


def test_the_lifter_is_frozen_while_regressors_learn(finished, data, tmp_path):
    """The lifter of the end is the best of its own stage, statistics included."""
    train(replace(TINY, model=replace(TINY.model, steps=0)), data, tmp_path)
    alone, _ = read_tensors(tmp_path / BEST)
    after, _ = read_tensors(finished / BEST)
    lifter = [name for name in alone if name.startswith("lifter.")]
    assert lifter
    assert all(torch.equal(alone[name], after[name]) for name in lifter)


def test_it_learns(data, tmp_path):
    lifter = LifterConfig(width=64, blocks=1, dropout=0)
    model = ModelConfig(lifter_size=lifter, steps=0)
    config = replace(TINY, lifter_steps=150, batch_size=64, model=model)
    train(config, data, tmp_path)
    errors = [line["validation_mpjpe_mm"] for line in history(tmp_path)]
    assert min(errors[-5:]) < 0.9 * errors[0]


def test_same_seed_same_model(finished, data, tmp_path):
    train(TINY, data, tmp_path)
    assert_same_tensors(tmp_path / FINAL, finished / FINAL)
    train(replace(TINY, seed=1), data, tmp_path / "other")
    one, other = (read_tensors(folder / FINAL)[0] for folder in (tmp_path, tmp_path / "other"))
    assert not torch.equal(one["pose_mean"], other["pose_mean"])


def assert_same_tensors(one, other):
    (tensors, _), (expected, _) = read_tensors(one), read_tensors(other)
    assert tensors.keys() == expected.keys()
    different = [name for name in expected if not torch.equal(tensors[name], expected[name])]
    assert not different


def erd_train(config, data, out, *more):
    command = [sys.executable, "-m", "erd_ros.cli", "train", str(config), "--data", str(data)]
    return [*command, "--out", str(out), "--threads", "1", *more]


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_killed_run_resumes_to_the_same_bits(data, tmp_path, optimizer):
    override = f"optimizer={optimizer}"
    config = tmp_path / "tiny.yaml"
    config.write_text(TINY_YAML)
    killed = tmp_path / "killed"
    with subprocess.Popen(
        erd_train(config, data, killed, "--set", override), cwd=ROOT, stderr=subprocess.DEVNULL
    ) as process:
        while process.poll() is None:
            lines = history(killed) if (killed / HISTORY).exists() else []
            if len(lines) >= 5 and (killed / LAST).exists():
                process.kill()
            time.sleep(0.01)
    assert not (killed / FINAL).exists(), "the run was over before it could be killed"
    resumed = subprocess.run(
        erd_train(config, data, killed, "--resume", "--set", override),
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert resumed.returncode == 0, resumed.stderr
    assert "resumed" in resumed.stdout
    unbroken = tmp_path / "unbroken"
    torch_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        train(read_config(config, [override]), data, unbroken)
    finally:
        torch.set_num_threads(torch_threads)
    assert_same_tensors(killed / FINAL, unbroken / FINAL)


def test_a_finished_run_resumes_to_nothing(finished, data, tmp_path):
    (tmp_path / FINAL).write_bytes((finished / FINAL).read_bytes())
    train(TINY, data, finished, resume=True)
    assert_same_tensors(finished / FINAL, tmp_path / FINAL)


def test_a_run_is_not_overwritten(finished, data):
    with pytest.raises(InputError, match="holds a run already; go on with --resume"):
        train(TINY, data, finished)


def test_resume_needs_the_same_configuration(finished, data):
    with pytest.raises(InputError, match=r"was trained with batch_size 16, this run has 32"):
        train(replace(TINY, batch_size=32), data, finished, resume=True)


def test_resume_of_nothing(data, tmp_path):
    with pytest.raises(ArtifactError, match="does not exist"):
        train(TINY, data, tmp_path, resume=True)


def test_resume_of_another_file(finished, data, tmp_path):
    (tmp_path / LAST).write_bytes((finished / FINAL).read_bytes())
    with pytest.raises(ArtifactError, match="is not the checkpoint of a run"):
        train(TINY, data, tmp_path, resume=True)


def test_a_full_disk_keeps_the_last_checkpoint(tmp_path):
    """The limit on file sizes makes the system refuse to write on, as a full disk does."""
    path = tmp_path / LAST
    write_tensors(path, {"a": torch.ones(10)}, {})
    before = path.read_bytes()
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limit[1]))
    try:
        with pytest.raises(InputError, match=r"cannot be written.*before is untouched"):
            write_tensors(path, {"a": torch.ones(10_000)}, {})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["robot", "tiny"])
def test_shipped_configurations_are_read(name):
    config = read_config(ROOT / "config" / "train" / f"{name}.yaml")
    assert "mhad" not in config.sources
    assert config.name.endswith("_erd")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("speed: 1", "unknown key 'speed'; choose one of name, sources"),
        ("model: {depth: 1}", "model: unknown key 'depth'; choose one of inputs"),
        ("learning_rate: 1e-3", "learning_rate is '1e-3', expected float.*1.0e-3"),
        ("lifter_steps: 1.5", "lifter_steps is 1.5, expected int"),
        ("lifter_steps: true", "lifter_steps is True, expected int"),
        ("batch_size: 1", "batch_size is 1"),
        ("sources: cmu", "sources is 'cmu', expected a list"),
        ("simulation: {cameras: {robot_height: [1]}}", "robot_height has 1 values, expected 2"),
        ("model: {lifter: deep}", "unknown lifter 'deep'; choose one of linear"),
        ("last_learning_rate: 1.0", "falls from 0.001 to 1.0"),
        ("- 1", "expected keys and values"),
        ("a: [", "is not YAML"),
    ],
)
def test_configurations_that_cannot_be(tmp_path, text, message):
    path = tmp_path / "config.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        read_config(path)


def test_command_says_what_is_missing(tmp_path, capsys):
    assert main(["train", str(tmp_path / "no.yaml"), "--out", str(tmp_path / "run")]) == 1
    assert "no.yaml does not exist" in capsys.readouterr().err
    config = tmp_path / "c.yaml"
    config.write_text("")
    arguments = ["train", str(config), "--data", str(tmp_path), "--out", str(tmp_path / "run")]
    assert main(arguments) == 1
    assert "cmu.npz does not exist" in capsys.readouterr().err
    assert main([*arguments, "--threads", "0"]) == 1
    assert "--threads is 0" in capsys.readouterr().err
