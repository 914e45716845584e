"""The TensorRT backend around a TensorRT that runs on the CPU (``fake_gpu.py``)."""

import logging
import sys

import numpy as np
import pytest
from fake_cuda import CudaError
from fake_gpu import install
from test_self_test import golden_of
from tiny_onnx import people, write_tiny_onnx

from erd_ros.artifact import METADATA_KEY, Artifact
from erd_ros.errors import ArtifactError, BackendError
from erd_ros.golden import METADATA_KEY as GOLDEN_KEY
from erd_ros.runtime import load
from erd_ros.skeleton import COCO17, H36M17

OUTPUTS = ("joints", "root", "residual")
VERSIONS = ("8.6.1", "10.3.0", "11.4.1")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ROS_HOME", str(tmp_path / "ros"))
    yield tmp_path / "ros" / "erd_ros"
    for name in ("tensorrt_backend", "tensorrt_builder"):  # they hold the fake modules
        sys.modules.pop(f"erd_ros.runtime.{name}", None)


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "tiny.onnx"
    golden = golden_of(load(write_tiny_onnx(path)), persons=5)
    artifact = Artifact("tiny", H36M17, 0)
    return write_tiny_onnx(
        path, metadata={METADATA_KEY: artifact.to_json(), GOLDEN_KEY: golden.to_json()}
    )


def assert_same(outputs, expected):
    for name in OUTPUTS:
        np.testing.assert_array_equal(getattr(outputs, name), getattr(expected, name))


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("persons", [1, 9, 200])
def test_batches_of_any_size_are_answered_whole(model, monkeypatch, version, persons):
    install(monkeypatch, version)
    rays, confidence = people(persons)
    backend = load(model, device="cuda")
    assert (backend.name, backend.device, backend.precision) == ("tensorrt", "cuda", "float32")
    assert backend.self_test.persons == 5
    expected = load(model)(rays, confidence)
    for _ in range(2):
        assert_same(backend(rays, confidence), expected)
    assert_same(backend(rays[:1], confidence[:1]), load(model)(rays[:1], confidence[:1]))


def test_what_is_given_out_is_not_overwritten(model, monkeypatch):
    install(monkeypatch)
    backend = load(model, device="cuda")
    first = backend(*people(2, seed=1))
    kept = first.joints.copy(), first.root.copy()
    backend(*people(2, seed=2))
    np.testing.assert_array_equal(first.joints, kept[0])
    np.testing.assert_array_equal(first.root, kept[1])


def test_each_size_is_recorded_once_and_replayed(model, monkeypatch):
    _, cuda = install(monkeypatch)
    backend = load(model, device="cuda", max_persons=16)
    for persons in (3, 4, 3, 4, 4):
        backend(*people(persons))
    recorded = cuda.calls.count("cudaGraphInstantiateWithFlags")
    backend(*people(4))
    assert cuda.calls.count("cudaGraphInstantiateWithFlags") == recorded


@pytest.mark.parametrize("version", VERSIONS)
def test_the_profile_and_the_flags(model, monkeypatch, version):
    trt, _ = install(monkeypatch, version)
    load(model, device="cuda", max_persons=24)
    assert trt.profiles == [
        {
            "rays": ((1, 17, 2), (1, 17, 2), (24, 17, 2)),
            "confidence": ((1, 17), (1, 17), (24, 17)),
        }
    ]
    assert trt.flags == {"no TF32"}


@pytest.mark.parametrize("version", VERSIONS)
def test_half_precision_is_asked_for_where_the_file_alone_does_not_say_it(
    tmp_path, monkeypatch, version
):
    trt, _ = install(monkeypatch, version)
    artifact = Artifact("tiny", H36M17, 0, precision="mixed_float16")
    path = write_tiny_onnx(tmp_path / "half.onnx", metadata={METADATA_KEY: artifact.to_json()})
    assert load(path, device="cuda").precision == "mixed_float16"
    asked = {"FP16", "OBEY_PRECISION_CONSTRAINTS"} if version.startswith("8") else set()
    assert trt.flags == asked | {"no TF32"}


def test_an_engine_is_built_once(model, monkeypatch, cache):
    trt, cuda = install(monkeypatch)
    load(model, device="cuda")
    load(model, device="cuda")
    assert trt.builds == 1
    load(model, device="cuda", max_persons=8)
    assert trt.builds == 2
    newer, _ = install(monkeypatch, "10.13.0", cuda)
    load(model, device="cuda")
    assert newer.builds == 1
    assert len(list(cache.glob("*.engine"))) == 3


def test_an_engine_that_tensorrt_refuses_is_built_anew(model, monkeypatch, cache, caplog):
    trt, _ = install(monkeypatch)
    load(model, device="cuda")
    monkeypatch.setattr("fake_gpu.PLAN", b"plan of another driver ")
    load(model, device="cuda")
    assert trt.builds == 2
    assert "refuses the engine" in caplog.text


def test_building_is_said(model, monkeypatch, caplog):
    install(monkeypatch)
    with caplog.at_level(logging.INFO, logger="erd_ros"):
        load(model, device="cuda")
    assert "builds an engine of" in caplog.text
    assert "TensorRT: Building Engine, 2 steps" in caplog.text
    assert "tiny.onnx runs on cuda with tensorrt; self-test passed" in caplog.text


def test_a_tensorrt_too_old_is_refused(model, monkeypatch):
    install(monkeypatch, "8.5.2")
    with pytest.raises(BackendError, match=r"TensorRT is 8.5.2, expected 8.6 or newer"):
        load(model, device="cuda")


def test_a_model_that_tensorrt_cannot_read_is_named(model, monkeypatch):
    install(monkeypatch)
    monkeypatch.setattr("fake_gpu._Parser.parse", lambda self, model: False)
    with pytest.raises(ArtifactError, match=r"tiny.onnx cannot be read.*not known.*`erd export`"):
        load(model, device="cuda")


def test_a_build_that_fails_is_an_error_or_the_next_backend(model, monkeypatch):
    install(monkeypatch)
    monkeypatch.setattr("fake_gpu._Builder.build_serialized_network", lambda *args: None)
    with pytest.raises(BackendError, match=r"could not build an engine.*backend 'onnxruntime'"):
        load(model, device="cuda")
    backend = load(model, device="cuda", allow_fallback=True)
    assert (backend.name, backend.device) == ("onnxruntime", "cpu")
    assert "could not build an engine" in backend.fallbacks[0]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        ("cudaSetDevice", CudaError.cudaErrorInsufficientDriver, "driver is missing or older"),
        ("cudaMalloc", CudaError.cudaErrorMemoryAllocation, "memory is full.*lower max_persons"),
        ("cudaHostAlloc", CudaError.cudaErrorMemoryAllocation, "memory is full"),
        ("cudaGraphLaunch", CudaError.cudaErrorIllegalAddress, "may be gone"),
    ],
)
def test_what_cuda_reports_is_an_error_with_a_way_out(model, monkeypatch, call, error, message):
    _, cuda = install(monkeypatch)
    cuda.fail[call] = error
    with pytest.raises(BackendError, match=f"{call} failed: {error.name}; .*{message}"):
        load(model, device="cuda")


def test_a_graphics_processor_that_goes_is_an_error_of_the_call(model, monkeypatch):
    _, cuda = install(monkeypatch)
    backend = load(model, device="cuda")
    cuda.fail["cudaStreamSynchronize"] = CudaError.cudaErrorIllegalAddress
    with pytest.raises(BackendError, match=r"cudaErrorIllegalAddress.*may be gone"):
        backend(*people(1))


def test_no_memory_for_a_context(model, monkeypatch):
    trt, _ = install(monkeypatch)
    trt.refuses_contexts = True
    with pytest.raises(BackendError, match=r"no execution context for 1 persons.*max_persons"):
        load(model, device="cuda")


def test_another_layout_is_refused(tmp_path, monkeypatch):
    install(monkeypatch)
    artifact = Artifact("tiny", H36M17, 0).to_json().replace('"thorax"', '"chest"')
    wrong = write_tiny_onnx(
        tmp_path / "wrong.onnx", figure=np.zeros((9, 3)), metadata={METADATA_KEY: artifact}
    )
    with pytest.raises(ArtifactError, match=r"takes .*\[9, 2\].*17 joints needs"):
        load(wrong, device="cuda")
    assert len(COCO17) == 17


def test_a_wrong_file_is_refused_before_anything_is_built(tmp_path, monkeypatch):
    trt, cuda = install(monkeypatch)
    wrong = tmp_path / "wrong.onnx"
    wrong.write_bytes(b"not a model")
    with pytest.raises(ArtifactError, match="is not an ONNX file that can be run"):
        load(wrong, device="cuda")
    foreign = write_tiny_onnx(tmp_path / "foreign.onnx", metadata={"of": "somebody else"})
    with pytest.raises(ArtifactError, match="is not a model of erd_ros"):
        load(foreign, device="cuda")
    assert trt.builds == 0
    assert not cuda.calls


def test_a_ray_that_is_not_a_number_is_missing(model, monkeypatch):
    install(monkeypatch)
    rays, confidence = people(9)
    rays[3, 4], rays[8, 0] = np.nan, np.inf
    assert_same(load(model, device="cuda")(rays, confidence), load(model)(rays, confidence))


def test_nobody_is_a_batch_too(model, monkeypatch):
    install(monkeypatch)
    nobody = load(model, device="cuda")(np.zeros((0, 17, 2)), np.zeros((0, 17)))
    assert nobody.joints.shape == (0, 17, 3)


def test_memory_is_given_back(model, monkeypatch):
    _, cuda = install(monkeypatch)
    backend = load(model, device="cuda")
    addresses = set(cuda.memory)
    del backend
    import gc

    gc.collect()
    assert addresses <= {what for what in cuda.freed if isinstance(what, int)}


def test_an_answer_that_is_wrong_is_never_given(model, monkeypatch):
    """An engine whose numbers are off: the self-test stands between it and the robot."""
    install(monkeypatch)
    real = sys.modules["fake_gpu"]._Context._execute

    def slightly_off(self):
        real(self)
        self._array("root", (*self.shapes["rays"][:1], 3))[:] += 0.01

    monkeypatch.setattr("fake_gpu._Context._execute", slightly_off)
    with pytest.raises(BackendError, match=r"tensorrt on cuda failed.*'root' is 0.01 off"):
        load(model, device="cuda")
