"""Whether two guards can hold at once, where that can be decided from their texts.

A guard is brought into the form "one of these alternatives holds, each of them a set of tests".  A
test compares one expression (an attribute, ``size(data, 1)``) with literals, or is opaque: nothing
is known of it but that it cannot both hold and not hold.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Optional

from prunec.language.canonical import print_expression
from prunec.language.syntax import Comparison, Expression, Literal, Logic, Membership, Not
from prunec.value import Value

#: More alternatives than this in one guard are not looked into.
MAXIMUM_ALTERNATIVES = 64

_OPPOSITE = {"==": "!=", "!=": "==", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}
_FLIPPED = {"==": "==", "!=": "!=", "<": ">", ">": "<", "<=": ">=", ">=": "<="}


@dataclass(frozen=True)
class _Test:
    """``subject operator values``: the operator is a comparison (one value), ``in``, ``not in``,
    ``true``, ``false`` or, for an opaque subject, ``holds`` or ``fails``."""

    subject: str
    operator: str
    values: tuple[Value, ...] = ()

    @property
    def opaque(self) -> bool:
        return self.operator in ("holds", "fails")


#: Tests that hold together.
_Alternative = frozenset[_Test]


def overlap(first: Optional[Expression], second: Optional[Expression]) -> Optional[bool]:
    """Whether both guards can hold for one node; ``None`` where that cannot be decided.

    ``None`` as a guard stands for one that always holds.
    """
    lefts, rights = _alternatives(first), _alternatives(second)
    if lefts is None or rights is None:
        return True if first == second or first is None or second is None else None
    decided: Optional[bool] = False
    for left, right in product(lefts, rights):
        answer = _compatible(left, right)
        if answer:
            return True
        if answer is None:
            decided = None
    return decided


def always_holds(guard: Optional[Expression]) -> bool:
    """Whether a guard is absent or plainly true."""
    return frozenset() in (_alternatives(guard) or ())


def _compatible(left: _Alternative, right: _Alternative) -> Optional[bool]:
    tests = left | right
    for subject in {test.subject for test in tests}:
        if not _satisfiable([test for test in tests if test.subject == subject]):
            return False
    # What is opaque may depend on the other tests, unless one side asks nothing that the other does not.
    if left <= right or right <= left or not any(test.opaque for test in tests):
        return True
    return None


# --- from guards to alternatives -----------------------------------------------------------


def _alternatives(guard: Optional[Expression], positive: bool = True) -> Optional[tuple[_Alternative, ...]]:
    """The alternatives of a guard, or of its negation; ``None`` where they are too many."""
    if guard is None:
        return (frozenset(),)
    if isinstance(guard, Not):
        return _alternatives(guard.item, not positive)
    if isinstance(guard, Logic):
        parts = [_alternatives(item, positive) for item in guard.items]
        if (guard.operator == "or") == positive:
            return _either(parts)
        return _all_of(parts)
    test = _test(guard, positive)
    if isinstance(test, bool):
        return (frozenset(),) if test else ()
    return (frozenset([test]),)


def _either(parts: Sequence[Optional[tuple[_Alternative, ...]]]) -> Optional[tuple[_Alternative, ...]]:
    joined: list[_Alternative] = []
    for part in parts:
        if part is None or len(joined) + len(part) > MAXIMUM_ALTERNATIVES:
            return None
        joined += part
    return tuple(joined)


def _all_of(parts: Sequence[Optional[tuple[_Alternative, ...]]]) -> Optional[tuple[_Alternative, ...]]:
    joined: list[_Alternative] = [frozenset()]
    for part in parts:
        if part is None or len(joined) * len(part) > MAXIMUM_ALTERNATIVES:
            return None
        joined = [left | right for left, right in product(joined, part)]
    return tuple(joined)


def _test(guard: Expression, positive: bool) -> _Test | bool:
    """The test a guard without ``and``, ``or`` and ``not`` makes; a constant where it asks nothing."""
    if isinstance(guard, Literal):
        return bool(guard.value) == positive
    if isinstance(guard, Membership) and not isinstance(guard.item, Literal):
        operator = "not in" if guard.negated == positive else "in"
        return _Test(print_expression(guard.item), operator, tuple(c.value for c in guard.choices))
    if isinstance(guard, Comparison):
        subject, operator, other = guard.left, guard.operator, guard.right
        if isinstance(subject, Literal):
            subject, operator, other = other, _FLIPPED[operator], subject
        if isinstance(other, Literal) and not isinstance(subject, Literal):
            shown = print_expression(subject)
            return _Test(shown, operator if positive else _OPPOSITE[operator], (other.value,))
        return _opaque(guard, positive)
    if isinstance(guard, Membership):
        return _Test(print_expression(guard), "holds" if positive else "fails")
    return _Test(print_expression(guard), "true" if positive else "false")


def _opaque(guard: Comparison, positive: bool) -> _Test:
    """The test of two expressions against each other, with ``==`` and ``<`` only: ``a >= b`` is where
    ``a < b`` fails."""
    left, right = print_expression(guard.left), print_expression(guard.right)
    operator = guard.operator
    if operator in (">", "<="):
        left, right, operator = right, left, _FLIPPED[operator]
    if operator in ("!=", ">="):
        operator, positive = _OPPOSITE[operator], not positive
    if operator == "==" and left > right:
        left, right = right, left
    return _Test(f"{left} {operator} {right}", "holds" if positive else "fails")


# --- tests of one subject ------------------------------------------------------------------


def _satisfiable(tests: Sequence[_Test]) -> bool:
    """Whether one value can pass all tests of a subject."""
    operators = {test.operator for test in tests}
    if {"holds", "fails"} <= operators:
        return False
    candidates: Optional[list[Value]] = None
    for test in tests:
        if test.operator in ("==", "in"):
            candidates = list(test.values)
            break
    if candidates is not None:
        return any(all(_passes(value, test) for test in tests) for value in candidates)
    return not {"true", "false"} <= operators and _range_left(tests)


def _passes(value: Value, test: _Test) -> bool:
    if test.operator in ("==", "in"):
        return value in test.values
    if test.operator in ("!=", "not in"):
        return value not in test.values
    if test.operator in ("true", "false"):
        return bool(value) == (test.operator == "true")
    if test.opaque:
        return True
    bound = test.values[0]
    if not isinstance(value, (int, float)) or not isinstance(bound, (int, float)):
        return False
    return {"<": value < bound, "<=": value <= bound, ">": value > bound, ">=": value >= bound}[test.operator]


def _range_left(tests: Sequence[_Test]) -> bool:
    """Whether the bounds leave a number, and one that is not excluded."""
    low, high = float("-inf"), float("inf")
    for test in tests:
        bound = test.values[0] if test.values else None
        if not isinstance(bound, (int, float)):
            continue
        if test.operator in (">", ">="):
            low = max(low, bound)
        elif test.operator in ("<", "<="):
            high = min(high, bound)
    if low == high:
        return all(_passes(low, test) for test in tests)
    return low < high
