"""What rules say of inputs that are passed on, tried with zeros: true claims hold, wrong ones are caught."""

from __future__ import annotations

import re

import pytest

from proving.mutations import Mutation, check_caught, proved
from prunec.proving import report

MXNET, ONNX = "default", "onnx"
FRAMEWORKS = {MXNET: "mxnet", ONNX: "onnxruntime"}

SUM = """
op broadcast_add {
  lhs[~*x], rhs[~*x] -> out[*x]
  zero out if lhs and rhs
  passes lhs as out if zero rhs
  passes rhs as out if zero lhs
}
"""
DIFFERENCE = """
op Sub {
  A[~*x], B[~*x] -> C[*x]
  zero C if A and B
  passes A as C if zero B
}
"""
PRODUCT = """
op elemwise_mul {
  lhs[*x], rhs[*x] -> out[*x]
  zero out if lhs or rhs
}
"""
LARGEST = """
op _maximum {
  lhs[*x], rhs[*x] -> out[*x]
  zero out if lhs and rhs
}
"""

WRONG = [
    (Mutation("what is subtracted from", DIFFERENCE, "A as C if zero B", "B as C if zero A"), ONNX),
    (Mutation("the input that is zero", SUM, "lhs as out if zero rhs", "rhs as out if zero rhs"), MXNET),
    (Mutation("a factor", PRODUCT, "lhs or rhs\n", "lhs or rhs\n  passes lhs as out if zero rhs\n"), MXNET),
    (
        Mutation("the larger", LARGEST, "lhs and rhs\n", "lhs and rhs\n  passes lhs as out if zero rhs\n"),
        MXNET,
    ),
]


@pytest.mark.parametrize(("text", "library"), [(SUM, MXNET), (DIFFERENCE, ONNX)])
def test_what_is_passed_on_is_tried(text: str, library: str) -> None:
    pytest.importorskip(FRAMEWORKS[library])
    verdict = proved(text, 12, False, library)
    told = report([verdict])
    assert verdict.verdict == "right" and verdict.passed >= 2, told
    assert f"{verdict.passed} passed inputs tried" in told and "passes" not in told


@pytest.mark.parametrize(("mutation", "library"), WRONG, ids=lambda case: getattr(case, "name", case))
def test_wrong_claims_are_caught(mutation: Mutation, library: str) -> None:
    pytest.importorskip(FRAMEWORKS[library])
    verdict = proved(mutation.text, 16, False, library)
    check_caught(mutation, verdict)
    told = report([verdict])
    assert re.search(r"`passes \w+ as \w+ if zero \w+` \(mutated\.prune:\d+:3\) does not hold: where", told)


def test_claims_that_no_case_tries_are_told() -> None:
    pytest.importorskip("mxnet")
    text = SUM.replace("zero rhs", "zero rhs when rank(lhs) == 9").replace(
        "zero lhs\n", "zero lhs when rank(lhs) == 9\n"
    )
    verdict = proved(text, 6, False, MXNET)
    told = report([verdict])
    assert verdict.verdict == "right" and verdict.passed == 0, told
    assert (
        "passes rhs as out if zero lhs when rank(lhs) == 9 not tried: no node has what it speaks of" in told
    )
