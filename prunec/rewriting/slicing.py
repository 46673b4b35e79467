"""What is kept of each parameter, as plain data, and the two things done with it.

A parameter is first seen through its *factored view*: the same elements in the same order, with
compound axes split into their factors.  A list of takes then keeps some positions along single axes of
the view, and what is left is reshaped to the new shape.  A grouped convolution's weight of shape
``(g*o, i, k, k)``, of which every group keeps input and output channels of its own, has the view
``(g, o, i, k, k)`` and the takes ``Take(2, (0,), inputs)`` and ``Take(1, (0,), outputs)``, where
``inputs`` has the shape ``(g, inputs kept per group)``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, Union

import numpy as np
from numpy.typing import NDArray

from prunec.graph import Shape, may_agree, shape_text
from prunec.support.diagnostics import Diagnostic, PrunecError, printable

Indices = Union[Sequence[int], NDArray[Any]]


@dataclass(frozen=True, eq=False)
class Take:
    """Keep some positions along ``axis`` of a factored view, and drop the others.

    With ``rows == ()``, ``kept`` is one-dimensional: the positions kept.  Otherwise ``kept`` has the
    shape (sizes of the row axes…, count) and each row keeps ``count`` positions of its own.  Takes are
    applied in order, and each sees the axes as the takes before it left them: a take that shortens a
    row axis stands behind the takes that have it among their ``rows``, or those list only the rows left.
    """

    axis: int
    rows: tuple[int, ...]
    kept: NDArray[np.int64]

    def __post_init__(self) -> None:
        kept = np.array(self.kept, dtype=np.int64)
        kept.flags.writeable = False
        object.__setattr__(self, "kept", kept)
        if kept.ndim != len(self.rows) + 1 or kept.size == 0 or int(kept.min()) < 0:
            raise ValueError(f"a take over rows {self.rows} cannot keep positions of shape {kept.shape}")
        if self.axis in self.rows or len(set(self.rows)) != len(self.rows):
            raise ValueError(f"the row axes {self.rows} of a take along axis {self.axis} are not distinct")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Take):
            return NotImplemented
        same_place = (self.axis, self.rows) == (other.axis, other.rows)
        return same_place and np.array_equal(self.kept, other.kept)

    def __hash__(self) -> int:
        return hash((self.axis, self.rows, self.kept.shape, self.kept.tobytes()))


@dataclass(frozen=True)
class ParameterSlice:
    """What is kept of one parameter.

    ``shape`` is the shape before and ``new_shape`` the one after; both have the same rank.  ``view`` is
    the factored shape that the takes work on.  A size that is ``None`` is open: an axis that is kept as it
    is, however long; it is one axis of the view.  ``neutral`` is the value that makes a removed element
    have no effect: zero, or one for a variance.  Raises ``ValueError`` where these do not fit together.
    """

    name: str
    shape: Shape
    view: Shape
    takes: tuple[Take, ...]
    new_shape: Shape
    neutral: float = 0.0

    def __post_init__(self) -> None:
        shape, view, new_shape = (_closed(sizes, ()) for sizes in (self.shape, self.view, self.new_shape))
        if prod(view) != prod(shape) or len({s.count(None) for s in self._shapes()}) != 1:
            raise ValueError(f"{self.name!r}: the view {self.view} does not hold a shape {self.shape}")
        sizes = list(view)
        for take in self.takes:
            if not all(0 <= axis < len(sizes) for axis in (take.axis, *take.rows)):
                raise ValueError(f"{self.name!r}: no axis {take.axis} or {take.rows} in {self.view}")
            if take.kept.shape[:-1] != tuple(sizes[row] for row in take.rows):
                raise ValueError(f"{self.name!r}: {take.kept.shape} does not list the rows of {sizes}")
            if int(take.kept.max()) >= sizes[take.axis]:
                raise ValueError(f"{self.name!r}: {take.kept.max()} is outside axis {take.axis} of {sizes}")
            sizes[take.axis] = take.kept.shape[-1]
        if prod(sizes) != prod(new_shape) or len(new_shape) != len(shape):
            raise ValueError(f"{self.name!r}: {tuple(sizes)} cannot become {self.new_shape}")

    def _shapes(self) -> tuple[Shape, Shape, Shape]:
        return self.shape, self.view, self.new_shape

    def sizes(self, shape: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The view and the new shape for an array of ``shape``, which fits: nothing is open in them."""
        found = [size for size, own in zip(shape, self.shape) if own is None]
        return _closed(self.view, found), _closed(self.new_shape, found)


def _closed(sizes: Shape, found: Sequence[int]) -> tuple[int, ...]:
    """Sizes with the open ones filled in, in order; with ones where there are none to fill in."""
    filling = iter(found)
    return tuple(next(filling, 1) if size is None else size for size in sizes)


def apply(parameter: ParameterSlice, array: NDArray[Any]) -> NDArray[Any]:
    """The part of ``array`` (shape ``parameter.shape``) that is kept, in ``parameter.new_shape``.

    Raises :class:`PrunecError` (P620) for an array of another shape.
    """
    _check_shape(parameter, array)
    view, new_shape = parameter.sizes(array.shape)
    return _taken(array.reshape(view), parameter.takes).reshape(new_shape)


def mask(parameter: ParameterSlice, array: NDArray[Any]) -> NDArray[Any]:
    """A copy of ``array`` (shape ``parameter.shape``) with every removed element set to the neutral value.

    Raises :class:`PrunecError` (P620) for an array of another shape.
    """
    _check_shape(parameter, array)
    kept, sizes = _kept_blocks(parameter, parameter.sizes(array.shape)[0])
    blocks = array.reshape(sizes)
    masked = np.full_like(blocks, parameter.neutral)
    masked[kept] = blocks[kept]
    return masked.reshape(array.shape)


def scatter(parameter: ParameterSlice, array: NDArray[Any]) -> NDArray[Any]:
    """What :func:`apply` gave (shape ``parameter.new_shape``) in the place it was taken from, in an array of
    ``parameter.shape`` with the neutral value elsewhere.

    Raises :class:`ValueError` for an array of another shape.
    """
    if not may_agree(array.shape, parameter.new_shape):
        raise ValueError(f"an array of shape {array.shape} is no slice of shape {parameter.new_shape}")
    found = [size for size, own in zip(array.shape, parameter.new_shape) if own is None]
    kept, sizes = _kept_blocks(parameter, _closed(parameter.view, found))
    whole = np.full(sizes, parameter.neutral, dtype=array.dtype)
    whole[kept] = array.reshape(len(kept), sizes[1])
    return whole.reshape(_closed(parameter.shape, found))


def _kept_blocks(
    parameter: ParameterSlice, view: tuple[int, ...]
) -> tuple[NDArray[np.intp], tuple[int, int]]:
    """Which blocks of an array are kept, in their new order, and how it is seen as (blocks, elements): the
    axes behind the last one that a take looks at move as blocks."""
    leading = 1 + max((max(take.axis, *take.rows, 0) for take in parameter.takes), default=-1)
    count = prod(view[:leading])
    indices = np.arange(count, dtype=np.intp).reshape(view[:leading])
    return _taken(indices, parameter.takes).reshape(-1), (count, prod(view[leading:]))


def _check_shape(parameter: ParameterSlice, array: NDArray[Any]) -> None:
    if not may_agree(array.shape, parameter.shape):
        name = printable(parameter.name)
        shape, own_shape = shape_text(parameter.shape), shape_text(array.shape)
        raise PrunecError(
            Diagnostic(
                "P620",
                f"the parameter {name!r} has the shape {own_shape}, not {shape}",
                notes=(f"the plan was made for parameters where {name!r} has the shape {shape}",),
                help="give the parameter file of the model that was pruned",
            )
        )


def _taken(array: NDArray[Any], takes: Sequence[Take]) -> NDArray[Any]:
    for take in takes:
        array = _take_rows(array, take) if take.rows else np.take(array, take.kept, axis=take.axis)
    return array


def _take_rows(array: NDArray[Any], take: Take) -> NDArray[Any]:
    # A loop over rows: numpy's take_along_axis gives the same result and moves single elements.
    sizes = list(array.shape)
    sizes[take.axis] = take.kept.shape[-1]
    result = np.empty(sizes, array.dtype)
    for row in np.ndindex(*take.kept.shape[:-1]):
        place: list[slice] = [slice(None)] * array.ndim
        for axis, position in zip(take.rows, row):
            place[axis] = slice(position, position + 1)
        result[tuple(place)] = np.take(array[tuple(place)], take.kept[row], axis=take.axis)
    return result


# --- ranges ----------------------------------------------------------------------------------


def compact(indices: Indices) -> str:
    """Indices (not negative) as ranges with exclusive ends: ``0:64, 70, 72:96:2``.

    Rising runs become ranges, those with gaps from four positions on.  Order and repetitions are kept, so
    ``expand`` gives the same indices back.
    """
    return ", ".join(_ranges(np.asarray(indices, dtype=np.int64)))


def expand(text: str) -> NDArray[np.int64]:
    """The indices that :func:`compact` wrote."""
    parts = [[int(number) for number in part.split(":")] for part in text.split(",") if part.strip()]
    indices = [index for part in parts for index in (range(*part) if len(part) > 1 else part)]
    return np.array(indices, dtype=np.int64)


def _ranges(indices: NDArray[np.int64]) -> Iterator[str]:
    steps = np.diff(indices)
    # Where the step changes; a run that starts at i may go on up to the first change at or after i.
    changes = np.append(np.flatnonzero(np.diff(steps)) + 1, len(steps)).tolist()
    values, step_of = indices.tolist(), steps.tolist()
    at = change = 0
    while at < len(values):
        while change < len(changes) - 1 and changes[change] <= at:
            change += 1
        last = changes[change] if at < len(step_of) else at
        step = step_of[at] if at < len(step_of) else 0
        length = last - at + 1
        if step < 1 or length < (2 if step == 1 else 4):
            yield str(values[at])
            at += 1
            continue
        yield f"{values[at]}:{values[last] + step}" + ("" if step == 1 else f":{step}")
        at = last + 1
