"""Walking over the axes and expressions of a rule."""

from __future__ import annotations

from typing import Iterator, Optional, Union

from prunec.language.functions import function_of
from prunec.language.functions.base import Function
from prunec.language.syntax import (
    Arithmetic,
    AxisExpression,
    Broadcast,
    Call,
    Comparison,
    Each,
    Equation,
    Expression,
    Literal,
    Name,
    Product,
    Rest,
    Sum,
    VariadicSum,
)


def stems(item: Union[AxisExpression, Expression]) -> list[str]:
    """The names and rests of an axis, in order."""
    if isinstance(item, (Name, Rest)):
        return [item.name]
    if isinstance(item, (Product, Sum)):
        return [name for part in item.items for name in stems(part)]
    if isinstance(item, (Each, Broadcast, VariadicSum)):
        return stems(item.item)
    if isinstance(item, Call):
        return [name for part in item.arguments[:1] for name in stems(part)]
    return []


def calls(*expressions: Expression) -> Iterator[Call]:
    """All calls in expressions, outer ones first."""
    for expression in expressions:
        if isinstance(expression, Call):
            yield expression
        yield from calls(*_parts(expression))


def names_of_expression(expression: Expression) -> Iterator[str]:
    """All names in an expression, of axes and of attributes."""
    if isinstance(expression, (Name, Rest)):
        yield expression.name
    for part in _parts(expression):
        yield from names_of_expression(part)


def _parts(expression: Expression) -> tuple[Expression, ...]:
    if isinstance(expression, Call):
        return expression.arguments
    if isinstance(expression, (Arithmetic, Comparison)):
        return (expression.left, expression.right)
    return ()


def attribute_of(side: Expression) -> Optional[str]:
    """The attribute that a side of an equation is, or reads entry by entry."""
    while isinstance(side, Call) and _reads_entries(function_of(side)):
        side = side.arguments[0]
    return side.name if isinstance(side, Name) else None


def _reads_entries(function: Function) -> bool:
    return function.restyle is not None or function.places_entries or function.half is not None


def placing(side: Expression) -> Optional[Call]:
    """The call that says which axes the entries of a side speak of."""
    if isinstance(side, Call) and function_of(side).restyle is not None:
        side = side.arguments[0]
    return side if isinstance(side, Call) and function_of(side).places_entries else None


def entries_for(call: Call, count: int) -> int:
    """How many entries a list needs of which a call is to give ``count``; as many where nothing else is
    known of the function."""
    needed = function_of(call).entries_for
    others = [argument.value if isinstance(argument, Literal) else None for argument in call.arguments[1:]]
    return count if needed is None else needed(count, others)


def sides(equation: Equation) -> tuple[tuple[Expression, Expression], ...]:
    """Each side of an equation with the other."""
    return ((equation.left, equation.right), (equation.right, equation.left))
