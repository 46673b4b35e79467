"""Size functions on numbers, guards with three answers, and expressions spread over axes."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import given

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
from prunec.lowering.functions import ELEMENTWISE, restyle
from prunec.lowering.guards import holds
from prunec.support.diagnostics import Source


def _rule(text):
    return parse(Source("test.prune", text)).rules[0]


# --- functions -----------------------------------------------------------------------------


@given(st.integers(1, 20), st.integers(1, 5), st.integers(1, 4), st.integers(0, 3), st.integers(1, 3))
def test_window_counts_positions(size, kernel, stride, pad, dilate):
    span = dilate * (kernel - 1) + 1
    padded = size + 2 * pad
    if span > padded:
        return
    expected = len([start for start in range(0, padded, stride) if start + span <= padded])
    assert ELEMENTWISE["window"](size, kernel, stride, pad, dilate) == expected
    rounded_up = ELEMENTWISE["window_up"](size, kernel, stride, pad, dilate)
    assert rounded_up == expected + ((padded - span) % stride != 0)


@given(st.integers(1, 9), st.integers(1, 5), st.integers(1, 4), st.integers(0, 2), st.integers(1, 3))
def test_unwindow_is_the_least_size_of_a_window(size, kernel, stride, pad, dilate):
    before = ELEMENTWISE["unwindow"](size, kernel, stride, pad, dilate, 0)
    if before < 1:
        return
    assert ELEMENTWISE["window"](before, kernel, stride, pad, dilate) == size
    assert ELEMENTWISE["unwindow"](size, kernel, stride, pad, dilate, 1) == before + 1


def test_functions_of_what_is_not_known():
    for name in ("window", "window_up"):
        assert ELEMENTWISE[name](None, 3, 1, 0, 1) is None
        assert ELEMENTWISE[name](5, None, 1, 0, 1) is None
        # Stride, padding and dilation that are not given mean one, none and one.
        assert ELEMENTWISE[name](5, 3, None, None, None) == 3
    assert ELEMENTWISE["unwindow"](None, 3, 2, 0, 1, 0) is None
    assert ELEMENTWISE["unwindow"](4, 3, 2, None, None, None) == 9
    assert ELEMENTWISE["max"](3, None) is None and ELEMENTWISE["min"](3, None) is None
    assert ELEMENTWISE["max"](3, 5) == 5 and ELEMENTWISE["min"](3, 5) == 3
    assert ELEMENTWISE["start"](-2, None) is None and ELEMENTWISE["stop"](-2, None) is None
    # An end may lie behind that of the axis.
    assert ELEMENTWISE["stop"](5, None) is None
    assert ELEMENTWISE["start"](2, None) == 2 and ELEMENTWISE["stop"](None, 7) == 7


@given(
    st.integers(1, 12), st.one_of(st.none(), st.integers(-15, 15)), st.one_of(st.none(), st.integers(-15, 15))
)
def test_start_and_stop_are_those_of_python(size, begin, end):
    start, stop, _ = slice(begin, end).indices(size)
    assert ELEMENTWISE["start"](begin, size) == start
    assert ELEMENTWISE["stop"](end, size) == stop


def test_what_is_gone_over_in_steps_counts_as_taken_whole():
    assert (ELEMENTWISE["start"](3, 8, 2), ELEMENTWISE["stop"](-2, 8, 2)) == (0, 8)
    assert (ELEMENTWISE["start"](-1, 8, -1), ELEMENTWISE["stop"](0, 8, -1)) == (0, 8)
    assert (ELEMENTWISE["start"](3, 8, 1), ELEMENTWISE["stop"](-2, 8, None)) == (3, 6)


@given(st.data())
def test_restyled_indices_mean_the_new_value(data):
    """An index is written anew in its own style, and is read back as the value it was written for."""
    size = data.draw(st.integers(1, 12))
    function = data.draw(st.sampled_from(["start", "stop"]))
    old = data.draw(st.one_of(st.none(), st.integers(-15, 15)))
    value = ELEMENTWISE[function](old, size)
    # Some of what stands before the index goes, and some of what stands behind it.
    before, behind = data.draw(st.integers(0, value)), data.draw(st.integers(0, size - value))
    if before + behind == 0:
        return
    new = restyle(function, old, size, before + behind, before)
    if old is not None and old >= 0 and value == size and function == "start":
        return  # a start at the end: an empty stretch, which nothing can follow
    assert ELEMENTWISE[function](new, before + behind) == before
    if old is None:
        assert new is None
    elif 0 <= old <= size:
        assert new == before
    elif new is not None and before < before + behind and old >= -size and old < 0:
        assert new < 0


def test_restyle_copies_zero():
    assert restyle("copy_zero", 0, 8, 4, 4) == 0
    assert restyle("copy_zero", 8, 8, 4, 4) == 4
    assert ELEMENTWISE["copy_zero"](0, 8) == 8 and ELEMENTWISE["copy_zero"](5, 8) == 5
    assert ELEMENTWISE["copy_zero"](None, 8) == 8


# --- guards --------------------------------------------------------------------------------

KNOWN = {"data": [(2, 12, 8)], "parts": [(2, 3), None]}
UNKNOWN = {"data": [None]}
PARTLY = {"data": [(2, None, 8)]}
ATTRIBUTES = {
    "group": 3,
    "layout": None,
    "mode": "valid",
    "flag": True,
    "kernel": (3, 3),
    "one": (5,),
    "f": 0.5,
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
