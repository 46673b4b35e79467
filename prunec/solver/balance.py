"""Conditions on tables of atoms: rows that lose equally, slices that must not vanish.

A table is an array of atoms whose last dimension may shrink while the others are rows.  Dimensions
along which all atoms belong together say nothing and are left out; a table with one dimension left
has no condition.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional, Sequence

import numpy as np

from prunec.solver.components import Atoms
from prunec.solver.propagate import KEPT, Table


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
    varying = varying_dimensions(labels)
    if len(varying) < 2:
        return None
    index = tuple(slice(None) if d in varying else 0 for d in range(labels.ndim))
    reduced = labels[index]
    return reduced.reshape(-1, reduced.shape[-1])


def untidy(matrix: Atoms) -> bool:
    """Whether classes run through the rows in a way that balanced removal cannot follow.

    A class must stand once in a single row, or once in every row, and all classes alike.
    """
    rows, width = matrix.shape
    classes, inverse = np.unique(matrix, return_inverse=True)
    inverse = inverse.reshape(-1)
    total = np.bincount(inverse)
    row_of = np.repeat(np.arange(rows), width)
    pairs = np.unique(row_of * len(classes) + inverse)
    spread = np.bincount(pairs % len(classes), minlength=len(classes))
    live = classes != KEPT
    single = (spread == 1) & (total == 1)
    everywhere = (spread == rows) & (total == rows)
    return bool(
        (~(single | everywhere) & live).any() or ((single & live).any() and (everywhere & live).any())
    )


def tie_rows(matrix: Atoms) -> tuple[Atoms, Atoms]:
    """Edges that make the k-th of every row one class."""
    return np.broadcast_to(matrix[0], matrix[1:].shape).reshape(-1), matrix[1:].reshape(-1)


def vanishing(labels: Atoms, dimension: int) -> Atoms:
    """Classes that make up a whole slice along a dimension, so that removing one removes the slice."""
    slices = np.moveaxis(labels, dimension, 0).reshape(labels.shape[dimension], -1)
    uniform = (slices == slices[:, :1]).all(axis=1) & (slices[:, 0] != KEPT)
    return np.unique(slices[uniform, 0])


def rows_of(table: Table, labels: Atoms) -> Optional[Rows]:
    """A table as classes and rows, ``None`` where it sets no condition."""
    matrix = as_matrix(labels[table.atoms])
    if matrix is None:
        return None
    flat = matrix.reshape(-1)
    row_of = np.repeat(np.arange(matrix.shape[0]), matrix.shape[1])
    live = flat != KEPT
    if len(np.unique(flat[live])) * matrix.shape[0] == int(live.sum()):
        return None  # every class stands in every row: balanced by itself
    return Rows(flat[live], row_of[live], matrix.shape[0], matrix)


def cells(tables: Sequence[Rows], class_count: int) -> tuple[Atoms, list[int]]:
    """Each class's cell (-1: none), and the tables that equal losses per cell would not balance.

    A cell is a set of classes that stand in the same rows of the same tables.  Removing equally many
    of each cell balances a table when all its rows hold equally many cells.
    """
    cell = np.full(class_count, -1, dtype=np.int64)
    for table in tables:
        key = (cell[table.classes] + 1) * (table.row_count + 1) + table.rows
        order = np.unique(key, return_inverse=True)[1].reshape(-1)
        cell[table.classes] = order + cell.max() + 1
    bad = []
    for number, table in enumerate(tables):
        pairs = np.unique(np.stack([table.rows, cell[table.classes]]), axis=1)
        counts = np.bincount(pairs[0], minlength=table.row_count)
        if counts.min(initial=counts.max(initial=0)) != counts.max(initial=0):
            bad.append(number)
    return cell, bad
