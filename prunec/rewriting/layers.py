"""What pruning does to each layer: channels, parameters and multiply-adds before and after.

A layer is a node whose rule says what it costs (a ``macs`` statement).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Iterator, Optional, Sequence

import numpy as np

from prunec.analysis.analyse import Analysis
from prunec.analysis.produced import produced_axis
from prunec.channels.components import Atoms
from prunec.channels.kept_classes import kept_classes
from prunec.channels.propagate import Cause
from prunec.channels.solve import Solution
from prunec.graph import Shape, Tensor
from prunec.lowering.expressions import Sizes, evaluate
from prunec.lowering.lowered import LoweredRule
from prunec.rewriting.emit import Pruned
from prunec.rewriting.shrink import Shrinker

#: A number before and after; ``None`` where it is not known.
Change = tuple[Optional[int], Optional[int]]


@dataclass(frozen=True)
class Layer:
    """One layer.  ``channels`` is ``None`` where the layer produces none; ``kept`` says why it lost none,
    and is empty where it lost some."""

    name: str
    operator: str
    channels: Optional[Change]
    parameters: Change
    multiply_adds: Change
    kept: str


@dataclass(frozen=True)
class Totals:
    """All that is learned, in any layer or none, each once; and the multiply-adds of all layers."""

    parameters: Change
    multiply_adds: Change


def layers(analysis: Analysis, pruned: Pruned) -> tuple[tuple[Layer, ...], Totals]:
    """The layers in the model's order, and the totals."""
    report = _Report(analysis, pruned.shrinker)
    found = tuple(report.layer(index, bound) for index, bound in report.costly())
    macs = [layer.multiply_adds for layer in found]
    everything = list(report.all_parameters().values())
    return found, Totals(_sum(everything), _sum(macs))


def causes_of_kept(solution: Solution) -> Atoms:
    """For each atom the number of a cause that makes it stay, -1 where there is none.

    Atoms are joined along all edges but those to what stays; the first such edge of each class speaks for
    all of it.
    """
    count = solution.propagation.atom_count
    labels, kept, cause = kept_classes(count, solution.edges)
    of_label = np.full(count, -1, dtype=np.int64)
    # Assigned backwards, so that the first edge has the last word.
    of_label[kept[::-1]] = cause[::-1]
    return np.asarray(of_label[labels], dtype=np.int64)


class _Report:
    def __init__(self, analysis: Analysis, shrinker: Shrinker) -> None:
        self.analysis = analysis
        self.graph = analysis.model.graph
        self.shrinker = shrinker
        self.channels = analysis.solution.propagation.channels
        self.causes: Optional[Atoms] = None
        # Nodes that look alike share their rule; it is held by the analysis, so its id is its own.
        self.known: dict[tuple[int, frozenset[str]], Optional[int]] = {}
        self.after = {parameter.name: parameter for parameter in analysis.parameters}

    def costly(self) -> Iterator[tuple[int, LoweredRule]]:
        """The nodes whose rule has a ``macs`` statement."""
        for index, bound in enumerate(self.analysis.lowered.rules):
            if bound is not None and bound.costly:
                yield index, bound

    def layer(self, index: int, bound: LoweredRule) -> Layer:
        node = self.graph.nodes[index]
        channels, kept = None, ""
        learned_slots = self.analysis.learned.slots(bound, node.inputs)
        if (id(bound), learned_slots) not in self.known:
            self.known[id(bound), learned_slots] = produced_axis(bound, learned_slots)
        axis, cost = self.known[id(bound), learned_slots], bound.multiply_adds
        if axis is not None:
            channels = self._channel_count(index, bound, axis)
            if channels[0] == channels[1]:
                kept = self._reason(index, axis)
        own = _sum(list(self._parameters_of(index, bound).values()))
        macs = (
            self.analysis.lowered.example(evaluate(cost, bound.sizes)),
            self.analysis.lowered.example(evaluate(cost, self._new_sizes(index, bound))),
        )
        return Layer(node.name, node.operator or "", channels, own, macs, kept)

    def all_parameters(self) -> dict[str, Change]:
        """Element counts of all that is learned, by name."""
        counts: dict[str, Change] = {}
        for index in sorted(self.analysis.learned.variables):
            counts[self.graph.nodes[index].name] = self._count(Tensor(index, 0))
        for index, bound in enumerate(self.analysis.lowered.rules):
            if bound is not None:
                counts.update(self._parameters_of(index, bound))
        return counts

    # --- the parts of a layer ---

    def _new_sizes(self, index: int, bound: LoweredRule) -> Sizes:
        node = self.analysis.solution.propagation.nodes[index]
        return bound.sizes if node is None else self.shrinker.named(node, bound.sizes)

    def _channel_count(self, index: int, bound: LoweredRule, axis: int) -> Change:
        tensor = Tensor(index, 0)
        before = (bound.shape(bound.outputs[0]) or ())[axis]
        channels = self.channels.get(tensor)
        return before, before if channels is None else self.shrinker.shape(channels)[axis]

    def _parameters_of(self, index: int, bound: LoweredRule) -> dict[str, Change]:
        """The parameters of a node: what is learned and stands in its slots, as it is or computed from
        constants alone, and those the graph does not mention."""
        counts: dict[str, Change] = {}
        for tensor in self.graph.nodes[index].inputs:
            for variable in sorted(self.analysis.learned.of(tensor)):
                counts[self.graph.nodes[variable].name] = self._count(Tensor(variable, 0))
        known = self.analysis.model.parameter_shapes
        for slot in bound.implied:
            name = self.analysis.model.implied_name(index, slot.slot)
            if known is None or name in known:
                size = _size(bound.shape(slot))
                parameter = self.after.get(name)
                new = size if parameter is None else _size(self.shrinker.shape(parameter.channels))
                counts[name] = (size, new)
        return counts

    def _count(self, tensor: Tensor) -> Change:
        before = _size(self.analysis.lowered.shapes.get(tensor))
        channels = self.channels.get(tensor)
        return before, before if channels is None else _size(self.shrinker.shape(channels))

    # --- why nothing went ---

    def _reason(self, index: int, axis: int) -> str:
        """Why no channel of a node's output axis goes."""
        channels = self.channels.get(Tensor(index, 0))
        if channels is None:
            opaque = self.analysis.lowered.opaque.get(index)
            return opaque.reason if opaque is not None else "its shape is not known"
        start = sum(len(factors) for factors in channels.layout.axes[:axis])
        factors = range(start, start + len(channels.layout.axes[axis]))
        if not factors:
            return "a single channel"
        causes: list[int] = [channels.causes[factor] for factor in factors]
        for spanned, array in zip(channels.layout.arrays, channels.arrays):
            if not any(factor in spanned for factor in factors):
                continue
            atoms = array.reshape(-1)
            if bool((self.analysis.solution.unit_of_atom[atoms] >= 0).any()):
                return "the plan takes none of them"
            if self.causes is None:
                self.causes = causes_of_kept(self.analysis.solution)
            causes += np.unique(self.causes[atoms]).tolist()
        known = [number for number in causes if number >= 0]
        return self._words(self.analysis.solution.causes[known[0]]) if known else "not known to be removable"

    def _words(self, cause: Cause) -> str:
        if cause.kind in ("input", "output"):
            return cause.text
        node = self.graph.nodes[cause.node]
        place = f", {cause.span.place}" if cause.span is not None else ""
        return f"{cause.text or 'tied to what stays'} ({node.name}{place})"


def _size(shape: Optional[Shape]) -> Optional[int]:
    if shape is None:
        return None
    known = [size for size in shape if size is not None]
    return prod(known) if len(known) == len(shape) else None


def _sum(changes: Sequence[Change]) -> Change:
    before = [change[0] for change in changes if change[0] is not None]
    after = [change[1] for change in changes if change[1] is not None]
    complete = len(changes)
    return (
        sum(before) if len(before) == complete else None,
        sum(after) if len(after) == complete else None,
    )
