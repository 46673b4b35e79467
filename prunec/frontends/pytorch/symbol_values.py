"""What symbols of a program stand for, told by the shapes of values that are at hand."""

from __future__ import annotations

import re
from typing import Any, Iterable, Mapping, Optional

from prunec.frontends.pytorch.symbols import SYMBOL, NoSize, size_of, size_of_text
from prunec.sizes import OpenSize


def symbol_values(stated: Iterable[tuple[Any, int]]) -> dict[str, int]:
    """The symbols by name that follow from sizes: each as the file states it, with the number that it is.

    What stands alone, or in a sum and a product with what is known, is found; the first to tell has the say.
    """
    found: dict[str, int] = {}
    waiting = [(size_of(entry), number) for entry, number in stated]
    while True:
        told = len(found)
        for size, number in waiting:
            if isinstance(size, OpenSize):
                _solve(size, number, found)
        if len(found) == told:
            return found


def number_of(entry: Any, values: Mapping[str, int]) -> Optional[int]:
    """The number that an expression of the file stands for, where the values of its symbols say it."""
    number = entry.get("as_int") if isinstance(entry, dict) else None
    if isinstance(number, int):
        return number
    expression = entry.get("as_expr") if isinstance(entry, dict) else None
    text = expression.get("expr_str") if isinstance(expression, dict) else None
    if not isinstance(text, str):
        return None

    def filled(symbol: re.Match[str]) -> str:
        name = symbol.group(1)
        return f"Integer({values[name]})" if name in values else symbol.group(0)

    try:
        size = size_of_text(SYMBOL.sub(filled, text))
    except NoSize:
        return None
    return size if isinstance(size, int) else None


def _solve(size: OpenSize, number: int, found: dict[str, int]) -> None:
    """Finds the one symbol of a size that is not known, where it stands in it by itself."""
    unknown = [symbol for symbol in size.symbols if symbol.name not in found]
    if len(unknown) != 1:
        return
    rest, factor = number, 0
    for monomial, count in size.terms:
        known = count
        for symbol in monomial:
            known *= found.get(symbol.name, 1)
        if unknown[0] not in monomial:
            rest -= known
        elif monomial.count(unknown[0]) == 1:
            factor += known
        else:
            return
    if factor and rest % factor == 0:
        found[unknown[0].name] = rest // factor
