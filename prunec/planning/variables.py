"""The variables of a model: what is known of their shapes."""

from __future__ import annotations

from typing import Optional

from prunec.analysis.analyse import Analysis
from prunec.graph import Shape, Tensor


def variable_shapes(analysis: Analysis) -> dict[str, Shape]:
    """The shapes of variables by name, as far as they are known, with the sizes of the example."""
    nodes, shapes = analysis.model.graph.nodes, analysis.lowered.example_shapes
    return {
        node.name: shapes[Tensor(index, 0)]
        for index, node in enumerate(nodes)
        if node.operator is None and Tensor(index, 0) in shapes
    }


def open_inputs(analysis: Analysis) -> dict[str, Optional[Shape]]:
    """The inputs whose shapes are not all known, with what is known of them."""
    graph, shapes = analysis.model.graph, variable_shapes(analysis)
    return {
        node.name: shapes.get(node.name)
        for index, node in enumerate(graph.nodes)
        if node.operator is None and index not in graph.parameters and None in shapes.get(node.name, (None,))
    }
