"""Layers whose results are added to something else: what that has lost, the layer can make up for too.

A residual block adds what its last layer makes to what came in.  In the smaller model that is off already,
and what it is off by is predicted from what the layer reads, beside what the layer itself loses: He, Zhang
and Sun, "Channel Pruning for Accelerating Very Deep Neural Networks", ICCV 2017, section 3.2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Mapping, Optional

import numpy as np
from numpy.typing import NDArray

from prunec.analysis.analyse import Analysis
from prunec.frontends.runtime import Array, Runtime
from prunec.graph import Tensor
from prunec.restoring.readers import Reader
from prunec.restoring.shifts import Shifts

Floats = NDArray[np.float64]

_SAME = 1e-3


@dataclass(frozen=True, eq=False)
class Branch:
    """A reader whose output, times ``scale`` along ``axis``, is added to ``other``.  Adding a matrix to the
    reader's weight at ``centre`` (an index of its array, with slices for outputs and cells) adds as much to
    what it makes of each position of its input; ``swapped`` says that cells come first there."""

    other: Tensor
    axis: int
    scale: Floats
    centre: tuple[Any, ...]
    swapped: bool


class Branches:
    """Finds branches by trying."""

    def __init__(self, analysis: Analysis, runtime: Runtime, shifts: Shifts) -> None:
        self._analysis = analysis
        self._runtime = runtime
        self._shifts = shifts

    def find(
        self, reader: Reader, feeds: Mapping[Any, Array], source: Array, added: Array
    ) -> Optional[Branch]:
        """What a reader's output is added to; ``source`` is what it reads in ``feeds``, ``added`` what
        may be added to what it makes."""
        found = self._shifts.addition(reader.node)
        if found is None or reader.shape[0] != 1:
            return None
        node, own, other = found
        (made,) = self._runtime.segment(feeds, [Tensor(reader.node, 0)]).run(feeds)
        if added.shape != made.shape or added.dtype != made.dtype:
            return None
        placed = self._centre(reader, feeds, source, made)
        if placed is None:
            return None
        axis, centre, swapped = placed
        scale = self._scale(reader, own, made, axis, feeds)
        if scale is None or not self._adds(node, own, other, feeds, made):
            return None
        return Branch(other, axis, scale, centre, swapped)

    def _centre(
        self, reader: Reader, feeds: Mapping[Any, Array], source: Array, made: Array
    ) -> Optional[tuple[int, tuple[Any, ...], bool]]:
        weight = self._analysis.model.parameter(reader.parameter)
        cells = reader.shape[1]
        if made.ndim != source.ndim or weight.ndim < 2 or made.dtype.kind != "f":
            return None
        random = np.random.default_rng(0)
        for axis in range(made.ndim):
            outputs = made.shape[axis]
            rest = [n for n in range(made.ndim) if n != axis]
            if source.shape[axis] != cells or any(made.shape[n] != source.shape[n] for n in rest):
                continue
            for swapped, sizes in ((False, (outputs, cells)), (True, (cells, outputs))):
                centre = _centre(weight.shape, sizes)
                if centre is None:
                    continue
                added = random.standard_normal((outputs, cells))
                changed = weight.astype(np.float64)
                changed[centre] += added.T if swapped else added
                tried = {reader.parameter: changed.astype(weight.dtype)}
                (after,) = self._runtime.segment(feeds, [Tensor(reader.node, 0)], tried).run(feeds)
                wanted = np.moveaxis(source, axis, -1).astype(np.float64) @ added.T
                difference = np.moveaxis(after.astype(np.float64) - made, axis, -1)
                if _same(difference, wanted):
                    return axis, centre, swapped
        return None

    def _scale(
        self, reader: Reader, own: Tensor, made: Array, axis: int, feeds: Mapping[Any, Array]
    ) -> Optional[Floats]:
        """What a layer's output is multiplied by on its way to the addition."""
        if own.node == reader.node:
            return np.ones(made.shape[axis])
        key = Tensor(reader.node, 0)
        both: dict[Any, Array] = {**feeds, key: made}
        step = float(np.abs(made).mean()) or 1.0
        session = self._runtime.segment(both, [own])
        (before,) = session.run(both)
        (after,) = session.run({**both, key: (made + step).astype(made.dtype)})
        if before.shape != made.shape:
            return None
        moved = np.moveaxis(after.astype(np.float64) - before, axis, -1).reshape(-1, made.shape[axis]) / step
        scale = moved.mean(axis=0)
        return scale if _same(moved, np.broadcast_to(scale, moved.shape)) and scale.all() else None

    def _adds(self, node: int, own: Tensor, other: Tensor, feeds: Mapping[Any, Array], made: Array) -> bool:
        random = np.random.default_rng(1)
        a, b = (random.standard_normal(made.shape).astype(made.dtype) for _ in range(2))
        both: dict[Any, Array] = {**feeds, own: a, other: b}
        (found,) = self._runtime.segment(both, [Tensor(node, 0)]).run(both)
        return found.shape == a.shape and _same(found, a + b)


def _centre(shape: tuple[int, ...], sizes: tuple[int, int]) -> Optional[tuple[Any, ...]]:
    """The middle of a weight along all axes but two of these sizes, which come first in this order."""
    for first in range(len(shape)):
        for second in range(first + 1, len(shape)):
            others = [n for n in range(len(shape)) if n not in (first, second)]
            if (shape[first], shape[second]) == sizes and all(shape[n] % 2 for n in others):
                return tuple(
                    slice(None) if n in (first, second) else shape[n] // 2 for n in range(len(shape))
                )
    return None


def _same(found: Array, wanted: Array) -> bool:
    scale = float(np.abs(wanted).max(initial=0.0))
    return bool((np.abs(found - wanted) <= _SAME * max(scale, 1e-6)).all())
