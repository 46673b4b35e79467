"""The functions of the rule language, a family in each module; no other room knows one by its name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Callable

from prunec.language.functions import (
    formulas,
    guards,
    lists,
    orders,
    ranges,
    reshaping,
    selections,
    sizes,
    windows,
)
from prunec.language.functions.base import Function, Number, by_name
from prunec.language.syntax import Call

#: The functions by name.
FUNCTIONS: Mapping[str, Function] = by_name(
    orders.FUNCTIONS,
    selections.FUNCTIONS,
    reshaping.FUNCTIONS,
    formulas.FUNCTIONS,
    ranges.FUNCTIONS,
    lists.FUNCTIONS,
    windows.FUNCTIONS,
    sizes.FUNCTIONS,
    guards.FUNCTIONS,
)

#: The functions that rules can call: all but those that stand only in what others are written out as.
WRITTEN: Mapping[str, Function] = {name: f for name, f in FUNCTIONS.items() if not f.instead}

#: Those that work on one number each of their arguments.
ELEMENTWISE: Mapping[str, Callable[..., Number]] = {
    name: function.elementwise for name, function in FUNCTIONS.items() if function.elementwise is not None
}

#: What is known of a function that does not exist.
_NOTHING = Function("")


def function_of(call: Call) -> Function:
    """The function that is called; one that does nothing, and can stand nowhere, where there is none."""
    return FUNCTIONS.get(call.function, _NOTHING)
