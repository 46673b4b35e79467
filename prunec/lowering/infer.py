"""Binding a whole graph: every node gets its rule, every tensor its shape as far as it can be known.

Nodes are visited in order; a node whose binding tells something new of an earlier tensor sends the
nodes around that tensor back to the queue, so sizes flow both ways until nothing changes.
"""

from __future__ import annotations

import heapq
from typing import Mapping, Optional, Protocol, Sequence

from prunec.graph import Graph, Known, Node, Tensor, as_value, same, shape_text
from prunec.language.syntax import Rule
from prunec.lowering.bind import bind
from prunec.lowering.bound import Bound
from prunec.lowering.choosing import Chooser
from prunec.lowering.guards import holds
from prunec.lowering.lower import is_discontinuous, lower
from prunec.lowering.lowered import LoweredGraph, LoweredRule, Opaque
from prunec.lowering.open_values import key_of
from prunec.lowering.reasons import ReasonKind, RuleReason
from prunec.lowering.slots import Contradiction, NothingLeft, assign_slots
from prunec.lowering.values import folded, size_arrays, size_lengths, sizes_used, value_inputs_of
from prunec.sizes import OpenShape, OpenSize
from prunec.support.diagnostics import Annotation, Diagnostic, PrunecError
from prunec.value import Value

_MOST_PASSES = 20


#: Inputs of a node that a message shows; a joining of many pieces, or what a body takes, has hundreds.
_MOST_INPUTS = 8


class Rules(Protocol):
    """What binding asks of a set of rules."""

    def rules_for(self, operator: str) -> tuple[Rule, ...]:
        """The rules that name an operator, in file order."""


def describe(graph: Graph, index: int, shapes: Mapping[Tensor, OpenShape]) -> str:
    """A node as messages name it: name, operator and the shapes of its first inputs."""
    node = graph.nodes[index]
    shown = node.inputs[:_MOST_INPUTS]
    inputs = ", ".join(f"{graph.nodes[t.node].name} {shape_text(shapes.get(t))}" for t in shown)
    more = len(node.inputs) - len(shown)
    inputs += f" and {more} more" if more else ""
    return f"node {node.name!r} ({node.operator}) with inputs {inputs or 'none'}"


def lower_graph(graph: Graph, rules: Rules) -> LoweredGraph:
    """Binds every node of a graph, and lowers the rules to them.

    Raises :class:`PrunecError` with all contradictions between the model and the rules, and all
    nodes that several rules claim.
    """
    return _Inference(graph, rules).run()


class _Inference:
    def __init__(self, graph: Graph, rules: Rules) -> None:
        self.graph = graph
        self.rules = rules
        self.shapes: dict[Tensor, OpenShape] = {Tensor(n, 0): s for n, s in graph.shapes.items()}
        self.bounds: list[Optional[Bound]] = [None] * len(graph.nodes)
        self.opaque: dict[int, Opaque] = {}
        self.problems: dict[int, Diagnostic] = {}
        self.cache: dict[object, Bound] = {}
        self.chooser = Chooser()
        self.variants: dict[object, Optional[Rule]] = {}
        self.chosen: dict[object, tuple[Rule, ...]] = {}
        self.known: dict[Tensor, Known] = dict(graph.known)
        self.output_counts = [max(1, node.output_count) for node in graph.nodes]
        self.consumers: dict[Tensor, list[int]] = {}
        for index, node in enumerate(graph.nodes):
            for tensor in node.inputs:
                self.consumers.setdefault(tensor, []).append(index)
        for tensor in [*self.consumers, *graph.outputs]:
            self.output_counts[tensor.node] = max(self.output_counts[tensor.node], tensor.output + 1)

    def run(self) -> LoweredGraph:
        queue = [i for i, node in enumerate(self.graph.nodes) if node.operator is not None]
        queued = set(queue)
        visits = 0
        while queue and visits < _MOST_PASSES * len(self.graph.nodes):
            index = heapq.heappop(queue)
            queued.discard(index)
            visits += 1
            for other in self._visit(index):
                if other not in queued:
                    queued.add(other)
                    heapq.heappush(queue, other)
        if self.problems:
            raise PrunecError(*(self.problems[i] for i in sorted(self.problems)))
        used, held = sizes_used(self.graph, self.bounds, self.opaque, self.known, self.shapes)
        return LoweredGraph(self.graph, self._lowered(used), self.opaque, self.shapes, self.known, held)

    def _lowered(self, used: Mapping[int, frozenset[str]]) -> tuple[Optional[LoweredRule], ...]:
        """The rule of each node; nodes that look alike share theirs.  ``used``: axes whose sizes the model
        computes with, by node."""
        shared: dict[object, LoweredRule] = {}
        rules: list[Optional[LoweredRule]] = []
        for index, bound in enumerate(self.bounds):
            if bound is None:
                rules.append(None)
                continue
            names = used.get(index, frozenset())
            value_inputs = value_inputs_of(bound.rule, self.graph.nodes[index])
            key = (id(bound), names, value_inputs)
            if key not in shared:
                reason = RuleReason(ReasonKind.SIZE_USED, bound.rule.span)
                shared[key] = lower(bound, value_inputs, dict.fromkeys(sorted(names), reason))
            rules.append(shared[key])
        return tuple(rules)

    def _visit(self, index: int) -> list[int]:
        """Binds one node; gives the nodes that should be visited again."""
        node = self.graph.nodes[index]
        inputs = tuple(self.shapes.get(tensor) for tensor in node.inputs)
        self.problems.pop(index, None)
        try:
            rule = self._choose(index, node, inputs)
            if rule is None or rule.opaque is not None or self._lacks_value(index, rule, node):
                return self._take_hints(index)
            outputs = tuple(self.shapes.get(Tensor(index, k)) for k in range(self.output_counts[index]))
            attributes = attributes_of(rule, node, self.known)
            if not self.chooser.is_plain(rule):
                chosen = self._variant(rule, attributes, node, inputs)
                if chosen is None:
                    self.opaque[index] = _no_rule(node, rule)
                    return self._take_hints(index)
                rule = chosen
            bound = self._bind(rule, attributes, node, inputs, outputs, self.output_counts[index])
        except Contradiction as error:
            self.problems[index] = self._contradiction(index, error)
            return []
        self.bounds[index] = bound
        again: list[int] = []
        for tensor, slot in zip(node.inputs, bound.inputs):
            if slot.determines_shape and self._refine(tensor, bound.open_shape(slot)):
                again += [other for other in self.consumers[tensor] if other != index]
                if self.graph.nodes[tensor.node].operator is not None:
                    again.append(tensor.node)
        for k, slot in enumerate(bound.outputs):
            tensor = Tensor(index, k)
            if self._refine(tensor, bound.open_shape(slot)):
                again += self.consumers.get(tensor, [])
        return again + self._learn_values(index, bound)

    def _take_hints(self, index: int) -> list[int]:
        """Behind a node of which nothing is known, shapes are what the graph says they are."""
        again: list[int] = []
        for k in range(self.output_counts[index]):
            tensor = Tensor(index, k)
            if self._refine(tensor, self.graph.hints.get(tensor)):
                again += self.consumers.get(tensor, [])
        return again

    def _lacks_value(self, index: int, rule: Rule, node: Node) -> bool:
        for name, position in value_inputs_of(rule, node):
            if node.inputs[position] not in self.known:
                text = f"what its input {name} holds is known only when the model runs"
                self.opaque[index] = Opaque("unknown value", text, rule.span, is_discontinuous(rule))
                return True
        return False

    def _learn_values(self, index: int, bound: Bound) -> list[int]:
        """Computes what the outputs hold where that is possible; gives the nodes that take them."""
        found = size_arrays(bound, bound.sizes)
        if not found:
            shapes = [self.shapes.get(Tensor(index, k)) for k in range(len(bound.outputs))]
            found = dict(enumerate(folded(self.graph, index, self.known, shapes) or ()))
        again: list[int] = []
        for k, length in size_lengths(bound).items():
            # However many of the sizes are open, their list is as long.
            if self._refine(Tensor(index, k), (length,)):
                again += self.consumers.get(Tensor(index, k), [])
        for k, array in found.items():
            tensor = Tensor(index, k)
            old = self.known.get(tensor)
            if old is None or not same(old, array):
                self.known[tensor] = array
                self._refine(tensor, array.shape)
                again += self.consumers.get(tensor, [])
        return again

    def _refine(self, tensor: Tensor, shape: Optional[OpenShape]) -> bool:
        """Takes what is new; a tensor's shape is never contradicted here, that is bind's to say."""
        if shape is None:
            return False
        known = self.shapes.get(tensor)
        if known is None:
            self.shapes[tensor] = shape
            return True
        if known == shape or len(known) != len(shape):
            return False
        # A number says more than a size that is open, and that more than nothing.
        merged = tuple(
            new if old is None or (isinstance(old, OpenSize) and isinstance(new, int)) else old
            for old, new in zip(known, shape)
        )
        self.shapes[tensor] = merged
        return merged != known

    def _bind(
        self,
        rule: Rule,
        attributes: Mapping[str, Value],
        node: Node,
        inputs: tuple[Optional[OpenShape], ...],
        outputs: tuple[Optional[OpenShape], ...],
        count: int,
    ) -> Bound:
        key = (id(rule), tuple(attributes.items()), inputs, outputs, count, node.connected)
        bound = self.cache.get(key)
        if bound is None:
            bound = self.cache[key] = bind(rule, attributes, inputs, outputs, count, node.connected)
        return bound

    # --- choosing the rule ---

    def _variant(
        self,
        rule: Rule,
        attributes: Mapping[str, Value],
        node: Node,
        inputs: tuple[Optional[OpenShape], ...],
    ) -> Optional[Rule]:
        """The rule without conditions, as :meth:`Chooser.choose` gives it; the same for nodes that look
        alike."""
        key = (id(rule), tuple(attributes.items()), inputs, node.connected)
        if key not in self.variants:
            self.variants[key] = self.chooser.choose(rule, attributes, _slot_shapes(rule, node, inputs))
        return self.variants[key]

    def _choose(self, index: int, node: Node, inputs: tuple[Optional[OpenShape], ...]) -> Optional[Rule]:
        assert node.operator is not None
        candidates = self.rules.rules_for(node.operator)
        if not candidates:
            self.opaque[index] = Opaque("unknown operator", f"no rule knows the operator {node.operator}")
            return None
        values = [key_of(self.known[t]) if t in self.known else None for t in node.inputs]
        key = (node.operator, tuple(node.attributes.items()), inputs, node.connected, *values)
        matching = self.chosen.get(key)
        if matching is None:
            matching = self.chosen[key] = tuple(
                rule for rule in candidates if guard_holds(rule, node, inputs, self.known) is True
            )
        matching = most_special(matching)
        if len(matching) > 1:
            self.problems[index] = self._ambiguous(index, matching)
            return None
        if not matching:
            self.opaque[index] = _no_rule(node, candidates[0])
            return None
        self.opaque.pop(index, None)
        if matching[0].opaque is not None:
            self.opaque[index] = Opaque("rule", matching[0].opaque.text, matching[0].span)
        return matching[0]

    # --- messages ---

    def _ambiguous(self, index: int, matching: Sequence[Rule]) -> Diagnostic:
        return Diagnostic(
            "P405",
            f"{len(matching)} rules hold for one node",
            where=describe(self.graph, index, self.shapes),
            annotations=tuple(Annotation(rule.operators[0].span, rule.label) for rule in matching),
            help="narrow one rule's guard, or let it say `specialises` and the other's label",
        )

    def _contradiction(self, index: int, error: Contradiction) -> Diagnostic:
        where = describe(self.graph, index, self.shapes)
        part = (Annotation(error.span, "this part of the rule"),)
        notes = tuple(error.notes)
        if isinstance(error, NothingLeft):
            help_text = "give a larger input with --input; if the model runs as it is, the rule is wrong"
            return Diagnostic("P416", error.headline, where, part, notes, help_text)
        help_text = (
            "if the model runs as it is, the rule, or a shape given with --input or --params, is wrong"
        )
        return Diagnostic("P404", error.headline, where, part, notes, help_text)


def attributes_of(rule: Rule, node: Node, known: Mapping[Tensor, Known] = {}) -> dict[str, Value]:
    """The attributes a rule reads: what inputs carry, the node's own, else the defaults of the header."""
    values: dict[str, Value] = {}
    for attribute in rule.attributes:
        if attribute.name in node.attributes:
            values[attribute.name] = node.attributes[attribute.name]
        else:
            values[attribute.name] = attribute.default.value if attribute.default is not None else None
    for name, position in value_inputs_of(rule, node):
        value = known.get(node.inputs[position])
        if value is not None:
            values[name] = as_value(value)
    return values


def guard_holds(
    rule: Rule,
    node: Node,
    inputs: Sequence[Optional[OpenShape]],
    known: Mapping[Tensor, Known] = {},
) -> Optional[bool]:
    """Whether a rule's guard holds for a node; a rule that the inputs do not fit does not hold."""
    if rule.when is None:
        return True
    try:
        slots = _slot_shapes(rule, node, inputs)
    except Contradiction:
        return False
    return holds(rule.when, attributes_of(rule, node, known), slots)


def _no_rule(node: Node, rule: Rule) -> Opaque:
    """No rule holds for a node, or which one does is not known."""
    text = f"no rule of {node.operator} holds for these attributes and shapes"
    return Opaque("no matching rule", text, rule.span)


def _slot_shapes(
    rule: Rule, node: Node, inputs: Sequence[Optional[OpenShape]]
) -> dict[str, list[Optional[OpenShape]]]:
    """The shapes of the tensors in each slot that is connected."""
    slots: dict[str, list[Optional[OpenShape]]] = {}
    if rule.opaque is None:
        filled = assign_slots(rule, len(inputs), node.connected)
        for (tensor, _), shape in zip(filled.inputs, inputs):
            slots.setdefault(tensor.name, []).append(shape)
    return slots


def most_special(matching: Sequence[Rule]) -> tuple[Rule, ...]:
    """The rules that no other of them specialises."""
    named = {name.name for rule in matching for name in rule.specialises}
    if not named:
        return tuple(matching)
    return tuple(
        rule
        for rule in matching
        if not any(other is not rule and _specialises(other, rule) for other in matching)
    )


def _specialises(rule: Rule, other: Rule) -> bool:
    names = {name.name for name in rule.specialises}
    return other.label in names or any(operator.name in names for operator in other.operators)
