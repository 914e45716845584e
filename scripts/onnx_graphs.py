"""How convert_detectors.py writes graphs: half precision weights, one order of everything."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper


def rename(model: onnx.ModelProto, names: dict[str, str]) -> None:
    """Give tensors other names."""
    for node in model.graph.node:
        for side in (node.input, node.output):
            side[:] = [names.get(name, name) for name in side]
    for tensor in (*model.graph.input, *model.graph.output, *model.graph.initializer):
        tensor.name = names.get(tensor.name, tensor.name)


def store_half(model: onnx.ModelProto) -> None:
    """Store weights in float16, with a cast behind each, where float16 holds them exactly."""
    casts = []
    for stored in model.graph.initializer:
        values = numpy_helper.to_array(stored)
        if values.dtype != np.float32 or values.size < 8:
            continue
        with np.errstate(over="ignore"):
            half = values.astype(np.float16)
        if np.array_equal(half.astype(np.float32), values):
            name = stored.name
            stored.CopyFrom(numpy_helper.from_array(half, f"{name}/float16"))
            casts.append(onnx.helper.make_node("Cast", [stored.name], [name], to=1))
    _replace(model.graph.node, [*casts, *model.graph.node])


def canonical(model: onnx.ModelProto) -> None:
    """Order and name all by the way from the outputs, so that every conversion gives equal bytes.

    tf2onnx numbers what it makes, in an order that differs from run to run.
    """
    graph = model.graph
    stored = {tensor.name: tensor for tensor in graph.initializer}
    nodes = _ordered(graph)
    kept = [tensor.name for tensor in (*graph.input, *graph.output)]
    used = [name for node in nodes for name in (*node.input, *node.output) if name]
    names = [name for name in dict.fromkeys(used) if name not in kept]
    _replace(graph.initializer, [stored[name] for name in dict.fromkeys(used) if name in stored])
    for index, node in enumerate(nodes):
        node.name = f"{node.op_type}_{index}"
        _replace(node.attribute, sorted(node.attribute, key=lambda attribute: attribute.name))
    _replace(graph.node, nodes)
    rename(model, {name: f"t{index}" for index, name in enumerate(names)})


def _ordered(graph: onnx.GraphProto) -> list[onnx.NodeProto]:
    """The nodes that the outputs need, each after those that it needs."""
    makers = {name: node for node in graph.node for name in node.output}
    ordered: dict[int, onnx.NodeProto] = {}
    waiting = [(makers[output.name], False) for output in reversed(graph.output)]
    while waiting:
        node, ready = waiting.pop()
        if ready:
            ordered.setdefault(id(node), node)
        elif id(node) not in ordered:
            waiting.append((node, True))
            needed = [makers[name] for name in reversed(node.input) if name in makers]
            waiting.extend((other, False) for other in needed)
    return list(ordered.values())


def _replace(field: Any, values: Sequence[Any]) -> None:
    """Put copies in place of a repeated field: its own entries die with it."""
    copies = [type(value).FromString(value.SerializeToString()) for value in values]
    del field[:]
    field.extend(copies)
