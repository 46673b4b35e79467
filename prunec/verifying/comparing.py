"""The smaller model against the masked original, value by value.

Both models run on the same inputs.  They are compared at their outputs, at whatever first takes a sliced
parameter, and at what enters a break.  Behind a break the original goes on from what the smaller model has
there, at full size, zero where something went; so each segment is proved by itself, and a break that gives
the same for the same inputs is run by itself as well.  What takes sliced parameters runs once more on random
values: see :mod:`prunec.verifying.apart`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Iterable, Mapping, Optional

import numpy as np

from prunec.frontends.runtime import Array
from prunec.graph import Tensor
from prunec.rewriting.places import Places
from prunec.support.comparison import TOLERANCE, relative_error
from prunec.verifying.apart import Apart, run_apart
from prunec.verifying.dependence import Break, Dependence, dependence
from prunec.verifying.running import (
    NUMBERS,
    Examples,
    SmallRun,
    Subject,
    Values,
    entering,
    made_by_operators,
    run_original,
    run_smaller,
    varying_inputs,
)
from prunec.verifying.verdict import Compared

#: How much more than a last bit of the inputs makes of a value two right models may differ.
_ROUNDINGS = 10.0
#: Values that rounding alone changes by more than this cannot be compared.
_UNSTEADY = 1e-2


@dataclass(frozen=True, eq=False)
class Course:
    """Where two models are compared: ``points`` in one run; ``alone`` are the breaks that give the same for
    the same inputs, which are run by themselves, ``taking`` the nodes that take sliced parameters and are run
    by themselves too; ``wanted`` are all values that this takes of the smaller model."""

    depends: Dependence
    places: Places
    points: tuple[Tensor, ...]
    alone: tuple[int, ...]
    taking: tuple[int, ...]
    wanted: tuple[Tensor, ...]


@dataclass(frozen=True, eq=False)
class ComparedModels:
    """What came of a comparison: how each value compares, what was ``expected`` of the smaller model (what
    stays of the original's values), and what the smaller model computed; and of nodes by themselves, how
    their values compare (``compared_apart``)."""

    compared: Mapping[Tensor, Compared]
    expected: Values
    small: SmallRun
    apart: Apart
    compared_apart: Mapping[Tensor, Compared]

    @property
    def all(self) -> tuple[Compared, ...]:
        """How all values compare, in the order of the graph."""
        both = (self.compared, self.compared_apart)
        return tuple(own[tensor] for own in both for tensor in sorted(own))


def course(subject: Subject, random: frozenset[int] = frozenset()) -> Course:
    """Where to compare; ``random`` are nodes that were seen to draw numbers."""
    places = Places(subject.analysis, subject.pruned)
    depends = dependence(subject.analysis, subject.pruned, places, random)
    points = _points(subject, depends)
    jumps = (Break.JUMP, Break.UNKNOWN)
    alone = tuple(node for node, why in sorted(depends.breaks.items()) if why in jumps)
    unlike = (Break.STATISTICS, Break.RANDOM)
    met = {node for own in depends.targets for node in own.meetings}
    taking = tuple(sorted(node for node in met if depends.breaks.get(node) not in unlike))
    met.update(alone)
    entered = [t for node in sorted(met) for t in varying_inputs(subject.analysis, depends, node)]
    starts = _starts(depends)
    wanted = dict.fromkeys([*points, *starts, *made_by_operators(subject.analysis, entered)])
    return Course(depends, places, tuple(points), alone, taking, tuple(wanted))


def compare(subject: Subject, examples: Examples, way: Course) -> ComparedModels:
    """Runs both models and compares them.  Raises PrunecError P700 to P705 where one cannot be run."""
    starts = _starts(way.depends)
    small = run_smaller(subject, examples, way.wanted, starts)
    compared: dict[Tensor, Compared] = {}
    expected: Values = {}
    fed: Values = {}
    for tensor in starts:
        value = small.values[tensor]
        full = way.places.scatter(tensor, value)
        if full is None:
            compared[tensor] = _mismatch(subject, tensor, (), value.shape)
        else:
            fed[tensor] = full
    whole = run_original(subject, examples, way.places, way.depends, fed, way.points)
    for node in way.alone:
        feeds = entering(subject, examples, way.places, way.depends, small.values, node)
        made = _made(way.depends, [node])
        if feeds is not None and made:
            session = subject.original.segment(feeds, made, subject.masked)
            whole.update(zip(made, session.run(feeds)))
    for tensor in list(whole):
        array = whole.pop(tensor)
        kept = way.places.gather(tensor, array)
        if tensor in compared:
            continue
        if kept is None:
            compared[tensor] = _mismatch(subject, tensor, array.shape, small.values[tensor].shape)
        else:
            expected[tensor] = kept
            doubt, noise = small.doubts[tensor], small.noise.get(tensor, 0.0)
            compared[tensor] = _compared(subject, tensor, kept, small.values[tensor], doubt, noise)
    apart = run_apart(subject, examples, way.places, way.depends, small.values, way.taking)
    by_themselves = {
        tensor: replace(
            _compared(subject, tensor, kept, apart.actual[tensor], apart.doubts[tensor]),
            name=f"{value_name(subject, tensor)} by itself",
            output=False,
        )
        for tensor, kept in apart.expected.items()
    }
    return ComparedModels(compared, expected, small, apart, by_themselves)


def _points(subject: Subject, depends: Dependence) -> list[Tensor]:
    """Where the two models are compared in one run: the outputs, what first takes sliced parameters, and what
    enters a break."""
    found = dict.fromkeys([*subject.analysis.model.graph.outputs, *sorted(depends.generated)])
    for target in depends.targets:
        found.update(dict.fromkeys(t for t in _made(depends, target.meetings) if t in depends.affected))
    for node in depends.breaks:
        inputs = varying_inputs(subject.analysis, depends, node)
        found.update(dict.fromkeys(tensor for tensor in inputs if tensor in depends.affected))
    return [t for t in made_by_operators(subject.analysis, found) if t.node not in depends.breaks]


def _starts(depends: Dependence) -> list[Tensor]:
    """The values from which the original goes on as the smaller model has them: what breaks make, and what is
    made of no parameter, as where it is sliced it has to be masked."""
    return [*_made(depends, sorted(depends.breaks)), *sorted(depends.generated)]


def _made(depends: Dependence, nodes: Iterable[int]) -> list[Tensor]:
    """The values of some nodes that anything takes."""
    return [tensor for node in nodes for tensor in depends.used.get(node, ())]


def _compared(
    subject: Subject,
    tensor: Tensor,
    expected: Array,
    actual: Array,
    doubt: Optional[str],
    noise: float = 0.0,
) -> Compared:
    """How a value compares; see :class:`SmallRun` for its ``doubt`` and its ``noise``."""
    if expected.shape != actual.shape:
        return _mismatch(subject, tensor, expected.shape, actual.shape)
    if noise > _UNSTEADY:
        doubt = doubt or "rounding alone changes it too much"
    return Compared(
        value_name(subject, tensor),
        tensor in subject.analysis.model.graph.outputs,
        error_of(expected, actual),
        max(TOLERANCE, _ROUNDINGS * noise),
        tuple(expected.shape),
        tuple(actual.shape),
        doubt,
    )


def error_of(expected: Array, actual: Array) -> float:
    """The relative error of a value; of what is no number, infinite where anything differs."""
    if expected.shape != actual.shape:
        return float("inf")
    if actual.dtype.kind in NUMBERS and expected.dtype.kind in NUMBERS:
        return relative_error(expected, actual)
    return 0.0 if np.array_equal(expected, actual) else float("inf")


def _mismatch(
    subject: Subject, tensor: Tensor, shape: tuple[int, ...], pruned_shape: tuple[int, ...]
) -> Compared:
    output = tensor in subject.analysis.model.graph.outputs
    name = value_name(subject, tensor)
    return Compared(name, output, float("inf"), TOLERANCE, tuple(shape), tuple(pruned_shape), None)


def value_name(subject: Subject, tensor: Tensor) -> str:
    """How a value is called: by its node, and by its place where it is not the first output."""
    name = subject.analysis.model.graph.nodes[tensor.node].name
    return f"{name}[{tensor.output}]" if tensor.output else name
