"""Every operator and type of the exported graphs stands in TensorRT's tables of them."""

import os
from pathlib import Path

import pytest

onnx = pytest.importorskip("onnx", reason="onnx is not installed: no graph can be read")
pytest.importorskip("torch", reason="PyTorch is not installed: no export here")

from untrained import untrained_model

from erd_ros.export import export
from erd_ros.models.checkpoint import save_model
from erd_ros.runtime import DEFAULT_MODEL

FLOATS = {"FLOAT", "FLOAT16"}
NUMBERS = FLOATS | {"INT32", "INT64"}
ANY = NUMBERS | {"BOOL"}

# Types of the first data input, from docs/operators.md of github.com/onnx/onnx-tensorrt: branches
# release/8.6-GA (6ba67d3) and 10.1-GA (96e7811), and the page of 10.15. 8.6 casts INT64 to INT32 as
# it reads a file. No table of 10.16 or 11 could be had; 10.15 is the newest.
TABLES = {
    "8.6": {
        **dict.fromkeys(
            ("Clip", "Conv", "Exp", "Gemm", "LeakyRelu", "Log", "MatMul", "MaxPool", "Reciprocal",
             "ReduceSum", "Relu", "Resize", "Sigmoid", "Sqrt", "Softmax"), FLOATS,
        ),
        **dict.fromkeys(
            ("Add", "ArgMax", "Div", "Equal", "Greater", "Less", "Max", "Min", "Mul", "Neg",
             "Pad", "ScatterND", "Sub"), NUMBERS,
        ),
        **dict.fromkeys(
            ("Cast", "Concat", "Constant", "Expand", "Gather", "GatherND", "Identity", "Reshape",
             "Shape", "Slice", "Split", "Squeeze", "Transpose", "Unsqueeze", "Where"), ANY,
        ),
        "And": {"BOOL"}, "Not": {"BOOL"}, "Or": {"BOOL"},
        "ConstantOfShape": {"FLOAT"},
    },
}  # fmt: skip
TABLES["10.1"] = (
    TABLES["8.6"] | dict.fromkeys(("Relu", "ReduceSum"), NUMBERS) | {"ConstantOfShape": ANY}
)
# Of these operators the page of 10.15 says the same.
TABLES["10.15"] = TABLES["10.1"]
# Inputs that the tables want to be known when the file is read, by operator.
INITIALIZERS = {"Slice": 3, "Squeeze": 1, "Unsqueeze": 1, "ReduceSum": 1, "Pad": 3}
# Values of attributes; what a node does not set is one of them.
ATTRIBUTES = {
    ("ScatterND", "reduction"): {"none"},
    ("Resize", "mode"): {"nearest", "linear"},
    ("Resize", "nearest_mode"): {"floor", "ceil", "round_prefer_floor", "round_prefer_ceil"},
    ("Resize", "coordinate_transformation_mode"): {
        "half_pixel", "pytorch_half_pixel", "tf_half_pixel_for_nn", "asymmetric", "align_corners",
    },
    ("MaxPool", "storage_order"): {0},
}  # fmt: skip


def shared():
    folder = Path(os.environ.get("ERD_DATA", "")) / "weights"
    return sorted(folder.glob("*.onnx")) if os.environ.get("ERD_DATA") else []


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("exported")
    save_model(folder / "m.safetensors", *untrained_model(root="cues"))
    for precision in ("float32", "mixed_float16"):
        export(folder / "m.safetensors", folder / f"{precision}.onnx", precision)
    return {one.stem: one for one in folder.glob("*.onnx")}


def refused(path, table):
    """(operator, type or reason) that a table does not have."""
    model = onnx.shape_inference.infer_shapes(onnx.load(str(path)))
    graph = model.graph
    name_of = onnx.TensorProto.DataType.Name
    types = {one.name: name_of(one.data_type) for one in graph.initializer}
    for one in (*graph.value_info, *graph.input, *graph.output):
        types[one.name] = name_of(one.type.tensor_type.elem_type)
    constant = {one.name for one in graph.initializer}
    constant |= {one.output[0] for one in graph.node if one.op_type == "Constant"}
    given = table["ConstantOfShape"]
    found = set()
    for node in graph.node:
        data = node.input[1] if node.op_type == "Where" else next(iter(node.input), None)
        kind = types.get(data)
        if node.op_type not in table:
            found.add((node.op_type, "is not in the table"))
        elif node.op_type == "ConstantOfShape":
            pass  # its input is a shape; what it gives is looked at below
        elif kind is None or kind not in table[node.op_type]:
            found.add((node.op_type, kind))
        place = INITIALIZERS.get(node.op_type)
        if place is not None and len(node.input) > place and node.input[place] not in constant:
            found.add((node.op_type, "axes are no initializer"))
        for one in node.attribute:
            value = onnx.helper.get_attribute_value(one)
            value = value.decode() if isinstance(value, bytes) else value
            allowed = ATTRIBUTES.get((node.op_type, one.name))
            if allowed is not None and value not in allowed:
                found.add((node.op_type, f"{one.name} {value}"))
            if (node.op_type, one.name) == ("MaxPool", "dilations") and set(value) != {1}:
                found.add((node.op_type, "dilations"))
        if node.op_type == "ConstantOfShape" and types.get(node.output[0]) not in given:
            found.add((node.op_type, f"gives {types.get(node.output[0])}"))
    return found


@pytest.mark.parametrize("version", TABLES)
def test_the_model_that_ships(version):
    assert not refused(DEFAULT_MODEL, TABLES[version])


@pytest.mark.parametrize("version", TABLES)
@pytest.mark.parametrize("precision", ["float32", "mixed_float16"])
def test_what_is_exported(exported, version, precision):
    assert not refused(exported[precision], TABLES[version])


@pytest.mark.parametrize("version", TABLES)
def test_detectors(version):
    files = shared()
    if not files:
        pytest.skip("ERD_DATA names no folder with weights of detectors")
    faults = {one.stem: refused(one, TABLES[version]) for one in files}
    assert not {name: some for name, some in faults.items() if some}
