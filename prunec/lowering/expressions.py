"""Expressions of a rule, spread over axes and evaluated.

``spread`` turns an expression into a list of scalar expressions: ``*x`` into one for each axis, an
attribute that holds a tuple into one for each entry.  A scalar expression is a number, a plain
name (a string), or an operation on such.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Mapping, Optional, Sequence, Union

from prunec.language.syntax import Arithmetic, Call, Expression, Literal, Name, Rest
from prunec.lowering.functions import ELEMENTWISE
from prunec.value import Value


@dataclass(frozen=True)
class Operation:
    """``+ - * /`` or one of the elementwise functions, on scalar expressions."""

    function: str
    arguments: tuple[Scalar, ...]


#: A number, "not given", a plain name, or an operation.
Scalar = Union[None, int, float, str, Operation]


class Unspreadable(Exception):
    """The expression needs something that is not known (yet), or says nothing."""


@dataclass(frozen=True)
class Scope:
    """What names mean in the expressions of one bound rule."""

    attributes: Mapping[str, Value]
    axis_names: frozenset[str]
    ranks: Mapping[str, int]
    counts: Mapping[str, int]
    variadic: Mapping[str, str]
    """Names that a variadic sum indexes, each with the slot it counts."""

    def parts(self, name: str) -> list[str]:
        """The plain names of an indexed name."""
        return [indexed(name, i) for i in range(self.counts[self.variadic[name]])]


def indexed(name: str, index: int) -> str:
    """The plain name of one axis of a rest, or of one tensor's part."""
    return f"{name}.{index}"


def spread(expression: Expression, scope: Scope) -> list[Scalar]:
    """The scalar expressions that an expression stands for.

    Raises :class:`Unspreadable` where an attribute is ``None`` or a rest has no known rank.
    """
    if isinstance(expression, Literal):
        return _spread_value(expression.value)
    if isinstance(expression, Name):
        if expression.name in scope.axis_names:
            if expression.name in scope.variadic:
                return list(scope.parts(expression.name))
            return [expression.name]
        value = scope.attributes.get(expression.name)
        if value is None:
            raise Unspreadable(expression.name)
        return _spread_value(value)
    if isinstance(expression, Rest):
        if expression.name not in scope.ranks:
            raise Unspreadable(expression.name)
        return [indexed(expression.name, i) for i in range(scope.ranks[expression.name])]
    if isinstance(expression, Arithmetic):
        sides = (spread(expression.left, scope), spread(expression.right, scope))
        return _zip(expression.operator, sides)
    if isinstance(expression, Call):
        return _spread_call(expression, scope)
    raise Unspreadable(str(expression))


def _spread_value(value: Value) -> list[Scalar]:
    if isinstance(value, (tuple, list)):
        return [_number(entry) for entry in value]
    return [_number(value)]


def _number(value: Value) -> Scalar:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if value is None or isinstance(value, int):
        return None if value is None else int(value)
    if isinstance(value, float):
        return value
    raise Unspreadable(str(value))


def _spread_call(call: Call, scope: Scope) -> list[Scalar]:
    if call.function in ("count", "length", "rank"):
        return [_measure(call, scope)]
    if call.function == "pick":
        return _pick(call, scope)
    if call.function in ("before", "after", "skip", "on", "between"):
        return _entries(call, scope)
    if call.function in ELEMENTWISE:
        return _zip(call.function, tuple(_spread_optional(argument, scope) for argument in call.arguments))
    arguments = [spread(argument, scope) for argument in call.arguments]
    if call.function == "interleave":
        return [entry for pair in zip(*arguments) for entry in pair]
    if call.function in ("offsets", "cuts"):
        starts: list[Scalar] = [0]
        for part in arguments[0][:-1]:
            starts.append(Operation("+", (starts[-1], part)) if len(starts) > 1 else part)
        return starts if call.function == "offsets" else starts[1:]
    if call.function == "join":
        return [entry for argument in arguments for entry in argument]
    if call.function == "prod":
        return [_fold("*", [entry for argument in arguments for entry in argument])]
    raise Unspreadable(call.function)


def _entries(call: Call, scope: Scope) -> list[Scalar]:
    """Some of the entries of a list, or its entries in other places."""
    values = _spread_optional(call.arguments[0], scope)
    if call.function in ("before", "after"):
        # One number stands for all axes and both sides.
        half = len(values) // 2 if len(values) > 1 else 0
        return (values[:half] if call.function == "before" else values[half:]) if half else values
    if call.function == "skip":
        count = _plain_value(call.arguments[1], scope)
        return values[count:] if isinstance(count, int) else values
    if call.function == "between":
        start, stop = (_plain_value(argument, scope) for argument in call.arguments[1:3])
        return values[slice(_whole(start), _whole(stop))]
    rank = len(spread(call.arguments[2], scope))
    axes = _plain_value(call.arguments[1], scope)
    default = _plain_value(call.arguments[3], scope) if len(call.arguments) > 3 else None
    positions = listed_positions(axes, rank) if axes is not None else list(range(rank))
    placed: list[Scalar] = [_number(default)] * rank
    for position, value in zip(positions, values):
        placed[position] = value
    return placed


def listed_positions(axes: Value, rank: int) -> list[int]:
    """The axes of ``rank`` that a list names, in its order; negative ones count from the end."""
    entries = axes if isinstance(axes, tuple) else (axes,)
    return [int(entry) % rank for entry in entries if isinstance(entry, int)] if rank else []


def _plain_value(expression: Expression, scope: Scope) -> Value:
    if isinstance(expression, Literal):
        return expression.value
    return scope.attributes.get(expression.name) if isinstance(expression, Name) else None


def _whole(value: Value) -> Optional[int]:
    return value if isinstance(value, int) else None


def _measure(call: Call, scope: Scope) -> Scalar:
    """How many tensors a slot holds, entries an attribute has, or axes a rest stands for."""
    argument = call.arguments[0]
    if isinstance(argument, Rest) and argument.name in scope.ranks:
        return scope.ranks[argument.name]
    if isinstance(argument, Name) and call.function == "count":
        return scope.counts[argument.name]
    if isinstance(argument, Name):
        return attribute_length(scope.attributes.get(argument.name))
    raise Unspreadable(call.function)


def attribute_length(value: Value) -> int:
    """How many entries an attribute has: none if it is not given, one for a single value."""
    if value is None:
        return 0
    return len(value) if isinstance(value, tuple) else 1


def chosen_positions(value: Value, exclude: bool, rank: int, default_all: bool) -> list[int]:
    """The axes of ``rank`` that an attribute names (negative from the end), or all the others."""
    if value is None or value == ():
        return list(range(rank)) if default_all else []
    entries = value if isinstance(value, tuple) else (value,)
    chosen = {int(entry) % rank for entry in entries if isinstance(entry, int)} if rank else set()
    return [i for i in range(rank) if (i in chosen) != exclude]


def _pick(call: Call, scope: Scope) -> list[Scalar]:
    names = spread(call.arguments[0], scope)
    values: list[Value] = []
    for argument in call.arguments[1:]:
        if isinstance(argument, Literal):
            values.append(argument.value)
        elif isinstance(argument, Name):
            values.append(scope.attributes.get(argument.name))
    exclude = len(values) > 1 and bool(values[1])
    if isinstance(values[0], tuple) and values[0] and not exclude and names:
        # In the attribute's order, so that what stands beside it goes to the axis it names.
        return [names[int(entry) % len(names)] for entry in values[0] if isinstance(entry, int)]
    return [names[i] for i in chosen_positions(values[0], exclude, len(names), default_all=True)]


def _spread_optional(expression: Expression, scope: Scope) -> list[Scalar]:
    """Like :func:`spread`, but an attribute that is not given is the number "not given"."""
    if isinstance(expression, Name) and expression.name not in scope.axis_names:
        value = scope.attributes.get(expression.name)
        if value is None or value == ():
            return [None]
    return spread(expression, scope)


def _fold(function: str, entries: list[Scalar]) -> Scalar:
    result: Scalar = entries[0] if entries else 1
    for entry in entries[1:]:
        result = Operation(function, (result, entry))
    return result


def _zip(function: str, columns: tuple[list[Scalar], ...]) -> list[Scalar]:
    length = max(len(column) for column in columns)
    if any(not column for column in columns):
        return []
    padded = [column * length if len(column) == 1 else column for column in columns]
    # A tuple that is too short says nothing of the axes behind its end, as slice's begin and end do.
    padded = [column + [None] * (length - len(column)) for column in padded]
    return [Operation(function, entries) for entries in zip(*padded)]


def evaluate(scalar: Scalar, sizes: Mapping[str, Optional[int]]) -> Optional[int]:
    """The value of a scalar expression, ``None`` where it needs a size that is not known."""
    if scalar is None or isinstance(scalar, int):
        return scalar
    if isinstance(scalar, float):
        return None  # a fraction is no size; as a factor it goes into functions
    if isinstance(scalar, str):
        return sizes.get(scalar)
    if scalar.function in ELEMENTWISE:
        takes_fractions = scalar.function == "scaled"
        return ELEMENTWISE[scalar.function](
            *(a if takes_fractions and isinstance(a, float) else evaluate(a, sizes) for a in scalar.arguments)
        )
    values = [evaluate(argument, sizes) for argument in scalar.arguments]
    left, right = values
    if left is None or right is None:
        # The parts may be open while their sum, an axis of a known size, is not.
        key = _sum_names(scalar)
        return None if key is None else sizes.get(sum_key(key))
    return _arithmetic(scalar.function, left, right)


def sum_key(names: Sequence[str]) -> str:
    """The name under which the size of a whole sum of names is remembered."""
    return " + ".join(names)


def _sum_names(scalar: Scalar) -> Optional[list[str]]:
    if isinstance(scalar, str):
        return [scalar]
    if isinstance(scalar, Operation) and scalar.function == "+":
        left, right = (_sum_names(argument) for argument in scalar.arguments)
        return None if left is None or right is None else left + right
    return None


def _arithmetic(operator: str, left: int, right: int) -> Optional[int]:
    if operator == "+":
        return left + right
    if operator == "-":
        return left - right
    if operator == "*":
        return left * right
    return left // right if right else None


def solve(scalar: Scalar, value: int, sizes: Mapping[str, Optional[int]]) -> Optional[tuple[str, int]]:
    """The one unknown name of a scalar expression and the size that gives it ``value``.

    ``None`` where there is no unknown, more than one, or none that can be found by turning the
    arithmetic round.
    """
    if isinstance(scalar, str):
        return (scalar, value) if sizes.get(scalar) is None else None
    if not isinstance(scalar, Operation) or scalar.function in ELEMENTWISE:
        return None
    left, right = scalar.arguments
    left_value, right_value = evaluate(left, sizes), evaluate(right, sizes)
    if (left_value is None) == (right_value is None):
        return None
    unknown, known = (left, right_value) if left_value is None else (right, left_value)
    assert known is not None
    if scalar.function == "+":
        return solve(unknown, value - known, sizes)
    if scalar.function == "-":
        return solve(unknown, value + known if left_value is None else known - value, sizes)
    if scalar.function == "*" and known and value % known == 0:
        return solve(unknown, value // known, sizes)
    return None


def least_size(scalar: Scalar) -> int:
    """The least value that an expression can have as a size: one where a window slides, as it stands
    somewhere at least, else zero."""
    if not isinstance(scalar, Operation):
        return 0
    if scalar.function == "min":
        return max(map(least_size, scalar.arguments))
    return int(scalar.function in ("window", "window_up"))


def names_in(scalar: Scalar) -> frozenset[str]:
    """The plain names of a scalar expression."""
    if isinstance(scalar, str):
        return frozenset((scalar,))
    if isinstance(scalar, Operation):
        return frozenset(name for argument in scalar.arguments for name in names_in(argument))
    return frozenset()
