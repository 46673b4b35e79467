"""Tables for the terminal: drawn with rich where there is one, aligned text elsewhere."""

from __future__ import annotations

import sys
from typing import Optional, Sequence

from prunec.diagnostics import printable

#: The longest a cell gets in plain text.
WIDEST = 60


def print_table(
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    right: frozenset[int],
    footer: Optional[Sequence[str]] = None,
) -> None:
    """Prints a table; ``right`` are the columns whose cells end at one place (numbers).

    Cells may hold names from models: they are made printable here.
    """
    shown = [[printable(cell) for cell in row] for row in rows]
    last = None if footer is None else [printable(cell) for cell in footer]
    if sys.stdout.isatty():
        _print_rich(columns, shown, right, last)
    else:
        print("\n".join(text_table(columns, shown, right, last)))


def text_table(
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    right: frozenset[int],
    footer: Optional[Sequence[str]] = None,
) -> list[str]:
    """The lines of an aligned table."""
    lines = [list(columns), *map(list, rows), *([list(footer)] if footer is not None else [])]
    final = len(columns) - 1
    # The last column may be a sentence, and nothing stands behind it.
    cells = [[c if k == final else _shortened(c) for k, c in enumerate(line)] for line in lines]
    widths = [max(len(line[k]) for line in cells) for k in range(len(columns))]
    return [
        "  ".join(
            cell.rjust(widths[k]) if k in right else cell.ljust(widths[k]) for k, cell in enumerate(line)
        ).rstrip()
        for line in cells
    ]


def _shortened(cell: str) -> str:
    return cell if len(cell) <= WIDEST else cell[: WIDEST - 1] + "…"


def _print_rich(
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    right: frozenset[int],
    footer: Optional[Sequence[str]],
) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE, show_footer=footer is not None, pad_edge=False)
    for k, column in enumerate(columns):
        end = Text(footer[k]) if footer is not None else ""
        table.add_column(Text(column), end, justify="right" if k in right else "left")
    for row in rows:
        # Text, not markup: a name may hold square brackets.
        table.add_row(*map(Text, row))
    Console().print(table)
