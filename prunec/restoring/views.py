"""Arrays seen by what their axes are to a contraction: shared by both operands, summed over, or neither."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any, Optional, Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

#: What a factor of an axis is: a combination of the *shared* ones has a matrix of its own; *cells* are what
#: the matrices multiply; *positions* are summed over as well, and have the same matrix; *others* are the
#: rest.
SHARED, OTHER, POSITION, CELL = range(4)


@dataclass(frozen=True)
class Factor:
    """A factor of an axis: its size (``None``: whatever the array has), its role, and its place among the
    factors of that role, which both operands have in one order."""

    size: Optional[int]
    role: int
    place: int = 0


@dataclass(frozen=True)
class View:
    """An array by the factors of its axes, outer to inner; an axis of unknown size has one factor."""

    axes: tuple[tuple[Factor, ...], ...]

    def table(self, array: Array) -> Array:
        """The array as (shared, others, positions, cells).  Raises ValueError for one of another shape."""
        if array.ndim != len(self.axes):
            raise ValueError(f"an array of shape {array.shape} has not {len(self.axes)} axes")
        sizes = self._sizes(array.shape)
        order = self._order()
        seen = array.reshape([size for axis in sizes for size in axis]).transpose(order)
        return seen.reshape(self._grouped([size for axis in sizes for size in axis]))

    def array(self, table: Array, shape: Sequence[int]) -> Array:
        """What :meth:`table` gave, as the array of ``shape`` that it was."""
        sizes = [size for axis in self._sizes(shape) for size in axis]
        order = self._order()
        return table.reshape([sizes[factor] for factor in order]).transpose(np.argsort(order)).reshape(shape)

    @property
    def _factors(self) -> list[Factor]:
        return [factor for axis in self.axes for factor in axis]

    def _order(self) -> list[int]:
        factors = self._factors
        return sorted(range(len(factors)), key=lambda n: (factors[n].role, factors[n].place, n))

    def _grouped(self, sizes: Sequence[int]) -> tuple[int, ...]:
        factors = self._factors
        return tuple(
            prod(size for size, factor in zip(sizes, factors) if factor.role == role)
            for role in (SHARED, OTHER, POSITION, CELL)
        )

    def _sizes(self, shape: Sequence[int]) -> list[list[int]]:
        """The sizes of the factors, axis by axis."""
        found = []
        for size, factors in zip(shape, self.axes):
            known = prod(factor.size for factor in factors if factor.size is not None)
            open_factors = sum(factor.size is None for factor in factors)
            if open_factors > 1 or (known and size % known) or (not open_factors and known != size):
                raise ValueError(f"an axis of size {size} is no product of {factors}")
            found.append([size // max(known, 1) if own.size is None else own.size for own in factors])
        return found
