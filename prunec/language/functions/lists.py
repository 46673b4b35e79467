"""Lists: joined, in turn, in part, or with their entries at other axes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Callable

from prunec.language.functions.base import (
    AXES,
    COUNTED,
    ITS_OWN,
    LIST,
    MEASURE,
    PARTS,
    SIZE,
    VALUE,
    Function,
    Number,
)
from prunec.language.functions.positions import listed_positions
from prunec.value import Value

_Join = Callable[[str, Any, Any], Any]


def _joined(arguments: Sequence[Any], join: _Join) -> Sequence[Any]:
    return [entry for argument in arguments for entry in argument]


def _interleave(arguments: Sequence[Any], join: _Join) -> Sequence[Any]:
    return [entry for pair in zip(*arguments) for entry in pair]


def _last_first(arguments: Sequence[Any], join: _Join) -> Sequence[Any]:
    return [entry for pair in reversed(list(zip(*arguments))) for entry in pair]


def _offsets(arguments: Sequence[Any], join: _Join) -> Sequence[Any]:
    return [0, *_cuts(arguments, join)]


def _cuts(arguments: Sequence[Any], join: _Join) -> Sequence[Any]:
    cuts: list[Any] = []
    for part in arguments[0][:-1]:
        cuts.append(join("+", cuts[-1], part) if cuts else part)
    return cuts


def _first_half(arguments: Sequence[Any], join: _Join) -> Sequence[Any]:
    values = list(arguments[0])
    return values[: len(values) // 2] if len(values) > 1 else values


def _second_half(arguments: Sequence[Any], join: _Join) -> Sequence[Any]:
    # One number stands for all axes and both sides.
    values = list(arguments[0])
    return values[len(values) // 2 :] if len(values) > 1 else values


def _skip(arguments: Sequence[Any], join: _Join) -> Sequence[Any]:
    values, count = list(arguments[0]), arguments[1]
    return values[count:] if isinstance(count, int) else values


def _on(arguments: Sequence[Any], join: _Join) -> Sequence[Any]:
    values, axes, frame, default = (*arguments, None)[:4]
    rank = len(frame)
    placed = [default] * rank
    for position, value in zip(listed_positions(axes, rank) if axes is not None else range(rank), values):
        placed[position] = value
    return placed


def _part_count(value: Value) -> Number:
    return len(value) if isinstance(value, tuple) else 1


FUNCTIONS = (
    Function(
        "join",
        (SIZE,),
        ((MEASURE, MEASURE), (MEASURE, MEASURE, MEASURE)),
        "the sizes of axes or rests, one behind the other",
        entries=_joined,
        length=ITS_OWN,
        concatenates=True,
        one_by_one=True,
    ),
    Function(
        "interleave",
        (SIZE,),
        ((MEASURE, MEASURE),),
        "sizes of two rests in turn",
        entries=_interleave,
        values_per_axis=2,
        one_by_one=True,
    ),
    Function(
        "last_first",
        (SIZE,),
        ((MEASURE, MEASURE),),
        "sizes of two rests in turn, those of the last axis first",
        entries=_last_first,
        values_per_axis=2,
        one_by_one=True,
    ),
    Function(
        "offsets",
        (SIZE,),
        ((PARTS,),),
        "where the parts of a variadic sum start",
        entries=_offsets,
        one_by_one=True,
        stands_for=_part_count,
    ),
    Function(
        "cuts",
        (SIZE,),
        ((PARTS,),),
        "where the parts of a variadic sum start, without the leading zero",
        entries=_cuts,
        one_by_one=True,
        stands_for=lambda value: (_part_count(value) or 0) + 1,
    ),
    Function(
        "before",
        (SIZE,),
        ((LIST,),),
        "the first half of a list: what stands before each axis",
        entries=_first_half,
        lenient=True,
        length=ITS_OWN,
        half=0,
        entries_for=lambda count, others: 2 * count,
    ),
    Function(
        "after",
        (SIZE,),
        ((LIST,),),
        "the second half of a list: what stands behind each axis",
        entries=_second_half,
        lenient=True,
        length=ITS_OWN,
        half=1,
        entries_for=lambda count, others: 2 * count,
    ),
    Function(
        "skip",
        (SIZE,),
        ((LIST, VALUE),),
        "a list without its first entries",
        entries=_skip,
        lenient=True,
        length=ITS_OWN,
        entries_for=lambda count, others: count + (others[0] if isinstance(others[0], int) else 0),
    ),
    Function(
        "on",
        (SIZE,),
        ((LIST, AXES, COUNTED), (LIST, AXES, COUNTED, VALUE)),
        "for each axis the entry of a list that speaks of it",
        entries=_on,
        lenient=True,
        length=ITS_OWN,
        places_entries=True,
    ),
)
