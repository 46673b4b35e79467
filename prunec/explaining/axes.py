"""The channels of one axis of a tensor: which atoms stand over its positions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Iterator, Optional

import numpy as np
from numpy.typing import NDArray

from prunec.channels.components import Atoms
from prunec.channels.execute import check_count
from prunec.channels.layout import Layout
from prunec.channels.propagate import Channels
from prunec.channels.solve import Solution


@dataclass(frozen=True, eq=False)
class AxisChannels:
    """For each position of an axis its unit (-1: it stays) and one atom over it (-1: none).

    ``factor`` is the first factor of the axis that no array spans, ``None`` where all are spanned.
    """

    units: Atoms
    atoms: Atoms
    factor: Optional[int]


def axis_factors(layout: Layout, axis: int) -> range:
    """The numbers of the factors that make up an axis."""
    start = sum(len(factors) for factors in layout.axes[:axis])
    return range(start, start + len(layout.axes[axis]))


def axis_size(layout: Layout, axis: int) -> Optional[int]:
    """The size of an axis, ``None`` where it is not known."""
    total = 1
    for size in layout.axes[axis]:
        if size is None:
            return None
        total *= size
    return total


def _countable_size(layout: Layout, axis: int) -> int:
    """The size of an axis, zero where it is not known.  Raises PrunecError P408 where the positions cannot be
    counted."""
    size = axis_size(layout, axis) or 0
    check_count(size)
    return size


def axis_channels(solution: Solution, channels: Channels, axis: int) -> AxisChannels:
    """What stands over the positions of an axis.

    An array that only has its rows on it counts where all of a row is one unit, which takes the row along.
    """
    layout = channels.layout
    own = axis_factors(layout, axis)
    units = np.full(_countable_size(layout, axis), -1, dtype=np.int64)
    atoms = units.copy()
    spanned: set[int] = set()
    for factors, array in zip(layout.arrays, channels.arrays):
        spanned.update(factors)
        if not set(factors) & set(own):
            continue
        first = _over_axis(factors, array, own, layout)
        of_first = solution.unit_of_atom[first]
        if factors[-1] not in own:
            whole = _over_axis(factors, _whole_rows(solution.unit_of_atom[array], factors, own), own, layout)
            of_first = np.where(whole, of_first, -1)
            first = np.where(of_first >= 0, first, -1)
        better = (atoms < 0) | ((units < 0) & (of_first >= 0))
        units[better], atoms[better] = of_first[better], first[better]
    unspanned = [factor for factor in own if factor not in spanned]
    return AxisChannels(units, atoms, unspanned[0] if unspanned else None)


def positions_of(solution: Solution, channels: Channels, axis: int, unit: int) -> NDArray[np.bool_]:
    """The positions of an axis at which a unit stands, counting arrays that shrink this axis only."""
    layout = channels.layout
    own = axis_factors(layout, axis)
    found = np.zeros(_countable_size(layout, axis), dtype=bool)
    for factors, array in zip(layout.arrays, channels.arrays):
        if factors[-1] in own:
            hit = solution.unit_of_atom[array] == unit
            outside = tuple(d for d, factor in enumerate(factors) if factor not in own)
            inside = tuple(factor for factor in factors if factor in own)
            found |= _spread(inside, np.asarray(hit.any(axis=outside)), own, layout)
    return found


def elements_of(
    solution: Solution, channels: Channels, axis: int, unit: int, position: Optional[int] = None
) -> Iterator[tuple[int, int]]:
    """Where a unit stands on an axis, in the arrays that shrink it, or at one position of it, in all arrays:
    numbers of arrays and flat places in them."""
    layout = channels.layout
    own = axis_factors(layout, axis)
    sizes = tuple(layout.factors[factor] or 0 for factor in own)
    place = None if position is None else dict(zip(own, np.unravel_index(position, sizes)))
    for number, (factors, array) in enumerate(zip(layout.arrays, channels.arrays)):
        if factors[-1] not in own and (place is None or not set(factors) & set(own)):
            continue
        hit = solution.unit_of_atom[array] == unit
        for dimension, factor in enumerate(factors if place is not None else ()):
            if place is not None and factor in place:
                along = np.arange(array.shape[dimension]) == place[factor]
                hit &= along.reshape((-1,) + (1,) * (array.ndim - dimension - 1))
        for flat in np.flatnonzero(hit).tolist():
            yield number, flat


def _over_axis(factors: tuple[int, ...], array: NDArray[Any], own: range, layout: Layout) -> Atoms:
    index = tuple(slice(None) if factor in own else 0 for factor in factors)
    inside = tuple(factor for factor in factors if factor in own)
    return np.asarray(_spread(inside, array[index], own, layout))


def _whole_rows(units: Atoms, factors: tuple[int, ...], own: range) -> NDArray[np.bool_]:
    """For each element of a table whether all of its row, by the factors of an axis, is one unit."""
    across = tuple(d for d, factor in enumerate(factors) if factor not in own)
    same = units == units[tuple(slice(0, 1) if d in across else slice(None) for d in range(units.ndim))]
    whole = same.all(axis=across, keepdims=True)
    return np.broadcast_to(whole, units.shape)


def _spread(inside: tuple[int, ...], values: NDArray[Any], own: range, layout: Layout) -> Atoms:
    """Values over some factors of an axis, repeated over the others, flattened to positions."""
    sizes = layout.factors
    order = sorted(range(len(inside)), key=lambda d: inside[d])
    values = values.transpose(order)
    shape = tuple((sizes[f] or 0) if f in inside else 1 for f in own)
    full = tuple(sizes[f] or 0 for f in own)
    return np.broadcast_to(values.reshape(shape), full).reshape(-1)
