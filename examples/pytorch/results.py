"""The comparison as a text and as a plot."""

from __future__ import annotations

from statistics import mean, stdev
from typing import Any, Mapping, Sequence

_HEAD = """# prunec and Torch-Pruning on two small networks

Accuracy on held-out images of handwritten digits, in per cent.
`python compare.py` writes this file and the plot; everything in them was run, in PyTorch, with fixed seeds.

![accuracy by epochs of fine-tuning](results.svg)

Each figure is a mean over {seeds} networks trained from different seeds, with the standard deviation among
them. All ways get the same budget of multiply-adds, of which Torch-Pruning, given a
ratio for all layers, leaves a little less; all are fine-tuned alike: as many epochs, the same images in the
same order, the same optimiser and rates. *Restored* has {examples} training images without
labels as examples. Every network that prunec made is proved to compute what the masked original does.
"""
_STYLES = {
    "prunec, restored": ("#009e73", ""),
    "prunec, cut": ("#0072b2", "5 3"),
    "Torch-Pruning": ("#d55e00", "2 3"),
}
_WIDTH, _HEIGHT, _LEFT, _TOP, _GAP = 260, 170, 60, 50, 50


def text(originals: Mapping[str, Sequence[float]], results: Sequence[Any]) -> str:
    """RESULTS.md; ``originals`` are the accuracies of the networks as trained, by seed."""
    examples = 512
    parts = [_HEAD.format(seeds=len(next(iter(originals.values()))), examples=examples)]
    for name, accuracies in originals.items():
        parts.append(f"\n## {name.capitalize()}\n\nAs trained: {_cell(accuracies)}.\n")
        own = [one for one in results if one.network == name]
        epochs = len(own[0].curve) - 1
        shown = sorted({0, 1, 2, epochs})
        columns = ["untrained" if e == 0 else f"{e} epoch{'s' * (e > 1)}" for e in shown]
        parts.append(
            f"| left | way | {' | '.join(columns)} | seconds |\n|---:|---|{'---:|' * (len(shown) + 1)}"
        )
        for budget in sorted({one.budget for one in own}, reverse=True):
            for way in _STYLES:
                found = [one for one in own if one.way == way and one.budget == budget]
                cells = " | ".join(_cell([one.curve[epoch] for one in found]) for epoch in shown)
                left = mean(one.multiply_adds for one in found)
                parts.append(f"| {left:.1%} | {way} | {cells} | {mean(one.seconds for one in found):.1f} |")
    return "\n".join(parts) + "\n"


def _cell(accuracies: Sequence[float]) -> str:
    spread = f" ± {100 * stdev(accuracies):.1f}" if len(accuracies) > 1 else ""
    return f"{100 * mean(accuracies):.1f}{spread}"


def plot(originals: Mapping[str, Sequence[float]], results: Sequence[Any]) -> str:
    """Accuracy by epochs: a row for each network, a column for each budget, as SVG."""
    budgets = sorted({one.budget for one in results}, reverse=True)
    width = _LEFT + len(budgets) * (_WIDTH + _GAP)
    height = _TOP + len(originals) * (_HEIGHT + _GAP) + 20
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="11">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
    ]
    for row, (name, accuracies) in enumerate(originals.items()):
        for column, budget in enumerate(budgets):
            x, y = _LEFT + column * (_WIDTH + _GAP), _TOP + row * (_HEIGHT + _GAP)
            own = [one for one in results if one.network == name and one.budget == budget]
            lines += _panel(x, y, f"{name}, {budget:.0%} of the multiply-adds", mean(accuracies), own)
    for place, (way, (colour, dash)) in enumerate(_STYLES.items()):
        x = _LEFT + place * 150
        lines.append(f'<path d="M{x} 20h24" stroke="{colour}" stroke-width="2" stroke-dasharray="{dash}"/>')
        lines.append(f'<text x="{x + 30}" y="24">{way}</text>')
    return "\n".join([*lines, "</svg>"]) + "\n"


def _panel(x: int, y: int, title: str, original: float, results: Sequence[Any]) -> list[str]:
    epochs = len(results[0].curve) - 1
    lines = [
        f'<text x="{x}" y="{y - 6}">{title}</text>',
        f'<rect x="{x}" y="{y}" width="{_WIDTH}" height="{_HEIGHT}" fill="none" stroke="#888"/>',
        f'<path d="M{x} {_place(y, original):.1f}h{_WIDTH}" stroke="#888" stroke-dasharray="1 3"/>',
        f'<text x="{x}" y="{y + _HEIGHT + 14}">0</text>',
        f'<text x="{x + _WIDTH}" y="{y + _HEIGHT + 14}" text-anchor="end">{epochs} epochs</text>',
    ]
    for share in (0.0, 0.5, 1.0):
        place = _place(y, share)
        lines.append(f'<text x="{x - 6}" y="{place + 4:.1f}" text-anchor="end">{share:.0%}</text>')
    for way, (colour, dash) in _STYLES.items():
        curves = [one.curve for one in results if one.way == way]
        points = [
            f"{x + _WIDTH * epoch / epochs:.1f},{_place(y, mean(curve[epoch] for curve in curves)):.1f}"
            for epoch in range(epochs + 1)
        ]
        lines.append(
            f'<polyline points="{" ".join(points)}" fill="none" stroke="{colour}" stroke-width="2" '
            f'stroke-dasharray="{dash}"/>'
        )
    return lines


def _place(top: int, accuracy: float) -> float:
    return top + _HEIGHT * (1 - accuracy)
