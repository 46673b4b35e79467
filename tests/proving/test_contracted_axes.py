"""What rules say of contracted axes, tried with random matrices: true claims hold, wrong ones are caught."""

from __future__ import annotations

import re

import pytest

from proving.mutations import Mutation, check_caught, proved
from prunec.proving import report

MXNET, ONNX = "default", "onnx"
FRAMEWORKS = {MXNET: "mxnet", ONNX: "onnxruntime"}

CONVOLUTION = """
op Convolution(kernel, num_filter, num_group = 1, stride = 1, dilate = 1, pad = 0, layout = None)
  when layout in {None, NCW, NCHW, NCDHW} {
  data[n, (g i), *x]; weight[(g o), i, *k], bias?[(g o)] -> out[n, (g o), *y]
  num_group = g
  num_filter = g * o
  kernel = *k
  *y = window(*x, kernel, stride, pad, dilate)
  zero out
  hint contracts i
}
"""
DENSE = """
op FullyConnected(num_hidden, flatten = True) when flatten {
  data[n, *x]; weight[o, (*x)], bias?[o] -> out[n, o]
  num_hidden = o
  hint contracts *x
}
"""
DEFORMABLE = """
op _contrib_DeformableConvolution(
  kernel, num_filter, num_group = 1, num_deformable_group = 1, stride = 1, dilate = 1, pad = 0
) when num_deformable_group >= 1 {
  data[n, (g i), *x], offset[n, s, *y]; weight[(g o), i, *k], bias?[(g o)] -> out[n, (g o), *y]
  num_group = g
  num_filter = g * o
  kernel = *k
  s = 2 * num_deformable_group * prod(*k)
  *y = window(*x, kernel, stride, pad, dilate)
  keep s, *y
  keep g, i, o when num_deformable_group > 1
  zero out
  hint contracts i when num_deformable_group == 1
}
"""
BATCH_DOT = """
op batch_dot(transpose_a = False, transpose_b = False) {
  lhs[*b, i, k | *b, k, i when transpose_a], rhs[*b, k, j | *b, j, k when transpose_b] -> out[*b, i, j]
  mixes k unless zero lhs or rhs because "a product sums over this axis"
  zero out if lhs or rhs
  hint contracts k
}
"""
CORRELATION = """
op Correlation {
  data1[n, c, *x], data2[n, c, *x] -> out[n, d, *y]
  mixes c because "the correlation is a mean over all channels"
  keep d, *x
}
"""
LAYER_NORM = """
op LayerNorm(axis = -1) {
  data[*a, c @ axis, *b]; gamma[c], beta[c] -> out[*a, c, *b], mean[*a, 1, *b], deviation[*a, 1, *b]
  mixes c because "layer normalisation takes the mean and deviation over all channels"
  zero out
}
"""
SUM = """
op sum(axis = None, keepdims = False, exclude = False) {
  data[*x] -> out[reduced(*x, axis, exclude) | ones(*x, axis, exclude) when keepdims]
  mixes pick(*x, axis, exclude) unless zero data because "a sum runs over this axis"
  zero out if data
}
"""
#: Without memories, which ONNX Runtime aborts on where their shapes are any.
ATTENTION = """
op Attention(scale = None, q_num_heads = None, kv_num_heads = None, opset, outputs)
  when opset >= 23 and outputs == 1 and rank(Q) == 4 and not given(past_key)
    and not given(past_value) and not given(nonpad_kv_seqlen) {
  Q[b, (h r), s, d], K[b, h, l, d], V[b, h, l, v], attn_mask?[s, l], past_key?[*p], past_value?[*w],
    nonpad_kv_seqlen?[b] -> Y[b, (h r), s, v]
  keep s, l, *p, *w
  mixes d because "scores are divided by the square root of a head's width"
  zero Y if V
  hint contracts d
}
"""
GRU = """
op GRU(hidden_size = None, layout = 0, activations = None) when layout == 0 and activations == None {
  X[t, n, i]; W[d, (q h), i], R[d, (q h), h], B?[d, (e h)], sequence_lens?[n], initial_h?[d, n, h]
    -> Y[t, d, n, h], Y_h[d, n, h]
  hidden_size = h
  q = 3
  e = 6
  keep t, d, n, q, e
  hint contracts i
}
"""
EINSUM = """
op Einsum(equation) {
  A[letters(*x, equation)], B?[letters(*x, equation)], more*[letters(*x, equation)]
    -> Output[letters(*x, equation)]
  mixes summed(*x, equation) unless zero A or B because "the formula sums over this axis"
  zero Output if A or B
  hint contracts summed(*x, equation)
}
"""

RIGHT = [
    (CONVOLUTION, MXNET),
    (DENSE, MXNET),
    (DEFORMABLE, MXNET),
    (BATCH_DOT, MXNET),
    (ATTENTION, ONNX),
    (GRU, ONNX),
    (EINSUM, ONNX),
]
MOVED = "with a matrix along"
NO_SUM = "so no sum runs over it"
WRONG = [
    (
        Mutation("groups of offsets", DEFORMABLE, " i when num_deformable_group == 1", " i", words=MOVED),
        MXNET,
    ),
    (
        Mutation(
            "positions", CORRELATION, "  keep d, *x\n", "  keep d, *x\n  hint contracts *x\n", words=MOVED
        ),
        MXNET,
    ),
    (Mutation("a batch", BATCH_DOT, "contracts k", "contracts k, *b", words=NO_SUM), MXNET),
    (
        Mutation(
            "what is normalised", LAYER_NORM, "  zero out\n", "  zero out\n  hint contracts c\n", words=NO_SUM
        ),
        MXNET,
    ),
    (Mutation("what a softmax runs over", ATTENTION, "contracts d", "contracts d, l", words=MOVED), ONNX),
    (Mutation("hidden units", GRU, "contracts i", "contracts i, h", words=NO_SUM), ONNX),
]


@pytest.mark.parametrize(("text", "library"), RIGHT)
def test_what_is_contracted_is_tried(text: str, library: str) -> None:
    pytest.importorskip(FRAMEWORKS[library])
    verdict = proved(text, 10, False, library)
    told = report([verdict])
    assert verdict.verdict == "right" and verdict.contracted >= 2, told
    assert "contracts" not in told and f"{verdict.contracted} contracted axes tried" in told


@pytest.mark.parametrize(("mutation", "library"), WRONG, ids=lambda case: getattr(case, "name", case))
def test_wrong_claims_are_caught(mutation: Mutation, library: str) -> None:
    pytest.importorskip(FRAMEWORKS[library])
    verdict = proved(mutation.text, 16, False, library)
    check_caught(mutation, verdict)
    assert re.search(r"`hint contracts \S+` \(mutated\.prune:\d+:3\) does not hold: ", report([verdict]))


def test_claims_that_no_case_tries_are_told() -> None:
    pytest.importorskip("mxnet")
    text = SUM.replace("if data\n", "if data\n  hint contracts pick(*x, axis, exclude) when not keepdims\n")
    verdict = proved(text, 8, False, MXNET)
    assert verdict.verdict == "right" and verdict.contracted == 0
    assert "sum hint contracts pick(*x, axis, exclude) not tried: no two inputs have the axis" in report(
        [verdict]
    )
