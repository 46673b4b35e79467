"""Drawing a directed graph in layers, from top to bottom.

The method is the usual one in four steps (Sugiyama, Tagawa and Toda, "Methods for Visual Understanding
of Hierarchical System Structures", 1981): layers by longest path, a bend in every layer that an edge
passes, an order within each layer by barycentres, and places that bring each box near its
neighbours.  The places of one layer under the condition that nothing overlaps are a
least-squares problem with an exact solution (pooling of adjacent violators).
"""

from __future__ import annotations

from bisect import bisect_left, insort
from dataclasses import dataclass
from typing import Mapping, Sequence

#: Space between boxes of a layer, and between layers.
GAP_ACROSS = 18.0
GAP_DOWN = 30.0
#: Width that is left free for an edge that passes a layer.
_BEND_WIDTH = 8.0
_ORDER_ROUNDS = 6
_PLACE_ROUNDS = 8
#: Edges that pass so many layers in sum are drawn straight: a drawing of more says nothing.
_MOST_BENDS = 4000

Point = tuple[float, float]


@dataclass(frozen=True)
class Drawing:
    """The upper left corner of every box, the points that each edge passes, and the size of the whole."""

    corners: tuple[Point, ...]
    routes: tuple[tuple[Point, ...], ...]
    width: float
    height: float


def draw(boxes: Sequence[Point], edges: Sequence[tuple[int, int]]) -> Drawing:
    """Places boxes of the given widths and heights; every edge goes from a lower to a higher number.

    Time is about linear in boxes and bends.  Raises ``ValueError`` for an edge that goes backwards.
    """
    if any(not 0 <= source < target < len(boxes) for source, target in edges):
        raise ValueError("an edge must go from a box to a later one")
    layer = _layers(len(boxes), edges)
    grid = _Grid(boxes, edges, layer)
    grid.order()
    x = grid.places()
    y, heights, height = _rows(boxes, layer)
    left = min((x[n] - boxes[n][0] / 2 for n in range(len(boxes))), default=0.0)
    left = min([left, *(x[n] - _BEND_WIDTH for n in range(len(boxes), len(x)))])
    corners = tuple(
        (x[n] - boxes[n][0] / 2 - left, y[layer[n]] + (heights[layer[n]] - boxes[n][1]) / 2)
        for n in range(len(boxes))
    )
    routes = []
    for (source, target), bends in zip(edges, grid.bends):
        points = [(x[source] - left, corners[source][1] + boxes[source][1])]
        for bend in bends:
            top = y[grid.layer[bend]]
            points += [(x[bend] - left, top), (x[bend] - left, top + heights[grid.layer[bend]])]
        points.append((x[target] - left, corners[target][1]))
        routes.append(tuple(points))
    right = [corners[n][0] + boxes[n][0] for n in range(len(boxes))]
    right += [x[n] - left + _BEND_WIDTH for n in range(len(boxes), len(x))]
    return Drawing(corners, tuple(routes), max(right, default=0.0), height)


def _layers(count: int, edges: Sequence[tuple[int, int]]) -> list[int]:
    """The layer of each box: below all it depends on; what depends on nothing stands near its consumer."""
    layer = [0] * count
    incoming: list[list[int]] = [[] for _ in range(count)]
    outgoing: list[list[int]] = [[] for _ in range(count)]
    for source, target in edges:
        incoming[target].append(source)
        outgoing[source].append(target)
    for target in range(count):
        layer[target] = max((layer[source] + 1 for source in incoming[target]), default=0)
    for source in reversed(range(count)):
        if not incoming[source] and outgoing[source]:
            layer[source] = min(layer[target] for target in outgoing[source]) - 1
    lowest = min(layer, default=0)
    return [number - lowest for number in layer]


def _rows(boxes: Sequence[Point], layer: Sequence[int]) -> tuple[list[float], list[float], float]:
    heights = [0.0] * (max(layer, default=-1) + 1)
    for number, (_, height) in zip(layer, boxes):
        heights[number] = max(heights[number], height)
    tops, top = [], 0.0
    for height in heights:
        tops.append(top)
        top += height + GAP_DOWN
    return tops, heights, max(0.0, top - GAP_DOWN)


class _Grid:
    """Boxes and bends in their layers; bends are numbered on behind the boxes."""

    def __init__(
        self, boxes: Sequence[Point], edges: Sequence[tuple[int, int]], layer: Sequence[int]
    ) -> None:
        self.layer = list(layer)
        self.widths = [width for width, _ in boxes]
        self.above: list[list[int]] = [[] for _ in boxes]
        self.below: list[list[int]] = [[] for _ in boxes]
        self.bends: list[list[int]] = []
        straight = sum(layer[t] - layer[s] - 1 for s, t in edges) > _MOST_BENDS
        for source, target in edges:
            bends = [] if straight else [self._bend(n) for n in range(layer[source] + 1, layer[target])]
            self.bends.append(bends)
            if straight and layer[target] > layer[source] + 1:
                continue
            for upper, lower in zip([source, *bends], [*bends, target]):
                self.below[upper].append(lower)
                self.above[lower].append(upper)
        self.rows: list[list[int]] = [[] for _ in range(max(self.layer, default=-1) + 1)]
        for number in self._first_order():
            self.rows[self.layer[number]].append(number)

    def _bend(self, layer: int) -> int:
        self.layer.append(layer)
        self.widths.append(_BEND_WIDTH)
        self.above.append([])
        self.below.append([])
        return len(self.layer) - 1

    def _first_order(self) -> list[int]:
        """Boxes and bends as a walk from the top meets them, so that branches lie side by side."""
        seen = [False] * len(self.layer)
        order = []
        for start in range(len(self.layer)):
            stack = [start] if not self.above[start] else []
            while stack:
                number = stack.pop()
                if not seen[number]:
                    seen[number] = True
                    order.append(number)
                    stack += reversed(self.below[number])
        return order + [n for n in range(len(self.layer)) if not seen[n]]

    # --- order within layers ---

    def order(self) -> None:
        """Orders every layer by barycentres, down and up, and keeps the order with the fewest crossings."""
        best, fewest = [list(row) for row in self.rows], self._crossings()
        for turn in range(_ORDER_ROUNDS):
            if not fewest:
                break
            neighbours = self.above if turn % 2 == 0 else self.below
            position = {n: i for row in self.rows for i, n in enumerate(row)}
            for row in self.rows if turn % 2 == 0 else reversed(self.rows):
                row.sort(key=lambda n: self._centre(n, neighbours[n], position))
                position.update((n, i) for i, n in enumerate(row))
            crossings = self._crossings()
            if crossings < fewest:
                best, fewest = [list(row) for row in self.rows], crossings
        self.rows = best

    @staticmethod
    def _centre(number: int, neighbours: Sequence[int], position: Mapping[int, int]) -> float:
        if not neighbours:
            return float(position[number])
        return sum(position[n] for n in neighbours) / len(neighbours)

    def _crossings(self) -> int:
        total = 0
        for upper, lower in zip(self.rows, self.rows[1:]):
            position = {n: i for i, n in enumerate(lower)}
            ends: list[int] = []
            for number in upper:
                own = sorted(position[n] for n in self.below[number])
                total += sum(len(ends) - bisect_left(ends, end + 1) for end in own)
                for end in own:
                    insort(ends, end)
        return total

    # --- places ---

    def places(self) -> list[float]:
        """The centre of everything on the horizontal axis."""
        x = [0.0] * len(self.layer)
        for row in self.rows:
            at = 0.0
            for number in row:
                x[number] = at + self.widths[number] / 2
                at += self.widths[number] + GAP_ACROSS
        for turn in range(_PLACE_ROUNDS):
            down = turn % 2 == 0
            near = self.above if down else self.below
            far = self.below if down else self.above
            for row in self.rows if down else reversed(self.rows):
                wanted = [self._wanted(x, n, near[n] or far[n]) for n in row]
                self._spread(x, row, wanted)
        return x

    @staticmethod
    def _wanted(x: Sequence[float], number: int, neighbours: Sequence[int]) -> float:
        if not neighbours:
            return x[number]
        places = sorted(x[n] for n in neighbours)
        middle = len(places) // 2
        # The median holds on to one neighbour where a mean would pull a long chain aside.
        return places[middle] if len(places) % 2 else (places[middle - 1] + places[middle]) / 2

    def _spread(self, x: list[float], row: Sequence[int], wanted: Sequence[float]) -> None:
        """The places nearest to those wanted, in the least-squares sense, at which nothing overlaps."""
        offsets, offset = [], 0.0
        for before, number in zip([None, *row], row):
            if before is not None:
                offset += (self.widths[before] + self.widths[number]) / 2 + GAP_ACROSS
            offsets.append(offset)
        # Without the offsets the places must not decrease: neighbours that do are pooled at their mean.
        pools: list[tuple[float, int]] = []
        for place, shift in zip(wanted, offsets):
            mean, count = place - shift, 1
            while pools and pools[-1][0] > mean:
                other, others = pools.pop()
                mean = (mean * count + other * others) / (count + others)
                count += others
            pools.append((mean, count))
        pooled = [mean for mean, count in pools for _ in range(count)]
        for number, place, shift in zip(row, pooled, offsets):
            x[number] = place + shift
