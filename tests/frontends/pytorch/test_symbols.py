"""Sizes in the form of sympy's expressions: read as data, whatever they hold."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prunec.frontends.pytorch.symbols import NoSize, hint_of, size_of, size_of_text
from prunec.sizes import open_size

N = "Symbol('n', positive=True, integer=True)"
M = "Symbol('m', positive=True, integer=True)"
n, m = open_size("n"), open_size("m")


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("Integer(7)", 7),
        (N, n),
        (f"Mul(Integer(64), {N})", n * 64),
        (f"Add(Mul(Integer(2), {N}, {M}), Integer(1))", n * m * 2 + 1),
        (f"Pow({N}, Integer(2))", n * n),
        (f"FloorDiv(Mul(Integer(6), {N}), Integer(3))", n * 2),
        (f"Add({N}, Mul(Integer(-1), {N}))", 0),
        ("Max(Integer(3), Integer(5))", 5),
        ("Mod(Integer(7), Integer(4))", 3),
    ],
)
def test_expressions_are_sizes(text, size):
    assert size_of_text(text) == size


def test_what_is_no_polynomial_is_a_size_of_its_own():
    half, other = size_of_text(f"FloorDiv({N}, Integer(2))"), size_of_text(f"Max(Integer(2), {N})")
    assert half != other and half == n // 2 and str(other) == "max(2, n)"
    assert size_of_text(f"Max(Integer(2), {N})", {"n": 5}).example == 5


def test_examples_are_those_that_are_given():
    assert size_of_text(f"Add({N}, {M})", {"n": 3, "m": 4}).example == 7
    assert size_of_text(f"Add({N}, {M})", {"n": 3}).example is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Symbol('n'",
        "__import__('os').system('true')",
        "Integer(1) Integer(2)",
        "Pow(Integer(9), Integer(999999999))",
        "FloorDiv(Integer(1), Integer(0))",
        "Mod(Integer(1), Integer(0))",
        "Add(" * 500,
        "Add(" * 90 + "Integer(1)" + ")" * 90 + ")",
        "Integer(1)" * 5000,
    ],
)
def test_what_is_no_size_is_refused(text):
    with pytest.raises(NoSize):
        size_of_text(text)


@given(st.text("()',=SymbolIntegerAdd0123456789 n-", max_size=60))
def test_any_text_is_a_size_or_none(text):
    try:
        assert size_of_text(text) is not None
    except NoSize:
        pass


def test_entries_that_say_nothing_have_no_size():
    for entry in (
        None,
        3,
        {},
        {"as_int": True},
        {"as_int": -1},
        {"as_expr": 3},
        {"as_expr": {"expr_str": "?"}},
    ):
        assert size_of(entry) is None and hint_of(entry) is None
    assert hint_of({"as_expr": {"expr_str": N, "hint": {"as_int": 4}}}) == 4
