"""Graphs nested in nodes, as the bodies of branches and loops are."""

from __future__ import annotations

from typing import Any, Iterator

from prunec.onnx.protobuf import onnx_package

#: Deeper nesting of graphs in graphs is not followed.
_MAXIMUM_DEPTH = 32


def captured(node: Any, depth: int = 0) -> list[str]:
    """The values that the graphs nested in a node take from outside of them."""
    kinds = onnx_package().AttributeProto
    names: dict[str, None] = {}
    for attribute in node.attribute:
        if attribute.type in (kinds.GRAPH, kinds.GRAPHS) and depth < _MAXIMUM_DEPTH:
            for graph in (attribute.g, *attribute.graphs):
                names.update(dict.fromkeys(_free(graph, depth)))
    return list(names)


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
