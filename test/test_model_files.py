"""Model files that are shipped, foreign, broken or absent, and packages that are."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tiny_onnx import FIGURE, people, write_tiny_onnx

onnx = pytest.importorskip("onnx", reason="onnx is not installed: no model files for tests")

from erd_ros.artifact import METADATA_KEY, Artifact
from erd_ros.digest import METADATA_KEY as DIGEST_KEY
from erd_ros.digest import with_digest
from erd_ros.errors import ArtifactError
from erd_ros.runtime import BACKENDS, DEFAULT_MODEL, load
from erd_ros.skeleton import COCO17, Skeleton

ROOT = Path(__file__).parents[1]


@pytest.fixture(params=BACKENDS)
def model_file(request, model_files):
    if request.param not in model_files:
        pytest.skip(f"no {request.param} file")
    return model_files[request.param]


@pytest.mark.parametrize("kept", [0, 10, 0.5, 0.95])
def test_a_truncated_file_is_named(model_file, tmp_path, kept):
    whole = model_file.read_bytes()
    part = tmp_path / f"part{model_file.suffix}"
    part.write_bytes(whole[: kept if isinstance(kept, int) else int(len(whole) * kept)])
    with pytest.raises(ArtifactError, match=f"part{model_file.suffix}.*copy it again"):
        load(part)


@pytest.mark.parametrize("suffix", BACKENDS)
def test_a_file_of_anything_else_is_named(tmp_path, suffix):
    letter = tmp_path / f"letter{suffix}"
    letter.write_text("Dear model, " * 1000)
    with pytest.raises(ArtifactError, match=rf"letter\{suffix}"):
        load(letter)


@pytest.mark.parametrize("suffix", BACKENDS)
def test_a_missing_file_names_the_one_that_ships(tmp_path, suffix):
    with pytest.raises(ArtifactError, match=rf"none\{suffix} does not exist.*robot_erd\.onnx"):
        load(tmp_path / f"none{suffix}")
    (tmp_path / f"folder{suffix}").mkdir()
    with pytest.raises(ArtifactError, match=rf"folder\{suffix}"):
        load(tmp_path / f"folder{suffix}")


def test_an_unknown_suffix_lists_the_choices(tmp_path):
    with pytest.raises(ArtifactError, match=r"no backend reads '\.pt' files; choose one of \.onnx"):
        load(tmp_path / "model.pt")


def test_a_foreign_onnx_is_named(tmp_path):
    foreign = write_tiny_onnx(tmp_path / "foreign.onnx", metadata={"author": "somebody"})
    with pytest.raises(ArtifactError, match=r"foreign\.onnx is not a model of erd_ros"):
        load(foreign)


def test_a_changed_weight_is_refused(tmp_path):
    path = tmp_path / "changed.onnx"
    whole = with_digest(write_tiny_onnx(path).read_bytes())
    path.write_bytes(whole)
    assert load(path).sha256
    at = whole.index(FIGURE.tobytes()) + FIGURE.nbytes // 2
    path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
    with pytest.raises(ArtifactError, match=r"changed\.onnx.*not what was written.*copy it again"):
        load(path)


def test_a_file_without_a_digest_is_noted(tmp_path, caplog):
    with caplog.at_level("INFO", logger="erd_ros"):
        load(write_tiny_onnx(tmp_path / "old.onnx"))
    assert "old.onnx has no digest" in caplog.text


def test_every_kind_of_file_carries_its_digest(model_file, caplog):
    with caplog.at_level("INFO", logger="erd_ros"):
        load(model_file)
    assert "no digest" not in caplog.text


def test_the_shipped_file_carries_the_digest_of_all_before_it():
    whole = DEFAULT_MODEL.read_bytes()
    start = whole.rfind(DIGEST_KEY.encode()) - 4
    assert whole[-64:].decode() == hashlib.sha256(whole[:start]).hexdigest()
    assert with_digest(whole[:start]) == whole


def _flips(path, target, numbers):
    """For each flipped bit, whether the file was refused; what was not must answer the same."""
    whole, given = path.read_bytes(), people(3)
    expected = load(path)(*given)
    for number in numbers:
        at, bit = divmod(int(number), 8)
        target.write_bytes(whole[:at] + bytes([whole[at] ^ 1 << bit]) + whole[at + 1 :])
        try:
            changed = load(target)
        except ArtifactError:
            yield True
            continue
        yield False
        found = changed(*given)
        for name in ("joints", "root", "residual"):
            assert np.array_equal(getattr(found, name), getattr(expected, name)), (at, bit)


def test_a_flipped_bit_of_the_shipped_file_is_refused(tmp_path):
    bits = 8 * DEFAULT_MODEL.stat().st_size
    numbers = np.random.default_rng(0).integers(0, bits, 300)
    assert sum(_flips(DEFAULT_MODEL, tmp_path / "f.onnx", numbers)) == 300


def test_a_flipped_bit_of_the_digest_s_own_entry_changes_no_answer(tmp_path, model_file):
    whole = model_file.read_bytes()
    at = whole.rfind(DIGEST_KEY.encode())
    numbers = np.arange(8 * (at - 4), 8 * (at + len(DIGEST_KEY) + 70), 7)
    numbers = numbers[numbers < 8 * len(whole)]
    refused = list(_flips(model_file, tmp_path / f"f{model_file.suffix}", numbers))
    assert 50 < sum(refused) <= len(refused)


def test_a_flipped_bit_of_a_checkpoint_is_refused(tmp_path, model_files):
    if ".safetensors" not in model_files:
        pytest.skip("no .safetensors file")
    path = model_files[".safetensors"]
    numbers = np.random.default_rng(0).integers(0, 8 * path.stat().st_size, 100)
    assert sum(_flips(path, tmp_path / "f.safetensors", numbers)) == 100


def test_numbers_in_a_file_beside_the_model_are_refused(tmp_path, monkeypatch):
    model = onnx.load(str(write_tiny_onnx(tmp_path / "whole.onnx")))
    external = {"save_as_external_data": True, "location": "numbers", "size_threshold": 100}
    onnx.save_model(model, str(tmp_path / "split.onnx"), **external)
    monkeypatch.chdir(tmp_path)  # where ONNX Runtime would look for it
    with pytest.raises(ArtifactError, match=r"split\.onnx keeps numbers in another file"):
        load(tmp_path / "split.onnx")


GARBAGE = {
    "no text": b"\xff\xfe" * 40,
    "nested without end": b"[" * 200_000,
    "a list": b"[1, 2]",
    "null": b"null",
    "a number without end": b"9" * 5000,
    "steps without end": Artifact("a", COCO17, 4).to_json().encode().replace(b" 4,", b" 10000000,"),
}


@pytest.mark.parametrize("kind", GARBAGE)
def test_garbage_in_a_description_is_named(tmp_path, kind):
    path = write_tiny_onnx(tmp_path / "garbage.onnx", metadata={})
    key, value = METADATA_KEY.encode(), GARBAGE[kind]
    # Written by hand: ONNX's own library takes text alone.
    entry = _field(1, key) + _field(2, value)
    path.write_bytes(path.read_bytes() + _field(14, entry))
    with pytest.raises(ArtifactError, match=r"garbage\.onnx"):
        load(path)


def _field(number, content):
    size, length = b"", len(content)
    while length > 127:
        size, length = size + bytes([length & 127 | 128]), length >> 7
    return bytes([number << 3 | 2]) + size + bytes([length]) + content


def test_a_graph_that_contradicts_its_description_is_named(tmp_path):
    three = Skeleton("three", ("pelvis", "left_hip", "right_hip"), (-1, 0, 0))
    liar = write_tiny_onnx(tmp_path / "liar.onnx", skeleton=three)
    with pytest.raises(ArtifactError, match=r"liar\.onnx.*\[17, 2\].*3 joints"):
        load(liar)


def test_a_graph_without_its_outputs_is_named(tmp_path):
    model = onnx.load(str(write_tiny_onnx(tmp_path / "tiny.onnx")))
    del model.graph.output[2]
    onnx.save(model, str(tmp_path / "less.onnx"))
    with pytest.raises(ArtifactError, match=r"less\.onnx.*gives \['joints', 'root'\].*residual"):
        load(tmp_path / "less.onnx")


def test_a_model_of_another_layout_runs_in_its_own(tmp_path):
    figure = np.zeros((17, 3))
    other = Artifact("other", COCO17, 0)
    metadata = {METADATA_KEY: other.to_json()}
    backend = load(write_tiny_onnx(tmp_path / "c.onnx", figure=figure, metadata=metadata))
    assert backend.info == other


@pytest.mark.skipif(not DEFAULT_MODEL.is_file(), reason="the shipped model is not there")
def test_the_shipped_model_places_real_people(tmp_path):
    """Its metres must make sense on bodies whose place is known, without any training data."""
    backend = load(DEFAULT_MODEL)
    assert DEFAULT_MODEL.stat().st_size < 20e6
    rays, confidence = people(64)
    outputs = backend(rays, np.ones_like(confidence))
    assert np.isfinite(outputs.joints).all()
    heights = np.ptp(outputs.joints[:, :, 1], axis=1)
    assert (heights > 1.2).all()
    assert (heights < 2.1).all()
    assert (outputs.root[:, 2] > 1).all()
    assert (outputs.root[:, 2] < 10).all()


def python(code):
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_no_torch(tmp_path):
    """The robot arm, loaded and run, has not imported torch."""
    model = write_tiny_onnx(tmp_path / "tiny.onnx")
    result = python(f"""
import sys
import numpy as np
import erd_ros.runtime.tracker, erd_ros.runtime.detectors
from erd_ros.geometry.camera import Camera
from erd_ros.pose import Keypoints2D
from erd_ros.runtime import load
from erd_ros.runtime.estimator import Estimator
estimator = Estimator(load({str(model)!r}))
pixels = np.random.default_rng(0).uniform(100, 400, (2, 17, 2))
keypoints = Keypoints2D(estimator.skeleton, pixels, np.ones((2, 17)))
camera = Camera(640, 480, [[600, 0, 320], [0, 600, 240], [0, 0, 1]])
assert np.isfinite(estimator.estimate(keypoints, camera).root_in_camera).all()
heavy = {{"torch", "safetensors", "onnx", "onnxscript", "mediapipe"}} & set(sys.modules)
assert not heavy, heavy
""")
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize(
    ("package", "suffix"), [("onnxruntime", ".onnx"), ("torch", ".safetensors")]
)
def test_a_missing_package_is_named_with_the_way_to_get_it(tmp_path, package, suffix):
    model = tmp_path / f"model{suffix}"
    model.write_bytes(b"")
    result = python(f"""
import sys
sys.modules[{package!r}] = None  # what Python itself does to forbid an import
from erd_ros.errors import BackendError
from erd_ros.runtime import load
try:
    load({str(model)!r})
except BackendError as error:
    print(error)
""")
    assert "pip install" in result.stdout, result.stderr
