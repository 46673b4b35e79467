"""Sizes of several axes in one, and how many there are of something."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Any, Callable, Union

from prunec.language.functions.base import (
    GUARD,
    ITS_OWN,
    MEASURE,
    REST,
    SIZE,
    TENSOR,
    UNKNOWN,
    VALUE,
    VARIADIC,
    Function,
    Number,
    Shape,
    Unknown,
)
from prunec.language.functions.positions import attribute_length
from prunec.value import Value

_Join = Callable[[str, Any, Any], Any]


def _prod(arguments: Sequence[Any], join: _Join) -> Sequence[Any]:
    (sizes,) = arguments
    return [reduce(lambda product, size: join("*", product, size), sizes) if sizes else 1]


def _largest(*values: Number) -> Number:
    known = [value for value in values if value is not None]
    return max(known) if len(known) == len(values) else None


def _smallest(*values: Number) -> Number:
    known = [value for value in values if value is not None]
    return min(known) if len(known) == len(values) else None


def _tensor_count(arguments: Sequence[Any], join: _Join) -> Sequence[Any]:
    return [arguments[0]]


def _axis_count(arguments: Sequence[Any], join: _Join) -> Sequence[Any]:
    return [len(arguments[0])]


def _entry_count(arguments: Sequence[Any], join: _Join) -> Sequence[Any]:
    return [attribute_length(arguments[0])]


def _rank(shapes: Sequence[Shape | None]) -> Union[Value, Unknown]:
    return UNKNOWN if not shapes or shapes[0] is None else len(shapes[0])


def _number(value: Value) -> Number:
    return value if isinstance(value, int) else None


FUNCTIONS = (
    Function("prod", (SIZE,), ((REST,),), "the product of the sizes", entries=_prod, length=ITS_OWN),
    Function("max", (SIZE,), ((MEASURE, MEASURE),), "the larger size", elementwise=_largest),
    Function("min", (SIZE,), ((MEASURE, MEASURE),), "the smaller size", elementwise=_smallest, least=max),
    Function(
        "count",
        (SIZE, GUARD),
        ((VARIADIC,),),
        "the number of tensors in a variadic slot",
        entries=_tensor_count,
        length=ITS_OWN,
        stands_for=_number,
        guard=len,
        asks_what_is_connected=True,
    ),
    Function(
        "rank",
        (SIZE, GUARD),
        ((TENSOR,),),
        "the number of axes of a tensor, in equations of a rest",
        size_forms=((REST,),),
        entries=_axis_count,
        length=ITS_OWN,
        stands_for=_number,
        guard=_rank,
    ),
    Function(
        "length",
        (SIZE, GUARD),
        ((VALUE,),),
        "the number of entries of an attribute",
        entries=_entry_count,
        length=ITS_OWN,
        guard=attribute_length,
        counts_entries=True,
    ),
)
