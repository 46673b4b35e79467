"""Accuracy against multiply-adds as an SVG file: a row for each set, a column for each stage."""

from __future__ import annotations

from statistics import mean
from typing import Mapping, Sequence

from results import RANDOM, values
from runs import Result

_STAGES = {
    "plain": "no compensation",
    "means": "with --means",
    "tuned_means": "with --means, fine-tuned",
}
_TITLE = "Accuracy against the share of multiply-adds left (last column: from 85 %)"
_ROWS = {"digits": "digits", "harder": "harder set"}
#: Colours that the colour-blind tell apart (Okabe and Ito), and dashes to tell criteria of one colour apart.
_STYLES = {
    "l1": ("#0072b2", ""),
    "l2": ("#0072b2", "5 3"),
    "lamp": ("#56b4e9", ""),
    "bn-scale": ("#009e73", ""),
    "fpgm": ("#cc79a7", ""),
    "activation": ("#e69f00", "5 3"),
    "apoz": ("#e69f00", "2 3"),
    "taylor": ("#d55e00", ""),
    "reconstruction": ("#d55e00", "5 3"),
    "sensitivity": ("#000000", ""),
    RANDOM: ("#555555", "2 3"),
}
#: The least accuracy that a panel shows: fine-tuned networks differ by little.
_LOWEST = {"plain": 0.0, "means": 0.0, "tuned_means": 0.85}
_WIDTH, _HEIGHT, _LEFT, _TOP, _GAP = 230, 170, 60, 50, 44


def plot(originals: Mapping[str, Sequence[float]], results: Sequence[Result]) -> str:
    """The plot, of means over networks; one ranking is left out, the range of random choices is shaded."""
    found = [result for result in results if not result.task.ranked]
    width = _LEFT + len(_STAGES) * (_WIDTH + _GAP)
    bottom = _TOP + len(originals) * (_HEIGHT + _GAP)
    height = bottom + 50
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="11">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
        f'<text x="{_LEFT}" y="20" font-size="14">{_TITLE}</text>',
    ]
    for row, name in enumerate(originals):
        for column, stage in enumerate(_STAGES):
            own = [result for result in found if result.task.images == name]
            x, y = _LEFT + column * (_WIDTH + _GAP), _TOP + row * (_HEIGHT + _GAP)
            lines += _panel(x, y, f"{_ROWS[name]}, {_STAGES[stage]}", own, stage, mean(originals[name]))
    return "\n".join([*lines, *_legend(bottom, found), "</svg>"]) + "\n"


def _across(x: int, share: float) -> float:
    return x + (1 - share) / 0.75 * _WIDTH


def _down(y: int, accuracy: float, lowest: float) -> float:
    return y + min(1.0, (1 - accuracy) / (1 - lowest)) * _HEIGHT


def _panel(x: int, y: int, title: str, results: Sequence[Result], stage: str, original: float) -> list[str]:
    lowest = _LOWEST[stage]
    lines = [
        f'<text x="{x}" y="{y - 6}" fill="#333">{title}</text>',
        f'<rect x="{x}" y="{y}" width="{_WIDTH}" height="{_HEIGHT}" fill="none" stroke="#999"/>',
    ]
    for tick in (lowest + step * (1 - lowest) / 5 for step in range(6)):
        at = _down(y, tick, lowest)
        lines.append(f'<line x1="{x}" x2="{x + _WIDTH}" y1="{at:.1f}" y2="{at:.1f}" stroke="#eee"/>')
        lines.append(f'<text x="{x - 5}" y="{at + 4:.1f}" text-anchor="end" fill="#555">{tick:.0%}</text>')
    for share in (1.0, 0.7, 0.5, 0.3):
        place = f'x="{_across(x, share):.1f}" y="{y + _HEIGHT + 14}" text-anchor="middle"'
        lines.append(f'<text {place} fill="#555">{share:.0%}</text>')
    chance = [result for result in results if result.task.criterion == RANDOM]
    lines += _band(x, y, _by_budget(chance, stage), original, lowest)
    for criterion, (colour, dashes) in _STYLES.items():
        own = _by_budget([result for result in results if result.task.criterion == criterion], stage)
        if own:
            points = [(1.0, original), *((left, mean(numbers)) for left, numbers in own)]
            lines.append(_line([(_across(x, s), _down(y, a, lowest)) for s, a in points], colour, dashes))
    return lines


def _by_budget(results: Sequence[Result], stage: str) -> list[tuple[float, list[float]]]:
    """The mean share left and what was measured, from the largest budget to the smallest."""
    found = []
    for budget in sorted({result.task.budget for result in results}, reverse=True):
        own = [result for result in results if result.task.budget == budget]
        numbers = values(own, stage)
        if numbers:
            found.append((mean(result.left for result in own), numbers))
    return found


def _band(
    x: int, y: int, own: Sequence[tuple[float, list[float]]], original: float, lowest: float
) -> list[str]:
    """The range of what random choices reach."""
    if not own:
        return []
    high = [(1.0, original), *((share, max(numbers)) for share, numbers in own)]
    low = [(1.0, original), *((share, min(numbers)) for share, numbers in own)]
    corners = " ".join(f"{_across(x, s):.1f},{_down(y, a, lowest):.1f}" for s, a in [*high, *reversed(low)])
    return [f'<polygon points="{corners}" fill="#555555" fill-opacity="0.15"/>']


def _line(points: Sequence[tuple[float, float]], colour: str, dashes: str) -> str:
    path = " ".join(f"{across:.1f},{down:.1f}" for across, down in points)
    style = f' stroke-dasharray="{dashes}"' if dashes else ""
    return f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.8"{style}/>'


def _legend(y: int, results: Sequence[Result]) -> list[str]:
    lines = []
    shown = {result.task.criterion for result in results}
    for number, criterion in enumerate(name for name in _STYLES if name in shown):
        colour, dashes = _STYLES[criterion]
        x, down = _LEFT + number % 6 * 130, y + 5 + number // 6 * 18
        lines.append(_line([(x, down), (x + 26, down)], colour, dashes))
        label = "random: mean and range" if criterion == RANDOM else criterion
        lines.append(f'<text x="{x + 32}" y="{down + 4}">{label}</text>')
    return lines
