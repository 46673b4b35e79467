"""Sizes after and before a window, and what is not known."""

from __future__ import annotations

import hypothesis.strategies as st
from hypothesis import given

from prunec.language.functions import ELEMENTWISE


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
