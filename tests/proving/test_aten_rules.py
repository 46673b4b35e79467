"""The rules of PyTorch's programs, proved by running its operators: none is wrong, and faults are caught."""

from __future__ import annotations

import pytest

pytest.importorskip("torch", reason="needs PyTorch")

from proving.mutations import Mutation, check_caught, first_operator, proved
from prunec.language.library import load
from prunec.proving import prove, report

pytestmark = pytest.mark.slow

#: The rules are proved in so many parts, which may run side by side.
PARTS = 4


@pytest.mark.parametrize("part", range(PARTS))
def test_no_built_in_rule_is_wrong(part: int) -> None:
    rules = load(["aten"])
    listed = [rule.label for rule in rules.all_rules()]
    verdicts = prove(rules, cases=2, strictness=False, labels=listed[part::PARTS], library="aten")
    wrong = [verdict for verdict in verdicts if verdict.verdict == "wrong"]
    assert not wrong, report(wrong)
    right = sum(verdict.verdict == "right" for verdict in verdicts)
    # Opaque rules and those that keep all there is are not tried.
    assert right >= 0.6 * len(verdicts), report(verdicts)
    assert all(verdict.pruned for verdict in verdicts if verdict.verdict == "right")


CONV = """
op conv2d(stride = 1, padding = 0, dilation = 1, groups = 1) {
  input[*n, (g i), *x]; weight[(g o), i, *k], bias?[(g o)] -> out[*n, (g o), *y]
  groups = g
  *y = window(*x, *k, stride, padding, dilation)
  keep *y
  mixes i unless zero input or weight because "a convolution sums over its input channels"
  zero out
}
"""
LINEAR = """
op linear {
  input[*n, i]; weight[o, i], bias?[o] -> out[*n, o]
  mixes i unless zero input or weight because "a product sums over this axis"
  zero out
}
"""
MATMUL = """
op matmul when rank(self) >= 2 and rank(other) >= 2 {
  self[~*s, i, k], other[~*s, k, j] -> out[*s, i, j]
  mixes k unless zero self or other because "a product sums over this axis"
  zero out if self or other
}
"""
NORM = """
op batch_norm(training) when not training {
  input[n, c, *x]; weight?[c], bias?[c], running_mean[c], running_var[c] -> out[n, c, *x]
  zero out when given(weight)
  zero out if input when not given(weight)
  hint neutral running_var = 1
}
"""
LAYER_NORM = """
op layer_norm(normalized_shape) {
  input[*a, *c]; weight?[*c], bias?[*c] -> out[*a, *c]
  normalized_shape = *c
  mixes *c because "the mean is taken over all channels"
  zero out when given(weight)
}
"""
ADD = """
op add.Tensor, add_.Tensor(other = None, alpha = 1) {
  self[~*x], other?[~*x] -> out[*x]
  zero out if self and other when given(other)
}
"""
RELU = """
op relu_, gelu, sigmoid_ { self[*x] -> out[*x] }
"""
CAT = """
op cat(dim = 0) { tensors*[*a, c @ dim, *b] -> out[*a, (+ c), *b]  zero out if tensors }
"""
STACK = """
op stack(dim = 0) {
  tensors*[*a, *b] -> out[*a, s @ dim, *b]
  s = count(tensors)
  keep s because "each tensor has its place"
  zero out if tensors
}
"""
SPLIT = """
op split_with_sizes(split_sizes, dim = 0) {
  self[*a, (+ c) @ dim, *b] -> parts*[*a, c, *b]
  split_sizes = c
  zero parts if self
}
"""
SLICE = """
op slice.Tensor(dim = 0, start = None, end = None, step = 1) {
  self[*x] -> out[range(*x, start, end, dim, step)]
  zero out if self
}
"""
SELECT = """
op select.int(dim, index) {
  self[*x] -> out[drop(*x, dim)]
  keep pick(*x, dim) because "one element of this axis is taken"
  zero out if self
}
"""
SHUFFLE = """
op pixel_shuffle(upscale_factor) {
  self[*n, (c s t), h, w] -> out[*n, c, (h s), (w t)]
  upscale_factor = s
  upscale_factor = t
  keep s, t
  zero out if self
}
"""
MEAN = """
op mean.dim(dim, keepdim = False) when dim not in {None, ()} {
  self[*x] -> out[drop(*x, dim) | ones(*x, dim) when keepdim]
  mixes pick(*x, dim) because "a mean is taken over this axis"
  zero out if self
}
"""
SOFTMAX = """
op softmax.int(dim) {
  self[*a, c @ dim, *b] -> out[*a, c, *b]
  mixes c because "a softmax divides by a sum over its axis"
}
"""
CUMSUM = """
op cumsum(dim) {
  self[*x] -> out[*x]
  mixes pick(*x, dim) unless zero self because "a running sum passes along this axis"
}
"""
EXPAND = """
op expand(size) { self[~*x] -> out[*x]  copy_negative(size, *x) = *x  zero out if self }
"""
EMBEDDING = """
op embedding {
  weight[v, c], indices[*i] -> out[*i, c]
  keep v because "rows are chosen by number"
  zero out if weight
}
"""
ATTENTION = """
op scaled_dot_product_attention(scale = None, enable_gqa = False) when not enable_gqa {
  query[~*b, s, d], key[~*b, l, d], value[~*b, l, v], attn_mask?[~*b, ~s, ~l] -> out[*b, s, v]
  keep s, l because "positions are counted"
  mixes d because "scores are divided by the root of their width"
  zero out if value
}
"""
GRU = """
op gru.input(has_biases, num_layers, bidirectional, batch_first)
  when num_layers == 1 and not bidirectional and has_biases {
  input[t, n, i | n, t, i when batch_first], h0[l, n, h];
    w_ih[(q h), i], w_hh[(q h), h], b_ih[(q h)], b_hh[(q h)]
    -> out[t, n, h | n, t, h], hn[l, n, h]
  q = 3
  l = num_layers
  keep t, n, l, q because "gates have fixed places"
}
"""
MAX_POOL = """
op max_pool2d(kernel_size, stride = (), padding = 0, dilation = 1, ceil_mode = False)
  when ceil_mode == False and stride != () {
  self[*n, c, *x] -> out[*n, c, *y]
  *y = window(*x, kernel_size, stride, padding, dilation)
  keep *y
  zero out if self
}
"""

MIXES_ATTENTION = '  mixes d because "scores are divided by the root of their width"\n'
MIXES_SOFTMAX = '  mixes c because "a softmax divides by a sum over its axis"\n'
MIXES_LAYER = '  mixes *c because "the mean is taken over all channels"\n'
MUTATIONS = [
    Mutation("swapped factors of a product", CONV, "weight[(g o), i", "weight[(o g), i"),
    Mutation("two axes of a parameter exchanged", CONV, "weight[(g o), i, ", "weight[i, (g o), "),
    Mutation("an equation left out", CONV, "  groups = g\n", ""),
    Mutation("a window without padding", CONV, "stride, padding, dilation", "stride, 0, dilation"),
    Mutation("an optional input forgotten", CONV, ", bias?[(g o)]", "", words="no place for bias"),
    Mutation("a weight the other way round", LINEAR, "weight[o, i]", "weight[i, o]"),
    Mutation("an output's axes exchanged", MATMUL, "out[*s, i, j]", "out[*s, j, i]"),
    Mutation("a norm without weights", NORM, "zero out if input when not given(weight)", "zero out"),
    Mutation("a norm that mixes nothing", LAYER_NORM, MIXES_LAYER, ""),
    Mutation("a sum of which one part is zero", ADD, "if self and other", "if self or other"),
    Mutation("a function of zero", RELU, "out[*x] }", "out[*x]  zero out if self }"),
    Mutation("a sum on the wrong axis", CAT, "out[*a, (+ c), *b]", "out[(+ c), *a, *b]"),
    Mutation("a number taken for zero", ADD, "if self and other when given(other)", "if self"),
    Mutation("a number of tensors that is fixed", STACK, "s = count(tensors)", "s = 2"),
    Mutation("an axis of numbers behind its rows", EMBEDDING, "out[*i, c]", "out[c, *i]"),
    Mutation("sizes of parts left out", SPLIT, "  split_sizes = c\n", ""),
    Mutation("steps that are not taken", SLICE, "start, end, dim, step)]", "start, end, dim)]"),
    Mutation("an axis that is left", SELECT, "drop(*x, dim)", "ones(*x, dim)"),
    Mutation("factors in another order", SHUFFLE, "(c s t)", "(s t c)"),
    Mutation("merged the wrong way round", SHUFFLE, "(h s), (w t)", "(s h), (w t)"),
    Mutation(
        "a mean taken for a sum",
        MEAN,
        "mixes pick(*x, dim) because",
        "mixes pick(*x, dim) unless zero self because",
    ),
    Mutation("a softmax that is not told", SOFTMAX, MIXES_SOFTMAX, ""),
    Mutation("an output that is said to be zero", SOFTMAX, "  mixes c", "  zero out if self\n  mixes c"),
    Mutation("a running sum that is said to be zero", CUMSUM, "out[*x]\n", "out[*x]\n  zero out if self\n"),
    Mutation("sizes that are not written", EXPAND, "  copy_negative(size, *x) = *x", ""),
    Mutation("scores that are not told", ATTENTION, MIXES_ATTENTION, ""),
    Mutation("values taken for keys", ATTENTION, "zero out if value", "zero out if key"),
    Mutation("gates inside of units", GRU, "w_ih[(q h), i]", "w_ih[(h q), i]"),
    Mutation("channels kept without need", MAX_POOL, "  zero", "  keep c\n  zero", "too strict", "`keep c`"),
]


#: Faults that show in few networks: in groups of channels, in values repeated, in sums over one axis,
#: where what is normalised is not zero when masked.
RARE = {
    "an equation left out",
    "a norm without weights",
    "a sum of which one part is zero",
    "a running sum that is said to be zero",
}


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name.replace(" ", "-"))
def test_fault_is_caught(mutation: Mutation) -> None:
    wrong = mutation.verdict == "wrong"
    cases = 100 if mutation.name in RARE else 30 if wrong else 16
    check_caught(mutation, proved(mutation.text, cases, not wrong, "aten"))


@pytest.mark.parametrize("text", sorted({mutation.rule for mutation in MUTATIONS}), ids=first_operator)
def test_rules_without_the_fault_are_right(text: str) -> None:
    verdict = proved(text, 8, False, "aten")
    assert verdict.verdict == "right", report([verdict])


def test_a_rule_that_changes_constants_is_refused() -> None:
    """They stay what they are in the file, so that they would name other channels."""
    text = """
op index_select(dim, index = None) when index not in {None, ()} and size(self, dim) > 0 {
  self[*a, c @ dim, *b], index -> out[*a, c[index], *b]
}
"""
    verdict = proved(text, 12, False, "aten")
    assert verdict.verdict == "wrong" and verdict.failure is not None
    assert "a constant that holds positions cannot be changed in the file" in verdict.failure.problem


def test_operators_that_nobody_has_are_told() -> None:
    verdict = proved("op no_such_operator { data[*x] -> out[*x] }\n", 2, False, "aten")
    assert (verdict.verdict, verdict.reason) == ("not tried", "PyTorch has no such operator")


def test_same_seed_gives_the_same_verdict() -> None:
    rules = load(["aten"])
    labels = ["flatten.using_ints", "cat", "linear"]
    first, second = (prove(rules, seed=5, cases=4, labels=labels, library="aten") for _ in "ab")
    assert first == second
    assert report(first).endswith("3 rules: 3 right, 0 wrong, 0 too strict, 0 not tried")
