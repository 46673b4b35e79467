"""Joining atoms into units, and units into groups."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Sequence

import numpy as np
from numpy.typing import NDArray

from prunec.channels.balance import (
    Rows,
    as_matrix,
    balance_cells,
    make_rectangular,
    rows_of,
    slice_classes,
    tie_rows,
)
from prunec.channels.components import KEPT, Atoms, connected_components
from prunec.channels.propagate import Cause, Channels, Edge, EdgeKind, Propagation
from prunec.graph import Tensor


@dataclass(frozen=True)
class Group:
    """Units with the same footprint: interchangeable candidates for removal.

    ``units`` are unit numbers in order; ``cells`` says for each the balance cell it stands in (-1: none);
    groups of one ``domain`` must lose equally many units per cell.  ``approximate`` holds the numbers of
    the causes that make removal change the values of what stays.
    """

    number: int
    units: Atoms
    cells: Atoms
    domain: int
    approximate: tuple[int, ...]


@dataclass(frozen=True)
class Solution:
    """The channels of a graph, solved.

    ``unit_of_atom`` gives every atom its unit, -1 for what stays.  ``edges`` are all joins made, the
    solver's own included, for explanations.
    """

    propagation: Propagation
    unit_of_atom: Atoms
    unit_count: int
    groups: tuple[Group, ...]
    edges: tuple[Edge, ...]
    causes: tuple[Cause, ...]

    def units(self, array: Atoms) -> Atoms:
        """The units of an array of atoms, -1 where nothing can be removed."""
        return np.asarray(self.unit_of_atom[array])


def solve(propagation: Propagation) -> Solution:
    """Joins atoms along all edges and until every table can be balanced, then finds the groups.

    Linear in the number of atoms and edges, up to the logarithm of the longest chain.
    """
    joiner = _Joiner(propagation)
    labels = joiner.labels
    roots = np.unique(labels)
    live = roots[roots != KEPT]
    unit_of_label = np.full(propagation.atom_count, -1, dtype=np.int64)
    unit_of_label[live] = np.arange(len(live))
    unit_of_atom = unit_of_label[labels]
    unit_cell = np.full(len(live), -1, dtype=np.int64)
    unit_cell[:] = joiner.cell[live]
    groups = _groups(propagation, unit_of_atom, len(live), unit_cell, joiner.domain_of(live))
    return Solution(
        propagation, unit_of_atom, len(live), groups, tuple(joiner.edges), tuple(propagation.causes)
    )


class _Joiner:
    def __init__(self, propagation: Propagation) -> None:
        self.propagation = propagation
        self.edges: list[Edge] = list(propagation.edges)
        pairs = [(e.left.reshape(-1), e.right.reshape(-1)) for e in self.edges]
        empty = np.zeros(0, dtype=np.int64)
        left = np.concatenate([p[0] for p in pairs]) if pairs else empty
        right = np.concatenate([p[1] for p in pairs]) if pairs else empty
        self.labels = connected_components(propagation.atom_count, left, right)
        self.cell = np.full(propagation.atom_count, -1, dtype=np.int64)
        self.tables: list[Rows] = []
        while self._enforce():
            pass

    def _join(self, left: Atoms, right: Atoms, cause: int, kind: EdgeKind) -> None:
        self.edges.append(Edge(left, right, cause, kind, self.propagation.causes[cause].node))
        joined = connected_components(self.propagation.atom_count, self.labels[left], self.labels[right])
        self.labels = joined[self.labels]

    def _enforce(self) -> bool:
        """Applies the conditions of all tables; says whether anything had to be joined.

        Rows are settled before columns, and nothing is kept for want of a condition while another
        condition can still make it hold.
        """
        if self._follow_rows(keep=False) or self._tidy_tables():
            return True
        return self._follow_rows(keep=True) or self._equal_cells()

    def _follow_rows(self, keep: bool) -> bool:
        changed = False
        for table in self.propagation.rows:
            first, uniform = slice_classes(self.labels[table.table], table.dimensions)
            target = np.where(uniform, first, KEPT)
            open_rows = self.labels[table.rows] != target
            if not keep:
                open_rows &= uniform
            if open_rows.any():
                self._join(table.rows[open_rows], target[open_rows], table.cause, EdgeKind.ROWS)
                changed = True
        return changed

    def _tidy_tables(self) -> bool:
        changed = False
        for table in self.propagation.balances:
            matrix = as_matrix(self.labels[table.atoms])
            if matrix is not None:
                left, right = make_rectangular(matrix)
                if left.size:
                    self._join(left, right, table.cause, EdgeKind.BALANCE)
                    changed = True
        return changed

    def _equal_cells(self) -> bool:
        causes, rows = [], []
        for table in self.propagation.balances:
            found = rows_of(table, self.labels)
            if found is not None:
                causes.append(table.cause)
                rows.append(found)
        self.cell, bad = balance_cells(rows, self.propagation.atom_count)
        self.tables = rows
        for number in bad:
            self._join(*tie_rows(rows[number].matrix), causes[number], EdgeKind.BALANCE)
        return bool(bad)

    def domain_of(self, live: Atoms) -> Atoms:
        """A number for each live class; classes that some table balances against each other share it."""
        left = [np.full(len(t.classes) - 1, t.classes[0]) for t in self.tables if len(t.classes) > 1]
        right = [t.classes[1:] for t in self.tables if len(t.classes) > 1]
        if not left:
            return live
        joined = connected_components(
            self.propagation.atom_count, np.concatenate(left).astype(np.int64), np.concatenate(right)
        )
        return np.asarray(joined[live])


def _distinct_arrays(propagation: Propagation) -> list[Atoms]:
    seen: dict[int, Atoms] = {}
    for channels in [*propagation.channels.values(), *propagation.implied.values()]:
        for array in channels.arrays:
            seen.setdefault(id(array), array)
    return list(seen.values())


def _groups(
    propagation: Propagation, unit_of_atom: Atoms, count: int, cell: Atoms, domain: Atoms
) -> tuple[Group, ...]:
    if not count:
        return ()
    in_parameter = np.zeros(count, dtype=bool)
    for channels in parameter_channels(propagation):
        for array in channels.arrays:
            units = unit_of_atom[array.reshape(-1)]
            in_parameter[units[units >= 0]] = True
    key = _footprints(_distinct_arrays(propagation), unit_of_atom, count)
    reasons = _approximate(propagation, unit_of_atom, count)
    balanced = cell >= 0
    alone = np.where(balanced, domain, -1)
    columns = np.stack([key[:, 0], key[:, 1], alone.astype(np.uint64), reasons[0].astype(np.uint64)], axis=1)
    _, first, inverse = np.unique(columns, axis=0, return_index=True, return_inverse=True)
    inverse = inverse.reshape(-1)
    order = np.argsort(first, kind="stable")
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    group_of = rank[inverse]
    members = np.argsort(group_of, kind="stable")
    bounds = np.searchsorted(group_of[members], np.arange(len(order) + 1))
    domains = _group_domains(group_of, alone, len(order))
    groups: list[Group] = []
    for number in range(len(order)):
        units = members[bounds[number] : bounds[number + 1]]
        if not in_parameter[units[0]]:
            continue
        causes = reasons[1][int(reasons[0][units[0]])]
        groups.append(Group(len(groups), units, cell[units], int(domains[number]), causes))
    return tuple(groups)


def _group_domains(group_of: Atoms, alone: Atoms, count: int) -> Atoms:
    """A number for each group, shared by the groups that a table balances against each other."""
    first = np.full(count, -1, dtype=np.int64)
    domains = np.arange(count, dtype=np.int64)
    first[group_of[::-1]] = alone[::-1]
    shared = first >= 0
    _, inverse = np.unique(first[shared], return_inverse=True)
    domains[shared] = count + inverse.reshape(-1)
    return domains


def _footprints(arrays: Sequence[Atoms], unit_of_atom: Atoms, count: int) -> NDArray[np.uint64]:
    """Two 64-bit sums for each unit over the arrays it stands in, with multiplicity: equal for equal
    footprints, and for others with a chance of about 2⁻¹²⁸."""
    key = np.zeros((count, 2), dtype=np.uint64)
    for number, array in enumerate(arrays):
        units = unit_of_atom[array.reshape(-1)]
        times = np.bincount(units[units >= 0], minlength=count) if array.size > count // 8 else None
        if times is not None:
            where = np.flatnonzero(times)
            amount = times[where].astype(np.uint64)
        else:
            where, occurrences = np.unique(units[units >= 0], return_counts=True)
            amount = occurrences.astype(np.uint64)
        with np.errstate(over="ignore"):
            key[where, 0] += amount * _scatter(2 * number + 1)
            key[where, 1] += amount * _scatter(2 * number + 2)
    return key


def _scatter(number: int) -> np.uint64:
    """A well-spread 64-bit number (the finaliser of Steele, Lea and Flood's SplitMix64, 2014)."""
    mask = (1 << 64) - 1
    z = (number * 0x9E3779B97F4A7C15) & mask
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
    return np.uint64(z ^ (z >> 31))


def _approximate(
    propagation: Propagation, unit_of_atom: Atoms, count: int
) -> tuple[Atoms, list[tuple[int, ...]]]:
    """For each unit the number of its set of approximate causes, and the sets."""
    sets: list[tuple[int, ...]] = [()]
    number_of: dict[tuple[int, int], int] = {}
    current = np.zeros(count, dtype=np.int64)
    for atoms, cause in propagation.approximate:
        units = np.unique(unit_of_atom[atoms.reshape(-1)])
        units = units[units >= 0]
        for old in np.unique(current[units]):
            key = (int(old), cause)
            if cause in sets[key[0]]:
                continue
            if key not in number_of:
                number_of[key] = len(sets)
                sets.append((*sets[key[0]], cause))
            chosen = units[current[units] == old]
            current[chosen] = number_of[key]
    return current, sets


def parameter_channels(propagation: Propagation) -> list[Channels]:
    """The channels of all parameters, in graph order, those the graph does not mention last."""
    nodes = propagation.lowered.graph.nodes
    found = [
        propagation.channels[Tensor(index, 0)]
        for index, node in enumerate(nodes)
        if node.operator is None
        and Tensor(index, 0) in propagation.channels
        and index not in propagation.inputs
    ]
    return found + list(propagation.implied.values())
