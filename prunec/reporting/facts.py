"""What a report says of groups: where each passes, what its members are, and which rule lines tie them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Mapping, Optional, Sequence

import numpy as np

from prunec.analysis.analyse import Analysis
from prunec.channels.components import Atoms
from prunec.channels.removal import Removed
from prunec.graph import Shape, Tensor
from prunec.planning.groups_file import approximate_reasons
from prunec.planning.members import Member, group_members, group_names
from prunec.rewriting.emit import Pruned
from prunec.support.diagnostics import Span

#: Characters of a rule's line that are shown.
_LINE_LIMIT = 240


@dataclass(frozen=True)
class MemberFact:
    """A parameter's axis that a group shrinks; ``per_unit`` positions of it belong to each unit."""

    parameter: str
    axis: int
    before: Shape
    after: Shape
    per_unit: int


@dataclass(frozen=True)
class RuleLine:
    """A line of a rule file and the nodes where it carries a group's channels, or (``joins``) makes
    channels that came apart into one."""

    place: str
    text: str
    joins: bool
    nodes: tuple[int, ...]


@dataclass(frozen=True)
class GroupFact:
    """A group: ``removed`` of ``units`` go; ``nodes`` are the operators its channels pass through."""

    number: int
    name: str
    units: int
    removed: int
    approximate: tuple[str, ...]
    members: tuple[MemberFact, ...]
    ties: tuple[RuleLine, ...]
    nodes: tuple[int, ...]


def group_of_units(analysis: Analysis) -> Atoms:
    """The group of each unit, -1 for those in none; one place more, for what stays."""
    group_of = np.full(analysis.solution.unit_count + 1, -1, dtype=np.int64)
    for group in analysis.solution.groups:
        group_of[group.units] = group.number
    return group_of


def tensor_groups(analysis: Analysis) -> dict[Tensor, tuple[int, ...]]:
    """The groups whose channels each tensor carries, in the order of their positions."""
    solution = analysis.solution
    group_of = group_of_units(analysis)
    known: dict[int, tuple[int, ...]] = {}
    result: dict[Tensor, tuple[int, ...]] = {}
    for tensor, channels in solution.propagation.channels.items():
        found: list[int] = []
        for array in channels.arrays:
            # Arrays are shared by the tensors that carry them, so each is looked at once.
            if id(array) not in known:
                groups, first = np.unique(
                    group_of[solution.unit_of_atom[array.reshape(-1)]], return_index=True
                )
                order = np.argsort(first, kind="stable")
                known[id(array)] = tuple(g for g in groups[order].tolist() if g >= 0)
            found += [g for g in known[id(array)] if g not in found]
        result[tensor] = tuple(found)
    return result


def node_groups(analysis: Analysis, tensors: Mapping[Tensor, tuple[int, ...]]) -> tuple[tuple[int, ...], ...]:
    """The groups that each node touches, in any of its inputs or outputs."""
    graph = analysis.model.graph
    outputs: dict[int, list[Tensor]] = {}
    for tensor in tensors:
        outputs.setdefault(tensor.node, []).append(tensor)
    result = []
    for index, node in enumerate(graph.nodes):
        touched = [g for t in (*node.inputs, *outputs.get(index, ())) for g in tensors.get(t, ())]
        result.append(tuple(dict.fromkeys(touched)))
    return tuple(result)


def group_facts(
    analysis: Analysis, pruned: Pruned, removed: Removed, touched: Sequence[Sequence[int]]
) -> tuple[GroupFact, ...]:
    """The facts of every group, in order; ``touched`` holds the groups of each node."""
    members = group_members(analysis)
    names = group_names(members)
    after = {p.name: pruned.shrinker.shape(p.channels) for p in analysis.parameters}
    nodes: list[list[int]] = [[] for _ in members]
    for index, own in enumerate(touched):
        if analysis.model.graph.nodes[index].operator is not None:
            for number in own:
                nodes[number].append(index)
    ties = _ties(analysis, nodes)
    return tuple(
        GroupFact(
            group.number,
            names[group.number],
            len(group.units),
            int(np.count_nonzero(removed[group.units])),
            tuple(approximate_reasons(analysis, group.number)),
            tuple(_member(member, after) for member in members[group.number]),
            ties[group.number],
            tuple(nodes[group.number]),
        )
        for group in analysis.solution.groups
    )


def line_of(span: Span) -> tuple[str, str]:
    """The place of a span without its column, and the span's text in one line."""
    text = " ".join(span.text[: 4 * _LINE_LIMIT].split())
    return f"{span.source.name}:{span.line}", text if len(text) <= _LINE_LIMIT else text[:_LINE_LIMIT] + "…"


def _member(member: Member, after: Mapping[str, Shape]) -> MemberFact:
    parameter = member.parameter
    return MemberFact(
        parameter.name, member.axis, parameter.shape, after[parameter.name], member.positions.shape[1]
    )


def _ties(analysis: Analysis, nodes: Sequence[Sequence[int]]) -> list[tuple[RuleLine, ...]]:
    """The rule lines of each group: those that join its channels first, then those that carry them."""
    found: list[dict[tuple[str, str, bool], dict[int, None]]] = [{} for _ in nodes]
    lines: dict[Span, tuple[str, str]] = {}
    for number, span, node in _joins(analysis):
        if span not in lines:
            lines[span] = line_of(span)
        found[number].setdefault((*lines[span], True), {})[node] = None
    for number, own in enumerate(nodes):
        for node in own:
            signature = _signature(analysis, node)
            if signature is not None:
                if signature not in lines:
                    lines[signature] = line_of(signature)
                found[number].setdefault((*lines[signature], False), {})[node] = None
    return [
        tuple(RuleLine(place, text, joins, tuple(at)) for (place, text, joins), at in sorted_ties(own))
        for own in found
    ]


def sorted_ties(
    own: Mapping[tuple[str, str, bool], Mapping[int, None]],
) -> list[tuple[tuple[str, str, bool], Mapping[int, None]]]:
    """Ties in the order of a report: joins first, then by the first node."""
    return sorted(own.items(), key=lambda item: (not item[0][2], min(item[1]), item[0][0]))


def _joins(analysis: Analysis) -> list[tuple[int, Span, int]]:
    """Group, place and node of every edge that joins channels of a group."""
    solution = analysis.solution
    group_of = group_of_units(analysis)
    result = []
    for edge in solution.edges:
        cause = solution.causes[edge.cause]
        if cause.span is not None and edge.left.size:
            groups = np.unique(group_of[solution.unit_of_atom[edge.left.reshape(-1)]])
            result += [(number, cause.span, cause.node) for number in groups.tolist() if number >= 0]
    return result


def _signature(analysis: Analysis, node: int) -> Optional[Span]:
    bound = analysis.lowered.rules[node]
    return None if bound is None else bound.header.signature_span
