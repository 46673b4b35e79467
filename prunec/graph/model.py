"""The framework-neutral graph that the core works on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Mapping, NamedTuple, Optional

from prunec.language.syntax import Value

#: Sizes of a tensor, ``None`` where a size is not known.
Shape = tuple[Optional[int], ...]


class Tensor(NamedTuple):
    """A value of the graph: output ``output`` of node ``node``."""

    node: int
    output: int


@dataclass(frozen=True)
class Node:
    """An operator, or (``operator`` is ``None``) a variable: a model input or a parameter.

    ``attributes`` holds what the file says, its text read into a value; attributes that say
    nothing about the computation (learning rates, context groups) are left out by the reader.
    """

    name: str
    operator: Optional[str]
    attributes: Mapping[str, Value]
    inputs: tuple[Tensor, ...]


@dataclass(frozen=True)
class Graph:
    """Nodes in an order in which every input comes before its consumer.

    ``parameters`` holds the node indices of learned variables; the other variables are model
    inputs.  ``shapes`` gives what is known of the variables' shapes, by node index: from the
    parameter file, from shape hints in the model, and from the user.
    """

    nodes: tuple[Node, ...]
    outputs: tuple[Tensor, ...]
    parameters: frozenset[int]
    shapes: Mapping[int, Shape]
