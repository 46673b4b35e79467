"""Chains: paths of atoms told as nodes and rule lines."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Optional, Sequence

from prunec.channels.components import KEPT
from prunec.channels.layout import Reason, TensorResult
from prunec.channels.propagate import Cause, EdgeKind
from prunec.explaining.findings import Chain, Kept, Link, Step
from prunec.explaining.links import Carrier, Links, input_factor
from prunec.explaining.paths import Hop
from prunec.explaining.plain_reasons import plain_reason, table_reason
from prunec.graph import Tensor
from prunec.lowering.bound import BoundTensor
from prunec.support.diagnostics import Span


@dataclass
class Visit:
    """A node on the way: by which carriers the chain enters and leaves it, and the hops made there."""

    node: int
    entered: Optional[Carrier]
    left: Optional[Carrier]
    hops: list[Hop]


class ChainRenderer:
    """Puts paths of one solution into chains of steps."""

    def __init__(self, links: Links) -> None:
        self.links = links
        self.around: dict[int, dict[int, list[Carrier]]] = {}
        self.graph = links.solution.propagation.lowered.graph

    def last_link(self, chain: Chain, end: Carrier) -> Link:
        """Where a chain to a parameter is cut at its end: between its last two nodes, or, where there is but
        one, between the parameter and the node."""
        last = chain.steps[-1]
        taker, carrier = last.index, end
        if len(chain.steps) > 1 and last.carrier is not None:
            carrier = last.carrier
            if carrier not in self.graph.nodes[taker].inputs:
                taker = chain.steps[-2].index
        return Link(self.graph.nodes[taker].name, self.name(carrier), taker, carrier)

    def kept_atom(self, start: Carrier, source: int, hops: Sequence[Hop]) -> Kept:
        """Why an atom stays; ``hops`` lead from it to what is kept."""
        visits = self._visits(start, source, hops)
        last = hops[-1]
        edge = self.links.edges[last.edge]
        cause = self.links.solution.causes[edge.cause]
        chain = self.chain(visits, hops)
        if edge.kind in (EdgeKind.BALANCE, EdgeKind.ROWS):
            return self._kept_in_table(edge.kind, cause, chain)
        follow = input_factor(edge.reason)
        if follow is not None:
            taken = self.graph.nodes[edge.node].inputs[follow[0]]
            steps, final = self._factor(taken, follow[1], taken)
            return self._kept(final or cause, Chain((*chain.steps, *steps), chain.edges))
        return self._kept(cause, chain)

    def kept_factor(self, start: Carrier, factor: int) -> Kept:
        """Why a factor of a tensor that nothing shrinks stays."""
        channels = self.links.channels(start)
        assert channels is not None
        cause = self.links.solution.causes[channels.causes[factor]]
        steps, final = self._factor(start, factor)
        return self._kept(final or cause, Chain(tuple(steps)))

    # --- from hops to visits ---

    def _visits(self, start: Carrier, source: int, hops: Sequence[Hop]) -> list[Visit]:
        visits: list[Visit] = []
        at = self.starts(start)
        atom = source
        for hop in hops:
            node = self.links.edges[hop.edge].node
            self._extend(visits, atom, at, {node}, start)
            if visits and visits[-1].node == node:
                visits[-1].hops.append(hop)
            else:
                visits.append(Visit(node, None, None, [hop]))
            at, atom = {node}, hop.end
        return visits

    def starts(self, carrier: Carrier) -> set[int]:
        """Where a chain begins: at the node that makes a tensor, at any node that takes a parameter."""
        nodes = self.links.touching(carrier)
        made = isinstance(carrier, Tensor) and self.graph.nodes[carrier.node].operator is not None
        return set(nodes[:1] if made else nodes)

    def _extend(
        self, visits: list[Visit], atom: int, starts: set[int], goals: set[int], start: Carrier
    ) -> None:
        """Adds the nodes by which an atom gets from one of some nodes to one of others."""
        route = self._route(atom, starts, goals)
        for position, (node, entered) in enumerate(route):
            if position == 0 and visits and visits[-1].node == node:
                continue
            if visits:
                visits[-1].left = visits[-1].left or entered
            visits.append(Visit(node, entered if visits else start, None, []))

    def _route(self, atom: int, starts: set[int], goals: set[int]) -> list[tuple[int, Optional[Carrier]]]:
        """The shortest way through tensors that carry an atom; each node with the tensor that leads to it."""
        around = self._around(atom)
        came: dict[int, tuple[Optional[int], Optional[Carrier]]] = dict.fromkeys(sorted(starts), (None, None))
        queue = deque(sorted(starts))
        passed: set[Carrier] = set()
        while queue:
            node = queue.popleft()
            if node in goals:
                return _walk(came, node)
            for carrier in (c for c in around.get(node, ()) if c not in passed):
                passed.add(carrier)
                for other in self.links.touching(carrier):
                    if other not in came:
                        came[other] = (node, carrier)
                        queue.append(other)
        return []

    def _around(self, atom: int) -> dict[int, list[Carrier]]:
        """For each node the tensors of it that carry an atom."""
        if atom not in self.around:
            found = self.around[atom] = {}
            for carrier in self.links.carriers.of(atom) if atom != KEPT else ():
                for node in self.links.touching(carrier):
                    found.setdefault(node, []).append(carrier)
        return self.around[atom]

    # --- kept factors ---

    def _factor(
        self, carrier: Carrier, factor: int, through: Optional[Carrier] = None
    ) -> tuple[list[Step], Optional[Cause]]:
        """The nodes that hand a kept factor on, from a tensor back to where it is kept; the cause there."""
        steps: list[Step] = []
        seen: set[tuple[Carrier, int]] = set()
        while (carrier, factor) not in seen:
            seen.add((carrier, factor))
            node, result = self._maker(carrier)
            if node is None or result is None:
                return steps, self._cause(carrier, factor)
            reason: Optional[Reason] = result.reasons[factor]
            slot = self._slot(node, carrier)
            follow = input_factor(reason)
            if follow is None:
                cause = self._cause(carrier, factor)
                span = cause.span if cause is not None and cause.span is not None else None
                steps.append(self._step(node, span or (slot.span if slot else None), "keeps", through))
                return steps, cause
            steps.append(self._step(node, slot.span if slot else None, "carries", through))
            carrier, factor = self.graph.nodes[node].inputs[follow[0]], follow[1]
            through = carrier
        return steps, None

    def _maker(self, carrier: Carrier) -> tuple[Optional[int], Optional[TensorResult]]:
        """The node whose rule gave a tensor its layout, and what the rule said."""
        propagation = self.links.solution.propagation
        if not isinstance(carrier, Tensor):
            node = propagation.nodes[carrier[0]]
            bound = propagation.lowered.rules[carrier[0]]
            if node is None or bound is None:
                return None, None
            slots = [tensor.slot for tensor in bound.implied]
            return carrier[0], node.program.implied[slots.index(str(carrier[1]))]
        own = propagation.nodes[carrier.node]
        if own is not None:
            return carrier.node, own.program.outputs[carrier.output]
        for consumer in self.links.consumers.get(carrier, ()):
            node = propagation.nodes[consumer]
            for slot, result in node.program.parameter_layouts.items() if node is not None else ():
                if self.graph.nodes[consumer].inputs[slot] == carrier:
                    return consumer, result
        return None, None

    def _cause(self, carrier: Carrier, factor: int) -> Optional[Cause]:
        channels = self.links.channels(carrier)
        if channels is None or channels.causes[factor] < 0:
            return None
        return self.links.solution.causes[channels.causes[factor]]

    # --- from visits to steps ---

    def chain(self, visits: Sequence[Visit], hops: Sequence[Hop]) -> Chain:
        """The chain of some visits, each with the rule line that passes the channel on there."""
        steps = tuple(self._visited(visit) for visit in visits)
        return Chain(steps, tuple((hop.start, hop.end, hop.edge) for hop in hops))

    def _visited(self, visit: Visit) -> Step:
        for hop in visit.hops:
            edge = self.links.edges[hop.edge]
            cause = self.links.solution.causes[edge.cause]
            # A keep handed on from an input is told where it comes from, not here.
            inherited = input_factor(edge.reason) is not None
            if cause.span is not None and cause.node == visit.node and not inherited:
                span = self._narrowed(visit.node, cause.span)
                return self._step(visit.node, span, _ROLES[edge.kind], visit.entered)
        slot = self._slot(visit.node, visit.entered) or self._slot(visit.node, visit.left)
        role = _ROLES[self.links.edges[visit.hops[0].edge].kind] if visit.hops else "carries"
        return self._step(visit.node, slot.span if slot else None, role, visit.entered)

    def _narrowed(self, node: int, span: Span) -> Span:
        """The signature of a rule instead of all of it."""
        bound = self.links.solution.propagation.lowered.rules[node]
        if bound is not None and span == bound.header.span:
            return bound.header.signature_span
        return span

    def _slot(self, node: int, carrier: Optional[Carrier]) -> Optional[BoundTensor]:
        bound = self.links.solution.propagation.lowered.rules[node]
        if bound is None or carrier is None:
            return None
        if not isinstance(carrier, Tensor):
            return next((t for t in bound.implied if t.slot == carrier[1]), None)
        if carrier.node == node:
            return bound.outputs[carrier.output] if carrier.output < len(bound.outputs) else None
        pairs = zip(self.graph.nodes[node].inputs, bound.inputs)
        return next((slot for tensor, slot in pairs if tensor == carrier), None)

    def _step(self, index: int, span: Optional[Span], role: str, through: Optional[Carrier]) -> Step:
        node = self.graph.nodes[index]
        bound = self.links.solution.propagation.lowered.rules[index]
        span = span or (bound.header.operator_span if bound is not None else None)
        if span is None:
            return Step(node.name, node.operator or "", "", "", "", role, self.name(through), index, through)
        rule = bound.header.label if bound is not None else node.operator or ""
        own = (node.name, node.operator or "", rule, span.place, excerpt(span), role)
        return Step(*own, self.name(through), index, through)

    def _kept(self, cause: Cause, chain: Chain) -> Kept:
        node = self.graph.nodes[cause.node]
        place = cause.span.place if cause.span is not None else ""
        reason, advice = plain_reason(cause, self.links.solution.propagation.lowered)
        return Kept(cause.kind, reason, node.name, node.operator or "", place, chain, advice)

    def _kept_in_table(self, kind: EdgeKind, cause: Cause, chain: Chain) -> Kept:
        node = self.graph.nodes[cause.node]
        place = cause.span.place if cause.span is not None else ""
        solution = self.links.solution
        tables = [rows.table for rows in solution.propagation.rows if solution.causes[rows.cause] == cause]
        live = all((solution.units(table) >= 0).all() for table in tables)
        reason, advice = table_reason(kind, live, node.name)
        return Kept("table", cause.text or reason, node.name, node.operator or "", place, chain, advice)

    def name(self, carrier: Optional[Carrier]) -> str:
        """What a tensor is called: its variable, or its node and output."""
        if carrier is None:
            return ""
        if not isinstance(carrier, Tensor):
            return f"{self.graph.nodes[carrier[0]].name}_{carrier[1]}"
        node = self.graph.nodes[carrier.node]
        return node.name if carrier.output == 0 else f"{node.name}[{carrier.output}]"


_ROLES = {
    EdgeKind.TIE: "ties",
    EdgeKind.KEEP: "keeps",
    EdgeKind.INTERFACE: "carries",
    EdgeKind.BALANCE: "balances",
    EdgeKind.ROWS: "rows",
}


def excerpt(span: Span, limit: int = 70) -> str:
    """The first line under a span, shortened."""
    text = " ".join(span.text.strip().split("\n", 1)[0].split())
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _walk(
    came: dict[int, tuple[Optional[int], Optional[Carrier]]], node: int
) -> list[tuple[int, Optional[Carrier]]]:
    route: list[tuple[int, Optional[Carrier]]] = []
    at: Optional[int] = node
    while at is not None:
        before, carrier = came[at]
        route.append((at, carrier))
        at = before
    return route[::-1]
