"""What only guards ask."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Optional, Union

from prunec.language.functions.base import GUARD, TENSOR, UNKNOWN, VALUE, Function, Shape, Unknown
from prunec.value import Value


def _size(shapes: Sequence[Optional[Shape]], index: Value) -> Union[Value, Unknown]:
    if not shapes or shapes[0] is None:
        return UNKNOWN
    shape = shapes[0]
    if isinstance(index, tuple) and len(index) == 1:
        index = index[0]
    if not isinstance(index, int) or not -len(shape) <= index < len(shape):
        return None
    return UNKNOWN if shape[index] is None else shape[index]


def _entry(value: Value, index: Value) -> Value:
    if not isinstance(value, tuple) or not isinstance(index, int) or not -len(value) <= index < len(value):
        return None
    return value[index]


def _given(shapes: Sequence[Optional[Shape]]) -> Value:
    return bool(shapes)


FUNCTIONS = (
    Function("size", (GUARD,), ((TENSOR, VALUE),), "the size of an axis of a tensor", guard=_size),
    Function("entry", (GUARD,), ((VALUE, VALUE),), "an entry of a list, counted from 0", guard=_entry),
    Function(
        "given",
        (GUARD,),
        ((TENSOR,),),
        "whether an optional input is connected",
        guard=_given,
        asks_what_is_connected=True,
    ),
)
