"""Ranges of an axis: where they start and end, in steps or not, and elements at listed positions."""

from __future__ import annotations

from collections.abc import Sequence

from prunec.language.functions.base import (
    AXIS,
    MEASURE,
    ONE_AXIS,
    POSITIONS,
    SIZE,
    ArgumentError,
    Function,
    Number,
)
from prunec.value import Value


def in_steps(step: Number) -> bool:
    """Whether a range with this step takes other elements than one stretch."""
    return step not in (None, 1)


def _start(begin: Number, size: Number, step: Number = None) -> Number:
    # What is gone over in steps counts as taken whole.
    if begin is None or in_steps(step):
        return 0
    if begin < 0:
        return None if size is None else max(0, begin + size)
    return begin if size is None else min(begin, size)


def _stop(end: Number, size: Number, step: Number = None) -> Number:
    # Any end may lie behind that of the axis, so none says anything of an axis of unknown size.
    if end is None or size is None or in_steps(step):
        return size
    return max(0, end + size) if end < 0 else min(end, size)


def _restyle(old: Number, old_size: Number, size: Number, value: int) -> Number:
    if old is None:
        return None
    if old_size is not None and size is not None:
        if old > old_size or old < -old_size:
            return old
        if old < 0:
            return value - size if value < size else value
    return value


def _start_styles(value: int, size: int, nullable: bool) -> Sequence[Number]:
    return _styles(value, size, nullable and value == 0)


def _stop_styles(value: int, size: int, nullable: bool) -> Sequence[Number]:
    return _styles(value, size, nullable and value == size)


def _styles(value: int, size: int, nullable: bool) -> Sequence[Number]:
    ways: list[Number] = [value, value]
    ways += [value - size] if value < size else []
    return [*ways, None] if nullable else ways


def _strided(size: Number, start: Number, end: Number, step: Number) -> Number:
    return None if size is None or step == 0 else len(range(*slice(start, end, step).indices(size)))


def _elements(value: Value, size: int) -> tuple[int, ...]:
    entries = value if isinstance(value, tuple) else (value,)
    positions = [entry for entry in entries if isinstance(entry, int) and -size <= entry < size]
    if len(positions) != len(entries):
        raise ArgumentError(f"{value} are not positions among {size}")
    return tuple(position % size for position in positions)


FUNCTIONS = (
    Function(
        "start",
        (SIZE,),
        ((MEASURE, MEASURE), (MEASURE, MEASURE, MEASURE)),
        "an index that starts a range on an axis of a given size",
        elementwise=_start,
        restyle=_restyle,
        styles=_start_styles,
        makes_axes=True,
    ),
    Function(
        "stop",
        (SIZE,),
        ((MEASURE, MEASURE), (MEASURE, MEASURE, MEASURE)),
        "an index that ends a range on an axis of a given size",
        elementwise=_stop,
        restyle=_restyle,
        styles=_stop_styles,
        whole_by_default=True,
        makes_axes=True,
    ),
    Function(
        "strided",
        (SIZE,),
        ((MEASURE, MEASURE, MEASURE, MEASURE),),
        "how many elements a range in steps takes from an axis",
        elementwise=_strided,
    ),
    Function(
        "take",
        (AXIS,),
        ((ONE_AXIS, POSITIONS),),
        "the elements of an axis at listed positions",
        elements=_elements,
    ),
)
