"""Conditions on tables of atoms: rows that lose equally, and atoms that follow rows.

A table is an array of atoms whose last dimension may shrink while the others are rows.  Dimensions
along which all atoms belong together say nothing and are left out; a table with one dimension left
has no condition.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional, Sequence

import numpy as np
from numpy.typing import NDArray

from prunec.channels.components import KEPT, Atoms, connected_components
from prunec.channels.propagate import BalancedTable

_NONE: Atoms = np.zeros(0, dtype=np.int64)


@dataclass(frozen=True)
class Rows:
    """A balanced table of classes: ``classes`` with the row each stands in, kept ones left out."""

    classes: Atoms
    rows: Atoms
    row_count: int
    matrix: Atoms


def varying_dimensions(labels: Atoms) -> tuple[int, ...]:
    """The dimensions along which an array is not constant."""
    return tuple(d for d in range(labels.ndim) if not np.array_equal(*_edges_of(labels, d)))


def _edges_of(labels: Atoms, dimension: int) -> tuple[Atoms, Atoms]:
    first = labels.take([0], axis=dimension)
    return np.broadcast_to(first, labels.shape), labels


def as_matrix(labels: Atoms) -> Optional[Atoms]:
    """Rows by last dimension, without constant dimensions; ``None`` where nothing needs balance."""
    varying = varying_dimensions(labels) if labels.size else ()
    if len(varying) < 2:
        return None
    index = tuple(slice(None) if d in varying else 0 for d in range(labels.ndim))
    reduced = labels[index]
    return reduced.reshape(-1, reduced.shape[-1])


def make_rectangular(matrix: Atoms) -> tuple[Atoms, Atoms]:
    """Edges that make a table one that balanced removal can follow; none where it is already.

    In such a table every class stands in a single row, all of them equally often, or every class stands
    equally often in every row.  There are two ways to get there, and the one that leaves more to remove is
    taken: tying the rows to each other, or keeping the classes that do not fit.
    """
    rows, width = matrix.shape
    classes, inverse = np.unique(matrix, return_inverse=True)
    inverse = inverse.reshape(rows, width)
    pairs, times = np.unique(np.arange(rows)[:, None] * len(classes) + inverse, return_counts=True)
    of_pair = pairs % len(classes)
    spread = np.bincount(of_pair, minlength=len(classes))
    total = np.bincount(inverse.reshape(-1), minlength=len(classes))
    most = np.zeros(len(classes), dtype=np.int64)
    np.maximum.at(most, of_pair, times)
    live = classes != KEPT
    everywhere = live & (spread == rows) & (total == most * rows)
    if (everywhere == live).all():
        return _NONE, _NONE
    # The commonest multiplicity of classes in one row; any other would unbalance the rows.
    single = live & (spread == 1)
    usual = np.bincount(total[single]).argmax() if single.any() else 0
    fitting = single & (total == usual)
    if (fitting == live).all():
        return _NONE, _NONE
    per_row = np.bincount(pairs[fitting[of_pair]] // len(classes), minlength=rows)
    removable_kept = int(per_row.min()) * int(usual) * rows
    left, right = tie_rows(inverse)
    joined = connected_components(len(classes), left, right)
    free = live & (joined != joined[0] if classes[0] == KEPT else live)
    if len(np.unique(joined[free])) > 1 and int(total[free].sum()) > removable_kept * 5 // 4:
        return tie_rows(matrix)
    odd = live & ~fitting
    return classes[odd], np.zeros(int(odd.sum()), dtype=np.int64)


def tie_rows(matrix: Atoms) -> tuple[Atoms, Atoms]:
    """Edges that make the k-th of every row one class."""
    return np.broadcast_to(matrix[0], matrix[1:].shape).reshape(-1), matrix[1:].reshape(-1)


def slice_classes(labels: Atoms, dimensions: tuple[int, ...]) -> tuple[Atoms, NDArray[np.bool_]]:
    """For each slice along some dimensions its first class, and whether it is the only one."""
    front = np.moveaxis(labels, dimensions, range(len(dimensions)))
    if not labels.size:
        rows = front.shape[: len(dimensions)]
        return np.full(rows, KEPT, dtype=np.int64), np.ones(rows, dtype=bool)
    slices = front.reshape(*front.shape[: len(dimensions)], -1)
    return slices[..., 0], (slices == slices[..., :1]).all(axis=-1)


def rows_of(table: BalancedTable, labels: Atoms) -> Optional[Rows]:
    """A table as classes and rows, ``None`` where it sets no condition."""
    matrix = as_matrix(labels[table.atoms])
    if matrix is None:
        return None
    flat = matrix.reshape(-1)
    row_of = np.repeat(np.arange(matrix.shape[0]), matrix.shape[1])
    live = flat != KEPT
    first_row = np.sort(matrix, axis=1)
    if (first_row == first_row[:1]).all():
        return None  # every class stands in every row: balanced by itself
    return Rows(flat[live], row_of[live], matrix.shape[0], matrix)


def balance_cells(tables: Sequence[Rows], class_count: int) -> tuple[Atoms, list[int]]:
    """Each class's cell (-1: none), and the tables that equal losses per cell would not balance.

    A cell is a set of classes that stand in the same rows of the same tables.  Removing equally many
    of each cell balances a table when all its rows hold equally many cells.  Where tables overlap and their
    cells differ in size, the smallest cell would hold back all others: those tables count as bad too.
    """
    cell = np.full(class_count, -1, dtype=np.int64)
    overlap = np.zeros(class_count, dtype=bool)
    for table in tables:
        overlap[table.classes] |= cell[table.classes] >= 0
        key = (cell[table.classes] + 1) * (table.row_count + 1) + table.rows
        order = np.unique(key, return_inverse=True)[1].reshape(-1)
        cell[table.classes] = order + cell.max() + 1
    sizes = np.bincount(cell[cell >= 0])
    bad = []
    for number, table in enumerate(tables):
        pairs = np.unique(np.stack([table.rows, cell[table.classes]]), axis=1)
        counts = np.bincount(pairs[0], minlength=table.row_count)
        unequal = counts.min(initial=counts.max(initial=0)) != counts.max(initial=0)
        own = sizes[pairs[1]]
        uneven = overlap[table.classes].any() and own.min(initial=own.max(initial=0)) != own.max(initial=0)
        if unequal or uneven:
            bad.append(number)
    return cell, bad
