"""The comparison as an SVG file: a row for each set; accuracy against multiply-adds, a column for each thing
that is done for what goes, and accuracy by epochs of fine-tuning."""

from __future__ import annotations

from statistics import mean
from typing import Iterator, Mapping, Sequence

from results import curves, values
from runs import AUTO, EXAMPLES, FEW_EPOCHS, Result

_COLUMNS = {"cut": "cut", "means": "with --means", "restored": "restored"}
_TITLE = "Accuracy against the share of multiply-adds left, and by epochs of fine-tuning at a quarter"
_ROWS = {"digits": "digits", "harder": "harder set"}
#: Colours that the colour-blind tell apart (Okabe and Ito), and dashes to tell criteria of one colour apart.
_STYLES = {
    "l1": ("#0072b2", ""),
    "random": ("#555555", "2 3"),
    "reconstruction": ("#d55e00", "5 3"),
    "obs": ("#009e73", ""),
    AUTO: ("#000000", ""),
}
_TUNED = {"cut": ("#d55e00", "5 3"), "restored": ("#000000", "")}
#: The budget at which fine-tuning is shown, and the least accuracy there: what is below is drawn at the edge.
_TUNED_AT, _LEAST = 0.25, 0.8
_WIDTH, _HEIGHT, _LEFT, _TOP, _GAP = 230, 170, 60, 50, 44

#: A line: points by their share of a panel's width and their accuracy, and its style.
_Line = tuple[Sequence[tuple[float, float]], tuple[str, str]]


def plot(originals: Mapping[str, Sequence[float]], results: Sequence[Result]) -> str:
    """The plot, of means over networks."""
    found = [result for result in results if result.task.examples == EXAMPLES]
    width = _LEFT + (len(_COLUMNS) + 1) * (_WIDTH + _GAP)
    bottom = _TOP + len(originals) * (_HEIGHT + _GAP)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{bottom + 40}" '
        f'viewBox="0 0 {width} {bottom + 40}" font-family="sans-serif" font-size="11">',
        f'<rect width="{width}" height="{bottom + 40}" fill="white"/>',
        f'<text x="{_LEFT}" y="20" font-size="14">{_TITLE}</text>',
    ]
    shares = {(1 - share) / 0.95: f"{share:.0%}" for share in (1.0, 0.5, 0.25, 0.1)}
    epochs = {epoch / FEW_EPOCHS: str(epoch) for epoch in range(FEW_EPOCHS + 1)}
    for row, name in enumerate(originals):
        own = [result for result in found if result.task.images == name]
        original, y = mean(originals[name]), _TOP + row * (_HEIGHT + _GAP)
        for column, way in enumerate(_COLUMNS):
            x = _LEFT + column * (_WIDTH + _GAP)
            drawn = list(_by_budget(own, way, original))
            lines += _panel(x, y, f"{_ROWS[name]}, {_COLUMNS[way]}", 0.0, shares, drawn)
        x = _LEFT + len(_COLUMNS) * (_WIDTH + _GAP)
        level: _Line = ([(0.0, original), (1.0, original)], ("#999999", "2 3"))
        tuned = [r for r in own if r.task.budget == _TUNED_AT]
        drawn = [level, *_by_epoch(tuned)]
        lines += _panel(x, y, f"{_ROWS[name]}, fine-tuned on {EXAMPLES} images", _LEAST, epochs, drawn)
    first = {name: style for name, style in _STYLES.items() if name in {r.criterion for r in found}}
    lines += _legend(_LEFT, bottom + 5, first)
    names = {f"from the {way} network": style for way, style in _TUNED.items()}
    return "\n".join([*lines, *_legend(_LEFT + 3 * (_WIDTH + _GAP), bottom + 5, names), "</svg>"]) + "\n"


def _by_budget(results: Sequence[Result], way: str, original: float) -> Iterator[_Line]:
    for criterion, style in _STYLES.items():
        points = [(0.0, original)]
        for budget in sorted({result.task.budget for result in results}, reverse=True):
            own = [r for r in results if r.task.budget == budget and r.criterion == criterion]
            if own:
                left = mean(result.left for result in own)
                points.append(((1 - left) / 0.95, mean(values(own, way))))
        if len(points) > 1:
            yield points, style


def _by_epoch(results: Sequence[Result]) -> Iterator[_Line]:
    for way, style in _TUNED.items():
        each = list(zip(*curves(results, way, few=True)))
        if each:
            yield [(epoch / FEW_EPOCHS, mean(numbers)) for epoch, numbers in enumerate(each)], style


def _panel(
    x: int, y: int, title: str, least: float, across: Mapping[float, str], drawn: Sequence[_Line]
) -> list[str]:
    lines = [
        f'<text x="{x}" y="{y - 6}" fill="#333">{title}</text>',
        f'<rect x="{x}" y="{y}" width="{_WIDTH}" height="{_HEIGHT}" fill="none" stroke="#999"/>',
    ]
    for tick in (least + step * (1 - least) / 5 for step in range(6)):
        at = _down(y, tick, least)
        lines.append(f'<line x1="{x}" x2="{x + _WIDTH}" y1="{at:.1f}" y2="{at:.1f}" stroke="#eee"/>')
        lines.append(f'<text x="{x - 5}" y="{at + 4:.1f}" text-anchor="end" fill="#555">{tick:.0%}</text>')
    for share, words in across.items():
        place = f'x="{x + share * _WIDTH:.1f}" y="{y + _HEIGHT + 14}" text-anchor="middle"'
        lines.append(f'<text {place} fill="#555">{words}</text>')
    for points, style in drawn:
        lines.append(_line([(x + share * _WIDTH, _down(y, own, least)) for share, own in points], style))
    return lines


def _down(y: int, accuracy: float, least: float) -> float:
    return y + min(1.0, (1 - accuracy) / (1 - least)) * _HEIGHT


def _line(points: Sequence[tuple[float, float]], style: tuple[str, str]) -> str:
    colour, dashes = style
    path = " ".join(f"{across:.1f},{down:.1f}" for across, down in points)
    dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
    return f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.8"{dashed}/>'


def _legend(x: int, y: int, styles: Mapping[str, tuple[str, str]]) -> list[str]:
    lines = []
    for number, (name, style) in enumerate(styles.items()):
        at = x + number * 140
        lines.append(_line([(at, y), (at + 26, y)], style))
        lines.append(f'<text x="{at + 32}" y="{y + 4}">{name}</text>')
    return lines
