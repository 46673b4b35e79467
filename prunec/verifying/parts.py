"""What is computed from parameters alone, node by node.

Where a parameter meets an input of the model only after other operators, what these make of it is the same
for all inputs: units of a small network that computes a bias, say, may never be active, and a wrong slice of
their parameters would pass.  Each node from the parameter to where it meets a value that varies is run by
itself then, in both models, with random values in the place of all that enters it.  If all agree, the models
compute the same whatever the parameters are, and it is enough that a wrong slice shows where the parameter is
taken, with the constants that enter there too, or with random values in the place of these (zeros, say).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Iterator, Optional, Sequence

import numpy as np

from prunec.frontends.runtime import Array
from prunec.graph import Tensor
from prunec.rewriting.slicing import mask_array, slice_array
from prunec.support.comparison import TOLERANCE
from prunec.support.diagnostics import PrunecError
from prunec.verifying.apart import sampled_like
from prunec.verifying.comparing import Course, error_of
from prunec.verifying.running import Examples, Subject, Values, doubt_of, made_by_operators


@dataclass(frozen=True, eq=False)
class _Part:
    """One node by itself: what enters the smaller model's, and what it should make of that."""

    feeds: dict[Any, Array]
    expected: Values


class Parts:
    """The nodes of a model that are run by themselves, each at most once."""

    def __init__(self, subject: Subject, examples: Examples, way: Course) -> None:
        self._subject, self._examples, self._way = subject, examples, way
        nodes = subject.analysis.model.graph.nodes
        self._variables = {node.name: index for index, node in enumerate(nodes) if node.operator is None}
        self._known: dict[int, Optional[_Part]] = {}

    def shows(self, name: str, meetings: Sequence[int], wrong: Sequence[Array]) -> Optional[int]:
        """A node that takes a parameter and where each of some wrong slices of it shows, if all nodes up to
        its ``meetings`` with values that vary agree in both models.  Raises PrunecError P700 to P705."""
        variable = self._variables.get(name)
        if variable is None:
            return None
        before = self._before(variable, meetings)
        if not before or any(self._part(node) is None for node in (*before, *meetings)):
            return None
        takers = self._way.depends.consumers[Tensor(variable, 0)]
        for node in takers:
            if node in before and (
                self._refuses(self._part(node), name, wrong)
                or self._refuses(self._compared(node, name), name, wrong)
            ):
                return node
        return None

    def _before(self, variable: int, meetings: Sequence[int]) -> list[int]:
        """The nodes between a variable and its meetings."""
        depends, seen = self._way.depends, set(meetings)
        waiting, found = [Tensor(variable, 0)], []
        while waiting:
            for node in depends.consumers.get(waiting.pop(), ()):
                made = [own for own in depends.used.get(node, ()) if own in depends.affected]
                if made and node not in seen:
                    seen.add(node)
                    found.append(node)
                    waiting += made
        return sorted(found)

    def _part(self, node: int) -> Optional[_Part]:
        """A node by itself; ``None`` where it does not agree, or its agreement would prove nothing."""
        if node not in self._known:
            try:
                self._known[node] = self._compared(node)
            except PrunecError:
                self._known[node] = None  # an operator may take no random values
        return self._known[node]

    def _compared(self, node: int, taken: Optional[str] = None) -> Optional[_Part]:
        """How a node by itself compares; of a node that takes a parameter, with random values in the place of
        all constants besides."""
        subject, depends = self._subject, self._way.depends
        inputs = subject.analysis.model.graph.nodes[node].inputs
        shown = inputs if taken is not None else [own for own in inputs if own in depends.affected]
        first, second = self._sampled(made_by_operators(subject.analysis, shown))
        feeds: dict[Any, Array] = {**self._examples.first, **first}
        whole_feeds: dict[Any, Array] = dict(self._examples.first)
        for tensor, array in first.items():
            full = self._way.places.scatter(tensor, array)
            if full is None:
                return None
            whole_feeds[tensor] = full
        if taken is not None:
            for name, whole, small in self._sampled_parameters(inputs, taken):
                whole_feeds[name], feeds[name] = whole, small
        made = [tensor for tensor in depends.used.get(node, ()) if tensor in depends.affected]
        session = subject.smaller.segment(feeds, made)
        actual = session.run(feeds)
        other = session.run({**feeds, **self._examples.second, **second}) if first else None
        found = subject.original.segment(whole_feeds, made, subject.masked).run(whole_feeds)
        expected = self._agreeing(made, found, actual, other)
        return None if expected is None else _Part(feeds, expected)

    def _sampled(self, entered: Sequence[Tensor]) -> tuple[Values, Values]:
        """Random values in the place of those that enter a node of the smaller model, and others."""
        examples = self._examples.first
        values = self._subject.smaller.segment(examples, entered).run(examples) if entered else []
        first, second = (
            {tensor: sampled_like(own, seed, n) for n, (tensor, own) in enumerate(zip(entered, values))}
            for seed in (0, 1)
        )
        return first, second

    def _agreeing(
        self,
        made: Sequence[Tensor],
        whole: Sequence[Array],
        actual: Sequence[Array],
        other: Optional[Sequence[Array]],
    ) -> Optional[Values]:
        """What stays of the original's values; ``None`` where the smaller model's differ, or do not vary with
        what enters."""
        expected: Values = {}
        for place, (tensor, full, own) in enumerate(zip(made, whole, actual)):
            kept = self._way.places.gather(tensor, full)
            if kept is None or not error_of(kept, own) <= TOLERANCE:
                return None
            if other is not None and doubt_of(own, other[place]) is not None:
                return None
            expected[tensor] = kept
        return expected

    def _sampled_parameters(self, inputs: Sequence[Tensor], taken: str) -> Iterator[tuple[str, Array, Array]]:
        """Random values in the place of the parameters among some inputs but one, by name: masked, and as the
        smaller model has them."""
        model, slices = self._subject.analysis.model, self._subject.pruned.slices
        pieces = {own.name: own for own in slices}
        nodes, parameters = model.graph.nodes, model.graph.parameters
        names = dict.fromkeys(nodes[own.node].name for own in inputs if own.node in parameters)
        for place, name in enumerate(names):
            array = np.asarray(model.parameter(name))
            if name == taken or array.dtype.isbuiltin != 1 or array.dtype.kind != "f":
                continue
            sampled, piece = sampled_like(array, 0, place), pieces.get(name)
            if piece is None:
                yield name, sampled, sampled
            else:
                yield name, mask_array(piece, sampled), slice_array(piece, sampled)

    def _refuses(self, part: Optional[_Part], name: str, wrong: Sequence[Array]) -> bool:
        if part is None:
            return False
        for array in wrong:
            session = self._subject.smaller.segment(part.feeds, list(part.expected), {name: array})
            made = zip(part.expected.values(), session.run(part.feeds))
            if all(error_of(kept, own) <= TOLERANCE for kept, own in made):
                return False
        return bool(wrong)
