"""Nodes that multiply two values which both follow from the inputs, and sum over channels: the scores of
attention, over the width of its heads.  No parameter reads these channels."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Mapping, Optional, Sequence, Union

from prunec.analysis.analyse import Analysis
from prunec.channels.components import Atoms
from prunec.channels.propagate import Channels
from prunec.graph import Tensor
from prunec.lowering.bound import BoundTensor, names_of, term_size
from prunec.lowering.contractions import Contraction, contractions
from prunec.lowering.lowered import LoweredRule
from prunec.restoring.readers import WIDEST, Contracted, Unreadable, pieces_of, units_over
from prunec.restoring.views import CELL, OTHER, POSITION, SHARED, Factor, View


@dataclass(frozen=True, eq=False)
class Product(Contracted):
    """A node that multiplies ``source`` by ``other``, seen through ``other_data`` with the same shape.  The
    channels of ``source`` are those that are predicted, a matrix along them goes into ``other``."""

    other: Tensor
    other_data: View

    @property
    def swapped(self) -> Product:
        """The same with the two values in each other's place."""
        return Product(self.node, self.other, self.other_data, self.shape, self.units, self.source, self.data)


#: For a shared name the factors it is made of: the size of each and whether channels can go along it.
_Parts = Sequence[tuple[Optional[int], bool]]


def find_products(analysis: Analysis) -> tuple[tuple[Product, ...], tuple[Unreadable, ...]]:
    """The products of a model over channels that can go, and those that cannot be seen as one; the second
    value, that of the keys, is to be predicted."""
    products: list[Product] = []
    others: list[Unreadable] = []
    parameters = analysis.model.graph.parameters
    for node, rule in enumerate(analysis.lowered.rules):
        if rule is None or node in analysis.lowered.opaque or not rule.contracted:
            continue
        inputs = analysis.model.graph.nodes[node].inputs
        for own in contractions(rule):
            if any(inputs[place].node in parameters for place in own.inputs):
                continue
            found = _product(analysis, node, rule, own)
            if isinstance(found, Product):
                products.append(found)
            elif found is not None:
                others.append(found)
    return tuple(products), tuple(others)


def _product(
    analysis: Analysis, node: int, rule: LoweredRule, own: Contraction
) -> Optional[Union[Product, Unreadable]]:
    """``None`` where no channel goes along what is contracted."""
    inputs = analysis.model.graph.nodes[node].inputs
    places = (own.inputs[1], own.inputs[0])
    slots = [rule.inputs[place] for place in places]
    every = [analysis.solution.propagation.channels.get(inputs[place]) for place in places]
    channels = [found for found in every if found is not None]
    if len(channels) < 2:
        return None
    cells = [_cells(rule, own.name, slot, seen) for slot, seen in zip(slots, channels)]
    if not any(live for parts in cells for _, live in parts or ()):
        return None
    shared = [_shared(rule, name, slots, channels) for name in own.shared]
    if cells[0] is None or cells[0] != cells[1] or any(parts is None for parts in shared):
        return Unreadable(node, "the channels it sums over are laid out in two ways, or their number is open")
    named = dict(zip(own.shared, (parts for parts in shared if parts is not None)))
    sizes = [size or 1 for parts in named.values() for size, live in parts if live]
    shape = (prod(sizes), prod(size for size, live in cells[0] if live))
    if shape[1] > WIDEST:
        return Unreadable(node, f"it sums over {shape[1]:,} channels; at most {WIDEST:,} are fitted")
    views = [_view(rule, slot, own.name, cells[0], named) for slot in slots]
    if views[0] is None or views[1] is None:
        return Unreadable(node, "the channels it sums over stand in a sum")
    units = [units_over(analysis, seen, view, shape) for seen, view in zip(channels, views) if view]
    if units[0] is None or units[1] is None or not _same(units[0], units[1]):
        return Unreadable(node, "what goes differs from position to position")
    if not any((table != table[:, :1]).any() for table in units[0]):
        return None
    return Product(node, inputs[places[0]], views[0], shape, units[0], inputs[places[1]], views[1])


def _same(one: Sequence[Atoms], other: Sequence[Atoms]) -> bool:
    """Whether the same units stand over the cells of both."""
    seen = [{own.tobytes() for own in tables if (own != own[:, :1]).any()} for tables in (one, other)]
    return seen[0] == seen[1]


def _cells(
    rule: LoweredRule, name: str, slot: BoundTensor, channels: Channels
) -> Optional[list[tuple[int, bool]]]:
    for axis, terms in enumerate(slot.axes or ()):
        if name in terms:
            return pieces_of(rule, terms, name, axis, channels)
    return None


def _shared(
    rule: LoweredRule, name: str, slots: Sequence[BoundTensor], channels: Sequence[Channels]
) -> Optional[_Parts]:
    """What a shared name is made of in both values; ``None`` where channels go along it and it is open."""
    found = [_parts(name, slot, seen) for slot, seen in zip(slots, channels)]
    live = any(own for parts in found for _, own in parts)
    sizes = [[size for size, _ in parts] for parts in found]
    if sizes[0] == sizes[1] and prod(size or 1 for size in sizes[0]) == (rule.sizes.get(name) or 0):
        return [(size, a or b) for (size, a), (_, b) in zip(*found)]
    size = rule.sizes.get(name)
    known = size if isinstance(size, int) else None
    if sizes[0] == sizes[1] and sizes[0].count(None) == 1 and known is None:
        return [(size, a or b) for (size, a), (_, b) in zip(*found)]
    return None if live and known is None else [(known, live)]


def _parts(name: str, slot: BoundTensor, channels: Channels) -> _Parts:
    """The factors of the axis that a name stands on."""
    start = 0
    spanned = {factor for array in channels.layout.arrays for factor in array}
    for terms, factors in zip(slot.axes or (), channels.layout.axes):
        if name in terms:
            return [(size, start + number in spanned) for number, size in enumerate(factors)]
        start += len(factors)
    return []


def _view(
    rule: LoweredRule,
    slot: BoundTensor,
    name: str,
    cells: Sequence[tuple[int, bool]],
    shared: Mapping[str, _Parts],
) -> Optional[View]:
    factors: dict[str, list[Factor]] = {
        name: [Factor(size, CELL if live else POSITION, place) for place, (size, live) in enumerate(cells)]
    }
    place = 0
    for own, parts in shared.items():
        factors[own] = []
        for size, live in parts:
            factors[own].append(Factor(size, SHARED if live else OTHER, place if live else 0))
            place += 1
    axes: list[tuple[Factor, ...]] = []
    for terms in slot.axes or ():
        if not set(names_of(terms)) & set(factors):
            axes.append((Factor(None, OTHER),))
            continue
        axis: list[Factor] = []
        for term in terms:
            if not isinstance(term, str):
                return None
            length = term_size(term, rule.sizes)
            axis += factors.get(term, [Factor(length if isinstance(length, int) else None, OTHER)])
        axes.append(tuple(axis))
    return View(tuple(axes))
