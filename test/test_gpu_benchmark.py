"""``make gpu``: what it runs here, what it says of the rest, what it keeps when it is stopped."""

import json
import os
import sys
from pathlib import Path

import pytest
from fake_gpu import install
from test_self_test import golden_of
from tiny_mocap import write_tiny_mocap
from tiny_onnx import write_tiny_onnx
from untrained import untrained_model

pytest.importorskip("torch", reason="PyTorch is not installed: no export here")

from benchmark import gpu
from benchmark.gpu_devices import PARTS_OF_DEVICES
from benchmark.gpu_parts import PARTS_OF_MODELS, Settings
from benchmark.gpu_present import section
from erd_ros.artifact import METADATA_KEY, Artifact
from erd_ros.bench.floor import Floor
from erd_ros.golden import METADATA_KEY as GOLDEN_KEY
from erd_ros.models.checkpoint import save_model
from erd_ros.report import machine
from erd_ros.runtime import load
from erd_ros.skeleton import H36M17

REASONS = ("TensorRT cannot be imported", "has no CUDAExecutionProvider", "sees no CUDA device")
PROCESSES = ("software", "floors", "files", "self_test", "engines", "node")
ON_CPU = {"onnxruntime, 1 thread", "onnxruntime, half, 1 thread", "torch, twin, 1 thread"}


@pytest.fixture(scope="module")
def arguments(tmp_path_factory):
    folder = tmp_path_factory.mktemp("gpu")
    model = write_tiny_onnx(folder / "tiny.onnx")
    checkpoint = folder / "model.safetensors"
    save_model(checkpoint, *untrained_model())
    weights, mocap = folder / "weights", folder / "mocap"
    weights.mkdir()
    mocap.mkdir()
    write_tiny_onnx(weights / "detector.onnx")
    page = folder / "results.md"
    page.write_text(f"<!-- {gpu.SECTION}: begin -->\n<!-- {gpu.SECTION}: end -->\n")
    options = {
        "--model": model, "--checkpoint": checkpoint, "--sources": "cmu", "--weights": weights,
        "--data": write_tiny_mocap(mocap, ["cmu"], frames=60), "--work": folder / "work",
        "--json": folder / "gpu.json", "--markdown": page,
    }  # fmt: skip
    return ["--short", *(str(word) for pair in options.items() for word in pair)]


@pytest.fixture(scope="module")
def rehearsal(arguments):
    """Parts as processes: exit code, figures by part, page. The others run below, in this one."""
    code = gpu.main([*arguments, "--parts", *PROCESSES])
    out, page = (Path(arguments[arguments.index(name) + 1]) for name in ("--json", "--markdown"))
    return code, json.loads(out.read_text())["figures"], page.read_text()


@pytest.fixture(scope="module")
def rows(arguments, rehearsal):
    """Rows and reasons of the other parts, with the files of the first ones."""
    settings = gpu.settings_of(gpu.parse_arguments(arguments))
    parts = PARTS_OF_MODELS | PARTS_OF_DEVICES
    assert parts.keys() == gpu.PARTS.keys()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("erd_ros.bench.run.measure_floor", lambda *about: Floor(1e9, 2e9, 3e9))
        return {name: dict(parts[name](settings)) for name in parts if name not in PROCESSES}


def test_every_part_runs_or_says_why_it_cannot(rehearsal, rows):
    code, figures, _ = rehearsal
    assert code == 0
    for name, one in figures["parts"].items():
        assert one["status"] == ("nothing here" if name in ("floors", "engines") else "done"), name
        assert all(one["missing"].values())
        assert one["missing"] or name == "files"
    said = " ".join(figures["parts"]["self_test"]["missing"].values())
    assert all(reason in said for reason in REASONS)
    assert all(isinstance(row, str) for row in rows["memory"].values())


def test_what_the_processor_can_do_is_measured(rehearsal, rows):
    parts = rehearsal[1]["parts"]
    assert set(parts["self_test"]["rows"]) == ON_CPU
    assert parts["node"]["rows"]["device: cpu, 1 persons"]["answered"] > 0
    assert {f"batch 2, {label}" for label in ON_CPU} < set(rows["against"])
    assert rows["against"]["batch 1, torch compiled, mixed_float16, cpu"]["p50_ms"] > 0
    assert rows["throughput"]["batch 64, onnxruntime, 1 thread"]["persons_per_s"] > 1
    assert rows["accuracy"]["half, onnxruntime, cpu"]["largest_difference_mm"] < 30
    assert rows["detectors"]["detector, cpu"]["p50_ms"] > 0
    assert rows["start"]["a new process, onnxruntime, 1 thread"]["seconds"] > 0


def test_the_page_has_the_parts_and_reasons_and_on_a_graphics_processor_the_figures(rehearsal):
    _, figures, page = rehearsal
    row = "| onnxruntime, half, 1 thread |"
    assert "Written by `make gpu` on no GPU" in page
    assert "| self_test | done |" in page
    assert "- Not here: self_test, engines, node: TensorRT" in page
    assert row not in page
    key = figures["key"] | {"gpu": {"name": "Some GPU"}}
    assert row in section(figures["parts"], key, machine())


def test_the_same_command_again_runs_nothing_that_is_finished(arguments, rehearsal, monkeypatch):
    run = []
    monkeypatch.setattr(gpu, "run_part", lambda name, *rest: run.append(name) or UNFINISHED)
    again = [*arguments, "--parts", *PROCESSES]
    assert gpu.main(again) == 0
    assert not run
    path = Path(arguments[arguments.index("--json") + 1])
    cut = json.loads(path.read_text())
    cut["figures"]["parts"]["node"]["status"] = "stopped after 9 s, its time"
    path.write_text(json.dumps(cut))
    assert gpu.main(again) == 1
    assert run == ["node"]
    # Figures of another commit are not gone on with.
    monkeypatch.setattr(gpu, "commit", lambda: "another")
    gpu.main(again)
    assert run == ["node", *PROCESSES]


UNFINISHED = {"status": "failed with code 1: some", "seconds": 0.0, "rows": {}, "missing": {}}


def settings_of(tmp_path, model):
    return Settings(
        model=str(model), checkpoint="", data="", sources=(), weights="", work=str(tmp_path),
        batches=(1, 2), crowds=(4,), seconds=0.01, node_seconds=1.0,
    )  # fmt: skip


def test_a_part_that_takes_too_long_is_stopped_and_one_that_fails_is_told(tmp_path):
    stopped = gpu.run_part("self_test", settings_of(tmp_path, "absent.onnx"), 0.05)
    assert stopped["status"] == "stopped after 0 s, its time"
    failed = gpu.run_part("files", settings_of(tmp_path, "absent.onnx"), 60)
    assert failed["status"].startswith("failed with code 1: ")
    assert "absent.onnx does not exist" in failed["status"]


def test_no_time_is_left(tmp_path):
    words = ["--short", "--parts", "software", "--minutes", "0", "--work", str(tmp_path)]
    out = tmp_path / "gpu.json"
    assert gpu.main([*words, "--json", str(out)]) == 1
    parts = json.loads(out.read_text())["figures"]["parts"]
    assert parts["software"]["status"] == "not begun: no time is left"


@pytest.fixture
def graphics(tmp_path, monkeypatch):
    """Settings of a model with golden vectors, and the pretended CUDA."""
    path = tmp_path / "tiny.onnx"
    golden = golden_of(load(write_tiny_onnx(path)), persons=5).to_json()
    artifact = Artifact("tiny", H36M17, 0).to_json()
    write_tiny_onnx(path, metadata={METADATA_KEY: artifact, GOLDEN_KEY: golden})
    monkeypatch.setenv("ROS_HOME", str(tmp_path / "ros"))
    _, cuda = install(monkeypatch)
    yield settings_of(tmp_path, path), cuda
    for name in ("tensorrt_backend", "tensorrt_builder"):  # they hold the fake modules
        sys.modules.pop(f"erd_ros.runtime.{name}", None)


def test_engines_of_others_and_corrupt_ones_are_built_anew(graphics):
    before = os.environ["ROS_HOME"]
    rows = dict(PARTS_OF_DEVICES["engines"](graphics[0]))
    os.environ["ROS_HOME"] = before
    assert {label: row["refused"] for label, row in rows.items()} == {
        "built": "no", "found again": "no",
        "of another machine": rows["of another machine"]["refused"],
        "corrupt": "its content is not what was written, it is corrupt",
        "built anew, found again": "no",
    }  # fmt: skip
    assert rows["of another machine"]["refused"].startswith("it was built for")
    assert all("self-test passed" in row["self_test"] for row in rows.values())


def test_with_a_graphics_processor_there_are_floors_and_tensorrt_twice(graphics):
    settings, cuda = graphics
    floors = dict(PARTS_OF_DEVICES["floors"](settings))
    assert set(floors) == {"launch", *(f"copies of {persons} persons" for persons in (1, 2, 4))}
    cuda.calls.clear()
    rows = dict(PARTS_OF_MODELS["against"](settings))
    assert rows["batch 2, tensorrt, cuda"]["p50_ms"] > 0
    assert rows["batch 2, tensorrt, cuda, not recorded"]["p50_ms"] > 0
    crowd = dict(PARTS_OF_MODELS["throughput"](settings))
    assert crowd["batch 4, tensorrt, cuda, recording alone"]["persons_per_s"] > 0
