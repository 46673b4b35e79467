"""What is particular to ONNX: captured values, tests of sizes, random numbers, weights without a length."""

from __future__ import annotations

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="needs onnx")
pytest.importorskip("onnxruntime", reason="needs ONNX Runtime")

from frontends.onnx.network import Net, Result, prune, surviving  # noqa: E402
from frontends.onnx.patterns import image, start  # noqa: E402
from onnx import TensorProto, helper  # noqa: E402

from prunec.rewriting.slicing import slice_array  # noqa: E402
from prunec.verifying.verdict import Evidence  # noqa: E402


def net_with_if() -> Net:
    """What is pruned reaches both branches of an If from outside of them."""
    net = Net()
    x = net.conv(start(net), "c2", 8, 6)
    some = net.op(
        "Greater", net.op("ReduceSum", image_of(net), keepdims=0), net.numbers("zero", 0.0, dtype=np.float32)
    )
    branches = {}
    for name, kind in (("then_branch", "Neg"), ("else_branch", "Identity")):
        node = helper.make_node(kind, [x], [f"{name}_out"])
        out = helper.make_tensor_value_info(f"{name}_out", TensorProto.FLOAT, None)
        branches[name] = helper.make_graph([node], name, [], [out])
    net.head(net.op("If", some, **branches), 6)
    return net


def image_of(net: Net) -> str:
    return str(net.inputs[0].name)


def number(net: Net, name: str, value: float) -> str:
    return net.numbers(name, value, dtype=np.float32)


def test_what_an_if_captures_is_compared_and_what_is_behind_it():
    result = prune(net_with_if().proto(), strict=True)
    assert result.proved, result.verdict
    assert len(result.pruned.slices) >= 5 and surviving(result) == []


def test_a_test_of_sizes_is_no_break():
    net = Net()
    x = start(net)
    sizes = net.op("Shape", x)
    same = net.op("Equal", sizes, sizes)
    ones = net.op("Where", same, net.numbers("ones", [1, 1, 1, 1]), sizes)
    scale = net.op("Cast", net.op("ReduceSum", ones, keepdims=0), to=TensorProto.FLOAT)
    net.head(net.conv(net.op("Add", x, scale), "c2", 8, 6), 6)
    result = prune(net.proto(), strict=True)
    assert result.proved and result.verdict.restarts == ()
    assert surviving(result) == []


def test_random_numbers_are_taken_over():
    net = Net()
    x = net.conv(start(net), "c2", 8, 6)
    net.head(net.op("Add", x, net.op("RandomNormalLike", x)), 6)
    result = prune(net.proto(), strict=True)
    assert result.proved, result.verdict
    assert result.pruned.slices and surviving(result) == []


def test_a_weight_divided_by_its_own_length():
    net = Net()
    direction = net.weight("v", 8, 3, 3, 3)
    length = net.op(
        "Sqrt", net.op("ReduceSum", net.op("Mul", direction, direction), net.numbers("axes", [1, 2, 3]))
    )
    weight = net.op("Mul", net.op("Div", direction, length), net.weight("g", 8, 1, 1, 1, positive=True))
    x = net.op("Relu", net.op("Conv", image(net), weight, net.weight("b", 8), pads=[1] * 4))
    net.head(net.conv(x, "c2", 8, 6), 6)
    result = prune(net.proto(), strict=True)
    assert result.proved, result.verdict
    assert ("v", 0) in result.cut and surviving(result) == []


def test_tiny_scores_are_compared_against_what_rounding_makes_of_them():
    net = Net()
    x = net.conv(net.conv(start(net), "c2", 8, 8), "c3", 8, 4)
    low = net.op(
        "Sub",
        net.op("Mul", x, net.numbers("slope", 0.5, dtype=np.float32)),
        net.numbers("shift", 17.5, dtype=np.float32),
    )
    net.output(net.op("Sigmoid", low), 4)
    result = prune(net.proto(), strict=True)
    assert result.proved, result.verdict
    (output,) = result.verdict.outputs
    assert output.tolerance >= 1e-4
    assert surviving(result) == []


def test_weights_that_are_all_alike_are_masked_where_they_are_made():
    net = Net()
    made = net.op(
        "ConstantOfShape", net.numbers("shape", [6, 8, 3, 3]), value=helper.make_tensor("", 1, [1], [0.1])
    )
    x = net.op("Relu", net.op("Conv", start(net), made, net.weight("b", 6), pads=[1] * 4))
    net.head(x, 6)
    result = prune(net.proto(), strict=True)
    assert result.proved, result.verdict
    assert {own.evidence for own in result.verdict.witnesses} <= {Evidence.WITNESSED}
    assert surviving(result) == []


def test_a_branch_that_is_not_taken_may_not_fit_the_sizes_at_hand():
    net = Net()
    image = net.input("x", 1, 3, "height", "width")
    x = net.conv(net.op("Relu", net.conv(image, "c1", 3, 8)), "c2", 8, 6)
    out = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    narrow = [
        helper.make_node("Squeeze", [x, "axis"], ["line"]),
        helper.make_node("Unsqueeze", ["line", "axis"], ["y"]),
    ]
    net.numbers("axis", [3])
    some = net.op("Greater", net.op("ReduceSum", image, keepdims=0), number(net, "most", 1e9))
    x = net.op(
        "If",
        some,
        then_branch=helper.make_graph(narrow, "narrow", [], [out]),
        else_branch=helper.make_graph([helper.make_node("Neg", [x], ["y"])], "wide", [], [out]),
    )
    net.head(net.conv(x, "c3", 6, 6), 6)
    result = prune(net.proto(), {"x": (1, 3, 8, 8)}, strict=True)
    assert result.proved, result.verdict
    assert len(result.pruned.slices) >= 3 and surviving(result) == []


def test_filters_that_training_left_without_weight():
    net = Net()
    x = net.op("Relu", net.conv(image(net), "c1", 3, 16))
    (weight,) = (own for own in net.initializers if own.name == "c1_w")
    values = onnx.numpy_helper.to_array(weight).copy()
    values[[*range(5), *range(11, 16)]] *= 1e-12
    weight.CopyFrom(onnx.numpy_helper.from_array(values, "c1_w"))
    net.head(net.conv(x, "c2", 16, 6), 6)
    result = prune(net.proto(), strict=True)
    (piece,) = (own for own in result.pruned.slices if own.name == "c1_w")
    size = np.abs(slice_array(piece, values)).max(axis=(1, 2, 3))
    assert max(size[0], size[-1]) < 1e-10 and size.max() > 0.1
    assert result.proved, result.verdict
    (found,) = (own for own in result.verdict.witnesses if own.parameter == "c1_w")
    assert (found.evidence, found.reason) == (Evidence.WITNESSED, "Conv_0, with larger values in its place")


def evidence_of(result: Result, name: str) -> Evidence:
    (found,) = [own.evidence for own in result.verdict.witnesses if own.parameter == name]
    return found


def test_a_parameter_whose_size_alone_is_taken_is_not_met_there():
    """Positions as rotations: a slice takes as many channels as the table has."""
    net = Net()
    x = net.op("Transpose", start(net), perm=[0, 2, 3, 1])
    table = net.weight("table", 8, 8, 4)
    sizes = net.op("Shape", table)
    last = net.op("Slice", sizes, net.numbers("at", [-1]), net.numbers("to", [9]), net.numbers("whole", [0]))
    part = net.op("Slice", x, net.numbers("from", [0]), last, net.numbers("axis", [3]))
    net.head(net.op("Transpose", net.op("Mul", part, table), perm=[0, 3, 1, 2]), 4)
    result = prune(net.proto(), strict=True)
    assert result.proved, result.verdict
    assert evidence_of(result, "table") is Evidence.WITNESSED
    assert surviving(result) == []


def chosen(net: Net, x: str, condition: str, name: str) -> str:
    return str(net.op("Where", condition, x, net.weight(name, 1, 8, 1, 1)))


def test_what_one_operator_ignores_another_may_read():
    net = Net()
    x = start(net)
    always = net.numbers("always", [[[[True]]]], dtype=bool)
    x = chosen(net, x, always, "w")
    net.head(net.conv(net.op("Add", x, "w"), "c2", 8, 6), 6)
    result = prune(net.proto(), strict=True)
    assert result.proved, result.verdict
    assert ("w", 1) in result.cut and evidence_of(result, "w") is Evidence.WITNESSED
    assert surviving(result) == []


def test_what_an_operator_never_reads_is_ignored():
    net = Net()
    always = net.numbers("always", [[[[True]]]], dtype=bool)
    net.head(net.conv(chosen(net, start(net), always, "w"), "c2", 8, 6), 6)
    result = prune(net.proto(), strict=True)
    assert result.proved, result.verdict
    assert ("w", 1) in result.cut and evidence_of(result, "w") is Evidence.IGNORED


def test_a_slope_behind_values_without_a_sign_is_witnessed():
    net = Net()
    x = net.op("PRelu", net.op("Sigmoid", start(net)), net.weight("w", 8, 1, 1))
    net.head(net.conv(x, "c2", 8, 6), 6)
    result = prune(net.proto(), strict=True)
    assert result.proved, result.verdict
    assert ("w", 0) in result.cut and evidence_of(result, "w") is Evidence.WITNESSED
    assert surviving(result) == []


def test_what_is_not_read_for_the_values_at_hand_is_not_ignored():
    """A condition that happens to be true; where it is not, the parameter counts."""
    net = Net()
    x = start(net)
    condition = net.op("Greater", net.op("ReduceSum", image_of(net)), number(net, "low", -1e6))
    net.head(net.conv(chosen(net, x, condition, "w"), "c2", 8, 6), 6)
    result = prune(net.proto(), strict=True)
    assert result.proved, result.verdict
    (found,) = [own for own in result.verdict.witnesses if own.parameter == "w"]
    assert found.evidence is Evidence.WITNESSED and found.reason.endswith("for the opposite of what enters")
