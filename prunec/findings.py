"""Warnings about what was kept for want of knowledge: each operator once, with what it cost."""

from __future__ import annotations

from typing import Sequence

import numpy as np

from prunec.binding.infer import BoundGraph, describe
from prunec.diagnostics import Annotation, Diagnostic, Severity
from prunec.solver.solve import Solution


def warnings(bound: BoundGraph, solution: Solution) -> tuple[Diagnostic, ...]:
    """P406 for operators that no rule knows or fits, P407 for rules that leave axes open."""
    return (*_barriers(bound, solution), *_unclear(bound, solution))


def _barriers(bound: BoundGraph, solution: Solution) -> list[Diagnostic]:
    """One warning for each operator that no rule knows or fits."""
    graph = bound.graph
    by_operator: dict[tuple[str, str], list[int]] = {}
    for index, opaque in bound.opaque.items():
        if opaque.kind != "rule":
            by_operator.setdefault((graph.nodes[index].operator or "", opaque.kind), []).append(index)
    found = []
    for (operator, kind), nodes in by_operator.items():
        first = describe(graph, nodes[0], bound.shapes)
        headline = (
            f"no rule knows the operator {operator}"
            if kind == "unknown operator"
            else f"what inputs of {operator} hold is known only when the model runs"
            if kind == "unknown value"
            else f"no rule of the operator {operator} holds here"
        )
        span = bound.opaque[nodes[0]].span
        channels = _channels_at(bound, solution, nodes)
        found.append(
            Diagnostic(
                "P406",
                headline,
                where=first if len(nodes) == 1 else f"{first} and {len(nodes) - 1} more",
                annotations=(Annotation(span, "the rules start here"),) if span is not None else (),
                notes=(
                    f"{len(nodes)} node{'s' if len(nodes) > 1 else ''} and the {channels} channels that "
                    f"enter {'them' if len(nodes) > 1 else 'it'} are kept as they are",
                ),
                help="where it follows from the sizes of inputs, give these with --input"
                if kind == "unknown value"
                else f"add a rule with --rules, for example: op {operator} {{ data[*x] -> out[*x] }}",
                severity=Severity.WARNING,
            )
        )
    return found


def _unclear(bound: BoundGraph, solution: Solution) -> list[Diagnostic]:
    """One warning for each operator whose rule leaves axes open although all inputs' shapes are known."""
    graph = bound.graph
    by_operator: dict[str, list[int]] = {}
    for index, rule in enumerate(bound.bounds):
        if rule is not None and rule.open and index not in bound.opaque:
            if all(bound.shapes.get(t) is not None for t in graph.nodes[index].inputs):
                by_operator.setdefault(graph.nodes[index].operator or "", []).append(index)
    found = []
    for operator, nodes in by_operator.items():
        rule = bound.bounds[nodes[0]]
        assert rule is not None
        found.append(
            Diagnostic(
                "P407",
                f"the rule of {operator} does not tell the axes of {len(nodes)} "
                f"node{'s' if len(nodes) > 1 else ''}",
                where=describe(graph, nodes[0], bound.shapes),
                annotations=(Annotation(rule.rule.operators[0].span, "this rule"),),
                notes=(f"{_channels_at(bound, solution, nodes)} channels that enter are kept as they are",),
                help="add a rule for these attributes with --rules",
                severity=Severity.WARNING,
            )
        )
    return found


def _channels_at(bound: BoundGraph, solution: Solution, nodes: Sequence[int]) -> int:
    atoms = [
        array.reshape(-1)
        for index in nodes
        for tensor in bound.graph.nodes[index].inputs
        if tensor in solution.propagation.channels
        for array in solution.propagation.channels[tensor].arrays
    ]
    return int(len(np.unique(np.concatenate(atoms)))) if atoms else 0
