"""Binding a rule to a node: slots, ranks, broadcasting, and equations read in both directions."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
from core.operators import RULES
from core.sketch import bound, one_rule, shapes_of, sketch
from hypothesis import given

from prunec.lowering.infer import lower_graph
from prunec.lowering.slots import Contradiction, assign_slots

CONVOLUTION = """op c(groups = 1, filters, kernel, stride = 1, pad = 0) {
  data[n, (g i), *x]; weight[(g o), i, *k], bias?[(g o)] -> out[n, (g o), *y]
  groups = g
  filters = g * o
  kernel = *k
  *y = window(*x, kernel, stride, pad, 1)
}"""
SPREAD = "op s { a[~*x], b[~*x] -> out[*x] }"
PLACED = "op p(axis = 1) { data[*a, c @ axis, *b]; gamma[c] -> out[*a, c, *b] }"
JOIN = "op j(axis = 1) { data*[*a, c @ axis, *b] -> out[*a, (+ c), *b] }"
PARTS = (
    "op j(axis = 1, parts) { data[*a, (+ c) @ axis, *b] -> out*[*a, c, *b]  parts = count(out)  balanced c }"
)
CUT = """op c(axis, begin, end) {
  data[*a, (p + c + q) @ axis, *b] -> out[*a, c, *b]
  start(begin, p + c + q) = p
  stop(end, p + c + q) = p + c
}"""
PAD = "op p(widths) { data[*c] -> out[*(p + c + q)]  widths = interleave(*p, *q) }"
TILE = "op t(reps) { data[*x] -> out[*(r x)]  reps = *r }"
FLATTEN = "op f { data[n, *x] -> out[n, (*x)] }"


# --- slots ---------------------------------------------------------------------------------


def _filled(text, count, given=()):
    slots = assign_slots(one_rule(text), count, given)
    return [(t.name, i) for t, i in slots.inputs], [t.name for t in slots.implied]


@pytest.mark.parametrize(
    ("signature", "count", "filled", "implied"),
    [
        ("a[x], b[x] -> o[x]", 2, [("a", 0), ("b", 0)], []),
        ("a[x]; w[x], b?[x] -> o[x]", 2, [("a", 0), ("w", 0)], []),
        ("a[x]; w[x], b?[x] -> o[x]", 3, [("a", 0), ("w", 0), ("b", 0)], []),
        # An optional slot is filled only where all required ones are.
        ("a[x], m?[x], b[x] -> o[x]", 2, [("a", 0), ("b", 0)], []),
        ("a[x], m?[x], b[x] -> o[x]", 3, [("a", 0), ("m", 0), ("b", 0)], []),
        # A variadic slot takes what the others leave.
        ("a[x], m*[x], b[x] -> o[x]", 4, [("a", 0), ("m", 0), ("m", 1), ("b", 0)], []),
        ("a[x], m*[x], b[x] -> o[x]", 2, [("a", 0), ("b", 0)], []),
        # Parameters that are not connected stand for those the file has.
        ("a[x]; g[x], m[x], v[x] -> o[x]", 2, [("a", 0), ("g", 0)], ["m", "v"]),
        ("-> o[x]", 0, [], []),
    ],
)
def test_slots(signature, count, filled, implied):
    assert _filled(f"op r {{ {signature} }}", count) == (filled, implied)


def test_slots_by_position():
    text = "op r { a[x], m?[x], b?[x] -> o[x] }"
    assert _filled(text, 2, (True, False, True)) == ([("a", 0), ("b", 0)], [])


@pytest.mark.parametrize(
    ("signature", "count", "message"),
    [
        ("a[x] -> o[x]", 2, "the rule takes 1 input at most, the node has 2"),
        ("a[x], b[x] -> o[x]", 1, "the node has no input for b"),
    ],
)
def test_inputs_that_do_not_fit(signature, count, message):
    with pytest.raises(Contradiction) as error:
        _filled(f"op r {{ {signature} }}", count)
    assert error.value.headline == message


# --- ranks and sizes ---------------------------------------------------------------------------


def test_an_equation_binds_sizes_of_parameters_and_outputs():
    found = bound(CONVOLUTION, (2, 12, 9, 9), None, None, groups=3, filters=6, kernel=(3, 2), stride=(2, 1))
    assert shapes_of(found) == [(2, 6, 4, 8)]
    assert [found.shape(tensor) for tensor in found.inputs] == [(2, 12, 9, 9), (6, 4, 3, 2), (6,)]
    assert found.sizes["g"] == 3 and found.sizes["i"] == 4 and found.sizes["o"] == 2
    assert not found.open


def test_an_equation_is_read_from_the_weight_too():
    """The number of filters is not given, and follows from the weight."""
    found = bound(CONVOLUTION, (2, 12, None, 9), (6, 4, 3, 2), groups=3, filters=None, kernel=None)
    assert shapes_of(found) == [(2, 6, None, None)]
    found = bound(CONVOLUTION, None, (6, 4, 3, 2), groups=3, filters=6, kernel=(3, 2))
    assert found.shape(found.inputs[0]) == (None, 12, None, None)
    assert shapes_of(found) == [(None, 6, None, None)]


def test_sizes_flow_from_the_output():
    found = bound(CONVOLUTION, (None, 12, None, None), None, outputs=[(2, 6, 4, 8)], filters=6, kernel=(3, 2))
    assert found.shape(found.inputs[0]) == (2, 12, None, None)


@pytest.mark.parametrize(
    ("axis", "shape", "size"),
    [(1, (2, 5, 7), 5), (-1, (2, 5, 7), 7), (0, (2, 5), 2), ((1,), (2, 5), 5), (-3, (2, 5, 7), 2)],
)
def test_placed_axes(axis, shape, size):
    found = bound(PLACED, shape, None, axis=axis)
    assert found.sizes["c"] == size and shapes_of(found) == [shape]
    assert found.shape(found.inputs[1]) == (size,)


def test_a_placed_axis_counts_from_the_end_only_where_the_rank_is_known():
    assert bound(PLACED, None, (5,), axis=-1).open
    assert bound(PLACED, None, (5,), axis=-1, outputs=[(None, None, None)]).ranks == {"a": 2, "b": 0}
    assert bound(PLACED, (None, None), None, axis=0).sizes.get("c") is None


def test_variadic_sums():
    found = bound(JOIN, (2, 3, 4), (2, 5, 4), (2, 1, 4))
    assert shapes_of(found) == [(2, 9, 4)]
    assert found.shape(bound(JOIN, (2, 3, 4), (2, None, 4), outputs=[(2, 9, 4)]).inputs[1]) is not None
    found = bound(JOIN, (2, 3, 4), (2, None, None), outputs=[(2, 9, 4)])
    assert found.shape(found.inputs[1]) == (2, 6, 4)


def test_balanced_parts_are_equally_long():
    found = bound(PARTS, (2, 12), outputs=[None] * 3, parts=3)
    assert shapes_of(found) == [(2, 4)] * 3
    with pytest.raises(Contradiction) as error:
        bound(PARTS, (2, 13), outputs=[None] * 3, parts=3)
    assert error.value.headline == "axis 1 of data has size 13, not 3 equal parts"


def test_outputs_that_the_graph_does_not_use_count_too():
    found = bound(PARTS, (2, 12), outputs=[None], parts=3)
    assert shapes_of(found) == [(2, 4)] * 3


@given(st.integers(1, 9), st.one_of(st.none(), st.integers(-9, 9)), st.one_of(st.none(), st.integers(-9, 9)))
def test_cuts_are_those_of_numpy(size, begin, end):
    expected = np.zeros((2, size))[:, begin:end].shape
    start, stop, _ = slice(begin, end).indices(size)
    if start > stop:
        return
    found = bound(CUT, (2, size), axis=1, begin=begin, end=end)
    assert shapes_of(found) == [expected]
    assert (found.sizes["p"], found.sizes["q"]) == (start, size - stop)


def test_an_end_behind_that_of_an_axis_of_unknown_size():
    assert shapes_of(bound(CUT, (2, None), axis=1, begin=0, end=11)) == [(2, None)]
    found = bound(CUT, (2, None), outputs=[(2, 8)], axis=1, begin=0, end=11)
    assert not found.open and shapes_of(found) == [(2, 8)]


def test_a_sum_that_is_known_as_a_whole_in_a_message():
    """Its parts have no sizes to be shown."""
    text = "op r(size) { data[(p + q)] -> out[p, q]  size = p + q }"
    with pytest.raises(Contradiction) as error:
        bound(text, (7,), size=8)
    assert error.value.headline == "size = p + q does not hold: 8 and 7"
    assert error.value.notes == ()


def test_compounds_for_each_axis():
    assert shapes_of(bound(PAD, (2, 3, 4), widths=(0, 0, 1, 2, 0, 5))) == [(2, 6, 9)]
    assert shapes_of(bound(TILE, (2, 3), reps=(1, 3))) == [(2, 9)]
    found = bound(TILE, None, outputs=[(2, 9)], reps=(1, 3))
    assert found.shape(found.inputs[0]) == (2, 3)
    found = bound(PAD, None, outputs=[(2, 6)], widths=(0, 0, 1, 2))
    assert found.shape(found.inputs[0]) == (2, 3)


def test_products_of_rests():
    assert shapes_of(bound(FLATTEN, (2, 3, 4, 5))) == [(2, 60)]
    assert shapes_of(bound(FLATTEN, (2, None, 4))) == [(2, None)]
    found = bound(FLATTEN, (2, None, 4), outputs=[(2, 12)])
    assert found.shape(found.inputs[0]) == (2, 3, 4)
    assert shapes_of(bound(FLATTEN, (2,))) == [(2, 1)]


# --- broadcasting ----------------------------------------------------------------------------


@st.composite
def two_shapes(draw):
    full = draw(st.lists(st.integers(1, 4), min_size=1, max_size=4))

    def one():
        own = [draw(st.sampled_from([1, size])) for size in full]
        return tuple(own[draw(st.integers(0, len(own) - 1)) :])

    return one(), one()


@given(two_shapes())
def test_broadcasting_is_that_of_numpy(shapes):
    expected = np.broadcast_shapes(*shapes)
    found = bound(SPREAD, *shapes)
    assert shapes_of(found) == [expected]
    assert [found.shape(tensor) for tensor in found.inputs] == list(shapes)
    for tensor, shape in zip(found.inputs, shapes):
        for axis, size, whole in zip(reversed(tensor.axes), reversed(shape), reversed(expected)):
            # A one that is stretched has no name, so it couples with nothing.
            assert whole == 1 or (axis == ()) == (size == 1)


@given(two_shapes(), st.data())
def test_broadcasting_of_unknown_sizes_is_never_wrong(shapes, data):
    expected = np.broadcast_shapes(*shapes)
    hidden = [tuple(None if data.draw(st.booleans()) else size for size in shape) for shape in shapes]
    (found,) = shapes_of(bound(SPREAD, *hidden))
    if found is not None:
        assert len(found) == len(expected)
        assert all(size is None or size == other for size, other in zip(found, expected))


def test_a_list_of_axes_that_broadcast_may_be_shorter():
    rule = "op sum { data[n, o], more[~n, ~o] -> out[n, o] }"
    for shape, axes in (
        ((2, 3), (("n",), ("o",))),
        ((2, 1), (("n",), ())),
        ((3,), (("o",),)),
        ((1,), ((),)),
        ((), ()),
    ):
        found = bound(rule, (2, 3), shape)
        assert shapes_of(found) == [(2, 3)] and found.inputs[1].axes == axes
    assert bound(rule, (2, 3), None).inputs[1].axes is None
    with pytest.raises(Contradiction, match="more has 3 axes, the rule expects 2"):
        bound(rule, (2, 3), (1, 2, 3))


def test_an_unknown_shape_that_broadcasts_stays_open():
    assert bound(SPREAD, (2, 3), None).open
    assert shapes_of(bound(SPREAD, (2, 1), (2, None))) == [(2, None)]
    # What is open on one axis leaves the ones on another known.
    assert shapes_of(bound(SPREAD, (1, None, 4), (1, 3, 4))) == [(1, 3, 4)]
    assert shapes_of(bound(SPREAD, (1, None, 4), (1, 1, 4))) == [(1, None, 4)]


CHOSEN = """op choose(batch = 0) {
  data[*b, *i, *x], at[*b, *j, k] -> out[*b, *j, *x]
  batch = rank(*b)
  k = rank(*i)
  keep *i, *j, k
}"""


def test_the_last_axis_of_an_input_says_how_many_axes_a_rest_has():
    assert shapes_of(bound(CHOSEN, (9, 5), (7, 1), batch=0)) == [(7, 5)]
    assert shapes_of(bound(CHOSEN, (9, 5), (7, 4, 2), batch=0)) == [(7, 4)]
    assert shapes_of(bound(CHOSEN, (2, 9, 5, 3), (2, 7, 2), batch=1)) == [(2, 7, 3)]
    assert bound(CHOSEN, (9, 5), (7, None), batch=0).open


@pytest.mark.parametrize(
    "shape, own, out",
    [
        ((1, 1), (5,), (1, 5)),
        ((3, 1, 1), (2, 1), (3, 2, 1)),
        ((1, 1, 4), (2, 1), (1, 2, 4)),
        ((1, 1, 1), (), (1, 1, 1)),
        ((1, 3), (None, 3), (None, 3)),
        ((1, 1, 3), (None, 3), (1, None, 3)),
    ],
)
def test_a_shape_may_have_more_axes_than_what_is_stretched_to_it(shape, own, out):
    rule = "op e(shape) { data[~*x] -> out[*x]  stretch(shape, *x) = *x }"
    assert shapes_of(bound(rule, own, shape=shape)) == [out]


@pytest.mark.parametrize(
    ("sizes", "shape", "out"),
    [((2, -1), (3, 8, 5), (3, 2, 4, 5)), ((-1, 2, 2), (3, 8, 5), (3, 2, 2, 2, 5))],
)
def test_a_negative_size_that_nothing_stands_in_the_place_of_follows(sizes, shape, out):
    rule = "op u(dim, sizes) { data[*a, (*y) @ dim, *b] -> out[*a, *y, *b]  copy_negative(sizes, *y) = *y }"
    assert shapes_of(bound(rule, shape, dim=1, sizes=sizes)) == [out]


@pytest.mark.parametrize(("pad", "out"), [((1, 2), (2, 3, 7)), ((1, 2, 3, 4), (2, 10, 7))])
def test_padding_of_the_last_axes(pad, out):
    rule = "op p(pad) { data[*b, *c] -> out[*b, *(p + c + q)]  pad = last_first(*p, *q) }"
    assert shapes_of(bound(rule, (2, 3, 4), pad=pad)) == [out]


def test_the_length_of_a_list_says_how_many_axes_it_is_for():
    rule = (
        "op m(k) { data[*b, *x] -> out[*b, *y]  length(k) = rank(*x)  *y = min(window(*x, k, k, 0, 1), *x) }"
    )
    assert shapes_of(bound(rule, (2, 3, 4, 6), k=(2, 3))) == [(2, 3, 2, 2)]


def test_a_rest_may_have_as_many_axes_as_another():
    rule = "op m { data[*b, *x]; weight[*k] -> out[*b, *x]  rank(*k) = rank(*x)  keep *k }"
    assert bound(rule, (2, 3, 4, 6), (3, 3)).ranks == {"b": 2, "x": 2, "k": 2}


def test_the_axes_of_another_tensor_over_the_elements_of_one():
    rule = "op r { data[*x], like[*y] -> out[view_like(*x, *y)] }"
    found = bound(rule, (2, 12), (2, 3, 4))
    assert shapes_of(found) == [(2, 3, 4)]
    assert [(r.before, r.after) for r in found.regroupings] == [(("x.0", "x.1"), ("y.0", "y.1", "y.2"))]
    with pytest.raises(Contradiction, match="24 elements cannot be seen as 26"):
        bound(rule, (2, 12), (2, 13))
    # As long as a size is not known, neither are the axes.
    assert shapes_of(bound(rule, (None, 12), (2, 3, 4))) == [None]


def test_one_size_for_all_parts_does_not_say_how_many():
    rule = "op s(n) { data[(+ c)] -> out*[c]  n = c  balanced c }"
    assert shapes_of(bound(rule, (6,), outputs=[None, None, None], n=2)) == [(2,), (2,), (2,)]


# --- what names mean ---------------------------------------------------------------------------


def test_names_in_one_place_are_kept():
    found = bound(CONVOLUTION, (2, 12, 9), None, filters=6, kernel=(3,))
    assert set(found.kept) == {"x.0", "k.0", "y.0"}
    assert "the rule uses it in one place only" in found.kept["k.0"].text


def test_parts_that_stand_nowhere_else_are_free():
    assert set(bound(CUT, (2, 9), axis=1, begin=2, end=-3).kept) == set()


def test_what_an_attribute_makes_is_made():
    found = bound("op z(shape) { -> out[*x]  copy_zero(shape, *x) = *x }", shape=(2, 0, 4))
    assert found.attribute_sized == {"x.0", "x.1", "x.2"} and found.kept == {}
    # Not so without the equation.
    assert set(bound("op z { -> out[c] }", outputs=[(3,)]).kept) == {"c"}


def test_kept_by_a_reason():
    found = bound(
        'op r(axes) { data[*x] -> out[*x]  keep pick(*x, axes) because "so" }', (2, 3, 4), axes=(0, -1)
    )
    assert {name: reason.text for name, reason in found.kept.items()} == {"x.0": "so", "x.2": "so"}


def test_numbers_as_axes():
    found = bound("op r { data[n, 3, c] -> out[n, c] }", (2, None, 5))
    assert found.shape(found.inputs[0]) == (2, 3, 5)
    with pytest.raises(Contradiction) as error:
        bound("op r { data[n, 3, c] -> out[n, c] }", (2, 4, 5))
    assert error.value.headline == "axis 1 of data has size 4, the rule expects 3"


# --- contradictions -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "shapes", "attributes", "headline", "note"),
    [
        (
            CONVOLUTION,
            [(2, 12, 9), (6, 5, 3)],
            {"filters": 6, "kernel": (3,)},
            "axis 1 of data has size 12, the rule expects 5",
            "g = 1 (groups = g), i = 5 (axis 1 of weight)",
        ),
        (
            CONVOLUTION,
            [(2, 12, 9), (7, 12, 3)],
            {"filters": 6, "kernel": (3,)},
            "axis 0 of weight has size 7, the rule expects 6",
            "g = 1 (groups = g), o = 6 (filters = g * o)",
        ),
        (
            CONVOLUTION,
            [(2, 13, 9), None],
            {"filters": 6, "kernel": (3,), "groups": 3},
            "axis 1 of data has size 13, which does not divide by 3",
            None,
        ),
        ("op d { data[n, i] -> out[n] }", [(2, 3, 4)], {}, "data has 3 axes, the rule expects 2", None),
        (
            "op r(shape) { data[*x] -> out[view(*x, shape)] }",
            [(2, 3)],
            {"shape": (5, -1)},
            "a size cannot be inferred: 6 elements do not divide by 5",
            "the inputs are data: (2, 3)",
        ),
        (
            "op t(axes) { data[*x] -> out[permute(*x, axes)] }",
            [(2, 3)],
            {"axes": (0, 0)},
            "(0, 0) is not an order of 2 axes",
            "the inputs are data: (2, 3)",
        ),
        (
            "op r { a[*x], b[*x] -> out[*x] }",
            [(2, 3), (2, 4)],
            {},
            "axis 1 of b has size 4, the rule expects 3",
            "x.1 = 3 (axis 1 of a)",
        ),
        (
            "op r(size) { data[n, c] -> out[n, c]  size = c }",
            [(2, 3)],
            {"size": 4},
            "size = c does not hold: 4 and 3",
            "c = 3 (axis 1 of data)",
        ),
    ],
)
def test_contradictions(text, shapes, attributes, headline, note):
    with pytest.raises(Contradiction) as error:
        bound(text, *shapes, **attributes)
    assert error.value.headline == headline
    if note is not None:
        assert error.value.notes == (note,)


def test_axes_behind_a_broadcast_rest_are_aligned_at_the_end():
    text = "op f { q[~*b, s, d], k[~*b, l, d], mask[~*b, ~s, ~l] -> out[*b, s, l] }"
    found = bound(text, (4, 3, 2, 5), (3, 6, 5), (4, 1, 1, 6))
    assert found.shape(found.outputs[0]) == (4, 3, 2, 6)
    found = bound(text, (4, 3, 2, 5), (4, 3, 6, 5), (1, 6))
    assert found.shape(found.outputs[0]) == (4, 3, 2, 6)


# --- whole graphs -------------------------------------------------------------------------------


def test_shapes_flow_backwards_through_a_graph():
    """The first layer's input is known only from what stands behind it."""
    model = sketch(
        ("data", None),
        ("double", "double", ["data"]),
        ("other", None),
        ("sum", "add", ["double", "other"]),
        ("flat", "flatten", ["sum"]),
        outputs=["flat"],
        shapes={"data": (None, 3, None), "other": (2, None, 5)},
    )
    found = lower_graph(model.graph, RULES)
    assert [found.shapes[t] for t in sorted(found.shapes)] == [(2, 3, 5)] * 4 + [(2, 15)]


def test_a_weight_used_twice_gives_its_shape_to_both():
    model = sketch(
        ("data", None),
        ("weight", None),
        ("one", "dense", ["data", "weight"], {"units": 6}),
        ("two", "dense", ["one", "weight"], {"units": 6}),
        outputs=["two"],
        shapes={"data": (2, None)},
        parameters=["weight"],
    )
    found = lower_graph(model.graph, RULES)
    assert [found.shapes[t] for t in sorted(found.shapes)] == [(2, 6), (6, 6), (2, 6), (2, 6)]
