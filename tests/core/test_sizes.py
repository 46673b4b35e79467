"""Open sizes: sums of products of symbols, held against numbers in their place."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prunec.sizes import (
    OpenSize,
    Size,
    applied,
    closed,
    closed_shape,
    exemplary,
    open_size,
    product,
    quotient,
)

NAMES = ("h", "n", "s")
VALUES = {"h": 7, "n": 11, "s": 13}


@st.composite
def sizes(draw: st.DrawFn) -> Size:
    """A small sum of products of numbers and symbols, with an example."""
    total: Size = draw(st.integers(-3, 3))
    for _ in range(draw(st.integers(0, 3))):
        factors = draw(st.lists(st.sampled_from(NAMES), max_size=2))
        total = total + product(
            [draw(st.integers(-3, 3)), *(open_size(name, VALUES[name]) for name in factors)]
        )
    return total


def value(size: Size) -> int:
    found = exemplary(size, {})
    assert found is not None
    return found


@given(sizes(), sizes())
def test_arithmetic_is_that_of_the_numbers(a: Size, b: Size) -> None:
    assert value(a + b) == value(a) + value(b)
    assert value(a - b) == value(a) - value(b)
    assert value(a * b) == value(a) * value(b)


@given(sizes(), sizes(), sizes())
def test_what_is_computed_in_another_order_is_the_same_size(a: Size, b: Size, c: Size) -> None:
    assert (a + b) * c == c * b + a * c
    assert a - a == 0 and a + b - b == a


@given(sizes(), sizes())
def test_a_quotient_goes_in_without_a_remainder(a: Size, b: Size) -> None:
    found = quotient(a, b)
    if found is not None:
        assert found * b == a


@given(sizes(), sizes().filter(lambda size: size != 0))
def test_a_product_divides_by_each_of_its_factors(a: Size, part: Size) -> None:
    assert quotient(a * part, part) == a


def test_a_quotient_that_may_have_to_be_rounded_is_a_symbol_of_its_own() -> None:
    h = open_size("h", 7)
    assert quotient(h, 2) is None and quotient(7, 2) is None and quotient(3, 0) is None
    assert h // 2 == h // 2 != h // 3
    assert isinstance(h // 2, OpenSize) and value(h // 2) == 3
    assert str((h + 1) // 2) == "floor(h + 1, 2)" and (2 * h) // 2 == h
    assert 9 // h == applied("floor", (9, h), lambda a, b: a // b)


def test_names_that_grow_are_cut_but_stay_apart() -> None:
    size: Size = open_size("height")
    other: Size = open_size("width")
    for _ in range(20):
        size, other = (size + 1) // 2, (other + 1) // 2
    assert len(str(size)) < 40 and size != other


def test_texts() -> None:
    n, s = open_size("n"), open_size("s")
    assert str(4 * n * s - 1) == "4*n*s - 1"
    assert str(n + s * s + 2) == "n + s*s + 2"
    assert str(-n) == "-1*n"


def test_an_example_says_all_symbols_or_nothing() -> None:
    n, s = open_size("n", 3), open_size("s")
    assert exemplary(n * 2, {}) == 6 and exemplary(n * s, {}) is None
    assert exemplary(n * s, {s.symbols[0]: 5}) == 15
    assert open_size("n", 3) == open_size("n", 4)
    assert closed(n) is None and closed(3) == 3
    assert closed_shape((n, 3, None)) == (None, 3, None)


def test_open_sizes_are_neither_larger_nor_smaller() -> None:
    with pytest.raises(TypeError):
        open_size("n") < 3  # type: ignore[operator]  # noqa: B015
