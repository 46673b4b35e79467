"""The layers that read channels linearly: where a matrix along what they read can be folded into a weight."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Iterator, Mapping, Optional, Sequence, Union

import numpy as np
from numpy.typing import NDArray

from prunec.analysis.analyse import Analysis
from prunec.channels.components import Atoms
from prunec.channels.propagate import Channels
from prunec.graph import Tensor
from prunec.lowering.bound import BoundTensor, names_of, term_size
from prunec.lowering.contractions import contractions
from prunec.lowering.lowered import LoweredRule
from prunec.restoring.views import CELL, OTHER, POSITION, SHARED, Factor, View

#: Matrices are at most so wide: a second moment of 4096 channels takes 134 MB.
WIDEST = 4096


@dataclass(frozen=True, eq=False)
class Contracted:
    """What a node sums over: ``source``, seen through ``data``, has ``shape`` combinations of shared factors
    and cells.  ``units`` hold for each of these the units over it, one table for each array of atoms, -1
    where nothing can go.
    """

    node: int
    source: Tensor
    data: View
    shape: tuple[int, int]
    units: tuple[Atoms, ...]

    def gone(self, removed: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Which cells a plan removes, as (shared, cells)."""
        marks = np.append(removed, False)
        return np.asarray(sum((marks[own] for own in self.units), np.zeros(self.shape, dtype=bool)))


@dataclass(frozen=True, eq=False)
class Reader(Contracted):
    """A node that multiplies what it reads by a parameter and sums over channels: through ``weight`` the
    parameter is seen with the shape of what is read."""

    parameter: str
    weight: View


@dataclass(frozen=True)
class Unreadable:
    """A node that sums over channels it reads and cannot be restored, and why."""

    node: int
    reason: str


def find_readers(analysis: Analysis) -> tuple[tuple[Reader, ...], tuple[Unreadable, ...]]:
    """All nodes of a model that can be restored, in its order, and those that read channels which can go and
    cannot."""
    takers = _takers(analysis)
    readers: list[Reader] = []
    others: list[Unreadable] = []
    for node, rule in enumerate(analysis.lowered.rules):
        if rule is None or node in analysis.lowered.opaque or not rule.contracted:
            continue
        for found in _reader(analysis, node, rule, takers):
            if isinstance(found, Reader):
                readers.append(found)
            else:
                others.append(found)
    return tuple(readers), tuple(others)


def _takers(analysis: Analysis) -> Mapping[int, int]:
    """How many nodes take each variable."""
    takers: dict[int, int] = {}
    for node in analysis.model.graph.nodes:
        for tensor in node.inputs:
            takers[tensor.node] = takers.get(tensor.node, 0) + 1
    return takers


def _reader(
    analysis: Analysis, node: int, rule: LoweredRule, takers: Mapping[int, int]
) -> Iterator[Union[Reader, Unreadable]]:
    """What a node is, if one of what it multiplies is a parameter."""
    graph = analysis.model.graph
    inputs = graph.nodes[node].inputs
    found = contractions(rule)
    if not found:
        return
    pair = found[0].inputs
    names = tuple(own.name for own in found if own.inputs == pair)
    learned = [place for place in pair if inputs[place].node in graph.parameters]
    if len(learned) != 1:
        return
    weight = learned[0]
    data = pair[0] if weight == pair[1] else pair[1]
    name = graph.nodes[inputs[weight].node].name
    if takers[inputs[weight].node] > 1:
        yield Unreadable(node, f"several layers read its parameter {name}")
        return
    yield _geometry(
        analysis,
        node,
        rule,
        names,
        found[0].shared,
        (inputs[data], rule.inputs[data]),
        (name, rule.inputs[weight]),
    )


def _geometry(
    analysis: Analysis,
    node: int,
    rule: LoweredRule,
    names: Sequence[str],
    shared: Sequence[str],
    data: tuple[Tensor, BoundTensor],
    weight: tuple[str, BoundTensor],
) -> Union[Reader, Unreadable]:
    source, slot = data
    channels = analysis.solution.propagation.channels.get(source)
    roles = _roles(rule, names, shared, slot, channels)
    seen = None if roles is None else _view(rule, slot, roles)
    other = None if roles is None else _view(rule, weight[1], roles)
    if roles is None or seen is None or other is None:
        return Unreadable(node, "the channels it reads stand in a sum, or their number is open")
    sizes = [factor for own in roles.values() for factor in own]
    shape = (_size_of(sizes, SHARED), _size_of(sizes, CELL))
    if shape[1] > WIDEST:
        return Unreadable(node, f"it reads {shape[1]:,} channels at once; at most {WIDEST:,} are fitted")
    units = () if channels is None else units_over(analysis, channels, seen, shape)
    if units is None:
        return Unreadable(node, "what goes differs from position to position")
    return Reader(node, source, seen, shape, units, weight[0], other)


def _size_of(factors: Sequence[Factor], role: int) -> int:
    return prod(factor.size or 1 for factor in factors if factor.role == role)


#: The factors of each name that both operands have.
_Roles = Mapping[str, Sequence[Factor]]


def _roles(
    rule: LoweredRule,
    names: Sequence[str],
    shared: Sequence[str],
    slot: BoundTensor,
    channels: Optional[Channels],
) -> Optional[_Roles]:
    """What the names that both operands have are made of; ``None`` where a size is open."""
    pieces: dict[str, list[tuple[int, bool]]] = {}
    for axis, terms in enumerate(slot.axes or ()):
        for name in names:
            if name in terms:
                found = pieces_of(rule, terms, name, axis, channels)
                if found is None:
                    return None
                pieces[name] = found
    if set(pieces) != set(names):
        return None
    live = any(own for parts in pieces.values() for _, own in parts)
    whole = prod(size for parts in pieces.values() for size, _ in parts) <= WIDEST
    roles: dict[str, list[Factor]] = {}
    place = 0
    for name, parts in pieces.items():
        roles[name] = []
        for size, is_live in parts:
            # Where nothing goes, all is predicted from all, or what stands outermost.
            cell = is_live if live else whole or place == 0
            roles[name].append(Factor(size, CELL if cell else POSITION, place))
            place += 1
    for name in shared:
        length = rule.sizes.get(name)
        if not isinstance(length, int):
            return None
        roles[name] = [Factor(length, SHARED, place)]
        place += 1
    return roles


def pieces_of(
    rule: LoweredRule, terms: Sequence[object], name: str, axis: int, channels: Optional[Channels]
) -> Optional[list[tuple[int, bool]]]:
    """The factors of a name as the tensor has them, each with whether channels can go along it; one where
    the tensor does not tell them apart."""
    sizes = [term_size(term, rule.sizes) for term in terms]  # type: ignore[arg-type]
    if not all(isinstance(size, int) for size in sizes):
        return None
    known = [size for size in sizes if isinstance(size, int)]
    at = list(terms).index(name)
    size, start = known[at], prod(known[:at])
    if channels is None:
        return [(size, False)]
    first = sum(len(factors) for factors in channels.layout.axes[:axis])
    factors = channels.layout.axes[axis]
    spanned = {factor for array in channels.layout.arrays for factor in array}
    found, left, before = [], size, 1
    for number, own in enumerate(factors, first):
        if own is None:
            return None
        if before >= start and left > 1:
            found.append((own, number in spanned))
            if left % own:
                break
            left //= own
        elif before < start and before * own > start:
            break
        before *= own
    if prod(own for own, _ in found) != size:
        return [(size, any(number in spanned for number in range(first, first + len(factors))))]
    return found


def _view(rule: LoweredRule, slot: BoundTensor, roles: _Roles) -> Optional[View]:
    axes: list[tuple[Factor, ...]] = []
    for terms in slot.axes or ():
        if not set(names_of(terms)) & set(roles):
            axes.append((Factor(None, OTHER),))
            continue
        factors: list[Factor] = []
        for term in terms:
            if isinstance(term, str) and term in roles:
                factors += roles[term]
            elif isinstance(term, str):
                size = term_size(term, rule.sizes)
                factors.append(Factor(size if isinstance(size, int) else None, OTHER))
            else:
                return None
        axes.append(tuple(factors))
    return View(tuple(axes))


def units_over(
    analysis: Analysis, channels: Channels, view: View, shape: tuple[int, int]
) -> Optional[tuple[Atoms, ...]]:
    """The units over each cell, array by array; ``None`` where they differ along anything else."""
    found = []
    for factors, array in zip(channels.layout.arrays, channels.arrays):
        units = analysis.solution.units(array)
        if (units < 0).all():
            continue
        table = view.table(_spread(channels, factors, units, view))
        first = table[:, :1, :1]
        if (table != first).any():
            return None
        found.append(first.reshape(shape))
    return tuple(found)


def _spread(channels: Channels, factors: Sequence[int], units: Atoms, view: View) -> Atoms:
    """The units of an array for each element of its tensor; axes that nothing depends on have size one."""
    sizes, start = [], 0
    shape = []
    for axis, own in enumerate(channels.layout.axes):
        numbers = range(start, start + len(own))
        start += len(own)
        needed = view.axes[axis] != (Factor(None, OTHER),) or any(n in factors for n in numbers)
        axis_sizes = [size or 1 for size in own] if needed else [1] * len(own)
        sizes += axis_sizes
        shape.append(prod(axis_sizes))
    placed = [sizes[n] if n in factors else 1 for n in range(len(sizes))]
    table = units.transpose(np.argsort(factors)).reshape(placed)
    return np.broadcast_to(table, sizes).reshape(shape)
