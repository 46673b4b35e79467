"""Drawings of graphs: layers, no overlaps, edges that end where they should."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prunec.reporting.layered import GAP_ACROSS, draw


@st.composite
def graphs(generate):
    count = generate(st.integers(1, 14))
    sizes = st.tuples(st.integers(10, 80), st.integers(10, 40))
    boxes = generate(st.lists(sizes, min_size=count, max_size=count))
    pairs = [(a, b) for b in range(count) for a in range(b)]
    edges = generate(st.lists(st.sampled_from(pairs), unique=True, max_size=25)) if pairs else []
    return boxes, edges


@settings(deadline=None, max_examples=150, derandomize=True)
@given(graphs())
def test_boxes_do_not_overlap_and_edges_go_down(graph):
    boxes, edges = graph
    drawing = draw(boxes, edges)
    assert all(x >= -1e-6 and y >= 0 for x, y in drawing.corners)
    for (x, y), (width, height) in zip(drawing.corners, boxes):
        assert x + width <= drawing.width + 1e-6 and y + height <= drawing.height + 1e-6
    for i, (x, y) in enumerate(drawing.corners):
        for j in range(i):
            other_x, other_y = drawing.corners[j]
            beside = (
                x >= other_x + boxes[j][0] + GAP_ACROSS - 1e-6
                or other_x >= x + boxes[i][0] + GAP_ACROSS - 1e-6
            )
            above = y >= other_y + boxes[j][1] or other_y >= y + boxes[i][1]
            assert beside or above
    for (source, target), route in zip(edges, drawing.routes):
        (x, y), (width, height) = drawing.corners[source], boxes[source]
        assert route[0] == pytest.approx((x + width / 2, y + height))
        assert route[-1] == pytest.approx(
            (drawing.corners[target][0] + boxes[target][0] / 2, drawing.corners[target][1])
        )
        assert all(upper[1] <= lower[1] for upper, lower in zip(route, route[1:]))


def test_a_chain_is_straight():
    drawing = draw([(50, 20)] * 5, [(0, 1), (1, 2), (2, 3), (3, 4)])
    assert len({x for x, _ in drawing.corners}) == 1
    assert drawing.width == 50


def test_a_long_edge_passes_beside_the_boxes_it_skips():
    drawing = draw([(50, 20)] * 4, [(0, 1), (1, 2), (2, 3), (0, 3)])
    left, right = drawing.corners[1][0], drawing.corners[1][0] + 50
    passing = [x for x, y in drawing.routes[3][1:-1]]
    assert all(x < left or x > right for x in passing)


def test_two_branches_do_not_cross():
    drawing = draw([(40, 20)] * 6, [(0, 1), (0, 2), (1, 3), (2, 4), (3, 5), (4, 5)])
    sides = [drawing.corners[n][0] for n in (1, 2, 3, 4)]
    assert (sides[0] < sides[1]) == (sides[2] < sides[3])


def test_nothing_is_drawn_of_nothing():
    drawing = draw([], [])
    assert drawing.corners == () and drawing.routes == ()
    assert (drawing.width, drawing.height) == (0.0, 0.0)


def test_an_edge_backwards_is_refused():
    with pytest.raises(ValueError, match="an edge must go from a box to a later one"):
        draw([(10, 10)] * 2, [(1, 0)])


def test_a_graph_with_very_many_bends_is_still_drawn_quickly():
    count = 400
    edges = [(i, i + 1) for i in range(count - 1)] + [(i, count - 1) for i in range(0, count - 2)]
    start = time.process_time()
    drawing = draw([(100, 30)] * count, edges)
    assert time.process_time() - start < 2
    assert len(drawing.routes) == len(edges)
