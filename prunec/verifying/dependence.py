"""What follows from what: which values a removed channel can change, and where a comparison starts anew.

Only values count, not sizes: what an output that holds sizes says is the same for any weights.  See
:class:`Break` for where the two models may part although each computes what it should.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from enum import Enum
from typing import Iterable, Iterator, Mapping, Optional, Sequence

from prunec.analysis.analyse import Analysis
from prunec.graph import Tensor
from prunec.rewriting.emit import Pruned
from prunec.rewriting.places import Places


class Break(Enum):
    """Why values behind a node start anew from what the smaller model has there."""

    JUMP = "it is not continuous"
    """A difference in the last bit of what enters may change all that leaves."""
    UNKNOWN = "no rule says what it computes"
    """It may be continuous or not."""
    STATISTICS = "it combines channels that go with those that stay"
    """What leaves is another value by intention; the node itself is not proved."""
    RANDOM = "it gives other values each time"


@dataclass(frozen=True)
class SlicedParameter:
    """A parameter that the smaller model has less of: where it is first combined with what varies.

    ``node`` is its variable, ``None`` where the graph does not mention it; ``meetings`` are the nodes that
    take it, or what is computed from parameters alone, together with a value that varies.
    """

    name: str
    meetings: tuple[int, ...]


@dataclass(frozen=True)
class Dependence:
    """``affected`` are the values that follow from a sliced parameter, ``varying`` those that follow from an
    input of the model or from a break; ``generated`` are values that nodes make of no parameter and that are
    sliced as parameters are, such as weights that are all ones.  ``used`` are the values of each node that
    anything takes."""

    affected: frozenset[Tensor]
    varying: frozenset[Tensor]
    generated: frozenset[Tensor]
    used: Mapping[int, tuple[Tensor, ...]]
    consumers: Mapping[Tensor, tuple[int, ...]]
    breaks: Mapping[int, Break]
    targets: tuple[SlicedParameter, ...]

    def behind(self, nodes: Iterable[int]) -> frozenset[Tensor]:
        """The values that follow from what some nodes make, up to breaks."""
        found: set[Tensor] = set()
        waiting = [tensor for node in nodes for tensor in self.used.get(node, ())]
        while waiting:
            tensor = waiting.pop()
            if tensor in found or tensor not in self.affected:
                continue
            found.add(tensor)
            for node in self.consumers.get(tensor, ()):
                if node not in self.breaks:
                    waiting += self.used.get(node, ())
        return frozenset(found)


def dependence(
    analysis: Analysis, pruned: Pruned, places: Places, random: frozenset[int] = frozenset()
) -> Dependence:
    """What follows from what in a model; ``random`` are nodes that were seen to draw numbers."""
    graph = analysis.model.graph
    consumers: defaultdict[Tensor, list[int]] = defaultdict(list)
    for index, node in enumerate(graph.nodes):
        for tensor in dict.fromkeys(node.inputs):
            consumers[tensor].append(index)
    used: defaultdict[int, dict[Tensor, None]] = defaultdict(dict)
    for tensor in (*consumers, *graph.outputs):
        used[tensor.node][tensor] = None
    sliced = {own.name for own in pruned.slices}
    flow = _Flow(analysis, places, _statistics(analysis, pruned), sliced, random)
    for index in range(len(graph.nodes)):
        flow.follow(index, set(used.get(index, ())))
    affected, varying, breaks = flow.affected, flow.varying, flow.breaks
    targets = tuple(_targets(analysis, sliced, flow, used, consumers))
    return Dependence(
        frozenset(affected),
        frozenset(varying),
        frozenset(flow.generated),
        {index: tuple(sorted(own)) for index, own in used.items()},
        {tensor: tuple(own) for tensor, own in consumers.items()},
        breaks,
        targets,
    )


class _Flow:
    """Follows values through a graph, node by node."""

    def __init__(
        self,
        analysis: Analysis,
        places: Places,
        statistics: set[int],
        sliced: set[str],
        random: frozenset[int],
    ) -> None:
        self.analysis, self.places = analysis, places
        self.statistics, self.sliced, self.random = statistics, sliced, random
        self.implied = {index for index, _ in _implied(analysis, sliced)}
        self.affected: set[Tensor] = set()
        self.varying: set[Tensor] = set()
        self.generated: set[Tensor] = set()
        self.breaks: dict[int, Break] = {}

    def follow(self, index: int, made: set[Tensor]) -> None:
        """What the values that a node makes follow from."""
        node, bound = self.analysis.model.graph.nodes[index], self.analysis.lowered.rules[index]
        if node.operator is None:
            if node.name in self.sliced:
                self.affected |= made
            elif index not in self.analysis.model.graph.parameters:
                self.varying |= made
            return
        if bound is not None:
            made = made - {Tensor(index, k) for k in bound.size_values}
        reached = index in self.implied or not self.affected.isdisjoint(node.inputs)
        why = self._why_anew(index, reached)
        if why is not None:
            self.breaks[index] = why
        varies = why is not None or not self.varying.isdisjoint(node.inputs)
        if not reached and not varies:
            self.generated |= {tensor for tensor in made if self.places.shrinks(tensor)}
        if reached or why is Break.RANDOM:
            self.affected |= made
        self.affected |= made & self.generated
        if varies:
            self.varying |= made

    def _why_anew(self, index: int, reached: bool) -> Optional[Break]:
        """Why the comparison starts anew behind a node, if it does."""
        jumps, inputs = self._jumps(index), self.analysis.model.graph.nodes[index].inputs
        if index in self.random:
            return Break.RANDOM
        if reached and index in self.statistics:
            return Break.STATISTICS
        if reached and jumps is None:
            return Break.UNKNOWN
        if jumps and any(tensor in self.affected and tensor in self.varying for tensor in inputs):
            return Break.JUMP
        return None

    def _jumps(self, index: int) -> Optional[bool]:
        """Whether what a node computes jumps, also where sizes that it takes are known only when it runs;
        ``None`` where no rule says what it computes."""
        opaque, bound = self.analysis.lowered.opaque.get(index), self.analysis.lowered.rules[index]
        if opaque is not None:
            return opaque.discontinuous
        return None if bound is None else bound.discontinuous


def _statistics(analysis: Analysis, pruned: Pruned) -> set[int]:
    """The nodes at which channels that go change the values of what stays."""
    propagation, gone = analysis.solution.propagation, pruned.shrinker.gone_atom
    return {propagation.causes[cause].node for atoms, cause in propagation.approximate if gone[atoms].any()}


def _implied(analysis: Analysis, sliced: set[str]) -> Iterator[tuple[int, str]]:
    """The parameters that the graph does not mention, by node and name."""
    for index, slot in analysis.solution.propagation.implied:
        name = analysis.model.implied_name(index, slot)
        if name in sliced:
            yield index, name


def _targets(
    analysis: Analysis,
    sliced: set[str],
    flow: _Flow,
    used: Mapping[int, Mapping[Tensor, None]],
    consumers: Mapping[Tensor, Sequence[int]],
) -> Iterator[SlicedParameter]:
    graph = analysis.model.graph
    found: dict[str, dict[int, None]] = {}
    for index, node in enumerate(graph.nodes):
        if node.operator is None and node.name in sliced:
            meetings = found.setdefault(node.name, {})
            meetings.update(dict.fromkeys(_meetings(flow, used, consumers, index)))
    for index, name in _implied(analysis, sliced):
        found.setdefault(name, {})[index] = None
    for name, meetings in found.items():
        yield SlicedParameter(name, tuple(sorted(meetings)))


def _meetings(
    flow: _Flow,
    used: Mapping[int, Mapping[Tensor, None]],
    consumers: Mapping[Tensor, Sequence[int]],
    variable: int,
) -> Iterator[int]:
    seen: set[Tensor] = set()
    waiting = [Tensor(variable, 0)]
    while waiting:
        tensor = waiting.pop()
        if tensor in seen:
            continue
        seen.add(tensor)
        for node in consumers.get(tensor, ()):
            # What holds sizes follows from no element of the parameter.
            made = [own for own in used.get(node, ()) if own in flow.affected]
            if any(own in flow.varying for own in made):
                yield node
            else:
                waiting += made
