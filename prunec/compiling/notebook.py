"""Tables for notebooks; names come from strangers' files, and stand in them as text."""

from __future__ import annotations

from html import escape
from typing import Sequence

from prunec.support.diagnostics import printable

#: Longer tables are cut: a notebook keeps what it shows.
_MOST_ROWS = 60


def table(title: str, heads: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A table in HTML; ``None`` is an empty cell."""
    shown = [_row("th", heads), *(_row("td", row) for row in rows[:_MOST_ROWS])]
    if len(rows) > _MOST_ROWS:
        shown.append(_row("td", [f"and {len(rows) - _MOST_ROWS} more"]))
    return f"<table><caption>{_text(title)}</caption>{''.join(shown)}</table>"


def _row(cell: str, values: Sequence[object]) -> str:
    return "<tr>" + "".join(f"<{cell}>{_text(value)}</{cell}>" for value in values) + "</tr>"


def _text(value: object) -> str:
    if value is None:
        return ""
    return escape(f"{value:,}" if type(value) is int else printable(str(value)))
