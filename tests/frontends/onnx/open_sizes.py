"""Small ONNX networks with open sizes, as PyTorch's exporters write them: the shape of every inner value is
stated, open sizes by name or by an expression of names.

``removable`` of a pattern are the axes that must become shorter although no size is given; ``others`` are the
sizes it runs at.
"""

from __future__ import annotations

from typing import Any, Mapping

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper

from frontends.onnx.network import Net
from frontends.onnx.patterns import START, Pair, Pattern, collector, inputs, outputs

BUILDERS, pattern = collector()

W, HEADS = 12, 3


def image(net: Net, o: int = 8, h: Any = 8, w: Any = 8) -> str:
    """A picture in an open batch, a convolution ``c1``, a batch normalisation and a rectifier."""
    x = net.input("x", "n", 3, h, w)
    return str(net.op("Relu", net.norm(net.conv(x, "c1", 3, o), "n1", o)))


def finished(net: Net, removable: tuple[Pair, ...], kept: tuple[Pair, ...] = ()) -> Pattern:
    """The pattern, every shape stated that two runs show."""
    proto = net.proto()
    own = [dict(zip("nhws", sizes)) for sizes in ((2, 8, 8, 5), (3, 12, 10, 7), (1, 16, 8, 1))]
    others = tuple(net.shapes(**sizes) for sizes in own)
    state(proto, own[:2], others[:2])
    onnx.checker.check_model(proto, full_check=True)
    return Pattern(proto, removable, kept, {}, others)


def feeds(proto: Any, shapes: Mapping[str, tuple[int, ...]], seed: int = 0) -> dict[str, Any]:
    """Random inputs of these shapes."""
    random = np.random.default_rng(seed)
    kinds = {value.name: value.type.tensor_type.elem_type for value in proto.graph.input}
    return {
        name: random.integers(0, 9, shape)
        if kinds[name] == TensorProto.INT64
        else random.standard_normal(shape).astype(np.float32)
        for name, shape in shapes.items()
    }


def state(proto: Any, sizes: list[dict[str, int]], shapes: tuple[Mapping[str, tuple[int, ...]], ...]) -> None:
    """States the shape of every inner value: what two runs give alike is a number, the rest an expression."""
    names = [name for node in proto.graph.node for name in node.output if name]
    made = {value.name for value in proto.graph.output}
    watched = onnx.ModelProto()
    watched.CopyFrom(proto)
    watched.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names if name not in made)
    session = onnxruntime.InferenceSession(
        watched.SerializeToString(), quiet(), providers=["CPUExecutionProvider"]
    )
    first, second = (session.run(names, feeds(proto, own)) for own in shapes)
    for name, a, b in zip(names, first, second):
        if name not in made:
            dims = [p if p == q else expression(p, q, sizes) for p, q in zip(a.shape, b.shape)]
            kind = helper.np_dtype_to_tensor_dtype(a.dtype)
            proto.graph.value_info.append(helper.make_tensor_value_info(name, kind, dims))


def expression(p: int, q: int, sizes: list[dict[str, int]]) -> str:
    """What exporters call a size that is ``p`` in one run and ``q`` in another."""
    pairs = {name: (one, sizes[1][name]) for name, one in sizes[0].items()}
    same = [name for name, pair in pairs.items() if pair == (p, q)]
    products = [f"{p // a}*{name}" for name, (a, b) in pairs.items() if p % a == 0 and p // a * b == q]
    return next(iter((*same, *products)), f"u{p}_{q}")


def quiet() -> Any:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    return options


def size(net: Net, x: str, axis: int) -> str:
    """One size of a tensor as a list of one, as TorchScript computes it."""
    number = net.op("Gather", net.op("Shape", x), net.numbers(f"axis{len(net.nodes)}", axis, node=True))
    return str(net.op("Unsqueeze", number, net.numbers(f"zero{len(net.nodes)}", [0], node=True)))


def constant(net: Net, *values: int) -> str:
    return net.numbers(f"list{len(net.nodes)}", list(values), node=True)


def constant_number(net: Net, value: int) -> str:
    return net.numbers(f"number{len(net.nodes)}", value, node=True)


@pattern
def convolutions() -> Pattern:
    net = Net()
    x = net.op("Relu", net.conv(image(net, h="h", w="w"), "c2", 8, 6))
    net.head(x, 6)
    return finished(net, (*START, *outputs("c2"), *inputs("c2", "fc")))


@pattern
def residual_dense_block() -> Pattern:
    net = Net()
    x = image(net, h="h", w="w")
    y = net.op("Add", x, net.conv(net.op("Relu", net.conv(x, "c2", 8, 6)), "c3", 6, 8))
    y = net.op("Concat", x, y, net.conv(y, "c4", 8, 4), axis=1)
    net.head(net.conv(y, "c5", 20, 6), 6)
    return finished(net, (*START, *outputs("c2", "c3", "c4", "c5"), *inputs("c2", "c3", "c5", "fc")))


@pattern
def flatten_operator() -> Pattern:
    net = Net()
    x = net.op("Flatten", net.op("MaxPool", image(net), kernel_shape=[4, 4], strides=[4, 4]))
    x = net.op("Relu", net.op("Gemm", x, net.weight("d1_w", 10, 32), net.weight("d1_b", 10), transB=1))
    net.output(net.op("Gemm", x, net.weight("fc_w", 5, 10), transB=1), 2)
    return finished(net, (*START, ("d1_w", 0), ("d1_w", 1), ("d1_b", 0), ("fc_w", 1)))


def _flattened(net: Net, shape: Any) -> Pattern:
    """A view of channels and places as one axis, after which two dense layers follow."""
    x = net.op("MaxPool", net.conv(image(net), "c2", 8, 6), kernel_shape=[4, 4], strides=[4, 4])
    x = net.op("Reshape", x, shape(x))
    x = net.op("Relu", net.op("Gemm", x, net.weight("d1_w", 10, 24), net.weight("d1_b", 10), transB=1))
    net.output(net.op("Gemm", x, net.weight("fc_w", 5, 10), transB=1), 2)
    return finished(net, (*START, *inputs("c2"), ("d1_w", 0), ("fc_w", 1)))


@pattern
def flatten_batch_first() -> Pattern:
    net = Net()
    return _flattened(net, lambda x: constant(net, 0, -1))


@pattern
def flatten_batch_inferred() -> Pattern:
    net = Net()
    return _flattened(net, lambda x: constant(net, -1, 24))


@pattern
def flatten_batch_computed() -> Pattern:
    net = Net()
    return _flattened(net, lambda x: net.op("Concat", size(net, x, 0), constant(net, -1), axis=0))


@pattern
def flatten_batch_as_a_symbol() -> Pattern:
    """The batch size as the dynamo exporter takes it: a list of one of the sizes, and of that a number."""
    net = Net(opset=18)

    def shape(x: str) -> str:
        number = net.op("Squeeze", net.op("Shape", x, start=0, end=1))
        batch = net.op("Reshape", number, constant(net, -1), allowzero=0)
        return str(net.op("Concat", batch, constant(net, 24), axis=0))

    return _flattened(net, shape)


@pattern
def squeeze_excite_of_convolutions() -> Pattern:
    net = Net(opset=18)
    x = image(net, h="h", w="w")
    s = net.op("ReduceMean", x, constant(net, 2, 3), keepdims=1)
    s = net.op("Sigmoid", net.conv(net.op("Relu", net.conv(s, "down", 8, 4, 1)), "up", 4, 8, 1))
    net.head(net.op("Mul", x, s), 8)
    return finished(net, (*START, *outputs("down", "up"), *inputs("down", "up", "fc")))


@pattern
def squeeze_excite_of_dense_layers() -> Pattern:
    """``y = pool(x).view(b, c)`` and back, with sizes that the graph computes."""
    net = Net()
    x = image(net, h="h", w="w")
    b, c = size(net, x, 0), size(net, x, 1)
    s = net.op("Reshape", net.op("GlobalAveragePool", x), net.op("Concat", b, c, axis=0))
    s = net.op("Relu", net.op("Gemm", s, net.weight("down_w", 4, 8), net.weight("down_b", 4), transB=1))
    s = net.op("Sigmoid", net.op("Gemm", s, net.weight("up_w", 8, 4), net.weight("up_b", 8), transB=1))
    s = net.op("Reshape", s, net.op("Concat", b, c, constant(net, 1), constant(net, 1), axis=0))
    x = net.conv(net.op("Mul", x, s), "c2", 8, 6)
    net.head(x, 6)
    return finished(net, (*outputs("c2"), ("down_w", 0), ("up_w", 1), ("fc_w", 1)))


@pattern
def split_with_sizes() -> Pattern:
    net = Net(opset=18)
    parts = net.op("Split", image(net, 12), constant(net, 4, 8), outputs=2, axis=1)
    xs = [net.conv(part, f"p{k}", i, 4) for k, (part, i) in enumerate(zip(parts, (4, 8)))]
    net.head(net.op("Add", *xs), 4)
    return finished(net, (*START, *outputs("p0", "p1"), *inputs("p0", "p1", "fc")))


@pattern
def chunks_by_slices() -> Pattern:
    net = Net()
    x = image(net, 12, "h", "w")
    axis = constant(net, 1)
    a = net.op("Slice", x, constant(net, 0), constant(net, 6), axis)
    b = net.op("Slice", x, constant(net, 6), constant(net, 2**62), axis)
    y = net.op("Mul", a, net.op("Sigmoid", b))
    net.head(net.conv(y, "c2", 6, 4), 4)
    return finished(net, (*START, *outputs("c2"), *inputs("c2", "fc")))


@pattern
def channel_shuffle() -> Pattern:
    net = Net()
    x = net.conv(image(net, 12), "c2", 12, 12, group=2)
    x = net.op("Reshape", x, constant(net, -1, 2, 6, 8, 8))
    x = net.op("Transpose", x, perm=[0, 2, 1, 3, 4])
    x = net.op("Reshape", x, constant(net, -1, 12, 8, 8))
    net.head(net.conv(x, "c3", 12, 6), 6)
    return finished(net, (*outputs("c3"), ("fc_w", 1)))


@pattern
def depthwise_and_resized() -> Pattern:
    net = Net()
    x = net.conv(image(net, 8, "h", "w"), "c2", 8, 8, group=8)
    x = net.op("Resize", x, "", net.numbers("scales", [1, 1, 2, 2], dtype="f"), mode="nearest")
    x = net.op("ConvTranspose", x, net.weight("c3_w", 8, 6, 2, 2), net.weight("c3_b", 6), strides=[2, 2])
    net.head(net.conv(x, "c4", 6, 6), 6)
    return finished(net, (*START, *outputs("c2", "c4"), ("c3_w", 1), ("c3_b", 0), *inputs("c4", "fc")))


def _attention(net: Net, shape: Any, joined: Any) -> str:
    """Attention over an open length: heads of a third of the width each."""
    x = net.input("x", "n", "s", W)
    heads = {}
    for part in "qkv":
        y = net.dense(x, part, W, W)
        y = net.op("Reshape", y, shape(x))
        heads[part] = net.op("Transpose", y, perm=[0, 2, 3, 1] if part == "k" else [0, 2, 1, 3])
    scores = net.op("MatMul", heads["q"], heads["k"])
    y = net.op("MatMul", net.op("Softmax", scores, axis=-1), heads["v"])
    y = net.op("Reshape", net.op("Transpose", y, perm=[0, 2, 1, 3]), joined(x))
    return net.dense(net.op("Relu", net.dense(net.dense(y, "o", W, W), "d1", W, 16)), "fc", 16, 5)


_BEHIND_ATTENTION = (("o_w", 1), ("o_b", 0), ("d1_w", 0), ("d1_w", 1), ("d1_b", 0), ("fc_w", 0))


@pattern
def attention_of_constant_shapes() -> Pattern:
    net = Net()
    net.output(
        _attention(net, lambda x: constant(net, 0, 0, HEADS, -1), lambda x: constant(net, 0, 0, -1)), 3
    )
    return finished(net, _BEHIND_ATTENTION)


@pattern
def attention_of_computed_shapes() -> Pattern:
    net = Net()

    def split(x: str) -> str:
        heads = constant(net, HEADS), constant(net, W // HEADS)
        return str(net.op("Concat", size(net, x, 0), size(net, x, 1), *heads, axis=0))

    def joined(x: str) -> str:
        return str(net.op("Concat", size(net, x, 0), size(net, x, 1), constant(net, W), axis=0))

    net.output(_attention(net, split, joined), 3)
    return finished(net, _BEHIND_ATTENTION)


@pattern
def attention_scaled_by_a_size() -> Pattern:
    """Scores are divided by the root of the width of the keys, taken from a list of which other sizes are
    open: the smaller model divides by the root that it was."""
    net = Net()
    x = net.input("x", "n", "s", W)
    q, k, v = (net.dense(x, part, W, 8) for part in "qkv")
    root = net.op("Sqrt", net.op("Cast", size(net, k, 2), to=TensorProto.FLOAT))
    scores = net.op("Div", net.op("MatMul", q, net.op("Transpose", k, perm=[0, 2, 1])), root)
    y = net.op("MatMul", net.op("Softmax", scores, axis=-1), v)
    net.output(net.dense(y, "fc", 8, 5), 3)
    return finished(net, (("q_w", 1), ("k_w", 1), ("k_b", 0), ("v_w", 1), ("v_b", 0), ("fc_w", 0)))


@pattern
def heads_beside_samples() -> Pattern:
    """PyTorch's attention over positions first: heads times samples are one axis, whose size is a product of
    the open batch and the number of heads.  The width of a head is a number that counts, and stays: heads go
    as a whole."""
    net = Net()
    x, parts = net.input("x", 5, "n", W), {}
    for part in "qkv":
        y = net.dense(x, part, W, W)
        count = net.op("Gather", net.op("Shape", x), net.numbers(f"{part}_at", 1, node=True))
        count = net.op("Mul", count, net.numbers(f"{part}_heads", HEADS, node=True))
        count = net.op("Unsqueeze", count, net.numbers(f"{part}_zero", [0], node=True))
        shape = net.op("Concat", constant(net, 5), count, constant(net, W // HEADS), axis=0)
        parts[part] = net.op(
            "Transpose", net.op("Reshape", y, shape), perm=[1, 2, 0] if part == "k" else [1, 0, 2]
        )
    widths = [net.op("Cast", size(net, parts[part], 2), to=TensorProto.FLOAT) for part in "qv"]
    scores = net.op("Div", net.op("MatMul", parts["q"], parts["k"]), net.op("Sqrt", widths[0]))
    y = net.op("Div", net.op("MatMul", net.op("Softmax", scores, axis=-1), parts["v"]), widths[1])
    joined = net.op("Concat", constant(net, 5), size(net, x, 1), constant(net, W), axis=0)
    y = net.op("Reshape", net.op("Transpose", y, perm=[1, 0, 2]), joined)
    net.output(net.dense(y, "fc", W, 5), 3)
    return finished(net, tuple((f"{part}_w", 1) for part in "qkv") + (("fc_w", 0),))


@pattern
def positions_read_off_heads() -> Pattern:
    """The same with the width of a head computed from that of what comes in, and with positions read off a
    tensor that has heads and samples on one axis."""
    net = Net()
    x, parts = net.op("Tanh", net.dense(net.input("x", 5, "n", W), "stem", W, W)), {}
    samples = net.op("Gather", net.op("Shape", x), net.numbers("samples_at", 1, node=True))
    width = net.op("Gather", net.op("Shape", x), net.numbers("width_at", 2, node=True))
    width = net.op("Div", width, net.numbers("heads", HEADS, node=True))
    width = net.op("Unsqueeze", width, net.numbers("width_zero", [0], node=True))
    count = net.op("Mul", samples, net.numbers("all_heads", HEADS, node=True))
    count = net.op("Unsqueeze", count, net.numbers("count_zero", [0], node=True))
    alone = net.op("Unsqueeze", samples, net.numbers("samples_zero", [0], node=True))
    for part in "qkv":
        shape = net.op("Concat", constant(net, 5), count, width, axis=0)
        y = net.op("Reshape", net.dense(x, part, W, W), shape)
        y = net.op("Transpose", y, perm=[1, 0, 2])
        shape = net.op("Concat", alone, constant(net, HEADS), size(net, y, 1), width, axis=0)
        parts[part] = net.op("Reshape", y, shape)
    scores = net.op("MatMul", parts["q"], net.op("Transpose", parts["k"], perm=[0, 1, 3, 2]))
    scores = net.op("Softmax", net.op("Div", scores, net.numbers("root", 2.0, dtype=np.float32)), axis=-1)
    y = net.op("MatMul", scores, parts["v"])
    y = net.op("Transpose", y, perm=[2, 0, 1, 3])
    joined = net.op("Concat", constant(net, 5), alone, constant(net, W), axis=0)
    net.output(net.dense(net.op("Reshape", y, joined), "fc", W, 5), 3)
    return finished(net, (("stem_w", 1), *((f"{part}_w", 1) for part in "qkv"), ("fc_w", 0)))


@pattern
def windows_by_a_division() -> Pattern:
    """Channels in one window of seven: how many there are is a size divided by seven, and the seven is
    written down once more beside it."""
    net = Net()
    x = net.op("Relu", net.dense(net.input("x", "n", W), "c1", W, 7))
    samples, width = (net.op("Gather", net.op("Shape", x), constant_number(net, axis)) for axis in (0, 1))
    windows = net.op("Div", width, constant_number(net, 7))
    both = net.op("Mul", samples, windows)
    samples, windows, both = (net.op("Unsqueeze", own, constant(net, 0)) for own in (samples, windows, both))
    y = net.op("Reshape", x, net.op("Concat", samples, windows, constant(net, 7), axis=0))
    y = net.op("Reshape", net.op("Tanh", y), net.op("Concat", both, constant(net, 7), axis=0))
    y = net.op("Reshape", net.op("Neg", y), net.op("Concat", samples, constant(net, 7), axis=0))
    net.output(net.dense(y, "fc", 7, 5), 2)
    return finished(net, (("c1_w", 1), ("c1_b", 0), ("fc_w", 0)))


@pattern
def mean_by_the_number_of_elements() -> Pattern:
    net = Net()
    x = net.conv(net.op("Relu", net.conv(image(net, 8, "h", "w"), "c2", 8, 6)), "c3", 6, 8)
    total = net.op("ReduceSum", x, constant(net, 1, 2, 3), keepdims=0)
    net.output(net.op("Div", total, net.op("Cast", net.op("Size", x), to=TensorProto.FLOAT)), 1)
    return finished(net, (*START, *outputs("c2"), *inputs("c2", "c3")), outputs("c3"))


@pattern
def words() -> Pattern:
    """A table of words, a normalisation that gives its statistics too, and a dense block."""
    net = Net()
    ids = net.input("ids", "n", "s", kind=TensorProto.INT64)
    x = net.op("Gather", net.weight("words", 9, 8), ids)
    x = net.dense(net.op("Relu", net.dense(x, "d0", 8, 10)), "d1", 10, 8)
    parts = net.op("LayerNormalization", x, net.weight("scale", 8), net.weight("shift", 8), outputs=3)
    x = net.dense(net.op("Relu", net.dense(parts[0], "d2", 8, 16)), "fc", 16, 5)
    net.output(net.op("Add", x, parts[1]), 3)
    return finished(net, (("words", 1), ("d0_w", 0), ("d0_w", 1), ("d1_w", 0), ("d2_w", 1), ("fc_w", 0)))


@pattern
def positions_as_far_as_words_go() -> Pattern:
    """The same length by two ways: of the words, and of the positions that are read of a table."""
    net = Net()
    ids = net.input("ids", "n", "s", kind=TensorProto.INT64)
    read = net.op(
        "Slice", net.weight("places", 1, 20, W), constant(net, 0), size(net, ids, 1), constant(net, 1)
    )
    x = net.op("Add", read, net.op("Gather", net.weight("words", 9, W), ids))
    heads = constant(net, HEADS), constant(net, W // HEADS)
    y = net.dense(x, "q", W, W)
    y = net.op("Reshape", y, net.op("Concat", size(net, ids, 0), size(net, ids, 1), *heads, axis=0))
    whole = net.op("Concat", size(net, x, 0), size(net, x, 1), constant(net, W), axis=0)
    net.output(net.dense(net.op("Reshape", net.op("Relu", y), whole), "fc", W, 5), 3)
    return finished(net, (("words", 1), ("places", 2), ("q_w", 0), ("q_w", 1), ("q_b", 0), ("fc_w", 0)))


@pattern
def recurrent() -> Pattern:
    net = Net()
    x = net.dense(net.input("x", "s", "n", 6), "d1", 6, 10)
    y = net.op("GRU", x, net.weight("w", 1, 24, 10), net.weight("r", 1, 24, 8), outputs=2, hidden_size=8)
    y = net.op("Squeeze", y[0], constant(net, 1))
    net.output(net.dense(y, "fc", 8, 5), 3)
    return finished(net, (("d1_w", 1), ("d1_b", 0), ("w", 1), ("w", 2), ("r", 1), ("fc_w", 0)))


@pattern
def state_of_zeros() -> Pattern:
    """``zeros_like(x)`` as a first state: a constant whose width no edit reaches fixes that of ``x``."""
    net = Net()
    x = image(net, 8, "h", "w")
    zeros = net.op("ConstantOfShape", net.op("Shape", x))
    c = net.conv(net.op("Concat", x, zeros, axis=1), "c2", 16, 8)
    h = net.op("Add", net.op("Tanh", c), zeros)
    net.head(net.conv(h, "c3", 8, 6), 6)
    return finished(net, (*outputs("c3"), ("fc_w", 1)))


@pattern
def shape_of_another_tensor() -> Pattern:
    """A view takes its sizes from a tensor beside it."""
    net = Net()
    x = image(net, 8)
    y = net.conv(net.op("Relu", net.conv(x, "c2", 8, 6)), "c3", 6, 8)
    flat = net.op("Concat", size(net, y, 0), size(net, y, 1), constant(net, -1), axis=0)
    z = net.op("Reshape", net.conv(x, "c4", 8, 8), flat)
    net.output(z, 3)
    net.head(y, 8)
    return finished(net, (*START, *outputs("c2"), *inputs("c2", "c3", "c4")), outputs("c4"))


@pattern
def branch_that_captures() -> Pattern:
    """What is pruned stands before and behind a branch, whose bodies state shapes of their own."""
    net = Net()
    x = net.conv(net.op("Relu", net.conv(image(net, 8), "c2", 8, 6)), "c3", 6, 4)
    info = [helper.make_tensor_value_info("inside", TensorProto.FLOAT, ["n", 4, 8, 8])]
    last = [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 4, 8, 8])]
    bodies = [
        helper.make_graph(
            [helper.make_node(kind, [x], ["inside"]), helper.make_node("Relu", ["inside"], ["y"])],
            kind,
            [],
            last,
            value_info=info,
        )
        for kind in ("Neg", "Abs")
    ]
    test = net.op("Greater", net.op("ReduceMax", x, keepdims=0), net.numbers("zero", 0, dtype="f"))
    y = net.op("If", test, then_branch=bodies[0], else_branch=bodies[1])
    net.head(net.op("Relu", net.conv(y, "c4", 4, 6)), 6)
    return finished(net, (*START, *outputs("c2", "c4"), *inputs("c2", "c3", "fc")), outputs("c3"))
