"""Is a sampled node legal, and are its inputs, outputs and shapes what the rule says?"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any, Callable, Mapping, NoReturn, Optional

import numpy as np

from prunec.frontends.operators import Operator
from prunec.frontends.runtime import Array
from prunec.frontends.trials import Alone, Illegal, SampledNode, Trials, WiringMismatch
from prunec.graph import Shape, Tensor
from prunec.language.syntax import Neutral, Rule
from prunec.lowering.bound import axis_size, names_of
from prunec.lowering.guards import holds
from prunec.lowering.infer import lower_graph
from prunec.lowering.lowered import LoweredRule
from prunec.proving.framework import refuted
from prunec.proving.rule_verdict import Failure
from prunec.proving.rules_under_trial import RulesUnderTrial
from prunec.support.diagnostics import PrunecError


@dataclass(frozen=True)
class Slot:
    """An input of a node: the rule's slot, its shape and type, and whether it is learned, a state of the
    operator, and has to hold positive values; ``value`` is the value that it carries."""

    name: str
    shape: tuple[int, ...]
    learned: bool
    state: bool
    positive: bool
    kind: str
    value: Optional[Array] = None


@dataclass(frozen=True)
class TrialNode:
    """A node that the framework accepts and whose shapes the rule knows: the rule as lowered to it, inputs
    (``None``: left out), and the shapes and types of its outputs."""

    rule: LoweredRule
    operator: Operator
    attributes: Mapping[str, Any]
    inputs: tuple[Optional[Slot], ...]
    outputs: tuple[tuple[int, ...], ...]
    kinds: tuple[str, ...]

    @property
    def slots(self) -> tuple[Slot, ...]:
        """The inputs that are connected."""
        return tuple(slot for slot in self.inputs if slot is not None)

    @property
    def key(self) -> tuple[object, ...]:
        """What tells the node from others."""
        slots = ((slot.name, slot.shape) for slot in self.slots)
        return (self.operator.name, self.operator.version, *map(str, self.attributes.items()), *slots)

    def failure(self, problem: str, network: str = "") -> Failure:
        """This node as a case in which the rule does not hold."""
        inputs = tuple((slot.name, slot.shape) for slot in self.slots)
        size = sum(10 + prod(shape) for shape in [*(s.shape for s in self.slots), *self.outputs])
        told = shown_attributes(self.operator, self.attributes, self.slots)
        return Failure(self.operator.name, told, inputs, network, problem, size)


def shown_attributes(
    operator: Operator, attributes: Mapping[str, Any], slots: tuple[Slot, ...]
) -> Mapping[str, Any]:
    """The attributes of a node as a message shows them: with what inputs carry, and the version."""
    version = {} if operator.version is None else {"version": operator.version}
    carried = {slot.name: slot.value.tolist() for slot in slots if slot.value is not None}
    return {**attributes, **carried, **version}


def legal_node(
    rule: Rule,
    rules: RulesUnderTrial,
    trials: Trials,
    operator: Operator,
    sampled: SampledNode,
    random: np.random.Generator,
) -> TrialNode:
    """A sampled node, checked against the framework's own wiring and shapes.

    Raises :class:`Illegal` where the framework refuses it or another rule holds, :class:`Refuted` where the
    rule's inputs, outputs or shapes are not the framework's.
    """
    try:
        alone = trials.alone(rule, operator, sampled, random)
    except WiringMismatch as error:
        refuted(operator.name, error.attributes, sampled, error.problem)

    def wrong(problem: str) -> NoReturn:
        refuted(operator.name, alone.attributes, sampled, problem)

    node = len(alone.graph.nodes) - 1
    outputs = [alone.shapes.get(Tensor(node, k)) for k in range(len(alone.kinds))]
    # What leaves nothing of an axis some take, and say so by a size of zero or by none.
    if any(shape is None or 0 in shape for shape in outputs):
        raise Illegal(f"{trials.framework} does not tell the shape of an output, or it holds nothing")
    bound = _bound(rule, rules, trials.framework, alone, wrong)
    _compare(bound, alone, trials.framework, wrong)
    if len(bound.outputs) < len(outputs):
        wrong(f"the operator has {len(outputs)} outputs, the rule {len(bound.outputs)}")
    free = _untold(bound)
    if free:
        wrong(f"nothing in the rule tells the size of {', '.join(free)}, which may be removed")
    shapes = tuple(shape for shape in outputs if shape is not None)
    inputs = _inputs(rule, bound, alone)
    return TrialNode(bound, operator, alone.attributes, inputs, shapes, alone.kinds)


def _bound(
    rule: Rule, rules: RulesUnderTrial, framework: str, alone: Alone, wrong: Callable[[str], NoReturn]
) -> LoweredRule:
    try:
        bound = lower_graph(alone.graph, rules).rules[-1]
    except PrunecError as error:
        first = error.diagnostics[0]
        reasons = "".join(f" ({note})" for note in first.notes)
        made = [alone.shapes[t] for t in alone.shapes if t.node == len(alone.graph.nodes) - 1]
        # A window a little larger than what it slides over gives one: division in C rounds towards zero.
        if first.code == "P416" and any(1 in shape for shape in made):
            raise Illegal(f"{framework} slides a window over less than its size") from None
        wrong(f"prunec refuses what {framework} accepts: {first.headline}{reasons}")
    except Exception as error:  # a bug of the compiler, to be told like any other failure
        wrong(f"prunec fails: {type(error).__name__}: {error}")
    if bound is None or (bound.header.label, bound.header.span) != (rule.label, rule.span):
        raise Illegal("the guard does not hold, or another rule is for it")
    shapes: dict[str, list[Optional[Shape]]] = {}
    for slot in bound.inputs:
        shapes.setdefault(slot.slot, []).append(bound.shape(slot))
    if holds(rule.when, bound.attributes, shapes) is False:
        raise Illegal("another form of the rule is for it")
    return bound


def _compare(bound: LoweredRule, alone: Alone, framework: str, wrong: Callable[[str], NoReturn]) -> None:
    node = len(alone.graph.nodes) - 1
    inputs = zip(bound.inputs, alone.graph.nodes[node].inputs)
    rows = [(f"input {slot.label}", tensor, bound.shape(slot)) for slot, tensor in inputs]
    rows += [
        (f"output {slot.label}", Tensor(node, k), bound.shape(slot)) for k, slot in enumerate(bound.outputs)
    ]
    for label, tensor, shape in rows:
        actual = alone.shapes.get(tensor)
        if actual is None or shape is None:
            continue
        if any(size is not None and size < 1 for size in shape):
            # A window larger than what it slides over: some round the other way and read beyond.
            raise Illegal(f"{label} would be empty")
        if len(shape) != len(actual) or any(a is not None and a != b for a, b in zip(shape, actual)):
            wrong(f"the rule gives {label} the shape {shape}, {framework} {actual}")


def _untold(bound: LoweredRule) -> list[str]:
    """Names of outputs that may be removed although the rule does not give their sizes."""
    axes = [
        axis for slot in bound.outputs for axis in slot.axes or () if axis_size(axis, bound.sizes) is None
    ]
    names = dict.fromkeys(name for axis in axes for name in names_of(axis))
    return [name for name in names if bound.sizes.get(name) is None and name not in bound.kept]


def _inputs(rule: Rule, bound: LoweredRule, alone: Alone) -> tuple[Optional[Slot], ...]:
    positive = {hint.tensor.name for hint in rule.hints if isinstance(hint, Neutral)}
    connected = iter(zip(bound.inputs, alone.graph.nodes[-1].inputs))
    inputs: list[Optional[Slot]] = []
    for wire in alone.wires:
        if wire.tensor is None and wire.value is None:
            inputs.append(None)
            continue
        slot, tensor = next(connected)
        shape = alone.shapes.get(tensor) or bound.shape(slot)
        if shape is None or None in shape:
            raise Illegal(f"the shape of {slot.label} does not follow from the others")
        inputs.append(
            Slot(
                name=slot.slot,
                shape=tuple(int(size or 0) for size in shape),
                learned=slot.slot in bound.parameter_slots,
                state=wire.state,
                positive=wire.state or slot.slot in positive,
                kind=wire.kind,
                value=wire.value,
            )
        )
    return tuple(inputs)
