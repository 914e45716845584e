"""What TensorBoard shows of a run."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tiny_mocap import write_tiny_mocap

torch = pytest.importorskip("torch", reason="PyTorch is not installed: no training here")
accumulator = pytest.importorskip(
    "tensorboard.backend.event_processing.event_accumulator", reason="TensorBoard is not installed"
)

from erd_ros.models.config import ModelConfig
from erd_ros.models.linear import LifterConfig
from erd_ros.train import HISTORY, SCALARS, train
from erd_ros.train.config import TrainConfig
from erd_ros.train.scalars import Scalars

ROOT = Path(__file__).resolve().parents[1]
TINY = TrainConfig(
    lifter_steps=7,
    regressor_steps=4,
    batch_size=16,
    validation_size=64,
    checkpoint_every=3,
    model=ModelConfig(lifter_size=LifterConfig(width=16, blocks=1), steps=2),
)
# Of the whole run: 7 of the lifter, then 4 of each regressor.
STEPS = [3, 6, 7, 10, 11, 14, 15]


def curves(folder):
    """Steps and values of each scalar, as TensorBoard reads them."""
    events = accumulator.EventAccumulator(str(folder)).Reload()
    return {
        tag: ([one.step for one in events.Scalars(tag)], [one.value for one in events.Scalars(tag)])
        for tag in events.Tags()["scalars"]
    }


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_tiny_mocap(tmp_path_factory.mktemp("mocap"))


@pytest.fixture(scope="module")
def finished(data, tmp_path_factory):
    out = tmp_path_factory.mktemp("finished")
    train(TINY, data, out)
    return out


def test_curves_show_the_history(finished):
    history = [json.loads(line) for line in (finished / HISTORY).read_text().splitlines()]
    found = curves(finished / SCALARS)
    for tag, key in [
        ("loss/last", "loss"),
        ("loss/mean", "mean_loss"),
        ("samples_per_second", "samples_per_second"),
    ]:
        assert found[tag][0] == STEPS
        assert found[tag][1] == pytest.approx([line[key] for line in history], abs=0.1, rel=1e-5)
    # An interval of one step has one loss.
    assert found["loss/last"][1][2] == pytest.approx(found["loss/mean"][1][2])


def test_every_regressor_has_its_curve_of_validation(finished):
    history = [json.loads(line) for line in (finished / HISTORY).read_text().splitlines()]
    found = curves(finished / SCALARS)
    steps = {tag: found[tag][0] for tag in found if tag.startswith("validation_mpjpe_mm/")}
    assert steps == {
        "validation_mpjpe_mm/step_0": STEPS,
        "validation_mpjpe_mm/step_1": STEPS[3:],
        "validation_mpjpe_mm/step_2": STEPS[5:],
    }
    of_last = found["validation_mpjpe_mm/step_2"][1]
    assert of_last == pytest.approx([one["validation_mpjpe_mm"] for one in history[5:]], rel=1e-5)


def test_the_learning_rate_falls_within_each_stage(finished):
    done = [2 / 7, 5 / 7, 6 / 7, 2 / 4, 3 / 4, 2 / 4, 3 / 4]
    expected = [1e-3 * 1e-2**share for share in done]
    assert curves(finished / SCALARS)["learning_rate"] == (STEPS, pytest.approx(expected, rel=1e-5))


def test_what_a_broken_run_wrote_ahead_is_struck_out(tmp_path):
    broken = Scalars(tmp_path, 1)
    for step in (2, 4, 6):
        broken.write(step, {"loss/mean": step})
    broken.close()
    resumed = Scalars(tmp_path, 5)
    for step in (6, 8):
        resumed.write(step, {"loss/mean": 10 * step})
    resumed.close()
    assert curves(tmp_path) == {"loss/mean": ([2, 4, 6, 8], [2.0, 4.0, 60.0, 80.0])}


def test_training_goes_on_without_tensorboard(data, tmp_path, monkeypatch, capsys):
    for name in [one for one in sys.modules if one.startswith("torch.utils.tensorboard")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    assert train(TINY, data, tmp_path).is_file()
    assert not (tmp_path / SCALARS).exists()
    said = capsys.readouterr().err
    assert said.count("no scalars are written") == 1
    assert "pip install erd_ros[train]" in said


def test_a_full_disk_is_said_in_a_line(tmp_path):
    """The limit on file sizes makes the system refuse to write on, as a full disk does."""
    program = (
        "import resource\n"
        "from pathlib import Path\n"
        "from erd_ros.train.scalars import Scalars\n"
        f"scalars = Scalars(Path({str(tmp_path)!r}), 1)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        "for step in range(200):\n"
        "    scalars.write(step, {'loss/mean': 1.0})\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 1
    assert "InputError: scalars cannot be written to" in done.stderr
    assert "make room" in done.stderr
