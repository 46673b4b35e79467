"""Graphs from a few words, and single nodes bound to a rule: nothing of them is run."""

from __future__ import annotations

from typing import Any, Iterable, Mapping, Optional, Sequence

import numpy as np

from core.operators import SmallRules
from core.small import SmallModel
from prunec.graph import Graph, Node, Shape, Tensor
from prunec.language.syntax import Rule
from prunec.lowering.bind import bind
from prunec.lowering.bound import Bound
from prunec.lowering.choosing import Chooser

#: A node: its name, its operator (``None``: a variable), the names of its inputs, its attributes.
Words = tuple[Any, ...]


def sketch(
    *nodes: Words,
    outputs: Sequence[str],
    shapes: Mapping[str, Shape] = {},
    parameters: Iterable[str] = (),
) -> SmallModel:
    """A model; an input ``name:1`` is the second output of a node.

    ``shapes`` are those of model inputs, and those of parameters in their file, if there are ``parameters``
    with a shape.
    """
    places = {words[0]: index for index, words in enumerate(nodes)}

    def tensor(name: str) -> Tensor:
        node, _, output = name.partition(":")
        return Tensor(places[node], int(output or 0))

    made = []
    for name, operator, *rest in nodes:
        inputs = rest[0] if rest else ()
        attributes = rest[1] if len(rest) > 1 else {}
        made.append(Node(name, operator, attributes, tuple(map(tensor, inputs))))
    learned = set(parameters)
    graph = Graph(
        tuple(made),
        tuple(map(tensor, outputs)),
        frozenset(places[name] for name in learned if name in places),
        {places[name]: shape for name, shape in shapes.items() if name in places},
    )
    arrays = {n: np.zeros(s, dtype=np.float32) for n, s in shapes.items() if n in learned and None not in s}
    inputs = {n: np.zeros(s) for n, s in shapes.items() if n not in learned and None not in s}
    return SmallModel(graph, arrays, inputs, bool(arrays))


def one_rule(text: str) -> Rule:
    """The only rule of a text."""
    rules = SmallRules(text)
    (rule,) = {id(rule): rule for own in rules._by_operator.values() for rule in own}.values()
    return rule


def bound(
    text: str,
    *inputs: Optional[Shape],
    outputs: Sequence[Optional[Shape]] = (None,),
    **attributes: Any,
) -> Bound:
    """A rule bound to a node with inputs of these shapes; attributes not given take their defaults."""
    rule = one_rule(text)
    values = {a.name: a.default.value if a.default is not None else None for a in rule.attributes}
    chosen = Chooser().choose(rule, {**values, **attributes}, {})
    assert chosen is not None
    return bind(chosen, {**values, **attributes}, inputs, outputs, len(outputs))


def shapes_of(found: Bound) -> list[Optional[Shape]]:
    """The shapes of the outputs."""
    return [found.shape(tensor) for tensor in found.outputs]
