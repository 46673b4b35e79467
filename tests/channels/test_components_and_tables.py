"""Connected components against union-find, and tables of atoms against brute force."""

from __future__ import annotations

from itertools import combinations, product

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from prunec.channels.balance import (
    Rows,
    as_matrix,
    balance_cells,
    make_rectangular,
    rows_of,
    slice_classes,
    tie_rows,
    varying_dimensions,
)
from prunec.channels.components import connected_components
from prunec.channels.propagate import BalancedTable


def union_find(count, pairs):
    """For each number the smallest it is connected to, one pair after the other."""
    parent = list(range(count))

    def root(i):
        while parent[i] != i:
            i = parent[i]
        return i

    for left, right in pairs:
        one, other = sorted((root(left), root(right)))
        parent[other] = one
    return [root(i) for i in range(count)]


def arrays(pairs):
    both = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    return both[:, 0], both[:, 1]


@st.composite
def graphs(draw):
    count = draw(st.integers(1, 30))
    end = st.integers(0, count - 1)
    return count, draw(st.lists(st.tuples(end, end), max_size=60))


@settings(max_examples=5 * settings().max_examples)
@given(graphs())
def test_components_are_those_of_union_find(graph):
    count, pairs = graph
    assert connected_components(count, *arrays(pairs)).tolist() == union_find(count, pairs)


@pytest.mark.parametrize("order", ["rising", "falling", "shuffled"])
def test_a_long_chain(order):
    count = 20_000
    ends = np.arange(count)
    if order == "falling":
        ends = ends[::-1]
    elif order == "shuffled":
        ends = np.random.default_rng(0).permutation(count)
    labels = connected_components(count, ends[:-1].copy(), ends[1:].copy())
    assert (labels == 0).all()


def test_random_graphs_of_many_nodes():
    generator = np.random.default_rng(1)
    for edges in (0, 500, 1500, 4000):
        pairs = generator.integers(0, 2000, (edges, 2))
        found = connected_components(2000, pairs[:, 0], pairs[:, 1])
        assert found.tolist() == union_find(2000, pairs.tolist())


def test_components_leave_their_input_alone():
    left, right = np.array([3, 1]), np.array([1, 2])
    connected_components(4, left, right)
    assert left.tolist() == [3, 1] and right.tolist() == [1, 2]


# --- tables --------------------------------------------------------------------------------


def test_dimensions_that_say_nothing_are_left_out():
    table = np.array([[[1, 2], [3, 4]], [[1, 2], [3, 4]]])
    assert varying_dimensions(table) == (1, 2)
    assert as_matrix(table).tolist() == [[1, 2], [3, 4]]
    assert as_matrix(np.array([[1, 2], [1, 2]])) is None
    assert as_matrix(np.array([[1, 1], [1, 1]])) is None
    assert as_matrix(np.array([[1, 1], [2, 2]])) is None


def classes_at_most(rows, columns):
    """Every table of small numbers, kept ones (0) among them."""
    return (np.array(flat).reshape(rows, columns) for flat in product(range(4), repeat=rows * columns))


def rectangular(matrix, gone):
    """Every row loses the same number."""
    lost = np.isin(matrix, list(gone)).sum(axis=1)
    return len(set(lost.tolist())) == 1


def joined(matrix, left, right):
    labels = connected_components(int(matrix.max()) + 1, left, right)
    return labels[matrix]


@pytest.mark.parametrize(("rows", "columns"), [(2, 2), (2, 3), (3, 2)])
def test_tables_made_tidy_stay_rectangular(rows, columns):
    """What is legal by cells leaves every row equally long, for every table there is."""
    for matrix in classes_at_most(rows, columns):
        labels = np.asarray(matrix, dtype=np.int64)
        for _ in range(4):
            reduced = as_matrix(labels)
            if reduced is None:
                break
            left, right = make_rectangular(reduced)
            if left.size == 0:
                break
            labels = joined(labels, left, right)
        found = None if as_matrix(labels) is None else rows_of(BalancedTable(labels, 0), np.arange(4))
        if found is None:
            continue
        cell, bad = balance_cells([found], int(labels.max()) + 1)
        if bad:
            labels = joined(labels, *tie_rows(found.matrix))
            assert as_matrix(labels) is None
            continue
        live = sorted(set(labels.reshape(-1).tolist()) - {0})
        by_cell = {}
        for each in live:
            by_cell.setdefault(int(cell[each]), []).append(each)
        assert -1 not in by_cell
        most = min(map(len, by_cell.values()))
        for count in range(most + 1):
            for choice in product(*(combinations(own, count) for own in by_cell.values())):
                assert rectangular(labels, {each for part in choice for each in part}), labels


def test_tidy_prefers_what_leaves_more_to_remove():
    """Rows tied to each other, or those kept that do not fit: the first where it leaves more."""
    # Each row has classes of its own: nothing to do.
    assert make_rectangular(np.array([[1, 2, 3], [4, 5, 6]]))[0].size == 0
    # Every class in every row: nothing to do.
    assert make_rectangular(np.array([[1, 2, 3], [3, 1, 2]]))[0].size == 0
    # One class lies in both rows: it is kept, and the others stay free.
    left, right = make_rectangular(np.array([[1, 2, 3, 4, 5, 6], [7, 8, 9, 10, 11, 6]]))
    assert (left.tolist(), right.tolist()) == ([6], [0])
    # One class fills half a row: to keep it would leave few, so the rows are tied.
    matrix = np.array([[1, 1, 2, 3], [4, 5, 6, 7]])
    assert joined(matrix, *make_rectangular(matrix)).tolist() == [[1, 1, 2, 3]] * 2


def test_rows_tied_to_each_other():
    matrix = np.array([[1, 2], [3, 4], [5, 6]])
    assert joined(matrix, *tie_rows(matrix)).tolist() == [[1, 2]] * 3


def test_slices_along_dimensions():
    labels = np.array([[[1, 1], [2, 2]], [[3, 3], [4, 5]]])
    first, uniform = slice_classes(labels, (0, 1))
    assert first.tolist() == [[1, 2], [3, 4]] and uniform.tolist() == [[True, True], [True, False]]
    first, uniform = slice_classes(labels, (0,))
    assert uniform.tolist() == [False, False]


def _rows(matrix):
    matrix = np.array(matrix)
    flat = matrix.reshape(-1)
    return Rows(flat, np.repeat(np.arange(matrix.shape[0]), matrix.shape[1]), matrix.shape[0], matrix)


def test_cells_of_one_table_are_its_rows():
    cell, bad = balance_cells([_rows([[1, 2], [3, 4]])], 5)
    assert bad == [] and cell[0] == -1
    assert cell[1] == cell[2] != cell[3] == cell[4]


def test_cells_of_two_tables_are_their_crossings():
    """Rows of the one by rows of the other: four cells of one class each."""
    one, other = _rows([[1, 2], [3, 4]]), _rows([[1, 3], [2, 4]])
    cell, bad = balance_cells([one, other], 5)
    assert bad == [] and len(set(cell[1:].tolist())) == 4


def test_tables_whose_crossings_are_uneven_are_bad():
    one = _rows([[1, 2, 3], [4, 5, 6]])
    other = _rows([[1, 2], [3, 4], [5, 6]])
    _, bad = balance_cells([one, other], 7)
    assert bad
