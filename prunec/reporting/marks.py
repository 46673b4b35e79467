"""The marks that pictures of the network are made of, as SVG, and marks of groups in text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Optional, Sequence

from markupsafe import Markup, escape

from prunec.reporting.layered import Drawing, Point
from prunec.reporting.names import amount, ending, shown

#: Groups differ by one of so many colours and one of so many patterns; beyond, by their numbers only.
HUES, PATTERNS = 8, 4
PILL = (150.0, 18.0)
_STAGE_WIDTH = 300.0
#: Height of a stage with its title and figures, and what a bar and a row of groups add.
_STAGE_HEIGHT, _STAGE_BAR, _STAGE_TICKS = 40.0, 8.0, 14.0
_WIDTH, _HEIGHT, _LINE = 210.0, 40.0, 13.0
_MARGIN = 8.0
#: Groups that a box, an edge or a stage names.
MOST_GROUPS = 64
_MOST_TICKS = 20
_BREAK = re.compile(r"([_/.]+)(?=[^_/.])")


@dataclass(frozen=True)
class StageView:
    """What the report shows of a stage: its picture and figures; ``groups`` are all that pass it."""

    number: int
    title: str
    operators: int
    layers: int
    parameters: tuple[Optional[int], Optional[int]]
    groups: tuple[int, ...]
    svg: Markup

    @property
    def has_bar(self) -> bool:
        """Whether it is known what the stage loses."""
        return bool(self.parameters[0]) and self.parameters[1] is not None

    @property
    def size(self) -> Point:
        bar = _STAGE_BAR if self.has_bar else 0.0
        return _STAGE_WIDTH, _STAGE_HEIGHT + bar + (_STAGE_TICKS if self.groups else 0.0)


@dataclass(frozen=True)
class BoxView:
    """What is written into a box of a stage; ``share`` is what is left of its channels, where some go."""

    name: str
    title: str
    operator: str
    followers: str
    channels: str
    share: Optional[float]
    groups: tuple[int, ...]
    kept: bool

    @property
    def size(self) -> Point:
        return _WIDTH, _HEIGHT + (_LINE if self.followers else 0.0)


def hue_classes(number: int) -> str:
    """The classes that give a group its colour and its pattern."""
    pattern = number // HUES % PATTERNS
    return f"h{number % HUES}" + (f" p{pattern}" if pattern else "")


def svg(drawing: Drawing, parts: Sequence[Markup], label: str) -> Markup:
    width, height = drawing.width + 2 * _MARGIN, drawing.height + 2 * _MARGIN
    return Markup(
        '<svg class="net" width="{w}" height="{h}" viewBox="-{m} -{m} {w} {h}" role="group"'
        ' aria-label="{label}">'
        "{body}</svg>"
    ).format(
        w=_number(width), h=_number(height), m=_number(_MARGIN), label=label, body=Markup("").join(parts)
    )


def _number(value: float) -> str:
    text = f"{value:.1f}"
    return text[:-2] if text.endswith(".0") else text


def _marks(groups: Sequence[int]) -> str:
    return " ".join(map(str, groups[:MOST_GROUPS]))


def route_svg(route: Sequence[Point], groups: Sequence[int], weight: int = 1) -> Markup:
    x, y = route[0]
    path = [f"M{_number(x)} {_number(y)}"]
    for next_x, next_y in route[1:]:
        if next_x == x:
            path.append(f"V{_number(next_y)}")
        else:
            middle = _number((y + next_y) / 2)
            path.append(
                f"C{_number(x)} {middle} {_number(next_x)} {middle} {_number(next_x)} {_number(next_y)}"
            )
        x, y = next_x, next_y
    tint = f" s{groups[0] % HUES}" if groups else ""
    width = f' stroke-width="{min(2 + weight, 6)}"' if weight > 1 else ""
    mark = f' data-g="{_marks(groups)}"' if groups else ""
    return Markup(f'<path class="e{tint}"{width}{mark} d="{"".join(path)}"/>')


def pill_svg(corner: Point, text: str, stage: int) -> Markup:
    return Markup(
        '<a href="#stage-{stage}" transform="translate({x} {y})">'
        '<rect class="pill" width="{w}" height="{h}" rx="9"/>'
        '<text x="{middle}" y="12.5" class="t2 mid">{text}</text></a>'
    ).format(
        stage=stage + 1,
        x=_number(corner[0]),
        y=_number(corner[1]),
        w=_number(PILL[0]),
        h=_number(PILL[1]),
        middle=_number(PILL[0] / 2),
        text=text,
    )


def _band(groups: Sequence[int], height: float) -> Markup:
    """The coloured band at the left of a box, shared by its first groups."""
    own = groups[:4]
    parts = []
    for place, group in enumerate(own):
        top, part = height * place / len(own), height / len(own)
        area = f'y="{_number(top)}" width="8" height="{_number(part)}"'
        parts.append(f'<rect class="f{group % HUES}" {area}/>')
        pattern = group // HUES % PATTERNS
        if pattern:
            parts.append(f'<rect fill="url(#p{pattern})" {area}/>')
    return Markup("".join(parts))


def box_svg(corner: Point, view: BoxView) -> Markup:
    width, height = view.size
    outline = "b k" if view.kept else "b"
    label = "kept" if view.kept else ""
    if view.groups:
        label = f"G{view.groups[0]}" + (f" +{len(view.groups) - 1}" if len(view.groups) > 1 else "")
    # A bold character of the widest usual font takes 7.4 units, one of the label 6.6.
    room = int((width - 26 - 6.6 * len(label)) / 7.4)
    pieces = [
        Markup("<title>{}</title>").format(view.title),
        Markup(f'<rect class="{outline}" width="{_number(width)}" height="{_number(height)}" rx="4"/>'),
        _band(view.groups, height),
        Markup('<text x="14" y="15" class="t1">{}</text>').format(ending(view.name, room)),
        Markup('<text x="14" y="29" class="t2">{}</text>').format(view.operator),
        Markup('<text x="{}" y="29" class="t2 end">{}</text>').format(_number(width - 6), view.channels),
    ]
    if view.followers:
        pieces.append(Markup('<text x="14" y="42" class="t3">{}</text>').format(view.followers))
    if label:
        pieces.append(Markup(f'<text x="{_number(width - 6)}" y="15" class="t2 end">{label}</text>'))
    if view.share is not None:
        full, left = width - 20, (width - 20) * view.share
        top = _number(height - 6)
        pieces.append(Markup(f'<rect class="was" x="14" y="{top}" width="{_number(full)}" height="3"/>'))
        pieces.append(Markup(f'<rect class="now" x="14" y="{top}" width="{_number(left)}" height="3"/>'))
    place = f'transform="translate({_number(corner[0])} {_number(corner[1])})"'
    body = Markup("").join(pieces)
    if view.groups:
        return (
            Markup(f'<a class="box" href="#g{view.groups[0]}" data-g="{_marks(view.groups)}" {place}>')
            + body
            + Markup("</a>")
        )
    return Markup(f'<g class="box" {place}>') + body + Markup("</g>")


def stage_svg(corner: Point, stage: StageView) -> Markup:
    before, after = stage.parameters
    figures = f"{stage.layers} layer{'' if stage.layers == 1 else 's'}"
    if not stage.layers:
        figures = f"{stage.operators} operator{'' if stage.operators == 1 else 's'}, no layers"
    if before:
        figures += f", {amount(before)} → {amount(after)} parameters"
    width, height = stage.size
    pieces = [
        Markup("<title>{}</title>").format(f"Stage {stage.number + 1}: {stage.title}\n{figures}"),
        Markup(f'<rect class="b" width="{_number(width)}" height="{_number(height)}" rx="6"/>'),
        Markup('<text x="10" y="17" class="t1">{}. {}</text>').format(
            stage.number + 1, shown(stage.title, 40)
        ),
        Markup('<text x="10" y="32" class="t2">{}</text>').format(figures),
    ]
    if stage.has_bar:
        full = width - 20
        left = _number(full * (after or 0) / (before or 1))
        pieces.append(Markup(f'<rect class="was" x="10" y="38" width="{_number(full)}" height="4"/>'))
        pieces.append(Markup(f'<rect class="now" x="10" y="38" width="{left}" height="4"/>'))
    top = _number(height - 15)
    for place, group in enumerate(stage.groups[:_MOST_TICKS]):
        area = f'x="{10 + 13 * place}" y="{top}" width="11" height="9"'
        pieces.append(Markup(f'<rect class="f{group % HUES}" data-g="{group}" {area}/>'))
        if group // HUES % PATTERNS:
            pieces.append(Markup(f'<rect fill="url(#p{group // HUES % PATTERNS})" {area}/>'))
    if len(stage.groups) > _MOST_TICKS:
        rest = len(stage.groups) - _MOST_TICKS
        place_of_rest = f'x="{13 * _MOST_TICKS + 12}" y="{_number(height - 7)}"'
        pieces.append(Markup(f'<text {place_of_rest} class="t3">+{rest}</text>'))
    place_at = f'transform="translate({_number(corner[0])} {_number(corner[1])})"'
    marks = f' data-g="{_marks(stage.groups)}"' if stage.groups else ""
    opening = Markup(f'<a class="box" href="#stage-{stage.number + 1}"{marks} {place_at}>')
    return opening + Markup("").join(pieces) + Markup("</a>")


def chip(group: int) -> Markup:
    """A link to a group, marked with its colour, pattern and number."""
    return Markup(f'<a class="chip {hue_classes(group)}" href="#g{group}" data-g="{group}">G{group}</a>')


def text_of(value: str) -> Markup:
    """A name for the page: safe characters, escaped, and apart from the direction of what stands around."""
    # A long name may break behind its separators.
    safe = _BREAK.sub(r"\1<wbr>", str(escape(shown(value))))
    return Markup(f"<bdi>{safe}</bdi>")
