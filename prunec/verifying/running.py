"""Running the two models of a proof, between any of their values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Iterable, Mapping, Optional, Sequence

import numpy as np

from prunec.analysis.analyse import Analysis
from prunec.frontends.runtime import Array, Feeds, Runtime, Session
from prunec.graph import Tensor
from prunec.rewriting.emit import Pruned
from prunec.rewriting.places import Places
from prunec.support.comparison import doubt_about, relative_error
from prunec.support.diagnostics import with_location
from prunec.verifying.dependence import Dependence

#: How messages call the two models.
ORIGINAL, SMALLER = "the original model", "the smaller model"

Values = dict[Tensor, Array]
#: The kinds of elements that differ by more or less.
NUMBERS = "iufb"


@dataclass(frozen=True, eq=False)
class Subject:
    """Two models to compare: what runs them, what the plan made of the one, and its sliced parameters with
    what goes set to its neutral value, by name."""

    analysis: Analysis
    pruned: Pruned
    original: Runtime
    smaller: Runtime
    masked: Mapping[str, Array]


@dataclass(frozen=True, eq=False)
class Examples:
    """What models are run on, by input: values, and others of the same shapes, which show what varies."""

    first: Mapping[str, Array]
    second: Mapping[str, Array]


@dataclass(frozen=True, eq=False)
class SmallRun:
    """What the smaller model computed: inner ``values``, and the ``outputs`` of the model as users run it.
    Of each value ``doubts`` says why its agreement would prove nothing, with the values for other inputs in
    view, and ``noise`` what a last bit of the inputs makes of it, relative to its largest element;
    ``zeroed`` names inputs that were set to zero."""

    values: Values
    outputs: Sequence[Array]
    doubts: Mapping[Tensor, Optional[str]]
    noise: Mapping[Tensor, float]
    zeroed: tuple[str, ...]


def run_smaller(
    subject: Subject, examples: Examples, wanted: Sequence[Tensor], starts: Sequence[Tensor]
) -> SmallRun:
    """Runs the smaller model.  What breaks make, ``starts``, is the same for inputs that differ in their last
    bit.  Raises PrunecError P700 to P705."""
    with with_location(SMALLER):
        whole = subject.smaller.session(examples.first)
        outputs = whole.run(examples.first)
        zeroed = whole.zeroed
        del whole
        if not wanted:
            return SmallRun({}, outputs, {}, {}, zeroed)
        session = subject.smaller.segment(examples.first, wanted)
        values = dict(zip(wanted, session.run(examples.first)))
        feeds: dict[Any, Array] = dict(jittered(examples.first))
        feeds.update((tensor, values[tensor]) for tensor in starts)
        # What counts is the model as users run it, as a whole.
        graph_outputs = zip(subject.analysis.model.graph.outputs, outputs)
        values.update((tensor, array) for tensor, array in graph_outputs if tensor in values)
        # All inner values of a network take room: of two more runs no more is kept than what they show.
        others = zip(wanted, session.run(examples.second))
        doubts = {tensor: doubt_of(values[tensor], array) for tensor, array in others}
        if starts:
            wanted = [tensor for tensor in wanted if tensor not in feeds]
            session = subject.smaller.segment(feeds, wanted)
        noise = {tensor: _noise(values[tensor], array) for tensor, array in zip(wanted, session.run(feeds))}
    return SmallRun(values, outputs, doubts, noise, zeroed)


def doubt_of(value: Array, other: Array) -> Optional[str]:
    """Why agreement of a value would prove nothing, given it for other inputs; ``None`` where it would."""
    return doubt_about(value, other) if value.dtype.kind in NUMBERS else None


def _noise(value: Array, noisy: Array) -> float:
    if noisy.shape != value.shape or value.dtype.kind != "f":
        return 0.0
    return relative_error(value, noisy)


def run_original(
    subject: Subject,
    examples: Examples,
    places: Places,
    depends: Dependence,
    fed: Mapping[Tensor, Array],
    points: Sequence[Tensor],
) -> Values:
    """What the masked original computes at ``points``, with ``fed`` in the place of some of its values.

    A weight that the graph divides by its own length has none in the rows that were masked: what follows from
    parameters alone is no number there, and zero is put in its place.  Raises PrunecError P700 to P705.
    """
    with with_location(ORIGINAL):
        found = _original(subject, {**examples.first, **fed}, points)
        if all(np.isfinite(array).all() for array in found.values() if array.dtype.kind == "f"):
            return found
        mended = _mended(subject, examples, places, depends)
        return _original(subject, {**examples.first, **fed, **mended}, points) if mended else found


def _original(subject: Subject, feeds: Feeds, points: Sequence[Tensor]) -> Values:
    if not points:
        return {}
    session = subject.original.segment(feeds, points, subject.masked)
    return dict(zip(points, session.run(feeds)))


def _mended(subject: Subject, examples: Examples, places: Places, depends: Dependence) -> Values:
    """Values that follow from parameters alone and are no numbers just where something was masked."""
    graph = subject.analysis.model.graph
    edge = [
        tensor
        for tensor, users in depends.consumers.items()
        if tensor in depends.affected
        and tensor not in depends.varying
        and graph.nodes[tensor.node].operator is not None
        and places.shrinks(tensor)
        and any(own in depends.varying for user in users for own in depends.used.get(user, ()))
    ]
    mended: Values = {}
    for tensor, array in _original(subject, examples.first, edge).items():
        kept = places.gather(tensor, array)
        if array.dtype.kind == "f" and not np.isfinite(array).all() and kept is not None:
            if np.isfinite(kept).all():
                mended[tensor] = np.where(np.isfinite(array), array, array.dtype.type(0))
    return mended


def entering(
    subject: Subject,
    examples: Examples,
    places: Places,
    depends: Dependence,
    small: Mapping[Tensor, Array],
    node: int,
    full: bool = True,
) -> Optional[dict[Any, Array]]:
    """What enters a node and varies, as the smaller model computed it, at the original's size where ``full``;
    ``None`` where a value has another shape than the plan gives it.  The model's inputs are there too, as
    sizes may be taken from them."""
    feeds: dict[Any, Array] = dict(examples.first)
    for tensor in made_by_operators(subject.analysis, varying_inputs(subject.analysis, depends, node)):
        value = places.scatter(tensor, small[tensor]) if full else small[tensor]
        if value is None:
            return None
        feeds[tensor] = value
    return feeds


def varying_inputs(analysis: Analysis, depends: Dependence, node: int) -> list[Tensor]:
    """The inputs of a node that vary, each once."""
    inputs = analysis.model.graph.nodes[node].inputs
    return list(dict.fromkeys(tensor for tensor in inputs if tensor in depends.varying))


def made_by_operators(analysis: Analysis, tensors: Iterable[Tensor]) -> list[Tensor]:
    """Those that are no variables, each once."""
    nodes = analysis.model.graph.nodes
    return [tensor for tensor in dict.fromkeys(tensors) if nodes[tensor.node].operator is not None]


def jittered(inputs: Mapping[str, Array]) -> dict[str, Array]:
    """Inputs that differ in the last bit of every number that is not whole, up or down at random.  Whole
    numbers may be positions, of which the next one is another."""
    generator = np.random.default_rng(0)
    moved = {}
    for name, array in inputs.items():
        if array.dtype.kind == "f":
            towards = np.where(generator.random(array.shape) < 0.5, -np.inf, np.inf).astype(array.dtype)
            array = np.where(array == np.floor(array), array, np.nextafter(array, towards))
        moved[name] = array
    return moved


def random_nodes(subject: Subject, inputs: Mapping[str, Array]) -> frozenset[int]:
    """The nodes whose outputs differ between two runs on the same inputs, though nothing before them does."""
    graph = subject.analysis.model.graph
    used = dict.fromkeys(
        tensor for node in graph.nodes for tensor in node.inputs if graph.nodes[tensor.node].operator
    )
    wanted = list(used)
    if not wanted:
        return frozenset()
    session: Session = subject.smaller.segment(inputs, wanted)
    first, second = session.run(inputs), session.run(inputs)
    unsteady = {
        tensor for tensor, a, b in zip(wanted, first, second) if not np.array_equal(a, b, equal_nan=_float(a))
    }
    return frozenset(
        tensor.node for tensor in unsteady if not unsteady & set(graph.nodes[tensor.node].inputs)
    )


def _float(array: Array) -> bool:
    return array.dtype.kind in "fc"
