"""The network in pieces that a reader can take in: boxes of nodes, and stages of boxes.

A box is a node with those behind it that only pass its result on (one input, one consumer, no cost
of their own).  Stages are runs of boxes in the model's order, cut where few tensors cross and
names change their scope.  As inputs always stand before their consumers, edges between runs go
forward only.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import Sequence

from prunec.analysis.analyse import Analysis
from prunec.graph import Tensor
from prunec.reporting.names import common_scopes, scopes, shown, usual_scope

_MOST_FOLLOWERS = 5
_LEAST_STAGE, _LARGEST_STAGE = 5, 28


@dataclass(frozen=True)
class Box:
    """Nodes drawn as one, in order: the first gives the box its name, the last its output."""

    nodes: tuple[int, ...]


@dataclass(frozen=True)
class Stage:
    """The boxes from ``first`` up to ``end``, and a title."""

    title: str
    first: int
    end: int


@dataclass(frozen=True)
class NetworkPicture:
    """Boxes in order, the tensors between them (source box, target box, tensor), and the stages."""

    boxes: tuple[Box, ...]
    edges: tuple[tuple[int, int, Tensor], ...]
    stages: tuple[Stage, ...]


def picture(analysis: Analysis) -> NetworkPicture:
    """The boxes, edges and stages of a model: its operators and inputs, without its parameters."""
    boxes = _boxes(analysis)
    box_of = {node: number for number, box in enumerate(boxes) for node in box.nodes}
    edges: dict[tuple[int, int, Tensor], None] = {}
    for number, box in enumerate(boxes):
        for tensor in analysis.model.graph.nodes[box.nodes[0]].inputs:
            if tensor.node in box_of:
                edges[box_of[tensor.node], number, tensor] = None
    found = tuple(edges)
    return NetworkPicture(boxes, found, _stages(analysis, boxes, found))


def costly(analysis: Analysis, node: int) -> bool:
    """Whether a node's rule says what it costs: then it is a layer."""
    return analysis.lowered.is_costly(node)


def _drawn(analysis: Analysis) -> list[int]:
    parameters = {p.node for p in analysis.parameters if p.node is not None}
    parameters |= analysis.model.graph.parameters
    used = {tensor.node for node in analysis.model.graph.nodes for tensor in node.inputs}
    return [
        index
        for index, node in enumerate(analysis.model.graph.nodes)
        if node.operator is not None or (index not in parameters and index in used)
    ]


def _boxes(analysis: Analysis) -> tuple[Box, ...]:
    graph = analysis.model.graph
    visible = _drawn(analysis)
    consumers = [0] * len(graph.nodes)
    for index in visible:
        for tensor in graph.nodes[index].inputs:
            consumers[tensor.node] += 1
    for tensor in graph.outputs:
        consumers[tensor.node] += 1
    is_drawn = set(visible)
    chains: dict[int, list[int]] = {}
    chain_of: dict[int, list[int]] = {}
    for index in visible:
        node = graph.nodes[index]
        sources = [t.node for t in node.inputs if t.node in is_drawn]
        layer = node.operator is not None and costly(analysis, index)
        chain = chain_of[sources[0]] if len(sources) == 1 else None
        joins = (
            chain is not None
            and not layer
            and graph.nodes[chain[-1]].operator is not None
            and chain[-1] == sources[0]
            and consumers[sources[0]] == 1
            and len(chain) <= _MOST_FOLLOWERS
        )
        if chain is not None and joins:
            chain.append(index)
        else:
            chain = chains[index] = [index]
        chain_of[index] = chain
    return tuple(Box(tuple(chain)) for chain in chains.values())


# --- stages -----------------------------------------------------------------------------------


def _stages(
    analysis: Analysis, boxes: Sequence[Box], edges: Sequence[tuple[int, int, Tensor]]
) -> tuple[Stage, ...]:
    if not boxes:
        return ()
    parts = [scopes(analysis.model.graph.nodes[box.nodes[0]].name) for box in boxes]
    cost = _cut_costs(parts, edges)
    cuts = _best_cuts(cost)
    everywhere = usual_scope(parts)
    titles = [_title(parts[first:end], everywhere) for first, end in zip(cuts, cuts[1:])]
    total: dict[str, int] = {}
    for title in titles:
        total[title] = total.get(title, 0) + 1
    seen: dict[str, int] = {}
    stages = []
    for title, first, end in zip(titles, cuts, cuts[1:]):
        seen[title] = seen.get(title, 0) + 1
        numbered = title if total[title] == 1 else f"{title} ({seen[title]} of {total[title]})"
        stages.append(Stage(numbered, first, end))
    return tuple(stages)


def _cut_costs(parts: Sequence[tuple[str, ...]], edges: Sequence[tuple[int, int, Tensor]]) -> list[float]:
    """What it costs the reader to cut before each box: tensors that cross, and names that belong together."""
    last: dict[int, int] = {}
    for source, target, _ in edges:
        last[source] = max(last.get(source, source), target)
    change = [0] * (len(parts) + 1)
    for source, target in last.items():
        change[source + 1] += 1
        change[target + 1] -= 1
    shared = len(usual_scope(parts))
    kinship = [0, *(common_scopes(pair) - shared for pair in zip(parts, parts[1:]))]
    costs, crossing = [], 0
    for box in range(len(parts)):
        crossing += change[box]
        # Each further scope that two names share counts half of the one around it.
        costs.append(1.5 * min(max(crossing - 1, 0), 6) + 10.0 * (1 - 0.5 ** max(kinship[box], 0)))
    return costs


def _best_cuts(cost: Sequence[float]) -> list[int]:
    """The cuts of least cost in sum, where a stage costs the more the further it is from the usual size."""
    count = len(cost)
    usual = min(max(sqrt(count) * 1.4, _LEAST_STAGE), 0.7 * _LARGEST_STAGE)
    best = [0.0] + [float("inf")] * count
    previous = [0] * (count + 1)
    for end in range(1, count + 1):
        for first in range(max(0, end - _LARGEST_STAGE), end):
            size = 1.5 * ((end - first - usual) / usual) ** 2
            total = best[first] + size + (cost[first] if first else 0.0)
            if total < best[end]:
                best[end], previous[end] = total, first
    cuts = [count]
    while cuts[-1]:
        cuts.append(previous[cuts[-1]])
    return cuts[::-1]


def _title(parts: Sequence[tuple[str, ...]], everywhere: tuple[str, ...]) -> str:
    depth = len(everywhere)
    own = usual_scope(parts)
    if len(own) > depth and own[:depth] == everywhere:
        return shown("_".join(own[depth:]) + _numbers(parts, own), 48)
    first, last = (name[depth:] if name[:depth] == everywhere else name for name in (parts[0], parts[-1]))
    ends = [shown("_".join(name[:1]) or "unnamed", 28) for name in (first, last)]
    title = ends[0] if ends[0] == ends[1] else " … ".join(ends)
    # Numbers alone say nothing: what they count stands before them in every name.
    return f"{shown(everywhere[-1], 28)} {title}" if depth and first[:1] and first[0].isdigit() else title


def _numbers(parts: Sequence[tuple[str, ...]], scope: tuple[str, ...]) -> str:
    """Where names within a scope go on with a number that counts up, as blocks do: the first and the last."""
    found = [name[len(scope)] for name in parts if name[: len(scope)] == scope and len(name) > len(scope)]
    if not found or found[0] == found[-1] or not (found[0].isdigit() and found[-1].isdigit()):
        return ""
    return f" {found[0]} … {found[-1]}"
