"""Long lines of rules and policies, broken where that can be done."""

from __future__ import annotations

import re
from collections.abc import Iterator

#: Longest line that is written where the text allows a break.
WIDTH = 100

_PIECES = re.compile(r'"[^"]*"|[,;] |.', re.DOTALL)
_JOINING = re.compile(r"(?:and|or|when|because|specialises|as|unless)\b")


def wrap(text: str, first: str, others: str) -> list[str]:
    """The text in lines of at most ``WIDTH`` columns where it can be broken: behind commas outside
    of brackets, and before the words that join conditions."""
    lines: list[str] = []
    line = first
    for piece in _pieces(text, len(others)):
        if len((line + piece).rstrip()) > WIDTH and line.strip():
            lines.append(line.rstrip())
            line = others
            piece = piece.lstrip()
        line += piece
    lines.append(line.rstrip())
    return lines


def _pieces(text: str, indent: int) -> Iterator[str]:
    """The text cut where a line can end; what is too long for a line also where another axis list begins."""
    for piece in _breakable(text):
        if len(piece.rstrip()) + indent <= WIDTH:
            yield piece
            continue
        first, *others = piece.split(" | ")
        yield first
        yield from (f" | {other}" for other in others)


def _breakable(text: str) -> list[str]:
    """The text cut at each place where a line can end."""
    pieces = [""]
    depth = lists = 0
    for match in _PIECES.finditer(text):
        token = match.group()
        depth += (token in "[({") - (token in "])}")
        lists += (token == "[") - (token == "]")
        if token in (", ", "; ") and depth == 0:
            pieces[-1] += token
            pieces.append("")
        elif token == " " and not lists and _JOINING.match(text, match.end()):
            pieces.append(" ")
        else:
            pieces[-1] += token
    return pieces
