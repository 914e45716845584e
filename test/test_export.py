"""The ONNX file: the same poses as PyTorch at any batch size, its contract, its refusals."""

import base64

import numpy as np
import onnxruntime
import pytest
from untrained import untrained_model

torch = pytest.importorskip("torch", reason="PyTorch is not installed: no training here")
onnx = pytest.importorskip("onnx", reason="onnx is not installed: no export here")

import erd_ros.export as module
from erd_ros import digest, golden
from erd_ros.artifact import METADATA_KEY, STEPS_KEY, Artifact
from erd_ros.cli import main
from erd_ros.errors import ArtifactError, InputError
from erd_ros.export import IR_VERSION, OPSET, export, largest_difference
from erd_ros.models.checkpoint import load_model, save_model
from erd_ros.runtime import DEFAULT_MODEL, load


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("export")
    checkpoint = folder / "model.safetensors"
    save_model(checkpoint, *untrained_model())
    figures = export(checkpoint, folder / "model.onnx")
    return checkpoint, folder / "model.onnx", figures


def people(size, seed):
    generator = np.random.default_rng(seed)
    rays = generator.uniform(-0.5, 0.5, (size, 1, 2)) + generator.normal(0, 0.1, (size, 17, 2))
    confidence = generator.uniform(0.3, 1, (size, 17)) * (generator.random((size, 17)) > 0.2)
    return rays.astype(np.float32), confidence.astype(np.float32)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 200])
def test_onnx_runtime_equals_pytorch(exported, size):
    checkpoint, path, _ = exported
    model, _ = load_model(checkpoint)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    rays, confidence = people(size, seed=size + 100)
    given = session.run(["joints", "root"], {"rays": rays, "confidence": confidence})
    with torch.no_grad():
        expected = model(torch.from_numpy(rays), torch.from_numpy(confidence))
    for one, other in zip(given, expected, strict=False):
        np.testing.assert_allclose(one, other.numpy(), atol=1e-5, rtol=0)


def test_figures(exported):
    _, path, figures = exported
    assert figures["bytes"] == path.stat().st_size
    assert 0 <= figures["largest_difference_m"] <= 1e-5


def test_graph_is_one_that_tensorrt_reads(exported):
    graph = onnx.load(str(exported[1]))
    assert [(one.domain, one.version) for one in graph.opset_import] == [("", OPSET)]
    assert graph.ir_version == IR_VERSION
    operators = {node.op_type for node in graph.graph.node}
    assert not operators & {"If", "Loop", "Scan", "NonZero", "BatchNormalization", "Dropout"}
    for value in (*graph.graph.input, *graph.graph.output):
        assert value.type.tensor_type.elem_type == onnx.TensorProto.FLOAT
        assert value.type.tensor_type.shape.dim[0].dim_param == "N"


def test_graph_holds_its_contract(exported):
    graph = onnx.load(str(exported[1]))
    shapes = {
        value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim[1:]]
        for value in (*graph.graph.input, *graph.graph.output)
    }
    assert shapes == {
        "rays": [17, 2], "confidence": [17], "joints": [17, 3], "root": [3], "residual": [17]
    }  # fmt: skip
    metadata = {one.key: one.value for one in graph.metadata_props}
    assert Artifact.from_metadata(metadata, "test") == untrained_model()[1]
    assert set(metadata) == {METADATA_KEY, STEPS_KEY, golden.METADATA_KEY, digest.METADATA_KEY}
    steps = onnx.GraphProto.FromString(base64.b64decode(metadata[STEPS_KEY]))
    names = {f"{what}_step_{step}" for what in ("joints", "root") for step in range(3)}
    assert {value.name for value in steps.output} == names


def test_the_graph_computes_nothing_in_vain(exported):
    graph = onnx.load(str(exported[1])).graph
    read = {name for node in graph.node for name in node.input}
    read |= {output.name for output in graph.output}
    assert all(read & set(node.output) for node in graph.node)
    assert all(one.name in read for one in graph.initializer)
    assert not [node for node in graph.node if "step_0" in str(node.output)]


def test_golden_vectors_are_what_pytorch_says(exported):
    reference = load(exported[1]).golden
    model, _ = load_model(exported[0])
    with torch.no_grad():
        expected = model(*map(torch.from_numpy, reference.inputs.values()))
    for name, one in zip(("joints", "root", "residual"), expected, strict=True):
        np.testing.assert_array_equal(reference.outputs[name], one.numpy())
    assert (reference.inputs["confidence"] == 0).any()
    assert np.isfinite(reference.inputs["rays"]).all()


def test_networks_in_half_precision(exported, tmp_path):
    path = tmp_path / "half.onnx"
    figures = export(exported[0], path, "mixed_float16")
    assert figures["bytes"] < 0.7 * exported[2]["bytes"]
    graph = onnx.load(str(path))
    kinds = {one.name: one.data_type for one in graph.graph.initializer}
    of_networks = {
        name for node in graph.graph.node if node.op_type == "Gemm" for name in node.input
    } & set(kinds)
    assert of_networks
    assert {kinds[name] for name in of_networks} == {onnx.TensorProto.FLOAT16}
    for value in (*graph.graph.input, *graph.graph.output):
        assert value.type.tensor_type.elem_type == onnx.TensorProto.FLOAT
    assert {node.op_type for node in graph.graph.node}.isdisjoint({"BatchNormalization", "If"})
    half, whole = load(path), load(exported[1])
    assert half.precision == half.info.precision == "mixed_float16"
    assert 0 < half.self_test.difference <= half.self_test.tolerance
    rays, confidence = people(50, seed=3)
    np.testing.assert_allclose(
        half(rays, confidence).joints, whole(rays, confidence).joints, atol=5e-3
    )


def test_unknown_precision_is_refused(exported, tmp_path):
    with pytest.raises(InputError, match=r"'int3'; choose one of float32, mixed_float16"):
        export(exported[0], tmp_path / "model.onnx", "int3")


def test_no_path_of_this_machine_is_in_the_file(exported):
    assert str(module.__file__).encode() not in exported[1].read_bytes()
    assert b"site-packages" not in exported[1].read_bytes()


def test_another_model_is_told_apart(exported):
    """The check before writing sees a difference of a tenth of a millimetre."""
    model, _ = load_model(exported[0])
    content = exported[1].read_bytes()
    assert largest_difference(model, content) <= 1e-5
    model.pose_mean[0, 3, 1] += 1e-4
    assert largest_difference(model, content) > 5e-5


def test_writes_nothing_when_poses_differ(exported, tmp_path, monkeypatch):
    monkeypatch.setitem(module.LARGEST_DIFFERENCE, "float32", -1.0)
    with pytest.raises(ArtifactError, match=r"differ from PyTorch's by .* was not written"):
        export(exported[0], tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


def test_command(exported, tmp_path, capsys):
    out = tmp_path / "model.onnx"
    assert main(["export", str(exported[0]), "--out", str(out)]) == 0
    assert "ONNX Runtime's poses differ from PyTorch's by at most" in capsys.readouterr().out
    assert out.is_file()
    assert main(["export", str(exported[0]), "--out", str(tmp_path / "model.bin")]) == 1
    assert "ends in .onnx" in capsys.readouterr().err
    assert main(["export", str(tmp_path / "no.safetensors"), "--out", str(out)]) == 1
    assert "does not exist; `erd train` writes it" in capsys.readouterr().err


def test_the_file_that_ships():
    assert DEFAULT_MODEL.stat().st_size < 20_000_000
    graph = onnx.load(str(DEFAULT_MODEL))
    info = Artifact.from_metadata({o.key: o.value for o in graph.metadata_props}, "shipped")
    assert info.training["sources"] == ["cmu", "accad", "uiprmd"]  # whose terms are clear
    assert info.precision == "float32"
