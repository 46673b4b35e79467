"""Guards: does a rule hold for a node?  Three answers: yes, no, and "not known yet"."""

from __future__ import annotations

from typing import Mapping, Optional, Sequence

from prunec.language.functions import function_of
from prunec.language.functions.base import GUARD, TENSOR, UNKNOWN, VARIADIC, Unknown
from prunec.language.syntax import (
    Arithmetic,
    Call,
    Comparison,
    Expression,
    Literal,
    Logic,
    Membership,
    Name,
    Not,
)
from prunec.sizes import OpenShape, OpenSize
from prunec.value import Value

#: Shapes of a rule's slots by name (of a variadic slot, a list); a slot that is not connected is absent.
SlotShapes = Mapping[str, Sequence[Optional[OpenShape]]]


def holds(guard: Optional[Expression], attributes: Mapping[str, Value], slots: SlotShapes) -> Optional[bool]:
    """Whether a guard holds; ``None`` where it needs a shape that is not known yet."""
    if guard is None:
        return True
    if isinstance(guard, Not):
        inner = holds(guard.item, attributes, slots)
        return None if inner is None else not inner
    if isinstance(guard, Logic):
        answers = [holds(item, attributes, slots) for item in guard.items]
        decisive = guard.operator == "or"
        if decisive in answers:
            return decisive
        return None if None in answers else not decisive
    if isinstance(guard, Membership):
        item = _value(guard.item, attributes, slots)
        if isinstance(item, (Unknown, OpenSize)):
            return None
        return any(_equal(item, choice.value) for choice in guard.choices) != guard.negated
    if isinstance(guard, Comparison):
        return _compare(guard, attributes, slots)
    value = _value(guard, attributes, slots)
    return None if isinstance(value, (Unknown, OpenSize)) else bool(value)


def _compare(guard: Comparison, attributes: Mapping[str, Value], slots: SlotShapes) -> Optional[bool]:
    left = _value(guard.left, attributes, slots)
    right = _value(guard.right, attributes, slots)
    if guard.operator not in ("==", "!="):
        right = _one(right)
    if isinstance(left, Unknown) or isinstance(right, Unknown):
        return None
    if isinstance(left, OpenSize) or isinstance(right, OpenSize):
        # Of others than the same it shows only when the model runs.
        return guard.operator in ("==", "<=", ">=") if left == right else None
    if guard.operator in ("==", "!="):
        return _equal(left, right) == (guard.operator == "==")
    if isinstance(left, tuple) and isinstance(right, (int, float)):
        return all(_ordered(guard.operator, entry, right) for entry in left)
    return _ordered(guard.operator, left, right)


def _ordered(operator: str, left: Value, right: Value) -> bool:
    """A comparison of numbers; what is no number compares with nothing."""
    if not isinstance(left, (int, float)) or not isinstance(right, (int, float)):
        return False
    if operator == "<":
        return left < right
    if operator == "<=":
        return left <= right
    return left > right if operator == ">" else left >= right


def _equal(left: Value, right: Value) -> bool:
    # Old files write 0 and 1 for booleans, and one number for a tuple of one.
    if isinstance(left, tuple) != isinstance(right, tuple):
        (left, right) = (left, right) if isinstance(left, tuple) else (right, left)
        return len(left) == 1 and left[0] == right  # type: ignore[arg-type, index]
    return left == right


def _value(expression: Expression, attributes: Mapping[str, Value], slots: SlotShapes) -> Value | Unknown:
    if isinstance(expression, Literal):
        return expression.value
    if isinstance(expression, Name):
        return attributes.get(expression.name)
    if isinstance(expression, Arithmetic):
        left, right = (_one(_value(side, attributes, slots)) for side in (expression.left, expression.right))
        if not isinstance(left, (int, float)) or not isinstance(right, (int, float)):
            return UNKNOWN
        return {"+": left + right, "-": left - right, "*": left * right, "/": left // right if right else 0}[
            expression.operator
        ]
    if isinstance(expression, Call):
        return _call(expression, attributes, slots)
    return holds(expression, attributes, slots)


def _call(call: Call, attributes: Mapping[str, Value], slots: SlotShapes) -> Value | Unknown:
    function = function_of(call)
    form = function.form(len(call.arguments), GUARD)
    if function.guard is None or form is None:
        return UNKNOWN
    arguments = [
        slots.get(argument.name, ())
        if kind in (TENSOR, VARIADIC) and isinstance(argument, Name)
        else _value(argument, attributes, slots)
        for argument, kind in zip(call.arguments, form)
    ]
    return function.guard(*arguments)


def _one(value: Value | Unknown) -> Value | Unknown:
    """The number of a tuple of one."""
    return value[0] if isinstance(value, tuple) and len(value) == 1 else value
