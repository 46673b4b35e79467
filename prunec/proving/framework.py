"""What the proof of rules asks of the framework that runs the operators."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Mapping, NoReturn, Optional, Protocol, Sequence

import numpy as np

from prunec.compiler import Model
from prunec.frontends.operators import Operator
from prunec.frontends.runtime import Array, Runtime
from prunec.frontends.trial_templates import Templates
from prunec.graph import Graph, Tensor
from prunec.language.syntax import Rule, Value
from prunec.proving.draw import Draw
from prunec.proving.network import Network
from prunec.proving.verdict import Failure
from prunec.support.diagnostics import Diagnostic, PrunecError

#: What the node under trial is called.
NODE = "tried"


class Illegal(Exception):
    """A node that the framework refuses, or that another rule is for: it says nothing about the rule."""


class Refuted(Exception):
    """The rule is wrong for this node."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.problem)
        self.failure = failure


@dataclass(frozen=True)
class Wire:
    """An input of a node: connected to data, to a value that it carries, or (both ``None``) to nothing.

    ``kind`` is the type of its elements.  ``state`` says that the operator keeps it (a moving average).
    """

    tensor: Optional[Tensor] = None
    carried: Optional[Array] = None
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


class GeneratedModel(Model, Protocol):
    """A network that was built, as the compiler's passes see it and the framework runs it."""

    def runtime(self) -> Runtime: ...


class Framework(ABC):
    """What runs operators; the same object does in every process."""

    #: What messages call it.
    name: str
    #: The built-in rules for its operators.
    library: str
    #: Whether it infers the shapes of learned inputs from those of data.
    infers: bool = True

    @property
    def types(self) -> Mapping[str, Value]:
        """What it calls types of elements, where it has others than float32."""
        return {}

    @abstractmethod
    def start(self, register: Optional[Path]) -> None:
        """Makes the framework ready, and runs the file that registers operators, where there is one.

        Raises PrunecError: P330 or P700 where it is not installed, P713 where the file fails.
        """

    @abstractmethod
    def templates(self, version: Optional[int]) -> Templates:
        """What is built around operators of a version.  Raises PrunecError P711."""

    @abstractmethod
    def versions(self, name: str) -> tuple[Operator, ...]:
        """The operators of that name; none where there is none."""

    @abstractmethod
    def alone(self, rule: Rule, operator: Operator, drawn: Draw, random: np.random.Generator) -> Alone:
        """The node of a draw alone.  Raises :class:`Illegal` where the framework refuses it, and
        :class:`Refuted` where the rule's inputs are not the operator's."""

    @abstractmethod
    def model(self, network: Network, around: str) -> GeneratedModel:
        """The model of a network; the operators around the one under trial get names that begin with
        ``around``."""

    @abstractmethod
    def seed(self, seed: int) -> None:
        """Makes operators that draw random numbers draw the same ones again."""


def refuted(operator: str, attributes: Mapping[str, Any], drawn: Draw, problem: str) -> NoReturn:
    """Raises :class:`Refuted` for the node of a draw."""
    raise Refuted(failure(operator, attributes, drawn, problem))


def failure(operator: str, attributes: Mapping[str, Any], drawn: Draw, problem: str) -> Failure:
    """The node of a draw as a case in which the rule does not hold."""
    given = tuple((slot, shape) for (slot, _), shape in drawn.shapes.items())
    size = sum(10 + int(np.prod(shape)) for _, shape in given)
    return Failure(operator, attributes, given, "", problem, size)


def framework_for(library: str) -> Framework:
    """The framework whose operators a built-in library of rules is for.

    Raises PrunecError P714 for a library that is for none.
    """
    found = next((own for own in _frameworks() if own.library == library), None)
    if found is not None:
        return found
    names = ", ".join(own.library for own in _frameworks())
    raise PrunecError(
        Diagnostic(
            "P714",
            f"the rules `{library}` are for no framework that runs operators",
            notes=(f"those that are: {names}",),
            help=f"name one of these with --against: {names}",
        )
    )


def _frameworks() -> Sequence[Framework]:
    from prunec.frontends.mxnet.trials import MXNetOperators
    from prunec.frontends.onnx.trials import OnnxOperators

    return (MXNetOperators(), OnnxOperators())
