"""Pictures of the network: one of its stages, and one of each stage, with groups marked on both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Mapping, Optional, Sequence

from markupsafe import Markup

from prunec.analysis.analyse import Analysis
from prunec.graph import Shape, Tensor
from prunec.reporting.layered import draw
from prunec.reporting.marks import (
    MOST_GROUPS,
    PILL,
    BoxView,
    StageView,
    box_svg,
    pill_svg,
    route_svg,
    stage_svg,
    svg,
)
from prunec.reporting.names import exact, scopes, shown, size_text, usual_scope, without_scopes
from prunec.reporting.stages import Box, NetworkPicture, Stage
from prunec.rewriting.emit import Pruned
from prunec.rewriting.layers import Layer

#: Boxes above which there are no pictures: nobody can read them, and the page would grow without bound.
MOST_BOXES = 4000
#: Pills for tensors from one other stage, beyond which a single one stands for all.
_MOST_PILLS = 4

_Groups = tuple[int, ...]
#: Boxes of a stage that a tensor enters or leaves, with its groups.
_Ends = list[tuple[int, _Groups]]
#: A tensor to or from another stage: text, number of that stage, and boxes here.
_Pill = tuple[str, int, _Ends]


@dataclass(frozen=True)
class NetworkView:
    """The overview and the stages."""

    overview: Markup
    stages: tuple[StageView, ...]


def network_view(
    analysis: Analysis,
    pruned: Pruned,
    picture: NetworkPicture,
    layers: Mapping[int, Layer],
    groups: Mapping[Tensor, tuple[int, ...]],
) -> NetworkView:
    """The pictures of a model; ``layers`` by node, ``groups`` of each tensor."""
    drawer = _Drawer(analysis, pruned, picture, layers, groups)
    stages = tuple(drawer.stage(number, stage) for number, stage in enumerate(picture.stages))
    return NetworkView(drawer.overview(stages), stages)


class _Drawer:
    def __init__(
        self,
        analysis: Analysis,
        pruned: Pruned,
        picture: NetworkPicture,
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
        for tensor in sorted({*groups, *analysis.lowered.shapes}):
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

    def _box(self, box: Box, scope: tuple[str, ...]) -> BoxView:
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
        return BoxView(
            without_scopes(head.name, shared),
            "\n".join(title),
            shown(head.operator or "input", 18),
            shown("then " + ", ".join(followers), 38) if followers else "",
            channels,
            share,
            tuple(groups)[:MOST_GROUPS],
            layer is not None and bool(layer.kept),
        )

    def _change(self, tensors: Sequence[Tensor]) -> tuple[str, Optional[float]]:
        """The sizes of the first output as text, and the share of it that is left where it shrinks."""
        if not tensors:
            return "", None
        before = self.analysis.lowered.shapes.get(tensors[0])
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

    def _stage_svg(self, number: int, stage: Stage, views: Sequence[BoxView]) -> Markup:
        incoming, outgoing, inner = self._crossing(stage)
        sizes = [PILL] * len(incoming) + [view.size for view in views]
        sizes += [PILL] * len(outgoing)
        shift, end = len(incoming) - stage.first, len(incoming) + len(views)
        edges: dict[tuple[int, int], _Groups] = {}
        for pill, (_, _, targets) in enumerate(incoming):
            for target, groups in targets:
                edges[pill, target + shift] = groups
        for source, target, groups in inner:
            edges[source + shift, target + shift] = groups
        for pill, (_, _, sources) in enumerate(outgoing):
            for source, groups in sources:
                edges[source + shift, end + pill] = groups
        drawing = draw(sizes, list(edges))
        parts = [route_svg(route, groups) for route, groups in zip(drawing.routes, edges.values())]
        for corner, (text, target, _) in zip(drawing.corners, incoming):
            parts.append(pill_svg(corner, f"↑ {text}", target))
        for corner, view in zip(drawing.corners[len(incoming) :], views):
            parts.append(box_svg(corner, view))
        for corner, (text, target, _) in zip(drawing.corners[end:], outgoing):
            parts.append(pill_svg(corner, f"↓ {text}", target))
        return svg(drawing, parts, f"Stage {number + 1}: {stage.title}")

    def _crossing(self, stage: Stage) -> tuple[list[_Pill], list[_Pill], list[tuple[int, int, _Groups]]]:
        """Pills for tensors that come in and go out, and the edges between boxes of the stage."""
        into: dict[int, dict[int, _Ends]] = {}
        out: dict[int, dict[int, _Ends]] = {}
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

    def _pills(self, crossing: Mapping[int, Mapping[int, _Ends]]) -> list[_Pill]:
        pills: list[_Pill] = []
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
        drawing = draw([stage.size for stage in stages], list(between))
        parts = [
            route_svg(route, tuple(groups), len(tensors))
            for route, groups, tensors in zip(drawing.routes, between.values(), count.values())
        ]
        parts += [stage_svg(corner, stage) for corner, stage in zip(drawing.corners, stages)]
        return svg(drawing, parts, "The network's stages and what passes between them")


def _total(numbers: Sequence[Optional[int]]) -> Optional[int]:
    known = [number for number in numbers if number is not None]
    return sum(known) if len(known) == len(numbers) else None
