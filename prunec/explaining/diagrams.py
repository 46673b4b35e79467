"""Explanations as diagrams: Mermaid and DOT text of the nodes, parameters and reasons on the chains."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Sequence

from prunec.explaining.explanation_text import ranges
from prunec.explaining.findings import Chain, Explanation, Kept, KeptLayer
from prunec.support.diagnostics import printable


@dataclass
class Diagram:
    """Boxes with a kind (``"node"``, ``"parameter"``, ``"reason"``) and a label, and lines with a label."""

    boxes: dict[str, tuple[str, str]] = field(default_factory=dict)
    lines: dict[tuple[str, str], str] = field(default_factory=dict)
    names: dict[tuple[str, str], str] = field(default_factory=dict)

    def box(self, kind: str, name: str, label: str) -> str:
        """The identifier of a box, made where it is new."""
        key = (kind, name)
        if key not in self.names:
            self.names[key] = f"n{len(self.names)}"
            self.boxes[self.names[key]] = (kind, label)
        return self.names[key]

    def line(self, start: str, end: str, label: str = "") -> None:
        """A line between two boxes; the first label given stays."""
        if start != end and (end, start) not in self.lines:
            self.lines.setdefault((start, end), label)

    def chain(self, chain: Chain) -> list[str]:
        """The boxes of a chain's nodes, joined in order by the tensors between them."""
        found: list[str] = []
        for step in chain.steps:
            label = f"{printable(step.node, 80)}\n{printable(step.operator, 40)}"
            box = self.box("node", step.node, label + (f"\n{step.place}" if step.place else ""))
            if found:
                self.line(found[-1], box, printable(step.through, 60))
            found.append(box)
        return found

    def kept(self, kept: Kept, start: str) -> None:
        """The chain from a box to why it stays, and the reason."""
        boxes = [start, *self.chain(kept.chain)]
        if len(boxes) > 1:
            self.line(boxes[0], boxes[1])
        reason = printable(kept.reason, 120) + (f"\n{kept.place}" if kept.place else "")
        self.line(boxes[-1], self.box("reason", f"{kept.node}: {kept.reason}", reason), "stays")


def explanation_diagram(explanation: Explanation) -> Diagram:
    """The diagram of an explanation."""
    diagram = Diagram()
    for fate in explanation.fates:
        subject = _subject(explanation.name, fate.axis, fate.channels)
        start = diagram.box("parameter", subject, subject)
        if fate.kept is not None:
            diagram.kept(fate.kept, start)
        for tie in fate.ties:
            place = _subject(tie.place.name, tie.place.axis, tie.place.positions)
            for chain in tie.chains:
                boxes = [start, *diagram.chain(chain)]
                diagram.line(boxes[0], boxes[1])
                diagram.line(boxes[-1], diagram.box("parameter", place, place))
    return diagram


def kept_diagram(layers: Sequence[KeptLayer]) -> Diagram:
    """The diagram of all layers that keep channels."""
    diagram = Diagram()
    for layer in layers:
        label = f"{printable(layer.node, 80)}\n{layer.stay} of {layer.total} {layer.side} stay"
        start = diagram.box("parameter", f"{layer.node} {layer.side}", label)
        for reason in layer.reasons:
            diagram.kept(reason, start)
    return diagram


def mermaid(diagram: Diagram) -> str:
    """Mermaid text (https://mermaid.js.org), as Markdown pages show it."""
    shapes = {"node": ('["', '"]'), "parameter": ('(["', '"])'), "reason": ('{{"', '"}}')}
    lines = ["flowchart LR"]
    for name, (kind, label) in diagram.boxes.items():
        opening, closing = shapes[kind]
        lines.append(f"  {name}{opening}{_mermaid_text(label)}{closing}")
    for (start, end), label in diagram.lines.items():
        arrow = f'-->|"{_mermaid_text(label)}"|' if label else "-->"
        lines.append(f"  {start} {arrow} {end}")
    return "\n".join(lines) + "\n"


def dot(diagram: Diagram) -> str:
    """DOT text (https://graphviz.org)."""
    shapes = {"node": "box", "parameter": "ellipse", "reason": "octagon"}
    lines = ["digraph explanation {", "  rankdir=LR;"]
    for name, (kind, label) in diagram.boxes.items():
        lines.append(f'  {name} [shape={shapes[kind]}, label="{_dot_text(label)}"];')
    for (start, end), label in diagram.lines.items():
        lines.append(f'  {start} -> {end} [label="{_dot_text(label)}"];' if label else f"  {start} -> {end};")
    return "\n".join([*lines, "}"]) + "\n"


def _subject(name: str, axis: int, positions: Sequence[int]) -> str:
    return f"{printable(name, 80)}\naxis {axis} [{ranges(positions, 4)}]"


def _mermaid_text(text: str) -> str:
    """Text as Mermaid reads it literally: entities for what would be markup."""
    safe = "".join(c if c.isalnum() or c in " _-.,:()[]'/+*→…\n" else f"#{ord(c)};" for c in text)
    return safe.replace("\n", "<br/>")


def _dot_text(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
