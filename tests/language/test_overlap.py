"""Whether two guards can hold at once."""

from __future__ import annotations

from typing import Optional

import pytest

from prunec.language.overlap import always_holds, overlap
from prunec.language.parser import parse
from prunec.language.syntax import Expression
from prunec.support.diagnostics import Source


def guard(text: str) -> Optional[Expression]:
    (rule,) = parse(Source("g", f"op A {'when ' if text else ''}{text} {{ -> out[c] }}")).rules
    return rule.when


@pytest.mark.parametrize(
    ("first", "second", "answer"),
    [
        ("", "", True),
        ("", "a == 1", True),
        ("", "size(data, 1) == a", True),
        ("", "a == 1 and a == 2", False),
        ("a == 1", "a == 2", False),
        ("a == 1", "a != 1", False),
        ("a == 1", "b == 1", True),
        ("1 == a", "2 == a", False),
        ("2 < a", "a <= 2", False),
        ("a > 2", "a < 9", True),
        ("a >= 2", "a <= 2", True),
        ("a >= 2 and a != 2", "a <= 2", False),
        ("a in {x, y}", "a in {y, z}", True),
        ("a in {x, y}", "a in {z}", False),
        ("a in {x, y}", "a not in {x, y, z}", False),
        ("a in {x, y}", "a != x_", None),
        ("a in {x, y}", 'a != "x"', True),
        ("a in {None, 1}", "a > 1", False),
        ("a == None", "a != None", False),
        ("a", "not a", False),
        ("a", "a == False", False),
        ("a", "a == True", True),
        ("not (a == 1 or b == 1)", "a == 1", False),
        ("not (a == 1 and b == 1)", "a == 1", True),
        ("a == 1 or a == 2", "a == 3 or a == 2", True),
        ("a == 1 and size(data, 1) == 3", "a == 1 and size(data, 1) == 4", False),
        ("rank(data) == 4", "rank(data) != 4", False),
        ("size(data, 1) == g", "g == size(data, 1)", True),
        ("size(data, 1) == g", "g != size(data, 1)", False),
        ("size(data, 1) > g", "size(data, 1) <= g", False),
        ("size(data, 1) > g", "g >= size(data, 1)", False),
        ("size(data, 1) == g", "g == 1", None),
        ("g > 1 and size(data, 1) == g", "g > 1", True),
        ("given(bias)", "not given(bias)", False),
        ("True", "a == 1", True),
        ("False", "a == 1", False),
    ],
)
def test_overlap(first: str, second: str, answer: Optional[bool]) -> None:
    assert overlap(guard(first), guard(second)) is answer
    assert overlap(guard(second), guard(first)) is answer


def test_too_many_alternatives_are_left_undecided() -> None:
    many = " and ".join(f"(a{i} == 1 or b{i} == 1)" for i in range(12))
    assert overlap(guard(many), guard("c == 1")) is None
    assert overlap(guard(many), guard(many)) is True


@pytest.mark.parametrize(
    ("text", "answer"),
    [("", True), ("True", True), ("a == 1 or True", True), ("a", False), ("a or not a", False)],
)
def test_always(text: str, answer: bool) -> None:
    assert always_holds(guard(text)) is answer
