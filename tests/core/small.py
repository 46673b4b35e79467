"""Models in memory: built node by node while they run, pruned, and run again in numpy."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, replace
from typing import Any, Callable, Mapping, Optional

import numpy as np

from core.operators import RULES, Array, run
from prunec.analysis.analyse import Analysis, analyse
from prunec.channels.removal import Removed, illegal
from prunec.graph import Graph, Node, Shape, Tensor
from prunec.rewriting.edits import Edits
from prunec.rewriting.emit import Pruned, emit
from prunec.rewriting.slicing import mask_array, slice_array


@dataclass
class Builder:
    """A graph that grows: every value is computed as it is added, in float64."""

    seed: int = 0
    nodes: list[Node] = field(default_factory=list)
    values: dict[Tensor, Array] = field(default_factory=dict)
    parameters: dict[str, Array] = field(default_factory=dict)
    inputs: dict[str, Array] = field(default_factory=dict)
    outputs: list[Tensor] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.generator = np.random.default_rng(self.seed)

    def input(self, *shape: int) -> Tensor:
        """A model input."""
        name = f"input{len(self.inputs)}"
        self.inputs[name] = self.generator.standard_normal(shape)
        return self._variable(name, self.inputs[name])

    def parameter(self, *shape: int, positive: bool = False, name: str = "p") -> Tensor:
        """A learned variable, random, distinct, of middling size."""
        name = f"{name}{len(self.parameters)}"
        draw = self.generator.uniform(0.5, 1.5, shape)
        self.parameters[name] = draw if positive else draw * self.generator.choice((-1.0, 1.0), shape)
        return self._variable(name, self.parameters[name])

    def _variable(self, name: str, value: Array) -> Tensor:
        self.nodes.append(Node(name, None, {}, ()))
        tensor = Tensor(len(self.nodes) - 1, 0)
        self.values[tensor] = value
        return tensor

    def add(self, operator: str, *inputs: Tensor, **attributes: Any) -> list[Tensor]:
        """A node; gives its outputs."""
        results = run(operator, attributes, [self.values[tensor] for tensor in inputs])
        self.nodes.append(Node(f"{operator}{len(self.nodes)}", operator, attributes, tuple(inputs)))
        tensors = [Tensor(len(self.nodes) - 1, k) for k in range(len(results))]
        self.values.update(zip(tensors, results))
        return tensors

    def one(self, operator: str, *inputs: Tensor, **attributes: Any) -> Tensor:
        """A node with one output."""
        (tensor,) = self.add(operator, *inputs, **attributes)
        return tensor

    def shape(self, tensor: Tensor) -> tuple[int, ...]:
        return self.values[tensor].shape

    def dense(self, data: Tensor, units: int, bias: bool = True) -> Tensor:
        """A dense layer over all that is behind the first axis."""
        weight = self.parameter(units, self.values[data][0].size, name="weight")
        biases = [self.parameter(units, name="bias")] if bias else []
        operator = "dense" if len(self.shape(data)) == 2 else "dense_flat"
        return self.one(operator, data, weight, *biases, units=units)

    def grouped(self, data: Tensor, units: int, groups: int = 1, bias: bool = True) -> Tensor:
        """A layer over axis 1, in groups."""
        weight = self.parameter(units, self.shape(data)[1] // groups, name="weight")
        biases = [self.parameter(units, name="bias")] if bias else []
        return self.one("grouped", data, weight, *biases, units=units, groups=groups)

    def finish(self, *outputs: Tensor) -> SmallModel:
        """The model with these outputs."""
        self.outputs += outputs
        learned = frozenset(i for i, node in enumerate(self.nodes) if node.name in self.parameters)
        shapes: dict[int, Shape] = {
            i: self.values[Tensor(i, 0)].shape for i, node in enumerate(self.nodes) if node.operator is None
        }
        graph = Graph(tuple(self.nodes), tuple(self.outputs), learned, shapes)
        return SmallModel(graph, self.parameters, self.inputs)


@dataclass(frozen=True, eq=False, repr=False)
class SmallModel:
    """A model as the compiler asks for it.  What is written is JSON: a list of the changes."""

    graph: Graph
    arrays: Mapping[str, Array]
    inputs: Mapping[str, Array]
    with_parameters: bool = True
    prefix: str = "small"

    def __repr__(self) -> str:
        """A line for each operator: what a failing example is read by."""
        values = execute(self.graph, {**self.inputs, **self.arrays})
        lines = []
        for index, node in enumerate(self.graph.nodes):
            inputs = ", ".join(f"{self.graph.nodes[t.node].name}[{t.output}]" for t in node.inputs)
            shapes = " ".join(str(values[t].shape) for t in values if t.node == index)
            lines.append(f"  {node.name}({inputs}) {dict(node.attributes) or ''} -> {shapes}")
        outputs = ", ".join(self.graph.nodes[t.node].name for t in self.graph.outputs)
        return "\n".join(["", *lines, f"  outputs: {outputs}"])

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(repr(self))

    @property
    def digest(self) -> str:
        return hashlib.sha256(repr(self.graph).encode()).hexdigest()

    @property
    def input_shapes(self) -> Mapping[str, Shape]:
        return {name: value.shape for name, value in self.inputs.items()}

    @property
    def parameter_shapes(self) -> Optional[Mapping[str, tuple[int, ...]]]:
        if not self.with_parameters:
            return None
        return {name: value.shape for name, value in self.arrays.items()}

    @property
    def parameter_bytes(self) -> Optional[int]:
        return None

    def parameter(self, name: str) -> Array:
        return self.arrays[name]

    def folded(self) -> None:
        return None

    def implied_name(self, node: int, slot: str) -> str:
        return f"{self.graph.nodes[node].name}_{slot}"

    def rewrite(self, edits: Edits) -> bytes:
        return json.dumps([[node, name, value] for (node, name), value in edits.attributes.items()]).encode()

    def missing(self, node: int, attribute: str) -> bool:
        return attribute not in self.graph.nodes[node].attributes

    def shapes(self, **known: bool) -> SmallModel:
        """The same model, knowing the shapes of inputs, of parameters, or of both."""
        nodes = self.graph.nodes
        names = {**(self.inputs if known.get("inputs") else {})}
        names.update(self.arrays if known.get("parameters") else {})
        shapes = {i: s for i, s in self.graph.shapes.items() if nodes[i].name in names}
        graph = replace(self.graph, shapes=shapes)
        return replace(self, graph=graph, with_parameters=bool(known.get("parameters")))


def changed(graph: Graph, model: bytes) -> Graph:
    """The graph with the attributes that a written model changes."""
    nodes = list(graph.nodes)
    for index, name, value in json.loads(model):
        new = tuple(value) if isinstance(value, list) else value
        nodes[index] = replace(nodes[index], attributes={**nodes[index].attributes, name: new})
    return replace(graph, nodes=tuple(nodes))


def execute(graph: Graph, values: Mapping[str, Array]) -> dict[Tensor, Array]:
    """All values of a graph."""
    found: dict[Tensor, Array] = {}
    for index, node in enumerate(graph.nodes):
        if node.operator is None:
            found[Tensor(index, 0)] = values[node.name]
            continue
        results = run(node.operator, node.attributes, [found[tensor] for tensor in node.inputs])
        found.update((Tensor(index, k), result) for k, result in enumerate(results))
    return found


@dataclass(frozen=True)
class Outcome:
    """The outputs of the masked original and of the smaller model."""

    pruned: Pruned
    expected: list[Array]
    found: list[Array]

    @property
    def error(self) -> float:
        """The largest difference, in parts of the largest value; infinite where shapes differ and where there
        is no number."""
        errors = [0.0]
        for expected, found in zip(self.expected, self.found):
            if expected.shape != found.shape:
                return float("inf")
            largest = np.abs(expected).max(initial=0)
            errors.append(float(np.abs(expected - found).max(initial=0)) / (largest + 1e-9))
        return float("inf") if np.isnan(errors).any() else max(errors)


def compare(analysis: Analysis, removed: Removed) -> Outcome:
    """Runs a model with masked parameters, and the smaller model with sliced ones."""
    model: Any = analysis.model
    problems = illegal(analysis.solution, removed)
    assert problems == [], problems
    pruned = emit(analysis, removed)
    masked, sliced = dict(model.arrays), dict(model.arrays)
    for piece in pruned.slices:
        masked[piece.name] = mask_array(piece, model.arrays[piece.name])
        sliced[piece.name] = slice_array(piece, model.arrays[piece.name])
    before = execute(model.graph, {**model.inputs, **masked})
    after = execute(changed(model.graph, pruned.model), {**model.inputs, **sliced})
    outputs = model.graph.outputs
    return Outcome(pruned, [before[t] for t in outputs], [after[t] for t in outputs])


def solved(model: SmallModel, strict: bool = True, rules: Any = RULES) -> Analysis:
    return analyse(model, rules, strict)


#: Makes a model.
Build = Callable[[Builder], Tensor]
