"""The ways by which two places are tied.

A way goes from node to node through the elements of tensors.  A *link* is a node with a tensor it takes.
The first way is a shortest one; further ways are looked for without the last links of those known, until
there is none.  So these last links together are what has to be cut, and each of them is needed.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Callable, Iterable, Iterator, Optional

import numpy as np

from prunec.channels.propagate import EdgeKind
from prunec.explaining.chains import ChainRenderer, Visit
from prunec.explaining.findings import Chain, Link
from prunec.explaining.inside import Inside
from prunec.explaining.links import Carrier, Links
from prunec.explaining.paths import Hop, anchored

#: More ways than this between two places are not looked for: a network that applies one layer a thousand
#: times has as many.
MAXIMUM_WAYS = 100

#: An element of a tensor: the tensor, which of its atom arrays, and the position in it, flat.
Element = tuple[Carrier, int, int]
#: A node at which an element arrives, and the class of elements there that the node makes one.
_At = tuple[int, int]
_Cut = set[tuple[Carrier, int]]


@dataclass
class _Local:
    """The part of a node in a unit: its number for each element, the elements of each number, the hops from
    number to number, and the class of each number."""

    number: dict[Element, int] = field(default_factory=dict)
    elements: dict[int, list[Element]] = field(default_factory=dict)
    hops: dict[int, list[tuple[int, Hop]]] = field(default_factory=dict)
    label: dict[int, int] = field(default_factory=dict)
    members: dict[int, list[int]] = field(default_factory=dict)


class Ways:
    """Ways among the elements of one unit; ``inside`` tells what a node does."""

    def __init__(
        self, links: Links, unit: int, renderer: ChainRenderer, inside: Callable[[int], Inside]
    ) -> None:
        self.unit_of_atom = links.solution.unit_of_atom
        self.links = links
        self.unit = unit
        self.renderer = renderer
        atoms = np.flatnonzero(self.unit_of_atom == unit).tolist()
        #: The tensors that the unit stands on.
        self.carriers = {carrier for atom in atoms for carrier in links.carriers.of(atom)}
        nodes = sorted({node for carrier in self.carriers for node in links.touching(carrier)})
        insides = {node: inside(node) for node in nodes}
        self.locals = {node: self._local(insides[node]) for node in nodes}
        self.around: dict[_At, list[tuple[_At, Element]]] = {}
        self._join_tables(insides)
        for local in self.locals.values():
            _label(local)

    def between(
        self, start: Carrier, sources: Iterable[Element], end: Carrier, targets: Iterable[Element]
    ) -> tuple[tuple[Chain, ...], tuple[Link, ...]]:
        """The chains from one of some elements of a tensor to one of some elements of a parameter, and the
        last link of each."""
        first = {
            at: element for node in self.renderer.starts(start) for at, element in self._at(node, sources)
        }
        last = {at: element for node in self.links.touching(end) for at, element in self._at(node, targets)}
        chains: list[Chain] = []
        links: list[Link] = []
        while len(links) < MAXIMUM_WAYS:
            cut = {(link.carrier, link.taker) for link in links}
            begin = [at for at in last if (end, at[0]) not in cut]
            way = self._search(begin, first, cut)
            if way is None:
                break
            visits = list(self._visits(way, first[way[0][0]], last[way[-1][0]]))
            visits[0].entered, visits[-1].left = start, end
            chains.append(self.renderer.chain(visits, [hop for visit in visits for hop in visit.hops]))
            links.append(self.renderer.last_link(chains[-1], end))
        return tuple(chains), tuple(links)

    # --- what nodes do ---

    def _local(self, inside: Inside) -> _Local:
        local = _Local()
        for port in inside.ports:
            for position in np.flatnonzero(self.unit_of_atom[port.atoms] == self.unit).tolist():
                element, number = (port.carrier, port.array, position), int(port.numbers[position])
                local.number.setdefault(element, number)
                local.elements.setdefault(number, []).append(element)
        for joint in inside.joints:
            edge = self.links.solution.edges[joint.edge]
            left, right = edge.left.reshape(-1), edge.right.reshape(-1)
            for p in np.flatnonzero(self.unit_of_atom[left] == self.unit).tolist():
                hop = Hop(int(left[p]), int(right[p]), joint.edge)
                _join(local, int(joint.left[p]), int(joint.right[p]), hop)
        return local

    def _join_tables(self, insides: dict[int, Inside]) -> None:
        """Joins what the solver, or a policy, made one: atoms of the tables of a node."""
        own = self.links.within(self.unit)
        for edge in np.unique(own.edge).tolist():
            joined = self.links.edges[edge]
            if joined.kind is EdgeKind.TIE or joined.node not in self.locals:
                continue
            labels = own.before(edge).labels() if edge >= own.rule_edge_count else None
            rows = own.edge == edge
            for left, right in zip(own.left[rows].tolist(), own.right[rows].tolist()):
                hop = Hop(left, right, edge)
                if labels is not None:
                    hop = anchored(own, labels, hop)
                for a in _numbers(insides[joined.node], hop.start):
                    for b in _numbers(insides[joined.node], hop.end):
                        _join(self.locals[joined.node], a, b, hop)

    # --- searching ---

    def _at(self, node: int, elements: Iterable[Element]) -> Iterator[tuple[_At, int]]:
        """Where elements stand at a node: the class, and the number there."""
        local = self.locals[node]
        for number in (local.number[element] for element in elements if element in local.number):
            yield (node, local.label[number]), number

    def _search(
        self, begin: Iterable[_At], goals: dict[_At, int], cut: _Cut
    ) -> Optional[list[tuple[_At, Optional[Element]]]]:
        """The shortest way from a goal to the begin of the search, each place with the element that leads to
        the next."""
        came: dict[_At, Optional[tuple[_At, Element]]] = dict.fromkeys(begin)
        queue = deque(came)
        while queue:
            at = queue.popleft()
            if at in goals:
                return _walk(came, at)
            for beyond, element in self._beyond(at, cut):
                if beyond not in came:
                    came[beyond] = (at, element)
                    queue.append(beyond)
        return None

    def _beyond(self, at: _At, cut: _Cut) -> Iterator[tuple[_At, Element]]:
        for beyond, element in self._around(at):
            if not cut or ((element[0], at[0]) not in cut and (element[0], beyond[0]) not in cut):
                yield beyond, element

    def _around(self, at: _At) -> list[tuple[_At, Element]]:
        """Where a place leads to, by which elements; of the elements of one tensor, one."""
        known = self.around.get(at)
        if known is None:
            local = self.locals[at[0]]
            found: dict[tuple[_At, Carrier], Element] = {}
            for element in (e for number in local.members[at[1]] for e in local.elements.get(number, ())):
                for node in self.links.touching(element[0]):
                    number = self.locals[node].number.get(element) if node != at[0] else None
                    if number is not None:
                        found.setdefault(((node, self.locals[node].label[number]), element[0]), element)
            known = self.around[at] = [(beyond, element) for (beyond, _), element in found.items()]
        return known

    # --- telling ---

    def _visits(self, way: list[tuple[_At, Optional[Element]]], source: int, target: int) -> Iterator[Visit]:
        """The nodes of a way with the hops made inside them."""
        entered: Optional[Element] = None
        for (node, _), left in way:
            local = self.locals[node]
            start = source if entered is None else local.number[entered]
            stop = target if left is None else local.number[left]
            hops = _hops(local, start, stop)
            yield Visit(node, entered[0] if entered else None, left[0] if left else None, hops)
            entered = left


def _join(local: _Local, left: int, right: int, hop: Hop) -> None:
    local.hops.setdefault(left, []).append((right, hop))
    local.hops.setdefault(right, []).append((left, Hop(hop.end, hop.start, hop.edge)))


def _numbers(inside: Inside, atom: int) -> list[int]:
    """A node's numbers for an atom: on its tables, else on its tensors."""
    tables = [numbers[atoms == atom] for atoms, numbers in inside.tables]
    ports = [port.numbers[port.atoms == atom] for port in inside.ports]
    for found in (tables, ports):
        numbers: list[int] = np.unique(np.concatenate([np.zeros(0, np.int64), *found])).tolist()
        if numbers:
            return numbers
    return []


def _label(local: _Local) -> None:
    """Gives every number of a node the class of numbers it is joined to."""
    for first in (*local.elements, *local.hops):
        if first in local.label:
            continue
        local.label[first] = first
        members = local.members[first] = [first]
        for number in members:
            for other, _ in local.hops.get(number, ()):
                if other not in local.label:
                    local.label[other] = first
                    members.append(other)


def _walk(came: dict[_At, Optional[tuple[_At, Element]]], at: _At) -> list[tuple[_At, Optional[Element]]]:
    way: list[tuple[_At, Optional[Element]]] = []
    while True:
        step = came[at]
        if step is None:
            return [*way, (at, None)]
        way.append((at, step[1]))
        at = step[0]


def _hops(local: _Local, start: int, stop: int) -> list[Hop]:
    """The fewest hops from one number of a node to another of its class."""
    came: dict[int, Optional[tuple[int, Hop]]] = {start: None}
    queue = deque([start])
    while stop not in came:
        number = queue.popleft()
        for other, hop in local.hops.get(number, ()):
            if other not in came:
                came[other] = (number, hop)
                queue.append(other)
    hops: list[Hop] = []
    step = came[stop]
    while step is not None:
        hops.append(step[1])
        step = came[step[0]]
    return hops[::-1]
