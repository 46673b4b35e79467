"""Small networks, as the proof of rules hands them to a front end: nodes, and values for their variables."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Mapping, Optional, Sequence

from prunec.frontends.runtime import Array
from prunec.value import Value

#: The type of elements unless something else is asked for.
USUAL = "float32"

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Point:
    """A tensor of the network: node and output, with its shape and the type of its elements."""

    node: int
    output: int
    shape: Shape
    kind: str = USUAL


@dataclass(frozen=True)
class NetworkNode:
    """A node of the network; a variable has no operator."""

    name: str
    operator: Optional[str]
    attributes: Mapping[str, Value]
    inputs: tuple[Optional[Point], ...]
    outputs: int


@dataclass
class SmallNetwork:
    """A network that is being built.

    ``inputs`` and ``parameters`` hold the values of ``variables`` by name; ``around`` the names of the nodes
    that are not the operator under trial.  ``version`` is that of the operators, ``types`` holds what a cast
    calls the types of elements.
    """

    version: Optional[int] = None
    types: Mapping[str, Value] = field(default_factory=dict)
    nodes: list[NetworkNode] = field(default_factory=list)
    inputs: dict[str, Array] = field(default_factory=dict)
    parameters: dict[str, Array] = field(default_factory=dict)
    variables: dict[str, Point] = field(default_factory=dict)
    around: set[str] = field(default_factory=set)
    heads: list[Point] = field(default_factory=list)

    def add_constant(self, name: str, value: Array) -> Point:
        """A constant, such as the value that an input carries."""
        self.parameters[name] = value
        return self.variable(name, value.shape, str(value.dtype))

    def add(
        self,
        operator: str,
        attributes: Mapping[str, Value],
        inputs: Sequence[Optional[Point]],
        shapes: Sequence[Shape],
        name: str = "",
        kinds: Sequence[str] = (),
    ) -> tuple[Point, ...]:
        """A node; gives its outputs, which have these shapes and kinds."""
        index = len(self.nodes)
        self.nodes.append(
            NetworkNode(name or f"node{index}", operator, dict(attributes), tuple(inputs), len(shapes))
        )
        own = [*kinds, *[USUAL] * (len(shapes) - len(kinds))]
        return tuple(Point(index, k, shape, kind) for k, (shape, kind) in enumerate(zip(shapes, own)))

    def variable(self, name: str, shape: Shape, kind: str = USUAL) -> Point:
        """A variable without a value."""
        self.variables[name] = Point(len(self.nodes), 0, shape, kind)
        self.nodes.append(NetworkNode(name, None, {}, (), 1))
        return self.variables[name]
