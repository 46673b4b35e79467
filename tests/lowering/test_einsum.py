"""Formulas of letters, read as ``numpy.einsum`` reads them."""

from __future__ import annotations

from typing import Optional

import numpy as np
import pytest
from core.sketch import bound, one_rule
from hypothesis import given
from hypothesis import strategies as st

from prunec.language.functions.base import ArgumentError
from prunec.language.functions.formulas import Formula
from prunec.lowering.einsum import Letters, letters_of
from prunec.lowering.slots import Contradiction

RULE = """
op Formula(equation) {
  A[letters(*x, equation)], more*[letters(*x, equation)] -> Y[letters(*x, equation)]
  mixes summed(*x, equation)
}
"""


def read(formula: object, *ranks: Optional[int]) -> Optional[Letters]:
    return letters_of(one_rule(RULE), {"equation": formula}, ranks)  # type: ignore[dict-item]


@st.composite
def formulas(draw):
    """A formula and the shapes of its tensors."""
    sizes = {letter: draw(st.integers(1, 3)) for letter in "abcXYZ"}
    dots = draw(st.lists(st.integers(1, 3), max_size=2))
    terms, shapes = [], []
    for _ in range(draw(st.integers(1, 3))):
        before, after = (draw(st.text("abcXYZ", max_size=2)) for _ in range(2))
        own = dots[draw(st.integers(0, len(dots))) :] if draw(st.booleans()) else None
        terms.append(before + ("" if own is None else "...") + after)
        shapes.append([*map(sizes.get, before), *(own or ()), *map(sizes.get, after)])
    formula = ",".join(terms)
    if draw(st.booleans()):
        known = sorted(set(formula) - set(",."))
        output = draw(st.lists(st.sampled_from(known), unique=True)) if known else []
        output.insert(draw(st.integers(0, len(output))), "..." if "..." in formula else "")
        formula += "->" + "".join(output)
    spaced = draw(st.lists(st.integers(0, len(formula)), max_size=2))
    for place in sorted(spaced, reverse=True):
        if formula[max(0, place - 1) : place + 1] not in ("..", "->"):
            formula = formula[:place] + " " + formula[place:]
    return formula, [tuple(shape) for shape in shapes]


@given(formulas(), st.integers(0, 1000))
def test_formulas_say_what_numpy_reads(case, seed):
    formula, shapes = case
    random = np.random.default_rng(seed)
    arrays = [random.standard_normal(shape) for shape in shapes]
    letters = read(formula, *map(len, shapes))
    assert letters is not None
    places = [part for array, own in zip(arrays, letters.formula.inputs) for part in (array, list(own))]
    expected = np.einsum(formula, *arrays)
    np.testing.assert_allclose(
        np.einsum(*places, list(letters.formula.output)), expected, rtol=1e-9, atol=1e-12
    )
    summed = {f"x.{place}" for place in range(letters.count)} - set(letters.names(len(shapes)))
    assert set(letters.summed) == summed


@pytest.mark.parametrize(
    ("formula", "ranks", "message"),
    [
        ("ij,jk", (2,), "the formula 'ij,jk' is not one for 1 tensors"),
        ("ij->ij", (3,), "the formula 'ij->ij' is not one for tensors of [3] axes"),
        ("...ij->ij", (1,), "the formula '...ij->ij' is not one for tensors of [1] axes"),
        ("ij->k", (2,), "the formula 'ij->k' gives axes that are none of its tensors', or one twice"),
        ("ij->ii", (2,), "the formula 'ij->ii' gives axes that are none of its tensors', or one twice"),
        ("i1->i", (2,), "'i1->i' is not a formula of letters"),
        ("i.j->i", (2,), "'i.j->i' is not a formula of letters"),
        ("......->", (2,), "'......->' is not a formula of letters"),
        ("i->j->i", (1,), "'i->j->i' is not a formula of letters"),
        (None, (1,), "None is not a formula of letters"),
        (3, (1,), "3 is not a formula of letters"),
    ],
)
def test_what_is_no_formula(formula, ranks, message):
    with pytest.raises(ArgumentError) as caught:
        read(formula, *ranks)
    assert str(caught.value) == message


def test_an_ellipsis_waits_for_the_ranks():
    assert read("...i,ij->...j", None, 2) is None
    assert read("bi,ij->bj", None, 2) == Letters("x", Formula(((0, 1), (1, 2)), (0, 2), 3))


def test_ones_stand_in_the_place_of_any_axis():
    found = bound(RULE, (4, 1), (4, 3), equation="ab,ab->a")
    assert [tensor.axes for tensor in found.inputs] == [(("x.0",), ()), (("x.0",), ("x.1",))]
    assert found.sizes["x.0"] == 4 and found.sizes["x.1"] == 3
    assert list(found.mixed) == ["x.1"]
    found = bound(RULE, (1, 1), (1, 3), equation="ab,ab->ab")
    assert found.shape(found.outputs[0]) == (1, 3)


def test_sizes_that_contradict_the_formula():
    with pytest.raises(Contradiction) as caught:
        bound(RULE, (4, 3), (2, 5), equation="ab,bc->ac")
    assert str(caught.value) == "axis 0 of more has size 2, the rule expects 3"
