"""Contracted axes: which inputs have them, which others these share, and matrices applied along them."""

from __future__ import annotations

import numpy as np
import pytest
from core.sketch import bound

from prunec.lowering.contractions import Contraction, apply_along, contractions

GROUPED = """op g(groups) {
  data[n, (g i), *x]; weight[(g o), i, *k], bias?[(g o)] -> out[n, (g o), *x]
  groups = g
  hint contracts i
}"""
FLAT = """op f(flatten = True) {
  data[n, *x | *m, i when not flatten]; weight[o, (*x) | o, i] -> out[n, o | *m, o]
  hint contracts *x when flatten
  hint contracts i when not flatten
}"""
PRODUCT = "op p { a[~*s, i, k], b[~*s, k, j] -> out[*s, i, j]  hint contracts k }"
FORMULA = """op e(equation) {
  a[letters(*x, equation)], more*[letters(*x, equation)] -> out[letters(*x, equation)]
  hint contracts summed(*x, equation)
}"""
PARTS = "op q { queries[l, (h d)], keys_values[m, (h (d + d))] -> out[h, l, m]  hint contracts d, h }"


def found(text, *shapes, **attributes):
    rule = bound(text, *shapes, **attributes)
    return rule.contracted, contractions(rule)


@pytest.mark.parametrize(
    ("text", "shapes", "attributes", "names", "expected"),
    [
        (GROUPED, [(2, 6, 5), (4, 3, 3), (4,)], {"groups": 2}, "i", [Contraction("i", (0, 1), ("g",))]),
        (
            FLAT,
            [(2, 3, 4), (5, 12)],
            {"flatten": True},
            "x.0 x.1",
            [Contraction("x.0", (0, 1), ("x.1",)), Contraction("x.1", (0, 1), ("x.0",))],
        ),
        (FLAT, [(2, 3, 4), (5, 4)], {"flatten": False}, "i", [Contraction("i", (0, 1), ())]),
        (PRODUCT, [(7, 2, 3), (7, 3, 4)], {}, "k", [Contraction("k", (0, 1), ("s.0",))]),
        (PRODUCT, [(7, 2, 3), (1, 3, 4)], {}, "k", [Contraction("k", (0, 1), ())]),
        (PRODUCT, [(7, 2, 3), (3, 4)], {}, "k", [Contraction("k", (0, 1), ())]),
        (FORMULA, [(2, 3), (3, 4)], {"equation": "ab,bc->ac"}, "x.1", [Contraction("x.1", (0, 1), ())]),
        # One input alone sums over b, a third has c, d is twice on one, and one has size one for b.
        (FORMULA, [(2, 3), (2, 4)], {"equation": "ab,ac->ac"}, "x.1", []),
        (FORMULA, [(2, 3), (3, 4), (3,)], {"equation": "ab,bc,b->ac"}, "x.1", []),
        (FORMULA, [(3, 3), (3, 4)], {"equation": "bb,bc->c"}, "x.0", []),
        (FORMULA, [(2, 1), (3, 4)], {"equation": "ab,bc->ac"}, "x.1", []),
        # A part of a sum is no axis to apply a matrix along.
        (PARTS, [(5, 6), (7, 12)], {}, "d h", [Contraction("h", (0, 1), ())]),
    ],
)
def test_which_inputs_are_multiplied(text, shapes, attributes, names, expected):
    contracted, given = found(text, *shapes, **attributes)
    assert contracted == tuple(names.split())
    assert list(given) == expected


def test_matrices_go_from_one_side_of_a_product_to_the_other():
    random = np.random.default_rng(0)
    data, weight = random.standard_normal((2, 6, 5)), random.standard_normal((4, 3, 1))
    rule = bound(GROUPED, data.shape, weight.shape, groups=2)
    (contraction,) = contractions(rule)
    matrices = random.standard_normal((2, 3, 3))

    def grouped(x, w):
        return np.einsum("ngip,goi->ngop", x.reshape(2, 2, 3, 5), w.reshape(2, 2, 3))

    first, second = (rule.inputs[position].axes for position in contraction.inputs)
    before = grouped(apply_along(data, first, rule.sizes, contraction, matrices), weight)
    after = grouped(data, apply_along(weight, second, rule.sizes, contraction, matrices, transposed=True))
    np.testing.assert_allclose(before, after, rtol=1e-12, atol=1e-12)
    assert not np.allclose(before, grouped(data, weight))


def test_a_matrix_may_change_the_length_of_an_axis():
    rule = bound(PRODUCT, (2, 3), (3, 4))
    (contraction,) = contractions(rule)
    weight, matrix = np.arange(12.0).reshape(3, 4), np.arange(6.0).reshape(3, 2)
    axes = rule.inputs[1].axes
    folded = apply_along(weight, axes, rule.sizes, contraction, matrix, transposed=True)
    np.testing.assert_array_equal(folded, matrix.T @ weight)
