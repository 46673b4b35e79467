"""Examples beside rules: small graphs in Markdown with what prunec makes of them.

Beside ``my.prune`` stands ``my_test.md``.  A fenced block marked ``graph`` holds a graph (see
``graph_text``); the fenced block behind it says what is expected: ``couplings``, or ``error`` with the
message.  Everything else is text for people.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator, Optional

import numpy as np

from prunec.analysis.analyse import Analysis, analyse
from prunec.authoring.graph_text import read_graph
from prunec.explaining.axes import axis_channels, positions_of
from prunec.explaining.explain import Explainer
from prunec.graph import Tensor, shape_text
from prunec.lowering.infer import Rules
from prunec.support.diagnostics import Annotation, Diagnostic, PrunecError, Source, Span, render_all

_FENCE = re.compile(r"^```(?P<info>[^\n`]*)\n(?P<body>.*?)^```[ \t]*$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^#+ +(?P<title>[^\n]+)$", re.MULTILINE)
_EXPECTED = ("couplings", "error")


@dataclass(frozen=True)
class GraphExample:
    """A graph in a text: its title, where it stands, and the block with what is expected, if there is one."""

    title: str
    source: Source
    start: int
    end: int
    block_end: int
    kind: Optional[str]
    expected: Optional[str]
    expected_start: int
    expected_end: int


@dataclass(frozen=True)
class ExampleOutcome:
    """An example with what prunec makes of it: ``kind`` is ``"couplings"`` or ``"error"``."""

    example: GraphExample
    kind: str
    text: str

    @property
    def right(self) -> bool:
        """Whether that is what the example says."""
        return self.kind == self.example.kind and self.text == self.example.expected


def example_path(rules: Path) -> Path:
    """Where the examples of a rule file stand."""
    return rules.with_name(f"{rules.stem}_test.md")


def read_examples(source: Source) -> tuple[GraphExample, ...]:
    """The examples of a Markdown text, in order.  Raises PrunecError P721 for an expectation without a
    graph."""
    blocks = list(_FENCE.finditer(source.text))
    headings = [(match.start(), match["title"].strip()) for match in _HEADING.finditer(source.text)]
    examples: list[GraphExample] = []
    problems: list[Diagnostic] = []
    for number, block in enumerate(blocks):
        info = block["info"].strip()
        if info in _EXPECTED and (number == 0 or blocks[number - 1]["info"].strip() != "graph"):
            span = Span(source, block.start(), block.start() + 3 + len(block["info"]))
            problems.append(
                Diagnostic(
                    "P721",
                    f"this `{info}` belongs to no graph",
                    annotations=(Annotation(span),),
                    help="put it right behind a block marked `graph`, or delete it",
                )
            )
        if info != "graph":
            continue
        after = blocks[number + 1] if number + 1 < len(blocks) else None
        expected = after if after is not None and after["info"].strip() in _EXPECTED else None
        title = next((t for start, t in reversed(headings) if start < block.start()), "untitled")
        examples.append(
            GraphExample(
                title,
                source,
                block.start("body"),
                block.end("body"),
                block.end(),
                expected["info"].strip() if expected is not None else None,
                expected["body"] if expected is not None else None,
                expected.start() if expected is not None else block.end(),
                expected.end() if expected is not None else block.end(),
            )
        )
    if problems:
        raise PrunecError(*problems)
    return tuple(examples)


def run_example(example: GraphExample, rules: Rules) -> ExampleOutcome:
    """What prunec makes of an example.  Raises PrunecError P720 where its graph cannot be read."""
    model = read_graph(example.source, example.start, example.end)
    try:
        analysis = analyse(model, rules)
    except PrunecError as error:
        return ExampleOutcome(example, "error", _without_places(render_all(error.diagnostics)) + "\n")
    return ExampleOutcome(example, "couplings", couplings(analysis))


def updated(source: Source, outcomes: tuple[ExampleOutcome, ...]) -> str:
    """The text with every expectation replaced by what prunec makes of its graph."""
    pieces, position = [], 0
    for outcome in outcomes:
        example = outcome.example
        block = f"```{outcome.kind}\n{outcome.text}```"
        if example.expected is None:
            pieces += [source.text[position : example.block_end], "\n\n", block]
            position = example.block_end
        else:
            pieces += [source.text[position : example.expected_start], block]
            position = example.expected_end
    return "".join([*pieces, source.text[position:]])


# --- what is said of a graph ---


def couplings(analysis: Analysis) -> str:
    """Shapes of all outputs of operators, groups with the parameter axes that go together, and what stays."""
    lines = [*_shapes(analysis), *_warnings(analysis), *_groups(analysis), *_stays(analysis)]
    return "\n".join(lines) + "\n"


def _shapes(analysis: Analysis) -> Iterator[str]:
    shapes = analysis.lowered.shapes
    for index, node in enumerate(analysis.lowered.graph.nodes):
        if node.operator is not None:
            own = sorted(t for t in shapes if t.node == index)
            shown = ", ".join(shape_text(shapes[tensor]) for tensor in own) or "unknown"
            yield f"shape: {node.name} {shown}"


def _warnings(analysis: Analysis) -> Iterator[str]:
    for warning in analysis.warnings:
        yield f"warning: {warning.headline}"


def _groups(analysis: Analysis) -> Iterator[str]:
    solution = analysis.solution
    for group in solution.groups:
        unit = int(group.units[0])
        members = []
        for parameter in analysis.parameters:
            for axis in range(len(parameter.channels.layout.axes)):
                count = int(positions_of(solution, parameter.channels, axis, unit).sum())
                if count:
                    members.append(f"{parameter.name} axis {axis}" + (f" ×{count}" if count > 1 else ""))
        cells = np.unique(group.cells[group.cells >= 0])
        remarks = [f"{len(cells)} cells lose equally many"] if len(cells) > 1 else []
        reasons = dict.fromkeys(solution.causes[cause].text for cause in group.approximate)
        remarks += [f"approximate: {reason}" for reason in reasons]
        extra = f" ({'; '.join(remarks)})" if remarks else ""
        yield f"go: {len(group.units)} of {', '.join(members)}{extra}"


def _stays(analysis: Analysis) -> Iterator[str]:
    """Parameter axes of which channels stay, by reason."""
    explainer = Explainer(analysis)
    by_reason: dict[str, list[str]] = {}
    for name, carrier in explainer.parameters.items():
        channels = explainer.links.channels(carrier)
        is_input = isinstance(carrier, Tensor) and carrier.node not in analysis.lowered.graph.parameters
        if channels is None or is_input:
            continue
        for axis in range(len(channels.layout.axes)):
            on_axis = axis_channels(analysis.solution, channels, axis)
            stay = np.flatnonzero(on_axis.units < 0)
            if len(on_axis.units) < 2 or not len(stay):
                continue
            share = "" if len(stay) == len(on_axis.units) else f" ({len(stay)} of {len(on_axis.units)})"
            for kept in explainer.stay_alike(carrier, channels, axis, stay):
                by_reason.setdefault(kept.reason, []).append(f"{name} axis {axis}{share}")
    for reason, axes in by_reason.items():
        yield f"stay: {', '.join(axes)}: {reason}"


def _without_places(text: str) -> str:
    """A message without the lines that show where a rule stands: they change whenever the file does."""
    lines = text.split("\n")
    kept: list[str] = []
    skip = 0
    for line in lines:
        if skip:
            skip -= 1
        elif re.match(r"  --> .*:\d+:\d+$", line):
            skip = 3
        else:
            kept.append(line)
    return "\n".join(kept)
