"""What is done with the slices of parameters that :mod:`prunec.embedded.slices` describes: an array is cut,
masked, or put back in its place.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod
from typing import Any, Union

import numpy as np
from numpy.typing import NDArray

from prunec.embedded.slices import ParameterSlice, closed, expand, gathered, sliced
from prunec.graph import may_agree, shape_text
from prunec.support.diagnostics import Diagnostic, PrunecError, printable

__all__ = ["ParameterSlice", "slice_array", "compact", "expand", "mask_array", "scatter_array"]

Indices = Union[Sequence[int], NDArray[Any]]


def slice_array(parameter: ParameterSlice, array: NDArray[Any]) -> NDArray[Any]:
    """The part of ``array`` (shape ``parameter.shape``) that is kept, in ``parameter.new_shape``.

    Raises :class:`PrunecError` (P620) for an array of another shape.
    """
    _check_shape(parameter, array)
    part: NDArray[Any] = sliced(array, parameter)
    return part.copy() if np.may_share_memory(part, array) else part


def mask_array(parameter: ParameterSlice, array: NDArray[Any]) -> NDArray[Any]:
    """A copy of ``array`` (shape ``parameter.shape``) with every removed element set to the neutral value.

    Raises :class:`PrunecError` (P620) for an array of another shape.
    """
    _check_shape(parameter, array)
    kept, sizes = _kept_blocks(parameter, parameter.sizes(array.shape)[0])
    blocks = array.reshape(sizes)
    masked = np.full_like(blocks, parameter.neutral)
    masked[kept] = blocks[kept]
    return masked.reshape(array.shape)


def scatter_array(parameter: ParameterSlice, array: NDArray[Any]) -> NDArray[Any]:
    """What :func:`slice_array` gave (shape ``parameter.new_shape``) in the place it was taken from, in an
    array of ``parameter.shape`` with the neutral value elsewhere.

    Raises :class:`ValueError` for an array of another shape.
    """
    if not may_agree(array.shape, parameter.new_shape):
        raise ValueError(f"an array of shape {array.shape} is no slice of shape {parameter.new_shape}")
    found = [size for size, own in zip(array.shape, parameter.new_shape) if own is None]
    kept, sizes = _kept_blocks(parameter, closed(parameter.view, found))
    whole = np.full(sizes, parameter.neutral, dtype=array.dtype)
    whole[kept] = array.reshape(len(kept), sizes[1])
    return whole.reshape(closed(parameter.shape, found))


def _kept_blocks(
    parameter: ParameterSlice, view: tuple[int, ...]
) -> tuple[NDArray[np.intp], tuple[int, int]]:
    """Which blocks of an array are kept, in their new order, and how it is seen as (blocks, elements): the
    axes behind the last one that a gather looks at move as blocks."""
    leading = 1 + max((max(step.axis, *step.rows, 0) for step in parameter.gathers), default=-1)
    count = prod(view[:leading])
    indices = np.arange(count, dtype=np.intp).reshape(view[:leading])
    return gathered(indices, parameter.gathers).reshape(-1), (count, prod(view[leading:]))


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


# --- ranges ----------------------------------------------------------------------------------


def compact(indices: Indices) -> str:
    """Indices (not negative) as ranges with exclusive ends: ``0:64, 70, 72:96:2``.

    Rising runs become ranges, those with gaps from four positions on.  Order and repetitions are kept, so
    ``expand`` gives the same indices back.
    """
    return ", ".join(_ranges(np.asarray(indices, dtype=np.int64)))


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
