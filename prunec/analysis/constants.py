"""Whether it may free channels to compute first what follows from parameters alone."""

from __future__ import annotations

from typing import Optional

from prunec.graph import Node, Tensor
from prunec.lowering.bound import BoundTensor, names_of, term_size
from prunec.lowering.lowered import LoweredGraph, LoweredRule
from prunec.lowering.reasons import ReasonKind


def may_free_channels(bound: LoweredGraph) -> bool:
    """Whether a node that computes with parameters alone keeps channels or combines them, or couples what
    takes its result: several nodes, or one that splits an axis of it."""
    graph = bound.graph
    constant = set(graph.parameters)
    takers: dict[Tensor, int] = {}
    for index, node in enumerate(graph.nodes):
        if node.operator is None:
            continue
        rule = None if index in bound.opaque else bound.rules[index]
        if node.inputs and all(tensor.node in constant for tensor in node.inputs):
            constant.add(index)
            if any(tensor not in bound.known for tensor in node.inputs) and _hinders(rule, node):
                return True
            continue
        for position, tensor in enumerate(node.inputs):
            if tensor.node in constant and tensor.node not in graph.parameters:
                takers[tensor] = takers.get(tensor, 0) + 1
                if takers[tensor] > 1 and tensor not in bound.known:
                    return True
                if rule is not None and _splits(rule.inputs[position], rule):
                    return True
    return False


def _hinders(rule: Optional[LoweredRule], node: Node) -> bool:
    """Whether a node combines channels so that what stays changes, or its rule says that it keeps some."""
    if rule is None or rule.open or any(mixing.unless is None for mixing in rule.mixed.values()):
        return True
    carriers = {position for _, position in rule.value_inputs}
    names = {
        name
        for position, slot in enumerate(rule.inputs)
        if position not in carriers
        for axis in slot.axes or ()
        for name in names_of(axis)
    }
    return any(
        reason.kind is ReasonKind.STATED and name in names and rule.sizes.get(name) != 1
        for name, reason in rule.kept.items()
    )


def _splits(slot: BoundTensor, rule: LoweredRule) -> bool:
    """Whether an axis of a slot is made of several."""
    return any(
        sum(term_size(term, rule.sizes) != 1 for term in axis) > 1
        for axis in slot.axes or ()
        if len(axis) > 1
    )
