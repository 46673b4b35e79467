"""Trials of single operators: what the proof of rules asks of a front end.

The proof samples a node, puts it alone to the framework, builds a small network around it and runs that as it
is and pruned; it knows no framework.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Mapping, Optional, Protocol, Sequence

import numpy as np

from prunec.frontends.operators import Operator
from prunec.frontends.runtime import Array, Runtime
from prunec.frontends.trial_networks import SmallNetwork
from prunec.frontends.trial_templates import Templates
from prunec.graph import Graph, Tensor
from prunec.language.syntax import Rule
from prunec.model import Model
from prunec.value import Value

#: What the node under trial is called.
NODE = "tried"


class Illegal(Exception):
    """A node that the framework refuses, or that another rule is for: it says nothing about the rule."""


class WiringMismatch(Exception):
    """The inputs of a rule are not those of the operator; ``attributes`` are those the node has."""

    def __init__(self, attributes: Mapping[str, Any], problem: str) -> None:
        super().__init__(problem)
        self.attributes, self.problem = attributes, problem


@dataclass(frozen=True)
class SampledNode:
    """A node: attributes (those left out have their defaults) and the shapes of slots that take tensors.

    ``counts`` are the numbers of inputs and outputs where the rule's variadic slots decide them, ``derived``
    the attributes that equations gave.
    """

    operator: str
    attributes: Mapping[str, Value]
    shapes: Mapping[tuple[str, int], tuple[int, ...]]
    counts: Mapping[str, int]
    derived: frozenset[str]


@dataclass(frozen=True)
class Wire:
    """An input of a node: connected to data, to a value that it carries, or (both ``None``) to nothing.

    ``kind`` is the type of its elements.  ``state`` says that the operator keeps it (a moving average).
    """

    tensor: Optional[Tensor] = None
    value: Optional[Array] = None
    kind: str = "float32"
    state: bool = False


@dataclass(frozen=True)
class Alone:
    """An operator alone on variables, as the framework takes it.

    ``graph`` holds the variables and the node, which is the last one.  ``wires`` are its inputs in order,
    ``shapes`` those of variables and outputs as far as the framework tells them, ``kinds`` the types of the
    outputs that a model can use.  ``attributes`` are those the node has.
    """

    graph: Graph
    attributes: Mapping[str, Any]
    wires: tuple[Wire, ...]
    shapes: Mapping[Tensor, tuple[int, ...]]
    kinds: tuple[str, ...]


class TrialModel(Model, Protocol):
    """A network that was built, as the compiler's passes see it and the framework runs it."""

    def runtime(self) -> Runtime: ...


class Trials(ABC):
    """What runs operators."""

    #: What messages call it.
    framework: str
    #: Whether it infers the shapes of learned inputs from those of data.
    infers: bool = True

    @property
    def types(self) -> Mapping[str, Value]:
        """What it calls types of elements, where it has others than float32."""
        return {}

    @abstractmethod
    def start(self) -> None:
        """Makes the framework ready.  Raises PrunecError P330 or P700 where it is not installed."""

    @abstractmethod
    def templates(self, version: Optional[int]) -> Templates:
        """What is built around operators of a version.  Raises PrunecError P711."""

    @abstractmethod
    def versions(self, name: str) -> Sequence[Operator]:
        """The operators of that name; none where there is none."""

    @abstractmethod
    def alone(
        self, rule: Rule, operator: Operator, sampled: SampledNode, random: np.random.Generator
    ) -> Alone:
        """A sampled node alone.  Raises :class:`Illegal` where the framework refuses it, and
        :class:`WiringMismatch` where the rule's inputs are not the operator's."""

    @abstractmethod
    def model(self, network: SmallNetwork, around: str) -> TrialModel:
        """The model of a network; the operators around the one under trial get names that begin with
        ``around``."""

    @abstractmethod
    def seed(self, seed: int) -> None:
        """Makes operators that draw random numbers draw the same ones again."""
