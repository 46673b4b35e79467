"""Guards with three answers, and expressions spread over axes."""

from __future__ import annotations

import pytest

from prunec.language.parser import parse
from prunec.lowering.expressions import (
    Operation,
    Scope,
    Unspreadable,
    evaluate,
    names_in,
    solve,
    spread,
    sum_key,
)
from prunec.lowering.guards import holds
from prunec.sizes import open_size
from prunec.support.diagnostics import Source


def _rule(text):
    return parse(Source("test.prune", text)).rules[0]


# --- guards --------------------------------------------------------------------------------

KNOWN = {"data": [(2, 12, 8)], "parts": [(2, 3), None]}
UNKNOWN = {"data": [None]}
PARTLY = {"data": [(2, None, 8)]}
BATCH = open_size("batch")
OPEN = {"data": [(BATCH, 12, 8)]}
ATTRIBUTES = {
    "group": 3,
    "layout": None,
    "mode": "valid",
    "flag": True,
    "kernel": (3, 3),
    "one": (5,),
    "f": 0.5,
    "sizes": (BATCH, 8),
}


@pytest.mark.parametrize(
    ("guard", "slots", "answer"),
    [
        ("group == 3", {}, True),
        ("group != 3", {}, False),
        ("group > 3", {}, False),
        ("group >= 3 and group <= 3", {}, True),
        ("f < 1", {}, True),
        ("layout in {None, NCHW}", {}, True),
        ("layout not in {None, NCHW}", {}, False),
        ('mode == "valid"', {}, True),
        ("mode in {valid, full}", {}, True),
        ("mode < 3", {}, False),
        ("flag", {}, True),
        ("not flag", {}, False),
        ("flag == 1", {}, True),
        ("one == 5", {}, True),
        ("kernel == 3", {}, False),
        ("group + 1 == 4 and group * 2 == 6 and group - 1 == 2 and group / 2 == 1", {}, True),
        ("size(data, 1) == 12", KNOWN, True),
        ("size(data, -1) == 8", KNOWN, True),
        ("size(data, 7) == 8", KNOWN, False),
        ("rank(data) == 3", KNOWN, True),
        ("rank(data) == 3", UNKNOWN, None),
        ("rank(data) == 3", PARTLY, True),
        ("size(data, 1) == 12", PARTLY, None),
        ("size(data, 1) == 12", {}, None),
        ("not size(data, 1) == 12", PARTLY, None),
        ("size(data, 1) in {4, 12}", PARTLY, None),
        ("size(data, 1) + 1 == 13", PARTLY, None),
        # One answer may settle the whole, whatever the others are.
        ("size(data, 1) == 12 and group == 4", PARTLY, False),
        ("size(data, 1) == 12 or group == 3", PARTLY, True),
        ("size(data, 1) == 12 and group == 3", PARTLY, None),
        ("size(data, 1) == 12 or group == 4", PARTLY, None),
        ("given(data)", KNOWN, True),
        ("given(data)", UNKNOWN, True),
        ("given(data)", {}, False),
        ("count(parts) == 2", KNOWN, True),
        ("count(parts) == 0", {}, True),
        # An open size is the same as itself; whether it is another shows only when the model runs.
        ("entry(sizes, 0) == size(data, 0)", OPEN, True),
        ("entry(sizes, 0) != size(data, 0)", OPEN, False),
        ("entry(sizes, 0) <= size(data, 0)", OPEN, True),
        ("entry(sizes, 0) == size(data, 1)", OPEN, None),
        ("size(data, 0) == 5", OPEN, None),
        ("size(data, 0) > 1", OPEN, None),
        ("size(data, 0) in {4, 5}", OPEN, None),
        ("size(data, 0)", OPEN, None),
    ],
)
def test_guards(guard, slots, answer):
    header = ", ".join(f"{name} = None" for name in ATTRIBUTES)
    rule = _rule(f"op x({header}) when {guard} {{ data[*x], parts*[*y] -> out[*x] }}")
    assert holds(rule.when, ATTRIBUTES, slots) is answer


def test_no_guard_always_holds():
    assert holds(None, {}, {}) is True


# --- expressions ---------------------------------------------------------------------------

SCOPE = Scope(
    attributes={"pad": (1, 2), "stride": 2, "scale": 2.0, "word": "same", "nothing": None, "empty": ()},
    axis_names=frozenset({"g", "c", "p", "q"}),
    ranks={"x": 2, "y": 2, "r": 1},
    counts={"parts": 3},
    variadic={"c": "parts"},
)
SIZES = {"g": 4, "x.0": 5, "x.1": 7, "c.0": 3, "c.1": 2, "c.2": 6, "p": 1, "q": 2, "r.0": 9}


def _expression(text):
    rule = _rule(f"op t(a, pad, stride, scale, word, nothing, empty) {{ d[*x] -> out[*x]  a = {text} }}")
    return rule.statements[0].right


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("g", [4]),
        ("g * 3 + 1", [13]),
        ("g - p", [3]),
        ("9 / g", [2]),
        ("*x", [5, 7]),
        ("*x * stride", [10, 14]),
        ("*x + pad", [6, 9]),
        ("*x * scale", [10, 14]),
        ("prod(*x)", [35]),
        ("max(g, 6)", [6]),
        ("min(*x, 6)", [5, 6]),
        ("c", [3, 2, 6]),
        ("offsets(c)", [0, 3, 5]),
        ("cuts(c)", [3, 5]),
        ("count(parts)", [3]),
        ("interleave(*x, *x + 1)", [5, 6, 7, 8]),
        ("start(pad, *x)", [1, 2]),
        ("start(nothing, *x)", [0, 0]),
        ("stop(nothing, *x)", [5, 7]),
        ("copy_zero(0, *x)", [5, 7]),
        ("copy_negative(pad, *x)", [1, 2]),
        ("copy_negative(-1, *x)", [5, 7]),
        ("window(*x, 3, stride, pad, 1)", [3, 5]),
        # A tuple that is too short says nothing of the axes behind its end.
        ("stop(empty, *x)", [5, 7]),
        ("*y", [None, None]),
        ("*y + *x", [None, None]),
    ],
)
def test_expressions_spread_and_evaluated(text, values):
    assert [evaluate(scalar, SIZES) for scalar in spread(_expression(text), SCOPE)] == values


@pytest.mark.parametrize("text", ["nothing", "*z", "word", "nothing + 1"])
def test_expressions_that_say_nothing(text):
    with pytest.raises(Unspreadable):
        spread(_expression(text), SCOPE)


@pytest.mark.parametrize(
    ("text", "value", "found"),
    [
        ("u", 6, ("u", 6)),
        ("u * 3", 6, ("u", 2)),
        ("3 * u", 6, ("u", 2)),
        ("3 * u", 7, None),
        ("u + 2", 6, ("u", 4)),
        ("u - 2", 6, ("u", 8)),
        ("9 - u", 6, ("u", 3)),
        ("g * (u + 1)", 12, ("u", 2)),
        ("u / 2", 3, None),
        ("u * v", 6, None),
        ("g", 4, None),
        ("max(u, 2)", 6, None),
    ],
)
def test_equations_turned_round(text, value, found):
    scope = Scope({}, frozenset("uvg"), {}, {}, {})
    (scalar,) = spread(_expression(text), scope)
    assert solve(scalar, value, SIZES) == found


def test_a_sum_is_known_where_its_whole_axis_is():
    scope = Scope({}, frozenset("uv"), {}, {}, {})
    (scalar,) = spread(_expression("u + v"), scope)
    assert evaluate(scalar, {}) is None
    assert evaluate(scalar, {sum_key(["u", "v"]): 9}) == 9
    assert names_in(scalar) == {"u", "v"} and names_in(3) == frozenset()


def test_division_by_nothing_is_not_known():
    assert evaluate(Operation("/", (4, 0)), {}) is None
