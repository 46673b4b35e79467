"""Models with more than plain operators on floats: each is pruned around what is kept, and still runs."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="needs onnx")
pytest.importorskip("onnxruntime", reason="needs ONNX Runtime")

from onnx import TensorProto, helper, numpy_helper  # noqa: E402

from frontends.onnx import patterns  # noqa: E402
from frontends.onnx.network import RULES, Net, prune  # noqa: E402
from prunec.analysis.analyse import analyse  # noqa: E402
from prunec.channels.removal import uniform  # noqa: E402
from prunec.frontends.onnx.model import model_of  # noqa: E402
from prunec.language.library import load  # noqa: E402
from prunec.rewriting.emit import emit  # noqa: E402


def message(net: Net, domains=(), **more):
    """A model's message with parts that :class:`Net` has no words for."""
    sparse = more.pop("sparse_initializer", [])
    graph = helper.make_graph(
        net.nodes, "network", net.inputs, net.outputs, net.initializers, sparse_initializer=sparse
    )
    imports = [helper.make_opsetid("", net.opset), *(helper.make_opsetid(domain, 1) for domain in domains)]
    proto = helper.make_model(graph, opset_imports=imports, ir_version=8, **more)
    onnx.checker.check_model(proto)
    return proto


def exact(result) -> bool:
    return result.error < 1e-4 and result.proved


def test_functions_of_the_model_are_barriers_and_survive():
    net = Net()
    x = net.op("Gate", net.conv(patterns.start(net), "c2", 8, 6), domain="my.own")
    net.head(net.conv(x, "c3", 6, 4), 4)
    body = [helper.make_node("Sigmoid", ["a"], ["s"]), helper.make_node("Mul", ["a", "s"], ["b"])]
    function = helper.make_function("my.own", "Gate", ["a"], ["b"], body, [helper.make_opsetid("", 17)])
    proto = message(net, ["my.own"], functions=[function])
    result = prune(proto, strict=True)
    assert exact(result) and result.warnings == ["no rule knows the operator my.own::Gate"]
    assert ("c1_w", 0) in result.cut and ("c3_w", 0) in result.cut
    assert ("c2_w", 0) not in result.cut and ("c3_w", 1) not in result.cut
    assert onnx.load_from_string(result.pruned.model).functions == proto.functions
    (warning,) = result.analysis.warnings
    assert warning.help == (
        "it is a function of the model: write its nodes out with onnx.inliner.inline_local_functions and "
        "compile the result, or add a rule with --rules"
    )
    inliner = pytest.importorskip("onnx.inliner", reason="needs a newer onnx package")
    written_out = prune(inliner.inline_local_functions(proto), strict=True)
    assert exact(written_out) and written_out.warnings == []
    assert ("c2_w", 0) in written_out.cut and ("c3_w", 1) in written_out.cut


def test_a_rule_for_a_function_of_the_model(tmp_path):
    rules = tmp_path / "gate.prune"
    rules.write_text("op my.own::Gate { a[*x] -> b[*x]  zero b if a }\n")
    net = Net()
    x = net.op("Gate", net.conv(patterns.start(net), "c2", 8, 6), domain="my.own")
    net.head(net.conv(x, "c3", 6, 4), 4)
    body = [helper.make_node("Relu", ["a"], ["b"])]
    function = helper.make_function("my.own", "Gate", ["a"], ["b"], body, [helper.make_opsetid("", 17)])
    data = message(net, ["my.own"], functions=[function]).SerializeToString()
    analysis = analyse(model_of(data, Path("model.onnx")), load(["onnx.prune", str(rules)]))
    assert analysis.warnings == () and len(analysis.solution.groups) == 3


def body(name, nodes, inputs, outputs):
    kinds = {"again": TensorProto.BOOL, "go": TensorProto.BOOL, "step": TensorProto.INT64}

    def values(names):
        shapes = {"x": [None] * 4}
        return [
            helper.make_tensor_value_info(n, kinds.get(n, 1), shapes["x"] if n not in kinds else [])
            for n in names
        ]

    return helper.make_graph(nodes, name, values(inputs), values(outputs))


def test_loops_and_scans_are_barriers():
    net = Net()
    y = net.conv(patterns.start(net), "c2", 8, 6)
    nodes = [helper.make_node("Add", ["sum", y], ["more"]), helper.make_node("Identity", ["again"], ["go"])]
    loop = body("loop", nodes, ["step", "again", "sum"], ["go", "more"])
    net.initializers.append(numpy_helper.from_array(np.array(True), "true"))
    z = net.op("Loop", net.numbers("three", 3), "true", y, body=loop)
    scan = body("scan", [helper.make_node("Relu", ["part"], ["out"])], ["part"], ["out"])
    for value in (*scan.input, *scan.output):
        del value.type.tensor_type.shape.dim[0]
    w = net.op("Scan", z, body=scan, num_scan_inputs=1)
    net.head(net.conv(w, "c3", 6, 4), 4)
    result = prune(net.proto(), strict=True)
    assert exact(result) and result.warnings == []
    assert ("c1_w", 0) in result.cut and ("c3_w", 0) in result.cut
    assert ("c2_w", 0) not in result.cut and ("c3_w", 1) not in result.cut
    reasons = {cause.text for cause in result.analysis.solution.causes}
    assert "the body is a graph of its own, which rules do not reach" in reasons


KINDS = ("BFLOAT16", "FLOAT16", "DOUBLE", "FLOAT8E4M3FN", "FLOAT8E5M2", "INT8", "INT4", "UINT4")


@pytest.mark.parametrize("raw", [False, True], ids=["typed", "raw"])
@pytest.mark.parametrize("kind", KINDS)
def test_weights_of_any_type(kind, raw):
    """Weights that are cast before they are used; small ones two to a byte."""
    if onnx.defs.onnx_opset_version() < 21:
        pytest.skip("needs an onnx package that knows version 21 of the operators")
    net = Net(opset=21)
    number = TensorProto.DataType.Value(kind)
    values = (net.random.standard_normal((6, 8, 3, 3)) * 3).astype(np.float32)
    values = np.clip(np.abs(values) if kind == "UINT4" else values, -7, 7)
    values = values.astype(np.int64) if "INT" in kind else values
    made = helper.make_tensor("w", number, values.shape, values.reshape(-1).tolist())
    if raw:
        made = numpy_helper.from_array(numpy_helper.to_array(made), "w")
    x = patterns.start(net)
    net.initializers.append(made)
    x = net.op("Conv", x, net.op("Cast", "w", to=1), net.weight("b", 6), pads=[1] * 4)
    net.head(x, 6)
    result = prune(net.proto(), strict=True)
    assert exact(result) and result.warnings == []
    assert {("w", 0), ("w", 1), ("b", 0), ("c1_w", 0)} <= set(result.cut)
    after = {t.name: t for t in onnx.load_from_string(result.pruned.model).graph.initializer}["w"]
    assert after.data_type == number and after.HasField("raw_data") == raw


def test_half_precision_throughout():
    net = Net()
    x = net.input("x", 2, 3, 8, 8, kind=TensorProto.FLOAT16)
    x = net.conv(net.op("Relu", net.conv(x, "c1", 3, 8)), "c2", 8, 5)
    net.output(x, 4, kind=TensorProto.FLOAT16)
    for tensor in net.initializers:
        tensor.CopyFrom(
            numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float16), tensor.name)
        )
    result = prune(net.proto(), strict=True)
    assert result.error < 1e-2 and set(result.cut) == {("c1_w", 0), ("c1_b", 0), ("c2_w", 1)}


def test_sparse_weights_and_constants_are_kept():
    net = Net()
    x = net.op("Flatten", net.op("GlobalAveragePool", patterns.start(net)))
    values = numpy_helper.from_array(np.array([1.0, 2.0, 3.0], np.float32), "w")
    places = numpy_helper.from_array(np.array([0, 11, 79], np.int64), "w_places")
    held = helper.make_sparse_tensor(values, places, [8, 10])
    x = net.op("MatMul", x, "w")
    net.output(net.dense(net.op("Relu", net.dense(x, "d1", 10, 12)), "fc", 12, 5), 2)
    model = model_of(message(net, sparse_initializer=[held]).SerializeToString(), Path("model.onnx"))
    analysis = analyse(model, RULES)
    assert analysis.warnings == () and [len(group.units) for group in analysis.solution.groups] == [12]
    net.nodes.insert(0, helper.make_node("Constant", [], ["w"], sparse_value=held))
    result = prune(net.proto(), strict=True)
    assert exact(result) and result.warnings == []
    assert {name for name, _ in result.cut} == {"d1_w", "d1_b", "fc_w"}


def test_constants_of_text_are_kept():
    net = Net()
    net.nodes.append(helper.make_node("Constant", [], ["one"], value_string=b"text"))
    net.nodes.append(helper.make_node("Constant", [], ["two"], value_strings=[b"a", b"b"]))
    held = helper.make_tensor("three", TensorProto.STRING, [2], [b"a", b"b"])
    net.initializers.append(held)
    net.head(patterns.start(net), 8)
    for name, rank in (("one", 0), ("two", 1), ("three", 1)):
        net.output(name, rank, kind=TensorProto.STRING)
    model = model_of(net.proto().SerializeToString(), Path("model.onnx"))
    analysis = analyse(model, RULES)
    assert analysis.warnings == () and [len(group.units) for group in analysis.solution.groups] == [8]
    pruned = emit(analysis, uniform(analysis.solution, 0.5, np.zeros(analysis.solution.unit_count)))
    onnx.checker.check_model(onnx.load_from_string(pruned.model), full_check=True)


@pytest.mark.parametrize("kind", [n for n in TensorProto.DataType.values() if n])
def test_empty_constants_of_every_type(kind):
    net = Net()
    net.initializers.append(TensorProto(name="none", data_type=kind, dims=[0, 3]))
    raw = TensorProto(name="raw", data_type=kind, dims=[2, 0])
    if kind != TensorProto.STRING:
        raw.raw_data = b""
    net.initializers.append(raw)
    net.head(patterns.start(net), 8)
    model = model_of(message(net).SerializeToString(), Path("model.onnx"))
    analysis = analyse(model, RULES)
    assert [len(group.units) for group in analysis.solution.groups] == [8]
    assert not {"none", "raw"} & {model.graph.nodes[index].name for index in analysis.learned.variables}
    pruned = emit(analysis, uniform(analysis.solution, 0.5, np.zeros(analysis.solution.unit_count)))
    after = {tensor.name: tensor for tensor in onnx.load_from_string(pruned.model).graph.initializer}
    assert after["none"] == net.initializers[0] and after["raw"] == raw


def test_tensors_without_elements():
    net = Net(opset=18)
    x = patterns.start(net)
    net.initializers.append(numpy_helper.from_array(np.zeros((2, 0, 8, 8), np.float32), "nothing"))
    x = net.op("Concat", x, "nothing", axis=1)
    net.initializers.append(numpy_helper.from_array(np.zeros(0, np.float32), "region"))
    x = net.op("Resize", x, "region", net.numbers("scales", [1, 1, 2, 2], dtype="f"))
    net.head(net.conv(x, "c2", 8, 6), 6)
    result = prune(net.proto(), strict=True)
    assert exact(result) and {*patterns.START, ("c2_w", 0), ("c2_w", 1)} <= set(result.cut)


def test_parameters_and_inputs_that_are_outputs_too():
    net = Net()
    net.head(net.conv(patterns.start(net), "c2", 8, 6), 6)
    net.output("c2_b", 1)
    net.output("x", 4)
    result = prune(net.proto(), strict=True)
    assert result.error < 1e-4 and ("c1_w", 0) in result.cut
    assert ("c2_w", 0) not in result.cut and ("fc_w", 1) not in result.cut


def test_nodes_without_names_and_with_one_name():
    proto = patterns.residual().proto
    data = proto.SerializeToString()
    names = ["", "same"]
    for node in proto.graph.node:
        node.name = names[len(node.input) % 2]
    plain = analyse(model_of(data, Path("model.onnx")), RULES).solution
    named = analyse(model_of(proto.SerializeToString(), Path("model.onnx")), RULES).solution
    assert [g.units.tolist() for g in plain.groups] == [g.units.tolist() for g in named.groups]


def deep(layers: int, shared: bool) -> bytes:
    """Dense layers with reshapes to computed shapes, from constants that all share or that each has."""
    net = Net()
    x = net.input("x", 2, 5, 8)
    for k in range(layers):
        own = 0 if shared else k
        made = {name: f"{name}{own}" for name in ("first", "rest", "flat")}
        if not shared or k == 0:
            net.numbers(made["first"], [0])
            net.numbers(made["rest"], [5, 4, 2])
            net.numbers(made["flat"], [2, 5, 8])
        shape = net.op("Gather", net.op("Shape", x), made["first"], axis=0)
        x = net.op("Reshape", net.dense(x, f"d{k}", 8, 8), net.op("Concat", shape, made["rest"], axis=0))
        x = net.op("Relu", net.op("Reshape", net.op("Tanh", x), made["flat"]))
    net.output(net.dense(x, "fc", 8, 5), 3)
    return net.proto().SerializeToString()


def seconds(data: bytes) -> float:
    start = time.process_time()
    analysis = analyse(model_of(data, Path("model.onnx")), RULES)
    emit(analysis, uniform(analysis.solution, 0.5, np.zeros(analysis.solution.unit_count)))
    return time.process_time() - start


@pytest.mark.parametrize("shared", [False, True], ids=["own constants", "shared constants"])
def test_time_is_linear_in_the_number_of_layers(shared):
    few, many = deep(30, shared), deep(180, shared)
    seconds(few)
    assert seconds(many) < 15 * min(seconds(few) for _ in range(3))
