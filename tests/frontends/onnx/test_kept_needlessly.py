"""What exporters write around channels keeps none of them; each as PyTorch's exporters do, sizes open."""

from __future__ import annotations

from typing import Any, Mapping, Sequence

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="needs onnx")
pytest.importorskip("onnxruntime", reason="needs ONNX Runtime")

from onnx import TensorProto  # noqa: E402

from frontends.onnx.network import Net, prune  # noqa: E402
from frontends.onnx.patterns import Pair  # noqa: E402

#: A network, the shapes of its inputs in an example, and what must become shorter.
Case = tuple[Net, Mapping[str, tuple[int, ...]], Sequence[Pair]]


def batch_of(net: Net, x: str, axis: int = 0) -> str:
    """The open size of an axis, as the graph computes it."""
    start, end = net.numbers(f"{x}_at", [axis]), net.numbers(f"{x}_end", [axis + 1])
    return str(net.op("Slice", net.op("Shape", x), start, end))


def class_token() -> Case:
    """One more position, the same for every sample."""
    net = Net()
    x = net.dense(net.input("x", "n", 6, 5), "d1", 5, 8)
    shape = net.op("Concat", batch_of(net, x), net.numbers("one", [1]), net.numbers("width", [8]), axis=0)
    x = net.op("Concat", net.op("Expand", net.weight("token", 1, 1, 8), shape), x, axis=1)
    x = net.op("Relu", net.op("Add", x, net.weight("places", 1, 7, 8)))
    net.output(net.dense(x, "fc", 8, 5), 3)
    return net, {"x": (2, 6, 5)}, [("token", 2), ("places", 2), ("d1_w", 1), ("fc_w", 0)]


def length_stretched() -> Case:
    """``normalize``: a length, not too small, expanded to the shape of what it divides."""
    net = Net(opset=18)
    x = net.dense(net.input("x", "n", 6), "d1", 6, 8)
    length = net.op("ReduceL2", x, net.numbers("axes", [1]), keepdims=1)
    length = net.op("Clip", length, net.numbers("least", 1e-6, dtype="f"))
    x = net.op("Div", x, net.op("Expand", length, net.op("Shape", x)))
    net.output(net.dense(x, "fc", 8, 5), 2)
    return net, {"x": (2, 6)}, [("d1_w", 1), ("fc_w", 0)]


def expand_as() -> Case:
    """A gate for each channel, expanded to the shape of the picture."""
    net = Net()
    x = net.conv(net.input("x", "n", 3, 6, 6), "c1", 3, 8)
    gate = net.op("Sigmoid", net.conv(net.op("GlobalAveragePool", x), "gate", 8, 8, 1))
    net.head(net.op("Mul", x, net.op("Expand", gate, net.op("Shape", x))), 8)
    return net, {"x": (2, 3, 6, 6)}, [("c1_w", 0), ("gate_w", 0), ("fc_w", 1)]


def rows_added_by_number() -> Case:
    """``index_add``: as many rows as there are numbers, of either of which nothing is known."""
    net = Net(opset=16)
    x, y = (net.dense(net.input(name, name * 2, 6), f"d_{name}", 6, 8) for name in "xy")
    x = net.op("ScatterND", x, net.input("numbers", "yy", 1, kind=TensorProto.INT64), y, reduction="add")
    net.output(net.dense(net.op("Relu", x), "fc", 8, 5), 2)
    return net, {"x": (3, 6), "y": (2, 6), "numbers": (2, 1)}, [("d_x_w", 1), ("d_y_w", 1), ("fc_w", 0)]


def rows_taken_by_pairs() -> Case:
    """``x[i, j]`` of samples and positions."""
    net = Net()
    x = net.dense(net.input("x", "n", 4, 6), "d1", 6, 8)
    x = net.op("GatherND", x, net.input("pairs", "m", 2, kind=TensorProto.INT64))
    net.output(net.dense(net.op("Relu", x), "fc", 8, 5), 2)
    return net, {"x": (3, 4, 6), "pairs": (2, 2)}, [("d1_w", 1), ("fc_w", 0)]


def as_many_heads_as_wide() -> Case:
    """Four heads of four channels: two sizes that look alike."""
    net = Net()
    x, parts = net.input("x", "n", 6, 10), []
    for part in "qkv":
        own = net.op("Reshape", net.dense(x, part, 10, 16), net.numbers(f"{part}_heads", [0, 0, 4, 4]))
        parts.append(net.op("Transpose", own, perm=[0, 2, 3, 1] if part == "k" else [0, 2, 1, 3]))
    scores = net.op("Softmax", net.op("MatMul", parts[0], parts[1]), axis=-1)
    x = net.op("Transpose", net.op("MatMul", scores, parts[2]), perm=[0, 2, 1, 3])
    net.output(net.dense(net.op("Reshape", x, net.numbers("flat", [0, 0, 16])), "fc", 16, 5), 3)
    return net, {"x": (2, 6, 10)}, [("q_w", 1), ("k_w", 1), ("v_w", 1), ("fc_w", 0)]


def weight_norm() -> Case:
    """A weight of a direction and a length, computed in the graph."""
    net = Net(opset=18)
    x, axes = net.input("x", "n", 3, 6, 6), net.numbers("axes", [1, 2, 3])
    for name, i, o in (("a", 3, 8), ("b", 8, 6)):
        v = net.weight(f"{name}_v", o, i, 3, 3)
        scale = net.op("Div", net.weight(f"{name}_g", o, 1, 1, 1), net.op("ReduceL2", v, axes, keepdims=1))
        weights = (net.op("Mul", v, scale), net.weight(f"{name}_b", o))
        x = net.op("Relu", net.op("Conv", x, *weights, pads=[1] * 4, kernel_shape=[3, 3]))
    net.head(x, 6)
    return net, {"x": (2, 3, 6, 6)}, [("a_b", 0), ("b_b", 0), ("fc_w", 1)]


def demodulated() -> Case:
    """A weight scaled by a style for each sample and divided by its length, all samples in the groups of one
    convolution."""
    net = Net(opset=18)
    x = net.conv(net.input("x", 2, 3, 6, 6), "c1", 3, 8)
    style = net.op("Reshape", net.dense(net.input("s", 2, 5), "s1", 5, 8), net.numbers("by", [2, 1, 8, 1, 1]))
    weight = net.op("Mul", net.weight("w", 1, 6, 8, 3, 3), style)
    squares = net.op("ReduceSumSquare", weight, net.numbers("axes", [2, 3, 4]), keepdims=1)
    length = net.op("Sqrt", net.op("Add", squares, net.numbers("least", 1e-8, dtype="f")))
    weight = net.op("Reshape", net.op("Div", weight, length), net.numbers("rows", [12, 8, 3, 3]))
    x = net.op("Reshape", x, net.numbers("together", [1, 16, 6, 6]))
    x = net.op("Conv", x, weight, pads=[1] * 4, kernel_shape=[3, 3], group=2)
    net.head(net.op("Relu", net.op("Reshape", x, net.numbers("apart", [2, 6, 6, 6]))), 6)
    return net, {}, [("w", 1), ("w", 2), ("s1_w", 1), ("c1_w", 0), ("fc_w", 1)]


def zeros_for_each_sample() -> Case:
    """The first state of an LSTM: a zero, expanded by the open batch."""
    net = Net()
    x = net.input("x", 5, "n", 6)
    shape = net.op("Concat", net.numbers("one", [1]), batch_of(net, x, 1), net.numbers("width", [8]), axis=0)
    zeros = net.op("Expand", net.numbers("zero", 0, dtype="f"), shape)
    weights = (net.weight("l_w", 1, 32, 6), net.weight("l_r", 1, 32, 8), net.weight("l_b", 1, 64))
    y = net.op("LSTM", x, *weights, "", zeros, zeros, outputs=3, hidden_size=8)[0]
    net.output(net.dense(net.op("Squeeze", y, net.numbers("direction", [1])), "fc", 8, 5), 3)
    return net, {"x": (5, 2, 6)}, [("l_w", 1), ("l_r", 1), ("l_r", 2), ("fc_w", 0)]


def scaled_by_the_width() -> Case:
    """Scores scaled by a width that the graph reads off a tensor: the smaller model holds the scale."""
    net, axis = Net(), 2
    x = net.dense(net.input("x", "n", 6, 10), "d1", 10, 16)
    width = net.op("Gather", net.op("Shape", x), net.numbers("axis", axis))
    width = net.op("Cast", net.op("Div", width, net.numbers("heads", 4)), to=TensorProto.FLOAT)
    scale = net.op("Pow", width, net.numbers("power", -0.5, dtype="f"))
    parts = []
    for part in "qkv":
        own = net.op("Reshape", net.dense(x, part, 16, 16), net.numbers(f"{part}_heads", [0, 0, 4, 4]))
        own = net.op("Mul", own, scale) if part == "q" else own
        parts.append(net.op("Transpose", own, perm=[0, 2, 3, 1] if part == "k" else [0, 2, 1, 3]))
    scores = net.op("Softmax", net.op("MatMul", parts[0], parts[1]), axis=-1)
    y = net.op("Transpose", net.op("MatMul", scores, parts[2]), perm=[0, 2, 1, 3])
    y = net.dense(net.op("Reshape", y, net.numbers("flat", [0, 0, 16])), "o", 16, 16)
    net.output(net.dense(net.op("Add", x, y), "fc", 16, 5), 3)
    return net, {"x": (2, 6, 10)}, [("d1_w", 1), ("q_w", 0), ("q_w", 1), ("k_w", 1), ("v_w", 1), ("fc_w", 0)]


def gated_by_neighbours() -> Case:
    """Efficient channel attention: a gate for each channel, from its mean and those of its neighbours."""
    net = Net()
    x = net.conv(net.input("x", "n", 3, 6, 6), "c1", 3, 8)
    row = net.op("Reshape", net.op("GlobalAveragePool", x), net.numbers("row", [0, 1, -1]))
    row = net.op("Conv", row, net.weight("gate", 1, 1, 3), pads=[1, 1], kernel_shape=[3])
    gate = net.op("Reshape", net.op("Sigmoid", row), net.numbers("apart", [0, -1, 1, 1]))
    net.head(net.op("Mul", x, gate), 8)
    return net, {"x": (2, 3, 6, 6)}, [("c1_w", 0), ("fc_w", 1)]


def resized_to_a_list_of_sizes() -> Case:
    """Samples and channels of the list are those of what is resized, read off it; the samples are open."""
    net = Net(opset=18)
    x = net.conv(net.input("x", "n", 3, 6, 6), "c1", 3, 8)
    sizes = net.op("Concat", net.op("Shape", x, end=2), net.numbers("size", [12, 9]), axis=0)
    net.head(net.op("Resize", x, "", "", sizes, mode="linear"), 8)
    return net, {"x": (2, 3, 6, 6)}, [("c1_w", 0), ("fc_w", 1)]


def one_input_of_unknown_size() -> Case:
    """What depends on a size that is missing stays; the rest goes."""
    net = Net()
    x = net.conv(net.input("x", "n", 3, "h", "w"), "c1", 3, 8)
    net.output(net.op("Reshape", x, net.numbers("flat", [0, -1])), 2)
    y = net.op("Relu", net.conv(net.input("y", "n", 3, "v", "u"), "c2", 3, 8))
    net.head(net.conv(y, "c3", 8, 6), 6)
    return net, {"x": (2, 3, 4, 4), "y": (2, 3, 5, 4)}, [("c2_w", 0), ("c3_w", 0), ("fc_w", 1)]


@pytest.mark.parametrize(
    "build",
    [
        class_token,
        length_stretched,
        expand_as,
        rows_added_by_number,
        rows_taken_by_pairs,
        as_many_heads_as_wide,
        weight_norm,
        demodulated,
        zeros_for_each_sample,
        scaled_by_the_width,
        gated_by_neighbours,
        resized_to_a_list_of_sizes,
        one_input_of_unknown_size,
    ],
)
def test_it_keeps_no_channel(build: Any) -> None:
    net, shapes, removable = build()
    result = prune(net.proto(), drawn=shapes)
    assert set(removable) <= set(result.cut) and result.proved, str(result.verdict)
    # Sizes of another example change nothing of what goes.
    if shapes:
        larger = {
            name: tuple(2 * n if i == 0 else n for i, n in enumerate(own)) for name, own in shapes.items()
        }
        told = prune(net.proto(), larger if build is not zeros_for_each_sample else shapes)
        assert told.cut == result.cut and told.proved


def shared_scale() -> Case:
    """Two normalisations take a scale that a node holds; the channels of one are an output of the model."""
    net = Net()
    ones = onnx.numpy_helper.from_array(np.ones(8, dtype=np.float32))
    x, scale = net.input("x", 2, 3, 6, 6), net.op("Constant", value=ones)
    for name, i in (("a", 3), ("b", 8)):
        x = net.conv(x, name, i, 8)
        rest = (net.weight(f"{name}_shift", 8), net.weight(f"{name}_mean", 8))
        variance = net.weight(f"{name}_variance", 8, positive=True)
        x = net.op("BatchNormalization", x, scale, *rest, variance)
    net.output(x, 4)
    return net, {}, [("a_w", 0), ("b_w", 1)]


def standardised() -> Case:
    """A weight whose mean is subtracted and that is divided by its deviation."""
    net = Net(opset=18)
    x, axes = net.input("x", 2, 3, 6, 6), net.numbers("axes", [1, 2, 3])
    for name, i, o in (("a", 3, 8), ("b", 8, 6)):
        weight = net.weight(f"{name}_w", o, i, 3, 3)
        weight = net.op("Sub", weight, net.op("ReduceMean", weight, axes))
        weight = net.op("Div", weight, net.op("ReduceL2", weight, axes))
        x = net.op("Relu", net.op("Conv", x, weight, net.weight(f"{name}_b", o), pads=[1] * 4))
    net.head(x, 6)
    return net, {}, [("a_b", 0), ("b_b", 0), ("fc_w", 1)]


@pytest.mark.parametrize("build", [shared_scale, standardised])
def test_new_constants_of_old_files_are_inputs_too(build: Any) -> None:
    """Before the fourth version of the format a graph declares its constants as inputs."""
    net, shapes, removable = build()
    proto = net.proto()
    proto.ir_version = 3
    for tensor in proto.graph.initializer:
        proto.graph.input.append(
            onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims)
        )
    result = prune(proto, shapes)
    assert set(removable) <= set(result.cut) and result.proved, str(result.verdict)
    after = onnx.load_from_string(result.pruned.model).graph
    assert {tensor.name for tensor in after.initializer} <= {value.name for value in after.input}
    assert {tensor.name for tensor in after.initializer} - {t.name for t in proto.graph.initializer}
