"""Is a drawn node legal, and are its inputs, outputs and shapes what the rule says?"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Callable, Mapping, Optional, Sequence

import numpy as np

from prunec.binding.bound import Bound, axis_size, names_of
from prunec.binding.infer import bind_graph
from prunec.binding.slots import Contradiction, assign_slots
from prunec.diagnostics import PrunecError
from prunec.graph.model import Tensor
from prunec.language.syntax import Neutral, Rule
from prunec.mxnet.attributes import canonical_text
from prunec.mxnet.runtime import infer_shapes
from prunec.mxnet.symbol import read_symbol, to_graph
from prunec.proving.draw import Draw
from prunec.proving.model import RulesUnderTrial
from prunec.proving.network import Network, Value
from prunec.proving.registry import Operator, Signature, signature
from prunec.proving.verdict import Failure

#: What the node under trial is called.
NODE = "tried"

Shapes = Sequence[Optional[tuple[int, ...]]]
Inferred = Mapping[Tensor, tuple[int, ...]]


class Illegal(Exception):
    """A node that MXNet refuses, or that another rule is for: it says nothing about the rule."""


class Refuted(Exception):
    """The rule is wrong for this node."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.problem)
        self.failure = failure


@dataclass(frozen=True)
class Slot:
    """An input of a node: the rule's slot, its shape, and whether it is learned, a state of the operator, and
    has to hold positive values."""

    name: str
    shape: tuple[int, ...]
    learned: bool
    state: bool
    positive: bool


@dataclass(frozen=True)
class Node:
    """A node that MXNet accepts and whose shapes the rule knows: its inputs, and its outputs' shapes."""

    rule: Rule
    operator: str
    attributes: Mapping[str, str]
    slots: tuple[Slot, ...]
    outputs: tuple[tuple[int, ...], ...]

    def failure(self, problem: str, network: str = "") -> Failure:
        """This node as a case in which the rule does not hold."""
        inputs = tuple((slot.name, slot.shape) for slot in self.slots)
        size = sum(10 + prod(shape) for shape in [*(s.shape for s in self.slots), *self.outputs])
        return Failure(self.operator, self.attributes, inputs, network, problem, size)


def legal_node(rule: Rule, rules: RulesUnderTrial, operator: Operator, drawn: Draw) -> Node:
    """The node of a draw, checked against MXNet's own wiring and shapes.

    Raises :class:`Illegal` where MXNet refuses it or another rule holds, :class:`Refuted` where the rule's
    inputs, outputs or shapes are not MXNet's.
    """
    texts = {name: canonical_text(value) for name, value in drawn.attributes.items()}
    if operator.counted_by is not None and operator.counted_by not in texts:
        texts[operator.counted_by] = str(len(drawn.shapes))
    wiring = _wiring(operator.name, texts)
    given = tuple((slot, shape) for (slot, _), shape in drawn.shapes.items())

    def refuted(problem: str) -> Refuted:
        size = sum(10 + prod(shape) for _, shape in given)
        return Refuted(Failure(operator.name, texts, given, "", problem, size))

    filled, problem = _filled(rule, wiring)
    if filled is None:
        # Whether the node is legal at all, MXNet tells from the shapes in the order of the rule.
        _infer(operator.name, texts, [shape for _, shape in given][: len(wiring.inputs)], wiring)
        raise refuted(problem)
    shapes = [drawn.shapes.get(key) for key in filled]
    network, inferred = _infer(operator.name, texts, shapes, wiring)
    bound = _bound(rule, rules, network, shapes, refuted)
    _compare(bound, inferred, len(wiring.inputs), refuted)
    outputs = [inferred.get(Tensor(len(wiring.inputs), k)) for k in range(wiring.outputs)]
    if None in outputs:
        raise Illegal("MXNet does not tell the shape of an output")
    if len(bound.outputs) < wiring.outputs:
        raise refuted(f"the operator has {wiring.outputs} outputs, the rule {len(bound.outputs)}")
    free = _untold(bound)
    if free:
        raise refuted(f"nothing in the rule tells the size of {', '.join(free)}, which may be removed")
    slots = _slots(rule, wiring, bound, inferred)
    return Node(rule, operator.name, texts, slots, tuple(shape for shape in outputs if shape is not None))


def _wiring(operator: str, texts: dict[str, str]) -> Signature:
    try:
        return signature(operator, texts)
    except Exception as error:  # MXNet's own error, of whatever class
        raise Illegal(first_line(error)) from None


def first_line(error: BaseException) -> str:
    """What an MXNet error says, without its trace."""
    lines = [line.strip() for line in str(error).splitlines()]
    telling = [
        line for line in lines if line and not line.startswith(("Traceback", "File ", "Stack", "[bt]"))
    ]
    text = next((line for line in telling if "Error" in line or "Check failed" in line), "".join(telling[:1]))
    return text.rsplit(".cc:", 1)[-1][:200]


def _filled(rule: Rule, wiring: Signature) -> tuple[Optional[list[tuple[str, int]]], str]:
    """The slot and index of each input, or why they do not fit."""
    try:
        filled = assign_slots(rule, len(wiring.inputs))
    except Contradiction as error:
        return None, f"the operator takes {', '.join(wiring.inputs)}, and {error.headline}"
    return [(tensor.name, index) for tensor, index in filled.inputs], ""


def _infer(
    operator: str, texts: dict[str, str], shapes: Shapes, wiring: Signature
) -> tuple[Network, Inferred]:
    """The operator alone on variables, and the shapes that MXNet infers from those of the data."""
    network = Network(np.random.default_rng(0))
    values = [network.variable(f"x{i}", ()) for i in range(len(wiring.inputs))]
    index = network.add(operator, texts, values, NODE)
    network.heads = [Value(index, 0, ())]
    known = {f"x{i}": shape for i, shape in enumerate(shapes) if shape is not None}
    try:
        return network, infer_shapes(network.json(), known)
    except PrunecError as error:
        raise Illegal((error.diagnostics[0].notes or ("MXNet refuses it",))[0]) from None


def _bound(
    rule: Rule, rules: RulesUnderTrial, network: Network, shapes: Shapes, refuted: Callable[[str], Refuted]
) -> Bound:
    known = {f"x{i}": shape for i, shape in enumerate(shapes) if shape is not None}
    learned = [f"x{i}" for i, shape in enumerate(shapes) if shape is None]
    graph = to_graph(read_symbol(network.json(), "operator"), learned, known)
    try:
        bound = bind_graph(graph, rules).bounds[-1]
    except PrunecError as error:
        first = error.diagnostics[0]
        reasons = "".join(f" ({note})" for note in first.notes)
        raise refuted(f"prunec refuses what MXNet accepts: {first.headline}{reasons}") from None
    except Exception as error:  # a bug of the compiler, to be told like any other failure
        raise refuted(f"prunec fails: {type(error).__name__}: {error}") from None
    if bound is None or bound.rule is not rule:
        raise Illegal("the guard does not hold, or another rule is for it")
    return bound


def _compare(bound: Bound, inferred: Inferred, node: int, refuted: Callable[[str], Refuted]) -> None:
    rows = [(f"input {slot.label}", Tensor(i, 0), bound.shape(slot)) for i, slot in enumerate(bound.inputs)]
    rows += [
        (f"output {slot.label}", Tensor(node, k), bound.shape(slot)) for k, slot in enumerate(bound.outputs)
    ]
    for label, tensor, shape in rows:
        actual = inferred.get(tensor)
        if actual is None or shape is None:
            continue
        if any(size is not None and size < 1 for size in shape):
            # A window larger than what it slides over: MXNet rounds the other way and reads beyond.
            raise Illegal(f"{label} would be empty")
        if len(shape) != len(actual) or any(a is not None and a != b for a, b in zip(shape, actual)):
            raise refuted(f"the rule gives {label} the shape {shape}, MXNet {actual}")


def _untold(bound: Bound) -> list[str]:
    """Names of outputs that may be removed although the rule does not give their sizes."""
    axes = [
        axis for slot in bound.outputs for axis in slot.axes or () if axis_size(axis, bound.sizes) is None
    ]
    names = dict.fromkeys(name for axis in axes for name in names_of(axis))
    return [name for name in names if bound.sizes.get(name) is None and name not in bound.kept]


def _slots(rule: Rule, wiring: Signature, bound: Bound, inferred: Inferred) -> tuple[Slot, ...]:
    positive = {s.tensor.name for s in rule.statements if isinstance(s, Neutral)}
    slots = []
    for i, tensor in enumerate(bound.inputs):
        shape = inferred.get(Tensor(i, 0)) or bound.shape(tensor)
        if shape is None or None in shape:
            raise Illegal(f"the shape of {tensor.label} does not follow from the others")
        state = wiring.inputs[i] in wiring.states
        slots.append(
            Slot(
                name=tensor.slot,
                shape=tuple(int(size or 0) for size in shape),
                learned=tensor.slot in bound.parameter_slots,
                state=state,
                positive=state or tensor.slot in positive,
            )
        )
    return tuple(slots)
