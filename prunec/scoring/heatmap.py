"""Sensitivities as a picture: a row for each group, a column for each share of it that went."""

from __future__ import annotations

from typing import Sequence

from prunec.scoring.pictures import BLACK, GREY, WHITE, Colour, Picture, Rectangle, Text
from prunec.scoring.sensitivity import Entry
from prunec.support.diagnostics import printable

_ROW, _COLUMN, _LEFT, _TOP = 18, 64, 330, 64
#: From what changes least to what changes most (perceptually even, readable without colour).
_COLOURS = (
    *(Colour(253, 231, 183), Colour(247, 188, 120), Colour(229, 131, 80)),
    *(Colour(190, 74, 72), Colour(126, 33, 78), Colour(58, 12, 62)),
)


def heatmap(entries: Sequence[Entry], title: str) -> Picture:
    """The picture of a table."""
    groups = sorted({(entry.group, entry.name) for entry in entries})
    shares = sorted({round(entry.removed / entry.units, 2) for entry in entries})
    # Sizes round to shares of their own; ten columns at most, the nearest each.
    columns = _columns(shares)
    top = max((entry.change for entry in entries), default=1.0) or 1.0
    rectangles: list[Rectangle] = []
    texts = [
        Text(10, 20, printable(title), size=14),
        Text(10, 38, "change of the outputs when a share of one group alone goes", fill=GREY),
    ]
    for column, share in enumerate(columns):
        texts.append(Text(_middle(column), _TOP - 6, f"{share:.0%}", "centre"))
    for row, (group, name) in enumerate(groups):
        y = _TOP + row * _ROW
        texts.append(Text(_LEFT - 8, y + 13, printable(f"{group} {name}")[-48:], "right"))
        own = [entry for entry in entries if entry.group == group]
        for column, share in enumerate(columns):
            entry = min(own, key=lambda e: abs(e.removed / e.units - share))
            level = entry.change / top
            tip = f"{entry.name}: {entry.removed} of {entry.units} units, change {entry.change:.3g}"
            x = _LEFT + column * _COLUMN
            rectangles.append(Rectangle(x, y, _COLUMN - 2, _ROW - 2, _colour(level), tip))
            ink = WHITE if level > 0.5 else BLACK
            texts.append(Text(_middle(column), y + 12, f"{entry.change:.2g}", "centre", fill=ink))
    width, height = _LEFT + _COLUMN * len(columns) + 20, _TOP + _ROW * len(groups) + 20
    return Picture(width, height, tuple(rectangles), tuple(texts))


def _middle(column: int) -> int:
    return _LEFT + column * _COLUMN + _COLUMN // 2 - 1


def _columns(shares: Sequence[float]) -> list[float]:
    if len(shares) <= 10:
        return list(shares)
    return [shares[round(k * (len(shares) - 1) / 9)] for k in range(10)]


def _colour(level: float) -> Colour:
    position = max(0.0, min(1.0, level)) * (len(_COLOURS) - 1)
    low = min(int(position), len(_COLOURS) - 2)
    part = position - low
    first, second = _COLOURS[low], _COLOURS[low + 1]
    red, green, blue = (round(a + (b - a) * part) for a, b in zip(first, second))
    return Colour(red, green, blue)
