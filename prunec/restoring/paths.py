"""Ways through a graph: from the layer that makes a value to what takes it."""

from __future__ import annotations

from typing import Container

from prunec.graph import Graph, Tensor
from prunec.restoring.products import Product


def makers(graph: Graph, tensor: Tensor, layers: Container[int]) -> list[int]:
    """The nearest of some nodes that a value depends on."""
    found: dict[int, None] = {}
    seen: set[int] = set()
    waiting = [tensor.node]
    while waiting:
        node = waiting.pop()
        if node in seen:
            continue
        seen.add(node)
        if node in layers:
            found[node] = None
        else:
            waiting += [own.node for own in graph.nodes[node].inputs]
    return sorted(found)


def between(graph: Graph, node: int, tensor: Tensor) -> frozenset[int]:
    """The nodes that depend on a node and that a value depends on, both ends included."""
    behind = {node}
    for index in range(node + 1, tensor.node + 1):
        if any(own.node in behind for own in graph.nodes[index].inputs):
            behind.add(index)
    found: set[int] = set()
    waiting = [tensor.node]
    while waiting:
        index = waiting.pop()
        if index in behind and index not in found:
            found.add(index)
            waiting += [own.node for own in graph.nodes[index].inputs]
    return frozenset(found)


def leaving(graph: Graph, path: frozenset[int], product: Product) -> list[Tensor]:
    """What nodes off a path make of what is on it, but for a product of its end."""
    found: dict[Tensor, None] = {tensor: None for tensor in graph.outputs if tensor.node in path}
    takers = set()
    for index, node in enumerate(graph.nodes):
        taken = [own for own in node.inputs if own.node in path]
        if index == product.node:
            found.update((own, None) for own in taken if own != product.other)
        elif index not in path and taken:
            takers.add(index)
    for tensor in (*(own for node in graph.nodes for own in node.inputs), *graph.outputs):
        if tensor.node in takers:
            found[tensor] = None
    return list(found)
