"""One pass over examples through an original and the models made of it, layer by layer."""

from __future__ import annotations

from typing import Any, Callable, Mapping, Optional, Sequence, Union

import numpy as np

from prunec.examples import Data
from prunec.frontends.runtime import Array, Session
from prunec.graph import Graph, Tensor
from prunec.restoring.mixing import FEW, Mixer, Mixing
from prunec.restoring.moments import Moments, Prediction, fold, predicted
from prunec.restoring.quality import Quality, QualityMeter, SpreadMeter
from prunec.restoring.readers import Contracted, Reader
from prunec.restoring.records import CUT, MEANS, RESTORED, Fit, Method, Subject
from prunec.restoring.shifts import Place, Shifts
from prunec.restoring.stages import IN_MEMORY, Stage, Walk, stages
from prunec.rewriting.places import Places, cut_alike
from prunec.rewriting.slicing import slice_array

#: One block of examples in so many is held back.
_HELD = 4


class _Candidate:
    """One way of making up, on its way through the smaller model."""

    def __init__(self, name: str, walk: Walk) -> None:
        self.name = name
        self.walk = walk
        self.values: dict[str, Array] = {}
        self.fits: list[Fit] = []
        self.meter = QualityMeter()


class Pass:
    """The original, and the smaller model as each way of making up leaves it, side by side.

    A layer that makes queries is changed once their keys are known.  Where it makes these as well, it runs
    twice, with all between it and the two: before, for the keys, and after.
    """

    def __init__(
        self,
        subject: Subject,
        readers: Sequence[Reader],
        data: Data,
        mixer: Mixer,
        mixings: Sequence[Mixing],
        ways: Sequence[str],
    ) -> None:
        self._subject = subject
        self._graph = subject.analysis.model.graph
        self._readers = readers
        self._mixer = mixer
        self._mixings = mixings
        self._slices = {piece.name: piece for piece in subject.pruned.slices}
        self._places = Places(subject.analysis, subject.pruned)
        self._shifts = Shifts(subject.analysis, subject.original, readers)
        shelf = IN_MEMORY // (1 + len(ways))
        self._original = Walk(subject.original, shelf)
        # Where nothing is added behind any layer, means cannot be made up for: the model is as it is cut.
        shifted = any(self._shifts.possible(own) for own in readers)
        self._as_cut = [name for name in ways if name == MEANS and not shifted]
        self._candidates = [
            _Candidate(name, Walk(subject.smaller, shelf)) for name in ways if name not in self._as_cut
        ]
        self._blocks = list(data.batches())
        count = len(self._blocks)
        self._held = [count >= _HELD and number % _HELD == _HELD - 1 for number in range(count)]
        if not data.whole and len(next(iter(self._blocks[0][0].values()))) > FEW:
            # Single layers are tried on the first block.
            self._blocks[:1] = _split(self._blocks[0])
            self._held[:1] = [False, False]
        self._own, self._cut = QualityMeter(), QualityMeter()
        self._spread = SpreadMeter()
        self._cut_session: Optional[Session] = None
        self._cut_shapes: dict[str, tuple[int, ...]] = {}
        #: Layers that no examples reached, or other numbers than can be fitted.
        self.unfitted: list[int] = []

    @property
    def held_back(self) -> bool:
        """Whether there were enough examples to hold some back."""
        return any(self._held)

    @property
    def own_quality(self) -> Quality:
        """That of the original."""
        return self._own.result()

    @property
    def spread(self) -> float:
        """How much the original's outputs differ from example to example."""
        return self._spread.result()

    def methods(self, progress: Callable[[int, int], None]) -> list[Method]:
        """Runs all stages."""
        levels = _Levels(self._graph, self._readers, self._mixings)
        readers = [
            [own for own in self._readers if levels.of(own) == number] for number in range(levels.count)
        ]
        mixings = [
            [own for own in self._mixings if levels.of(own) == number] for number in range(levels.count)
        ]
        wanted = [
            [*self._taken(own), *(each.product.source for each in mixed)]
            for own, mixed in zip(readers, mixings)
        ]
        plan = stages(self._graph, [*wanted, list(self._graph.outputs)], levels.settled)
        try:
            for number, stage in enumerate(plan):
                progress(number, len(plan))
                self._stage(stage, [*readers, []][number], [*mixings, []][number], number == levels.count)
        finally:
            for walk in self._walks:
                walk.close()
        return [
            *(Method(own.name, own.values, tuple(own.fits), own.meter.result()) for own in self._candidates),
            *(Method(name, {}, (), self._cut.result()) for name in (*self._as_cut, CUT)),
        ]

    @property
    def _walks(self) -> list[Walk]:
        return [self._original, *(own.walk for own in self._candidates)]

    def _taken(self, readers: Sequence[Reader]) -> list[Tensor]:
        """What nodes take that follows from the model's inputs."""
        taken = dict.fromkeys(tensor for own in readers for tensor in self._graph.nodes[own.node].inputs)
        return [tensor for tensor in taken if tensor.node not in self._shifts.constant]

    def _stage(self, stage: Stage, readers: Sequence[Reader], mixings: Sequence[Mixing], last: bool) -> None:
        products = {id(own.product): own for own in mixings}
        every: list[Contracted] = [*readers, *(own.product for own in mixings)]
        sources = _by_source(every, self._subject.removed)
        moments = {own.name: [Moments(gone) for _, gone in sources] for own in self._candidates}
        for walk in self._walks:
            walk.begin()
        for block, (inputs, labels) in enumerate(self._blocks):
            # Nothing is fitted on outputs, which may be large: of words, one number for each of a vocabulary.
            if last and self.held_back and not self._held[block]:
                continue
            for walk in self._walks:
                walk.run(stage, block, inputs)
            for number, (group, _) in enumerate(sources):
                self._add(group, block, {name: own[number] for name, own in moments.items()})
            if last:
                self._compare(block, inputs, labels)
                for walk in self._walks:
                    walk.drop(stage, block)
        fitted = [(own, number) for number, (group, _) in enumerate(sources) for own in group]
        for own, number in fitted:
            if isinstance(own, Reader):
                self._fit(own, {name: held[number] for name, held in moments.items()})
        for own, number in fitted:
            if id(own) in products:
                self._mix(products[id(own)], moments[RESTORED][number])
        for walk in self._walks:
            for block in range(len(self._blocks)):
                walk.drop(stage, block)

    def _value(self, walk: Walk, block: int, tensor: Tensor) -> Array:
        node = self._graph.nodes[tensor.node]
        if node.operator is None:
            array = np.asarray(self._blocks[block][0][node.name])
            kept = None if walk is self._original else self._places.gather(tensor, array)
            return array if kept is None else kept
        return walk.get(block, tensor)

    def _add(self, readers: Sequence[Contracted], block: int, moments: Mapping[str, Moments]) -> None:
        """Takes in a block for readers of the same channels."""
        source, view = readers[0].source, readers[0].data
        before = view.table(self._value(self._original, block, source))
        held = self._held[block]
        for candidate in self._candidates:
            if candidate.name == MEANS and not any(isinstance(own, Reader) for own in readers):
                continue
            whole = self._places.scatter(source, self._value(candidate.walk, block, source))
            if whole is not None:
                moments[candidate.name].add(before, view.table(whole), self._held.count(held), held)

    def _compare(self, block: int, inputs: Mapping[str, Array], labels: Optional[Array]) -> None:
        outputs = self._graph.outputs
        before = [self._value(self._original, block, tensor) for tensor in outputs]
        kept = cut_alike(self._places.outputs, before)
        self._own.add(before, before, labels)
        self._spread.add(before)
        for candidate in self._candidates:
            after = [self._value(candidate.walk, block, tensor) for tensor in outputs]
            candidate.meter.add(kept, after, labels)
        shapes = {name: array.shape for name, array in inputs.items()}
        if self._cut_session is None or shapes != self._cut_shapes:
            self._cut_session, self._cut_shapes = self._subject.smaller.session(inputs), shapes
        self._cut.add(kept, self._cut_session.run(inputs), labels)

    # --- fitting ---

    def _fit(self, reader: Reader, moments: Mapping[str, Moments]) -> None:
        if not all(own.usable for own in moments.values()):
            self.unfitted.append(reader.node)
            return
        feeds = self._feeds(reader)
        place = self._shifts.place(reader, feeds)
        original = self._subject.analysis.model.parameter
        for candidate in self._candidates:
            own = moments[candidate.name]
            if candidate.name == MEANS and place is None:
                continue
            weight = candidate.values.get(reader.parameter, original(reader.parameter))
            table = reader.weight.table(weight)
            found = own.predict(table, shifted=place is not None, copying=candidate.name == MEANS)
            if candidate.name != MEANS:
                self._set(candidate, reader.parameter, reader.weight.array(fold(found, table), weight.shape))
            if place is not None:
                shift = self._lacking(reader, candidate, feeds, place, found)
                old = candidate.values.get(place.parameter, original(place.parameter))
                self._set(candidate, place.parameter, old + shift.reshape(old.shape))
            candidate.fits.append(self._record(reader, reader.parameter, own, found, table, place))

    def _mix(self, mixing: Mixing, own: Moments) -> None:
        """Folds what predicts the channels that a product reads into the layer that makes its other value."""
        if not own.usable:
            self.unfitted.append(mixing.node)
            return
        candidate = next(each for each in self._candidates if each.name == RESTORED)
        found = own.predict(mixing.queries, shifted=mixing.centred)
        matrices = {
            int(shared): (matrix, kept)
            for shared, matrix, kept in zip(found.rows, found.matrix * mixing.factor, found.kept)
        }
        changed = self._mixer.mixed(mixing, matrices, candidate.values)
        for name, values in (changed or {}).items():
            self._set(candidate, name, values)
        place = mixing.place if mixing.centred else None
        candidate.fits.append(
            self._record(mixing.product, mixing.reader.parameter, own, found, mixing.queries, place)
        )

    def _feeds(self, reader: Reader) -> dict[Any, Array]:
        """What a layer takes in the original, for the first block."""
        feeds: dict[Any, Array] = dict(self._blocks[0][0])
        for tensor in self._taken([reader]):
            if self._graph.nodes[tensor.node].operator is not None:
                feeds[tensor] = self._value(self._original, 0, tensor)
        return feeds

    def _lacking(
        self,
        reader: Reader,
        candidate: _Candidate,
        feeds: Mapping[Any, Array],
        place: Place,
        found: Prediction,
    ) -> Array:
        """What the intercept comes to where it is added."""
        small = self._value(candidate.walk, 0, reader.source)
        whole = self._places.scatter(reader.source, small)
        assert whole is not None
        table = reader.data.table(whole)
        both = [
            reader.data.array(predicted(found, table, shifted), whole.shape).astype(whole.dtype)
            for shifted in (True, False)
        ]
        key = reader.source if reader.source in feeds else self._graph.nodes[reader.source.node].name
        return self._shifts.difference(place, {**feeds, key: both[0]}, key, both[1])

    def _set(self, candidate: _Candidate, name: str, values: Array) -> None:
        original = self._subject.analysis.model.parameter(name)
        candidate.values[name] = values.astype(original.dtype)
        piece = self._slices.get(name)
        small = candidate.values[name]
        candidate.walk.parameters[name] = small if piece is None else slice_array(piece, small)

    def _record(
        self,
        reader: Contracted,
        parameter: str,
        own: Moments,
        found: Prediction,
        table: Array,
        place: Optional[Place],
    ) -> Fit:
        fitted, held = own.errors(found, table)
        names = [node.name for node in self._graph.nodes]
        target = None if place is None else names[place.node]
        gone = int(own.gone.sum())
        cells = own.gone.size
        return Fit(
            names[reader.node],
            parameter,
            cells,
            gone,
            fitted,
            held,
            found.ridge,
            found.starved,
            own.still,
            target,
        )


#: Inputs by name, and labels.
_Block = tuple[dict[str, Array], Optional[Array]]


def _split(block: _Block) -> list[_Block]:
    """A block in two, the first of a few examples."""
    inputs, labels = block
    return [
        ({name: array[part] for name, array in inputs.items()}, None if labels is None else labels[part])
        for part in (slice(None, FEW), slice(FEW, None))
    ]


def _by_source(readers: Sequence[Contracted], removed: Array) -> list[tuple[list[Contracted], Array]]:
    """Readers of the same channels together, with what goes of these."""
    found: list[tuple[list[Contracted], Array]] = []
    for reader in readers:
        gone = reader.gone(removed)
        for group, other in found:
            same = group[0].source == reader.source and group[0].data == reader.data
            if same and np.array_equal(gone, other):
                group.append(reader)
                break
        else:
            found.append(([reader], gone))
    return found


class _Levels:
    """The piece in which each layer is fitted: ``behind`` says for each node how many fits stand one behind
    the other up to what it makes, ``settled`` which pieces the nodes on the way to a product are not computed
    in for good."""

    def __init__(self, graph: Graph, readers: Sequence[Reader], mixings: Sequence[Mixing]) -> None:
        self._nodes = graph.nodes
        self._mixings = {own.node: own for own in mixings}
        self.behind = [0] * len(graph.nodes)
        self.settled: dict[int, int] = {}
        fitted = {own.node for own in readers}
        for index in range(len(graph.nodes)):
            self.behind[index] = self._before(index) + (index in fitted)
            mixing = self._mixings.get(index)
            if mixing is not None:
                level = self.of(mixing)
                self.behind[index] = max(self.behind[index], level + 1)
                self.settled.update((node, max(self.settled.get(node, -1), level)) for node in mixing.path)
        every: list[Union[Reader, Mixing]] = [*readers, *mixings]
        self.count = max((self.of(own) + 1 for own in every), default=0)

    def of(self, own: Union[Reader, Mixing]) -> int:
        """The piece for a reader, or for a product."""
        if isinstance(own, Mixing):
            return max(self.behind[own.product.source.node], self._before(own.reader.node))
        return self._before(own.node)

    def _before(self, node: int) -> int:
        return max((self.behind[tensor.node] for tensor in self._nodes[node].inputs), default=0)
