"""Lists of sizes that the model computes and that hold open sizes among numbers.

What a node makes of such lists is found by computing it for several choices of the symbols: what is the same
each time is a number, what follows a polynomial in all of them is that polynomial, and anything else is a
symbol of its own.
"""

from __future__ import annotations

from functools import cache
from itertools import combinations_with_replacement
from math import prod
from typing import Mapping, Optional, Sequence

import numpy as np

from prunec.graph import MAXIMUM_KNOWN, Fold, Known
from prunec.sizes import OpenSize, Size, Symbol, open_size, product

#: Choices of symbols: one for which no two lists of sizes agree by chance, small ones at which sizes meet.
_GENERIC = (1009, 2003, 3001, 4001, 5003, 6007, 7001, 8009)
_SMALL = (1, 2, 3, 5, 7, 11, 13, 16, 24, 37, 48, 64, 90, 127)
_MOST_SYMBOLS = len(_GENERIC)
#: The least number that stands for an open size, and how far the next ones are.
FIRST_NUMBER, _STEP = 50_021, 1_013
_PRIME = (1 << 61) - 1
#: Coefficients larger than this are none that a model computes sizes with.
_LARGEST_COEFFICIENT = 1 << 40


def is_open(array: Known) -> bool:
    """Whether an array holds open sizes: then it is one of Python objects."""
    return array.dtype == object


def open_elements(array: Known) -> Known:
    """Which elements of an array are open sizes: truth values, in its shape."""
    flags = [isinstance(value, OpenSize) for value in array.reshape(-1).tolist()]
    return np.array(flags, dtype=bool).reshape(array.shape)


def generic(array: Known, numbers: dict[Symbol, int]) -> Known:
    """An array with a number in the place of each symbol, the same for the same: none that a model has for
    other reasons.  ``numbers`` are those that were taken, and gains what is new."""
    for symbol in _symbols([array]):
        numbers.setdefault(symbol, FIRST_NUMBER + _STEP * len(numbers))
    return _at(array, numbers)


def key_of(array: Known) -> object:
    """What two arrays have in common that hold the same."""
    return tuple(array.reshape(-1).tolist()) if is_open(array) else array.tobytes()


def as_array(values: Sequence[Size], shape: Sequence[int]) -> Known:
    """An array of sizes."""
    if any(isinstance(value, OpenSize) for value in values):
        array = np.empty(len(values), dtype=object)
        array[:] = list(values)
        return array.reshape(tuple(shape))
    return np.array(list(values), dtype=np.int64).reshape(tuple(shape))


def folded_open(fold: Fold, node: int, name: str, inputs: Sequence[Known]) -> Optional[Sequence[Known]]:
    """What a node's outputs hold for inputs of which some hold open sizes; ``None`` where the number of their
    elements depends on these, or anything but a whole number does."""
    symbols = _symbols(inputs)
    if len(symbols) > _MOST_SYMBOLS:
        return None
    degree, choices = _choices(len(symbols))
    results = []
    for choice in choices:
        outputs = fold(node, [_at(array, dict(zip(symbols, choice))) for array in inputs])
        if outputs is None:
            return None
        results.append(outputs)
    examples = [symbol.example for symbol in symbols]
    example = None
    if None not in examples:
        values = dict(zip(symbols, (e or 0 for e in examples)))
        example = fold(node, [_at(array, values) for array in inputs])
    found = []
    for k, columns in enumerate(zip(*results)):
        column = _joined(
            columns, symbols, degree, choices, f"{name}.{k}", None if example is None else example[k]
        )
        if column is None:
            return None
        found.append(column)
    return found


def _joined(
    arrays: Sequence[Known],
    symbols: Sequence[Symbol],
    degree: int,
    choices: Sequence[tuple[int, ...]],
    name: str,
    example: Optional[Known],
) -> Optional[Known]:
    """One array of those that were computed for the choices."""
    first = arrays[0]
    if any(array.shape != first.shape or array.dtype != first.dtype for array in arrays):
        return None
    if first.size > MAXIMUM_KNOWN:
        return None
    table = np.stack([array.reshape(-1) for array in arrays])
    same = (table == table[0]).all(axis=0)
    if same.all():
        return first
    if first.dtype.kind not in "iu":
        return None
    found = np.empty(first.size, dtype=object)
    for n in range(first.size):
        if same[n]:
            found[n] = int(table[0, n])
            continue
        size = _interpolated([int(value) for value in table[:, n]], symbols, degree, choices)
        if size is None:
            number = None if example is None or example.shape != first.shape else example.reshape(-1)[n]
            size = open_size(f"{name}[{n}]", None if number is None else int(number))
        found[n] = size
    return found.reshape(first.shape)


def _interpolated(
    values: Sequence[int], symbols: Sequence[Symbol], degree: int, choices: Sequence[tuple[int, ...]]
) -> Optional[Size]:
    """The polynomial that has these values; ``None`` where no simple one has.

    Coefficients are solved for modulo a prime, and checked with all values.
    """
    monomials = _monomials(len(symbols), degree)
    coefficients = []
    for row in _inverse(len(symbols), degree):
        found = sum(a * b for a, b in zip(row, values)) % _PRIME
        found = found - _PRIME if found > _PRIME // 2 else found
        if abs(found) > _LARGEST_COEFFICIENT:
            return None
        coefficients.append(found)
    for choice, value in zip(choices, values):
        if sum(c * prod(choice[i] for i in m) for c, m in zip(coefficients, monomials)) != value:
            return None
    total: Size = 0
    for coefficient, monomial in zip(coefficients, monomials):
        if coefficient:
            factors = [OpenSize((((symbols[i],), 1),)) for i in monomial]
            total = total + product([coefficient, *factors])
    return total


@cache
def _choices(count: int) -> tuple[int, tuple[tuple[int, ...], ...]]:
    """The degree of the polynomials that are looked for in so many symbols, and the choices of these."""
    degree = 3 if count <= 2 else 2
    needed = len(_monomials(count, degree))
    random = np.random.default_rng(count)
    drawn = random.choice(_SMALL, size=(2 * needed + 6, count)).tolist()
    spread = (tuple(n + 17 * k for k in range(count)) for n in range(2, 6))
    chosen = list(dict.fromkeys([*map(tuple, drawn), *spread]))
    # Those that the coefficients follow from come first.
    basis: list[tuple[int, ...]] = []
    for choice in chosen:
        if len(basis) < needed and _independent([*basis, choice], degree):
            basis.append(choice)
    rest = [choice for choice in chosen if choice not in basis]
    return degree, (*basis, tuple(_GENERIC[:count]), (1,) * count, *rest[:6])


@cache
def _monomials(count: int, degree: int) -> tuple[tuple[int, ...], ...]:
    return tuple(m for d in range(degree + 1) for m in combinations_with_replacement(range(count), d))


def _rows(choices: Sequence[tuple[int, ...]], degree: int) -> list[list[int]]:
    monomials = _monomials(len(choices[0]), degree)
    return [[prod(choice[i] for i in m) % _PRIME for m in monomials] for choice in choices]


def _independent(choices: Sequence[tuple[int, ...]], degree: int) -> bool:
    return _rank(_rows(choices, degree)) == len(choices)


def _rank(rows: list[list[int]]) -> int:
    rank = 0
    for column in range(len(rows[0])):
        pivot = next((r for r in range(rank, len(rows)) if rows[r][column]), None)
        if pivot is None:
            continue
        rows[rank], rows[pivot] = rows[pivot], rows[rank]
        inverse = pow(rows[rank][column], _PRIME - 2, _PRIME)
        for r in range(rank + 1, len(rows)):
            factor = rows[r][column] * inverse % _PRIME
            if factor:
                rows[r] = [(a - factor * b) % _PRIME for a, b in zip(rows[r], rows[rank])]
        rank += 1
    return rank


@cache
def _inverse(count: int, degree: int) -> tuple[tuple[int, ...], ...]:
    """What the coefficients are, as sums of the values at the first choices, modulo a prime."""
    size = len(_monomials(count, degree))
    rows = _rows(_choices(count)[1][:size], degree)
    table = [[*row, *(int(i == n) for i in range(size))] for n, row in enumerate(rows)]
    for column in range(size):
        pivot = next(r for r in range(column, size) if table[r][column])
        table[column], table[pivot] = table[pivot], table[column]
        inverse = pow(table[column][column], _PRIME - 2, _PRIME)
        table[column] = [entry * inverse % _PRIME for entry in table[column]]
        for r in range(size):
            factor = table[r][column]
            if r != column and factor:
                table[r] = [(a - factor * b) % _PRIME for a, b in zip(table[r], table[column])]
    return tuple(tuple(row[size:]) for row in table)


def _symbols(arrays: Sequence[Known]) -> tuple[Symbol, ...]:
    found = {
        symbol
        for array in arrays
        if is_open(array)
        for size in array.reshape(-1).tolist()
        if isinstance(size, OpenSize)
        for symbol in size.symbols
    }
    return tuple(sorted(found, key=lambda symbol: symbol.name))


def _at(array: Known, values: Mapping[Symbol, int]) -> Known:
    if not is_open(array):
        return array
    numbers = [s.at(values) if isinstance(s, OpenSize) else s for s in array.reshape(-1).tolist()]
    return np.array(numbers, dtype=np.int64).reshape(array.shape)
