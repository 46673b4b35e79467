"""Which constants count as parameters, and what counts them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cli.tools import run

onnx = pytest.importorskip("onnx", reason="needs onnx")

from onnx import numpy_helper  # noqa: E402

from frontends.onnx.network import RULES, Net  # noqa: E402
from prunec.analysis.analyse import Analysis, analyse  # noqa: E402
from prunec.channels.choices import choices_of  # noqa: E402
from prunec.explaining.kept import kept  # noqa: E402
from prunec.frontends.onnx.model import model_of  # noqa: E402
from prunec.planning.costs import CostModel  # noqa: E402
from prunec.rewriting.emit import emit  # noqa: E402
from prunec.rewriting.layers import layers  # noqa: E402

FLOORS = {
    "a bound": np.array(-np.inf, np.float32),
    "bounds": np.full((1, 8, 1, 1), -np.inf, np.float32),
    "a mask": np.where(np.tri(8, dtype=bool), 0, -np.inf).astype(np.float32).reshape(1, 1, 8, 8),
    "a filling": np.full((1, 8, 1, 1), -1e9, np.float32),
}


def analysed(net: Net) -> Analysis:
    return analyse(model_of(net.proto().SerializeToString(), Path("net.onnx")), RULES)


def names(analysis: Analysis) -> set[str]:
    return {analysis.model.graph.nodes[index].name for index in analysis.learned.variables}


def floored(values: np.ndarray) -> Net:
    """A network with numbers between its convolutions that are no parameters."""
    net = Net(seed=5)
    x = net.conv(net.input("x", 2, 3, 8, 8), "c1", 3, 8)
    net.initializers.append(numpy_helper.from_array(values, "floor"))
    x = net.op("Max", x, "floor")
    table = net.numbers("table", np.arange(8, dtype=np.int64).reshape(1, 8, 1, 1))
    x = net.op("Mul", x, net.op("Cast", table, to=1))
    net.head(x, 8)
    return net


@pytest.mark.parametrize("what", FLOORS)
def test_bounds_and_masks_are_no_parameters(what: str, tmp_path: Path, capsys: Any) -> None:
    net = floored(FLOORS[what])
    analysis = analysed(net)
    assert names(analysis) == {"c1_w", "c1_b", "fc_w"} | ({"fc_b"} if _has(net, "fc_b") else set())
    counts = sum(int(np.prod(t.dims)) for t in net.initializers if t.name in names(analysis))
    pruned = emit(analysis, np.zeros(analysis.solution.unit_count, dtype=bool))
    assert layers(analysis, pruned)[1].parameters == (counts, counts)
    costs = CostModel(analysis, choices_of(analysis.solution))
    assert costs.parameters(costs.none()) == counts
    everything = sum(numpy_helper.to_array(t).nbytes for t in net.initializers)
    assert costs.file_size(costs.none()) == everything


def _has(net: Net, name: str) -> bool:
    return any(tensor.name == name for tensor in net.initializers)


@pytest.mark.parametrize("what", FLOORS)
def test_whatever_runs_the_model_runs_it(what: str, tmp_path: Path, capsys: Any, monkeypatch: Any) -> None:
    pytest.importorskip("onnxruntime", reason="needs ONNX Runtime")
    monkeypatch.chdir(tmp_path)
    onnx.save(floored(FLOORS[what]).proto(), "net.onnx")
    np.savez("data.npz", x=np.random.default_rng(0).standard_normal((8, 3, 8, 8)).astype(np.float32))
    given = ("net.onnx", "--data", "data.npz")
    assert run(capsys, "plan", *given, "--criterion", "activation", "--out", "plan.json")[0] == 0
    assert run(capsys, "plan", "net.onnx", "--criterion", "l1", "--out", "other.json")[0] == 0
    assert run(capsys, "compile", *given, "--means", "--out", "out")[0] == 0
    assert run(capsys, "sensitivity", *given, "--ratios", "0.5", "--out", "table.csv")[0] == 0


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("name", ["c1_w", "c1_b", "fc_w"])
def test_weights_that_are_no_numbers(
    name: str, value: float, tmp_path: Path, capsys: Any, monkeypatch: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    proto = floored(FLOORS["a bound"]).proto()
    tensor = next(t for t in proto.graph.initializer if t.name == name)
    array = numpy_helper.to_array(tensor).copy()
    array.flat[1] = value
    tensor.CopyFrom(numpy_helper.from_array(array, name))
    onnx.save(proto, "net.onnx")
    np.savez("data.npz", x=np.ones((2, 3, 8, 8), np.float32))
    given = ("net.onnx", "--data", "data.npz", "--criterion", "activation", "--out", "plan.json")
    code, _, err = run(capsys, "plan", *given)
    assert code == 1 and f"error[P612]: the parameter '{name}' holds NaN or infinity\n" in err


def test_kept_lists_dense_layers_with_right_counts() -> None:
    net = Net(seed=2)
    x = net.input("x", 2, 5, 16)
    plain = net.op("MatMul", x, net.weight("plain", 16, 12))
    turned = net.op("MatMul", x, net.op("Transpose", net.weight("turned", 12, 16), perm=[1, 0]))
    same = net.op("MatMul", x, net.op("Identity", "plain"))
    product = net.op("MatMul", plain, net.op("Transpose", turned, perm=[0, 2, 1]))
    flat = net.op("Reshape", same, net.numbers("flat", [10, 12]))
    gemm = net.op("Gemm", flat, net.weight("gemm_w", 7, 12), net.weight("gemm_b", 7), transB=1)
    twice = net.weight("twice", 7, 7)
    both = net.op("MatMul", gemm, net.op("MatMul", twice, twice))
    net.output(product, 3)
    net.output(gemm, 2)
    net.output(both, 2)
    found = {(layer.node, layer.side): layer for layer in kept(analysed(net))}
    counts = {node: layer.parameters for (node, _), layer in found.items()}
    gemm_node = next(node for node in counts if node.startswith("Gemm"))
    assert counts[gemm_node] == 7 * 12 + 7
    # What reads data on both sides is no layer.
    assert product not in counts
    assert sorted(counts.values()) == [49, 91, 192, 192, 192]
    assert {side for node, side in found if node == gemm_node} <= {"output channels", "input channels"}


def test_quantised_weights_are_counted() -> None:
    net = Net(seed=2)
    x = net.input("x", 2, 3, 8, 8)
    weight = net.numbers("w", net.random.integers(-127, 127, (8, 3, 3, 3)), dtype=np.int8)
    scale = net.numbers("s", net.random.random(8) + 0.1, dtype=np.float32)
    zero = net.numbers("z", np.zeros(8), dtype=np.int8)
    x = net.op("Conv", x, net.op("DequantizeLinear", weight, scale, zero, axis=0), pads=[1, 1, 1, 1])
    net.output(x, 4)
    analysis = analysed(net)
    assert names(analysis) == {"w", "s", "z"}
    (layer,) = {layer.node: layer for layer in kept(analysis)}.values()
    assert layer.parameters == 8 * 27 + 8 + 8


def branched(net: Net, x: str, outside: bool = False) -> str:
    """A condition that the input decides; a dense layer stands in one of the branches, its weights there or
    ``outside`` of it."""
    weight = numpy_helper.from_array(net.random.standard_normal((6, 6)).astype(np.float32), "inner_w")
    other = numpy_helper.from_array(net.random.standard_normal(6).astype(np.float32), "inner_b")
    number = numpy_helper.from_array(np.array(2.0, np.float32), "two")
    make, out = onnx.helper.make_node, onnx.helper.make_tensor_value_info("y", 1, None)
    product = [make("MatMul", [x, "inner_w"], ["p"]), make("Add", ["p", "inner_b"], ["y"])]
    net.initializers += [weight, other] if outside else []
    left = onnx.helper.make_graph(product, "left", [], [out], [] if outside else [weight, other])
    right = onnx.helper.make_graph([make("Mul", [x, "two"], ["y"])], "right", [], [out], [number])
    test = net.op("Greater", net.op("ReduceSum", x, keepdims=0), net.numbers("zero", 0, dtype="f"))
    return str(net.op("If", test, then_branch=left, else_branch=right))


@pytest.mark.parametrize("outside", [False, True])
def test_weights_inside_bodies_are_named(
    tmp_path: Path, capsys: Any, monkeypatch: Any, outside: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    net = Net(seed=1)
    x = net.dense(net.input("x", 2, 4), "d1", 4, 6)
    net.output(net.dense(branched(net, x, outside), "fc", 6, 3), 2)
    onnx.save(net.proto(), "net.onnx")
    words = "warning[P414]: 2 weights with 42 numbers are used in the bodies of If nodes and stay\n"
    for command in (("groups", "net.onnx"), ("compile", "net.onnx"), ("explain", "net.onnx", "--kept")):
        code, out, err = run(capsys, *command)
        assert code == 0 and words in err
    assert "If_0 (If, 42 parameters): all of it stays\n  The body is a graph of its own" in out
    found = json.loads(run(capsys, "explain", "net.onnx", "--kept", "--format", "json")[1])["unread"]
    assert [(own["node"], own["parameters"]) for own in found] == [("If_0", 42)]


def quantised(kind: str) -> Net:
    """A model whose weights are small integers, as three kinds of tools write it."""
    net = Net(seed=4)
    x = net.input("x", 2, 16)
    scale, zero = net.numbers("scale", 0.05, dtype="f"), net.numbers("zero", 0, dtype="i1")
    for number in range(2):
        weight = net.numbers(f"w{number}", net.random.integers(-127, 127, (16, 16)), dtype="i1")
        if kind == "dynamic":
            q, s, z = net.op("DynamicQuantizeLinear", x, outputs=3)
            y = net.op("Cast", net.op("MatMulInteger", q, weight, z, zero), to=1)
            x = net.op("Relu", net.op("Mul", y, net.op("Mul", s, scale)))
        elif kind == "pairs":
            q = net.op("DequantizeLinear", net.op("QuantizeLinear", x, scale, zero), scale, zero)
            x = net.op("Relu", net.op("MatMul", q, net.op("DequantizeLinear", weight, scale, zero)))
        else:
            q = net.op("QuantizeLinear", x, scale, zero)
            q = net.op("QLinearMatMul", q, scale, zero, weight, scale, zero, scale, zero)
            x = net.op("DequantizeLinear", q, scale, zero)
    net.output(x, 2)
    return net


@pytest.mark.parametrize("kind", ["dynamic", "pairs", "operators"])
def test_quantised_models_are_named(kind: str, tmp_path: Path, capsys: Any, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    onnx.save(quantised(kind).proto(), "net.onnx")
    for command in (("groups", "net.onnx"), ("compile", "net.onnx"), ("explain", "net.onnx", "--kept")):
        code, out, err = run(capsys, *command)
        assert code == 0
        assert err.count("warning[P413]: the model is quantised: most of it stays as it is\n") == 1
        assert "  help: prune the model it was made from and quantise that\n" in err
    assert out.count("parameters): ") >= 2
    assert "the model is quantised; prune the model it was made from" in out.lower()


def test_a_few_quantised_values_are_no_quantised_model() -> None:
    net = Net()
    x = net.conv(net.input("x", 2, 3, 8, 8), "c1", 3, 8)
    scale, zero = net.numbers("scale", 0.1, dtype="f"), net.numbers("zero", 0, dtype="u1")
    x = net.op("DequantizeLinear", net.op("QuantizeLinear", x, scale, zero), scale, zero)
    for number in range(3):
        x = net.op("Relu", net.conv(x, f"d{number}", 8, 8))
    net.head(x, 8)
    assert analysed(net).warnings == ()
