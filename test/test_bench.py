"""``erd bench``: what is counted, the ratios, what is missing, what is written. No times."""

import json

import cv2
import numpy as np
import pytest
from fake_gpu import install
from tiny_onnx import write_tiny_onnx

from erd_ros.artifact import METADATA_KEY, Artifact
from erd_ros.bench import floor as floor_module
from erd_ros.bench.floor import Floor, Work, launch_seconds, measure_floor, work_of
from erd_ros.bench.latency import latencies
from erd_ros.bench.present import SECTION, markdown
from erd_ros.bench.process import start_up
from erd_ros.bench.run import BenchConfig, Contender, bench
from erd_ros.cli import main
from erd_ros.errors import BackendError, InputError
from erd_ros.report import machine
from erd_ros.runtime import DEFAULT_MODEL, load
from erd_ros.skeleton import H36M17

QUICK = BenchConfig(batches=(1, 3), seconds=0.02, starts=1)
NETWORK = {
    "lifter": "linear", "lifter_size": {"width": 32, "blocks": 1}, "steps": 1,
    "regressor_size": {"width": 16},
}  # fmt: skip


@pytest.fixture(autouse=True)
def small_floor(monkeypatch):
    """A floor that is measured in no time."""
    monkeypatch.setattr(
        "erd_ros.bench.run.measure_floor", lambda work, threads: Floor(1e9, 2e9, 3e9)
    )


@pytest.fixture
def tiny(tmp_path):
    artifact = Artifact("tiny", H36M17, 0, training={"config": {"model": NETWORK}})
    return write_tiny_onnx(tmp_path / "tiny.onnx", metadata={METADATA_KEY: artifact.to_json()})


def test_work_is_that_of_the_matrices():
    """The lifter and the two regressors of the file that ships, counted by hand."""
    pairs_of_joints = 6 * 9 + 3 * 17 + 8 * 11  # legs, trunk, head and arms
    of_lifter = (17 * 3 + 3) * 1020 + 4 * pairs_of_joints * 60**2 + 1020 * 51
    of_regressor = 36 * 256 + 2 * 256**2 + 256 * 51
    matrices = of_lifter + 2 * of_regressor
    work = work_of(DEFAULT_MODEL)
    # And the three powers of each of the three sizes.
    assert 0 <= work.weights_bytes - 4 * matrices < 1000
    assert work.operations == work.weights_bytes // 2


def test_the_floor_is_the_longer_of_reading_and_computing():
    floor = Floor(memory_bytes_per_s=1, weights_bytes_per_s=100, operations_per_s=1000)
    work = Work(weights_bytes=200, operations=500)
    assert floor.seconds(work, 1) == 2
    assert floor.seconds(work, 4) == 2
    assert floor.seconds(work, 40) == 20


def test_the_floor_is_measured_in_a_process_of_its_own(monkeypatch):
    monkeypatch.setattr(floor_module, "_OF_MEMORY", 1)  # of this process, the child has its own
    floor = measure_floor(Work(1 << 20, 1), threads=1)
    assert 1e8 < floor.memory_bytes_per_s < 1e13
    assert 1e8 < floor.weights_bytes_per_s < 1e13
    assert 1e8 < floor.operations_per_s < 1e14


def test_a_launch_is_timed_where_there_is_something_to_launch(monkeypatch):
    assert launch_seconds() is None
    _, cuda = install(monkeypatch)
    assert launch_seconds() > 0
    assert "cudaGraphLaunch" in cuda.calls


def test_backends_take_turns(tiny):
    order = []

    class Spy:
        takes_cues = False
        info = load(tiny).info

        def __init__(self, name):
            self.name = name

        def __call__(self, rays, confidence):
            assert rays.shape == (2, 17, 2)
            order.append(self.name)

    found = latencies({"a": Spy("a"), "b": Spy("b")}, 2, 0.3)
    turns = "".join(order[10:]).replace("ba", "b a").split()  # warmed up by five calls each
    assert len(turns) > 1
    assert all(turn == "a" * turn.count("a") + "b" * turn.count("b") for turn in turns)
    # The first call of a turn is not timed.
    assert found["a"].calls == order.count("a") - 5 - len(turns)
    assert found["b"].calls == order.count("b") - 5 - len(turns) >= 20
    assert 0 <= found["a"].p50_ms <= found["a"].p99_ms


def test_all_that_runs_here_is_measured_and_the_rest_named(tiny):
    pytest.importorskip("torch", reason="PyTorch is not installed: there is no eager twin")
    figures = bench(tiny, QUICK, beside={"other": tiny})
    assert set(figures["latency"]) == {"1", "3"}
    for row in figures["latency"].values():
        assert set(row) == {
            "onnxruntime, 1 thread", "onnxruntime, other, 1 thread", "torch, 1 thread",
        }  # fmt: skip
        assert row["torch, 1 thread"]["eager_over_this"] == 1
        one = row["onnxruntime, 1 thread"]
        expected = row["torch, 1 thread"]["p50_ms"] / one["p50_ms"]
        assert one["eager_over_this"] == pytest.approx(expected)
    three = figures["latency"]["3"]["onnxruntime, 1 thread"]
    assert three["persons_per_s"] == pytest.approx(3000 / three["p50_ms"])
    assert set(figures["missing"]) == {
        "tensorrt, cuda", "onnxruntime, cuda", "tensorrt, other, cuda",
        "onnxruntime, other, cuda", "torch, cuda", "onnxruntime_tensorrt, cuda",
        "onnxruntime_tensorrt, other, cuda",
    }  # fmt: skip
    assert set(figures["start_up"]) == set(figures["latency"]["1"])
    assert figures["launch_s"] is figures["mediapipe"] is None


def test_without_a_twin_there_is_no_ratio(tmp_path):
    figures = bench(write_tiny_onnx(tmp_path / "tiny.onnx"), QUICK)
    assert "does not say how it was configured" in figures["missing"]["torch"]
    assert figures["latency"]["1"]["onnxruntime, 1 thread"]["eager_over_this"] is None


def test_labels():
    assert Contender("", DEFAULT_MODEL, "torch", "cpu", 2).label == "torch, 2 threads"
    assert Contender("half", DEFAULT_MODEL, "tensorrt", "cuda", 1).label == "tensorrt, half, cuda"


def test_a_process_that_fails_is_an_error(tmp_path):
    wrong = tmp_path / "wrong.onnx"
    wrong.write_bytes(b"nothing")
    with pytest.raises(BackendError, match=r"wrong.onnx failed: .*not an ONNX file"):
        start_up(wrong, "cpu", "onnxruntime", 2, 1)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"batches": (1, 0)}, r"batches are \(1, 0\), expected one or more, each 1"),
        ({"threads": ()}, "threads are"),
        ({"seconds": 0.0}, "seconds is 0.0"),
        ({"starts": 0}, "starts 0, expected above 0"),
    ],
)
def test_settings_that_mean_nothing_are_refused(changes, message):
    with pytest.raises(InputError, match=message):
        BenchConfig(**changes)


def test_command_writes_figures_page_and_plot(tiny, tmp_path, capsys):
    page = tmp_path / "results.md"
    page.write_text(f"before\n<!-- {SECTION}: begin -->\n<!-- {SECTION}: end -->\nafter\n")
    out, picture = tmp_path / "bench.json", tmp_path / "bench.png"
    arguments = ["--batches", "1", "2", "--seconds", "0.01", "--starts", "1"]
    files = ["--json", str(out), "--plot", str(picture), "--markdown", str(page)]
    assert main(["bench", str(tiny), *arguments, *files]) == 0
    assert "onnxruntime, 1 thread" in capsys.readouterr().out
    content = json.loads(out.read_text())
    assert content["figures"]["model"]["name"] == "tiny"
    assert content["machine"]["cores"]
    assert picture.read_bytes().startswith(b"\x89PNG")
    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "| persons | backend | p50, ms |" in text
    assert "not on this machine:\n\n- tensorrt, cuda: TensorRT cannot be imported" in text
    assert main(["bench", str(tiny), "--beside", "half"]) == 1
    assert "expected NAME=FILE" in capsys.readouterr().err


def test_a_launch_and_a_peer_have_their_place_on_the_page(tmp_path):
    figures = bench(write_tiny_onnx(tmp_path / "tiny.onnx"), QUICK)
    figures |= {"launch_s": 5e-6, "mediapipe": {"images": 60, "p50_ms": 20.25, "p99_ms": 30.0}}
    text = markdown(figures, machine(), "erd bench")
    assert "5 us for a launch" in text
    assert "| 60 | 20.2 | 30.0 |" in text


def test_mediapipe_finds_people(shared_media):
    pytest.importorskip("mediapipe", reason="MediaPipe is not installed")
    from erd_ros.bench.peers import mediapipe_3d

    figures = mediapipe_3d(shared_media / "one_person_indoor.mp4")
    assert figures["images"] >= 10
    assert 0 < figures["p50_ms"] <= figures["p99_ms"]


def test_a_video_of_nobody_is_refused(tmp_path):
    pytest.importorskip("mediapipe", reason="MediaPipe is not installed")
    from erd_ros.bench.peers import mediapipe_3d

    video = tmp_path / "black.avi"
    writer = cv2.VideoWriter(str(video), cv2.VideoWriter_fourcc(*"MJPG"), 20.0, (64, 48))
    for _ in range(3):
        writer.write(np.zeros((48, 64, 3), np.uint8))
    writer.release()
    with pytest.raises(InputError, match="has 0 images with a person"):
        mediapipe_3d(video)
    with pytest.raises(InputError, match="does not exist"):
        mediapipe_3d(tmp_path / "absent.mp4")


def test_rays_are_of_people_in_front_of_the_camera(tiny):
    from erd_ros.bench.latency import people

    rays, confidence = people(load(tiny), 5)
    assert rays.shape == (5, 17, 2)
    assert rays.dtype == confidence.dtype == np.float32
    assert np.abs(rays).max() < 1
