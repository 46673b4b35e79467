"""Which constants of a model are learned.

Files hold numbers of many kinds side by side: weights, but also lists of sizes, tables of positions, masks
and bounds.  What is learned is told apart here and nowhere else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Mapping, Optional

import numpy as np
from numpy.typing import NDArray

from prunec.graph import Tensor
from prunec.lowering.lowered import LoweredGraph, LoweredRule

if TYPE_CHECKING:
    from prunec.model import Model

_NONE: frozenset[int] = frozenset()
#: How many elements are looked at together.
_PIECE = 1 << 20


@dataclass(frozen=True)
class Learned:
    """``variables`` are the nodes that hold learned numbers; ``behind`` says of each node that computes from
    constants alone which of these it computes from, the variables themselves included."""

    variables: frozenset[int]
    behind: Mapping[int, frozenset[int]]

    def of(self, tensor: Tensor) -> frozenset[int]:
        """The learned variables that a tensor is made of, if it is made of constants alone."""
        return self.behind.get(tensor.node, _NONE)

    def slots(self, bound: LoweredRule, node_inputs: tuple[Tensor, ...]) -> frozenset[str]:
        """The slots of a node that hold what was learned: those its rule gives to parameters, and others that
        are fed with nothing else, as either side of a product may be."""
        fed = {slot.slot for tensor, slot in zip(node_inputs, bound.inputs) if self.of(tensor)}
        return frozenset(bound.parameter_slots) | fed


def learned(model: Model, bound: LoweredGraph) -> Learned:
    """What is learned in a model: numbers with a floating point, or small integers that stand for such, that

    * a rule takes as parameters, or a node takes that multiplies and adds, as they are or computed from
      constants alone; or
    * any other node combines with its data, if they have a floating point or no rule reads that node, unless
      they are a single number, hold infinity, or hold two values only: such are bounds, masks and fillings.
    """
    graph = model.graph
    constants = set(graph.parameters) | _in_slots(model, bound)
    sources: dict[int, frozenset[int]] = {index: frozenset((index,)) for index in constants}
    weights: set[int] = set()
    others: set[int] = set()
    unread: set[int] = set()
    for index, node in enumerate(graph.nodes):
        if node.operator is None:
            continue
        rule = bound.rules[index]
        if node.inputs and all(tensor.node in sources for tensor in node.inputs):
            sources[index] = frozenset().union(*(sources[tensor.node] for tensor in node.inputs))
            if rule is None or not rule.parameter_slots:
                continue
        for position, tensor in enumerate(node.inputs):
            own = sources.get(tensor.node, _NONE)
            slot = rule.inputs[position] if rule is not None and position < len(rule.inputs) else None
            if rule is not None and slot is not None and (slot.slot in rule.parameter_slots or rule.costly):
                weights |= own
            elif rule is None or slot is None:
                unread |= own
            elif slot.axes:
                others |= own
    found = {index for index in weights if _is_floating(model, index) or _is_quantised(model, index)}
    found |= {index for index in unread - found if _is_quantised(model, index) and _varies(model, index)}
    rest = (others | unread) - found
    found |= {index for index in rest if _is_floating(model, index) and _varies(model, index)}
    behind = {index: frozenset(own & found) for index, own in sources.items() if own & found}
    return Learned(frozenset(found), behind)


def is_floating(dtype: np.dtype[Any]) -> bool:
    """Whether elements of a type have a floating point; those of other packages have no kind of their own."""
    return dtype.kind == "f" or dtype.name.startswith(("float", "bfloat"))


def _in_slots(model: Model, bound: LoweredGraph) -> set[int]:
    """The variables in parameter slots of rules, for models that come without their parameters."""
    graph = model.graph
    if model.parameter_shapes is not None:
        return set()
    return {
        tensor.node
        for node, rule in zip(graph.nodes, bound.rules)
        for tensor, slot in zip(node.inputs, rule.inputs if rule is not None else ())
        if rule is not None
        and slot.slot in rule.parameter_slots
        and graph.nodes[tensor.node].operator is None
        and graph.nodes[tensor.node].name not in model.input_shapes
    }


def _array(model: Model, index: int) -> Optional[NDArray[Any]]:
    name = model.graph.nodes[index].name
    shapes = model.parameter_shapes
    return model.parameter(name) if shapes is not None and name in shapes else None


def _is_floating(model: Model, index: int) -> bool:
    array = _array(model, index)
    return array is None or is_floating(array.dtype)


def _is_quantised(model: Model, index: int) -> bool:
    """Whether a constant holds integers of so few bits that they stand for weights and not for sizes."""
    array = _array(model, index)
    return array is not None and array.dtype.itemsize == 1 and array.dtype.kind != "b"


def _varies(model: Model, index: int) -> bool:
    array = _array(model, index)
    if array is None:
        return True
    flat = array.reshape(-1)
    # Piece by piece, as tables of words can be larger than what fits in memory twice.
    seen: set[float] = set()
    for start in range(0, flat.size, _PIECE):
        piece = flat[start : start + _PIECE]
        if np.isinf(piece).any():
            return False
        if len(seen) < 3:
            seen.update(np.unique(piece)[:3].tolist())
    return len(seen) > 2
