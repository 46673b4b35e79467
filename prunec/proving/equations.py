"""How the equations of a rule speak of attributes."""

from __future__ import annotations

from typing import Optional

from prunec.language.functions import function_of
from prunec.language.functions.base import Function
from prunec.language.syntax import (
    Call,
    Equation,
    Expression,
    Literal,
    Name,
)


def attribute_of(side: Expression) -> Optional[str]:
    """The attribute that a side of an equation is, or reads entry by entry."""
    while isinstance(side, Call) and _reads_entries(function_of(side)):
        side = side.arguments[0]
    return side.name if isinstance(side, Name) else None


def _reads_entries(function: Function) -> bool:
    return function.invert_keeping_style is not None or function.places_entries or function.half is not None


def placing(side: Expression) -> Optional[Call]:
    """The call that says which axes the entries of a side speak of."""
    if isinstance(side, Call) and function_of(side).invert_keeping_style is not None:
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
