"""Analyses of the test networks, and cuts through them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from prunec.analysis.analyse import Analysis, analyse
from prunec.explaining.findings import Link
from prunec.frontends.mxnet.model import MXNetModel
from prunec.frontends.mxnet.symbol import read_symbol, to_graph
from prunec.graph import Graph, Node, Shape, Tensor
from prunec.language.library import load

#: The built-in rules; parsed rules are kept from one analysis to the next.
RULES = load(["default.prune"])


@dataclass(frozen=True)
class Parameters:
    """Stands for a parameter file of which only the shapes are asked for."""

    shapes: Mapping[str, tuple[int, ...]]

    def array(self, name: str) -> Any:
        return np.zeros(self.shapes[name], np.float32)


def analysed(case: Any) -> Analysis:
    """The analysis of a test network, or of anything with ``json``, ``symbol`` and ``inputs``."""
    symbol = case.symbol
    arguments, _, states = symbol.infer_shape_partial(**case.inputs)
    named = [*zip(symbol.list_arguments(), arguments), *zip(symbol.list_auxiliary_states(), states)]
    shapes = {n: shape for n, shape in named if n not in case.inputs and not n.endswith("label")}
    return analyse(model_of(case.json, shapes, case.inputs), RULES)


def model_of(json: bytes, shapes: Mapping[str, tuple[int, ...]], inputs: Mapping[str, Shape]) -> MXNetModel:
    file = read_symbol(json, "net-symbol.json")
    graph = to_graph(file, set(shapes), inputs, shapes)
    parameters: Any = Parameters(shapes)
    return MXNetModel(Path("net-symbol.json"), file, graph, parameters, inputs)


def cut(analysis: Analysis, links: Sequence[Link]) -> Analysis:
    """The analysis of a network without some links: each node takes a fresh parameter in its place."""
    graph = analysis.model.graph
    for moved, link in enumerate(links):
        assert isinstance(link.carrier, Tensor)
        shape = analysis.lowered.shapes[link.carrier]
        tensor = Tensor(link.carrier.node + moved, link.carrier.output)
        graph = _detached(graph, tensor, link.taker + moved, shape)
    return analyse(replace(analysis.model, graph=graph), RULES)  # type: ignore[type-var]


def _detached(graph: Graph, tensor: Tensor, taker: int, shape: Shape) -> Graph:
    """The graph with a new variable in front; all nodes move up by one."""

    def moved(entry: Tensor, node: int) -> Tensor:
        return Tensor(0, 0) if node == taker and entry == tensor else Tensor(entry.node + 1, entry.output)

    name = f"cut{len(graph.nodes)}"
    nodes = [Node(name, None, {}, ())]
    nodes += [replace(n, inputs=tuple(moved(t, i) for t in n.inputs)) for i, n in enumerate(graph.nodes)]
    return Graph(
        tuple(nodes),
        tuple(Tensor(t.node + 1, t.output) for t in graph.outputs),
        frozenset({0, *(n + 1 for n in graph.parameters)}),
        {0: shape, **{n + 1: s for n, s in graph.shapes.items()}},
    )
