"""Rules with one fault each: the proof catches it and says where."""

from __future__ import annotations

import pytest

pytest.importorskip("mxnet", reason="needs MXNet")

from proving.mutations import Mutation, check_caught, first_operator, proved
from prunec.proving import report

KEEP_SORT = '  keep c because "elements change places"\n'
KEEP_NUMBERS = '  keep *x because "each element counts its own position"\n'
MIXES_DOT = '  mixes k unless zero lhs or rhs because "a product sums over this axis"\n'
MIXES_SOFTMAX = '  mixes c because "a softmax divides by a sum over its axis"\n'
MIXES_NORM = '  mixes *x because "the mean and deviation are those of all positions"\n'

CONVOLUTION = """
op Convolution(kernel, num_filter, num_group = 1, stride = 1, dilate = 1, pad = 0, layout = None)
  when layout in {None, NCW, NCHW, NCDHW} {
  data[n, (g i), *x]; weight[(g o), i, *k], bias?[(g o)] -> out[n, (g o), *y]
  num_group = g
  num_filter = g * o
  kernel = *k
  *y = window(*x, kernel, stride, pad, dilate)
  zero out
}
"""
CONCAT = """
op Concat(num_args, dim = 1) {
  data*[*a, c @ dim, *b] -> out[*a, (+ c), *b]
  num_args = count(data)
  zero out if data
}
"""
SLICE_AXIS = """
op slice_axis(axis, begin, end) {
  data[*a, (p + c + q) @ axis, *b] -> out[*a, c, *b]
  start(begin, p + c + q) = p
  stop(end, p + c + q) = p + c
  zero out if data
}
"""
DEPTH = """
op depth_to_space(block_size) {
  data[n, (s t c), h, w] -> out[n, c, (h s), (w t)]
  block_size = s
  block_size = t
  keep s, t
  zero out if data
}
"""
SORT = """
op sort(axis = -1) when axis != None {
  data[*a, c @ axis, *b] -> out[*a, c, *b]
  keep c because "elements change places"
}
"""
DENSE = """
op FullyConnected(num_hidden, flatten = True) when flatten {
  data[n, *x]; weight[o, (*x)], bias?[o] -> out[n, o]
  num_hidden = o
}
"""
BATCH_DOT = """
op batch_dot(transpose_a = False, transpose_b = False) when not transpose_a and not transpose_b {
  lhs[*b, i, k], rhs[*b, k, j] -> out[*b, i, j]
  mixes k unless zero lhs or rhs because "a product sums over this axis"
  zero out if lhs or rhs
}
"""
SOFTMAX = """
op softmax(axis = -1) {
  data[*a, c @ axis, *b], length?[*l] -> out[*a, c, *b]
  mixes c because "a softmax divides by a sum over its axis"
}
"""
REPEAT = """
op repeat(repeats, axis = None) when axis != None {
  data[*a, c @ axis, *b] -> out[*a, (c r), *b]
  repeats = r
  keep r
  zero out if data
}
"""
TILE = """
op tile(reps) { data[*x] -> out[*(r x)]  reps = *r  keep *r  zero out if data }
"""
POOLING = """
op Pooling(kernel = (), stride = 1, pad = 0, global_pool = False, pooling_convention = "valid", layout = None)
  when layout in {None, NCW, NCHW, NCDHW} and not global_pool and pooling_convention == "valid" {
  data[n, c, *x] -> out[n, c, *y]
  *y = window(*x, kernel, stride, pad, 1)
  zero out if data
}
"""
NUMBERS = """
op _contrib_arange_like(axis = None) when axis == None {
  data[*x] -> out[*x]
  keep *x because "each element counts its own position"
}
"""
INSTANCE_NORM = """
op InstanceNorm {
  data[n, c, *x]; gamma[c], beta[c] -> out[n, c, *x]
  mixes *x because "the mean and deviation are those of all positions"
}
"""
MOMENTS = """
op moments(axes = None, keepdims = False) when keepdims {
  data[*x] -> mean[ones(*x, axes)], var[ones(*x, axes)]
  mixes pick(*x, axes) because "a mean and a variance are taken over this axis"
}
"""

PRODUCTS = """
op batch_dot(transpose_a = False, transpose_b = False) {
  lhs[*b, i, k | *b, k, i when transpose_a], rhs[*b, k, j | *b, j, k when transpose_b] -> out[*b, i, j]
  mixes k unless zero lhs or rhs because "a product sums over this axis"
  zero out if lhs or rhs
}
"""
SUMS = """
op sum(axis = None, keepdims = False, exclude = False) {
  data[*x] -> out[reduced(*x, axis, exclude) | ones(*x, axis, exclude) when keepdims]
  mixes pick(*x, axis, exclude) unless zero data because "a sum runs over this axis"
  zero out if data
}
"""
LENGTHS = """
op L2Normalization(mode = "instance") when mode in {channel, spatial} {
  data[n, c, *x] -> out[n, c, *x]
  mixes c unless zero data because "a length over channels" when mode == "channel"
  mixes *x unless zero data because "a length over positions" when mode == "spatial"
  zero out if data
}
"""

MUTATIONS = [
    Mutation("an alternative in the wrong order", PRODUCTS, "*b, k, i when", "*b, i, k when"),
    Mutation("an alternative under a wrong condition", PRODUCTS, "when transpose_b", "when transpose_a"),
    Mutation("an alternative for the other nodes", SUMS, "when keepdims", "when not keepdims"),
    Mutation("an alternative left out", SUMS, " | ones(*x, axis, exclude) when keepdims", ""),
    Mutation("a condition that is never met", LENGTHS, 'when mode == "spatial"', 'when mode == "space"'),
    Mutation("a condition of other nodes", LENGTHS, 'when mode == "channel"', 'when mode == "instance"'),
    Mutation("swapped factors of a product", CONVOLUTION, "weight[(g o), i", "weight[(o g), i"),
    Mutation("a factor left out of an equation", CONVOLUTION, "num_filter = g * o", "num_filter = o"),
    Mutation("an equation left out", CONVOLUTION, "  num_filter = g * o\n", ""),
    Mutation("a parameter's axis without a factor", CONVOLUTION, "bias?[(g o)]", "bias?[o]"),
    Mutation("an optional input forgotten", CONVOLUTION, ", bias?[(g o)]", "", words="takes"),
    Mutation("two axes of a parameter exchanged", CONVOLUTION, "weight[(g o), i, ", "weight[i, (g o), "),
    Mutation("a window without padding", CONVOLUTION, "stride, pad, dilate)\n", "stride, 0, dilate)\n"),
    Mutation("the wrong default of an axis", CONCAT, "dim = 1", "dim = 0"),
    Mutation("a sum on the wrong axis", CONCAT, "out[*a, (+ c), *b]", "out[(+ c), *a, *b]"),
    Mutation("an end that is too far", SLICE_AXIS, "= p + c\n", "= p + c + q\n", words="size of"),
    Mutation("a beginning that is an end", SLICE_AXIS, "p + c + q) = p\n", "p + c + q) = q\n"),
    Mutation("factors in another order", DEPTH, "(s t c)", "(c s t)"),
    Mutation("merged the wrong way round", DEPTH, "(h s), (w t)", "(s h), (w t)"),
    Mutation("elements in order of size", SORT, KEEP_SORT, ""),
    Mutation("an output's axes exchanged", BATCH_DOT, "out[*b, i, j]", "out[*b, j, i]"),
    Mutation("a sum that is not told", BATCH_DOT, MIXES_DOT, ""),
    Mutation("a softmax that is not told", SOFTMAX, MIXES_SOFTMAX, ""),
    Mutation("copies in the wrong order", REPEAT, "(c r)", "(r c)"),
    Mutation("tiles in the wrong order", TILE, "*(r x)", "*(x r)"),
    Mutation("numbers that count", NUMBERS, KEEP_NUMBERS, ""),
    Mutation("a normalisation that is not told", INSTANCE_NORM, MIXES_NORM, ""),
    Mutation("an output left out", MOMENTS, ", var[ones(*x, axes)]", "", words="has 2 outputs, the rule 1"),
    Mutation("an output's axis left out", DENSE, "out[n, o]", "out[o]"),
    Mutation("an output that is said to be zero", SOFTMAX, "  mixes c", "  zero out if data\n  mixes c"),
    Mutation("channels kept without need", POOLING, "  zero", "  keep c\n  zero", "too strict", "`keep c`"),
    Mutation("a sum kept without need", CONCAT, "  zero", "  keep c\n  zero", "too strict", "`keep c`"),
    Mutation("outputs kept without need", DENSE, "  num_", "  keep o\n  num_", "too strict", "`keep o`"),
    Mutation(
        "mixing that does not happen", POOLING, "  zero", "  mixes c\n  zero", "too strict", "`mixes c`"
    ),
]


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name.replace(" ", "-"))
def test_fault_is_caught(mutation: Mutation) -> None:
    verdict = proved(mutation.text, 24, mutation.verdict != "wrong", "default")
    check_caught(mutation, verdict)
    if mutation.verdict == "wrong":
        assert verdict.failure is not None and verdict.failure.operator in report([verdict])


@pytest.mark.parametrize(
    "text",
    sorted({mutation.rule for mutation in MUTATIONS} - {REPEAT, TILE, NUMBERS}),
    ids=first_operator,
)
def test_rules_without_the_fault_are_right(text: str) -> None:
    verdict = proved(text, 10, True, "default")
    assert verdict.verdict == "right", report([verdict])


def test_operators_that_are_not_registered_are_told() -> None:
    verdict = proved("op no_such_operator { data[*x] -> out[*x] }\n", 16, True, "default")
    assert verdict.verdict == "not tried"
    assert verdict.reason == "MXNet has no such operator"
    assert "not tried  no_such_operator" in report([verdict])


def test_crash_of_mxnet_is_told_and_nothing_else_is_lost() -> None:
    from prunec.proving.worker import TrialCrash, Worker

    with Worker("MXNet", _prepare_to_crash, ()) as worker:
        crash = worker.run("die")
        assert isinstance(crash, TrialCrash)
        assert (crash.operator, crash.words) == ("an operator", "(a=1)")
        assert crash.reason == "MXNet crashes (exit code 3)"
        assert worker.run("live") == "live"


def _prepare_to_crash():
    import os

    def task(what, notice):
        notice("an operator", "(a=1)")
        if what == "die":
            os._exit(3)
        return what

    return task
