"""Where a constant can be added to what a layer computes: a parameter, found by trying."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Iterator, Mapping, Optional, Sequence

import numpy as np

from prunec.analysis.analyse import Analysis
from prunec.frontends.runtime import Array, Runtime
from prunec.graph import Tensor
from prunec.lowering.bound import names_of
from prunec.restoring.readers import Reader
from prunec.restoring.stages import constant_nodes

#: How far the change of an output may be from that of a parameter which is added to it.
_ADDED = 1e-3
#: How many nodes behind a layer are looked at.
_REACH = 4
#: Parameters with more elements are none that is added to channels.
_MOST_ELEMENTS = 1 << 20


@dataclass(frozen=True)
class Place:
    """A parameter that is added to the first output of a node along an axis."""

    node: int
    parameter: str
    axis: int


class Shifts:
    """Finds the places of a model's layers, and what has to be added there."""

    def __init__(self, analysis: Analysis, runtime: Runtime, readers: Sequence[Reader]) -> None:
        self._readers = {own.node for own in readers}
        self._analysis = analysis
        self._runtime = runtime
        self._graph = analysis.model.graph
        self._takers: dict[Tensor, list[int]] = {}
        for index, node in enumerate(self._graph.nodes):
            for tensor in node.inputs:
                self._takers.setdefault(tensor, []).append(index)
        self.constant = constant_nodes(self._graph)

    def place(self, reader: Reader, feeds: Mapping[Any, Array]) -> Optional[Place]:
        """The nearest parameter that is added to what a layer makes, before anything else takes that.

        What lies between may scale, channel by channel, but do no more; what another layer makes of it is
        that layer's own to make up for.  ``feeds`` are what the node takes, for a few examples.
        """
        made = made_axis(self._analysis, reader)
        current = reader.node
        for _ in range(0 if made is None else _REACH):
            names = [name for name in self._candidates(current) if name != reader.parameter]
            before = self._made(current, feeds) if names else np.zeros(())
            for name in names:
                axis = self._axis(current, name, feeds, before)
                if axis is not None:
                    place = Place(current, name, axis)
                    return place if self._leads_to(place, reader.node, made or 0, feeds) else None
            following = self._following(current)
            if following is None:
                return None
            current = following
        return None

    def possible(self, reader: Reader) -> bool:
        """Whether a layer may have a place: some parameter is taken where one would be looked for."""
        current: Optional[int] = None if made_axis(self._analysis, reader) is None else reader.node
        for _ in range(_REACH):
            if current is None:
                return False
            if any(name != reader.parameter for name in self._candidates(current)):
                return True
            current = self._following(current)
        return False

    def _following(self, node: int) -> Optional[int]:
        """What alone takes what a node makes, and otherwise constants alone, unless it is a layer."""
        takers = self._takers.get(Tensor(node, 0), [])
        if len(takers) != 1 or Tensor(node, 0) in self._graph.outputs:
            return None
        others = [tensor for tensor in self._graph.nodes[takers[0]].inputs if tensor.node != node]
        if takers[0] in self._readers or not all(tensor.node in self.constant for tensor in others):
            return None
        return takers[0]

    def _leads_to(self, place: Place, node: int, made: int, feeds: Mapping[Any, Array]) -> bool:
        """Whether a constant for each channel that a node makes is one for each at a place."""
        own, there = Tensor(node, 0), Tensor(place.node, 0)
        before = self._made(node, feeds)
        size = int(np.prod(self._analysis.model.parameter(place.parameter).shape))
        if made >= before.ndim or before.shape[made] != size:
            return False
        if place.node == node:
            return place.axis == made
        step = np.linspace(0.5, 1.0, size) * max(float(np.abs(before).max(initial=0.0)), 1e-6)
        moved = before + step.reshape([-1 if n == made else 1 for n in range(before.ndim)])
        both: dict[Any, Array] = {**feeds, own: before}
        session = self._runtime.segment(both, [there])
        (plain,) = session.run(both)
        (other,) = session.run({**both, own: moved.astype(before.dtype)})
        change = np.moveaxis(other.astype(np.float64) - plain, place.axis, -1).reshape(-1, size)
        return bool((np.abs(change - change.mean(axis=0)) <= _ADDED * np.abs(change).max(initial=0.0)).all())

    def chain(self, node: int) -> list[int]:
        """A node and those behind it, as far as each alone takes what the one before makes."""
        found = [node]
        for _ in range(_REACH):
            takers = self._takers.get(Tensor(found[-1], 0), [])
            if len(takers) != 1 or Tensor(found[-1], 0) in self._graph.outputs:
                break
            found.append(takers[0])
        return found

    def difference(self, place: Place, feeds: Mapping[Any, Array], source: Any, other: Array) -> Array:
        """What is missing at a place, on average, if ``other`` is in the place of what the feeds have for
        ``source``: an element for each of the parameter."""
        session = self._runtime.segment(feeds, [Tensor(place.node, 0)])
        (wanted,) = session.run(feeds)
        (found,) = session.run({**feeds, source: other})
        difference = wanted.astype(np.float64) - found.astype(np.float64)
        axes = tuple(axis for axis in range(difference.ndim) if axis != place.axis)
        return np.asarray(difference.mean(axis=axes))

    def _candidates(self, node: int) -> Iterator[str]:
        """Parameters that a node takes, itself or what is computed from them."""
        rule = self._analysis.lowered.rules[node]
        if not self._is_there(Tensor(node, 0)):
            return
        shapes = self._analysis.model.parameter_shapes or {}
        for place, tensor in enumerate(self._graph.nodes[node].inputs):
            if tensor.node not in self.constant:
                continue
            if rule is not None and place < len(rule.inputs) and rule.inputs[place].slot in rule.scales:
                continue
            for source in sorted(self._sources(tensor)):
                name = self._graph.nodes[source.node].name
                size = int(np.prod(shapes.get(name, (0,))))
                if len(self._takers[source]) != 1 or not 0 < size <= _MOST_ELEMENTS:
                    continue
                if self._analysis.model.parameter(name).dtype.kind == "f":
                    yield name

    def _is_there(self, tensor: Tensor) -> bool:
        """Whether anything takes a value: what nobody takes may not even have a name."""
        return tensor in self._takers or tensor in self._graph.outputs

    def _sources(self, tensor: Tensor) -> set[Tensor]:
        """The parameters that a value is computed from."""
        found: set[Tensor] = set()
        waiting = [tensor]
        while waiting:
            current = waiting.pop()
            if current.node in self._graph.parameters:
                found.add(current)
            waiting += self._graph.nodes[current.node].inputs
        return found

    def _made(self, node: int, feeds: Mapping[Any, Array]) -> Array:
        """The first output of a node."""
        return self._runtime.segment(feeds, [Tensor(node, 0)]).run(feeds)[0]

    def _axis(self, node: int, parameter: str, feeds: Mapping[Any, Array], before: Array) -> Optional[int]:
        """The axis of a node's output along which a parameter is added to it; ``None`` where it is not.
        ``before`` is the output as it is."""
        values = self._analysis.model.parameter(parameter)
        if before.dtype.kind != "f" or values.size not in before.shape:
            return None
        scale = max(float(np.abs(before).max(initial=0.0)), 1e-6)
        step = np.linspace(0.5, 1.0, values.size) * scale
        tried = {parameter: (values + step.reshape(values.shape)).astype(values.dtype)}
        (after,) = self._runtime.segment(feeds, [Tensor(node, 0)], tried).run(feeds)
        if after.shape != before.shape:
            return None
        change = after.astype(np.float64) - before
        for axis, size in enumerate(change.shape):
            if size == step.size:
                moved = np.moveaxis(change, axis, -1)
                if bool((np.abs(moved - step) <= _ADDED * scale).all()):
                    return axis
        return None


def made_axis(analysis: Analysis, reader: Reader) -> Optional[int]:
    """The axis of a layer's first output along which the channels stand that it makes; ``None`` where they
    stand along several or none."""
    rule = analysis.lowered.rules[reader.node]
    graph = analysis.model.graph
    if rule is None or not rule.outputs:
        return None
    names: set[str] = set()
    for tensor, slot in zip(graph.nodes[reader.node].inputs, rule.inputs):
        if graph.nodes[tensor.node].name == reader.parameter:
            names |= {name for terms in slot.axes or () for name in names_of(terms)}
    found = [axis for axis, terms in enumerate(rule.outputs[0].axes or ()) if names & set(names_of(terms))]
    return found[0] if len(found) == 1 else None
