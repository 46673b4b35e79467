"""The solver against a slow reference, and what always holds of a solution."""

from __future__ import annotations

from dataclasses import replace

import hypothesis.strategies as st
import numpy as np
import pytest
from core.elements import Reference
from core.operators import SmallRules
from core.plans import any_legal
from core.random_graphs import ALL, AXES, CHANNELS, models
from core.sketch import sketch
from core.small import Builder, compare, solved
from hypothesis import given, settings

from prunec.analysis.analyse import analyse
from prunec.graph import Tensor
from prunec.planning.policy import read_policy, regrouped
from prunec.rewriting.shrink import Shrinker


def plain_layer(grower, data):
    """A layer in one group: its channels have no rows."""
    shape = grower.shape(data)
    if len(shape) < 2:
        return None
    units = grower.choice([1, 4, 6, 8])
    if grower.integer(0, 1):
        weight = grower.builder.parameter(units, shape[-1], name="weight")
        return [grower.builder.one("dense_last", data, weight, units=units)]
    return [grower.builder.grouped(data, units)]


PLAIN = (plain_layer, *CHANNELS[1:])


def units_of_axis(analysis, tensor, axis):
    """For each element of an axis its unit, -1 where it stays; no axis is made of several factors here."""
    channels = analysis.solution.propagation.channels[tensor]
    before = sum(len(factors) for factors in channels.layout.axes[:axis])
    for factors, array in zip(channels.layout.arrays, channels.arrays):
        if factors == (before,) and channels.layout.axes[axis]:
            return analysis.solution.units(array).tolist()
    return [-1] * (analysis.lowered.shapes[tensor][axis] or 0)


@settings(max_examples=3 * settings().max_examples)
@given(models(PLAIN))
def test_what_goes_together_is_what_the_reference_finds(model):
    analysis = solved(model)
    marks = {}
    for tensor, axis, expected in Reference(model).values():
        if analysis.lowered.graph.nodes[tensor.node].operator is None and axis > 0:
            continue  # a weight's second axis may be a product
        units = units_of_axis(analysis, tensor, axis)
        name = (analysis.lowered.graph.nodes[tensor.node].name, axis)
        assert [unit < 0 for unit in units] == [mark is None for mark in expected], name
        for unit, mark in zip(units, expected):
            assert marks.setdefault(unit, mark) == mark or unit < 0, name
            assert marks.setdefault(("mark", mark), unit) == unit or unit < 0, name


@given(models(ALL))
def test_joined_atoms_are_one_unit(model):
    solution = solved(model).solution
    for edge in solution.edges:
        assert edge.left.shape == edge.right.shape
        assert np.array_equal(solution.units(edge.left), solution.units(edge.right))
    assert solution.unit_of_atom[0] == -1
    numbers = np.unique(solution.unit_of_atom)
    assert np.array_equal(numbers[numbers >= 0], np.arange(solution.unit_count))
    # Units are numbered as they are first seen.
    _, first = np.unique(solution.unit_of_atom, return_index=True)
    assert (np.diff(first[numbers >= 0]) > 0).all()


@given(models(ALL))
def test_groups_share_out_the_units_of_parameters(model):
    analysis = solved(model)
    groups = analysis.solution.groups
    members = np.concatenate([np.zeros(0, dtype=np.int64), *[group.units for group in groups]])
    assert len(np.unique(members)) == len(members)
    assert [group.number for group in groups] == list(range(len(groups)))
    in_parameters = {
        unit
        for parameter in analysis.parameters
        for array in parameter.channels.arrays
        for unit in analysis.solution.units(array).reshape(-1).tolist()
    }
    assert set(members.tolist()) == in_parameters - {-1}
    for group in groups:
        assert len(group.cells) == len(group.units) and (np.diff(group.units) > 0).all()
        assert (group.cells >= 0).all() or (group.cells < 0).all()


@given(models((*AXES, *ALL)), st.integers(0, 99))
def test_every_legal_choice_leaves_tables_rectangular(model, seed):
    analysis = solved(model)
    removed = any_legal(analysis, np.random.default_rng(seed))
    shrinker = Shrinker(analysis.solution, removed)
    for table in analysis.solution.propagation.balances:
        lost = shrinker.gone_atom[table.atoms]
        shrinker.cut(table.atoms)  # raises where it is not
        assert lost.shape == table.atoms.shape
    for node in analysis.solution.propagation.nodes:
        for value in node.values if node is not None else ():
            shrinker.cut(value)


@given(models(ALL))
def test_the_same_model_has_the_same_solution(model):
    def turned(values):
        return dict(reversed(list(values.items())))

    nodes = tuple(replace(node, attributes=turned(node.attributes)) for node in model.graph.nodes)
    graph = replace(model.graph, nodes=nodes, shapes=turned(model.graph.shapes))
    other = replace(model, graph=graph, arrays=turned(model.arrays), inputs=turned(model.inputs))
    first, again, third = solved(model), solved(model), solved(other)
    for analysis in (again, third):
        assert np.array_equal(first.solution.unit_of_atom, analysis.solution.unit_of_atom)
        assert first.solution.causes == analysis.solution.causes
        for group, same in zip(first.solution.groups, analysis.solution.groups):
            assert np.array_equal(group.units, same.units) and np.array_equal(group.cells, same.cells)
            assert (group.domain, group.approximate) == (same.domain, same.approximate)
        assert [p.name for p in first.parameters] == [p.name for p in analysis.parameters]


@given(models(ALL))
def test_strictness_only_takes_away(model):
    """Nothing can be removed strictly that cannot be removed at all."""
    loose, strict = solved(model, strict=False), solved(model, strict=True)
    for one, other in zip(loose.parameters, strict.parameters):
        assert one.name == other.name
    assert strict.solution.unit_count <= loose.solution.unit_count or any(
        group.approximate for group in loose.solution.groups
    )
    assert not any(group.approximate for group in strict.solution.groups)


def test_two_groups_of_the_same_footprint_are_one():
    """Channels that lie in the same places are interchangeable; those in other places are not."""
    b = Builder()
    x = b.grouped(b.input(2, 3), 8)
    halves = b.add("part_at", x, axis=1, starts=(0, 3))
    model = b.finish(b.dense(halves[0], 3), b.dense(x, 3))
    groups = solved(model).solution.groups
    assert [group.units.tolist() for group in groups] == [[0, 1, 2], [3, 4, 5, 6, 7]]


def test_rows_of_a_joint_block_keep_places_of_their_own():
    """A grouped layer loses equally many channels of each group, at positions of their own."""
    b = Builder()
    x = b.grouped(b.grouped(b.input(2, 3), 6), 6, groups=2)
    groups = solved(b.finish(b.dense(x, 3))).solution.groups
    assert [group.units.tolist() for group in groups] == [[0, 1, 2, 3, 4, 5], [6, 7, 8, 9, 10, 11]]
    assert [np.unique(group.cells, return_counts=True)[1].tolist() for group in groups] == [[3, 3], [3, 3]]
    assert groups[0].domain != groups[1].domain


def test_a_shuffle_between_groups_needs_both_balances():
    """Channels in two tables: three cells of two, each for a row of the one and a row of the other."""
    b = Builder()
    x = b.grouped(b.grouped(b.input(2, 3), 12), 12, groups=2)
    x = b.one("reshape", x, shape=(0, -4, 2, 6))
    x = b.one("reshape", b.one("permute", x, axes=(0, 2, 1)), shape=(0, -3))
    solution = solved(b.finish(b.dense(b.grouped(x, 6, groups=3), 3))).solution
    assert solution.unit_count > 12
    middle = next(g for g in solution.groups if 12 in g.units)
    assert len(np.unique(middle.cells)) == len(middle.cells) / 2


def test_channels_beside_their_mirror_image_go_in_pairs():
    b = Builder()
    x = b.one("mirror", b.grouped(b.input(2, 3), 8), axis=1)
    analysis = solved(b.finish(b.dense(x, 3)))
    assert analysis.solution.unit_count == 8
    removed = np.arange(8) % 3 == 0
    assert compare(analysis, removed).error < 1e-12
    assert (
        compare(analysis, removed).pruned.shrinker.shape(analysis.solution.propagation.channels[x])[1] == 10
    )


def test_a_sum_of_parts_without_elements():
    """Padding what is empty, and taking nothing of it, leaves an axis without channels."""
    rules = SmallRules("op none { data[n, c] -> out[n, (p + q)]  p = 0  q = 0 }")
    model = sketch(("x", None), ("y", "none", ["x"]), outputs=["y"], shapes={"x": (2, 3)})
    assert analyse(model, rules).solution.propagation.channels[Tensor(1, 0)].layout.axes == ((2,), (0,))


GROUPED_ATTENTION = """
op dense {
  data[n, s, i]; weight[o, i] -> out[n, s, o]
  mixes i unless zero data or weight because "it sums"
  zero out
}
op heads(width) { data[n, s, (h d)] -> out[n, h, s, d]  width = d  zero out if data }
op turn { data[n, h, s, d] -> out[n, h, s, d]  keep d because "positions are told by turning" }
op repeated(times) { data[n, h, s, d] -> out[n, h, r, s, d]  times = r  zero out if data }
op folded { data[n, h, r, s, d] -> out[n, (h r), s, d]  zero out if data }
op attend {
  q[*b, s, d], k[*b, l, d], v[*b, l, w] -> out[*b, s, w]
  keep s, l because "positions"
  zero out if v
}
op merge { data[n, h, s, d] -> out[n, s, (h d)]  zero out if data }
"""


def grouped_attention():
    """Four heads of queries that share two of keys and values."""
    variables = [(name, None) for name in ("x", "wq", "wk", "wv", "wo")]
    nodes = [
        ("q", "dense", ["x", "wq"]),
        ("qh", "heads", ["q"], {"width": 3}),
        ("qt", "turn", ["qh"]),
        ("k", "dense", ["x", "wk"]),
        ("kh", "heads", ["k"], {"width": 3}),
        ("kt", "turn", ["kh"]),
        ("kr", "repeated", ["kt"], {"times": 2}),
        ("ks", "folded", ["kr"]),
        ("v", "dense", ["x", "wv"]),
        ("vh", "heads", ["v"], {"width": 3}),
        ("vr", "repeated", ["vh"], {"times": 2}),
        ("vs", "folded", ["vr"]),
        ("a", "attend", ["qt", "ks", "vs"]),
        ("m", "merge", ["a"]),
        ("y", "dense", ["m", "wo"]),
    ]
    parameters = ("wq", "wk", "wv", "wo")
    shapes = {"x": (2, 5, 6), "wq": (12, 6), "wk": (6, 6), "wv": (6, 6), "wo": (4, 12)}
    return sketch(*variables, *nodes, outputs=["y"], shapes=shapes, parameters=parameters)


def units_made(analysis):
    """The units of what the layers of queries, keys and values make."""
    channels = analysis.solution.propagation.channels
    return [analysis.solution.units(channels[Tensor(node, 0)].arrays[0]).tolist() for node in (1, 2, 3)]


def test_rows_that_stay_stay_in_all_tables(tmp_path):
    """Heads of keys that stay have those of values stay, where a policy has these go whole."""
    model, rules = grouped_attention(), SmallRules(GROUPED_ATTENTION)
    analysis = analyse(model, rules)
    assert min(units_made(analysis)[2]) >= 0
    (tmp_path / "my.prune").write_text('policy "*" { whole rows }')
    policy = read_policy(tmp_path / "my.prune", analysis)
    queries, keys, values = units_made(regrouped(analysis, policy))
    assert keys == values == [-1] * 6
    # One of the two heads of queries at each head of keys goes in all places.
    assert queries == [queries[0]] * 3 + [queries[3]] * 3 + [queries[0]] * 3 + [queries[3]] * 3


@pytest.mark.parametrize("strict", [False, True])
def test_whole_rows_go_before_columns(tmp_path, strict):
    """Where a policy says so, a head of keys and values goes with all of its queries, and exactly."""
    model, rules = grouped_attention(), SmallRules(GROUPED_ATTENTION)
    (tmp_path / "my.prune").write_text('policy "a", "?h" { whole rows }')
    policy = read_policy(tmp_path / "my.prune", analyse(model, rules, strict))
    analysis = regrouped(analyse(model, rules, strict, whole=policy.whole), policy)
    queries, keys, values = units_made(analysis)
    assert keys == values and queries == [keys[0]] * 6 + [keys[3]] * 6
    assert keys[0] != keys[3] and min(keys) >= 0
    assert analysis.warnings == () and all(not group.approximate for group in analysis.solution.groups)


def test_kept_channels_have_a_cause():
    b = Builder()
    data = b.input(2, 6)
    layer = b.grouped(data, 6)
    model = b.finish(b.one("add", data, layer))
    solution = solved(model).solution
    assert solution.unit_count == 0 and solution.groups == ()
    assert {cause.kind for cause in solution.causes} >= {"input", "output"}
    weight = solution.propagation.channels[Tensor(1, 0)]
    assert (solution.units(weight.arrays[0]) == -1).all()
