"""Where ranges start and end, as Python has it."""

from __future__ import annotations

import hypothesis.strategies as st
from hypothesis import given

from prunec.language.functions import ELEMENTWISE, FUNCTIONS


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
    new = FUNCTIONS[function].invert_keeping_style(old, size, before + behind, before)
    if old is not None and old >= 0 and value == size and function == "start":
        return  # a start at the end: an empty stretch, which nothing can follow
    assert ELEMENTWISE[function](new, before + behind) == before
    if old is None:
        assert new is None
    elif 0 <= old <= size:
        assert new == before
    elif new is not None and before < before + behind and old >= -size and old < 0:
        assert new < 0
