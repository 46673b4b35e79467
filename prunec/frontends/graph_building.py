"""What the readers of files share that build a graph node by node, and what they refuse."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Mapping, NoReturn, Sequence

from prunec.graph import Node, Shape, Tensor, shape_text
from prunec.sizes import OpenShape
from prunec.support.diagnostics import Diagnostic, PrunecError, printable


@dataclass(frozen=True)
class NodeSource:
    """What a node of the graph is in the file: ``kind`` says in which list it stands, ``index`` where."""

    kind: str
    index: int


def fail(code: str, headline: str, where: str, note: str, help_text: str) -> NoReturn:
    """Raises PrunecError with one message."""
    raise PrunecError(Diagnostic(code, headline, where, notes=(note,), help=help_text)) from None


@dataclass
class GraphNodes:
    """The nodes of a graph that grows, each with its source, and the tensors by the names of their values.

    ``where`` is the file as messages name it, ``help_text`` what helps where the file is damaged.
    """

    where: str
    help_text: str
    nodes: list[Node] = field(default_factory=list)
    sources: list[NodeSource] = field(default_factory=list)
    tensors: dict[str, Tensor] = field(default_factory=dict)

    def variable(self, value: str, name: str, source: NodeSource) -> int:
        """Adds a variable of a name for a value; gives its number."""
        self.define(value, Tensor(len(self.nodes), 0))
        self.add(Node(name, None, {}, ()), source)
        return len(self.nodes) - 1

    def add(self, node: Node, source: NodeSource) -> None:
        """Adds a node whose values are defined."""
        self.nodes.append(node)
        self.sources.append(source)

    def define(self, value: str, tensor: Tensor) -> None:
        """Says which tensor a value is.  Raises PrunecError P336 where that was said before."""
        if value in self.tensors:
            headline = f'the value "{printable(value)}" is defined twice'
            fail("P336", headline, self.where, "every value of a graph has one definition", self.help_text)
        self.tensors[value] = tensor

    def tensor(self, value: str, user: str) -> Tensor:
        """The tensor of a value that ``user`` refers to.  Raises PrunecError P336 where it is not defined."""
        if value not in self.tensors:
            headline = f'the value "{printable(value)}" is defined nowhere'
            fail("P336", headline, self.where, f"{user} refers to it", self.help_text)
        return self.tensors[value]


def check_given_names(given: Mapping[str, Shape], inputs: Sequence[str], where: str) -> None:
    """Raises PrunecError P307 where a shape is given for an input that the model does not have."""
    unknown = [name for name in given if name not in inputs]
    if unknown:
        shown = ", ".join(printable(name, 60) for name in inputs[:8])
        headline = f'the model has no input "{printable(unknown[0])}"'
        fail("P307", headline, where, f"its inputs are {shown or 'none'}", "name one of them")


def refuse_shape(name: str, declared: OpenShape, given: Shape, where: str, help_text: str) -> NoReturn:
    """Raises PrunecError P307 for a shape that is not the one that the model declares for an input."""
    note = f"the model declares {shape_text(declared)}, given was {shape_text(given)}"
    headline = f'the shape given for the input "{printable(name)}" is not the model\'s'
    fail("P307", headline, where, note, help_text)
