"""What the exporter leaves to do in a graph: steps that undo each other, values computed twice."""

from collections.abc import Iterable

import numpy as np
from onnx import GraphProto, NodeProto, ValueInfoProto, numpy_helper

# Of constants beyond this size, bytes, none are alike; they are the networks' matrices.
_SMALL = 1024
_NEUTRAL = {"Mul": 1.0, "Add": 0.0}


def simplify(graph: GraphProto) -> None:
    """Leave out, in place, what changes nothing; outputs keep their names.

    A dimension of one that is dropped and put back, a reshaping of a reshaping, a product with
    ones, a sum with zeros, a value computed a second time, and whatever no output needs then.
    """
    kept = {output.name for output in graph.output}
    same = _equal_constants(graph)
    makers: dict[str, NodeProto] = {}
    known: dict[tuple[object, ...], NodeProto] = {}
    axes, neutral = _Axes(graph), _Neutral(graph)
    for node in graph.node:
        node.input[:] = [same.get(name, name) for name in node.input]
        maker = makers.get(node.input[0]) if node.input else None
        if node.op_type == "Reshape" and maker is not None and maker.op_type == "Reshape":
            node.input[0] = maker.input[0]
        equal = known.setdefault(_key(node), node)
        makers |= dict.fromkeys(node.output, node)
        if kept & set(node.output):
            continue
        if equal is not node:
            same |= dict(zip(node.output, equal.output, strict=True))
        elif maker is not None and axes.undoes(node, maker):
            same[node.output[0]] = maker.input[0]
        elif (kept_as := neutral.leaves(node)) is not None:
            same[node.output[0]] = kept_as
    _keep(graph, needed(graph.node, kept))


def needed(nodes: Iterable[NodeProto], outputs: Iterable[str]) -> list[NodeProto]:
    """The nodes, in their order, that outputs depend on."""
    wanted = set(outputs)
    found = []
    for node in reversed(list(nodes)):
        if wanted & set(node.output):
            wanted |= set(node.input)
            found.append(node)
    return found[::-1]


def split_off(graph: GraphProto, values: list[ValueInfoProto]) -> GraphProto:
    """Take out of a graph what its outputs do not need; the rest, which gives ``values``."""
    live = needed(graph.node, [output.name for output in graph.output])
    ours = {id(node) for node in live}
    rest = [node for node in graph.node if id(node) not in ours]
    read = {name for node in live for name in node.input}
    others = [one for one in graph.initializer if one.name not in read]
    split = GraphProto(name="steps", node=rest, initializer=others, output=values)
    _keep(graph, live)
    return split


def _keep(graph: GraphProto, nodes: list[NodeProto]) -> None:
    """These nodes, the constants that they read and the descriptions of the values they make."""
    read = {name for node in nodes for name in node.input}
    made = {name for node in nodes for name in node.output}
    constants = [one for one in graph.initializer if one.name in read]
    described = [one for one in graph.value_info if one.name in made]
    for field in (graph.node, graph.initializer, graph.value_info):
        del field[:]
    graph.node.extend(nodes)
    graph.initializer.extend(constants)
    graph.value_info.extend(described)


class _Axes:
    """Which axes a node drops or adds; they are a constant, counted from either end."""

    def __init__(self, graph: GraphProto) -> None:
        values = (*graph.input, *graph.value_info, *graph.output)
        self._ranks = {value.name: len(value.type.tensor_type.shape.dim) for value in values}
        self._constants = {
            one.name: numpy_helper.to_array(one).ravel()
            for one in graph.initializer
            if np.prod(one.dims) <= 8
        }

    def undoes(self, node: NodeProto, maker: NodeProto) -> bool:
        """Whether a node puts back the axes that the one before it dropped, or the reverse."""
        pair = (maker.op_type, node.op_type)
        if pair == ("Unsqueeze", "Gather"):
            # Of one entry along that axis the first is taken.
            index = self._constants.get(node.input[1])
            scalar = self._ranks.get(node.output[0]) == self._ranks.get(maker.input[0])
            axis = next((one.i for one in node.attribute if one.name == "axis"), 0)
            full = self._ranks.get(maker.output[0], 0)
            return scalar and index is not None and [axis % full] == self._of(maker)
        if pair not in (("Squeeze", "Unsqueeze"), ("Unsqueeze", "Squeeze")):
            return False
        return self._of(node) == self._of(maker)

    def _of(self, node: NodeProto) -> list[int]:
        """The axes in the tensor that has them, counted from the front."""
        full = self._ranks[node.output[0] if node.op_type == "Unsqueeze" else node.input[0]]
        return sorted(int(axis) % full for axis in self._constants[node.input[1]])


class _Neutral:
    """Which products and sums give back what goes in: a constant of ones, or of zeros."""

    def __init__(self, graph: GraphProto) -> None:
        values = (*graph.input, *graph.value_info, *graph.output)
        self._shapes = {value.name: value.type.tensor_type.shape for value in values}
        self._constants = {
            one.name: numpy_helper.to_array(one)
            for one in graph.initializer
            if np.prod(one.dims) <= _SMALL
        }

    def leaves(self, node: NodeProto) -> str | None:
        """The input that comes out unchanged; None where there is none."""
        element = _NEUTRAL.get(node.op_type)
        for name, other in (node.input, node.input[::-1]) if element is not None else ():
            constant, shape = self._constants.get(other), self._shapes.get(name)
            if constant is not None and shape is not None and (constant == element).all():
                return name if shape == self._shapes.get(node.output[0]) else None
        return None


def _equal_constants(graph: GraphProto) -> dict[str, str]:
    """Name of each small constant to that of the first equal one."""
    first: dict[tuple[object, ...], str] = {}
    same = {}
    for one in graph.initializer:
        if one.ByteSize() <= _SMALL:
            values = numpy_helper.to_array(one)
            key = (one.data_type, tuple(one.dims), values.tobytes())
            same[one.name] = first.setdefault(key, one.name)
    return same


def _key(node: NodeProto) -> tuple[object, ...]:
    attributes = sorted(one.SerializeToString(deterministic=True) for one in node.attribute)
    return node.op_type, tuple(node.input), tuple(attributes), len(node.output)
