"""Tables of arrays, and back."""

from __future__ import annotations

from math import prod

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prunec.restoring.views import CELL, OTHER, POSITION, SHARED, Factor, View

ROLES = (SHARED, OTHER, POSITION, CELL)


@st.composite
def views(draw: st.DrawFn) -> tuple[View, tuple[int, ...]]:
    """A view and a shape it fits; one factor of an axis may be of any size."""
    axes, shape, place = [], [], iter(draw(st.permutations(range(12))))
    for _ in range(draw(st.integers(1, 4))):
        sizes = draw(st.lists(st.integers(1, 3), min_size=1, max_size=3))
        opened = draw(st.integers(-1, len(sizes) - 1))
        axes.append(
            tuple(
                Factor(None if n == opened else size, draw(st.sampled_from(ROLES)), next(place))
                for n, size in enumerate(sizes)
            )
        )
        shape.append(prod(sizes))
    return View(tuple(axes)), tuple(shape)


@given(views())
def test_an_array_comes_back(drawn: tuple[View, tuple[int, ...]]) -> None:
    view, shape = drawn
    array = np.arange(prod(shape)).reshape(shape)
    table = view.table(array)
    assert table.ndim == 4 and np.array_equal(np.sort(table, axis=None), np.arange(prod(shape)))
    assert np.array_equal(view.array(table, shape), array)


def test_factors_stand_by_role_and_place() -> None:
    """An axis of groups, cells and positions: both operands have their cells in one order."""
    first = View(((Factor(None, OTHER),), (Factor(2, SHARED, 5), Factor(3, CELL, 0), Factor(2, POSITION, 1))))
    second = View(
        ((Factor(2, SHARED, 5), Factor(None, OTHER)), (Factor(2, POSITION, 1),), (Factor(3, CELL, 0),))
    )
    x, w = np.arange(5 * 12).reshape(5, 12), np.arange(8 * 2 * 3).reshape(8, 2, 3)
    assert first.table(x).shape == (2, 5, 2, 3) and second.table(w).shape == (2, 4, 2, 3)
    for shared, other, position, cell in np.ndindex(2, 4, 2, 3):
        assert first.table(x)[shared, other, position, cell] == x[other, shared * 6 + cell * 2 + position]
        assert second.table(w)[shared, other, position, cell] == w[shared * 4 + other, position, cell]


def test_an_order_of_places_that_is_not_that_of_axes() -> None:
    view = View(((Factor(2, CELL, 1),), (Factor(3, CELL, 0),)))
    x = np.arange(6).reshape(2, 3)
    assert np.array_equal(view.table(x).reshape(-1), x.T.reshape(-1))


@pytest.mark.parametrize("shape", [(4, 6), (4, 5, 1), (4, 7)])
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    view = View(((Factor(None, OTHER),), (Factor(5, CELL),)))
    with pytest.raises(ValueError):
        view.table(np.zeros(shape))
