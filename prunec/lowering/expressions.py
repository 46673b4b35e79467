"""Expressions of a rule, spread over axes and evaluated.

``spread`` turns an expression into a list of scalar expressions: ``*x`` into one for each axis, an
attribute that holds a tuple into one for each entry.  A scalar expression is a number, a plain
name (a string), or an operation on such.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Mapping, Optional, Sequence, Union

from prunec.language.functions import ELEMENTWISE, FUNCTIONS, function_of
from prunec.language.functions.base import SIZE, VALUES, VARIADIC
from prunec.language.syntax import Arithmetic, Call, Expression, Literal, Name, Rest
from prunec.sizes import OpenSize, Size, applied, quotient
from prunec.value import Value


@dataclass(frozen=True)
class Operation:
    """``+ - * /`` or one of the elementwise functions, on scalar expressions."""

    function: str
    arguments: tuple[Scalar, ...]


#: A size, "not given", a plain name, or an operation.
Scalar = Union[None, int, float, OpenSize, str, Operation]
#: Sizes of plain names; ``None`` where nothing is known of one.
Sizes = Mapping[str, Optional[Size]]


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
    if isinstance(value, (float, OpenSize)):
        return value
    raise Unspreadable(str(value))


def _spread_call(call: Call, scope: Scope) -> list[Scalar]:
    function = function_of(call)
    if function.elementwise is not None:
        return _zip(call.function, tuple(spread_optional(argument, scope) for argument in call.arguments))
    form = function.form(len(call.arguments), SIZE)
    if function.entries is None or form is None:
        raise Unspreadable(call.function)
    spread_list = spread_optional if function.lenient else spread
    arguments = [
        _argument(argument, kind, scope) if kind in (*VALUES, VARIADIC) else spread_list(argument, scope)
        for argument, kind in zip(call.arguments, form)
    ]
    return list(function.entries(arguments, _operation))


def _operation(operator: str, left: Scalar, right: Scalar) -> Scalar:
    return Operation(operator, (left, right))


def _argument(argument: Expression, kind: str, scope: Scope) -> Value:
    """What an argument is that is taken as it is: a value, or how many tensors a slot holds."""
    if isinstance(argument, Literal):
        return argument.value
    if not isinstance(argument, Name):
        return None
    return scope.counts[argument.name] if kind == VARIADIC else scope.attributes.get(argument.name)


def spread_optional(expression: Expression, scope: Scope) -> list[Scalar]:
    """Like :func:`spread`, but an attribute that is not given is the number "not given"."""
    if isinstance(expression, Name) and expression.name not in scope.axis_names:
        value = scope.attributes.get(expression.name)
        if value is None or value == ():
            return [None]
    return spread(expression, scope)


def _zip(function: str, columns: tuple[list[Scalar], ...]) -> list[Scalar]:
    length = max(len(column) for column in columns)
    if any(not column for column in columns):
        return []
    padded = [column * length if len(column) == 1 else column for column in columns]
    # A tuple that is too short says nothing of the axes behind its end, as slice's begin and end do.
    padded = [column + [None] * (length - len(column)) for column in padded]
    return [Operation(function, entries) for entries in zip(*padded)]


def evaluate(scalar: Scalar, sizes: Sizes) -> Optional[Size]:
    """The value of a scalar expression, ``None`` where it needs a size that is not known."""
    if scalar is None or isinstance(scalar, (int, OpenSize)):
        return scalar
    if isinstance(scalar, float):
        return None  # a fraction is no size; as a factor it goes into functions
    if isinstance(scalar, str):
        return sizes.get(scalar)
    if scalar.function in ELEMENTWISE:
        return _elementwise(scalar, sizes)
    values = [evaluate(argument, sizes) for argument in scalar.arguments]
    left, right = values
    if left is None or right is None:
        # The parts may be open while their sum, an axis of a known size, is not.
        key = _sum_names(scalar)
        return None if key is None else sizes.get(sum_key(key))
    return _arithmetic(scalar.function, left, right)


def _elementwise(operation: Operation, sizes: Sizes) -> Optional[Size]:
    function = ELEMENTWISE[operation.function]
    takes_fractions = FUNCTIONS[operation.function].fractions
    arguments: list[Union[None, float, Size]] = [
        a if takes_fractions and isinstance(a, float) else evaluate(a, sizes) for a in operation.arguments
    ]
    try:
        return function(*arguments)
    except TypeError:
        # An open size is neither larger nor smaller than another, and cannot be rounded.
        return applied(operation.function, arguments, function)


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


def _arithmetic(operator: str, left: Size, right: Size) -> Optional[Size]:
    if operator == "+":
        return left + right
    if operator == "-":
        return left - right
    if operator == "*":
        return left * right
    return left // right if right else None


def solve(scalar: Scalar, value: Size, sizes: Sizes) -> Optional[tuple[str, Size]]:
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
    if scalar.function == "*":
        count = quotient(value, known)
        return None if count is None else solve(unknown, count, sizes)
    return None


def least_size(scalar: Scalar) -> int:
    """The least value that an expression can have as a size: one where a window slides, as it stands
    somewhere at least, else zero."""
    if not isinstance(scalar, Operation):
        return 0
    function = FUNCTIONS.get(scalar.function)
    if function is None or function.least is None:
        return 0
    return function.least([least_size(argument) for argument in scalar.arguments])


def names_in(scalar: Scalar) -> frozenset[str]:
    """The plain names of a scalar expression."""
    if isinstance(scalar, str):
        return frozenset((scalar,))
    if isinstance(scalar, Operation):
        return frozenset(name for argument in scalar.arguments for name in names_in(argument))
    return frozenset()
