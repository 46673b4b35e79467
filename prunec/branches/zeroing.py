"""Which parameters make a whole tensor zero, as far as rules say so: one pass over the nodes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Container, Mapping, Optional

from prunec.graph import Tensor
from prunec.lowering.bound import BoundTensor, names_of
from prunec.lowering.lowered import LoweredGraph, LoweredRule


@dataclass(frozen=True, eq=False)
class Zeroing:
    """Variables that make a tensor zero everywhere when all their elements are zero, and those that other
    tensors need which have to be zero as well: shared, so that a chain costs no more than its length."""

    variables: tuple[int, ...]
    further: tuple[Zeroing, ...] = ()

    def all_variables(self) -> tuple[int, ...]:
        """All of them, in ascending order."""
        found: set[int] = set()
        seen: set[int] = set()
        waiting = [self]
        while waiting:
            own = waiting.pop()
            if id(own) not in seen:
                seen.add(id(own))
                found.update(own.variables)
                waiting += own.further
        return tuple(sorted(found))


def zeroings(
    lowered: LoweredGraph, learned: Container[int], inputs: Container[int]
) -> Mapping[Tensor, Zeroing]:
    """For each tensor that can be made zero, the nearest parameters that do it.

    ``learned`` are the variables that may be masked wherever they stand, ``inputs`` those that may not even
    in the slots of parameters.
    """
    found: dict[Tensor, Zeroing] = {}
    constants = frozenset(
        index
        for index, node in enumerate(lowered.graph.nodes)
        if node.operator is None and index not in inputs
    )
    for index, node in enumerate(lowered.graph.nodes):
        rule = lowered.rules[index]
        if node.operator is None:
            if index in learned:
                found[Tensor(index, 0)] = Zeroing((index,))
            continue
        if rule is None or index in lowered.opaque or rule.open or rule.implied:
            continue
        for place, output in enumerate(rule.outputs):
            zeroing = _zeroing(rule, output, node.inputs, found, constants)
            if zeroing is not None:
                found[Tensor(index, place)] = zeroing
    return found


def _zeroing(
    rule: LoweredRule,
    output: BoundTensor,
    inputs: tuple[Tensor, ...],
    found: Mapping[Tensor, Zeroing],
    constants: Container[int],
) -> Optional[Zeroing]:
    claims = [claim for claim in rule.zeros if claim.slot == output.slot]
    if not claims:
        return None
    slots = list(zip(rule.inputs, inputs))
    masked = [(slot, tensor) for slot, tensor in slots if slot.slot in rule.parameter_slots]
    masked = [(slot, tensor) for slot, tensor in masked if not rule.neutral.get(slot.slot)]
    computed = [
        tensor for slot, tensor in slots if rule.neutral.get(slot.slot) and tensor.node not in constants
    ]
    if computed or any(tensor.node not in constants for _, tensor in masked):
        return None
    own = tuple(tensor.node for _, tensor in masked)
    shared = {name for slot, _ in masked for name in _names(slot)} & set(_names(output))
    if masked and not shared:
        return None
    for claim in claims:
        if claim.condition is None:
            if masked:
                return Zeroing(own)
            continue
        asked = [tensor for slot, tensor in slots if slot.slot in claim.condition.slots]
        zeros = [found.get(tensor) for tensor in asked]
        known = tuple(zeroing for zeroing in zeros if zeroing is not None)
        if known and claim.condition.any_of:
            return Zeroing(own, known[:1])
        if known and len(known) == len(zeros):
            return Zeroing(own, known)
    return None


def _names(tensor: BoundTensor) -> list[str]:
    return [name for axis in tensor.axes or () for name in names_of(axis)]
