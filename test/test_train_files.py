"""Files of training that are of another form, or cannot be written: one line, at once."""

import pytest

torch = pytest.importorskip("torch", reason="PyTorch is not installed: no training here")

from erd_ros.errors import ArtifactError, InputError
from erd_ros.train import LAST
from erd_ros.train.config import read_config
from erd_ros.train.scalars import Scalars
from erd_ros.train.state import RUN_KEY, read_run


def merges(levels):
    """YAML whose mappings take in the one before twice: 2 ** levels merges in a few lines."""
    lines = [f"b{n}: &b{n} {{<<: [*b{n - 1}, *b{n - 1}]}}" for n in range(1, levels)]
    return "\n".join(["b0: &b0 {seed: 1}", *lines])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (merges(40), r"has an alias \(\*name\)"),
        ("model: &a {steps: *a}", "has an alias"),
        ("model: " + "[" * 20_000, "is not YAML"),
        ("model: " + "{a: " * 20_000, "is not YAML"),
        ("# " + "long " * 30_000, "characters, at most 100000"),
        ("[1, 2]", r"is \[1, 2\], expected keys and values"),
        ("three", "is 'three', expected keys and values"),
        ("? [1]\n: 2", "is not YAML"),
        ("learning_rate: 1" + "0" * 400, "learning_rate is 1000"),
        ("seed: 2001-02-30", "is not YAML"),
        ("model: 3", "model is 3, expected keys and values"),
        ("name: !!python/object:os.system {}", "is not YAML"),
        (b"\xff\xfe\x00", "cannot be read"),
    ],
)
def test_a_configuration_of_another_form_is_named_at_once(tmp_path, text, message):
    path = tmp_path / "c.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InputError, match=message) as error:
        read_config(path, ["seed=1"])
    assert "c.yaml" in str(error.value)
    assert len(str(error.value)) < 700


@pytest.mark.parametrize("value", ["[" * 20_000, "*a", "&a [*a]", "!!int x"])
def test_an_override_of_another_form_is_named(tmp_path, value):
    (tmp_path / "c.yaml").write_text("seed: 1")
    with pytest.raises(InputError, match="override 'seed="):
        read_config(tmp_path / "c.yaml", [f"seed={value}"])


@pytest.mark.parametrize(
    "garbage", ["null", "[]", "{}", "[" * 200_000, '{"config": 3}', "9" * 5000]
)
def test_a_checkpoint_that_says_nonsense_of_its_run_is_named(tmp_path, garbage):
    with pytest.raises(ArtifactError, match=r"last\.safetensors: where its run stands cannot"):
        read_run({RUN_KEY: garbage}, tmp_path / LAST)


def test_scalars_that_cannot_be_written_are_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"scalars cannot be written to .*--resume"):
        Scalars(tmp_path / "file" / "tensorboard", 0)
