"""Random graphs of the small operators, drawn by hypothesis."""

from __future__ import annotations

from itertools import combinations
from typing import Callable, Optional

import hypothesis.strategies as st
from hypothesis.strategies import DrawFn

from core.small import Builder, SmallModel
from prunec.graph import Tensor

_MOST_ELEMENTS = 600
_MOST_AXES = 5
#: A way to go on from a value: it gives the values it adds, or nothing where it does not apply.
Step = Callable[["Grower", Tensor], Optional[list[Tensor]]]


class Grower:
    """A builder with the values that may be built upon, and a source of choices."""

    def __init__(self, draw: DrawFn) -> None:
        self.draw = draw
        self.builder = Builder(seed=self.integer(0, 1000))
        self.pool: list[Tensor] = []

    def integer(self, low: int, high: int) -> int:
        return self.draw(st.integers(low, high))

    def choice(self, options):
        return self.draw(st.sampled_from(list(options)))

    def shape(self, tensor: Tensor) -> tuple[int, ...]:
        return self.builder.shape(tensor)

    def like(self, data: Tensor) -> Optional[Tensor]:
        """Another value of the same shape: one that is there, a constant, or a layer over the same data."""
        shape = self.shape(data)
        others = [t for t in self.pool if self.shape(t) == shape]
        kind = self.integer(0, 3)
        if kind == 0 and len(shape) > 1:
            return self.builder.grouped(data, shape[1], bias=False)
        return self.builder.parameter(*shape) if kind == 1 else self.choice(others)

    def divisor(self, size: int) -> Optional[int]:
        """A proper divisor, neither one nor the number itself."""
        found = [d for d in range(2, size) if size % d == 0]
        return self.choice(found) if found else None


@st.composite
def models(draw: DrawFn, steps: tuple[Step, ...], longest: int = 9) -> SmallModel:
    """A model that ends in dense layers over everything that is not used otherwise."""
    grower = Grower(draw)
    builder = grower.builder
    first = builder.input(2, 3, *draw(st.sampled_from([(), (2,), (2, 3)])))
    units = draw(st.sampled_from([4, 6, 8, 12]))
    grower.pool = [builder.grouped(first, units)]
    for _ in range(draw(st.integers(1, longest))):
        # What came last is drawn most often, so that the graphs are deep.
        data = draw(st.sampled_from([*grower.pool, *grower.pool[-1:] * 3]))
        added = draw(st.sampled_from(steps))(grower, data)
        grower.pool += [t for t in added or [] if 0 < builder.values[t].size <= _MOST_ELEMENTS]
    used = {tensor for node in builder.nodes for tensor in node.inputs}
    ends = [t for t in grower.pool if t not in used] or grower.pool[-1:]
    return builder.finish(*[_end(builder, tensor) for tensor in ends])


def _end(builder: Builder, tensor: Tensor) -> Tensor:
    return builder.dense(tensor, 3) if len(builder.shape(tensor)) > 1 else tensor


# --- layers ---


def layer(g: Grower, data: Tensor) -> Optional[list[Tensor]]:
    shape = g.shape(data)
    if len(shape) < 2:
        return None
    units = g.choice([4, 6, 8, 12])
    kind = g.integer(0, 3)
    if kind == 0:
        return [g.builder.dense(data, units, bias=g.choice([True, False]))]
    if kind == 1:
        weight = g.builder.parameter(units, shape[-1], name="weight")
        return [g.builder.one("dense_last", data, weight, units=units)]
    groups = [d for d in (1, 2, 3, 4) if shape[1] % d == 0 and units % d == 0]
    return [g.builder.grouped(data, units, g.choice(groups))]


def depthwise(g: Grower, data: Tensor) -> Optional[list[Tensor]]:
    shape = g.shape(data)
    if len(shape) < 2:
        return None
    units = shape[1] * g.integer(1, 2)
    weight, bias = g.builder.parameter(units, 1, name="weight"), g.builder.parameter(units, name="bias")
    return [g.builder.one("depthwise", data, weight, bias, units=units)]


def normalise(g: Grower, data: Tensor) -> Optional[list[Tensor]]:
    if len(g.shape(data)) < 2:
        return None
    size = g.shape(data)[1]
    own = [g.builder.parameter(size, positive=name == "variance", name=name) for name in _NORMS]
    return [g.builder.one("normalise", data, *own)]


_NORMS = ("gamma", "beta", "mean", "variance")


def shared(g: Grower, data: Tensor) -> Optional[list[Tensor]]:
    """A weight used before, again, where it fits."""
    shape, nodes = g.shape(data), g.builder.nodes
    if len(shape) < 2:
        return None
    fitting = [
        node for node in nodes if node.operator == "grouped" and g.shape(node.inputs[0])[1] == shape[1]
    ]
    if not fitting:
        return None
    node = g.choice(fitting)
    return g.builder.add("grouped", data, *node.inputs[1:], **node.attributes)


# --- element by element ---


def elementwise(g: Grower, data: Tensor) -> Optional[list[Tensor]]:
    return g.builder.add(g.choice(["rectify", "double", "shift"]), data)


def pairwise(g: Grower, data: Tensor) -> Optional[list[Tensor]]:
    other = g.like(data)
    return None if other is None else g.builder.add(g.choice(["add", "multiply"]), data, other)


def spread(g: Grower, data: Tensor) -> Optional[list[Tensor]]:
    """A constant or a mean, with ones in some axes, over a value."""
    shape = g.shape(data)
    operator = g.choice(["spread_add", "spread_multiply"])
    if g.integer(0, 1):
        axes = tuple(a for a in range(len(shape)) if g.integer(0, 1))
        other = g.builder.one("mean", data, axes=axes) if axes else data
    else:
        own = [g.choice([1, size]) for size in shape][g.integer(0, len(shape) - 1) :]
        other = g.builder.parameter(*own)
    return g.builder.add(operator, *g.choice([(data, other), (other, data)]))


# --- parts and wholes ---


def join(g: Grower, data: Tensor) -> Optional[list[Tensor]]:
    shape = g.shape(data)
    axis = g.integer(0, len(shape) - 1)

    def fits(other: tuple[int, ...]) -> bool:
        same = shape[:axis] + shape[axis + 1 :] == other[:axis] + other[axis + 1 :]
        return len(other) == len(shape) and same

    others = [t for t in g.pool if fits(g.shape(t))]
    parts = [data, *[g.choice(others) for _ in range(g.integer(1, 2))]]
    return g.builder.add("join", *parts, axis=axis - g.choice([0, len(shape)]))


def part(g: Grower, data: Tensor) -> Optional[list[Tensor]]:
    shape = g.shape(data)
    axis = g.integer(0, len(shape) - 1)
    count = g.divisor(shape[axis])
    return None if count is None else g.builder.add("part", data, axis=axis, parts=count)


def part_at(g: Grower, data: Tensor) -> Optional[list[Tensor]]:
    shape = g.shape(data)
    axis = g.integer(0, len(shape) - 1)
    if shape[axis] < 3:
        return None
    starts = g.choice(list(combinations(range(1, shape[axis]), 2)))
    return g.builder.add("part_at", data, axis=axis, starts=(0, *starts))


def cut(g: Grower, data: Tensor) -> Optional[list[Tensor]]:
    shape = g.shape(data)
    axis = g.integer(0, len(shape) - 1)
    begin, end = _stretch(g, shape[axis])
    return g.builder.add("cut", data, axis=axis - g.choice([0, len(shape)]), begin=begin, end=end)


def cut_all(g: Grower, data: Tensor) -> Optional[list[Tensor]]:
    begins, ends = zip(*(_stretch(g, size) for size in g.shape(data)))
    return g.builder.add("cut_all", data, begin=begins, end=ends)


def _stretch(g: Grower, size: int) -> tuple[Optional[int], Optional[int]]:
    """A stretch of an axis, in all the styles that it can be written in."""
    begin = g.integer(0, size - 1)
    end = g.integer(begin + 1, size)
    begins = [begin, begin - size] + [None] * (begin == 0)
    ends = [end] + ([end - size] if end < size else [None, size + 3])
    return g.choice(begins), g.choice(ends)


def pad(g: Grower, data: Tensor) -> Optional[list[Tensor]]:
    shape = g.shape(data)
    axis = g.integer(0, len(shape) - 1)
    widths = [0] * (2 * len(shape))
    widths[2 * axis], widths[2 * axis + 1] = g.integer(0, 2), g.integer(0, 2)
    return g.builder.add("pad", data, widths=tuple(widths))


def turn(g: Grower, data: Tensor) -> Optional[list[Tensor]]:
    rank = len(g.shape(data))
    axis = g.integer(0, rank - 1)
    return g.builder.add("turn", data, axes=g.choice([(axis,), axis, axis - rank]))


def roll(g: Grower, data: Tensor) -> Optional[list[Tensor]]:
    shape = g.shape(data)
    axis = g.integer(0, len(shape) - 1)
    return g.builder.add("roll", data, axis=axis, shift=g.integer(0, shape[axis] - 1))


def copies(g: Grower, data: Tensor) -> Optional[list[Tensor]]:
    reps = tuple(g.integer(1, 2) for _ in g.shape(data))
    return g.builder.add("copies", data, reps=reps)


def repeats(g: Grower, data: Tensor) -> Optional[list[Tensor]]:
    axis = g.integer(0, len(g.shape(data)) - 1)
    return g.builder.add("repeats", data, axis=axis, times=g.integer(1, 3))


def zeros(g: Grower, data: Tensor) -> Optional[list[Tensor]]:
    """A value joined to zeros, which may shrink."""
    shape = list(g.shape(data))
    axis = g.integer(0, len(shape) - 1)
    shape[axis] = g.integer(1, 3)
    return g.builder.add("join", data, g.builder.one("zeros", shape=tuple(shape)), axis=axis)


# --- other axes ---


def reshape(g: Grower, data: Tensor) -> Optional[list[Tensor]]:
    """Split or merge, written in one of several ways."""
    shape = g.shape(data)
    axis = g.integer(0, len(shape) - 1)
    before, behind = shape[:axis], shape[axis + 1 :]
    zeros, rest = (0,) * axis, (-2,) if behind else ()
    reverse = False
    if g.integer(0, 1) and len(shape) < _MOST_AXES:
        inner = g.divisor(shape[axis])
        if inner is None:
            return None
        outer = shape[axis] // inner
        first, second = g.choice([(outer, inner), (-1, inner), (outer, -1)])
        codes = g.choice([(*zeros, -4, first, second, *rest), (*before, first, second, *behind)])
        if g.integer(0, 2) == 0:
            codes, reverse = (*before, -4, first, second, *(0,) * len(behind)), True
    elif behind and len(shape) > 2:
        merged = shape[axis] * behind[0]
        codes = g.choice(
            [
                (*zeros, -3, *rest[: len(behind) - 1]),
                (*before, g.choice([merged, -1]), *behind[1:]),
                (*zeros, -1, *behind[1:]),
            ]
        )
    else:
        return None
    return g.builder.add("reshape", data, shape=codes, reverse=reverse)


def permute(g: Grower, data: Tensor) -> Optional[list[Tensor]]:
    rank = len(g.shape(data))
    kind = g.integer(0, 3)
    if kind == 0:
        return g.builder.add("permute", data, axes=g.choice([None, ()]))
    if kind == 1:
        first, second = g.integer(0, rank - 1), g.integer(0, rank - 1)
        return g.builder.add("exchange", data, first=first, second=second)
    return g.builder.add("permute", data, axes=tuple(g.draw(st.permutations(range(rank)))))


def mirror(g: Grower, data: Tensor) -> Optional[list[Tensor]]:
    return g.builder.add("mirror", data, axis=g.integer(0, len(g.shape(data)) - 1))


def flatten(g: Grower, data: Tensor) -> Optional[list[Tensor]]:
    return g.builder.add("flatten", data) if len(g.shape(data)) > 1 else None


def widen(g: Grower, data: Tensor) -> Optional[list[Tensor]]:
    rank = len(g.shape(data))
    if rank >= _MOST_AXES:
        return None
    wide = g.builder.one("widen", data, axis=g.integer(0, rank))
    ones = [a for a, size in enumerate(g.shape(wide)) if size == 1]
    return [wide, g.builder.one("narrow", wide, axes=(ones[0],))]


def total(g: Grower, data: Tensor) -> Optional[list[Tensor]]:
    shape = g.shape(data)
    if len(shape) < 3:
        return None
    axes = (g.integer(0, len(shape) - 1),)
    return g.builder.add(g.choice(["total", "mean"]), data, axes=axes)


def soft(g: Grower, data: Tensor) -> Optional[list[Tensor]]:
    return g.builder.add("soft", data, axis=g.integer(0, len(g.shape(data)) - 1))


def product(g: Grower, data: Tensor) -> Optional[list[Tensor]]:
    """A matrix product of a value with its own transpose, or with another value."""
    rank = len(g.shape(data))
    if rank < 3:
        return None
    order = (*range(rank - 2), rank - 1, rank - 2)
    other = g.like(data)
    return g.builder.add("product", data, g.builder.one("permute", other, axes=order))


#: Channels stay channels.
CHANNELS: tuple[Step, ...] = (layer, normalise, elementwise, pairwise, join, part_at, cut, pad, turn, roll)
#: Axes are split, merged and moved.
AXES: tuple[Step, ...] = (layer, elementwise, pairwise, reshape, permute, flatten, depthwise)
#: Everything.
ALL: tuple[Step, ...] = (
    *CHANNELS,
    *AXES,
    shared,
    mirror,
    spread,
    part,
    cut_all,
    copies,
    repeats,
    zeros,
    widen,
    total,
    soft,
    product,
)
