"""Graphs nested in nodes, as the bodies of branches and loops are."""

from __future__ import annotations

from math import prod
from typing import Any, Iterator

from prunec.frontends.onnx.protobuf import onnx_package

#: Deeper nesting of graphs in graphs is not followed.
_MAXIMUM_DEPTH = 32


def captured(node: Any, depth: int = 0) -> list[str]:
    """The values that the graphs nested in a node take from outside of them."""
    return list(dict.fromkeys(name for graph in _graphs(node, depth) for name in _free(graph, depth)))


def has_body(node: Any) -> bool:
    """Whether graphs are nested in a node."""
    return next(_graphs(node, 0), None) is not None


def weights_inside(node: Any, depth: int = 0) -> tuple[int, int]:
    """How many weights the graphs nested in a node hold, and how many numbers these have: arrays of more than
    one number with a floating point."""
    types = onnx_package().TensorProto
    floating = {types.FLOAT, types.DOUBLE, types.FLOAT16, types.BFLOAT16}
    count = numbers = 0
    for graph in _graphs(node, depth):
        tensors = [*graph.initializer, *(own.values for own in graph.sparse_initializer)]
        tensors += [
            a.t for inner in graph.node for a in inner.attribute if a.HasField("t") and not inner.input
        ]
        sizes = [prod(tensor.dims) for tensor in tensors if tensor.data_type in floating]
        found = [size for size in sizes if size > 1]
        inside = [weights_inside(inner, depth + 1) for inner in graph.node]
        count += len(found) + sum(own[0] for own in inside)
        numbers += sum(found) + sum(own[1] for own in inside)
    return count, numbers


def _graphs(node: Any, depth: int) -> Iterator[Any]:
    kinds = onnx_package().AttributeProto
    for attribute in node.attribute:
        if attribute.type in (kinds.GRAPH, kinds.GRAPHS) and depth < _MAXIMUM_DEPTH:
            yield from (attribute.g, *attribute.graphs)


def _free(graph: Any, depth: int) -> Iterator[str]:
    own = {value.name for value in (*graph.input, *graph.initializer)}
    own |= {sparse.values.name for sparse in graph.sparse_initializer}
    own |= {name for node in graph.node for name in node.output}
    for node in graph.node:
        for name in (*node.input, *captured(node, depth + 1)):
            if name and name not in own:
                yield name
    for value in graph.output:
        if value.name not in own:
            yield value.name
