"""Sizes as exported programs state them: numbers, and expressions in the form of sympy's ``srepr``.

The text is data: it is read by a grammar of calls, names, numbers and texts, and never evaluated.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Callable, Mapping, Optional, Union

from prunec.sizes import OpenSize, Size, applied, open_size, product

#: Longer texts, and deeper ones, are those of no size.
_LONGEST, _DEEPEST = 20_000, 100
#: A symbol in an expression, its name and what is assumed of it.
SYMBOL = re.compile(r"Symbol\('([^']*)'[^()]*\)")
_WORDS = re.compile(r"\s*(?:(?P<name>[A-Za-z_]\w*)|(?P<number>-?\d+)|(?P<text>'[^']*')|(?P<mark>[(),=]))")

#: What stands between brackets: sizes, texts, and truth values.
_Term = Union[int, str, OpenSize]


class NoSize(ValueError):
    """A text that says no size."""


def size_of(entry: Any, examples: Mapping[str, int] = {}) -> Optional[Size]:
    """A size as the file states it; ``None`` where it does not say it in a form that is known.

    ``examples`` are the examples of symbols, by name.
    """
    if not isinstance(entry, dict):
        return None
    number = entry.get("as_int")
    if isinstance(number, int) and not isinstance(number, bool):
        return number if number >= 0 else None
    expression = entry.get("as_expr")
    if not isinstance(expression, dict):
        return None
    try:
        return size_of_text(str(expression.get("expr_str", "")), examples)
    except NoSize:
        return None


def hint_of(entry: Any) -> Optional[int]:
    """The number that a size was when the program was exported, where the file tells it."""
    expression = entry.get("as_expr") if isinstance(entry, dict) else None
    hint = expression.get("hint") if isinstance(expression, dict) else None
    number = hint.get("as_int") if isinstance(hint, dict) else None
    return number if isinstance(number, int) and not isinstance(number, bool) else None


def size_of_text(text: str, examples: Mapping[str, int] = {}) -> Size:
    """The size that an expression says, with the examples of its symbols.  Raises :class:`NoSize`."""
    if len(text) > _LONGEST:
        raise NoSize(text[:60])
    reader = _Reader(text, examples)
    size = reader.term(0)
    if not isinstance(size, (int, OpenSize)) or not reader.done():
        raise NoSize(text[:60])
    return size


@dataclass
class _Reader:
    text: str
    examples: Mapping[str, int]
    at: int = 0

    def done(self) -> bool:
        return not self.text[self.at :].strip()

    def term(self, depth: int) -> _Term:
        kind, word = self._next()
        if kind == "number":
            return int(word)
        if kind == "text":
            return word[1:-1]
        if kind != "name" or depth > _DEEPEST:
            raise NoSize(self.text[:60])
        if self._peek() != "(":
            return word
        self._next()
        arguments: list[_Term] = []
        while self._peek() != ")":
            term = self.term(depth + 1)
            if self._peek() == "=":
                # What is assumed of a symbol: that it is positive, and a whole number.
                self._next()
                self.term(depth + 1)
            else:
                arguments.append(term)
            if self._peek() == ",":
                self._next()
        self._next()
        return _applied(word, arguments, self.examples)

    def _next(self) -> tuple[str, str]:
        found = _WORDS.match(self.text, self.at)
        if found is None or found.lastgroup is None:
            raise NoSize(self.text[:60])
        self.at = found.end()
        return found.lastgroup, found.group(found.lastgroup)

    def _peek(self) -> str:
        found = _WORDS.match(self.text, self.at)
        return "" if found is None or found.lastgroup is None else found.group(found.lastgroup)


def _applied(name: str, arguments: list[_Term], examples: Mapping[str, int]) -> Size:
    if name == "Symbol" and len(arguments) == 1 and isinstance(arguments[0], str):
        return open_size(arguments[0], examples.get(arguments[0]))
    sizes = [argument for argument in arguments if not isinstance(argument, str)]
    if len(sizes) < len(arguments) or not sizes:
        raise NoSize(name)
    if name == "Integer" and len(sizes) == 1 and isinstance(sizes[0], int):
        return sizes[0]
    if name == "Add":
        total: Size = 0
        for size in sizes:
            total = total + size
        return total
    if name == "Mul":
        return product(sizes)
    if name == "Pow" and len(sizes) == 2 and isinstance(sizes[1], int) and 0 <= sizes[1] <= 8:
        return product([sizes[0]] * sizes[1])
    if name in ("FloorDiv", "CleanDiv") and len(sizes) == 2 and sizes[1] != 0:
        return sizes[0] // sizes[1]
    numbers = [size for size in sizes if isinstance(size, int)]
    function = _FUNCTIONS.get(name, _unknown)
    if len(numbers) == len(sizes):
        value = function(*numbers)
        if value is None:
            raise NoSize(name)
        return value
    return applied(name.lower(), sizes, function)


def _unknown(*_: int) -> Optional[int]:
    return None


def _remainder(whole: int, part: int) -> Optional[int]:
    return whole % part if part else None


#: What is no polynomial and is known all the same.
_FUNCTIONS: dict[str, Callable[..., Optional[int]]] = {
    "Max": max,
    "Min": min,
    "Mod": _remainder,
    "PythonMod": _remainder,
}
