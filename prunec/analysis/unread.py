"""Warnings about what rules do not reach: operators of which a rule says what else to do, and graphs that
stand inside nodes."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Iterable

from prunec.analysis.learned import learned
from prunec.graph import Tensor
from prunec.lowering.infer import describe
from prunec.lowering.lowered import LoweredGraph
from prunec.support.diagnostics import Diagnostic, Severity

if TYPE_CHECKING:
    from prunec.model import Model


def unread_warnings(model: Model, bound: LoweredGraph) -> tuple[Diagnostic, ...]:
    """P413 where most of a model is in operators whose rule says what to do instead, P414 for weights that
    the bodies of nodes hold or take from outside."""
    return (*_elsewhere(bound), *_inside(model, bound))


def _elsewhere(bound: LoweredGraph) -> list[Diagnostic]:
    """One warning for each reason of an opaque rule that ends in advice behind a semicolon, where it holds
    for half of the operators, or for half of the numbers in the file."""
    graph = bound.graph
    by_reason: dict[str, list[int]] = {}
    for index, opaque in bound.opaque.items():
        if opaque.kind == "rule" and "; " in opaque.reason:
            by_reason.setdefault(opaque.reason, []).append(index)
    operators = sum(node.operator is not None for node in graph.nodes)
    everything = _elements(bound, graph.parameters)
    found = []
    for reason, nodes in by_reason.items():
        count = _elements(bound, {t.node for index in nodes for t in graph.nodes[index].inputs})
        if 2 * len(nodes) < operators and (not everything or 2 * count < everything):
            continue
        what, advice = reason.split("; ", 1)
        first = describe(graph, min(nodes), bound.shapes)
        numbers = f"; {count:,} of its {everything:,} constant numbers enter them" if everything else ""
        kinds = sorted({graph.nodes[index].operator or "" for index in nodes})
        found.append(
            Diagnostic(
                "P413",
                f"{what}: most of it stays as it is",
                where=first if len(nodes) == 1 else f"{first} and {len(nodes) - 1} more",
                notes=(f"{len(nodes)} of its {operators} operators are {', '.join(kinds)}{numbers}",),
                help=advice,
                severity=Severity.WARNING,
            )
        )
    return found


def _elements(bound: LoweredGraph, nodes: Iterable[int]) -> int:
    """How many numbers the constants among some nodes hold, as far as shapes are known."""
    shapes = [bound.shapes.get(Tensor(index, 0)) for index in set(nodes) & bound.graph.parameters]
    return sum(prod(size or 0 for size in shape) for shape in shapes if shape is not None)


def _inside(model: Model, bound: LoweredGraph) -> list[Diagnostic]:
    graph = bound.graph
    if not graph.nested:
        return []
    known = learned(model, bound)
    sources = {i: frozenset().union(*map(known.of, graph.nodes[i].inputs)) for i in graph.nested}
    nodes = [index for index in sorted(graph.nested) if graph.nested[index][0] or sources[index]]
    if not nodes:
        return []
    variables = frozenset().union(*sources.values())
    weights = len(variables) + sum(graph.nested[index][0] for index in nodes)
    numbers = _elements(bound, variables) + sum(graph.nested[index][1] for index in nodes)
    kinds = " and ".join(sorted({graph.nodes[index].operator or "" for index in nodes}))
    first = describe(graph, nodes[0], bound.shapes)
    one = weights == 1
    return [
        Diagnostic(
            "P414",
            f"{weights:,} weight{'' if one else 's'} with {numbers:,} numbers {'is' if one else 'are'} used "
            f"in the bodies of {kinds} nodes and stay{'s' if one else ''}",
            where=first if len(nodes) == 1 else f"{first} and {len(nodes) - 1} more",
            notes=("a body is a graph of its own, which rules do not reach",),
            help="where a branch is chosen by a setting, export the model with that setting fixed",
            severity=Severity.WARNING,
        )
    ]
