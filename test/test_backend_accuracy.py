"""`erd evaluate --protocol backends`: one table of every backend and precision."""

import json

import pytest
from tiny_mocap import write_tiny_mocap
from untrained import untrained_model

torch = pytest.importorskip("torch", reason="PyTorch is not installed: no training here")
pytest.importorskip("onnx", reason="onnx is not installed: no export here")

from erd_ros.cli import main
from erd_ros.errors import ArtifactError, BackendError
from erd_ros.evaluate.backends import evaluate_backends
from erd_ros.evaluate.backends_present import SECTION, markdown
from erd_ros.export import export
from erd_ros.models.checkpoint import save_model
from erd_ros.report import markdown_tables

SOURCES = ["cmu"]
CPU = "onnxruntime, cpu"


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_tiny_mocap(tmp_path_factory.mktemp("mocap"), SOURCES, frames=60)


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    checkpoint = folder / "m.safetensors"
    save_model(checkpoint, *untrained_model())
    export(checkpoint, folder / "m.onnx")
    export(checkpoint, folder / "half.onnx", "mixed_float16")
    return {"m": folder / "m.onnx", "half": folder / "half.onnx", "checkpoint": checkpoint}


@pytest.fixture(scope="module")
def figures(models, data):
    return evaluate_backends(models, data, SOURCES)


def test_every_file_runs_or_says_why_not(figures):
    assert set(figures["rows"]) == {f"m, {CPU}", f"half, {CPU}", "checkpoint, torch, cpu"}
    for label in ("m, tensorrt, cuda", "half, onnxruntime, cuda", "checkpoint, torch, cuda"):
        assert figures["missing"][label]


def test_rows_differ_as_their_precisions_do(figures):
    rows = figures["rows"]
    whole, half, eager = rows[f"m, {CPU}"], rows[f"half, {CPU}"], rows["checkpoint, torch, cpu"]
    assert whole["largest_difference_mm"] == 0
    assert eager["largest_difference_mm"] < 0.03 < half["largest_difference_mm"]
    assert half["mean_difference_mm"] < half["largest_difference_mm"]
    assert (whole["precision"], half["precision"]) == ("float32", "mixed_float16")
    for metric in ("mpjpe_mm", "pa_mpjpe_mm", "mrpe_mm"):
        assert eager[metric] == pytest.approx(whole[metric], rel=1e-3)
        assert half[metric] == pytest.approx(whole[metric], rel=0.05)


def test_without_a_reference_there_is_nothing_to_hold_against(models, data, monkeypatch):
    monkeypatch.setattr("erd_ros.evaluate.backends.BACKENDS", {".onnx": {"cuda": ("tensorrt",)}})
    with pytest.raises(BackendError, match="TensorRT cannot be imported"):
        evaluate_backends(models, data, SOURCES)


def test_a_file_that_no_backend_reads_is_refused(models, data, tmp_path):
    with pytest.raises(ArtifactError, match=r"no backend reads '\.txt' files"):
        evaluate_backends({**models, "odd": tmp_path / "odd.txt"}, data, SOURCES)


def test_the_page_says_what_could_not_be_run(figures):
    text = markdown(figures, "erd evaluate")
    assert f"| half, {CPU} | mixed_float16 |" in text
    assert "- Could not be run: m, tensorrt, cuda: TensorRT cannot be imported" in text
    assert markdown_tables([]) == ""


def test_command(models, data, tmp_path, capsys):
    page = tmp_path / "page.md"
    page.write_text(f"<!-- {SECTION}: begin -->\n<!-- {SECTION}: end -->\n")
    options = ["--protocol", "backends", "--data", str(data), "--sources", *SOURCES]
    options += ["--beside", f"half={models['half']}", "--markdown", str(page)]
    json_file = tmp_path / "figures.json"
    assert main(["evaluate", str(models["m"]), *options, "--json", str(json_file)]) == 0
    assert "not here: m, tensorrt, cuda" in capsys.readouterr().out
    rows = json.loads(json_file.read_text())["figures"]["rows"]
    assert set(rows) == {f"m, {CPU}", f"half, {CPU}"}
    assert f"| m, {CPU} | float32 |" in page.read_text()
