"""From an exported program to the core's graph.

Inputs of the caller's, parameters, buffers and constants become variables; nodes that give tensors become
operators.  Numbers that the program computes from sizes are open sizes in the attributes of those that take
them.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from math import prod
from typing import Any, Iterator, Mapping, NamedTuple, Optional, Sequence

from prunec.frontends.graph_building import GraphNodes, NodeSource, check_given_names, fail, refuse_shape
from prunec.frontends.pytorch.aliases import seen_elsewhere
from prunec.frontends.pytorch.document import Argument, Omitted, ProgramNode, Symbolic, Value, flattened
from prunec.frontends.pytorch.names import operator_name
from prunec.frontends.pytorch.operators import MASKS
from prunec.frontends.pytorch.program import Program
from prunec.frontends.pytorch.schemas import Schema, schema
from prunec.frontends.pytorch.symbols import hint_of, size_of
from prunec.graph import (
    COUNTS,
    MAXIMUM_KNOWN,
    Graph,
    Known,
    Node,
    Shape,
    Tensor,
    counting_axis,
    may_agree,
    worth_knowing,
)
from prunec.sizes import OpenShape, OpenSize, open_size
from prunec.support.diagnostics import printable
from prunec.value import Value as AttributeValue

#: An attribute that no operator has: how many tensors the node gives.
_OUTPUTS = "outputs"
#: How a file calls the types of elements, booleans and bytes, that choose others as a mask does.
_TRUTHS = (12, 1)
_HELP = "export the model again; torch.export.load says more"
_HELP_SHAPES = "only sizes that the model leaves open can be chosen, and those of one name are the same"
#: What stands behind the name of an operator whose result is read under another name.
_IN_PLACE = " in place"
_ADVICE = (
    "write the model without changing tensors in place there (x = x + y, not x += y), and export it again"
)


@dataclass(frozen=True, eq=False)
class GraphOfProgram:
    """The graph of a program: ``sources`` follows its nodes, ``values`` finds a tensor by the name of its
    value, ``tensors`` the name of a parameter, buffer or constant by that of its value.  ``tied`` are other
    names of tensors, each with the first.  A source is an ``"input"``, a ``"tensor"`` (its place is among the
    inputs) or a ``"node"``."""

    graph: Graph
    sources: tuple[NodeSource, ...]
    values: Mapping[str, Tensor]
    tensors: Mapping[str, str]
    tied: Mapping[str, str]


def to_graph(program: Program, input_shapes: Mapping[str, Shape]) -> GraphOfProgram:
    """The graph of a program, with the shapes that the user gave as examples.

    Raises PrunecError: P307 a shape for an input that is none, P336 values that are defined twice or nowhere,
    P337 nodes that need what comes after them.
    """
    return _Builder(program, input_shapes).build()


@dataclass
class _Builder:
    program: Program
    input_shapes: Mapping[str, Shape]
    shapes: dict[int, OpenShape] = field(default_factory=dict)
    known: dict[Tensor, Known] = field(default_factory=dict)
    hints: dict[Tensor, OpenShape] = field(default_factory=dict)
    parameters: set[int] = field(default_factory=set)
    counting: dict[str, int] = field(default_factory=dict)
    tensors: dict[str, str] = field(default_factory=dict)
    tied: dict[str, str] = field(default_factory=dict)

    def build(self) -> GraphOfProgram:
        text = self.program.text
        self.parts = GraphNodes(self.program.shown, _HELP)
        self.examples = self._examples()
        self._inputs()
        in_place = seen_elsewhere(text.inputs, text.nodes, text.outputs)
        self.names = _names(text.nodes, self.tensors)
        for index, node in enumerate(text.nodes):
            if node.values:
                self._operator(node, index, index in in_place)
            else:
                self._check(node)
        outputs = tuple(
            self._tensor(one.name, "the list of outputs") for one in text.outputs if isinstance(one, Value)
        )
        operators = {node.operator for node in self.parts.nodes if node.operator is not None}
        graph = Graph(
            tuple(self.parts.nodes),
            outputs,
            frozenset(self.parameters),
            self.shapes,
            self.known,
            self.hints,
            advice={operator: _ADVICE for operator in operators if operator.endswith(_IN_PLACE)},
        )
        return GraphOfProgram(graph, tuple(self.parts.sources), self.parts.tensors, self.tensors, self.tied)

    # --- variables ---

    def _examples(self) -> dict[str, int]:
        """What symbols are in the example: as the user gave it, or else in that of the export."""
        text = self.program.text
        inputs = text.input_names
        given: dict[str, int] = {}
        check_given_names(self.input_shapes, inputs, self.program.shown)
        for name, shape in self.input_shapes.items():
            declared = self._stated(name, {})
            if declared is not None and not may_agree(declared, shape):
                refuse_shape(name, declared, shape, self.program.shown, _HELP_SHAPES)
            for size, own in zip(declared or (), shape):
                symbol = _symbol(size)
                if symbol and own is not None and given.setdefault(symbol, own) != own:
                    refuse_shape(name, declared or (), shape, self.program.shown, _HELP_SHAPES)
        hints: dict[str, int] = {}
        stated = [entry for name in reversed(inputs) for entry in reversed(_sizes(text.metas.get(name)))]
        # The last to tell has the say: the program's own list of numbers.
        for entry in (*stated, *text.symbols.values()):
            symbol, hint = _symbol(size_of(entry)), hint_of(entry)
            if symbol and hint is not None:
                hints[symbol] = hint
        return {**hints, **given}

    def _inputs(self) -> None:
        places: dict[object, int] = {}
        for index, spec in enumerate(self.program.text.inputs):
            if not isinstance(spec.argument, Value):
                continue
            name = spec.argument.name
            if not spec.target:
                number = self.parts.variable(name, name, NodeSource("input", index))
                shape = self._stated(name, self.examples)
                if shape is not None:
                    self.shapes[number] = shape
                continue
            stored = self.program.tensors[spec.target]
            self.tensors[name] = spec.target
            first = places.get(stored.place)
            if first is not None:
                self.parts.define(name, Tensor(first, 0))
                self.tied[spec.target] = self.parts.nodes[first].name
                continue
            number = self.parts.variable(name, spec.target, NodeSource("tensor", index))
            places[stored.place] = number
            self.parameters.add(number)
            self.shapes[number] = stored.sizes
            self._hold(name, Tensor(number, 0), prod(stored.sizes))

    def _hold(self, value: str, tensor: Tensor, count: int) -> None:
        """Notes what a small constant holds."""
        if count > MAXIMUM_KNOWN:
            return
        array = self.program.array(self.tensors[value])
        axis = counting_axis(array)
        if axis is not None:
            self.counting[value] = axis
        if worth_knowing(array):
            self.known[tensor] = array

    # --- operators ---

    def _operator(self, node: ProgramNode, index: int, in_place: bool) -> None:
        operator = operator_name(node.target) + (_IN_PLACE if in_place else "")
        known = schema(operator_name(node.target))
        wired = wiring(node, known)
        where = f'the node "{printable(node.name)}"'
        inputs = tuple(self._tensor(one.name, where) for one in wired.slots if one is not None)
        connected = tuple(one is not None for one in wired.slots)
        attributes = {name: self._value(own) for name, own in wired.attributes.items()}
        attributes[_OUTPUTS] = len(node.values)
        masks = tuple(self._masks(node, known))
        if masks:
            attributes[MASKS] = masks
        taken = (one.name for one in wired.slots if one is not None)
        counts = next((self.counting[name] for name in taken if name in self.counting), None)
        if counts is not None:
            attributes[COUNTS] = counts
        number = len(self.parts.nodes)
        for position, name in enumerate(node.values):
            tensor = Tensor(number, position)
            self.parts.define(name, tensor)
            shape = self._stated(name, self.examples)
            if shape is not None:
                self.hints[tensor] = shape
        made = Node(self.names[index], operator, attributes, inputs, connected, len(node.values))
        self.parts.add(made, NodeSource("node", index))

    def _masks(self, node: ProgramNode, known: Optional[Schema]) -> Iterator[int]:
        """The positions of those among the tensors that index that hold truth values."""
        for _, kind, own in _arguments(node, known):
            for position, one in enumerate(own if kind == "Tensor?[]" and isinstance(own, tuple) else ()):
                meta = self.program.text.metas.get(one.name) if isinstance(one, Value) else None
                if meta is not None and meta.get("dtype") in _TRUTHS:
                    yield position

    def _check(self, node: ProgramNode) -> None:
        """Whether what a node takes is there that is not part of the graph."""
        for _, own in node.arguments:
            for one in flattened((own,)):
                if isinstance(one, Value):
                    self._tensor(one.name, f'the node "{printable(node.name)}"')

    def _value(self, argument: Argument) -> AttributeValue:
        if isinstance(argument, Symbolic):
            size = size_of(self.program.text.symbols.get(argument.name), self.examples)
            return open_size(argument.name) if size is None else size
        if isinstance(argument, (Value, Omitted)):
            return None
        return tuple(map(self._value, argument)) if isinstance(argument, tuple) else argument

    def _stated(self, name: str, examples: Mapping[str, int]) -> Optional[OpenShape]:
        """What the program states of the shape of a value."""
        meta = self.program.text.metas.get(name)
        if meta is None or not isinstance(meta.get("sizes"), list):
            return None
        return tuple(size_of(entry, examples) for entry in _sizes(meta))

    def _tensor(self, name: str, where: str) -> Tensor:
        if name not in self.parts.tensors and any(name in node.values for node in self.program.text.nodes):
            note = f"{where} needs a value that follows it"
            fail("P337", "the nodes of the model form a circle", self.program.shown, note, _HELP)
        return self.parts.tensor(name, where)


def _names(nodes: Sequence[ProgramNode], tensors: Mapping[str, str]) -> list[str]:
    """A name for each node: that of the user's module whose parameters it alone works with, else its own."""
    users = Counter(node.module for node in nodes if _works_with(node, tensors))
    taken = Counter(node.name for node in nodes)
    names = []
    for node in nodes:
        alone = users[node.module] == 1 and taken[node.module] == (node.name == node.module)
        names.append(node.module if alone and _works_with(node, tensors) else node.name)
    return names


def _works_with(node: ProgramNode, tensors: Mapping[str, str]) -> bool:
    """Whether a node takes a parameter of the module that it was written in."""
    taken = (one.name for _, own in node.arguments for one in flattened((own,)) if isinstance(one, Value))
    return bool(node.module) and any(tensors.get(name, "").startswith(f"{node.module}.") for name in taken)


class Wired(NamedTuple):
    """What a node takes, as rules see it: the tensors of its slots, and all else by the names of the
    schema."""

    slots: tuple[Optional[Value], ...]
    attributes: Mapping[str, Argument]


def wiring(node: ProgramNode, known: Optional[Schema]) -> Wired:
    """The slots and attributes of a node.  A tensor that is given as a number is an attribute, and so are the
    positions of the tensors in a list that leaves some out."""
    slots: list[Optional[Value]] = []
    attributes: dict[str, Argument] = {}
    for name, kind, own in _arguments(node, known):
        if kind in ("Tensor[]", "Tensor?[]") or (not kind and _lists_tensors(own)):
            entries = own if isinstance(own, tuple) else ()
            slots += [entry for entry in entries if isinstance(entry, Value)]
            if kind == "Tensor?[]":
                attributes[name] = tuple(n for n, entry in enumerate(entries) if isinstance(entry, Value))
        elif isinstance(own, Value):
            slots.append(own)
        elif kind in ("Tensor", "Tensor?"):
            slots.append(None)
            if own is not None:
                attributes[name] = own
        elif not isinstance(own, Omitted):
            attributes[name] = own
    while slots and slots[-1] is None:
        slots.pop()
    return Wired(tuple(slots), attributes)


def _arguments(node: ProgramNode, known: Optional[Schema]) -> Iterator[tuple[str, str, Argument]]:
    """Names, kinds and values of a node's arguments, in the order of the schema; a kind that is not known is
    empty.  What stands between others and is left out is None."""
    if known is None:
        yield from ((name, "", own) for name, own in node.arguments)
        return
    formal = {argument.name: argument for argument in known.arguments}
    # Files of early versions give positions for names.
    given = {name if name in formal else _named(known, name): own for name, own in node.arguments}
    for argument in known.arguments:
        if argument.name in given:
            yield argument.name, argument.kind, given.pop(argument.name)
        elif argument.kind in ("Tensor", "Tensor?"):
            yield argument.name, argument.kind, None
    yield from ((name, "", own) for name, own in given.items())


def _named(known: Schema, position: str) -> str:
    if position.isdigit() and int(position) < len(known.arguments):
        return known.arguments[int(position)].name
    return position


def _lists_tensors(own: Argument) -> bool:
    return isinstance(own, tuple) and any(isinstance(one, Value) for one in flattened(own))


def _sizes(meta: Optional[Mapping[str, Any]]) -> list[Any]:
    sizes = None if meta is None else meta.get("sizes")
    return sizes if isinstance(sizes, list) else []


def _symbol(size: object) -> str:
    """The name of the symbol that a size is; none where it is a number or more than one symbol."""
    if not isinstance(size, OpenSize) or len(size.symbols) != 1 or str(size) != size.symbols[0].name:
        return ""
    return size.symbols[0].name
