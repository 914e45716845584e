"""Golden vectors and the self-test: what is kept, what passes, what is refused, what is next."""

import logging

import numpy as np
import pytest
from tiny_onnx import people, write_tiny_onnx

from erd_ros.artifact import METADATA_KEY, Artifact
from erd_ros.errors import ArtifactError, BackendError, InputError
from erd_ros.golden import METADATA_KEY as GOLDEN_KEY
from erd_ros.golden import Golden
from erd_ros.runtime import load
from erd_ros.runtime.self_test import self_test
from erd_ros.skeleton import H36M17

OUTPUTS = ("joints", "root", "residual")


def golden_of(backend, persons=3, **shift):
    """What a backend says of a few people; ``shift`` in metres is added to an output."""
    rays, confidence = people(persons)
    confidence[:, 0] = 1
    rays[confidence == 0] = 0
    outputs = backend(rays, confidence)
    return Golden(
        {"rays": rays, "confidence": confidence},
        {name: getattr(outputs, name) + np.float32(shift.get(name, 0)) for name in OUTPUTS},
    )


def tiny(path, precision="float32", **shift):
    """A tiny model with golden vectors."""
    reference = golden_of(load(write_tiny_onnx(path)), **shift)
    artifact = Artifact("tiny", H36M17, 0, precision=precision)
    metadata = {METADATA_KEY: artifact.to_json(), GOLDEN_KEY: reference.to_json()}
    return write_tiny_onnx(path, metadata=metadata)


def test_numbers_come_back_to_the_bit():
    inputs = {"rays": people(4)[0], "cues": np.array([[np.inf, 1e-30]] * 4, np.float32)}
    outputs = {"sigma": np.arange(4, dtype=np.float32)}
    back = Golden.from_json(Golden(inputs, outputs).to_json(), "test")
    assert len(back) == 4
    for part, original in ((back.inputs, inputs), (back.outputs, outputs)):
        assert list(part) == list(original)
        for name in original:
            np.testing.assert_array_equal(part[name], original[name])
            assert part[name].dtype == np.float32


@pytest.mark.parametrize(
    "text",
    [
        "no JSON",
        "[" * 100_000,
        "[]",
        '{"inputs": {}, "outputs": {}}',
        '{"inputs": {"rays": {"shape": [2], "float32": "AAAA"}}, "outputs": {}}',
        '{"inputs": {"rays": {"shape": "x", "float32": ""}}, "outputs": {}}',
        '{"inputs": {"a": {"shape": [1], "float32": "AAAAAA=="}}, '
        '"outputs": {"b": {"shape": [2], "float32": "AAAAAAAAAAA="}}}',
    ],
)
def test_what_is_no_golden_vectors_is_refused(text):
    with pytest.raises(ArtifactError, match=r"thefile.*golden vectors.*`erd export`"):
        Golden.from_json(text, "thefile")


def test_a_model_without_them_is_not_tested(tmp_path):
    backend = load(write_tiny_onnx(tmp_path / "tiny.onnx"))
    assert backend.golden is None
    assert backend.self_test is None


def test_a_right_answer_passes(tmp_path, caplog):
    with caplog.at_level(logging.INFO, logger="erd_ros"):
        backend = load(tiny(tmp_path / "tiny.onnx"))
    assert backend.self_test.persons == 3
    assert backend.self_test.difference == 0
    assert backend.fallbacks == ()
    assert "tiny.onnx runs on cpu with onnxruntime; self-test passed: 0 mm" in caplog.text


@pytest.mark.parametrize("name", OUTPUTS)
def test_a_wrong_answer_is_an_error_with_both_numbers(tmp_path, name):
    path = tiny(tmp_path / "tiny.onnx", **{name: 0.004})
    with pytest.raises(
        BackendError,
        match=rf"onnxruntime on cpu failed: .*'{name}' is 0\.00\d+ off, at most 0\.001",
    ):
        load(path)


def test_half_precision_may_be_further_off(tmp_path):
    assert load(tiny(tmp_path / "tiny.onnx", "mixed_float16", root=0.004)).self_test is not None


def test_a_precision_without_tolerance_is_refused(tmp_path):
    with pytest.raises(BackendError, match=r"'int8' has no tolerance.*float32, mixed_float16"):
        load(tiny(tmp_path / "tiny.onnx", "int8"))


@pytest.mark.parametrize(("part", "name"), [("inputs", "light"), ("outputs", "light")])
def test_vectors_of_unknown_names_are_refused(tmp_path, part, name):
    backend = load(tiny(tmp_path / "tiny.onnx"))
    arrays = getattr(backend.golden, part)
    arrays[name] = arrays.popitem()[1]
    with pytest.raises(ArtifactError, match=r"golden vectors are of .*light.*`erd export`"):
        self_test(backend)


def test_nan_never_passes(tmp_path):
    backend = load(tiny(tmp_path / "tiny.onnx"))
    backend.golden.outputs["root"][0, 0] = np.nan
    with pytest.raises(BackendError, match="'root' is nan off"):
        self_test(backend)


def test_an_output_that_is_not_there_is_named(tmp_path):
    backend = load(tiny(tmp_path / "tiny.onnx"))
    backend.golden.outputs["sigma"] = np.zeros(3, np.float32)
    with pytest.raises(BackendError, match=r"'sigma' has shape None, expected \(1,\)"):
        self_test(backend)


def test_a_device_that_is_not_there_is_an_error(tmp_path):
    path = tiny(tmp_path / "tiny.onnx")
    with pytest.raises(BackendError, match=r"(?i)tensorrt"):
        load(path, device="cuda")
    with pytest.raises(BackendError, match=r"CUDAExecutionProvider.*onnxruntime-gpu.*device cpu"):
        load(path, device="cuda", backend="onnxruntime")


def test_a_fallback_is_said(tmp_path, caplog):
    """On a machine without a graphics processor, all backends of it are refused in turn."""
    path = tiny(tmp_path / "tiny.onnx")
    backend = load(path, device="cuda", allow_fallback=True)
    assert (backend.name, backend.device) == ("onnxruntime", "cpu")
    assert [one.partition(":")[0] for one in backend.fallbacks] == [
        "tensorrt on cuda", "onnxruntime_tensorrt on cuda", "onnxruntime on cuda",
    ]  # fmt: skip
    for reason in backend.fallbacks:
        assert reason in caplog.text


def test_the_last_fallback_is_no_reason_to_pass(tmp_path):
    with pytest.raises(BackendError, match="self-test"):
        load(tiny(tmp_path / "tiny.onnx", joints=0.01), device="cuda", allow_fallback=True)


def test_a_wrong_file_has_no_fallback(tmp_path):
    path = tmp_path / "wrong.onnx"
    path.write_bytes(b"not a model")
    with pytest.raises(ArtifactError, match="not an ONNX file"):
        load(path, allow_fallback=True)


def test_backends_are_chosen_by_name(tmp_path):
    path = tiny(tmp_path / "tiny.onnx")
    assert load(path, backend="onnxruntime").name == "onnxruntime"
    with pytest.raises(BackendError, match=r"'torch' does not run .onnx.*one of onnxruntime"):
        load(path, backend="torch")
    with pytest.raises(InputError, match="max_persons is 0, expected 1"):
        load(path, max_persons=0)
