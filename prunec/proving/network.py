"""Small networks around an operator: producers of its inputs, consumers of its outputs, branches beside."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from math import prod
from typing import Any, Mapping, Optional, Sequence

import numpy as np
import numpy.typing as npt

from prunec.mxnet.attributes import canonical_text
from prunec.proving.templates import Template, templates

Array = npt.NDArray[np.float32]

#: What stands before the names of operators around the one that is tried, where rules are looked up.
AROUND = "around:"
_FEATURES = 3


@dataclass(frozen=True)
class Value:
    """A tensor of the network: node and output, with its shape."""

    node: int
    output: int
    shape: tuple[int, ...]


@dataclass
class Network:
    """A network that is being built.

    ``inputs`` and ``parameters`` hold the values of variables by name; ``around`` the nodes that are not the
    operator under trial.  ``random`` draws values and wiring.
    """

    random: np.random.Generator
    nodes: list[dict[str, Any]] = field(default_factory=list)
    inputs: dict[str, Array] = field(default_factory=dict)
    parameters: dict[str, Array] = field(default_factory=dict)
    around: set[int] = field(default_factory=set)
    heads: list[Value] = field(default_factory=list)

    def json(self) -> bytes:
        """The symbol file."""
        variables = [i for i, node in enumerate(self.nodes) if node["op"] == "null"]
        document = {
            "nodes": self.nodes,
            "arg_nodes": variables,
            "heads": [[head.node, head.output, 0] for head in self.heads],
            "attrs": {"mxnet_version": ["int", 10901]},
        }
        return json.dumps(document).encode()

    # --- variables and nodes ---

    def add_input(self, name: str, shape: tuple[int, ...], whole: Optional[int] = None) -> Value:
        """A model input; of whole numbers below ``whole``, where that is given."""
        value = (
            self.random.standard_normal(shape)
            if whole is None
            else self.random.integers(0, whole, shape).astype(np.float32)
        )
        self.inputs[name] = value.astype(np.float32)
        return self.variable(name, shape)

    def add_rows(self, name: str, shape: tuple[int, ...], pattern: Sequence[float]) -> Value:
        """A model input whose rows are ``pattern``, its last two numbers up to one larger."""
        value = np.broadcast_to(np.array(pattern, dtype=np.float32), shape).copy()
        value[..., -2:] += self.random.integers(0, 2, (*shape[:-1], 2))
        self.inputs[name] = value.astype(np.float32)
        return self.variable(name, shape)

    def add_parameter(self, name: str, shape: tuple[int, ...], positive: bool = False) -> Value:
        """A learned variable with values none of which is near zero or one."""
        value = self.random.uniform(0.3, 1.7, shape)
        if not positive:
            value = value * self.random.choice((-1.0, 1.0), shape)
        self.parameters[name] = value.astype(np.float32)
        return self.variable(name, shape)

    def add(
        self, operator: str, attributes: Mapping[str, str], inputs: Sequence[Value], name: str = ""
    ) -> int:
        """A node; gives its index."""
        self.nodes.append(
            {
                "op": operator,
                "name": name or f"node{len(self.nodes)}",
                "attrs": dict(attributes),
                "inputs": [[value.node, value.output, 0] for value in inputs],
            }
        )
        return len(self.nodes) - 1

    def variable(self, name: str, shape: tuple[int, ...]) -> Value:
        """A variable without a value."""
        self.nodes.append({"op": "null", "name": name, "inputs": []})
        return Value(len(self.nodes) - 1, 0, shape)

    def _around(
        self, template: Template, inputs: Sequence[Value], shape: tuple[int, ...], **values: object
    ) -> Value:
        index = self.add(template.operator, template.fill(**values), inputs)
        self.around.add(index)
        return Value(index, 0, shape)

    # --- around the operator ---

    def produce(
        self, name: str, shape: tuple[int, ...], live: Sequence[int], chain: Sequence[Template] = ()
    ) -> Value:
        """A tensor whose ``live`` axes hold channels that can be removed; the others come from the input."""
        if not shape or len(shape) == 1:
            value = self.produce(name, (1, *(shape or (1,))), [axis + 1 for axis in live])
            value = self._reshape(value, shape or (1,))
        else:
            start = tuple(_FEATURES if axis in live else size for axis, size in enumerate(shape))
            value = self.add_input(f"{name}_input", start)
            order = [int(axis) for axis in self.random.permutation(sorted(live))]
            for axis in order:
                # A bias fills what other layers masked, so it stands only where one axis is live.
                value = self._mix(f"{name}_{axis}", value, axis, shape[axis], bias=len(order) == 1)
        for template in chain:
            value = self._around(template, [value], shape)
        return value

    def consume(self, name: str, value: Value, axes: Sequence[int]) -> Value:
        """The tensor with some axes mixed into two new channels each, so that theirs are free to go."""
        if len(value.shape) < 2:
            value = self._reshape(value, (1, prod(value.shape)))
            axes = [axis + 1 for axis in axes]
        for axis in axes:
            if value.shape[axis] > 1:
                value = self._mix(f"{name}_{axis}", value, axis, 2, bias=bool(self.random.integers(2)))
        return value

    def sum(self, value: Value, axis: int) -> Value:
        """The sum over an axis, which stays with size one."""
        shape = tuple(1 if i == axis else size for i, size in enumerate(value.shape))
        return self._around(templates().sum, [value], shape, axis=axis)

    def plus(self, value: Value, other: Value) -> Value:
        """The sum of two tensors of one shape."""
        return self._around(templates().add, [value, other], value.shape)

    def join(self, value: Value, other: Value, axis: int) -> Value:
        """Two tensors one behind the other."""
        shape = tuple(size + other.shape[axis] if i == axis else size for i, size in enumerate(value.shape))
        return self._around(templates().join, [value, other], shape, axis=axis)

    def _mix(self, name: str, value: Value, axis: int, size: int, bias: bool) -> Value:
        """A dense layer along one axis."""
        rank = len(value.shape)
        order = [*(i for i in range(rank) if i != axis), axis]
        value = self._transpose(value, order)
        weight = self.add_parameter(f"{name}_weight", (size, value.shape[-1]))
        inputs = [value, weight]
        if bias:
            inputs.append(self.add_parameter(f"{name}_bias", (size,)))
        shape = (*value.shape[:-1], size)
        value = self._around(templates().produce, inputs, shape, size=size, no_bias=not bias)
        return self._transpose(value, [order.index(i) for i in range(rank)])

    def _transpose(self, value: Value, order: Sequence[int]) -> Value:
        if list(order) == list(range(len(value.shape))):
            return value
        shape = tuple(value.shape[i] for i in order)
        return self._around(templates().order, [value], shape, axes=canonical_text(tuple(order)))

    def _reshape(self, value: Value, shape: tuple[int, ...]) -> Value:
        # One size is left open, so that it can shrink.
        codes = tuple(
            -1 if size == max(shape) and shape.index(size) == i else size for i, size in enumerate(shape)
        )
        return self._around(templates().reshape, [value], shape, codes=canonical_text(codes))
