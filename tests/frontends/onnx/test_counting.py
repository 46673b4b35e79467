"""Channels that stand for numbers stay, unless a policy frees them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="needs onnx")
pytest.importorskip("onnxruntime", reason="needs ONNX Runtime")

from cli.tools import run  # noqa: E402

from frontends.onnx.network import RULES, Net, prune  # noqa: E402
from prunec.analysis.analyse import analyse  # noqa: E402
from prunec.frontends.onnx.model import model_of  # noqa: E402

REASON = "each channel stands for the number that it is multiplied with"


def distances(positions: Any, by: str = "Conv") -> Net:
    """The head of a detector: for four sides 16 bins each, of which a softmax makes an expectation over
    fixed positions."""
    net = Net()
    x = net.op("Relu", net.conv(net.input("x", 2, 3, 4, 4), "c1", 3, 8))
    x = net.op("Reshape", net.conv(x, "bins", 8, 64, 1), net.numbers("apart", [2, 4, 16, 16]))
    x = net.op("Softmax", net.op("Transpose", x, perm=[0, 2, 1, 3]), axis=1)
    table = np.asarray(positions, np.float32)
    if by == "Conv":
        x = net.op(
            "Conv", x, net.numbers("table", table.reshape(1, 16, 1, 1), dtype="f"), kernel_shape=[1, 1]
        )
    elif by == "MatMul":
        x = net.op(
            "MatMul", net.op("Transpose", x, perm=[0, 2, 3, 1]), net.numbers("table", table, dtype="f")
        )
    else:
        x = net.op("Mul", x, net.numbers("table", table.reshape(16, 1, 1), dtype="f"))
        x = net.op("ReduceSum", x, net.numbers("axes", [1]))
    net.output(x, {"Conv": 4, "MatMul": 3, "Mul": 4}[by])
    return net


def model(net: Net) -> Any:
    return model_of(net.proto().SerializeToString(), Path("network.onnx"))


@pytest.mark.parametrize("by", ["Conv", "MatMul", "Mul"])
def test_bins_of_an_expectation_stay(by: str) -> None:
    cut = prune(distances(np.arange(16), by).proto()).cut
    assert ("bins_w", 0) not in cut and ("c1_w", 0) in cut
    analysis = analyse(model(distances(np.arange(16), by)), RULES)
    assert REASON in {cause.text for cause in analysis.solution.causes}


@pytest.mark.parametrize("by", ["Conv", "MatMul", "Mul"])
def test_weights_that_do_not_count_do_not_keep_them(by: str) -> None:
    positions = np.random.default_rng(0).standard_normal(16)
    assert prune(distances(positions, by).proto()).cut["bins_w", 0] == (64, 32)


def test_letters_of_an_alphabet_stay() -> None:
    """One of ten places for each number, as comparing with a range makes it."""
    net = Net()
    letters = net.op("Equal", net.input("ids", 2, 5, 1), net.numbers("range", range(10), dtype="f"))
    x = net.op("MatMul", net.op("Cast", letters, to=1), net.weight("d1_w", 10, 8))
    net.output(net.dense(net.op("Relu", x), "fc", 8, 5), 3)
    cut = prune(net.proto()).cut
    assert ("d1_w", 1) in cut and ("d1_w", 0) not in cut and ("range", 0) not in cut


@pytest.mark.parametrize("freed", ["Conv_2", "table"])
def test_a_policy_frees_them(freed: str) -> None:
    net = distances(np.arange(16))
    analysis = analyse(model(net), RULES, freed={freed})
    found = {own.name: own for own in analysis.parameters}
    units = [analysis.solution.units(array) for array in found["bins_w"].channels.arrays]
    assert any((own >= 0).all() for own in units)
    assert any(group.approximate for group in analysis.solution.groups)


def test_the_policy_is_part_of_the_plan(tmp_path: Path, capsys: Any, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    onnx.save(distances(np.arange(16)).proto(), "net.onnx")
    Path("free.prune").write_text('policy "table" { free because "they are trained again" }\n')
    code, out, _ = run(capsys, "compile", "net.onnx", "--out", "kept")
    assert code == 0 and REASON in out
    policy = ("--policy", "free.prune")
    code, out, _ = run(capsys, "compile", "net.onnx", *policy, "--out", "freed", "--align", "1")
    assert code == 0 and REASON not in out
    held = {own.name: own for own in onnx.load("freed/net.onnx").graph.initializer}
    assert list(held["table"].dims) == [1, 8, 1, 1] and list(held["bins_w"].dims) == [32, 4, 1, 1]
    assert run(capsys, "compile", "net.onnx", "--plan", "freed/plan.json", "--out", "again")[0] == 1
    plan = ("--plan", "freed/plan.json")
    assert run(capsys, "compile", "net.onnx", *plan, *policy, "--out", "again")[0] == 0
    assert run(capsys, "verify", "net.onnx", "again/net.onnx", *plan, *policy)[0] == 0
