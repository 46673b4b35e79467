"""Tables for the terminal: drawn with rich where there is one, aligned text elsewhere."""

from __future__ import annotations

import sys
from typing import Sequence

from prunec.cli.terminal import is_terminal
from prunec.reporting.names import shown
from prunec.support.diagnostics import printable

#: The longest a cell gets in plain text.
WIDEST = 60
#: On a terminal, the least a column of text gets before numbers are left out, and what is between columns.
_NARROWEST, _GAP = 16, 2


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]], right: frozenset[int]) -> None:
    """Prints a table; ``right`` are the columns whose cells end at one place (numbers).

    Cells may hold names from models: they are made printable here.  On a narrow terminal the last columns of
    numbers are left out.
    """
    cells = [[printable(cell) for cell in row] for row in rows]
    if is_terminal(sys.stdout):
        _print_rich(columns, cells, right)
    else:
        print("\n".join(text_table(columns, cells, right)))


def text_table(columns: Sequence[str], rows: Sequence[Sequence[str]], right: frozenset[int]) -> list[str]:
    """The lines of an aligned table."""
    final = len(columns) - 1
    # The last column may be a sentence, and nothing stands behind it.
    cells = [[c if k == final else shown(c, WIDEST) for k, c in enumerate(line)] for line in (columns, *rows)]
    widths = _widths(cells)
    return [
        "  ".join(
            cell.rjust(widths[k]) if k in right else cell.ljust(widths[k]) for k, cell in enumerate(line)
        ).rstrip()
        for line in cells
    ]


def _widths(lines: Sequence[Sequence[str]]) -> list[int]:
    return [max(map(len, column)) for column in zip(*lines)]


def fitting(widths: Sequence[int], right: frozenset[int], width: int) -> list[int]:
    """The columns of these widths to show in ``width`` characters: all, or as many as leave the columns of
    text, which may be shortened, enough to be read."""
    least = [own if k in right else min(own, _NARROWEST) for k, own in enumerate(widths)]
    kept = list(range(len(widths)))
    for k in reversed(range(1, len(widths))):
        if sum(least[j] + _GAP for j in kept) <= width + _GAP:
            break
        if k in right:
            kept.remove(k)
    return kept


def name_width(widths: Sequence[int], right: frozenset[int], width: int) -> int:
    """The longest that names may be, in columns of text but the last one, for all to have ``width``."""
    text = [own for k, own in enumerate(widths) if k not in right]
    room = width - (sum(widths) - sum(text)) - _GAP * (len(widths) - 1)
    return max(room // max(len(text), 1), 1) if sum(text) > room else max(widths)


def _print_rich(columns: Sequence[str], rows: Sequence[Sequence[str]], right: frozenset[int]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    kept = fitting(_widths((columns, *rows)), right, console.width)
    columns, *rows = ([line[k] for k in kept] for line in (columns, *rows))
    right = frozenset(place for place, k in enumerate(kept) if k in right)
    longest = name_width(_widths((columns, *rows)), right, console.width)
    table = Table(box=box.SIMPLE_HEAD, padding=(0, _GAP - 1, 0, 0), pad_edge=False, show_edge=False)
    for k, column in enumerate(columns):
        table.add_column(Text(column), justify="right" if k in right else "left", no_wrap=k in right)
    for row in rows:
        names = {k for k in range(len(row)) if k not in right and (k == 0 or k < len(row) - 1)}
        # Text, not markup: a name may hold square brackets.
        table.add_row(*(Text(shown(cell, longest) if k in names else cell) for k, cell in enumerate(row)))
    console.print(table)
