"""Sensitivities as a picture: a row for each group, a column for each share of it that went."""

from __future__ import annotations

from typing import Sequence
from xml.sax.saxutils import escape

from prunec.diagnostics import printable
from prunec.planning.sensitivity import Entry

_ROW, _COLUMN, _LEFT, _TOP = 18, 64, 330, 64
#: From what changes least to what changes most (perceptually even, readable without colour).
_COLOURS = ((253, 231, 183), (247, 188, 120), (229, 131, 80), (190, 74, 72), (126, 33, 78), (58, 12, 62))


def heatmap(entries: Sequence[Entry], title: str) -> str:
    """An SVG file."""
    groups = sorted({(entry.group, entry.name) for entry in entries})
    shares = sorted({round(entry.removed / entry.units, 2) for entry in entries})
    # Sizes round to shares of their own; ten columns at most, the nearest each.
    columns = _columns(shares)
    top = max((entry.change for entry in entries), default=1.0) or 1.0
    width, height = _LEFT + _COLUMN * len(columns) + 20, _TOP + _ROW * len(groups) + 20
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="11">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
        f'<text x="10" y="20" font-size="14">{_text(title)}</text>',
        '<text x="10" y="38" fill="#555">change of the outputs when a share of one group alone goes</text>',
    ]
    for column, share in enumerate(columns):
        x = _LEFT + column * _COLUMN + _COLUMN // 2
        lines.append(f'<text x="{x}" y="{_TOP - 6}" text-anchor="middle">{share:.0%}</text>')
    for row, (group, name) in enumerate(groups):
        y = _TOP + row * _ROW
        label = _text(f"{group} {name}"[-48:])
        lines.append(f'<text x="{_LEFT - 8}" y="{y + 13}" text-anchor="end">{label}</text>')
        own = [entry for entry in entries if entry.group == group]
        for column, share in enumerate(columns):
            entry = min(own, key=lambda e: abs(e.removed / e.units - share))
            lines += _cell(_LEFT + column * _COLUMN, y, entry, entry.change / top)
    return "\n".join([*lines, "</svg>"]) + "\n"


def _columns(shares: Sequence[float]) -> list[float]:
    if len(shares) <= 10:
        return list(shares)
    return [shares[round(k * (len(shares) - 1) / 9)] for k in range(10)]


def _cell(x: int, y: int, entry: Entry, level: float) -> list[str]:
    red, green, blue = _colour(level)
    ink = "white" if level > 0.5 else "#333"
    tip = _text(f"{entry.name}: {entry.removed} of {entry.units} units, change {entry.change:.3g}")
    return [
        f'<rect x="{x}" y="{y}" width="{_COLUMN - 2}" height="{_ROW - 2}" fill="rgb({red},{green},{blue})">'
        f"<title>{tip}</title></rect>",
        f'<text x="{x + _COLUMN // 2 - 1}" y="{y + 12}" text-anchor="middle" fill="{ink}">'
        f"{entry.change:.2g}</text>",
    ]


def _colour(level: float) -> tuple[int, int, int]:
    position = max(0.0, min(1.0, level)) * (len(_COLOURS) - 1)
    low = min(int(position), len(_COLOURS) - 2)
    part = position - low
    first, second = _COLOURS[low], _COLOURS[low + 1]
    red, green, blue = (round(a + (b - a) * part) for a, b in zip(first, second))
    return red, green, blue


def _text(text: str) -> str:
    return escape(printable(text), {'"': "&quot;"})
