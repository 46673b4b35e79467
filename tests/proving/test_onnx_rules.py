"""The rules of ONNX, proved by running its operators: none is wrong, and faults are caught."""

from __future__ import annotations

import pytest

pytest.importorskip("onnx", reason="needs onnx")
pytest.importorskip("onnxruntime", reason="needs ONNX Runtime")

from proving.mutations import Mutation, check_caught, first_operator, proved
from prunec.language.library import load
from prunec.proving import prove, report

#: The rules are proved in so many parts, which may run side by side.
PARTS = 4


@pytest.mark.parametrize("part", range(PARTS))
def test_no_built_in_rule_is_wrong(part: int) -> None:
    rules = load(["onnx"])
    listed = [rule.label for rule in rules.all_rules()]
    verdicts = prove(rules, cases=4, strictness=False, labels=listed[part::PARTS], library="onnx")
    wrong = [verdict for verdict in verdicts if verdict.verdict == "wrong"]
    assert not wrong, report(wrong)
    right = sum(verdict.verdict == "right" for verdict in verdicts)
    # Opaque rules and those that keep all there is are not tried.
    assert right >= 0.5 * len(verdicts), report(verdicts)
    assert all(verdict.pruned for verdict in verdicts if verdict.verdict == "right")


CONV = """
op Conv(kernel_shape = None, group = 1, strides = 1, dilations = 1, pads = 0, auto_pad = "NOTSET")
  when auto_pad == "NOTSET" {
  X[n, (g i), *x]; W[(g o), i, *k], B?[(g o)] -> Y[n, (g o), *y]
  group = g
  kernel_shape = *k
  *y = window(*x + before(pads) + after(pads), *k, strides, 0, dilations)
  zero Y
}
"""
MATMUL = """
op MatMul when rank(A) >= 2 and rank(B) >= 2 {
  A[~*s, i, k], B[~*s, k, j] -> Y[*s, i, j]
  mixes k unless zero A or B because "a product sums over this axis"
  zero Y if A or B
}
"""
CONCAT = """
op Concat(axis) { inputs*[*a, c @ axis, *b] -> out[*a, (+ c), *b]  zero out if inputs }
"""
SLICE = """
op Slice(starts, ends, axes = None, steps = 1) when steps == 1 {
  data[*(p + c + q)], starts?, ends?, axes?, steps? -> output[*c]
  start(on(starts, axes, *c), *p + *c + *q) = *p
  stop(on(ends, axes, *c), *p + *c + *q) = *p + *c
  zero output if data
}
"""
SPLIT = """
op Split(axis = 0, split = None) when split != None {
  input[*a, (+ c) @ axis, *b], split? -> outputs*[*a, c, *b]
  split = c
  zero outputs if input
}
"""
DEPTH = """
op DepthToSpace(blocksize, mode = "DCR") when mode == "DCR" {
  input[n, (s t c), h, w] -> output[n, c, (h s), (w t)]
  blocksize = s
  blocksize = t
  keep s, t
  zero output if input
}
"""
SQUEEZE = """
op Squeeze(axes = None) { data[*x], axes? -> squeezed[squeeze(*x, axes)]  zero squeezed if data }
"""
MEAN = """
op ReduceMean(axes = None, keepdims = 1, noop_with_empty_axes = 0)
  when keepdims == 1 and (axes not in {None, ()} or noop_with_empty_axes == 0) {
  data[*x], axes? -> reduced[ones(*x, axes)]
  mixes pick(*x, axes) because "a mean is taken over this axis"
  zero reduced if data
}
"""
SOFTMAX = """
op Softmax(axis = -1, opset) when opset >= 13 {
  input[*a, c @ axis, *b] -> output[*a, c, *b]
  mixes c because "a softmax divides by a sum over its axis"
}
"""
CUMSUM = """
op CumSum(axis) {
  x[*x], axis -> y[*x]
  mixes pick(*x, axis) unless zero x because "a running sum passes along this axis"
}
"""
MAX_POOL = """
op MaxPool(
  kernel_shape, strides = 1, dilations = 1, pads = 0, auto_pad = "NOTSET", ceil_mode = 0, outputs = 1
) when outputs == 1 and auto_pad == "NOTSET" and ceil_mode == 0 {
  X[n, c, *x] -> Y[n, c, *y]
  *y = window(*x + before(pads) + after(pads), kernel_shape, strides, 0, dilations)
  keep *y
  zero Y if X
}
"""
EINSUM = """
op Einsum(equation) {
  A[letters(*x, equation)], B?[letters(*x, equation)], more*[letters(*x, equation)]
    -> Output[letters(*x, equation)]
  mixes summed(*x, equation) unless zero A or B because "the formula sums over this axis"
  zero Output if A or B
}
"""
GATHER = """
op Gather(axis = 0, indices = None)
  when indices not in {None, ()} and size(data, axis) > 0 {
  data[*p, c @ axis, *q], indices -> output[*p, c[indices], *q]
  zero output if data
}
"""
SLICE_OF_ROWS = """
op Slice(starts, ends, axes = None, steps = 1)
  when length(axes) == 1 and length(steps) == 1 and length(starts) == 1 and steps > 1 and starts >= 0
    and starts < steps and ends >= size(data, axes) and size(data, axes) / steps * steps == size(data, axes) {
  data[*a, (c z) @ axes, *b], starts?, ends?, axes?, steps? -> output[*a, c, *b]
  steps = z
  stop(ends, c * z) = c * z
  keep z because "elements are taken in steps"
  zero output if data
}
"""
SCATTER_BLOCKS = """
op ScatterND {
  data[*i, *x], indices[*j, k], updates[*j, *x] -> output[*i, *x]
  k = rank(*i)
  keep *i, *j, k because "blocks are put at positions given by number"
  zero output if data and updates
}
"""
BITWISE_NOT = """
op BitwiseNot { X[*x] -> Y[*x]  hint discontinuous }
"""
NORM = """
op BatchNormalization(spatial = 1, training_mode = 0, opset, outputs)
  when spatial == 1 and training_mode == 0 and (opset >= 14 or outputs == 1) {
  X[n, c, *x]; scale[c], B[c], mean[c], var[c]
    -> Y[n, c, *x], running_mean[c], running_var[c], saved_mean[c], saved_var[c]
  zero Y
  hint neutral var = 1
  hint scales scale
}
"""

MIXES_EINSUM = '  mixes summed(*x, equation) unless zero A or B because "the formula sums over this axis"\n'
MIXES_SOFTMAX = '  mixes c because "a softmax divides by a sum over its axis"\n'
MUTATIONS = [
    Mutation("swapped factors of a product", CONV, "W[(g o), i", "W[(o g), i"),
    Mutation("two axes of a parameter exchanged", CONV, "W[(g o), i, ", "W[i, (g o), "),
    Mutation("an equation left out", CONV, "  group = g\n", ""),
    Mutation("a window without padding", CONV, "*x + before(pads) + after(pads)", "*x"),
    Mutation("an optional input forgotten", CONV, ", B?[(g o)]", "", words="no place for B"),
    Mutation("an output's axes exchanged", MATMUL, "Y[*s, i, j]", "Y[*s, j, i]"),
    Mutation("the wrong matrix's axis", MATMUL, "B[~*s, k, j]", "B[~*s, j, k]"),
    Mutation("a sum on the wrong axis", CONCAT, "out[*a, (+ c), *b]", "out[(+ c), *a, *b]"),
    Mutation("an end that is too far", SLICE, "= *p + *c\n", "= *p + *c + *q\n"),
    Mutation("a beginning that is an end", SLICE, "+ *q) = *p\n", "+ *q) = *q\n"),
    Mutation("factors in another order", DEPTH, "(s t c)", "(c s t)"),
    Mutation("merged the wrong way round", DEPTH, "(h s), (w t)", "(s h), (w t)"),
    Mutation("axes that stay", SQUEEZE, "squeezed[squeeze(*x, axes)]", "squeezed[ones(*x, axes)]"),
    Mutation("a mean taken for a sum", MEAN, "mixes pick(*x, axes)", "mixes pick(*x, axes) unless zero data"),
    Mutation("a softmax that is not told", SOFTMAX, MIXES_SOFTMAX, ""),
    Mutation("an output that is said to be zero", SOFTMAX, "  mixes c", "  zero output if input\n  mixes c"),
    Mutation("a running sum that is said to be zero", CUMSUM, "y[*x]\n", "y[*x]\n  zero y if x\n"),
    Mutation("a formula whose sums are not told", EINSUM, MIXES_EINSUM, ""),
    Mutation("columns for rows", SLICE_OF_ROWS, "(c z)", "(z c)"),
    Mutation("positions that may go", SCATTER_BLOCKS, "keep *i, *j, k", "keep *j, k"),
    Mutation("elements on the wrong axis", GATHER, "c[indices], *q]", "*q, c[indices]]"),
    Mutation("a complement that is said to be zero", BITWISE_NOT, "  hint", "  zero Y if X  hint"),
    Mutation("statistics that are computed", NORM, " and (opset >= 14 or outputs == 1)", ""),
    Mutation("channels kept without need", MAX_POOL, "  zero", "  keep c\n  zero", "too strict", "`keep c`"),
]


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name.replace(" ", "-"))
def test_fault_is_caught(mutation: Mutation) -> None:
    wrong = mutation.verdict == "wrong"
    check_caught(mutation, proved(mutation.text, 30 if wrong else 16, not wrong, "onnx"))


@pytest.mark.parametrize(
    "text",
    sorted({mutation.rule for mutation in MUTATIONS}),
    ids=first_operator,
)
def test_rules_without_the_fault_are_right(text: str) -> None:
    verdict = proved(text, 12, False, "onnx")
    assert verdict.verdict == "right", report([verdict])


def test_the_case_shows_version_and_carried_values() -> None:
    verdict = proved(CUMSUM.replace("y[*x]\n", "y[*x]\n  zero y if x\n"), 30, False, "onnx")
    assert verdict.failure is not None
    told = str(verdict.failure)
    assert told.startswith("CumSum(") and "version=" in told and "axis=" in told
    assert "network: x " in told and "removed: " in told


def test_operators_that_nobody_has_are_told() -> None:
    verdict = proved("op no_such_operator { data[*x] -> out[*x] }\n", 2, False, "onnx")
    assert (verdict.verdict, verdict.reason) == ("not tried", "ONNX Runtime has no such operator")


def test_same_seed_gives_the_same_verdict() -> None:
    rules = load(["onnx"])
    first, second = (
        prove(rules, seed=5, cases=6, labels=["Flatten", "Concat"], library="onnx") for _ in "ab"
    )
    assert first == second
    assert report(first).endswith("2 rules: 2 right, 0 wrong, 0 too strict, 0 not tried")
