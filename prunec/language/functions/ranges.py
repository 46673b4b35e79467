"""Ranges of an axis: where they start and end, in steps or not, and elements at listed positions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Optional, Union

from prunec.language.functions.base import (
    ANY_AXES,
    AXES,
    AXIS,
    LIST,
    MEASURE,
    ONE_AXIS,
    POSITIONS,
    REST,
    SIZE,
    ArgumentError,
    Function,
    Number,
    WrittenOut,
)
from prunec.language.syntax import (
    Arithmetic,
    Call,
    Comparison,
    Element,
    Equation,
    Expression,
    Keep,
    Literal,
    Name,
    Reason,
    Rest,
    Statement,
)
from prunec.support.diagnostics import Span
from prunec.value import Value

#: An index as large as this ends behind any axis.
_ENDLESS = 2**31 - 1


def in_steps(step: Number) -> bool:
    """Whether a range with this step takes other elements than one stretch."""
    return step not in (None, 1)


def _start(begin: Number, size: Number, step: Number = None) -> Number:
    # What is gone over in steps counts as taken whole.
    if begin is None or in_steps(step):
        return 0
    if begin < 0:
        return None if size is None else max(0, begin + size)
    # An axis of an open size is taken to be long enough.
    return min(begin, size) if isinstance(size, int) else begin


def _stop(end: Number, size: Number, step: Number = None) -> Number:
    # Any end may lie behind that of the axis, so none says anything of an axis of unknown size.
    if end is None or size is None or in_steps(step) or end == size or end >= _ENDLESS:
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


# --- at length ---

_IN_STEPS = "elements are taken by their position, in steps"


def _range_at_length(call: Call) -> WrittenOut:
    """An axis of which a range is taken has a part before it and one behind it."""
    axis, starts, ends, axes, steps = (*call.arguments, None, None)[:5]
    assert isinstance(axis, (Name, Rest)) and starts is not None and ends is not None
    before, taken, behind = parts = _parts(axis, call.span)
    whole = sum_of(parts)
    starts, ends = (_at(entries, axes, taken) for entries in (starts, ends))
    if steps is None:
        return WrittenOut(axis, parts, (taken,), _bounds(before, taken, starts, ends, (whole,)))
    steps = _at(steps, axes, taken)
    stepped = _part(axis, "stepped", call.span)
    moved = Call("stepped", (taken, steps), call.span)
    counted = Call("strided", (whole, starts, ends, steps), call.span)
    statements: tuple[Statement, ...] = (
        *_bounds(before, taken, starts, ends, (whole, steps)),
        Equation(stepped, counted, None, call.span),
        Keep((moved, stepped), Reason(_IN_STEPS, "", call.span), None, call.span),
    )
    return WrittenOut(axis, parts, (Call("stepped", (taken, steps, stepped), call.span),), statements)


def _bounds(
    before: Union[Name, Rest],
    taken: Union[Name, Rest],
    starts: Expression,
    ends: Expression,
    behind: tuple[Expression, ...],
) -> tuple[Equation, ...]:
    span = taken.span
    start, stop = Call("start", (starts, *behind), span), Call("stop", (ends, *behind), span)
    return Equation(start, before, None, span), Equation(stop, sum_of((before, taken)), None, span)


def takes_one(element: Element) -> Expression:
    """Whether an input that lists elements holds a single one."""
    rank = Call("rank", (element.positions,), element.span)
    return Comparison("==", rank, Literal(0, element.span), element.span)


def element_at_length(element: Element, single: bool) -> WrittenOut:
    """What ``c[positions]`` is short for, where that is a ``single`` element, and where it is not."""
    span = element.span
    if not single:
        taken = Call("take", (element.item, element.positions), span)
        return WrittenOut(element.item, (), (taken,), ())
    before, taken_one, _ = parts = _parts(element.item, span)
    start = Call("start", (element.positions, sum_of(parts)), span)
    one = Equation(taken_one, Literal(1, span), None, span)
    return WrittenOut(element.item, parts, (), (Equation(start, before, None, span), one))


def _parts(axis: Union[Name, Rest], span: Span) -> tuple[Union[Name, Rest], ...]:
    return tuple(_part(axis, which, span) for which in ("before", "taken", "behind"))


def _part(axis: Union[Name, Rest], which: str, span: Span) -> Union[Name, Rest]:
    # No name that is written has a blank in it.
    return replace(axis, name=f"{axis.name} {which}", span=span)


def sum_of(parts: Sequence[Union[Name, Rest]]) -> Expression:
    """The sizes of parts together."""
    total: Expression = parts[0]
    for part in parts[1:]:
        total = Arithmetic("+", total, part, part.span)
    return total


def _at(entries: Expression, axes: Optional[Expression], frame: Expression) -> Expression:
    """A list whose entries speak of some axes, or of all in order."""
    if axes is None or (isinstance(axes, Literal) and axes.value is None):
        return entries
    return Call("on", (entries, axes, frame), frame.span)


FUNCTIONS = (
    Function(
        "start",
        (SIZE,),
        ((MEASURE, MEASURE),),
        "an index that starts a range on an axis of a given size",
        elementwise=_start,
        invert_keeping_style=_restyle,
        styles=_start_styles,
        makes_axes=True,
    ),
    Function(
        "stop",
        (SIZE,),
        ((MEASURE, MEASURE),),
        "an index that ends a range on an axis of a given size",
        elementwise=_stop,
        invert_keeping_style=_restyle,
        styles=_stop_styles,
        whole_by_default=True,
        makes_axes=True,
    ),
    Function(
        "range",
        (AXIS,),
        (
            (ANY_AXES, LIST, LIST),
            (REST, LIST, LIST, AXES),
            (REST, LIST, LIST, AXES, LIST),
        ),
        "the elements of axes from where lists of starts say to where lists of ends do",
        written_out=_range_at_length,
    ),
    Function(
        "strided",
        (),
        ((MEASURE, MEASURE, MEASURE, MEASURE),),
        "how many elements a range in steps takes from an axis",
        instead="range(*x, starts, ends, axes, steps)",
        elementwise=_strided,
    ),
    Function(
        "take",
        (),
        ((ONE_AXIS, POSITIONS),),
        "the elements of an axis at listed positions",
        instead="c[positions]",
        elements=_elements,
    ),
)
