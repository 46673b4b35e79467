"""Random graphs, pruned at random: the smaller model computes what the masked one computes.

The reference is execution itself, in numpy: it knows nothing of axes, atoms and groups.
"""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from core.plans import all_but_one, any_legal
from core.random_graphs import ALL, AXES, CHANNELS, models
from core.small import compare, execute, solved
from prunec.graph import Tensor
from prunec.support.diagnostics import PrunecError

pytestmark = pytest.mark.slow

FAMILIES = {"channels": CHANNELS, "axes": AXES, "all": ALL}
TOLERANCE = 1e-9


@pytest.mark.parametrize("family", FAMILIES)
def test_smaller_model_computes_the_same(family):
    @settings(max_examples=250)
    @given(models(FAMILIES[family]), st.integers(0, 99))
    def check(model, seed):
        analysis = solved(model)
        generator = np.random.default_rng(seed)
        for choose in (any_legal, any_legal, all_but_one):
            outcome = compare(analysis, choose(analysis, generator))
            assert outcome.error < TOLERANCE

    check()


@given(models(ALL), st.integers(0, 99))
def test_what_is_not_marked_is_exact_without_strictness(model, seed):
    analysis = solved(model, strict=False)
    removed = any_legal(analysis, np.random.default_rng(seed))
    outcome = compare(analysis, removed)
    assert all(a.shape == b.shape for a, b in zip(outcome.expected, outcome.found))
    marked = [g for g in analysis.solution.groups if g.approximate and removed[g.units].any()]
    if not marked:
        assert outcome.error < TOLERANCE


@given(models(ALL))
def test_shapes_are_those_of_execution(model):
    values = execute(model.graph, {**model.inputs, **model.arrays})
    found = solved(model).lowered.shapes
    assert {t: found.get(t) for t in values} == {t: value.shape for t, value in values.items()}
    assert Tensor(0, 0) in found


@pytest.mark.parametrize("known", ["inputs", "parameters"])
def test_what_is_found_from_fewer_shapes_is_exact_too(known):
    """From the inputs' shapes alone, as without a parameter file, and from the parameters' alone."""

    @settings(max_examples=2 * settings().max_examples)
    @given(models(ALL), st.integers(0, 99))
    def check(model, seed):
        try:
            analysis = solved(model.shapes(**{known: True}))
        except PrunecError as error:
            assert {d.code for d in error.diagnostics} == {"P401"}, str(error)
            return
        outcome = compare(analysis, any_legal(analysis, np.random.default_rng(seed)))
        assert outcome.error < TOLERANCE

    check()


def test_most_random_graphs_have_something_to_remove():
    """The tests above would prove little otherwise."""
    units: list[int] = []

    @given(models(ALL))
    def count(model):
        units.append(solved(model).solution.unit_count)

    count()
    assert len(units) >= 50 and np.mean(np.array(units) > 0) > 0.5
