"""A model file whose answers are known, so that tests need no trained weights.

Every person is the same stiff figure; its root lies on the ray of joint 0 at a fixed depth.
"""

import numpy as np
import pytest

from erd_ros.artifact import METADATA_KEY, Artifact
from erd_ros.skeleton import H36M17

onnx = pytest.importorskip("onnx", reason="onnx is not installed: no model files for tests")
from onnx import TensorProto, helper, numpy_helper

DEPTH = 4.0
# The figure stands upright in the camera optical frame, y down, metres relative to the pelvis.
FIGURE = np.array(
    [
        (0, 0, 0),
        *((-0.12, 0, 0), (-0.12, 0.45, 0), (-0.12, 0.9, 0)),
        *((0.12, 0, 0), (0.12, 0.45, 0), (0.12, 0.9, 0)),
        *((0, -0.25, 0), (0, -0.5, 0), (0, -0.6, 0), (0, -0.75, 0)),
        *((0.18, -0.5, 0), (0.3, -0.25, 0), (0.35, 0, 0)),
        *((-0.18, -0.5, 0), (-0.3, -0.25, 0), (-0.35, 0, 0)),
    ],
    np.float32,
)


def _nodes():
    return [
        helper.make_node("ReduceSum", ["rays", "axes12"], ["sum"], keepdims=1),  # (N, 1, 1)
        helper.make_node("Mul", ["sum", "zero"], ["nothing"]),
        helper.make_node("Add", ["figure", "nothing"], ["joints"]),  # (N, J, 3)
        helper.make_node("Slice", ["rays", "first", "second", "axis1"], ["ray0"]),  # (N, 1, 2)
        helper.make_node("Squeeze", ["ray0", "axis1"], ["ray"]),  # (N, 2)
        helper.make_node("Mul", ["ray", "depth"], ["sideways"]),
        helper.make_node("Squeeze", ["nothing", "axis1"], ["nothing1"]),  # (N, 1)
        helper.make_node("Add", ["nothing1", "depth"], ["forward"]),
        helper.make_node("Concat", ["sideways", "forward"], ["root"], axis=1),
        helper.make_node("Abs", ["rays"], ["far"]),
        helper.make_node("ReduceSum", ["far", "axis2"], ["farness"], keepdims=0),
        helper.make_node("Mul", ["farness", "confidence"], ["residual"]),
    ]


def write_tiny_onnx(path, skeleton=H36M17, depth=DEPTH, figure=FIGURE, metadata=None):
    """Write the file; ``metadata`` replaces the description of the file where given."""
    joints = len(figure)
    constants = {
        "figure": figure[None].astype(np.float32),
        "depth": np.array(depth, np.float32),
        "zero": np.array(0, np.float32),
        "axes12": np.array([1, 2]),
        "axis1": np.array([1]),
        "axis2": np.array([2]),
        "first": np.array([0]),
        "second": np.array([1]),
    }
    tensors = {
        "rays": ["N", joints, 2],
        "confidence": ["N", joints],
        "joints": ["N", joints, 3],
        "root": ["N", 3],
        "residual": ["N", joints],
    }
    infos = [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in tensors.items()]
    graph = helper.make_graph(
        _nodes(),
        "tiny",
        infos[:2],
        infos[2:],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    if metadata is None:
        metadata = {METADATA_KEY: Artifact("tiny", skeleton, 0).to_json()}
    helper.set_model_props(model, metadata)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
    return path


def people(persons, seed=0):
    """Rays (N, 17, 2) of upright figures 2 to 8 m away, one joint in five missing."""
    generator = np.random.default_rng(seed)
    root = generator.uniform((-1, -0.5, 2), (1, 0.5, 8), (persons, 3))
    points = FIGURE + root[:, None] + generator.normal(0, 0.03, (persons, 17, 3))
    confidence = generator.uniform(0.3, 1, (persons, 17)) * (generator.random((persons, 17)) < 0.8)
    return (points[..., :2] / points[..., 2:]).astype(np.float32), confidence.astype(np.float32)
