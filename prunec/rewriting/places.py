"""Where what stays of each tensor was in the original."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Optional, Sequence

import numpy as np
from numpy.typing import NDArray

from prunec.analysis.analyse import Analysis
from prunec.channels.layout import Layout
from prunec.channels.propagate import Channels
from prunec.graph import Shape, Tensor, may_agree
from prunec.rewriting.emit import Pruned
from prunec.rewriting.slicing import ParameterSlice, scatter_array, slice_array

Array = NDArray[Any]


class Places:
    """Brings values of the original to the size of the smaller model, and back."""

    def __init__(self, analysis: Analysis, pruned: Pruned) -> None:
        self._graph = analysis.model.graph
        self._propagation = analysis.solution.propagation
        self._channels = self._propagation.channels
        self._shrinker = pruned.shrinker
        self._slices: dict[Tensor, Optional[ParameterSlice]] = {}

    @property
    def inputs(self) -> dict[str, ParameterSlice]:
        """How the model's inputs are cut of which the smaller model takes less, by name."""
        pieces = {index: self._slice(Tensor(index, 0)) for index in sorted(self._propagation.inputs)}
        return {self._graph.nodes[index].name: piece for index, piece in pieces.items() if piece is not None}

    @property
    def outputs(self) -> tuple[Optional[ParameterSlice], ...]:
        """For each of the model's outputs how it is cut, ``None`` where the smaller model gives all of it."""
        return tuple(self._slice(tensor) for tensor in self._graph.outputs)

    def shrinks(self, tensor: Tensor) -> bool:
        """Whether the smaller model has less of a tensor."""
        channels = self._channels.get(tensor)
        return channels is not None and any(
            self._shrinker.cut(array).dimension is not None for array in channels.arrays
        )

    def gather(self, tensor: Tensor, array: Array) -> Optional[Array]:
        """What stays of a value of the original; ``None`` where the value has not the shape that the
        analysis found."""
        if not self.shrinks(tensor):
            return array
        piece = self._slice(tensor) or self._closed(tensor, array.shape, before=True)
        return (
            slice_array(piece, array) if piece is not None and may_agree(array.shape, piece.shape) else None
        )

    def scatter(self, tensor: Tensor, array: Array) -> Optional[Array]:
        """A value of the smaller model at the original's size, zero where something went; ``None`` where the
        value has not the shape that the plan gives it."""
        if not self.shrinks(tensor):
            return array
        piece = self._slice(tensor) or self._closed(tensor, array.shape, before=False)
        fits = piece is not None and may_agree(array.shape, piece.new_shape)
        return scatter_array(piece, array) if piece is not None and fits else None

    def _slice(self, tensor: Tensor) -> Optional[ParameterSlice]:
        """How values of a tensor are cut whatever their open sizes are; ``None`` for one that stays, and
        where an open size shares an axis with what is cut."""
        if tensor not in self._slices:
            channels = self._channels.get(tensor)
            piece = None
            if channels is not None and self.shrinks(tensor) and not _shared(channels):
                shape = _shape(channels.layout)
                piece = _opened(self._shrinker.parameter("", channels, shape, 0.0), channels)
            self._slices[tensor] = piece
        return self._slices[tensor]

    def _closed(self, tensor: Tensor, shape: Sequence[int], before: bool) -> Optional[ParameterSlice]:
        """How a value of a shape is cut that has open sizes on axes with others, ``before`` it is or after:
        the open size is what the others leave of the axis.  ``None`` where that does not come out even, or an
        axis that is cut has several."""
        channels = self._channels[tensor]
        one = self._with_sizes(channels, [1] * len(channels.layout.axes))
        sizes = one.shape if before else one.new_shape
        if len(shape) != len(sizes):
            return None
        counts = []
        first, cut = 0, self._cut_factors(channels)
        for axis, size, own in zip(channels.layout.axes, shape, sizes):
            several = axis.count(None) > 1 and not cut.isdisjoint(range(first, first + len(axis)))
            first += len(axis)
            if several or (None in axis and (not own or size % own)):
                return None
            counts.append(size // own if None in axis and own else 1)
        return self._with_sizes(channels, counts)

    def _cut_factors(self, channels: Channels) -> set[int]:
        """The factors of a layout that are cut, and those of the rows by which they are."""
        arrays = zip(channels.layout.arrays, channels.arrays)
        cut = [factors for factors, own in arrays if self._shrinker.cut(own).dimension is not None]
        return {factor for factors in cut for factor in factors}

    def _with_sizes(self, channels: Channels, counts: Sequence[int]) -> ParameterSlice:
        """How a value is cut that has these sizes, one for each axis, where the layout has open ones."""
        axes = tuple(map(_sized, channels.layout.axes, counts))
        sized = replace(channels, layout=replace(channels.layout, open_axes=axes))
        return self._shrinker.parameter("", sized, _shape(sized.layout), 0.0)


def cut_alike(pieces: Sequence[Optional[ParameterSlice]], arrays: Sequence[Array]) -> list[Array]:
    """What stays of each of some arrays; those that have not the shape that is cut stay as they are."""
    return [
        slice_array(piece, array) if piece is not None and may_agree(array.shape, piece.shape) else array
        for piece, array in zip(pieces, arrays)
    ]


def _sized(axis: Sequence[Optional[int]], count: int) -> tuple[int, ...]:
    """The sizes of an axis, of which the open ones make up a count."""
    first = next((place for place, size in enumerate(axis) if size is None), None)
    return tuple((count if n == first else 1) if size is None else size for n, size in enumerate(axis))


def _shared(channels: Channels) -> bool:
    """Whether an open size is on one axis with others."""
    return any(len(axis) > 1 and None in axis for axis in channels.layout.axes)


def _shape(layout: Layout) -> Shape:
    """The shape of a tensor, ``None`` for an axis with a factor of unknown size."""
    return tuple(
        None if None in axis else int(np.prod([1 if size is None else size for size in axis], dtype=np.int64))
        for axis in layout.axes
    )


def _opened(piece: ParameterSlice, channels: Channels) -> ParameterSlice:
    """The same slice of tensors of any size along the axes that nothing is taken from: what was known of
    these when the model was analysed is an example."""
    touched = {factor for gather in piece.gathers for factor in (gather.axis, *gather.rows)}
    view: list[Optional[int]] = []
    place: dict[int, int] = {}
    shapes: tuple[list[Optional[int]], list[Optional[int]]] = ([], [])
    first = 0
    for axis, sizes in zip(channels.layout.axes, zip(piece.shape, piece.new_shape)):
        factors = range(first, first + len(axis))
        first += len(axis)
        if touched.isdisjoint(factors):
            view.append(None)
            sizes = (None, None)
        else:
            place.update({factor: len(view) + n for n, factor in enumerate(factors)})
            view += axis
        for shape, size in zip(shapes, sizes):
            shape.append(size)
    gathers = tuple(
        replace(gather, axis=place[gather.axis], rows=tuple(place[row] for row in gather.rows))
        for gather in piece.gathers
    )
    return ParameterSlice(piece.name, tuple(shapes[0]), tuple(view), gathers, tuple(shapes[1]), piece.neutral)
