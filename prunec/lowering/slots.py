"""How the inputs of a node fill the slots of a rule."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Mapping, Sequence

from prunec.language.syntax import Axis, Rest, Rule, TensorPattern
from prunec.support.diagnostics import Span


class Contradiction(Exception):
    """A node does not fit its rule: the message, the reason, and the place in the rule."""

    def __init__(self, headline: str, span: Span, *notes: str) -> None:
        super().__init__(headline)
        self.headline, self.span, self.notes = headline, span, notes


class NothingLeft(Contradiction):
    """By its rule, a node leaves nothing of an axis: a window is larger than what it slides over."""


@dataclass(frozen=True)
class Slots:
    """How a node's inputs fill a rule's slots."""

    inputs: tuple[tuple[TensorPattern, int], ...]
    implied: tuple[TensorPattern, ...]
    counts: Mapping[str, int]


def assign_slots(rule: Rule, input_count: int, connected_inputs: Sequence[bool] = ()) -> Slots:
    """Fills the slots in order; a variadic slot takes what the others leave.

    ``connected_inputs`` says for each input of the node whether it is connected, where that is known;
    ``input_count`` counts those that are.  Raises :class:`Contradiction` where the number of inputs does not
    fit.
    """
    found = _filled(rule, input_count, connected_inputs)
    return replace(found, inputs=tuple((_with_axes(tensor), index) for tensor, index in found.inputs))


def values_among(
    rule: Rule, input_count: int, connected_inputs: Sequence[bool] = ()
) -> tuple[tuple[str, int], ...]:
    """The slots that carry values, each with the position of the input that fills it; none where the number
    of inputs does not fit."""
    if not any(tensor.value for tensor in rule.signature.data):
        return ()
    try:
        inputs = _filled(rule, input_count, connected_inputs).inputs
    except Contradiction:
        return ()
    return tuple((tensor.name, position) for position, (tensor, _) in enumerate(inputs) if tensor.value)


def _filled(rule: Rule, input_count: int, connected_inputs: Sequence[bool]) -> Slots:
    """The slots with their axes as the rule has them."""
    signature = rule.signature
    tensors = signature.data + signature.parameters
    if connected_inputs:
        return _by_position(rule, tensors, connected_inputs)
    variadic = [t for t in tensors if t.kind == "variadic"]
    single = [t for t in tensors if t.kind != "variadic"]
    if input_count > len(single) and not variadic:
        raise _too_many(rule, tensors, input_count)
    required = sum(1 for t in single if t.kind == "one")
    # An optional slot is filled only when all required ones can be.
    spare = input_count - required
    inputs: list[tuple[TensorPattern, int]] = []
    implied: list[TensorPattern] = []
    counts = {t.name: 0 for t in tensors}
    for tensor in tensors:
        if tensor.kind == "variadic":
            counts[tensor.name] = max(0, input_count - len(single))
            inputs += [(tensor, i) for i in range(counts[tensor.name])]
        elif len(inputs) < input_count and (tensor.kind == "one" or spare > 0):
            spare -= tensor.kind == "optional"
            counts[tensor.name] = 1
            inputs.append((tensor, 0))
        elif tensor.kind == "one" and tensor in signature.parameters:
            counts[tensor.name] = 1
            implied.append(tensor)
        elif tensor.kind == "one":
            raise Contradiction(f"the node has no input for {tensor.name}", tensor.span)
    return Slots(tuple(inputs), tuple(implied), counts)


def _by_position(rule: Rule, tensors: Sequence[TensorPattern], connected_inputs: Sequence[bool]) -> Slots:
    """Fills the slots of a node that says which of its inputs are left out."""
    inputs: list[tuple[TensorPattern, int]] = []
    counts = {tensor.name: 0 for tensor in tensors}
    for position, connected in enumerate(connected_inputs):
        slot = min(position, len(tensors) - 1)
        if connected and (slot < 0 or (slot < position and tensors[slot].kind != "variadic")):
            raise _too_many(rule, tensors, len(connected_inputs))
        if connected:
            tensor = tensors[slot]
            inputs.append((tensor, counts[tensor.name]))
            counts[tensor.name] += 1
    for tensor in tensors:
        if tensor.kind == "one" and not counts[tensor.name]:
            raise Contradiction(f"the node has no input for {tensor.name}", tensor.span)
    return Slots(tuple(inputs), (), counts)


def _too_many(rule: Rule, tensors: Sequence[TensorPattern], count: int) -> Contradiction:
    most = f"{len(tensors)} input{'' if len(tensors) == 1 else 's'}"
    span = rule.span
    if tensors:
        span = Span(span.source, tensors[0].span.start, tensors[-1].span.end)
    return Contradiction(f"the rule takes {most} at most, the node has {count}", span)


def _with_axes(tensor: TensorPattern) -> TensorPattern:
    """An input that carries a value has axes that stand nowhere else."""
    if not tensor.value:
        return tensor
    rest = Rest(holds_name(tensor.name), tensor.span)
    return replace(tensor, axes=(Axis(rest, None, tensor.span),))


def holds_name(slot: str) -> str:
    """The rest that the axes of an input that carries a value are called."""
    return f"{slot} holds"
