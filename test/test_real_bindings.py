"""The GPU backend and the pretended GPU of the tests, against NVIDIA's own Python bindings."""

import ast
import inspect
from pathlib import Path

import pytest
from backend_uses import Uses, cuda_uses
from fake_cuda import FakeCuda
from fake_gpu import CLASSES, FakeTensorRt
from real_bindings import CUDA, TENSORRT, dump

RUNTIME = Path(__file__).parent.parent / "erd_ros" / "runtime"
# Used behind a check whether the version has them, or whether it is older than strong typing.
GUARDED = {
    ("", "IProgressMonitor"),
    ("IBuilderConfig", "progress_monitor"),
    ("BuilderFlag", "FP16"),
    ("BuilderFlag", "OBEY_PRECISION_CONSTRAINTS"),
    ("ILayer", "precision"),
}
FLAGS = {"8.6.1": 0b1, "10.16.1": 0b11, "11.4.0": 0b1}  # its STRONGLY_TYPED is the first flag


def uses(names):
    text = "".join(
        (RUNTIME / name).read_text() for name in ("tensorrt_builder.py", "tensorrt_backend.py")
    )
    return Uses(ast.parse(text), names)


@pytest.fixture(params=TENSORRT)
def version(request):
    return request.param


def test_everything_that_the_backend_uses_exists_with_that_signature(version):
    found = uses(dump("tensorrt", version)["names"])
    assert not found.faults
    assert found.missing <= GUARDED
    assert len(found.used) > 35
    assert {"Builder.__init__", "IExecutionContext.execute_async_v3", "ITensor.name"} <= {
        *found.calls, *(f"{owner}.{name}" for owner, name in found.used),
    }  # fmt: skip


def test_a_wrong_call_is_found(version):
    names = dump("tensorrt", version)["names"]
    wrong = """
def some(context: "tensorrt.IExecutionContext", network: "tensorrt.INetworkDefinition"):
    context.execute_async_v3()
    context.execute_async_v9(1)
    tensorrt.OnnxParser(network)
    network.get_input(0).nmae
"""
    found = Uses(ast.parse(wrong), names)
    assert len(found.faults) == 2
    assert found.missing == {("IExecutionContext", "execute_async_v9"), ("ITensor", "nmae")}


def test_our_classes_are_made_of_theirs_and_a_library_that_makes_nothing_is_an_error(version):
    ours = dump("tensorrt", version)["ours"]
    assert ours["flags"] == FLAGS[version]
    assert ours["monitor"] is (None if version == "8.6.1" else True)
    assert "could not make a builder" in ours["error"]
    assert "backend 'onnxruntime'" in ours["error"]


def test_the_pretence_has_nothing_that_the_real_one_lacks(version):
    names = dump("tensorrt", version)["names"]
    fake = FakeTensorRt(version, FakeCuda())
    for name, value in vars(fake).items():
        if name[0].isupper():
            assert name in names
            for member in vars(value) if not callable(value) else ():
                assert member in names[name]["class"], f"{name}.{member}"
    for name, kind in CLASSES.items():
        members = names[name]["class"]
        for member, value in vars(kind).items():
            if member.startswith("_"):
                continue
            assert member in members, f"{name}.{member}"
            if inspect.isfunction(value):
                wanted = list(inspect.signature(value).parameters)[1:]
                overloads = members[member]["signatures"]
                real = [[one[0] for one in overload["parameters"]] for overload in overloads]
                assert any(one[: len(wanted)] == wanted for one in real), (name, member, real)


@pytest.mark.parametrize("version", CUDA)
def test_cuda_s_calls_exist_with_as_many_arguments(version):
    real = dump("cuda", version)
    tree = ast.parse((RUNTIME / "cuda_device.py").read_text())
    functions, members, errors = cuda_uses(tree)
    everywhere = {name for names in real["members"].values() for name in names}
    kinds = {name for name in functions if name.startswith("cudaMemcpy") and "To" in name}
    assert kinds <= set(real["members"]["cudaMemcpyKind"])
    for name in functions.keys() - kinds:
        assert name in real["functions"], name
        count = real["functions"][name]
        assert functions[name] in (None, count), f"{name} takes {count} arguments"
    assert members <= everywhere | set(real["members"])
    assert errors <= set(real["members"]["cudaError_t"])
    assert {"name", "major", "minor"} <= set(real["members"]["cudaDeviceProp"])
    assert len(functions) > 15
    pretended = {name[3:] for name in vars(FakeCuda) if name.startswith("do_")}
    assert pretended <= set(real["functions"])


@pytest.mark.parametrize("version", CUDA)
def test_the_real_cuda_without_a_driver_is_an_error_with_a_way_out(version):
    error = dump("cuda", version)["error"]
    if "is here" in error:
        pytest.skip(error)
    assert "failed: cudaError" in error
    assert "driver" in error or "no NVIDIA graphics processor" in error
