"""Warnings about what was kept for want of knowledge, and of rules that may be wrong: each operator once."""

from __future__ import annotations

from typing import Optional, Sequence

import numpy as np

from prunec.channels.kept_classes import kept_for_size
from prunec.channels.solve import Solution
from prunec.graph import Shape, Tensor, input_flags, may_agree, shape_text
from prunec.lowering.infer import describe
from prunec.lowering.lowered import LoweredGraph
from prunec.support.diagnostics import Annotation, Diagnostic, Severity
from prunec.support.late import Late


def warnings(bound: LoweredGraph, solution: Solution, parameters: frozenset[int]) -> tuple[Diagnostic, ...]:
    """P402 for channels that stay for want of an input's shape, P406 for operators that no rule knows or
    fits, P407 for rules that leave axes open, P409 for rules that give other shapes than the framework."""
    unsized = _unsized(bound, solution, parameters)
    return (*unsized, *_barriers(bound, solution), *_unclear(bound, solution), *_disagreements(bound))


def inputs_without_shape(
    bound: LoweredGraph, parameters: frozenset[int], nodes: Sequence[int]
) -> dict[str, Optional[Shape]]:
    """The model inputs that nodes depend on and whose shape is not wholly known, with what is known of it."""
    graph = bound.graph
    seen: set[int] = set()
    stack, found = list(nodes), {}
    while stack:
        at = stack.pop()
        if at in seen:
            continue
        seen.add(at)
        node = graph.nodes[at]
        shape = bound.open_shapes.get(Tensor(at, 0))
        if node.operator is None and at not in parameters and (shape is None or None in shape):
            found[node.name] = bound.shapes.get(Tensor(at, 0))
        stack += [tensor.node for tensor in node.inputs]
    return dict(sorted(found.items()))


def without_axes(bound: LoweredGraph) -> list[int]:
    """The nodes whose axes could not be written out for want of a shape, behind nothing that is opaque."""
    behind_opaque: set[int] = set()
    found = []
    for index, (node, rule) in enumerate(zip(bound.graph.nodes, bound.rules)):
        if index in bound.opaque or any(t.node in behind_opaque for t in node.inputs):
            behind_opaque.add(index)
        elif rule is not None and rule.open:
            found.append(index)
    return found


def _unsized(bound: LoweredGraph, solution: Solution, parameters: frozenset[int]) -> list[Diagnostic]:
    """One warning for all channels that the shapes of inputs would set free."""
    counts = [(solution.causes[n].node, count) for n, count in kept_for_size(solution.propagation).items()]
    counts += [(index, _channels_at(bound, solution, [index])) for index in without_axes(bound)]
    nodes: dict[int, int] = {}
    names: dict[str, Optional[Shape]] = {}
    for index, count in counts:
        found = inputs_without_shape(bound, parameters, [index])
        if found:
            nodes[index] = nodes.get(index, 0) + count
            names.update(found)
    if not nodes:
        return []
    first = describe(bound.graph, min(nodes), bound.open_shapes)
    channels = sum(nodes.values())
    # Where the channels are made that stay, their number is not known either.
    counted = f"{channels:,} channel{'s stay' if channels > 1 else ' stays'}" if channels else "channels stay"
    return [
        Diagnostic(
            "P402",
            f"{counted} for want of the shape of {', '.join(names)}",
            where=first if len(nodes) == 1 else f"{first} and {len(nodes) - 1} more",
            notes=("what happens to channels there depends on sizes, which nothing in the model gives",),
            help=f"give the shape{'s' if len(names) > 1 else ''}: {input_flags(names)}",
            severity=Severity.WARNING,
        )
    ]


def _barriers(bound: LoweredGraph, solution: Solution) -> list[Diagnostic]:
    """One warning for each operator that no rule knows or fits."""
    graph = bound.graph
    by_operator: dict[tuple[str, str], list[int]] = {}
    for index, opaque in bound.opaque.items():
        if opaque.kind != "rule":
            by_operator.setdefault((graph.nodes[index].operator or "", opaque.kind), []).append(index)
    found = []
    for (operator, kind), nodes in by_operator.items():
        first = describe(graph, nodes[0], bound.open_shapes)
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
                else graph.advice.get(operator)
                or f"add a rule with --rules, for example: op {operator} {{ data[*x] -> out[*x] }}",
                severity=Severity.WARNING,
            )
        )
    return found


def _unclear(bound: LoweredGraph, solution: Solution) -> list[Diagnostic]:
    """One warning for each operator whose rule leaves axes open although all inputs' shapes are known."""
    graph = bound.graph
    by_operator: dict[str, list[int]] = {}
    for index, rule in enumerate(bound.rules):
        if rule is not None and rule.open and index not in bound.opaque:
            if all(bound.shapes.get(t) is not None for t in graph.nodes[index].inputs):
                by_operator.setdefault(graph.nodes[index].operator or "", []).append(index)
    found = []
    for operator, nodes in by_operator.items():
        rule = bound.rules[nodes[0]]
        assert rule is not None
        found.append(
            Diagnostic(
                "P407",
                f"the rule of {operator} does not tell the axes of {len(nodes)} "
                f"node{'s' if len(nodes) > 1 else ''}",
                where=describe(graph, nodes[0], bound.open_shapes),
                annotations=(Annotation(rule.header.operator_span, "this rule"),),
                notes=(f"{_channels_at(bound, solution, nodes)} channels that enter are kept as they are",),
                help="add a rule for these attributes with --rules",
                severity=Severity.WARNING,
            )
        )
    return found


def _disagreements(bound: LoweredGraph) -> list[Diagnostic]:
    """One warning for each operator whose rule gives another shape than the graph's hints, where its inputs
    agree: what stands behind such a node is not to blame.  Hints that take time to find are looked at where
    they were needed, or where there are rules of the user's: prunec's own are held against them by its tests.
    """
    graph = bound.graph
    spans = {rule.header.operator_span for rule in bound.rules if rule is not None}
    known = not isinstance(graph.hints, Late) or bool(bound.opaque)
    if not known and all(span.source.built_in for span in spans):
        return []
    differing = {
        tensor
        for tensor, hint in graph.hints.items()
        if tensor in bound.shapes and not may_agree(bound.shapes[tensor], hint)
    }
    by_operator: dict[str, list[Tensor]] = {}
    for tensor in sorted(differing):
        node = graph.nodes[tensor.node]
        if bound.rules[tensor.node] is not None and not differing.intersection(node.inputs):
            by_operator.setdefault(node.operator or "", []).append(tensor)
    found = []
    for operator, tensors in by_operator.items():
        first = tensors[0]
        rule = bound.rules[first.node]
        assert rule is not None
        where = describe(graph, first.node, bound.shapes)
        found.append(
            Diagnostic(
                "P409",
                f"the rule of {operator} gives another shape than the framework",
                where=where if len(tensors) == 1 else f"{where} and {len(tensors) - 1} more",
                annotations=(Annotation(rule.header.operator_span, "this rule"),),
                notes=(
                    f"output {first.output}: the rule says {shape_text(bound.shapes[first])}, "
                    f"the framework {shape_text(graph.hints[first])}",
                ),
                help="run prunec verify on the smaller model; replace a rule that is wrong with --rules",
                severity=Severity.WARNING,
            )
        )
    return found


def _channels_at(bound: LoweredGraph, solution: Solution, nodes: Sequence[int]) -> int:
    atoms = [
        array.reshape(-1)
        for index in nodes
        for tensor in bound.graph.nodes[index].inputs
        if tensor in solution.propagation.channels
        for array in solution.propagation.channels[tensor].arrays
    ]
    return int(len(np.unique(np.concatenate(atoms)))) if atoms else 0
