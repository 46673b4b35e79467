"""Shortest paths over the links between atoms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

import numpy as np

from prunec.channels.components import KEPT, Atoms
from prunec.channels.propagate import RowsOf
from prunec.explaining.links import Links


@dataclass(frozen=True)
class Hop:
    """One link on a path: from an atom to another, by an edge."""

    start: int
    end: int
    edge: int


@dataclass(frozen=True, eq=False)
class Tree:
    """Shortest paths from one atom to all it is linked to.

    ``atoms`` are sorted; ``distance`` counts links (-1: not reached), ``parent`` is the position of the atom
    before, ``edge`` the edge that leads here from it.
    """

    atoms: Atoms
    distance: Atoms
    parent: Atoms
    edge: Atoms

    def position(self, atom: int) -> Optional[int]:
        """Where an atom stands among ``atoms``, ``None`` where no path leads to it."""
        at = int(np.searchsorted(self.atoms, atom))
        if at == len(self.atoms) or self.atoms[at] != atom or self.distance[at] < 0:
            return None
        return at

    def hops(self, atom: int) -> Optional[list[Hop]]:
        """The path from the root to an atom."""
        at = self.position(atom)
        if at is None:
            return None
        found: list[Hop] = []
        while self.parent[at] >= 0:
            before = int(self.parent[at])
            found.append(Hop(int(self.atoms[before]), int(self.atoms[at]), int(self.edge[at])))
            at = before
        return found[::-1]


def shortest(links: Links, source: int, target: Optional[int] = None) -> Tree:
    """Breadth-first search from one atom, a whole level at a time; it ends early at a target."""
    atoms, ends = np.unique(np.concatenate([links.left, links.right, [source]]), return_inverse=True)
    ends = ends.reshape(-1)[:-1]
    count = len(links.left)
    others = np.concatenate([ends[count:], ends[:count]])
    order = np.argsort(ends, kind="stable")
    start = np.searchsorted(ends[order], np.arange(len(atoms) + 1))
    neighbour, edge_of = others[order], np.concatenate([links.edge, links.edge])[order]
    distance = np.full(len(atoms), -1, dtype=np.int64)
    parent, edge = distance.copy(), distance.copy()
    frontier = np.searchsorted(atoms, [source])
    distance[frontier] = level = 0
    goal = None if target is None else int(np.searchsorted(atoms, target))
    while frontier.size:
        level += 1
        degree = start[frontier + 1] - start[frontier]
        offset = np.repeat(start[frontier] - np.cumsum(degree) + degree, degree)
        row = offset + np.arange(degree.sum())
        reached, first = np.unique(neighbour[row], return_index=True)
        new = distance[reached] < 0
        reached, first = reached[new], first[new]
        distance[reached] = level
        parent[reached] = np.repeat(frontier, degree)[first]
        edge[reached] = edge_of[row[first]]
        frontier = reached
        if goal is not None and goal < len(atoms) and distance[goal] >= 0:
            break
    return Tree(atoms, distance, parent, edge)


def path(links: Links, source: int, target: int, tree: Optional[Tree] = None) -> Optional[list[Hop]]:
    """A shortest path between two atoms in links that a node made.

    The solver joins whole units, each named by one atom that may lie far from the table that asked for it.
    Such a link is replaced by one between atoms of the table itself, and paths in what was linked
    before.  ``tree`` is the search from ``source``, where it is at hand.
    """
    hops = (tree or shortest(links, source, target)).hops(target)
    if hops is None:
        return None
    added = [hop for hop in hops if hop.edge >= links.rule_edge_count]
    if not added:
        return hops
    last = max(added, key=lambda hop: hop.edge)
    earlier = links.before(last.edge)
    link = anchored(links, earlier.labels(), last)
    first = path(earlier, source, link.start)
    second = [] if link.end == target else path(earlier, link.end, target)
    if first is None or second is None:
        return hops
    return [*first, link, *second]


# --- the solver's own links ---


def anchored(links: Links, labels: Atoms, hop: Hop) -> Hop:
    """A solver's link put between atoms of the table behind it; ``labels`` are those of what was linked
    before."""
    propagation = links.solution.propagation
    start, end = int(labels[hop.start]), int(labels[hop.end])
    cause = links.solution.edges[hop.edge].cause
    for rows in propagation.rows:
        if rows.cause == cause:
            found = _anchors_of_rows(rows, labels, start, end)
            if found is not None:
                return Hop(*found, hop.edge)
    tables = [table.atoms.reshape(-1) for table in propagation.balances if table.cause == cause]
    for atoms in tables:
        out, back = _member(atoms, labels, start), _member(atoms, labels, end)
        if out is not None and back is not None:
            return Hop(out, back, hop.edge)
    return hop


def _anchors_of_rows(rows: RowsOf, labels: Atoms, start: int, end: int) -> Optional[tuple[int, int]]:
    front = np.moveaxis(rows.table, rows.dimensions, range(len(rows.dimensions)))
    first = front.reshape(rows.rows.size, -1)[:, 0]
    followers = rows.rows.reshape(-1)
    for a, b, turned in ((start, end, False), (end, start, True)):
        if a == KEPT:
            continue
        match = labels[followers] == a
        if b != KEPT:
            match &= labels[first] == b
        at = np.flatnonzero(match)
        if at.size:
            pair = (int(followers[at[0]]), b if b == KEPT else int(first[at[0]]))
            return (pair[1], pair[0]) if turned else pair
    return None


def _member(atoms: Atoms, labels: Atoms, label: int) -> Optional[int]:
    if label == KEPT:
        return KEPT
    at = np.flatnonzero(labels[atoms] == label)
    return int(atoms[at[0]]) if at.size else None
