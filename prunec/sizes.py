"""Sizes that a file leaves open: numbers and symbols, side by side.

An open size is a sum of products of symbols with whole coefficients: ``4 n s``, ``h w + 1``.  What is beyond
that (a quotient that is rounded, the larger of two) is a symbol of its own, named after what it was made of,
so that the same computation gives the same size.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from math import prod
from typing import Callable, Iterable, Mapping, Optional, Sequence, Union

#: Longer names of symbols are abbreviated.
_LONGEST_NAME = 60
#: A quotient has at most so many terms.
_MOST_TERMS = 64


@dataclass(frozen=True)
class Symbol:
    """A size that is open, by name; ``example`` is what it is in the example that the user gave, if any."""

    name: str
    example: Optional[int] = field(default=None, compare=False)


#: Symbols that are multiplied, in the order of their names; each as often as it stands there.
Monomial = tuple[Symbol, ...]


@dataclass(frozen=True)
class OpenSize:
    """A size that is no number: at least one term has symbols.  Terms are in the order of their names."""

    terms: tuple[tuple[Monomial, int], ...]

    def __add__(self, other: Size) -> Size:
        return _collected([*self.terms, *_terms(other)])

    def __mul__(self, other: Size) -> Size:
        return _collected(
            (_ordered(left + right), first * second)
            for left, first in self.terms
            for right, second in _terms(other)
        )

    def __neg__(self) -> Size:
        return self * -1

    def __sub__(self, other: Size) -> Size:
        return self + -other

    def __rsub__(self, other: Size) -> Size:
        return -self + other

    def __floordiv__(self, other: Size) -> Size:
        """The quotient; a symbol of its own where it may have to be rounded."""
        exact = quotient(self, other)
        return applied("floor", (self, other), _floor) if exact is None else exact

    def __rfloordiv__(self, other: Size) -> Size:
        return applied("floor", (other, self), _floor)

    __radd__ = __add__
    __rmul__ = __mul__

    @property
    def symbols(self) -> tuple[Symbol, ...]:
        """The symbols, in the order of their names."""
        return _ordered({symbol for monomial, _ in self.terms for symbol in monomial})

    @property
    def example(self) -> Optional[int]:
        """What it is in the example, where that says all of its symbols."""
        return exemplary(self, {})

    def at(self, values: Mapping[Symbol, int]) -> int:
        """What it is where its symbols have these values."""
        return sum(factor * prod(values[symbol] for symbol in monomial) for monomial, factor in self.terms)

    def __str__(self) -> str:
        parts = [
            "*".join([*([str(factor)] if factor != 1 or not monomial else []), *(s.name for s in monomial)])
            for monomial, factor in self.terms
        ]
        return " + ".join(parts).replace("+ -", "- ")


#: A size: a number, or open.
Size = Union[int, OpenSize]
#: Sizes of a tensor, of which some may be open; ``None`` where nothing is known of a size.
OpenShape = tuple[Optional[Size], ...]


def open_size(name: str, example: Optional[int] = None) -> OpenSize:
    """The size of a symbol's name."""
    return OpenSize((((Symbol(name, example),), 1),))


def closed(size: Optional[Size]) -> Optional[int]:
    """A size that is a number; ``None`` for one that is open or not known."""
    return None if isinstance(size, OpenSize) else size


def closed_shape(shape: OpenShape) -> tuple[Optional[int], ...]:
    """A shape in which nothing is said of open sizes."""
    return tuple(map(closed, shape))


def exemplary(size: Optional[Size], assumed: Mapping[Symbol, int]) -> Optional[int]:
    """A size, or what it is in the example, where symbols of which that says nothing are ``assumed``."""
    if not isinstance(size, OpenSize):
        return size
    values = {s: assumed.get(s) if s.example is None else s.example for s in size.symbols}
    return None if None in values.values() else size.at({s: v or 0 for s, v in values.items()})


def quotient(whole: Size, part: Size) -> Optional[Size]:
    """How often ``part`` goes into ``whole`` without a remainder, whatever the symbols are; ``None`` where it
    may not."""
    if isinstance(whole, int) and isinstance(part, int):
        return whole // part if part and whole % part == 0 else None
    if whole in (part, 0):
        return int(whole != 0)
    symbols = _ordered({symbol for size in (whole, part) for m, _ in _terms(size) for symbol in m})

    def leading(size: Size) -> tuple[Monomial, int]:
        return max(_terms(size), key=lambda term: [term[0].count(symbol) for symbol in symbols])

    divisor, number = leading(part)
    found: list[tuple[Monomial, int]] = []
    rest = whole
    # Long division, of which each step takes away the leading term.
    while rest != 0:
        monomial, factor = leading(rest)
        left = list(monomial)
        for symbol in divisor:
            if symbol not in left:
                return None
            left.remove(symbol)
        if not number or factor % number or len(found) == _MOST_TERMS:
            return None
        found.append((tuple(left), factor // number))
        rest = rest - _collected(found[-1:]) * part
    return _collected(found)


def product(sizes: Iterable[Size]) -> Size:
    """The product of sizes."""
    total: Size = 1
    for size in sizes:
        total = total * size
    return total


def applied(
    name: str, arguments: Sequence[Union[None, float, Size]], function: Callable[..., Optional[int]]
) -> OpenSize:
    """What a function that is no polynomial makes of sizes of which some are open: a symbol named after it.

    ``function`` gives the number for the example.
    """
    examples = [a.example if isinstance(a, OpenSize) else a for a in arguments]
    value = None
    if not any(e is None is not a for e, a in zip(examples, arguments)):
        value = function(*examples)
    text = f"{name}({', '.join(map(str, arguments))})"
    if len(text) > _LONGEST_NAME:
        text = f"{name}#{hashlib.sha256(text.encode()).hexdigest()[:12]}"
    return open_size(text, value)


def _floor(whole: int, part: int) -> Optional[int]:
    return whole // part if part else None


def _terms(size: Size) -> tuple[tuple[Monomial, int], ...]:
    return size.terms if isinstance(size, OpenSize) else (((), size),)


def _collected(terms: Iterable[tuple[Monomial, int]]) -> Size:
    found: dict[Monomial, int] = {}
    for monomial, factor in terms:
        found[monomial] = found.get(monomial, 0) + factor
    left = {monomial: factor for monomial, factor in found.items() if factor}
    if not any(left):
        return left.get((), 0)
    # Constants stand last, as one writes them.
    order = sorted(left, key=lambda monomial: (not monomial, [symbol.name for symbol in monomial]))
    return OpenSize(tuple((monomial, left[monomial]) for monomial in order))


def _ordered(symbols: Iterable[Symbol]) -> Monomial:
    return tuple(sorted(symbols, key=lambda symbol: symbol.name))
