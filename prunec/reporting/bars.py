"""One column for each layer, before and after: the quickest view of where a network got smaller."""

from __future__ import annotations

from typing import Sequence

from markupsafe import Markup

from prunec.reporting.names import amount, exact, percent_less, shown
from prunec.rewriting.layers import Change, Layer

_HEIGHT, _LEFT, _TOP, _BOTTOM = 170.0, 46.0, 8.0, 16.0
_WIDTH = 1080.0
_NARROWEST, _WIDEST = 3.0, 60.0
#: The scale of larger numbers is rounded.
_LARGEST_WHOLE = 100_000


def skyline(layers: Sequence[Layer], changes: Sequence[Change], label: str) -> Markup:
    """A column chart of ``changes``, one for each layer; layers without known numbers leave a gap."""
    if not layers:
        return Markup("")
    highest = max((before or 0 for before, _ in changes), default=0) or 1
    step = min(max((_WIDTH - _LEFT) / len(layers), _NARROWEST), _WIDEST)
    gap = 1.0 if step > 5 else 0.5
    width = _LEFT + step * len(layers) + 4
    parts = _grid(highest, width)
    for place, (layer, (before, after)) in enumerate(zip(layers, changes)):
        if before is None or after is None:
            continue
        x = f"{_LEFT + step * place:.1f}"
        bar = f"{step - gap:.1f}"
        said = f"{exact(before)} → {exact(after)} {percent_less(before, after)}"
        if layer.kept:
            said += f"\nkept: {shown(layer.kept, 200)}"
        pieces = [
            Markup("<title>{}\n{}</title>").format(shown(layer.name, 120), said),
            _bar("was", x, bar, before / highest),
            _bar("same" if before == after else "now", x, bar, after / highest),
        ]
        parts.append(Markup(f'<a href="#layer-{place}">') + Markup("").join(pieces) + Markup("</a>"))
    body = Markup("").join(parts)
    return Markup(
        '<svg class="sky" width="{w}" height="{h}" viewBox="0 0 {w} {h}" role="group" aria-label="{label}">'
        "{body}</svg>"
    ).format(w=f"{width:.0f}", h=f"{_HEIGHT:.0f}", label=label, body=body)


def _bar(kind: str, x: str, width: str, share: float) -> Markup:
    full = _HEIGHT - _TOP - _BOTTOM
    height = max(full * share, 0.6)
    return Markup(
        f'<rect class="{kind}" x="{x}" y="{_TOP + full - height:.1f}" width="{width}" height="{height:.1f}"/>'
    )


def _mark(highest: int, share: float) -> str:
    """What stands beside a line of the grid: whole numbers where there is room for them."""
    number = highest * share
    return f"{number:,.0f}" if highest < _LARGEST_WHOLE else amount(number)


def _grid(highest: int, width: float) -> list[Markup]:
    full = _HEIGHT - _TOP - _BOTTOM
    parts = []
    for share in (0.0, 0.5, 1.0):
        y = f"{_TOP + full * (1 - share):.1f}"
        parts.append(Markup(f'<path class="grid" d="M{_LEFT:.0f} {y}H{width:.0f}"/>'))
        place = f'x="{_LEFT - 5:.0f}" y="{float(y) + 3.5:.1f}"'
        parts.append(Markup(f'<text class="t2 end" {place}>{_mark(highest, share)}</text>'))
    parts.append(Markup(f'<text class="t2" x="{_LEFT:.0f}" y="{_HEIGHT - 3:.0f}">first layer</text>'))
    parts.append(Markup(f'<text class="t2 end" x="{width - 4:.0f}" y="{_HEIGHT - 3:.0f}">last layer</text>'))
    return parts
