"""What is kept of arrays, and how it is cut out of them.

A parameter is first seen through its factored view: the same elements in the same order, with compound
axes split into their factors.  Gathers then keep some positions along single axes of the view, one after
the other, and what is left is reshaped to the new shape.  A grouped convolution's weight of shape
(g*o, i, k, k), of which every group keeps input and output channels of its own, has the view
(g, o, i, k, k) and two gathers: along axis 2, and then along axis 1, each with axis 0 as its rows.
"""

from dataclasses import dataclass
from math import prod
from typing import Any, Iterable, Iterator, Mapping, Optional, Sequence

import numpy as np

Array = Any  # a numpy.ndarray
Shape = tuple[Optional[int], ...]  # None: a size that is open
#: Bytes of an array that are cut at a time.
PIECE = 1 << 22


class Problem(Exception):
    """Why a file cannot be used: a text for each reason, and ``facts``, what a program can go by."""

    def __init__(self, *texts: str, **facts: Any) -> None:
        super().__init__(*texts)
        self.facts = facts


@dataclass(frozen=True, eq=False)
class Gather:
    """Keep some positions along ``axis`` of a factored view, and drop the others.

    With ``rows == ()``, ``kept`` is one-dimensional: the positions kept.  Otherwise ``kept`` has the
    shape (sizes of the row axes..., count) and each row keeps ``count`` positions of its own.  Gathers are
    done in order, and each sees the axes as those before it left them: one that shortens a row axis
    stands behind those that have it among their ``rows``, or those list only the rows left.
    """

    axis: int
    rows: tuple[int, ...]
    kept: Array

    def __post_init__(self) -> None:
        kept = np.array(self.kept, dtype=np.int64)
        kept.flags.writeable = False
        object.__setattr__(self, "kept", kept)
        if kept.ndim != len(self.rows) + 1 or kept.size == 0 or int(kept.min()) < 0:
            raise ValueError(f"a gather over rows {self.rows} cannot keep positions of shape {kept.shape}")
        if self.axis in self.rows or len(set(self.rows)) != len(self.rows):
            raise ValueError(f"the row axes {self.rows} of a gather along axis {self.axis} are not distinct")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Gather):
            return NotImplemented
        same_place = (self.axis, self.rows) == (other.axis, other.rows)
        return same_place and np.array_equal(self.kept, other.kept)

    def __hash__(self) -> int:
        return hash((self.axis, self.rows, self.kept.shape, self.kept.tobytes()))


@dataclass(frozen=True)
class ParameterSlice:
    """What is kept of one parameter.

    ``shape`` is the shape before and ``new_shape`` the one after; both have the same rank.  ``view`` is
    the factored shape that the gathers work on.  A size that is None is open: an axis that is kept as it
    is, however long; it is one axis of the view.  ``neutral`` is the value that makes a removed element
    have no effect: zero, or one for a variance.  ``dtype`` is the type of element that a file must have,
    "" for any.  Raises ValueError where these do not fit together.
    """

    name: str
    shape: Shape
    view: Shape
    gathers: tuple[Gather, ...]
    new_shape: Shape
    neutral: float = 0.0
    dtype: str = ""

    def __post_init__(self) -> None:
        shape, view, new_shape = (closed(sizes, ()) for sizes in (self.shape, self.view, self.new_shape))
        open_sizes = {sizes.count(None) for sizes in (self.shape, self.view, self.new_shape)}
        if prod(view) != prod(shape) or len(open_sizes) != 1:
            raise ValueError(f"{self.name!r}: the view {self.view} does not hold a shape {self.shape}")
        sizes = list(view)
        for step in self.gathers:
            if not all(0 <= axis < len(sizes) for axis in (step.axis, *step.rows)):
                raise ValueError(f"{self.name!r}: no axis {step.axis} or {step.rows} in {self.view}")
            if step.kept.shape[:-1] != tuple(sizes[row] for row in step.rows):
                raise ValueError(f"{self.name!r}: {step.kept.shape} does not list the rows of {sizes}")
            if int(step.kept.max()) >= sizes[step.axis]:
                raise ValueError(f"{self.name!r}: {step.kept.max()} is outside axis {step.axis} of {sizes}")
            sizes[step.axis] = step.kept.shape[-1]
        if prod(sizes) != prod(new_shape) or len(new_shape) != len(shape):
            raise ValueError(f"{self.name!r}: {tuple(sizes)} cannot become {self.new_shape}")

    def sizes(self, shape: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The view and the new shape for an array of ``shape``, which fits: nothing is open in them."""
        found = [size for size, own in zip(shape, self.shape) if own is None]
        return closed(self.view, found), closed(self.new_shape, found)


def closed(sizes: Shape, found: Sequence[int]) -> tuple[int, ...]:
    """Sizes with the open ones filled in, in order; with ones where there are none to fill in."""
    filling = iter(found)
    return tuple(next(filling, 1) if size is None else size for size in sizes)


def fits(shape: Sequence[int], wanted: Shape) -> bool:
    """Whether a shape is the one wanted, whatever its open sizes are."""
    return len(shape) == len(wanted) and all(size in (None, own) for own, size in zip(shape, wanted))


# --- cutting ---------------------------------------------------------------------------------------


def sliced(array: Array, parameter: ParameterSlice) -> Array:
    """The part of an array of a shape that fits that is kept: contiguous, in some cases a view."""
    view, new_shape = parameter.sizes(array.shape)
    return np.ascontiguousarray(gathered(array.reshape(view), parameter.gathers)).reshape(new_shape)


def pieces(array: Array, parameter: ParameterSlice) -> Iterator[Array]:
    """The elements that sliced gives, in order, as contiguous arrays of a few megabytes where they can be cut
    one after the other along the first axis of the view."""
    view = parameter.sizes(array.shape)[0]
    array = array.reshape(view)
    by_row = [axis for step in parameter.gathers if step.rows for axis in (step.axis, *step.rows)]
    if not array.size or not view or 0 in by_row:
        yield np.ascontiguousarray(gathered(array, parameter.gathers))
        return
    kept = np.arange(view[0])
    for step in parameter.gathers:
        kept = kept[step.kept] if step.axis == 0 else kept
    others = [step for step in parameter.gathers if step.axis != 0]
    count = max(1, PIECE // array[0].nbytes)
    for start in range(0, len(kept), count):
        yield np.ascontiguousarray(gathered(_gather(array, 0, kept[start : start + count]), others))


def gathered(array: Array, gathers: Iterable[Gather]) -> Array:
    """An array in its factored view after some gathers."""
    for step in gathers:
        if step.rows:
            array = _gather_by_row(array, step)
        else:
            array = _gather(array, step.axis, step.kept)
    return array


def _gather(array: Array, axis: int, positions: Array) -> Array:
    """The positions of one axis: a view where they are evenly spaced, whole blocks where there are few,
    else one by one."""
    steps = np.diff(positions)
    before = (slice(None),) * axis
    step = int(steps[0]) if len(steps) else 1
    if step > 0 and bool((steps == step).all()):
        return array[before + (slice(int(positions[0]), int(positions[-1]) + 1, step),)]
    breaks = np.flatnonzero(steps != 1) + 1
    if len(positions) >= 16 * (len(breaks) + 1):
        runs = np.split(positions, breaks)
        blocks = [array[before + (slice(int(run[0]), int(run[-1]) + 1),)] for run in runs]
        return np.concatenate(blocks, axis)
    return np.take(array, positions, axis)


def _gather_by_row(array: Array, step: Gather) -> Array:
    # A loop over rows: numpy's take_along_axis gives the same result and moves single elements.
    sizes = list(array.shape)
    sizes[step.axis] = step.kept.shape[-1]
    result = np.empty(sizes, array.dtype)
    for row in np.ndindex(*step.kept.shape[:-1]):
        place = [slice(None)] * array.ndim
        for axis, position in zip(step.rows, row):
            place[axis] = slice(position, position + 1)
        result[tuple(place)] = _gather(array[tuple(place)], step.axis, step.kept[row])
    return result


# --- tables ----------------------------------------------------------------------------------------


def expand(text: str) -> Array:
    """The positions of ranges that are written without their ends: "0:4, 6, 8:14:2"."""
    parts = [[int(number) for number in part.split(":")] for part in text.split(",") if part.strip()]
    positions = [position for part in parts for position in (range(*part) if len(part) > 1 else part)]
    return np.array(positions, dtype=np.int64)


def slices_of(table: Mapping[str, Any], kept: Mapping[str, Sequence[str]]) -> dict[str, ParameterSlice]:
    """The slices that a script's PARAMETERS and KEPT say, by parameter."""
    slices = {}
    for name, (dtype, shape, new_shape, steps, *views) in table.items():
        view = views[0] if views else shape
        sizes, gathers = list(view), []
        for axis, key, *rows in steps:
            positions = np.array([expand(line) for line in kept[key]])
            by_row = rows[0] if rows else ()
            gathers.append(Gather(axis, by_row, positions.reshape([sizes[row] for row in by_row] + [-1])))
            sizes[axis] = positions.shape[-1]
        slices[name] = ParameterSlice(name, shape, view, tuple(gathers), new_shape, dtype=dtype)
    return slices


def misfits(parameter: ParameterSlice, shape: tuple[int, ...], dtype: str) -> list[str]:
    """Why an array of a file is not the one that is sliced; nothing if it is.  A type of "" is no data."""
    if not fits(shape, parameter.shape):
        hint = " (it is sliced already)" if fits(shape, parameter.new_shape) else ""
        return [f"{parameter.name!a} has the shape {shape}, not {parameter.shape}{hint}"]
    if not dtype:
        return [f"{parameter.name!a} has no data"]
    if parameter.dtype not in ("", dtype):
        return [f"{parameter.name!a} is of type {dtype}, not {parameter.dtype}"]
    return []
