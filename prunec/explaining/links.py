"""The links between atoms, and which tensors carry an atom: what every explanation is read from.

An atom array is handed on unchanged by most nodes; where two arrays meet, a *link* makes their atoms the
same.  So a path from one atom to another is a list of links, and between two links the atom is followed
through the tensors that carry it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Optional, Union

import numpy as np
from numpy.typing import NDArray

from prunec.channels.components import Atoms, connected_components
from prunec.channels.layout import InputReason, Reason
from prunec.channels.propagate import Channels, Edge, EdgeKind, Propagation
from prunec.channels.solve import Solution
from prunec.graph import Tensor

#: A tensor of the graph, or a parameter that the graph does not mention: the node that takes it and its slot.
Carrier = Union[Tensor, tuple[int, str]]


@dataclass(frozen=True, eq=False)
class Links:
    """All links of a solution: row ``i`` joins atoms ``left[i]`` and ``right[i]`` by edge ``edge[i]``.

    ``rule_edge_count`` edges come from the rules; those behind them the solver added for tables.
    """

    solution: Solution
    left: Atoms
    right: Atoms
    edge: Atoms
    rule_edge_count: int

    @property
    def edges(self) -> tuple[Edge, ...]:
        """The edges that the numbers in ``edge`` count."""
        return self.solution.edges

    @cached_property
    def carriers(self) -> _Carriers:
        """Which tensors carry which atoms."""
        return _carriers(self.solution.propagation)

    @cached_property
    def ties(self) -> dict[int, list[int]]:
        """For each node the edges that its rule's ties made, in their order."""
        found: dict[int, list[int]] = {}
        for number, edge in enumerate(self.edges):
            if edge.kind is EdgeKind.TIE:
                found.setdefault(edge.node, []).append(number)
        return found

    @cached_property
    def consumers(self) -> dict[Tensor, list[int]]:
        """The nodes that take each tensor."""
        found: dict[Tensor, list[int]] = {}
        for index, node in enumerate(self.solution.propagation.lowered.graph.nodes):
            for tensor in dict.fromkeys(node.inputs):
                found.setdefault(tensor, []).append(index)
        return found

    def within(self, unit: int) -> Links:
        """Only the links of a unit (-1: of what stays)."""
        return self._select(self.solution.unit_of_atom[self.left] == unit)

    def before(self, edge: int) -> Links:
        """Only the links of edges made before an edge."""
        return self._select(self.edge < edge)

    def labels(self) -> Atoms:
        """For each atom the smallest one that these links join it to."""
        return connected_components(self.solution.propagation.atom_count, self.left, self.right)

    def _select(self, rows: NDArray[np.bool_]) -> Links:
        chosen = Links(
            self.solution, self.left[rows], self.right[rows], self.edge[rows], self.rule_edge_count
        )
        # What does not depend on the choice of rows is worked out once for all.
        for name in ("carriers", "ties", "consumers"):
            chosen.__dict__[name] = getattr(self, name)
        return chosen

    def channels(self, carrier: Carrier) -> Optional[Channels]:
        """The channels of a carrier."""
        propagation = self.solution.propagation
        if isinstance(carrier, Tensor):
            return propagation.channels.get(carrier)
        return propagation.implied.get(carrier)

    def touching(self, carrier: Carrier) -> list[int]:
        """The operators that make or take a carrier."""
        if not isinstance(carrier, Tensor):
            return [carrier[0]]
        made = self.solution.propagation.lowered.graph.nodes[carrier.node].operator is not None
        return [*([carrier.node] if made else []), *self.consumers.get(carrier, [])]


@dataclass(frozen=True)
class _Carriers:
    """``array[start[a]:start[a + 1]]`` are the numbers of the distinct arrays that hold atom ``a``."""

    start: Atoms
    array: Atoms
    holders: tuple[tuple[Carrier, ...], ...]

    def of(self, atom: int) -> list[Carrier]:
        """The tensors that carry an atom, in graph order."""
        numbers = self.array[self.start[atom] : self.start[atom + 1]].tolist()
        return list(dict.fromkeys(carrier for number in numbers for carrier in self.holders[number]))


def links_of(solution: Solution) -> Links:
    """The links of a solution, edge by edge."""
    edges = solution.edges
    empty = np.zeros(0, dtype=np.int64)
    left = np.concatenate([empty, *(edge.left.reshape(-1) for edge in edges)])
    right = np.concatenate([empty, *(edge.right.reshape(-1) for edge in edges)])
    number = np.repeat(np.arange(len(edges)), np.array([edge.left.size for edge in edges], dtype=np.int64))
    differ = left != right
    return Links(solution, left[differ], right[differ], number[differ], len(solution.propagation.edges))


def _carriers(propagation: Propagation) -> _Carriers:
    numbers: dict[int, int] = {}
    arrays: list[Atoms] = []
    holders: list[list[Carrier]] = []
    everything: list[tuple[Carrier, Channels]] = [*propagation.channels.items(), *propagation.implied.items()]
    for carrier, channels in everything:
        for array in channels.arrays:
            if id(array) not in numbers:
                numbers[id(array)] = len(arrays)
                arrays.append(array)
                holders.append([])
            holders[numbers[id(array)]].append(carrier)
    atoms = [np.unique(array) for array in arrays]
    flat = np.concatenate([np.zeros(0, dtype=np.int64), *atoms])
    owner = np.repeat(np.arange(len(atoms)), np.array([len(a) for a in atoms], dtype=np.int64))
    order = np.argsort(flat, kind="stable")
    start = np.searchsorted(flat[order], np.arange(propagation.atom_count + 1))
    return _Carriers(start, owner[order], tuple(tuple(h) for h in holders))


def input_factor(reason: Optional[Reason]) -> Optional[tuple[int, int]]:
    """The input slot and factor that a reason refers to, ``None`` where the rule itself is the reason."""
    return (reason.slot, reason.factor) if isinstance(reason, InputReason) else None
