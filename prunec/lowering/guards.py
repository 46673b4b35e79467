"""Guards: does a rule hold for a node?  Three answers: yes, no, and "not known yet"."""

from __future__ import annotations

from typing import Mapping, Optional

from prunec.graph import Shape
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
from prunec.lowering.expressions import attribute_length
from prunec.value import Value

#: Shapes of a rule's slots by name (of a variadic slot, a list); a slot that is not connected is absent.
SlotShapes = Mapping[str, list[Optional[Shape]]]


class _Unknown:
    """Stands for a value that is not known yet."""


_UNKNOWN = _Unknown()


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
        if isinstance(item, _Unknown):
            return None
        return any(_equal(item, choice.value) for choice in guard.choices) != guard.negated
    if isinstance(guard, Comparison):
        return _compare(guard, attributes, slots)
    value = _value(guard, attributes, slots)
    return None if isinstance(value, _Unknown) else bool(value)


def _compare(guard: Comparison, attributes: Mapping[str, Value], slots: SlotShapes) -> Optional[bool]:
    left = _value(guard.left, attributes, slots)
    right = _value(guard.right, attributes, slots)
    if isinstance(left, _Unknown) or isinstance(right, _Unknown):
        return None
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


def _value(expression: Expression, attributes: Mapping[str, Value], slots: SlotShapes) -> Value | _Unknown:
    if isinstance(expression, Literal):
        return expression.value
    if isinstance(expression, Name):
        return attributes.get(expression.name)
    if isinstance(expression, Arithmetic):
        left, right = (_value(side, attributes, slots) for side in (expression.left, expression.right))
        if not isinstance(left, (int, float)) or not isinstance(right, (int, float)):
            return _UNKNOWN
        return {"+": left + right, "-": left - right, "*": left * right, "/": left // right if right else 0}[
            expression.operator
        ]
    if isinstance(expression, Call):
        return _call(expression, attributes, slots)
    return holds(expression, attributes, slots)


def _call(call: Call, attributes: Mapping[str, Value], slots: SlotShapes) -> Value | _Unknown:
    first = call.arguments[0]
    shapes = slots.get(first.name, []) if isinstance(first, Name) else []
    if call.function == "given":
        return bool(shapes)
    if call.function == "count":
        return len(shapes)
    if call.function == "entry":
        return _entry(call, attributes)
    if call.function == "length":
        return attribute_length(attributes.get(first.name) if isinstance(first, Name) else None)
    if not shapes or shapes[0] is None:
        return _UNKNOWN
    shape = shapes[0]
    if call.function == "rank":
        return len(shape)
    index = _value(call.arguments[1], attributes, slots)
    if not isinstance(index, int) or not -len(shape) <= index < len(shape):
        return None
    size = shape[index]
    return _UNKNOWN if size is None else size


def _entry(call: Call, attributes: Mapping[str, Value]) -> Value:
    """One entry of a list; nothing where it has none there."""
    first, second = call.arguments
    value = attributes.get(first.name) if isinstance(first, Name) else None
    index = second.value if isinstance(second, Literal) else None
    if not isinstance(value, tuple) or not isinstance(index, int) or not -len(value) <= index < len(value):
        return None
    return value[index]
