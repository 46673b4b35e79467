"""Which sliced parameters a comparison speaks for.

A comparison that a wrong slice would pass proves nothing.  So each parameter of the smaller model is damaged
in several ways, where the parameter first meets a value that varies: its elements are scaled, and positions
along a sliced axis exchanged.  The parameter is witnessed where the comparison refuses all of that.  See
:mod:`prunec.verifying.parts` for parameters of which that shows nothing as others come before the inputs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Iterable, Iterator, Mapping, Optional, Sequence, Union

import numpy as np

from prunec.frontends.runtime import Array, Session
from prunec.graph import Tensor
from prunec.rewriting.slicing import ParameterSlice, mask_array, slice_array
from prunec.verifying.comparing import ComparedModels, Course, error_of
from prunec.verifying.dependence import Break, SlicedParameter
from prunec.verifying.parts import Parts
from prunec.verifying.running import Examples, Subject, made_by_operators, varying_inputs
from prunec.verifying.verdict import Compared, Evidence, Witness


def witnesses(
    subject: Subject, examples: Examples, way: Course, found: ComparedModels
) -> tuple[Witness, ...]:
    """What speaks for each sliced parameter.  Raises PrunecError P700 to P705."""
    court = _Court(subject, examples, way, found)
    return tuple(_witness(court, target) for target in way.depends.targets)


def _witness(court: _Court, target: SlicedParameter) -> Witness:
    subject, way = court.subject, court.way
    piece = court.slices[target.name]
    right = slice_array(piece, subject.masked[target.name])
    nodes = subject.analysis.model.graph.nodes
    if not target.meetings:
        return Witness(target.name, Evidence.NONE, "nothing that depends on the inputs takes it")
    heard = [node for node in target.meetings if way.depends.breaks.get(node) is not Break.STATISTICS]
    statistics = ", ".join(nodes[node].name for node in target.meetings if node not in heard)
    if not heard:
        return Witness(target.name, Evidence.STATISTICS, statistics)
    heard = [node for node in heard if not _makes_nothing(court, node)]
    if not heard:
        return Witness(target.name, Evidence.IGNORED, "what is made of it has no elements")
    wrong = wrong_slices(piece, right)
    if not wrong:
        return Witness(target.name, Evidence.UNIFORM)
    reasons: dict[str, None] = {}
    ignoring: list[str] = []
    for node in heard:
        for evidence, reason in _Hearing(court, piece, right, node).answers(wrong):
            if evidence is Evidence.IGNORED:
                ignoring.append(reason)
                break
            if evidence is not Evidence.NONE:
                return Witness(target.name, evidence, reason)
            reasons[reason] = None
    if len(ignoring) < len(heard):
        taking = court.parts.shows(target.name, heard, wrong)
        if taking is not None:
            return Witness(target.name, Evidence.WITNESSED, f"{nodes[taking].name} by itself")
        return Witness(target.name, Evidence.NONE, "; ".join(list(reasons)[:3]))
    if statistics:
        return Witness(target.name, Evidence.STATISTICS, statistics)
    return Witness(target.name, Evidence.IGNORED, ", ".join(ignoring))


def _makes_nothing(court: _Court, node: int) -> bool:
    """Whether all that a node makes is known to have no elements."""
    shapes, made = court.subject.analysis.lowered.shapes, court.way.depends.used.get(node, ())
    return bool(made) and all(0 in (shapes.get(tensor) or ()) for tensor in made)


def wrong_slices(piece: ParameterSlice, right: Array) -> list[Array]:
    """What a slice must not be taken for: the same scaled by -3, and for each axis that is sliced, with each
    position taken for the next one, in the opposite order, and with the first and the last position
    exchanged; what changes nothing is left out."""
    # Whole numbers may be positions, of which there are not three times as many.
    found = [(-3 * right).astype(right.dtype)] if right.dtype.kind == "f" else []
    for axis, (before, after) in enumerate(zip(piece.shape, piece.new_shape)):
        if before != after:
            order = np.arange(right.shape[axis])
            order[[0, -1]] = order[[-1, 0]]
            found += [np.roll(right, 1, axis), np.flip(right, axis), np.take(right, order, axis)]
    return [array for array in found if not np.array_equal(array, right)]


def _size(array: Array) -> float:
    """The root mean square of the finite elements of an array."""
    finite = array[np.isfinite(array)].astype(np.float64)
    return float(np.sqrt(np.mean(finite**2))) if finite.size else 0.0


Run = Callable[[Array], list[Array]]


class _Court:
    """What a comparison found, and the node of the smaller model that is ready to be run by itself: most
    nodes take several parameters, one behind the other."""

    def __init__(self, subject: Subject, examples: Examples, way: Course, found: ComparedModels) -> None:
        self.subject, self.examples, self.way, self.found = subject, examples, way, found
        self.slices = {own.name: own for own in subject.pruned.slices}
        self.parts = Parts(subject, examples, way)
        self._taken: dict[int, list[str]] = {}
        for target in way.depends.targets:
            for node in target.meetings:
                self._taken.setdefault(node, []).append(target.name)
        self._ready: Optional[tuple[int, tuple[Tensor, ...], Session, dict[Any, Array]]] = None

    def near(self, feeds: Mapping[Any, Array], node: int) -> dict[Any, Array]:
        """Of values that enter many nodes those that enter one, and the inputs of the model."""
        inputs = varying_inputs(self.subject.analysis, self.way.depends, node)
        return {key: array for key, array in feeds.items() if key in inputs or isinstance(key, str)}

    def at_the_node(
        self, node: int, informative: Sequence[Tensor], piece: ParameterSlice, right: Array
    ) -> Run:
        """Runs a node of the smaller model by itself with an array in the place of the slice."""
        smaller, name, feeds = self.subject.smaller, piece.name, self.found.apart.feeds
        if right.dtype.isbuiltin != 1:  # no session takes such numbers: they have to be part of the model
            near = self.near(feeds, node)
            return lambda array: smaller.segment(near, informative, {name: array}).run(near)
        if self._ready is None or self._ready[:2] != (node, tuple(informative)):
            own = self.near(feeds, node)
            for other in self._taken[node]:
                sliced = slice_array(self.slices[other], self.subject.masked[other])
                if sliced.dtype.isbuiltin == 1:
                    own[other] = sliced
            self._ready = (node, tuple(informative), smaller.segment(own, informative), own)
        _, _, session, usual = self._ready
        return lambda array: session.run({**usual, name: array})

    def opposite(self, node: int) -> Optional[tuple[dict[Any, Array], dict[Any, Array]]]:
        """What enters a node by itself with the opposite sign or truth, in the smaller model and at the
        original's size; ``None`` where something that enters has none."""
        analysis, places = self.subject.analysis, self.way.places
        small = self.near(self.found.apart.feeds, node)
        whole = self.near(self.found.apart.whole_feeds, node)
        for tensor in made_by_operators(analysis, varying_inputs(analysis, self.way.depends, node)):
            if small[tensor].dtype.kind not in "fb":
                return None
            small[tensor] = ~small[tensor] if small[tensor].dtype.kind == "b" else -small[tensor]
            full = places.scatter(tensor, small[tensor])
            assert full is not None, "what entered has the plan's shape"
            whole[tensor] = full
        return small, whole

    def in_the_network(self, tensor: Tensor, piece: ParameterSlice, right: Array) -> Run:
        """Runs the smaller model up to a value with an array in the place of the slice."""
        smaller, name, feeds = self.subject.smaller, piece.name, dict(self.examples.first)
        if right.dtype.isbuiltin != 1:
            return lambda array: smaller.segment(feeds, [tensor], {name: array}).run(feeds)
        session = smaller.segment({**feeds, name: right}, [tensor])
        return lambda array: session.run({**feeds, name: array})


@dataclass(frozen=True, eq=False)
class _Hearing:
    """What the comparison has to say of a parameter where one node takes it; ``right`` is its slice."""

    court: _Court
    piece: ParameterSlice
    right: Array
    node: int

    def answers(self, wrong: Sequence[Array]) -> Iterator[tuple[Evidence, str]]:
        """By the node itself on random values, with other values in the parameter's place, on the values of
        the network, then by what stands behind."""
        court, found = self.court, self.court.found
        informative = self._informative(found.compared_apart)
        if informative:
            name = self._name(informative[0])
            run = court.at_the_node(self.node, informative, self.piece, self.right)
            if self._refused(run, found.apart.expected, found.compared_apart, informative, wrong):
                yield Evidence.WITNESSED, name
            if self._not_read(run):
                yield self._on_the_opposite(informative)
            elif self._seen_enlarged(run, informative):
                yield Evidence.WITNESSED, f"{name}, with larger values in its place"
            yield Evidence.NONE, f"a wrong slice would hardly show at {name}"
        made = [t for t in court.way.depends.used.get(self.node, ()) if t in found.compared]
        for tensor in made:
            doubt = found.compared[tensor].doubt
            if doubt is not None:
                yield Evidence.NONE, f"{self._name(tensor)}: {doubt}"
        behind = sorted(t for t in court.way.depends.behind([self.node]) if t not in made)
        for tensor in [*self._informative(found.compared), *self._informative(found.compared, behind)][:2]:
            yield self._in_the_network(tensor, wrong)

    def _in_the_network(self, tensor: Tensor, wrong: Sequence[Array]) -> tuple[Evidence, str]:
        run, found = self.court.in_the_network(tensor, self.piece, self.right), self.court.found
        if self._refused(run, found.expected, found.compared, [tensor], wrong):
            return Evidence.WITNESSED, self._name(tensor)
        return Evidence.NONE, f"a wrong slice would hardly show at {self._name(tensor)}"

    def _refused(
        self,
        run: Run,
        expected: Mapping[Tensor, Array],
        compared: Mapping[Tensor, Compared],
        informative: Sequence[Tensor],
        wrong: Sequence[Array],
    ) -> bool:
        """Whether the comparison refuses some wrong slices: each that is wrong in elements that are read."""
        refused = False
        for array in wrong:
            actual = run(array)
            if not all(
                error_of(expected[t], own) <= compared[t].tolerance for t, own in zip(informative, actual)
            ):
                refused = True
            elif not self._not_read(run, array != self.right):
                return False
        return refused

    def _not_read(self, run: Run, where: Union[bool, Array] = True) -> bool:
        """Whether an operator that a rule knows does not read the parameter for what enters, or some of its
        elements, as rows of a table that no position asks for: what is no number leaves no trace."""
        if self.node in self.court.subject.analysis.lowered.opaque or self.right.dtype.kind != "f":
            return False
        base, poisoned = run(self.right), run(np.where(where, self.right.dtype.type(np.nan), self.right))
        return all(np.array_equal(a, b, equal_nan=a.dtype.kind == "f") for a, b in zip(base, poisoned))

    def _on_the_opposite(self, informative: Sequence[Tensor]) -> tuple[Evidence, str]:
        """What is not read for what enters may be for the opposite: the other side of a choice."""
        subject, name, feeds = self.court.subject, self.piece.name, self.court.opposite(self.node)
        if feeds is None:
            return Evidence.NONE, f"{self._name(informative[0])} does not read it for these inputs"
        small, whole = feeds
        masked = subject.masked[name]
        session = subject.smaller.segment({**small, name: self.right}, informative)
        original = subject.original.segment({**whole, name: masked}, informative, subject.masked)

        def run(array: Array) -> list[Array]:
            return session.run({**small, name: array})

        if self._not_read(run):
            return Evidence.IGNORED, self._name(informative[0])
        if self._seen(run, lambda array: original.run({**whole, name: array}), informative, [masked]):
            return Evidence.WITNESSED, f"{self._name(informative[0])}, for the opposite of what enters"
        return Evidence.NONE, f"{self._name(informative[0])} does not read it for these inputs"

    def _seen_enlarged(self, run: Run, informative: Sequence[Tensor]) -> bool:
        """Whether a wrong slice would be seen with larger and more varied values in the place of a parameter
        that is too small."""
        subject, apart = self.court.subject, self.court.found.apart
        masked = subject.masked[self.piece.name]
        if masked.dtype.kind != "f":
            return False
        generator, name = np.random.default_rng(0), self.piece.name
        feeds = self.court.near(apart.whole_feeds, self.node)
        original = subject.original.segment({**feeds, name: masked}, informative, subject.masked)
        # First only more varied, then as large as what the node makes, then none of them near zero: filters
        # that training left without any weight look all alike.
        larger = _size(apart.expected[informative[0]]) / (_size(self.right) or 1.0)
        filled = np.where(masked < 0, -1, 1) * _size(self.right)
        others = (
            mask_array(self.piece, (values * generator.uniform(0.5, 1.5, masked.shape)).astype(masked.dtype))
            for values in (masked, masked * larger, filled, filled * larger)
        )
        return self._seen(run, lambda array: original.run({**feeds, name: array}), informative, others)

    def _seen(self, run: Run, original: Run, informative: Sequence[Tensor], others: Iterable[Array]) -> bool:
        """Whether the node by itself agrees in both models, and would refuse wrong slices, with any of some
        values in the place of the masked parameter."""
        compared = self.court.found.compared_apart
        for other in others:
            expected = {}
            for tensor, whole in zip(informative, original(other)):
                kept = self.court.way.places.gather(tensor, whole)
                if kept is None:
                    return False
                expected[tensor] = kept
            right = slice_array(self.piece, other)
            if self._refused(run, expected, compared, informative, [right]):
                return False
            if self._refused(run, expected, compared, informative, wrong_slices(self.piece, right)):
                return True
        return False

    def _informative(
        self, compared: Mapping[Tensor, Compared], tensors: Optional[Sequence[Tensor]] = None
    ) -> list[Tensor]:
        """Of what the node makes, or of some values, those whose agreement says something."""
        own = self.court.way.depends.used.get(self.node, ()) if tensors is None else tensors
        return [t for t in own if t in compared and compared[t].agrees and compared[t].doubt is None]

    def _name(self, tensor: Tensor) -> str:
        return self.court.subject.analysis.model.graph.nodes[tensor.node].name
