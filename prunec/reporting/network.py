"""Pictures of the network: one of its stages, and one of each stage, with groups marked on both."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Mapping, Optional, Sequence

from markupsafe import Markup, escape

from prunec.compiler import Analysis, Pruned
from prunec.emission.layers import Layer
from prunec.graph.model import Shape, Tensor
from prunec.reporting.layered import Drawing, Point, draw
from prunec.reporting.names import (
    amount,
    ending,
    exact,
    scopes,
    shown,
    size_text,
    usual_scope,
    without_scopes,
)
from prunec.reporting.stages import Box, Picture, Stage

_BREAK = re.compile(r"([_/.]+)(?=[^_/.])")

#: Groups differ by one of so many colours and one of so many patterns; beyond, by their numbers only.
HUES, PATTERNS = 8, 4
#: Boxes above which there are no pictures: nobody can read them, and the page would grow without bound.
MOST_BOXES = 4000
_WIDTH, _HEIGHT, _LINE = 210.0, 40.0, 13.0
_PILL_WIDTH, _PILL_HEIGHT = 150.0, 18.0
_MARGIN = 8.0
#: Groups that a box, an edge or a stage names.
_MOST_GROUPS = 64
#: Pills for tensors from one other stage, beyond which a single one stands for all.
_MOST_PILLS = 4


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


@dataclass(frozen=True)
class NetworkView:
    """The overview and the stages."""

    overview: Markup
    stages: tuple[StageView, ...]


@dataclass(frozen=True)
class _BoxView:
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


def network_view(
    analysis: Analysis,
    pruned: Pruned,
    picture: Picture,
    layers: Mapping[int, Layer],
    groups: Mapping[Tensor, tuple[int, ...]],
) -> NetworkView:
    """The pictures of a model; ``layers`` by node, ``groups`` of each tensor."""
    drawer = _Drawer(analysis, pruned, picture, layers, groups)
    stages = tuple(drawer.stage(number, stage) for number, stage in enumerate(picture.stages))
    return NetworkView(drawer.overview(stages), stages)


def hue_classes(number: int) -> str:
    """The classes that give a group its colour and its pattern."""
    pattern = number // HUES % PATTERNS
    return f"h{number % HUES}" + (f" p{pattern}" if pattern else "")


class _Drawer:
    def __init__(
        self,
        analysis: Analysis,
        pruned: Pruned,
        picture: Picture,
        layers: Mapping[int, Layer],
        groups: Mapping[Tensor, tuple[int, ...]],
    ) -> None:
        self.analysis = analysis
        self.graph = analysis.model.graph
        self.pruned = pruned
        self.picture = picture
        self.layers = layers
        self.groups = groups
        self.outputs: dict[int, list[Tensor]] = {}
        for tensor in sorted({*groups, *analysis.bound.shapes}):
            self.outputs.setdefault(tensor.node, []).append(tensor)
        self.stage_of = [n for n, s in enumerate(picture.stages) for _ in range(s.first, s.end)]

    # --- one stage ---

    def stage(self, number: int, stage: Stage) -> StageView:
        """A stage with its picture."""
        boxes = self.picture.boxes[stage.first : stage.end]
        scope = usual_scope([scopes(self.graph.nodes[box.nodes[0]].name) for box in boxes])
        views = [self._box(box, scope) for box in boxes]
        own = [self.layers[node] for box in boxes for node in box.nodes if node in self.layers]
        passing = dict.fromkeys(group for view in views for group in view.groups)
        return StageView(
            number,
            stage.title,
            sum(len(box.nodes) for box in boxes),
            len(own),
            (_total([x.parameters[0] for x in own]), _total([x.parameters[1] for x in own])),
            tuple(passing),
            self._stage_svg(number, stage, views),
        )

    def _box(self, box: Box, scope: tuple[str, ...]) -> _BoxView:
        head, tail = self.graph.nodes[box.nodes[0]], box.nodes[-1]
        tensors = self.outputs.get(tail, [])
        groups = dict.fromkeys(g for t in tensors for g in self.groups.get(t, ()))
        followers = [self.graph.nodes[node].operator or "" for node in box.nodes[1:]]
        channels, share = self._change(tensors)
        shared = len(scope) if scopes(head.name)[: len(scope)] == scope else 0
        layer = self.layers.get(box.nodes[0])
        title = [f"{shown(head.name, 200)} ({shown(head.operator or 'input')})"]
        for node, operator in zip(box.nodes[1:], followers):
            title.append(f"then {shown(self.graph.nodes[node].name, 200)} ({shown(operator)})")
        if layer is not None:
            title.append(f"parameters {exact(layer.parameters[0])} → {exact(layer.parameters[1])}")
            if layer.kept:
                title.append(f"kept: {shown(layer.kept, 300)}")
        return _BoxView(
            without_scopes(head.name, shared),
            "\n".join(title),
            shown(head.operator or "input", 18),
            shown("then " + ", ".join(followers), 38) if followers else "",
            channels,
            share,
            tuple(groups)[:_MOST_GROUPS],
            layer is not None and bool(layer.kept),
        )

    def _change(self, tensors: Sequence[Tensor]) -> tuple[str, Optional[float]]:
        """The sizes of the first output as text, and the share of it that is left where it shrinks."""
        if not tensors:
            return "", None
        before = self.analysis.bound.shapes.get(tensors[0])
        channels = self.analysis.solution.propagation.channels.get(tensors[0])
        after: Optional[Shape] = None if channels is None else self.pruned.shrinker.shape(channels)
        if before is None or after is None or len(before) != len(after):
            return shown(size_text(before), 22) if before is not None else "", None
        changed = [(b, a) for b, a in zip(before, after) if b != a and b and a]
        if not changed:
            return shown(size_text(before), 22), None
        share = 1.0
        for old, new in changed:
            share *= (new or 1) / (old or 1)
        return ", ".join(f"{old}→{new}" for old, new in changed), share

    def _stage_svg(self, number: int, stage: Stage, views: Sequence[_BoxView]) -> Markup:
        incoming, outgoing, inner = self._crossing(stage)
        sizes = [(_PILL_WIDTH, _PILL_HEIGHT)] * len(incoming) + [view.size for view in views]
        sizes += [(_PILL_WIDTH, _PILL_HEIGHT)] * len(outgoing)
        shift, end = len(incoming) - stage.first, len(incoming) + len(views)
        edges: dict[tuple[int, int], tuple[int, ...]] = {}
        for pill, (_, _, targets) in enumerate(incoming):
            for target, groups in targets:
                edges[pill, target + shift] = groups
        for source, target, groups in inner:
            edges[source + shift, target + shift] = groups
        for pill, (_, _, sources) in enumerate(outgoing):
            for source, groups in sources:
                edges[source + shift, end + pill] = groups
        drawing = draw(sizes, list(edges))
        parts = [_route(route, groups) for route, groups in zip(drawing.routes, edges.values())]
        for corner, (text, target, _) in zip(drawing.corners, incoming):
            parts.append(_pill(corner, f"↑ {text}", target))
        for corner, view in zip(drawing.corners[len(incoming) :], views):
            parts.append(_box_svg(corner, view))
        for corner, (text, target, _) in zip(drawing.corners[end:], outgoing):
            parts.append(_pill(corner, f"↓ {text}", target))
        return _svg(drawing, parts, f"Stage {number + 1}: {stage.title}")

    def _crossing(
        self, stage: Stage
    ) -> tuple[
        list[tuple[str, int, list[tuple[int, tuple[int, ...]]]]],
        list[tuple[str, int, list[tuple[int, tuple[int, ...]]]]],
        list[tuple[int, int, tuple[int, ...]]],
    ]:
        """Pills for tensors that come in and go out (text, other stage, boxes here), and inner edges."""
        into: dict[int, dict[int, list[tuple[int, tuple[int, ...]]]]] = {}
        out: dict[int, dict[int, list[tuple[int, tuple[int, ...]]]]] = {}
        inner = []
        for source, target, tensor in self.picture.edges:
            groups = self.groups.get(tensor, ())
            here = stage.first <= source < stage.end
            there = stage.first <= target < stage.end
            if here and there:
                inner.append((source, target, groups))
            elif there:
                into.setdefault(self.stage_of[source], {}).setdefault(source, []).append((target, groups))
            elif here:
                out.setdefault(self.stage_of[target], {}).setdefault(source, []).append((source, groups))
        return self._pills(into), self._pills(out), inner

    def _pills(
        self, crossing: Mapping[int, Mapping[int, list[tuple[int, tuple[int, ...]]]]]
    ) -> list[tuple[str, int, list[tuple[int, tuple[int, ...]]]]]:
        pills: list[tuple[str, int, list[tuple[int, tuple[int, ...]]]]] = []
        for other, by_source in sorted(crossing.items()):
            title = shown(self.picture.stages[other].title, 18)
            if len(by_source) > _MOST_PILLS:
                ends = dict(end for own in by_source.values() for end in own)
                pills.append((f"{title}: {len(by_source)} tensors", other, list(ends.items())))
                continue
            for own in by_source.values():
                pills.append((title, other, list(dict(own).items())))
        return pills

    # --- all stages ---

    def overview(self, stages: Sequence[StageView]) -> Markup:
        """The stages as boxes, and the tensors between them."""
        between: dict[tuple[int, int], dict[int, None]] = {}
        count: dict[tuple[int, int], set[Tensor]] = {}
        for source, target, tensor in self.picture.edges:
            pair = self.stage_of[source], self.stage_of[target]
            if pair[0] != pair[1]:
                between.setdefault(pair, {}).update(dict.fromkeys(self.groups.get(tensor, ())))
                count.setdefault(pair, set()).add(tensor)
        drawing = draw([(_STAGE_WIDTH, _STAGE_HEIGHT)] * len(stages), list(between))
        parts = [
            _route(route, tuple(groups), len(tensors))
            for route, groups, tensors in zip(drawing.routes, between.values(), count.values())
        ]
        parts += [_stage_box(corner, stage) for corner, stage in zip(drawing.corners, stages)]
        return _svg(drawing, parts, "The network's stages and what passes between them")


_STAGE_WIDTH, _STAGE_HEIGHT = 300.0, 62.0
_MOST_TICKS = 20


def _total(numbers: Sequence[Optional[int]]) -> Optional[int]:
    known = [number for number in numbers if number is not None]
    return sum(known) if len(known) == len(numbers) else None


# --- marks ------------------------------------------------------------------------------------


def _svg(drawing: Drawing, parts: Sequence[Markup], label: str) -> Markup:
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
    return " ".join(map(str, groups[:_MOST_GROUPS]))


def _route(route: Sequence[Point], groups: Sequence[int], weight: int = 1) -> Markup:
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


def _pill(corner: Point, text: str, stage: int) -> Markup:
    return Markup(
        '<a href="#stage-{stage}" transform="translate({x} {y})">'
        '<rect class="pill" width="{w}" height="{h}" rx="9"/>'
        '<text x="{middle}" y="12.5" class="t2 mid">{text}</text></a>'
    ).format(
        stage=stage + 1,
        x=_number(corner[0]),
        y=_number(corner[1]),
        w=_number(_PILL_WIDTH),
        h=_number(_PILL_HEIGHT),
        middle=_number(_PILL_WIDTH / 2),
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


def _box_svg(corner: Point, view: _BoxView) -> Markup:
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


def _stage_box(corner: Point, stage: StageView) -> Markup:
    before, after = stage.parameters
    figures = f"{stage.layers} layer{'' if stage.layers == 1 else 's'}"
    if not stage.layers:
        figures = f"{stage.operators} operator{'' if stage.operators == 1 else 's'}, no layers"
    if before:
        figures += f", {amount(before)} → {amount(after)} parameters"
    pieces = [
        Markup("<title>{}</title>").format(f"Stage {stage.number + 1}: {stage.title}\n{figures}"),
        Markup(f'<rect class="b" width="{_number(_STAGE_WIDTH)}" height="{_number(_STAGE_HEIGHT)}" rx="6"/>'),
        Markup('<text x="10" y="17" class="t1">{}. {}</text>').format(
            stage.number + 1, shown(stage.title, 40)
        ),
        Markup('<text x="10" y="32" class="t2">{}</text>').format(figures),
    ]
    if before and after is not None:
        full = _STAGE_WIDTH - 20
        left = _number(full * after / before)
        pieces.append(Markup(f'<rect class="was" x="10" y="38" width="{_number(full)}" height="4"/>'))
        pieces.append(Markup(f'<rect class="now" x="10" y="38" width="{left}" height="4"/>'))
    for place, group in enumerate(stage.groups[:_MOST_TICKS]):
        area = f'x="{10 + 13 * place}" y="47" width="11" height="9"'
        pieces.append(Markup(f'<rect class="f{group % HUES}" data-g="{group}" {area}/>'))
        if group // HUES % PATTERNS:
            pieces.append(Markup(f'<rect fill="url(#p{group // HUES % PATTERNS})" {area}/>'))
    if len(stage.groups) > _MOST_TICKS:
        rest = len(stage.groups) - _MOST_TICKS
        pieces.append(Markup(f'<text x="{13 * _MOST_TICKS + 12}" y="55" class="t3">+{rest}</text>'))
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
