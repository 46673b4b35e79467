"""What is kept of a parameter: takes on factored views, masks, ranges."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import prunec.embedded.slices as slices_module
from prunec.embedded.slices import Gather, ParameterSlice, gathered, pieces, slices_of
from prunec.rewriting.slicing import compact, expand, mask_array, slice_array
from prunec.rewriting.slicing_script import render_script
from prunec.support.diagnostics import PrunecError
from rewriting.slice_examples import example, expected


@st.composite
def parameter_slices(draw: st.DrawFn) -> ParameterSlice:
    view = tuple(draw(st.lists(st.integers(1, 5), min_size=1, max_size=4)))
    sizes, takes = list(view), []
    for _ in range(draw(st.integers(0, 3))):
        axis, *rows = draw(st.permutations(range(len(view))))
        rows = rows[: draw(st.integers(0, len(rows)))]
        count = draw(st.integers(1, sizes[axis]))
        random = np.random.default_rng(draw(st.integers(0, 1000)))
        shape = [sizes[row] for row in rows]
        kept = [
            np.sort(random.permutation(sizes[axis])[:count]) for _ in range(int(np.prod(shape, dtype=int)))
        ]
        takes.append(Gather(axis, tuple(rows), np.array(kept).reshape(*shape, count)))
        sizes[axis] = count
    return ParameterSlice("w", view, view, tuple(takes), tuple(sizes), neutral=-1.0)


@settings(max_examples=150, deadline=None)
@given(parameter=parameter_slices())
def test_library_and_script_do_what_numpy_does(parameter: ParameterSlice) -> None:
    array = np.arange(np.prod(parameter.shape), dtype=np.int32).reshape(parameter.shape)
    wanted = expected(parameter, array)
    assert np.array_equal(slice_array(parameter, array), wanted)
    assert np.array_equal(mask_array(parameter, array), np.where(np.isin(array, wanted), array, -1))
    tables: dict[str, Any] = {}
    exec(render_script([parameter], "m", "").split("# --- slices")[0], tables)
    (read,) = slices_of(tables["PARAMETERS"], tables["KEPT"]).values()
    assert read == replace(parameter, neutral=0.0)


@settings(max_examples=150, deadline=None)
@given(parameter=parameter_slices(), room=st.integers(1, 100))
def test_pieces_are_what_is_kept_in_order(parameter: ParameterSlice, room: int) -> None:
    array = np.arange(np.prod(parameter.shape), dtype=np.int32).reshape(parameter.shape)
    with mock.patch.object(slices_module, "PIECE", room):
        found = [np.array(piece) for piece in pieces(array, parameter)]
    assert all(piece.flags.c_contiguous for piece in pieces(array, parameter))
    joined = np.concatenate([piece.reshape(-1) for piece in found])
    assert np.array_equal(joined.reshape(parameter.new_shape), expected(parameter, array))


def test_large_arrays_are_cut_piece_by_piece() -> None:
    wide = ParameterSlice("w", (64, 8), (64, 8), (Gather(1, (), np.array([1, 3])),), (64, 2))
    with mock.patch.object(slices_module, "PIECE", 256):
        assert [piece.shape for piece in pieces(np.zeros((64, 8), np.float32), wide)] == [(8, 2)] * 8


def test_what_is_cut_out_is_no_view() -> None:
    array = np.arange(4.0)
    part = slice_array(ParameterSlice("w", (4,), (4,), (Gather(0, (), np.array([0, 1])),), (2,)), array)
    part[:] = -1
    assert array.tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    "positions",
    [[0], [39], range(40), range(1, 40, 2), range(3, 30), [*range(16), *range(20, 40)], [*range(7), 9, 20],
     [*range(20), *range(10, 30)], [5, 4, 3], [7, 7, 7], [2, 1, 0, *range(3, 40)]],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_runs_and_blocks_are_positions(axis: int, positions: Any) -> None:
    shape = [3, 3, 3]
    shape[axis] = 40
    array = np.arange(360).reshape(shape)
    found = gathered(array, [Gather(axis, (), np.array(positions))])
    assert np.array_equal(found, np.take(array, positions, axis))


@given(st.lists(st.integers(0, 40), max_size=40))
def test_ranges_round_trip(indices: list[int]) -> None:
    assert expand(compact(indices)).tolist() == indices


@given(st.sets(st.integers(0, 60)))
def test_ranges_of_sorted_positions_round_trip(indices: set[int]) -> None:
    text = compact(sorted(indices))
    assert expand(text).tolist() == sorted(indices)
    assert text.count(",") < max(1, len(indices))


def test_ranges_are_short() -> None:
    assert compact([*range(64), 70, *range(72, 96)]) == "0:64, 70, 72:96"
    assert compact(range(0, 64, 2)) == "0:64:2"
    assert compact([5, 7, 9]) == "5, 7, 9"
    assert compact([0, 2, 3, 4, 6, 8, 10, 12]) == "0, 2:5, 6:14:2"
    assert compact([]) == ""


def test_neutral_elements_and_shape_errors() -> None:
    slices, arrays = example()
    variance = mask_array(slices[4], arrays["variance"])
    assert variance.tolist() == [1, 1, *arrays["variance"][2:4].tolist(), 1, 1, 1, 1, 1]
    for function in (slice_array, mask_array):
        with pytest.raises(PrunecError, match=r"P620: the parameter 'bias' has the shape \(3\), not \(9\)"):
            function(slices[0], np.zeros(3))


def test_open_axes_stay_as_they_are() -> None:
    """An axis of any size behind one whose rows lose two of three."""
    kept = Gather(1, (0,), np.array([[0], [2]]))
    parameter = ParameterSlice("w", (6, None, 5), (2, 3, None, 5), (kept,), (2, None, 5))
    array = np.arange(6 * 7 * 5, dtype=np.float32).reshape(6, 7, 5)
    assert np.array_equal(slice_array(parameter, array), array[[0, 5]])
    assert np.array_equal(mask_array(parameter, array), array * np.isin(np.arange(6), [0, 5])[:, None, None])
    with pytest.raises(
        PrunecError, match=r"P620: the parameter 'w' has the shape \(6, 5\), not \(6, \?, 5\)"
    ):
        slice_array(parameter, array[:, 0])
    with pytest.raises(
        PrunecError, match=r"P620: the parameter 'w' has the shape \(6, 7, 4\), not \(6, \?, 5\)"
    ):
        mask_array(parameter, array[:, :, :4])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (((None, 4), (4,), (), (None, 4)), "the view (4,) does not hold a shape (None, 4)"),
        (((4,), (2, 3), (), (4,)), "the view (2, 3) does not hold a shape (4,)"),
        (((4,), (4,), (Gather(0, (), np.array([4])),), (1,)), "4 is outside axis 0 of [4]"),
        (
            ((4,), (2, 2), (Gather(1, (0,), np.zeros((3, 1))),), (2,)),
            "(3, 1) does not list the rows of [2, 2]",
        ),
        (((4,), (4,), (Gather(1, (), np.array([0])),), (1,)), "no axis 1 or () in (4,)"),
        (((4,), (4,), (Gather(0, (), np.array([0])),), (2,)), "(1,) cannot become (2,)"),
    ],
)
def test_slices_that_do_not_fit_are_refused(arguments: tuple, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        ParameterSlice("w", *arguments)
    assert str(caught.value) == f"'w': {message}"
