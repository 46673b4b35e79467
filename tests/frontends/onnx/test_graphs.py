"""What an ONNX file can hold besides plain operators, and what survives pruning."""

from __future__ import annotations

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
from prunec.frontends.onnx.text import graph_text  # noqa: E402
from prunec.graph import Tensor  # noqa: E402
from prunec.rewriting.emit import emit  # noqa: E402
from prunec.sizes import open_size  # noqa: E402
from prunec.support.diagnostics import render_all  # noqa: E402


def model(net_or_proto, **inputs):
    proto = net_or_proto.proto() if isinstance(net_or_proto, Net) else net_or_proto
    return model_of(proto.SerializeToString(), Path("model.onnx"), inputs)


def branch(name, captured, scale):
    """A graph without inputs: a value of the outer graph, scaled."""
    factor = numpy_helper.from_array(np.array(scale, np.float32), f"{name}_factor")
    node = helper.make_node("Mul", [captured, f"{name}_factor"], [name])
    return helper.make_graph([node], name, [], [helper.make_tensor_value_info(name, 1, None)], [factor])


def with_branch() -> Net:
    net = Net()
    x = patterns.start(net)
    y = net.conv(x, "c2", 8, 6)
    total = net.op("ReduceSum", y, keepdims=0)
    positive = net.op("Greater", total, net.numbers("zero", 0, dtype="f"))
    z = net.op("If", positive, then_branch=branch("then", x, 2), else_branch=branch("else", x, 3))
    net.head(net.op("Add", net.conv(z, "c3", 8, 4), net.conv(y, "c4", 6, 4)), 4)
    return net


def test_branches_are_barriers_and_what_they_capture_is_kept():
    result = prune(with_branch().proto(), {"x": (2, 3, 8, 8)}, strict=True)
    assert result.error < 1e-4 and result.proved
    assert not {("c1_w", 0), ("c3_w", 1)} & set(result.cut)
    assert ("c2_w", 0) in result.cut or ("c3_w", 0) in result.cut
    reasons = {cause.text for cause in result.analysis.solution.causes}
    assert "the body is a graph of its own, which rules do not reach" in reasons
    assert result.warnings == []


def test_operators_of_other_domains_are_named_with_them():
    net = Net()
    x = net.op("Scale", patterns.start(net), domain="my.company")
    net.head(net.conv(x, "c2", 8, 6), 6)
    proto = net.proto(["my.company"])
    analysis = analyse(model(proto), RULES)
    text = render_all(analysis.warnings)
    assert "warning[P406]: no rule knows the operator my.company::Scale" in text
    assert "op my.company::Scale {" in text
    # Behind the barrier shapes are open, and what does not need them is pruned all the same.
    assert analysis.lowered.shapes[model(proto).content.tensors["c2_w"]] == (6, 8, 3, 3)


def test_a_rule_for_an_operator_of_another_domain(tmp_path):
    from prunec.language.library import load

    rules = tmp_path / "mine.prune"
    rules.write_text("op my.company::Scale { X[n, c, *x]; s[c] -> Y[n, c, *x]  zero Y }\n")
    net = Net()
    x = net.op("Scale", patterns.start(net), net.weight("s", 8), domain="my.company")
    net.head(net.conv(x, "c2", 8, 6), 6)
    read = model(net.proto(["my.company"]))
    analysis = analyse(read, load(["onnx.prune", str(rules)]))
    assert analysis.warnings == ()
    pruned = emit(analysis, uniform(analysis.solution, 0.5, np.zeros(analysis.solution.unit_count)))
    assert {s.name: s.new_shape for s in pruned.slices}["s"] == (4,)


def test_inputs_left_out_in_the_middle():
    """A resize without region of interest and scales, a padding without value: the gaps stay gaps."""
    for build in (patterns.resize, patterns.pad_some_axes):
        proto = build().proto
        result = prune(proto, strict=True)
        after = onnx.load_from_string(result.pruned.model)
        gaps = [[name == "" for name in node.input] for node in proto.graph.node]
        assert any(any(row) for row in gaps)
        assert [[name == "" for name in node.input] for node in after.graph.node] == gaps


def test_everything_else_survives():
    proto = patterns.residual().proto
    proto.doc_string = "a network"
    proto.producer_name, proto.producer_version, proto.model_version = "maker", "1.2", 7
    proto.metadata_props.add(key="author", value="somebody")
    proto.graph.doc_string = "its graph"
    for node in proto.graph.node:
        node.doc_string = f"about {node.op_type}"
        node.metadata_props.add(key="scope", value="layer")
    for tensor in proto.graph.initializer:
        tensor.doc_string = "a weight"
    inferred = onnx.shape_inference.infer_shapes(proto)
    result = prune(inferred, strict=True)
    after = onnx.load_from_string(result.pruned.model)
    for field in (
        "doc_string",
        "producer_name",
        "producer_version",
        "model_version",
        "opset_import",
        "ir_version",
    ):
        assert getattr(after, field) == getattr(inferred, field)
    assert after.metadata_props == inferred.metadata_props
    assert after.graph.node == inferred.graph.node
    assert after.graph.input == inferred.graph.input and after.graph.output == inferred.graph.output
    assert [t.name for t in after.graph.initializer] == [t.name for t in inferred.graph.initializer]
    assert {t.doc_string for t in after.graph.initializer} == {"a weight"}
    shapes = {v.name: [d.dim_value for d in v.type.tensor_type.shape.dim] for v in after.graph.value_info}
    fresh = onnx.shape_inference.infer_shapes(after, strict_mode=True)
    assert shapes == {
        v.name: [d.dim_value for d in v.type.tensor_type.shape.dim] for v in fresh.graph.value_info
    }
    assert [8 in shape for shape in shapes.values()].count(True) > 0


def test_initializers_among_the_inputs_are_parameters():
    proto = patterns.chain().proto
    proto.ir_version = 3
    for tensor in proto.graph.initializer:
        proto.graph.input.append(
            helper.make_tensor_value_info(tensor.name, tensor.data_type, list(tensor.dims))
        )
    result = prune(proto, {"x": (2, 3, 8, 8)}, strict=True)
    assert result.error < 1e-4 and ("c1_w", 0) in result.cut
    after = onnx.load_from_string(result.pruned.model)
    sizes = {v.name: [d.dim_value for d in v.type.tensor_type.shape.dim] for v in after.graph.input}
    assert sizes["c1_w"] == [4, 3, 3, 3]


def test_names_that_are_empty_or_stand_twice():
    net = Net()
    net.head(patterns.start(net), 8)
    for node in net.nodes:
        node.name = "same"
    graph = model(net).graph
    names = [node.name for node in graph.nodes if node.operator is not None]
    assert len(set(names)) == len(names) and names[0] == "Conv_0"


def test_open_sizes_stay_open_where_nothing_needs_them():
    net = Net()
    x = net.input("x", "batch", 3, "height", "width")
    x = net.op("Relu", net.norm(net.conv(x, "c1", 3, 8), "n1", 8))
    net.head(net.conv(x, "c2", 8, 6), 6)
    proto = net.proto()
    for shapes in ({}, {"x": (2, 3, 9, 9)}):
        read = model(proto, **shapes)
        analysis = analyse(read, RULES)
        assert len(analysis.solution.groups) == 2
        pruned = emit(analysis, uniform(analysis.solution, 0.5, np.zeros(analysis.solution.unit_count)))
        after = onnx.load_from_string(pruned.model)
        assert [d.dim_param for d in after.graph.input[0].type.tensor_type.shape.dim][0] == "batch"


def test_samples_may_be_open_where_a_reshape_infers_them():
    net = Net()
    x = net.input("x", "batch", 3, 8, 8)
    x = net.op("Relu", net.norm(net.conv(x, "c1", 3, 8), "n1", 8))
    x = net.op("ReduceMean", net.op("Reshape", x, net.numbers("flat", [-1, 8, 64])), axes=[2], keepdims=0)
    net.output(net.dense(x, "fc", 8, 5), 2)
    analysis = analyse(model(net), RULES)
    pruned = emit(analysis, uniform(analysis.solution, 0.5, np.zeros(analysis.solution.unit_count)))
    held = {t.name: t for t in onnx.load_from_string(pruned.model).graph.initializer}
    assert numpy_helper.to_array(held["flat"]).tolist() == [-1, 4, 64]


def test_lists_of_open_sizes_and_numbers_are_followed():
    net = Net()
    x = net.input("x", "batch", 3, 8, 8)
    x = net.conv(x, "c1", 3, 8)
    size = net.op("Concat", net.op("Shape", x, end=1), net.numbers("rest", [8, 64]), axis=0)
    x = net.op("ReduceMean", net.op("Reshape", x, size), axes=[2], keepdims=0)
    net.output(net.dense(x, "fc", 8, 5), 2)
    analysis = analyse(model(net), RULES)
    assert not analysis.warnings
    pruned = emit(analysis, uniform(analysis.solution, 0.5, np.zeros(analysis.solution.unit_count)))
    held = {t.name: t for t in onnx.load_from_string(pruned.model).graph.initializer}
    assert numpy_helper.to_array(held["rest"]).tolist() == [4, 64]


def test_sizes_that_inputs_share_by_name_are_given_once():
    net = Net()
    a, b = net.input("a", "batch", 3), net.input("b", "batch", 3)
    net.output(net.dense(net.op("Add", a, b), "fc", 3, 5), 2)
    read = model(net, a=(4, 3))
    assert read.graph.shapes[read.content.tensors["b"].node] == (open_size("batch"), 3)
    assert read.graph.shapes[read.content.tensors["b"].node][0].example == 4


def test_a_value_known_only_at_run_time_is_a_barrier_with_its_reason():
    net = Net()
    x = patterns.start(net)
    shape = net.input("shape", 4, kind=TensorProto.INT64)
    y = net.op("Reshape", net.conv(x, "c2", 8, 6), shape)
    net.output(y, 4)
    analysis = analyse(model(net), RULES)
    text = render_all(analysis.warnings)
    assert "warning[P406]: what inputs of Reshape hold is known only when the model runs" in text
    reasons = {cause.text for cause in analysis.solution.causes}
    assert "what its input shape holds is known only when the model runs" in reasons
    assert len(analysis.solution.groups) == 1


def test_quantised_models_say_why_they_are_kept():
    net = Net()
    x = patterns.start(net)
    scale, zero = net.numbers("scale", 0.1, dtype="f"), net.numbers("zero", 0, dtype="u1")
    q = net.op("DequantizeLinear", net.op("QuantizeLinear", x, scale, zero), scale, zero)
    net.head(net.conv(q, "c2", 8, 6), 6)
    result = prune(net.proto(), strict=True)
    assert ("c1_w", 0) not in result.cut and ("c2_w", 0) in result.cut
    reasons = {cause.text for cause in result.analysis.solution.causes}
    assert "the model is quantised; prune the model it was made from and quantise that" in reasons


def test_text_of_a_graph_shows_what_changed_and_nothing_else():
    pattern = patterns.shape_shared_by_unlike_reshapes()
    result = prune(pattern.proto, strict=True)
    before = graph_text(pattern.proto.SerializeToString()).splitlines()
    after = graph_text(result.pruned.model).splitlines()
    assert (
        "constant flat: int64 (3) = [2, 8, -1]" in before and "constant flat: int64 (3) = [2, 8, -1]" in after
    )
    assert "constant flat_pruned: int64 (3) = [2, 4, -1]" in after
    assert "constant c1_w: float32 (8, 3, 3, 3)" in before and "constant c1_w: float32 (4, 3, 3, 3)" in after
    assert "Reshape_1 = Reshape(BatchNormalization_0, flat_pruned)" in after
    assert before[0] == after[0] == "model network (ai.onnx 17)"
    same = [line for line in before if line in after]
    assert len(same) > len(before) - 12


def test_tensors_are_found_by_the_names_of_their_values():
    read = model(patterns.chain().proto)
    assert read.content.tensors["Conv_0"].output == 0
    assert isinstance(read.content.tensors["x"], Tensor)
    assert read.prefix == "model" and len(read.digest) == 64
