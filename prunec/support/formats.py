"""Diagnostics for people, for programs and for continuous integration."""

from __future__ import annotations

import json
from typing import Any, Sequence

from prunec.support.diagnostics import Diagnostic, Span, printable, render_all

FORMATS = ("full", "concise", "json", "github")


def diagnostics_text(diagnostics: Sequence[Diagnostic], form: str) -> str:
    """Diagnostics in one of ``FORMATS``, with a line end where there are any (JSON always is a list)."""
    if form == "json":
        return json.dumps([diagnostic_object(d) for d in diagnostics], indent=1) + "\n"
    if not diagnostics:
        return ""
    if form == "concise":
        return "\n".join(_concise(d) for d in diagnostics) + "\n"
    if form == "github":
        return "\n".join(_github(d) for d in diagnostics) + "\n"
    return render_all(diagnostics) + "\n"


def _concise(diagnostic: Diagnostic) -> str:
    """``file:line:column: error[P101]: headline``, on one line."""
    place = diagnostic.annotations[0].span.place if diagnostic.annotations else diagnostic.where
    message = f"{diagnostic.severity.value}[{diagnostic.code}]: {_headline(diagnostic)}"
    if diagnostic.help:
        message += f" ({diagnostic.help})"
    return printable(f"{place}: {message}" if place else message, 2000)


def _headline(diagnostic: Diagnostic) -> str:
    """The headline with what is said under the caret."""
    text = diagnostic.annotations[0].text if diagnostic.annotations else ""
    return f"{diagnostic.headline}: {text}" if text else diagnostic.headline


def _github(diagnostic: Diagnostic) -> str:
    """A workflow command of GitHub Actions: the platform shows it beside the line."""
    parts = []
    if diagnostic.annotations:
        span = diagnostic.annotations[0].span
        (line, column), (end_line, end_column) = _ends(span)
        parts = [
            f"file={_property(span.source.name)}",
            f"line={line}",
            f"endLine={end_line}",
            f"col={column}",
            f"endColumn={end_column}",
        ]
    parts.append(f"title={_property(diagnostic.code)}")
    lines = [_headline(diagnostic), *(f"note: {note}" for note in diagnostic.notes)]
    for annotation in diagnostic.annotations[1:]:
        lines.append(f"{annotation.span.place}: {annotation.text}")
    if diagnostic.help:
        lines.append(f"help: {diagnostic.help}")
    text = (
        "\n".join(printable(line, 4000) for line in lines)
        .replace("%", "%25")
        .replace("\r", "%0D")
        .replace("\n", "%0A")
    )
    return f"::{diagnostic.severity.value} {','.join(parts)}::{text}"


def _property(text: str) -> str:
    text = printable(text, 1000)
    for character, escape in (("%", "%25"), ("\r", "%0D"), ("\n", "%0A"), (":", "%3A"), (",", "%2C")):
        text = text.replace(character, escape)
    return text


def diagnostic_object(diagnostic: Diagnostic) -> dict[str, Any]:
    """A diagnostic as an object of JSON: what it says, and its places with lines and columns."""
    return {
        "code": diagnostic.code,
        "severity": diagnostic.severity.value,
        "headline": diagnostic.headline,
        "where": diagnostic.where,
        "annotations": [{**_place(a.span), "text": a.text} for a in diagnostic.annotations],
        "notes": list(diagnostic.notes),
        "help": diagnostic.help,
    }


def _place(span: Span) -> dict[str, Any]:
    (line, column), (end_line, end_column) = _ends(span)
    return {
        "file": span.source.name,
        "line": line,
        "column": column,
        "end_line": end_line,
        "end_column": end_column,
    }


def _ends(span: Span) -> tuple[tuple[int, int], tuple[int, int]]:
    return span.source.position(span.start), span.source.position(span.end)
