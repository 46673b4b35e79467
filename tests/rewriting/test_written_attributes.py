"""What is written back: only attributes that must change, each in the style it had."""

from __future__ import annotations

import json

import numpy as np
import pytest
from core.plans import all_but_one
from core.small import Builder, compare, solved

from prunec.channels.removal import uniform
from prunec.rewriting.emit import emit


def _written(build, remove, units=8, shape=(2, 3)):
    """The changes behind a layer of so many units, of which some go; exact besides."""
    b = Builder()
    made = build(b, b.grouped(b.input(*shape), units))
    ends = made if isinstance(made, list) else [made]
    analysis = solved(b.finish(*[b.dense(end, 3) for end in ends]))
    removed = np.zeros(analysis.solution.unit_count, dtype=bool)
    removed[remove] = True
    outcome = compare(analysis, removed)
    assert outcome.error < 1e-9
    nodes = analysis.lowered.graph.nodes
    changes = {}
    for index, name, value in json.loads(outcome.pruned.model):
        value = tuple(value) if isinstance(value, list) else value
        changes[nodes[index].operator, name] = value
    assert changes.pop(("grouped", "units")) == units - len(remove)
    return changes


@pytest.mark.parametrize(
    ("codes", "reverse", "new"),
    [
        ((2, 8), False, (2, 6)),
        ((2, -1), False, None),
        ((0, 8), False, (0, 6)),
        ((0, -1), False, None),
        ((-2,), False, None),
        ((-1, 8), False, (-1, 6)),
        ((-1, 8), True, (-1, 6)),
        ((2, 2, 4), False, (2, 2, 3)),
        ((0, -4, 2, 4), False, (0, -4, 2, 3)),
        ((0, -4, 2, -1), False, None),
        ((0, -4, -1, 4), False, (0, -4, -1, 3)),
        ((-4, 2, -1, 0), True, None),
    ],
)
def test_reshape_codes(codes, reverse, new):
    """Numbers that stand for sizes change; what copies or infers does not."""

    def build(b, x):
        return b.one("reshape", x, shape=codes, reverse=reverse)

    found = _written(build, [1, 6])
    assert found == ({} if new is None else {("reshape", "shape"): new})


@pytest.mark.parametrize(
    ("begin", "end", "new"),
    [
        (0, 4, {"end": 3}),
        (4, 8, {"begin": 3, "end": 6}),
        (-8, -4, {"begin": -6, "end": -3}),
        (-4, None, {"begin": -3}),
        (None, 4, {"end": 3}),
        (4, 99, {"begin": 3}),
        (None, None, {}),
    ],
)
def test_stretches_of_an_axis(begin, end, new):
    """Negative indices stay negative, open ends stay open, and those past the end stay there."""

    def build(b, x):
        return [b.one("cut", x, axis=1, begin=begin, end=end), x]

    assert _written(build, [1, 6]) == {("cut", name): value for name, value in new.items()}


def test_an_end_that_comes_to_be_the_end_of_the_axis():
    """There is no negative number for it, so it is written as the size."""

    def build(b, x):
        return b.one("cut", x, axis=1, begin=2, end=-2)

    assert _written(build, [6, 7]) == {("cut", "end"): 6}


def test_stretches_of_all_axes():
    def build(b, x):
        return b.one("cut_all", x, begin=(None, 2), end=(2, -2))

    assert _written(build, [0, 4, 7]) == {("cut_all", "begin"): (None, 1), ("cut_all", "end"): (2, -1)}


def test_where_parts_start():
    def build(b, x):
        return b.add("part_at", x, axis=1, starts=(0, 3, 6))

    assert _written(build, [0, 4, 5]) == {("part_at", "starts"): (0, 2, 3)}


def test_rolls():
    def build(b, x):
        return b.one("roll", x, axis=1, shift=3)

    assert _written(build, [6, 7]) == {("roll", "shift"): 1}
    assert _written(build, [0, 1]) == {}


def test_groups_of_channels_and_their_number():
    """Whole groups of a layer whose rows are tied do not go, but each loses a channel."""

    def build(b, x):
        return b.grouped(x, 6, groups=2)

    b = Builder()
    model = b.finish(b.dense(build(b, b.grouped(b.input(2, 3), 8)), 3))
    analysis = solved(model)
    pruned = emit(analysis, uniform(analysis.solution, 0.5, np.zeros(analysis.solution.unit_count)))
    changes = [change[1:] for change in json.loads(pruned.model)]
    assert changes == [["units", 4], ["units", 4]]  # and `groups` stays as it is


def test_zeros_shrink_with_what_they_meet():
    def build(b, x):
        return b.one("add", x, b.one("zeros", shape=(2, 8)))

    assert _written(build, [1, 6]) == {("zeros", "shape"): (2, 6)}


def test_what_is_padded_is_made_and_may_go():
    """A shortcut widened by padding, added to a layer of that width."""
    b = Builder()
    x = b.grouped(b.input(2, 3), 6)
    model = b.finish(b.dense(b.one("add", b.one("pad", x, widths=(0, 0, 2, 2)), b.grouped(x, 10)), 3))
    analysis = solved(model)
    assert analysis.solution.unit_count == 10
    outcome = compare(analysis, all_but_one(analysis, np.random.default_rng(0)))
    widths = next(value for _, name, value in json.loads(outcome.pruned.model) if name == "widths")
    assert outcome.error < 1e-9 and widths[:2] == [0, 0] and sum(widths[2:]) < 4


@pytest.mark.xfail(
    strict=True, reason="an axis that shrinks to one channel vanishes where all ones are taken out"
)
def test_a_squeeze_of_all_ones_meets_a_last_channel():
    b = Builder()
    x = b.one("widen", b.grouped(b.input(2, 3), 4), axis=0)
    analysis = solved(b.finish(b.dense(b.one("narrow", x, axes=None), 3)))
    assert compare(analysis, all_but_one(analysis, np.random.default_rng(0))).error < 1e-9
