"""Small graphs in a readable notation, for examples beside rules.

::

    input x[2, 3, 8, 8]
    param w[16, 3, 3, 3]
    c = convolve(x, w, kernel=(3, 3), filters=16)
    a, b = halves(c, axis=1)
    output a, b

A line declares an input or a parameter with its shape (``?`` for a size that is not known, no brackets
where not even the number of axes is), makes tensors by
an operator on tensors and attributes (which are read as in a model file), or names the outputs.  ``#``
starts a comment.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Iterable, Mapping, NoReturn, Optional

import numpy as np
from numpy.typing import NDArray

from prunec.frontends.attribute_text import read_value
from prunec.graph import Graph, Node, Shape, Tensor
from prunec.support.diagnostics import Annotation, Diagnostic, PrunecError, Source, Span
from prunec.value import Value

if TYPE_CHECKING:
    from prunec.rewriting.edits import Edits

#: Largest example, in lines, and largest size of an axis: examples are small.
MAXIMUM_LINES = 1000
MAXIMUM_SIZE = 100_000

_NAME = r"[A-Za-z_][\w.]*"
_DECLARATION = re.compile(rf"(?P<kind>input|param)\s+(?P<name>{_NAME})\s*(?:\[(?P<shape>[^\]]*)\])?")
_NODE = re.compile(
    rf"(?P<names>{_NAME}(?:\s*,\s*{_NAME})*)\s*=\s*(?P<operator>{_NAME}(?:::{_NAME})?)\s*\((?P<rest>.*)\)"
)
_OUTPUT = re.compile(rf"output\s+(?P<names>{_NAME}(?:\s*,\s*{_NAME})*)")


@dataclass(frozen=True)
class ExampleModel:
    """A graph in the notation, as the compiler's passes see a model; it has shapes, and no values."""

    graph: Graph
    input_shapes: Mapping[str, Shape]
    parameter_shapes: Mapping[str, tuple[int, ...]]
    digest: str = ""
    prefix: str = "example"

    @property
    def parameter_bytes(self) -> Optional[int]:
        """There is no file."""
        return None

    def parameter(self, name: str) -> NDArray[Any]:
        """Zeros of the parameter's shape."""
        return np.zeros(self.parameter_shapes[name], np.float32)

    def folded(self) -> None:
        """What follows from parameters alone stays as it is."""

    def implied_name(self, node: int, slot: str) -> str:
        """What a parameter is called that the graph does not mention."""
        return f"{self.graph.nodes[node].name}_{slot}"

    def rewrite(self, edits: Edits) -> bytes:
        """There is no file to write."""
        return b""

    def missing(self, node: int, attribute: str) -> bool:
        """Whether a node lacks an attribute."""
        return attribute not in self.graph.nodes[node].attributes


def read_graph(source: Source, start: int, end: int) -> ExampleModel:
    """The graph written between two offsets of a text.

    Raises PrunecError P720 with the first line that is not in the notation, or that names what is not there.
    """
    return _Reader(source).read(start, end)


@dataclass
class _Reader:
    source: Source
    nodes: list[Node] = field(default_factory=list)
    tensors: dict[str, Tensor] = field(default_factory=dict)
    shapes: dict[int, Shape] = field(default_factory=dict)
    parameters: set[int] = field(default_factory=set)
    outputs: list[Tensor] = field(default_factory=list)

    def read(self, start: int, end: int) -> ExampleModel:
        offset = start
        for number, line in enumerate(self.source.text[start:end].split("\n")):
            if number >= MAXIMUM_LINES:
                self._fail(offset, offset + 1, "the example has too many lines", f"at most {MAXIMUM_LINES}")
            code = _without_comment(line)
            if code.strip():
                self._statement(code, offset)
            offset += len(line) + 1
        if not self.outputs:
            self._fail(
                start, max(start + 1, end - 1), "the example has no output", "end it with `output NAME`"
            )
        graph = Graph(tuple(self.nodes), tuple(self.outputs), frozenset(self.parameters), self.shapes)
        inputs = {
            node.name: self.shapes[index]
            for index, node in enumerate(self.nodes)
            if node.operator is None and index not in self.parameters and index in self.shapes
        }
        known = {
            self.nodes[index].name: tuple(size for size in self.shapes[index] if size is not None)
            for index in sorted(self.parameters & self.shapes.keys())
            if None not in self.shapes[index]
        }
        return ExampleModel(graph, inputs, known)

    def _statement(self, code: str, offset: int) -> None:
        at = offset + len(code) - len(code.lstrip())
        text = code.strip()
        for pattern, read in (
            (_DECLARATION, self._declaration),
            (_OUTPUT, self._output),
            (_NODE, self._node),
        ):
            match = pattern.fullmatch(text)
            if match is not None:
                read(match, at)
                return
        self._fail(
            at,
            at + len(text),
            "this line is not part of the notation of examples",
            "write `input x[2, 3]`, `param w[4, 3]`, `y = operator(x, w, attribute=value)` or `output y`",
        )

    def _declaration(self, match: re.Match[str], at: int) -> None:
        shape: list[Optional[int]] = []
        text = match["shape"] or ""
        for part in [part.strip() for part in text.split(",")] if text.strip() else []:
            if part == "?":
                shape.append(None)
            elif part.isascii() and part.isdigit() and len(part) < 10 and 1 <= int(part) <= MAXIMUM_SIZE:
                shape.append(int(part))
            else:
                where = at + match.start("shape"), at + match.end("shape")
                advice = f"sizes are whole numbers from 1 to {MAXIMUM_SIZE:,}, or `?`"
                self._fail(*where, f"`{part}` is not a size", advice)
        if match["kind"] == "param":
            self.parameters.add(len(self.nodes))
        if match["shape"] is not None:
            self.shapes[len(self.nodes)] = tuple(shape)
        self._define(match["name"], Tensor(len(self.nodes), 0), at + match.start("name"))
        self.nodes.append(Node(match["name"], None, {}, ()))

    def _output(self, match: re.Match[str], at: int) -> None:
        for name in re.finditer(_NAME, match["names"]):
            self.outputs.append(self._tensor(name.group(), at + match.start("names") + name.start()))

    def _node(self, match: re.Match[str], at: int) -> None:
        inputs: list[Tensor] = []
        attributes: dict[str, Value] = {}
        for start, argument in _arguments(match["rest"]):
            place = at + match.start("rest") + start
            name, sign, value = argument.partition("=")
            if sign and re.fullmatch(rf"\s*{_NAME}\s*", name):
                attributes[name.strip()] = read_value(value.strip().strip('"'))
            else:
                inputs.append(self._tensor(argument, place))
        names = list(re.finditer(_NAME, match["names"]))
        for output, made in enumerate(names):
            self._define(made.group(), Tensor(len(self.nodes), output), at + made.start())
        self.nodes.append(Node(names[0].group(), match["operator"], attributes, tuple(inputs)))

    def _define(self, name: str, tensor: Tensor, at: int) -> None:
        if name in self.tensors:
            self._fail(at, at + len(name), f"there are two tensors called `{name}`", "rename one of them")
        self.tensors[name] = tensor

    def _tensor(self, name: str, at: int) -> Tensor:
        if name not in self.tensors:
            close = get_close_matches(name, self.tensors, 1)
            advice = f"did you mean `{close[0]}`?" if close else "declare it in a line above"
            self._fail(at, at + max(len(name), 1), f"there is no tensor `{name}`", advice)
        return self.tensors[name]

    def _fail(self, start: int, end: int, headline: str, advice: str) -> NoReturn:
        span = Span(self.source, start, max(end, start + 1))
        raise PrunecError(Diagnostic("P720", headline, annotations=(Annotation(span),), help=advice))


def _without_comment(line: str) -> str:
    match = re.match(r'(?:"[^"]*"|[^"#])*', line)
    return line if match is None else match.group()


def _arguments(text: str) -> Iterable[tuple[int, str]]:
    """The arguments of a call with their offsets: cut at commas outside brackets and quotes."""
    depth, quoted, start = 0, False, 0
    for position, character in enumerate(text + ","):
        if character == '"':
            quoted = not quoted
        elif quoted:
            continue
        elif character in "([{":
            depth += 1
        elif character in ")]}":
            depth -= 1
        elif character == "," and depth <= 0:
            part = text[start:position]
            if part.strip():
                yield start + len(part) - len(part.lstrip()), part.strip()
            start = position + 1
