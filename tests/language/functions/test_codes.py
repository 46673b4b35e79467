"""Reshape codes against a reference written from their description, and what is said of each axis."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
from core.operators import viewed
from hypothesis import given, settings

from prunec.language.functions import FUNCTIONS
from prunec.language.functions.base import ArgumentError
from prunec.language.functions.codes import ViewCodes, read_codes


def read_view(codes, shape, reverse=False) -> ViewCodes:
    return read_codes(FUNCTIONS["view"].view, codes, shape, reverse)


def read_view_np(codes, shape) -> ViewCodes:
    return read_codes(FUNCTIONS["view_np"].view, codes, shape)


@st.composite
def codes_and_shapes(draw):
    """A shape, and codes that fit it, possibly read from the right."""
    shape, codes, left = [], [], draw(st.integers(0, 4))
    inferred = False
    for _ in range(left):
        kind = draw(st.sampled_from(["copy", "literal", "split", "merge", "infer"]))
        size = draw(st.sampled_from([1, 2, 3, 4, 6]))
        if kind == "copy":
            shape.append(size)
            codes.append(0)
        elif kind == "literal":
            shape.append(size)
            codes.append(size)
        elif kind == "infer" and not inferred:
            inferred = True
            shape.append(size)
            codes.append(-1)
        elif kind == "split":
            other = draw(st.sampled_from([1, 2, 3]))
            shape.append(size * other)
            codes += [-4, *draw(st.sampled_from([(size, other), (-1, other), (size, -1)]))]
        else:
            shape += [size, draw(st.sampled_from([1, 2, 5]))]
            codes.append(-3)
    reverse = draw(st.booleans())
    if draw(st.booleans()):
        rest = draw(st.lists(st.sampled_from([1, 2, 3]), max_size=2))
        shape, codes = shape + rest, [*codes, -2]
    if reverse:
        return tuple(codes), tuple(shape), True, codes
    return tuple(codes), tuple(shape), False, codes


def _mirror(codes):
    """The codes that say from the right what these say from the left."""
    pieces, at = [], 0
    while at < len(codes):
        width = 3 if codes[at] == -4 else 1
        piece = codes[at : at + width]
        pieces.append(piece if width == 1 else (piece[0], piece[2], piece[1]))
        at += width
    return tuple(code for piece in reversed(pieces) for code in piece)


def _read(codes, shape, reverse):
    return read_view(_mirror(codes), shape[::-1], True) if reverse else read_view(codes, shape)


@settings(max_examples=4 * settings().max_examples)
@given(codes_and_shapes())
def test_sizes_are_those_of_the_reference(drawn):
    codes, shape, reverse, _ = drawn
    view = _read(codes, shape, reverse)
    expected = viewed(codes, shape)
    assert view.sizes == (expected[::-1] if reverse else expected)
    data = np.arange(int(np.prod(shape))).reshape(shape)
    assert data.reshape(expected).size == data.size


@given(codes_and_shapes())
def test_segments_cover_both_shapes_and_hold_equally_many_elements(drawn):
    codes, shape, reverse, _ = drawn
    view = _read(codes, shape, reverse)
    if reverse:
        shape = shape[::-1]
    ends = (0, 0)
    for a, b, c, d in view.segments:
        assert (a, c) == ends and a <= b and c <= d
        assert np.prod(shape[a:b], dtype=int) == np.prod(view.sizes[c:d], dtype=int)
        ends = (b, d)
    assert ends == (len(shape), len(view.sizes))


@given(codes_and_shapes())
def test_literals_are_the_numbers_that_stand_for_sizes(drawn):
    codes, shape, reverse, _ = drawn
    view = _read(codes, shape, reverse)
    written = _mirror(codes) if reverse else codes
    for size, at in zip(view.sizes, view.literal):
        assert at is None or written[at] == size
    positive = sum(code > 0 for code in written)
    assert sum(at is not None for at in view.literal) == positive


@given(codes_and_shapes(), st.data())
def test_unknown_sizes_never_contradict_known_ones(drawn, data):
    codes, shape, reverse, _ = drawn
    hidden = tuple(None if data.draw(st.booleans()) else size for size in shape)
    known = _read(codes, shape, reverse)
    partly = _read(codes, hidden, reverse)
    assert len(partly.sizes) == len(known.sizes)
    for size, other in zip(partly.sizes, known.sizes):
        assert size is None or size == other


def test_an_inferred_size_is_found_beside_a_copied_unknown_one():
    assert read_view((0, -1), (None, 3, 4)).sizes == (None, 12)
    assert read_view((0, 0, -1), (None, 3, 4)).sizes == (None, 3, 4)
    assert read_view((-1, 12), (None, 3, 4)).sizes == (None, 12)
    assert read_view((-1, 4), (2, None)).sizes == (None, 4)


@pytest.mark.parametrize(
    ("codes", "shape", "sizes"),
    [
        ((-2, 6), (2, 6), (2, 6)),
        ((-1, -2), (4, 6), (4, 6)),
        ((-4,), (2, 3), (2, 3)),
        ((-5, -4), (2, 3, 4), (6, 4)),
        ((-2, -3, -2), (2, 1, 3), (2, 3)),
        ((-6, 2, -1, -4), (8, 3), (2, 4, 3)),
        ((-6, -1, 2, 3), (8, 3), (4, 2, 3)),
        ((-2, -1), (2, 3, 4), (2, 12)),
    ],
)
def test_codes_in_the_manner_of_numpy(codes, shape, sizes):
    assert read_view_np(codes, shape).sizes == sizes


@pytest.mark.parametrize(
    ("codes", "shape", "message"),
    [
        ((0, 0, 0), (2, 3), "the codes name more axes than the input has"),
        ((-4, 2), (4,), "a split code needs two sizes behind it"),
        ((-4, -1, -1), (4,), "a split cannot infer both its sizes"),
        ((-4, 3, 2), (4,), "an axis of size 4 cannot be split into 3 by 2"),
        ((-4, 3, -1), (4,), "an axis of size 4 cannot be split into 3 by 1"),
        ((-1, -1), (4,), "more than one size is to be inferred"),
        ((-7,), (4,), "-7 is not a reshape code"),
        ((3, -1), (4,), "a size cannot be inferred: 4 elements do not divide by 3"),
        ((3,), (4,), "4 elements cannot be seen as 3"),
        ((-3,), (4,), "the codes name more axes than the input has"),
    ],
)
def test_codes_that_do_not_fit(codes, shape, message):
    with pytest.raises(ArgumentError) as error:
        read_view(codes, shape)
    assert str(error.value) == message


def test_numpy_codes_leave_out_axes_of_size_one_only():
    with pytest.raises(ArgumentError) as error:
        read_view_np((-2, -3), (2, 3))
    assert str(error.value) == "an axis to be left out is not of size one"
