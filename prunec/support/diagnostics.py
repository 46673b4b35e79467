"""Messages to the user: a stable code, a headline, the place, the reason, and what to do.

Every error and warning of prunec is a :class:`Diagnostic`.  A diagnostic about a rule file
carries annotations that point into the text; one about a model carries ``where``, a line that
names the node, its operator and its shapes.
"""

from __future__ import annotations

from bisect import bisect_right
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import cached_property
from typing import Iterable, Iterator, Optional


class Severity(Enum):
    """How much a diagnostic matters: an error stops the run, a warning does not."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, eq=False)
class Source:
    """A text and the name it is shown under (the path as the user gave it); ``built_in`` for one that comes
    with prunec."""

    name: str
    text: str
    built_in: bool = False

    @cached_property
    def _line_starts(self) -> list[int]:
        return [0] + [i + 1 for i, character in enumerate(self.text) if character == "\n"]

    def position(self, offset: int) -> tuple[int, int]:
        """Line and column, both counted from one, of a character offset."""
        line = bisect_right(self._line_starts, offset)
        return line, offset - self._line_starts[line - 1] + 1

    def line(self, number: int) -> str:
        """The text of a line, counted from one, without its line end."""
        start = self._line_starts[number - 1]
        end = self.text.find("\n", start)
        return self.text[start : len(self.text) if end < 0 else end].rstrip("\r")


@dataclass(frozen=True)
class Span:
    """A stretch of a source, as character offsets, the end exclusive."""

    source: Source = field(repr=False)
    start: int
    end: int

    def to(self, other: Span) -> Span:
        """The stretch from the start of this span to the end of another."""
        return Span(self.source, self.start, other.end)

    @property
    def text(self) -> str:
        """The text under the span."""
        return self.source.text[self.start : self.end]

    @property
    def line(self) -> int:
        """The line the span starts in, counted from one."""
        return self.source.position(self.start)[0]

    @property
    def place(self) -> str:
        """``file:line:column``."""
        line, column = self.source.position(self.start)
        return f"{self.source.name}:{line}:{column}"


@dataclass(frozen=True)
class Annotation:
    """A place in a source and what is to be said of it; the first of a diagnostic is primary."""

    span: Span
    text: str = ""


@dataclass(frozen=True)
class Diagnostic:
    """One message.

    ``code`` is stable (``P`` and three digits), ``headline`` one terse sentence without a full
    stop, ``where`` the place in a model, ``notes`` the reasons, ``help`` what to do about it.
    """

    code: str
    headline: str
    where: Optional[str] = None
    annotations: tuple[Annotation, ...] = ()
    notes: tuple[str, ...] = ()
    help: Optional[str] = None
    severity: Severity = Severity.ERROR


class PrunecError(Exception):
    """Raised with every diagnostic of a step that could not be done."""

    def __init__(self, *diagnostics: Diagnostic) -> None:
        super().__init__("; ".join(f"{d.code}: {d.headline}" for d in diagnostics))
        self.diagnostics: tuple[Diagnostic, ...] = diagnostics


@contextmanager
def with_location(where: str) -> Iterator[None]:
    """Gives messages that name no place this one."""
    try:
        yield
    except PrunecError as error:
        placed = (d if d.where or d.annotations else replace(d, where=where) for d in error.diagnostics)
        raise PrunecError(*placed) from None


def printable(text: str, limit: int = 200) -> str:
    """A name from a stranger's file made safe for a terminal: no control or direction
    characters, and no more than ``limit`` characters."""
    if len(text) <= limit and text.isprintable():
        return text
    safe = "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text[: limit + 1])
    return safe if len(text) <= limit else safe[:limit] + "…"


def render(diagnostic: Diagnostic) -> str:
    """The full form: headline, place, excerpt with a caret under each annotated span, notes, help."""
    lines = [f"{diagnostic.severity.value}[{diagnostic.code}]: {printable(diagnostic.headline, 2000)}"]
    if diagnostic.where:
        lines.append(f"  --> {printable(diagnostic.where, 2000)}")
    for annotation in diagnostic.annotations:
        lines += _excerpt(annotation)
    lines += [f"  note: {printable(note, 2000)}" for note in diagnostic.notes]
    if diagnostic.help:
        lines.append(f"  help: {printable(diagnostic.help, 2000)}")
    return "\n".join(lines)


def render_all(diagnostics: Iterable[Diagnostic]) -> str:
    """Several diagnostics in the full form, a blank line between them."""
    return "\n\n".join(render(diagnostic) for diagnostic in diagnostics)


def _excerpt(annotation: Annotation) -> list[str]:
    span = annotation.span
    line, column = span.source.position(span.start)
    text = span.source.line(line)
    before, under = text[: column - 1], text[column - 1 : column - 1 + max(1, span.end - span.start)]
    # Tabs are kept in the padding so that the caret stands under what it points at.
    padding = "".join("\t" if c == "\t" else " " for c in _line(before))
    caret = f"{padding}{'^' * max(1, len(_line(under)))} {printable(annotation.text, 2000)}".rstrip()
    gutter = " " * len(str(line))
    return [
        f"  --> {printable(span.place, 1000)}",
        f" {gutter} |",
        f" {line} | {_line(text, 400)}",
        f" {gutter} | {caret}",
    ]


def _line(text: str, limit: int = 100_000) -> str:
    """A line of a file made safe for a terminal; tabs stay."""
    return "\t".join(printable(part, limit) for part in text.split("\t"))
