"""The shapes that follow from the rules, compared with those that onnx infers."""

from __future__ import annotations

from pathlib import Path

import pytest

onnx = pytest.importorskip("onnx", reason="needs onnx")
pytest.importorskip("onnxruntime", reason="needs ONNX Runtime")

from onnx import helper  # noqa: E402

from frontends.onnx import patterns  # noqa: E402
from frontends.onnx.network import RULES, Net  # noqa: E402
from prunec.analysis.analyse import analyse  # noqa: E402
from prunec.frontends.onnx import graph as graph_module  # noqa: E402
from prunec.frontends.onnx.model import model_of  # noqa: E402
from prunec.language.library import load  # noqa: E402
from prunec.support.diagnostics import render_all  # noqa: E402

#: A pooling that forgets its padding.
WRONG = """
op MaxPool(kernel_shape, strides = 1) {
  X[n, c, *x] -> Y[n, c, *y]
  *y = window(*x, kernel_shape, strides, 0, 1)
  keep *y
}
op Conv, Relu, GlobalAveragePool, BatchNormalization, Gemm, Flatten opaque because "of no interest"
"""


def read(net: Net):
    return model_of(net.proto().SerializeToString(), Path("model.onnx"))


def pooled(opset: int = 17) -> Net:
    net = Net(opset=opset)
    x = patterns.start(net)
    for _ in range(2):
        x = net.op("MaxPool", x, kernel_shape=[3, 3], pads=[1, 1, 1, 1])
    net.head(x, 8)
    return net


def test_a_rule_that_gives_another_shape_is_named(tmp_path):
    rules = tmp_path / "wrong.prune"
    rules.write_text(WRONG)
    warnings = analyse(read(pooled()), load([str(rules)])).warnings
    text = render_all(warnings)
    assert len(warnings) == 1
    assert "warning[P409]: the rule of MaxPool gives another shape than the framework" in text
    # The second pooling only follows the first.
    assert "--> node 'MaxPool_0' (MaxPool) with inputs Relu_0 (2, 8, 8, 8)\n" in text
    assert "note: output 0: the rule says (2, 8, 6, 6), the framework (2, 8, 8, 8)" in text
    assert "help: run prunec verify on the smaller model" in text


def test_rules_that_agree_are_not_mentioned():
    assert analyse(read(pooled()), RULES).warnings == ()


def test_onnx_infers_shapes_only_where_rules_leave_something_open(monkeypatch):
    asked = []
    infer = graph_module.inferred_shapes

    def counted(*given):
        asked.append(given)
        return infer(*given)

    monkeypatch.setattr(graph_module, "inferred_shapes", counted)
    analyse(read(pooled()), RULES)
    assert not asked
    analyse(gated(), RULES)
    assert len(asked) == 1


def gated():
    net = Net()
    x = net.op("Gate", net.conv(patterns.start(net), "c2", 8, 6), domain="my.own")
    net.head(net.conv(x, "c3", 6, 4), 4)
    body = [helper.make_node("Sigmoid", ["a"], ["s"]), helper.make_node("Mul", ["a", "s"], ["b"])]
    imports = [helper.make_opsetid("", 17)]
    function = helper.make_function("my.own", "Gate", ["a"], ["b"], body, imports)
    graph = helper.make_graph(net.nodes, "network", net.inputs, net.outputs, net.initializers)
    imports.append(helper.make_opsetid("my.own", 1))
    proto = helper.make_model(graph, opset_imports=imports, functions=[function], ir_version=8)
    return model_of(proto.SerializeToString(), Path("model.onnx"))


def test_shapes_behind_functions_of_the_model_are_inferred():
    model = gated()
    assert model.graph.hints[model.content.tensors["Gate_0"]] == (2, 6, 8, 8)
    assert model.graph.hints[model.content.tensors["Conv_2"]] == (2, 4, 8, 8)


def test_sizes_below_zero_are_open():
    """Exporters write -1 for an open size; a kernel larger than its input gives a size below zero."""
    net = Net()
    x = net.conv(net.input("x", 1, 3, 8, -1), "c1", 3, 8)
    y = net.op("Conv", x, net.weight("large", 4, 8, 20, 1), kernel_shape=[20, 1])
    steps = [net.numbers(name, values) for name, values in (("s", [0]), ("e", [9]), ("a", [2]), ("two", [2]))]
    net.output(net.op("Slice", y, *steps), 4)
    graph = helper.make_graph(net.nodes, "network", net.inputs, net.outputs, net.initializers)
    proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    model = model_of(proto.SerializeToString(), Path("model.onnx"))
    assert model.graph.hints[model.content.tensors["Conv_0"]] == (1, 8, 8, None)
    assert model.graph.hints[model.content.tensors["Conv_1"]] == (1, 4, None, None)
