"""Attribute texts: what they are read as, and how a new value is written in the old style."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prunec.frontends.attribute_text import canonical_text, read_value, write_value

READ = [
    ("(1, 1)", (1, 1)),
    ("(1,1)", (1, 1)),
    ("[1, 2]", (1, 2)),
    ("(8L, 3L, 3L, 3L)", (8, 3, 3, 3)),
    ("()", ()),
    ("[]", ()),
    ("(3,)", (3,)),
    ("(3)", (3,)),
    ("(None, 32, None)", (None, 32, None)),
    ("((1, 2), (3,))", ((1, 2), (3,))),
    ("(0.1,-0.2)", (0.1, -0.2)),
    ("64", 64),
    (" 64 ", 64),
    ("-5", -5),
    ("8L", 8),
    ("4294967281", 4294967281),
    ("1e-05", 1e-05),
    ("2.", 2.0),
    (".5", 0.5),
    ("True", True),
    ("true", True),
    ("FALSE", False),
    ("None", None),
]

STRINGS = [
    "relu",
    "",
    "null",
    "none",
    "inf",
    "nan",
    "1e999",
    "9" * 50,
    "1_000",
    "0x10",
    "٣",
    '["zero", {}]',
    "(a, b)",
    "(1, 2",
    "1, 2)",
    "1, 2",
    "(1 2)",
    "(,)",
    "(1,,2)",
    "(1)(2)",
    "[1)",
    "(" * 500 + ")" * 500,
    "__import__('os')",
]


@pytest.mark.parametrize(("text", "value"), READ)
def test_values(text: str, value: object) -> None:
    read = read_value(text)
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize("text", STRINGS)
def test_what_is_no_value_stays_a_string(text: str) -> None:
    assert read_value(text) == text


def test_a_text_too_long_to_remember_is_read_all_the_same() -> None:
    assert read_value("(" + "1, " * 5000 + ")") == (1,) * 5000


WRITE = [
    ("64", 32, "32"),
    ("64L", 32, "32L"),
    (" 64 ", 32, " 32 "),
    ("(8L, 3L,3L)", (4, 3, 3), "(4L, 3L,3L)"),
    ("[64, 0, 3, 3]", (32, 0, 3, 3), "[32, 0, 3, 3]"),
    ("(3,)", (2,), "(2,)"),
    ("(1, (2,3))", (1, (4, 3)), "(1, (4,3))"),
    ("(None, 32, None)", (None, 16, None), "(None, 16, None)"),
    ("(1,1)", (1, 2, 3), "(1, 2, 3)"),
    ("[1,2]", (1,), "[1]"),
    ("(1, 2)", (7,), "(7,)"),
    ("2", (2, 2), "(2, 2)"),
    ("(2, 2)", 3, "3"),
    ("None", 3, "3"),
    ("3", None, "None"),
    ("relu", "tanh", "tanh"),
    ("2.0", 3, "3.0"),
    ("1e-05", 0.5, "0.5"),
    ("True", False, "False"),
    ("true", False, "false"),
    ("1", False, "0"),
    # Nothing changed: the text stays, however it was written.
    ("1e-05", 0.00001, "1e-05"),
    ("0.10", 0.1, "0.10"),
    ("1", True, "1"),
    ("( 1,2 )", (1, 2), "( 1,2 )"),
]


@pytest.mark.parametrize(("old", "new", "text"), WRITE)
def test_a_new_value_in_the_old_style(old: str, new: object, text: str) -> None:
    assert write_value(old, new) == text  # type: ignore[arg-type]


_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(10**12), 10**12)
    | st.floats(allow_nan=False, allow_infinity=False)
)
_VALUES = st.recursive(_SCALARS, lambda inner: st.lists(inner, max_size=4).map(tuple), max_leaves=12)


@given(_VALUES, st.booleans())
def test_what_is_written_is_read_back(value: object, square: bool) -> None:
    assert read_value(canonical_text(value, square)) == value  # type: ignore[arg-type]


@given(_VALUES, _VALUES)
def test_a_change_of_value_is_read_back(old: object, new: object) -> None:
    text = write_value(canonical_text(old), new)  # type: ignore[arg-type]
    assert read_value(text) == new


@given(st.text(alphabet="0123456789-+.,()[]eLNoneTrue \t\\\"'", max_size=40))
def test_any_text_is_read_and_unchanged_by_its_own_value(text: str) -> None:
    assert write_value(text, read_value(text)) == text
