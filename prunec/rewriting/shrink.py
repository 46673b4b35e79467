"""What a choice of removed units does to arrays, tensors, parameters and names."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Optional, Sequence

import numpy as np
from numpy.typing import NDArray

from prunec.channels.balance import varying_dimensions
from prunec.channels.components import Atoms
from prunec.channels.layout import NamedSize
from prunec.channels.propagate import Channels, NodeAtoms
from prunec.channels.removal import Removed
from prunec.channels.solve import Solution
from prunec.embedded.slices import Gather, ParameterSlice
from prunec.graph import Shape
from prunec.lowering.expressions import Sizes
from prunec.sizes import OpenSize, Size, quotient


class Unbalanced(Exception):
    """A choice of units leaves a table that is not rectangular."""


@dataclass(frozen=True)
class ArraySlice:
    """How an array shrinks: its new shape, the dimension that shrinks, the dimensions of its rows, and the
    indices kept along the dimension, for each row where there are rows."""

    shape: tuple[int, ...]
    dimension: Optional[int]
    rows: tuple[int, ...]
    kept: Optional[Atoms]


def cut(gone: NDArray[np.bool_]) -> ArraySlice:
    """The cut that removes exactly the marked elements.

    Raises :class:`Unbalanced` where what stays is not rectangular.
    """
    if not gone.any():
        return ArraySlice(gone.shape, None, (), None)
    varying = varying_dimensions(gone.astype(np.int64))
    if not varying:
        return ArraySlice(tuple(0 for _ in gone.shape), None, (), None)
    dimension, rows = varying[-1], varying[:-1]
    index = tuple(slice(None) if d in varying else 0 for d in range(gone.ndim))
    stays = ~gone[index]
    counts = stays.sum(axis=-1)
    if counts.size and counts.min() != counts.max():
        raise Unbalanced
    count = int(counts.reshape(-1)[0])
    kept = np.nonzero(stays)[-1].reshape(*stays.shape[:-1], count)
    shape = tuple(count if d == dimension else size for d, size in enumerate(gone.shape))
    return ArraySlice(shape, dimension, rows, kept)


class Shrinker:
    """Cuts of all arrays under one choice of units, each worked out once."""

    def __init__(self, solution: Solution, removed: Removed) -> None:
        self.solution = solution
        # One more place, for what stays: unit number -1 looks there.
        self.gone_atom = np.append(removed, False)[solution.unit_of_atom]
        self.cuts: dict[int, tuple[Atoms, ArraySlice]] = {}

    def cut(self, array: Atoms) -> ArraySlice:
        """The cut of an array of atoms."""
        known = self.cuts.get(id(array))
        if known is None:
            # The array is held so that its identity is not taken by another.
            known = self.cuts[id(array)] = (array, cut(self.gone_atom[array]))
        return known[1]

    def touched(self, node: NodeAtoms) -> bool:
        """Whether any array of a node shrinks."""
        return any(self.cut(value).dimension is not None for value in node.values)

    def gone(self, node: NodeAtoms) -> dict[str, NDArray[np.bool_]]:
        """For each attribute of a node that lists positions, which of the elements they count through go."""
        return {
            name: self.gone_atom[node.values[value]] for name, value in node.program.position_atoms.items()
        }

    def sizes(self, channels: Channels) -> tuple[Optional[int], ...]:
        """The new sizes of a tensor's factors."""
        sizes = list(channels.layout.factors)
        for factors, array in zip(channels.layout.arrays, channels.arrays):
            for factor, size in zip(factors, self.cut(array).shape):
                old = sizes[factor]
                sizes[factor] = size if old is None else min(old, size)
        return tuple(sizes)

    def shape(self, channels: Channels) -> Shape:
        """The new shape of a tensor."""
        sizes = iter(self.sizes(channels))
        shape: list[Optional[int]] = []
        for axis in channels.layout.axes:
            total: Optional[int] = 1
            for _ in axis:
                size = next(sizes)
                total = None if total is None or size is None else total * size
            shape.append(total)
        return tuple(shape)

    def shrunk_axes(self, channels: Channels) -> dict[int, Optional[int]]:
        """The axes of a tensor that shrink, with their new sizes: ``None`` where other factors of the axis
        have sizes that are not known."""
        cut = {
            factors[found.dimension]
            for factors, array in zip(channels.layout.arrays, channels.arrays)
            for found in (self.cut(array),)
            if found.dimension is not None
        }
        axes: dict[int, Optional[int]] = {}
        first = 0
        for number, (axis, size) in enumerate(zip(channels.layout.axes, self.shape(channels))):
            if any(factor in cut for factor in range(first, first + len(axis))):
                axes[number] = None if size is None else int(size)
            first += len(axis)
        return axes

    def named(self, node: NodeAtoms, sizes: Sizes) -> dict[str, Optional[Size]]:
        """The new sizes of a node's names."""
        result = dict(sizes)
        for name, factors in node.program.names.items():
            old = sizes.get(name)
            if isinstance(old, OpenSize):
                result[name] = self._open(node, factors, old)
                continue
            total: Optional[Size] = 1
            for factor in factors:
                size = self._factor(node, factor)
                total = None if total is None or size is None else total * size
            result[name] = total
        return result

    def _open(self, node: NodeAtoms, factors: Sequence[NamedSize], old: OpenSize) -> Optional[Size]:
        """The new size of a name whose size is open: factors that are numbers change, others may have other
        symbols than the name."""
        pairs = [(factor.size, self._factor(node, factor)) for factor in factors]
        before = prod(size for size, _ in pairs if isinstance(size, int))
        after = prod(size for _, size in pairs if isinstance(size, int))
        if before == after:
            return old
        share = quotient(old, before)
        return None if share is None else share * after

    def _factor(self, node: NodeAtoms, factor: NamedSize) -> Optional[Size]:
        cuts = [self.cut(node.values[value]).shape[dimension] for value, dimension in factor.arrays]
        # What an array spans is a number.
        return min([*([factor.size] if isinstance(factor.size, int) else []), *cuts]) if cuts else factor.size

    def parameter(self, name: str, channels: Channels, shape: Shape, neutral: float) -> ParameterSlice:
        """How a parameter is sliced."""
        by_rows: list[Gather] = []
        plain: list[Gather] = []
        for factors, array in zip(channels.layout.arrays, channels.arrays):
            found = self.cut(array)
            if found.dimension is None or found.kept is None:
                continue
            rows = tuple(factors[d] for d in found.rows)
            gather = Gather(factors[found.dimension], rows, found.kept)
            # Rows that go whole go from every table that has them, and once from the parameter.
            if gather not in plain:
                (by_rows if rows else plain).append(gather)
        # Rows are looked up by their old positions, so what has rows is cut before rows are.
        gathers = tuple(by_rows) + tuple(sorted(plain, key=lambda gather: gather.axis))
        return ParameterSlice(name, shape, channels.layout.factors, gathers, self.shape(channels), neutral)
