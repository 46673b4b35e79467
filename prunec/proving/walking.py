"""Walking over the axes and expressions of a rule."""

from __future__ import annotations

from typing import Iterator, Optional, Union

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

#: Functions of an entry of an attribute that an equation can be solved for,
WRAPPERS = ("start", "stop", "copy_zero", "stretch")
#: and functions that say which entries speak of which axes.
PLACING = ("on", "before", "after")


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
    while isinstance(side, Call) and side.function in (*WRAPPERS, *PLACING):
        side = side.arguments[0]
    return side.name if isinstance(side, Name) else None


def placing(side: Expression) -> Optional[Call]:
    """The call of ``on`` that says which axes the entries of a side speak of."""
    if isinstance(side, Call) and side.function in WRAPPERS:
        side = side.arguments[0]
    return side if isinstance(side, Call) and side.function == "on" else None


def skipped(call: Call) -> int:
    """How many entries a call of ``skip`` leaves out."""
    count = call.arguments[1]
    return count.value if isinstance(count, Literal) and isinstance(count.value, int) else 0


def sides(equation: Equation) -> tuple[tuple[Expression, Expression], ...]:
    """Each side of an equation with the other."""
    return ((equation.left, equation.right), (equation.right, equation.left))
