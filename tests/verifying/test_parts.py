"""Computed from parameters alone: dead units, zeros and rows that nothing reads hide no wrong slice."""

from __future__ import annotations

from typing import Callable

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="needs onnx")
pytest.importorskip("onnxruntime", reason="needs ONNX Runtime")

from damage import damages  # noqa: E402
from frontends.onnx.network import Net, Result, prune, runtime_of  # noqa: E402

from prunec.frontends.onnx.writer import with_constants  # noqa: E402
from prunec.rewriting.slicing import slice_array  # noqa: E402
from prunec.verifying.proof import prove  # noqa: E402
from prunec.verifying.running import Subject  # noqa: E402
from prunec.verifying.verdict import Evidence, Outcome  # noqa: E402

PLACES, UNITS = 9, 24


def computed_bias() -> Net:
    """A bias for each place, computed by a small network from a table; nearly all of its units are dead."""
    net = Net()
    x = net.input("x", "n", PLACES, 6)
    offsets = np.full(UNITS, -50.0, np.float32) - np.arange(UNITS, dtype=np.float32)
    offsets[[10, 11, 12, 13]] = net.random.standard_normal(4)
    table = net.weight("table_w", PLACES, 2)
    hidden = net.op("MatMul", table, net.weight("inner_w", 2, UNITS))
    hidden = net.op("Relu", net.op("Add", hidden, net.numbers("inner_b", offsets, dtype=np.float32)))
    bias = net.op("MatMul", hidden, net.weight("outer_w", UNITS, 6))
    net.output(net.op("Tanh", net.op("Add", x, bias)), 3)
    return net


def zeros_at_first() -> Net:
    """Positions with a transform of zeros added, as queries of a decoder start."""
    net = Net()
    x = net.input("x", "n", PLACES, 6)
    zeros = net.numbers("zeros", np.zeros((PLACES, 4)), dtype=np.float32)
    inner = net.op("Add", net.op("MatMul", zeros, net.weight("of_zeros_w", 4, 12)), net.weight("inner_b", 12))
    bias = net.op("MatMul", net.op("Tanh", inner), net.weight("outer_w", 12, 6))
    net.output(net.op("Add", x, bias), 3)
    return net


def hurt(result: Result, name: str, array: np.ndarray) -> Subject:
    small = runtime_of(result.pruned.model, result.model).file.proto
    wrong = runtime_of(with_constants(small, {name: array}).SerializeToString(), result.model)
    own = result.subject
    return Subject(own.analysis, own.pruned, own.original, wrong, own.masked)


@pytest.mark.parametrize("build", [computed_bias, zeros_at_first])
def test_what_is_dead_is_proved_part_by_part(build: Callable[[], Net]) -> None:
    result = prune(build().proto(), strict=True, drawn={"x": (2, PLACES, 6)})
    assert result.proved, result.verdict
    reasons = {own.parameter: own.reason for own in result.verdict.witnesses}
    others = {own.parameter for own in result.verdict.witnesses if own.evidence is not Evidence.WITNESSED}
    assert others <= {"zeros"}
    assert any(reason.endswith(" by itself") for reason in reasons.values()), reasons


@pytest.mark.parametrize("build", [computed_bias, zeros_at_first])
def test_damage_that_no_input_shows_is_not_called_proved(build: Callable[[], Net]) -> None:
    result = prune(build().proto(), strict=True, drawn={"x": (2, PLACES, 6)})
    outcomes = set()
    for piece in (own for own in result.pruned.slices if own.name != "zeros"):
        for name, array in damages(piece, result.model.parameter(piece.name)):
            outcome = prove(hurt(result, piece.name, array), result.examples[0]).outcome
            assert outcome is not Outcome.PROVED, (piece.name, name)
            outcomes.add(outcome)
    # Some of it changes no value of the network at all.
    assert outcomes == {Outcome.DIFFERS, Outcome.NOT_PROVED}


def test_rows_that_nothing_reads_may_be_anything() -> None:
    net = Net()
    x = net.input("x", "n", 3, 6)
    rows = net.op("Gather", net.weight("table", 40, 6), net.numbers("rows", [17, 5, 21]))
    net.output(net.op("Add", x, rows), 3)
    result = prune(net.proto(), strict=True, drawn={"x": (2, 3, 6)})
    assert result.proved and result.cut == {("table", 0): (40, 22)}, result.verdict
    (piece,) = result.pruned.slices
    right = slice_array(piece, result.model.parameter("table"))
    shown = [prove(hurt(result, "table", _scaled(right, row)), result.examples[0]) for row in range(22)]
    assert [own.outcome for own in shown].count(Outcome.DIFFERS) == 3
    assert all(own.outcome in (Outcome.DIFFERS, Outcome.PROVED) for own in shown)


def _scaled(array: np.ndarray, row: int) -> np.ndarray:
    changed = array.copy()
    changed[row] *= -3
    return changed
