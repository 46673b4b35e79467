"""Small ONNX networks, one for each way in which channels depend on each other.

Each builder gives a :class:`Pattern`: the network, axes of parameters that a random plan at ratio 0.5 must
shorten, and axes that must keep their length.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Callable, Mapping

import numpy as np

from frontends.onnx.network import Net

Pair = tuple[str, int]


@dataclass(frozen=True)
class Pattern:
    """A network and what a correct pruner does with it."""

    proto: Any
    removable: tuple[Pair, ...]
    kept: tuple[Pair, ...] = ()
    inputs: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    others: tuple[Mapping[str, tuple[int, ...]], ...] = ()
    untouched: tuple[str, ...] = ()
    """Constants whose elements must stay as they are."""


Builder = Callable[[], Pattern]


def collector() -> tuple[list[Builder], Callable[[Builder], Builder]]:
    """A list of builders, and the decorator that adds one to it."""
    builders: list[Builder] = []

    def collect(build: Builder) -> Builder:
        builders.append(build)
        return build

    return builders, collect


BUILDERS, pattern = collector()


def outputs(*names: str) -> tuple[Pair, ...]:
    """The produced channels of convolutions."""
    return tuple((f"{name}_{part}", 0) for name in names for part in "wb")


def inputs(*names: str) -> tuple[Pair, ...]:
    """The consumed channels of convolutions."""
    return tuple((f"{name}_w", 1) for name in names)


def image(net: Net) -> str:
    return net.input("x", 2, 3, 8, 8)


def start(net: Net, o: int = 8) -> str:
    """A convolution ``c1``, a batch normalisation and a rectifier."""
    return str(net.op("Relu", net.norm(net.conv(image(net), "c1", 3, o), "n1", o)))


START: tuple[Pair, ...] = (*outputs("c1"), *((f"n1_{p}", 0) for p in ("scale", "shift", "mean", "var")))


@pattern
def chain() -> Pattern:
    net = Net()
    x = net.op("Relu", net.conv(start(net), "c2", 8, 6))
    net.head(x, 6)
    return Pattern(net.proto(), (*START, *outputs("c2"), *inputs("c2", "fc")), (("c1_w", 1), ("fc_w", 0)))


@pattern
def residual() -> Pattern:
    net = Net()
    x = start(net)
    y = net.conv(net.op("Relu", net.conv(x, "c2", 8, 6)), "c3", 6, 8)
    net.head(net.op("Relu", net.op("Add", x, y)), 8)
    return Pattern(net.proto(), (*START, *outputs("c2", "c3"), *inputs("c2", "c3", "fc")))


@pattern
def grouped() -> Pattern:
    net = Net()
    x = net.conv(start(net, 12), "c2", 12, 8, group=4)
    net.head(net.conv(x, "c3", 8, 6), 6)
    return Pattern(net.proto(), (*START, *outputs("c2", "c3"), *inputs("c2", "c3", "fc")))


@pattern
def depthwise() -> Pattern:
    net = Net()
    x = net.op(
        "Clip",
        net.conv(start(net), "c2", 8, 16, group=8),
        net.numbers("low", 0, dtype="f"),
        net.numbers("high", 6, dtype="f"),
    )
    net.head(net.conv(x, "c3", 16, 6, 1), 6)
    return Pattern(net.proto(), (*START, *outputs("c2", "c3"), *inputs("c3", "fc")), (("c2_w", 1),))


@pattern
def shuffle() -> Pattern:
    """Channel shuffle between grouped convolutions, by constants, one of them a node."""
    net = Net()
    x = net.conv(start(net, 12), "c2", 12, 12, group=2)
    x = net.op("Reshape", x, net.numbers("split", [2, 2, 6, 8, 8]))
    x = net.op("Transpose", x, perm=[0, 2, 1, 3, 4])
    x = net.op("Reshape", x, net.numbers("join", [0, -1, 8, 8], node=True))
    net.head(net.conv(x, "c3", 12, 6, group=2), 6)
    return Pattern(net.proto(), (*START, *outputs("c2", "c3"), ("fc_w", 1)))


@pattern
def sums_that_broadcast() -> Pattern:
    """What is added to a product: a number, one for each channel, for each sample, one for each sample and
    channel; a product whose rows are channels."""
    net = Net()
    x = net.op("Flatten", net.op("GlobalAveragePool", start(net)))
    x = net.op("Gemm", x, net.weight("d1_w", 8, 12), net.weight("number"))
    x = net.op("Gemm", x, net.weight("d2_w", 10, 12), net.weight("d2_c", 10), transB=1)
    x = net.op("Gemm", net.op("Relu", x), net.weight("d3_w", 10, 8), net.weight("d3_c", 2, 1))
    x = net.op("Gemm", x, net.weight("d4_w", 8, 6), net.weight("d4_c", 2, 6))
    x = net.op("Gemm", net.weight("d5_w", 6, 9), x, net.weight("d5_c", 9, 1), transA=1, transB=1)
    x = net.op("Gemm", x, net.weight("fc_w", 5, 9), net.weight("fc_c", 1, 5), transA=1, transB=1)
    net.output(x, 2)
    columns = (("d1_w", 1), ("d2_w", 0), ("d2_c", 0), ("d3_w", 1), ("d4_w", 1), ("d4_c", 1))
    rows = (("d2_w", 1), ("d3_w", 0), ("d4_w", 0), ("d5_w", 0), ("d5_w", 1), ("d5_c", 0), ("fc_w", 1))
    return Pattern(net.proto(), (*START, *columns, *rows), (("d3_c", 0), ("d4_c", 0), ("fc_w", 0)))


@pattern
def squeeze_excite() -> Pattern:
    net = Net()
    x = start(net)
    s = net.op("ReduceMean", x, axes=[2, 3], keepdims=1)
    s = net.op("Relu", net.conv(s, "down", 8, 4, 1))
    s = net.op("Sigmoid", net.conv(s, "up", 4, 8, 1))
    net.head(net.op("Mul", x, s), 8)
    return Pattern(net.proto(), (*START, *outputs("down", "up"), *inputs("down", "up", "fc")))


@pattern
def split_equal() -> Pattern:
    net = Net(opset=11)
    a, b = net.op("Split", net.conv(start(net), "c2", 8, 8), outputs=2, axis=1)
    net.head(net.conv(net.op("Add", a, b), "c3", 4, 6), 6)
    return Pattern(net.proto(), (*START, *outputs("c2", "c3"), *inputs("c2", "c3", "fc")))


@pattern
def split_by_attribute() -> Pattern:
    net = Net(opset=11)
    a, b = net.op("Split", start(net), outputs=2, axis=1, split=[6, 2])
    a, b = net.conv(a, "c2", 6, 5), net.conv(b, "c3", 2, 5)
    net.head(net.op("Concat", b, a, axis=-3), 10)
    return Pattern(net.proto(), (*START, *outputs("c2", "c3"), *inputs("c2", "c3", "fc")))


@pattern
def split_by_input() -> Pattern:
    net = Net(opset=13)
    parts = net.op("Split", start(net, 12), net.numbers("sizes", [4, 6, 2]), outputs=3, axis=1)
    xs = [net.conv(part, f"p{k}", size, 4) for k, (part, size) in enumerate(zip(parts, (4, 6, 2)))]
    net.head(net.op("Sum", *xs), 4)
    return Pattern(net.proto(), (*START, *outputs("p0", "p1", "p2"), *inputs("p0", "p1", "p2", "fc")))


@pattern
def slice_channels() -> Pattern:
    """Slices by inputs, from the end and beyond it; what lies between is free to go."""
    net = Net()
    x = start(net, 12)
    a = net.op("Slice", x, net.numbers("s0", [0]), net.numbers("e0", [5]), net.numbers("axis", [1]))
    b = net.op("Slice", x, net.numbers("s1", [-4]), net.numbers("e1", [2**62]), "axis")
    net.head(net.op("Concat", net.conv(a, "c2", 5, 4), net.conv(b, "c3", 4, 4), axis=1), 8)
    return Pattern(
        net.proto(), (*START, *outputs("c2", "c3"), *inputs("c2", "c3", "fc")), (), {}, (), ("e1",)
    )


@pattern
def slice_by_attributes() -> Pattern:
    net = Net(opset=9)
    x = start(net, 12)
    a = net.op("Slice", x, starts=[2, 1], ends=[10, 7], axes=[1, 2])
    net.head(net.conv(a, "c2", 8, 4), 4)
    return Pattern(net.proto(), (*START, *outputs("c2"), *inputs("c2", "fc")))


@pattern
def focus() -> Pattern:
    """Every other pixel, four times, concatenated: slices in steps on other axes than the channels."""
    net = Net()
    x = start(net)
    two = net.numbers("two", [2, 2])
    axes, end = net.numbers("axes", [2, 3]), net.numbers("end", [2**31 - 1, 2**31 - 1])
    parts = [
        net.op("Slice", x, net.numbers(f"from{i}{j}", [i, j]), end, axes, two) for i in (0, 1) for j in (0, 1)
    ]
    net.head(net.conv(net.op("Concat", *parts, axis=1), "c2", 32, 6), 6)
    return Pattern(net.proto(), (*START, *outputs("c2"), *inputs("c2", "fc")))


@pattern
def slice_in_steps_beside_channels() -> Pattern:
    """One slice takes every other row, from the end, and a block of channels, which are free to go; another
    takes every other channel, and a block of rows."""
    net = Net()
    s = start(net)
    x, y = net.conv(s, "c2", 8, 12), net.conv(s, "c3", 8, 8)
    axes, begin = net.numbers("axes", [2, -3]), net.numbers("begin", [-1, 2])
    a = net.op("Slice", x, begin, net.numbers("end", [-9, -2]), axes, net.numbers("back", [-2, 1]))
    b = net.op(
        "Slice", y, net.numbers("from", [4, 0]), net.numbers("to", [8, 8]), axes, net.numbers("by", [1, 2])
    )
    net.head(net.op("Add", net.conv(a, "c4", 8, 6), net.conv(b, "c5", 4, 6)), 6)
    removable = (*START, *outputs("c2", "c4", "c5"), *inputs("c2", "c3", "c4"))
    return Pattern(net.proto(), removable, (("c3_w", 0), ("c5_w", 1)))


@pattern
def pad_positions() -> Pattern:
    net = Net(opset=11)
    x = net.op("Pad", start(net), net.numbers("pads", [0, 0, 1, 2, 0, 0, 1, 0]), mode="reflect")
    net.head(net.conv(x, "c2", 8, 6), 6)
    return Pattern(net.proto(), (*START, *outputs("c2"), *inputs("c2", "fc")), (), {}, (), ("pads",))


@pattern
def pad_channels() -> Pattern:
    """A shortcut that gets its missing channels from padding."""
    net = Net()
    x = start(net, 8)
    y = net.conv(x, "c2", 8, 12)
    p = net.op("Pad", x, net.numbers("pads", [0, 2, 0, 0, 0, 2, 0, 0]), net.numbers("zero", 0, dtype="f"))
    net.head(net.op("Relu", net.op("Add", y, p)), 12)
    return Pattern(net.proto(), (*START, *outputs("c2"), *inputs("c2", "fc")))


@pattern
def pad_some_axes() -> Pattern:
    net = Net(opset=18)
    x = net.op("Pad", start(net), net.numbers("pads", [1, 0, 1, 2]), "", net.numbers("axes", [-1, 2]))
    net.head(net.conv(x, "c2", 8, 6), 6)
    return Pattern(net.proto(), (*START, *outputs("c2"), *inputs("c2", "fc")))


@pattern
def depth_to_space() -> Pattern:
    net = Net()
    x = net.op("DepthToSpace", net.conv(start(net), "c2", 8, 24), blocksize=2)
    x = net.op("DepthToSpace", net.conv(x, "c3", 6, 20), blocksize=2, mode="CRD")
    x = net.op("SpaceToDepth", net.conv(x, "c4", 5, 6), blocksize=4)
    net.head(net.conv(x, "c5", 96, 6, 1), 6)
    names = ("c2", "c3", "c4", "c5")
    return Pattern(net.proto(), (*START, *outputs(*names), *inputs(*names, "fc")))


@pattern
def deconvolution() -> Pattern:
    net = Net()
    x = start(net)
    x = net.op(
        "ConvTranspose",
        x,
        net.weight("u1_w", 8, 6, 2, 2),
        net.weight("u1_b", 6),
        strides=[2, 2],
        kernel_shape=[2, 2],
    )
    x = net.op(
        "ConvTranspose",
        x,
        net.weight("u2_w", 6, 3, 3, 3),
        net.weight("u2_b", 6),
        group=2,
        pads=[1, 1, 1, 1],
        output_padding=[1, 1],
        strides=[2, 2],
    )
    net.head(net.conv(x, "c3", 6, 6), 6)
    return Pattern(net.proto(), (*START, ("u1_w", 1), ("u1_b", 0), ("u2_b", 0), *outputs("c3"), ("fc_w", 1)))


@pattern
def shared_weights() -> Pattern:
    """One convolution on two maps, and a constant shape that two reshapes share but for one size."""
    net = Net()
    x = start(net)
    y = net.conv(x, "c2", 8, 8)
    z = net.op(
        "Conv", net.op("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2]), "c2_w", "c2_b", pads=[1, 1, 1, 1]
    )
    shape = net.numbers("flat", [2, 8, -1])
    a, b = net.op("Reshape", y, shape), net.op("Reshape", z, shape)
    x = net.op("Concat", a, b, axis=2)
    x = net.op("ReduceMean", x, axes=[2], keepdims=0)
    net.output(net.op("Gemm", x, net.weight("fc_w", 5, 8), transB=1), 2)
    return Pattern(net.proto(), (*START, *outputs("c2"), *inputs("c2", "fc")))


@pattern
def shape_shared_by_unlike_reshapes() -> Pattern:
    """Two reshapes take one constant, and only one of them loses channels."""
    net = Net()
    x = image(net)
    shape = net.numbers("flat", [2, 8, -1])
    kept = net.op("Reshape", net.conv(x, "out", 3, 8), shape)
    net.output(kept, 3)
    y = net.op("Reshape", net.norm(net.conv(x, "c1", 3, 8), "n1", 8), shape)
    net.output(net.op("ReduceSum", net.op("Relu", y), net.numbers("axis", [1]), keepdims=0), 2)
    return Pattern(net.proto(), START, outputs("out"), {}, (), ("flat",))


@pattern
def channels_last() -> Pattern:
    """Transposed to channels last for a dense layer and a normalisation, and back."""
    net = Net()
    x = net.op("Transpose", start(net), perm=[0, 2, 3, 1])
    x = net.op("Relu", net.dense(x, "d1", 8, 12))
    x = net.op("Transpose", net.dense(x, "d2", 12, 6), perm=[0, 3, 1, 2])
    net.head(x, 6)
    return Pattern(
        net.proto(), (*START, ("d1_w", 0), ("d1_w", 1), ("d1_b", 0), ("d2_w", 0), ("d2_w", 1), ("fc_w", 1))
    )


@pattern
def flatten_after_transpose() -> Pattern:
    net = Net()
    x = net.op("Transpose", start(net), perm=[0, 2, 3, 1])
    x = net.op("Flatten", x)
    net.output(net.op("Gemm", x, net.weight("fc_w", 512, 5), net.weight("fc_b", 5)), 2)
    return Pattern(net.proto(), (*START, ("fc_w", 0)))


@pattern
def flatten_map() -> Pattern:
    net = Net()
    x = net.op("Flatten", net.op("AveragePool", start(net), kernel_shape=[4, 4], strides=[4, 4]), axis=-3)
    x = net.op("Relu", net.op("Gemm", x, net.weight("d1_w", 9, 32), net.weight("d1_b", 9), transB=1))
    net.output(net.op("Gemm", x, net.weight("fc_w", 5, 9), transB=1), 2)
    return Pattern(net.proto(), (*START, ("d1_w", 0), ("d1_w", 1), ("d1_b", 0), ("fc_w", 1)))


@pattern
def gemm_with_one_summand() -> Pattern:
    """The third matrix is a single number, which goes to every channel."""
    net = Net()
    x = net.op("Flatten", net.op("GlobalAveragePool", start(net)))
    x = net.op("Relu", net.op("Gemm", x, net.weight("d1_w", 9, 8), net.weight("d1_b", 1), transB=1))
    net.output(net.op("Gemm", x, net.weight("fc_w", 5, 9), transB=1), 2)
    removable = (*START, ("d1_w", 0), ("d1_w", 1), ("fc_w", 1))
    return Pattern(net.proto(), removable, (("d1_b", 0), ("fc_w", 0)))


@pattern
def concat_of_everything() -> Pattern:
    net = Net()
    x = start(net)
    a = net.conv(x, "c2", 8, 6)
    b = net.op("MaxPool", x, kernel_shape=[3, 3], pads=[1, 1, 1, 1], strides=[1, 1])
    c = net.op("Relu", net.op("Concat", a, x, axis=1))
    y = net.op("Concat", a, b, c, net.conv(c, "c3", 14, 4), axis=1)
    net.head(net.conv(y, "c4", 32, 6), 6)
    names = ("c2", "c3", "c4")
    return Pattern(net.proto(), (*START, *outputs(*names), *inputs(*names, "fc")))


@pattern
def pools() -> Pattern:
    net = Net()
    x = start(net)
    x = net.op("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1)
    x = net.op(
        "AveragePool", net.conv(x, "c2", 8, 6), kernel_shape=[2, 2], auto_pad="SAME_UPPER", strides=[2, 2]
    )
    x = net.op("LpPool", net.conv(x, "c3", 6, 6), kernel_shape=[2, 1], p=2)
    x = net.op("GlobalMaxPool", x)
    net.output(net.op("Conv", x, net.weight("fc_w", 5, 6, 1, 1)), 4)
    return Pattern(net.proto(), (*START, *outputs("c2", "c3"), *inputs("c2", "c3", "fc")))


@pattern
def resize() -> Pattern:
    net = Net(opset=13)
    x = start(net)
    up = net.op("Resize", x, "", net.numbers("scales", [1, 1, 2, 1.5], dtype="f"), mode="nearest")
    y = net.conv(up, "c2", 8, 6)
    y = net.op("Resize", y, "", "", net.numbers("sizes", [2, 6, 5, 5]), mode="linear")
    net.head(net.conv(y, "c3", 6, 4), 4)
    return Pattern(net.proto(), (*START, *outputs("c2", "c3"), *inputs("c2", "c3", "fc")))


@pattern
def upsample() -> Pattern:
    net = Net(opset=9)
    x = net.op("Upsample", start(net), net.numbers("scales", [1, 1, 2, 2], dtype="f"), mode="nearest")
    net.head(net.conv(x, "c2", 8, 6), 6)
    return Pattern(net.proto(), (*START, *outputs("c2"), *inputs("c2", "fc")))


@pattern
def tile_and_expand() -> Pattern:
    net = Net()
    x = start(net)
    t = net.op("Tile", x, net.numbers("repeats", [1, 2, 1, 1]))
    m = net.op("GlobalAveragePool", net.conv(t, "c2", 16, 6))
    e = net.op("Expand", m, net.numbers("shape", [2, 6, 8, 8]))
    net.head(net.conv(e, "c3", 6, 4), 4)
    return Pattern(net.proto(), (*START, *outputs("c2", "c3"), *inputs("c2", "c3", "fc")))


@pattern
def prelu_and_norms() -> Pattern:
    net = Net(opset=18)
    x = net.op("PRelu", start(net), net.weight("slope", 8, 1, 1))
    x = net.op("InstanceNormalization", x, net.weight("i_s", 8), net.weight("i_b", 8))
    x = net.op("PRelu", net.conv(x, "c2", 8, 6), net.weight("one", 1, 1, 1))
    net.head(net.op("LeakyRelu", x), 6)
    return Pattern(
        net.proto(), (*START, ("slope", 0), ("i_s", 0), ("i_b", 0), *outputs("c2"), *inputs("c2", "fc"))
    )


@pattern
def squeeze_unsqueeze_reduce() -> Pattern:
    """Axes given as inputs (and counted from the end), reductions that keep their axes or not."""
    net = Net(opset=18)
    x = net.op("ReduceSum", start(net), net.numbers("last", [-1, 2]), keepdims=1)
    x = net.op("Squeeze", x, net.numbers("both", [2, -1]))
    x = net.op("Unsqueeze", net.dense(x, "d1", 8, 10), net.numbers("new", [-1, 1]))
    x = net.op("ReduceMax", x, net.numbers("one", [1]), keepdims=0)
    x = net.op("Squeeze", x)
    net.output(net.dense(x, "fc", 10, 5), 2)
    return Pattern(net.proto(), (*START, ("d1_w", 0), ("d1_w", 1), ("d1_b", 0), ("fc_w", 0)))


@pattern
def shape_computed() -> Pattern:
    """The usual chain of an exporter: the batch from the tensor itself, the channels as a constant."""
    net = Net()
    x = net.input("x", "batch", 3, 8, 8)
    x = net.op("Relu", net.norm(net.conv(x, "c1", 3, 8), "n1", 8))
    batch = net.op("Gather", net.op("Shape", x), net.numbers("zero", 0, node=True), axis=0)
    batch = net.op("Unsqueeze", batch, net.numbers("front", [0]))
    shape = net.op("Concat", batch, net.numbers("eight", [8], node=True), net.numbers("rest", [64]), axis=0)
    x = net.op("ReduceMean", net.op("Reshape", x, shape), axes=[2], keepdims=0)
    net.output(net.dense(x, "fc", 8, 5), 2)
    return Pattern(
        net.proto(), (*START, ("fc_w", 0)), (), {"x": (2, 3, 8, 8)}, ({"x": (3, 3, 8, 8)},), ("zero", "rest")
    )


@pattern
def shape_adapts() -> Pattern:
    """A shape taken whole from another tensor: nothing in the chain has to change."""
    net = Net()
    x = net.input("x", "batch", 3, 8, 8)
    x = net.op("Relu", net.norm(net.conv(x, "c1", 3, 8), "n1", 8))
    shape = net.op("Shape", x)
    flat = net.op("Reshape", x, net.numbers("flat", [0, 0, -1]))
    x = net.op("Add", net.op("Reshape", flat, shape), x)
    channels = net.op("Gather", shape, net.numbers("one", [1]), axis=0)
    pooled = net.op(
        "Reshape",
        net.op("GlobalAveragePool", x),
        net.op("Concat", net.numbers("minus", [-1]), channels, axis=0),
    )
    net.output(net.dense(pooled, "fc", 8, 5), 2)
    return Pattern(
        net.proto(),
        (*START, ("fc_w", 0)),
        (),
        {"x": (2, 3, 8, 8)},
        ({"x": (1, 3, 8, 8)},),
        ("flat", "one", "minus"),
    )


@pattern
def size_used_as_number() -> Pattern:
    """The model divides by a number that follows from the number of channels: the smaller one by the same."""
    net = Net()
    x = start(net)
    c = net.op("Cast", net.op("Gather", net.op("Shape", x), net.numbers("one", 1)), to=1)
    x = net.op("Div", x, net.op("Sqrt", c))
    net.head(net.conv(x, "c2", 8, 6), 6)
    return Pattern(net.proto(), (*START, *outputs("c2"), ("fc_w", 1)))


@pattern
def size_used_as_several_numbers() -> Pattern:
    """The model computes with a list of sizes: these channels stay, others go."""
    net = Net()
    x = start(net)
    sizes = net.op("Cast", net.op("Shape", x), to=1)
    mean = net.op("ReduceMean", net.op("Sigmoid", x), keepdims=0)
    x = net.op("Div", x, net.op("ReduceMax", net.op("Mul", mean, sizes), keepdims=0))
    net.head(net.conv(x, "c2", 8, 6), 6)
    return Pattern(net.proto(), (*outputs("c2"), ("fc_w", 1)), START)


@pattern
def embedding() -> Pattern:
    net = Net()
    x = net.op("Gather", net.weight("table", 7, 12), net.input("x", 2, 5, kind=7))
    x = net.op("ReduceMean", net.op("Tanh", net.dense(x, "d1", 12, 10)), axes=[1], keepdims=0)
    net.output(net.dense(x, "fc", 10, 5), 2)
    return Pattern(net.proto(), (("table", 1), ("d1_w", 0), ("d1_w", 1), ("fc_w", 0)), (("table", 0),))


def _recurrent(kind: str, gates: int, **attributes: Any) -> Pattern:
    net = Net()
    x = net.dense(net.input("x", 4, 2, 3), "d1", 3, 6)
    d, h = attributes.pop("directions", 1), 8
    parts = [net.weight("W", d, gates * h, 6), net.weight("R", d, gates * h, h)]
    parts.append(net.weight("B", d, 2 * gates * h))
    found = 3 if kind == "LSTM" else 2
    y = net.op(kind, x, *parts, outputs=found, hidden_size=h, **attributes)[0]
    y = net.op("Transpose", y, perm=[0, 2, 1, 3])
    y = net.op("Reshape", y, net.numbers("flat", [0, 0, d * h]))
    net.output(net.dense(y, "fc", d * h, 5), 3)
    removable = (("d1_w", 1), ("W", 2), ("W", 1), ("R", 1), ("R", 2), ("B", 1), ("fc_w", 0))
    return Pattern(net.proto(), removable, (("W", 0),))


@pattern
def lstm() -> Pattern:
    return _recurrent("LSTM", 4, directions=2, direction="bidirectional")


@pattern
def gru() -> Pattern:
    return _recurrent("GRU", 3, linear_before_reset=1)


@pattern
def simple_recurrent() -> Pattern:
    return _recurrent("RNN", 1)


@pattern
def weights_in_nodes() -> Pattern:
    """Parameters that are constant nodes, one of them transposed before it is used."""
    net = Net()
    x = start(net)
    x = net.op("Flatten", net.op("GlobalAveragePool", x))
    weight = net.random.standard_normal((10, 8)).astype(np.float32)
    w = net.op("Transpose", net.numbers("d1_w", weight, node=True, dtype="f"), perm=[1, 0])
    x = net.op("Add", net.op("MatMul", x, w), net.numbers("d1_b", weight[:, 0], node=True, dtype="f"))
    net.output(net.dense(net.op("Relu", x), "fc", 10, 5), 2)
    return Pattern(net.proto(), (*START, ("d1_w", 0), ("d1_w", 1), ("d1_b", 0), ("fc_w", 0)))


@pattern
def decomposed_batch_norm() -> Pattern:
    """A batch normalisation as exporters write it out: a division by a parameter's root."""
    net = Net()
    x = net.conv(image(net), "c1", 3, 8)
    mean, scale, shift = (net.weight(name, 8, 1, 1) for name in ("mean", "scale", "shift"))
    root = net.op(
        "Sqrt",
        net.op("Add", net.weight("var", 8, 1, 1, positive=True), net.numbers("epsilon", 1e-5, dtype="f")),
    )
    x = net.op("Div", net.op("Sub", x, mean), root)
    x = net.op("Add", net.op("Mul", x, scale), shift)
    x = net.op("Div", x, net.weight("divisor", 8, 1, 1, positive=True))
    net.head(net.conv(net.op("Relu", x), "c2", 8, 6), 6)
    names = ("mean", "scale", "shift", "var", "divisor")
    return Pattern(net.proto(), (*outputs("c1", "c2"), *((n, 0) for n in names), *inputs("c2", "fc")))


@pattern
def where_and_comparisons() -> Pattern:
    net = Net()
    x = start(net)
    mask = net.op("Greater", x, net.weight("level", 8, 1, 1, positive=True))
    x = net.op("Where", mask, x, net.op("Mul", x, net.weight("small", 1, 8, 1, 1)))
    net.head(net.conv(net.op("Max", x, net.op("Neg", x)), "c2", 8, 6), 6)
    return Pattern(net.proto(), (*START, ("level", 0), ("small", 1), *outputs("c2"), *inputs("c2", "fc")))


@pattern
def stretched_to_the_shape_of_another() -> Pattern:
    """``expand_as``: a scale for each channel and one for all, stretched to the sizes of what they scale."""
    net = Net()
    x = start(net)
    sizes = net.op("Shape", x)
    x = net.op("Mul", x, net.op("Expand", net.weight("scale", 1, 8, 1, 1), sizes))
    x = net.op("Mul", x, net.op("Expand", net.weight("number", 1, 1, 1, 1), sizes))
    net.head(net.conv(x, "c2", 8, 6), 6)
    return Pattern(net.proto(), (*START, ("scale", 1), *outputs("c2"), *inputs("c2", "fc")))


@pattern
def divided_by_a_length_that_is_stretched() -> Pattern:
    """A norm over channels, which the exporter stretches by a constant before it divides."""
    net = Net(opset=18)
    x = net.op("Relu", net.dense(net.input("x", 2, 8), "d1", 8, 12))
    length = net.op("Expand", net.op("ReduceL2", x, net.numbers("axes", [1])), net.numbers("sizes", [2, 12]))
    d = net.op("Div", net.op("MatMul", x, net.weight("d2_w", 12, 12)), length)
    net.output(net.op("MatMul", d, net.weight("fc_w", 12, 5)), 2)
    return Pattern(net.proto(), (("d2_w", 1), ("fc_w", 0)))


@pattern
def copied_for_each_channel() -> Pattern:
    """A mean over channels, copied once for each of them; and channels copied side by side."""
    net = Net()
    x = start(net)
    mean = net.op("Sigmoid", net.conv(x, "c2", 8, 1, 1))
    x = net.op("Mul", x, net.op("Tile", mean, net.numbers("channels", [1, 8, 1, 1])))
    x = net.op("Tile", x, net.numbers("twice", [1, 2, 1, 1]))
    net.head(net.conv(x, "c3", 16, 6), 6)
    return Pattern(net.proto(), (*START, *inputs("c2", "c3", "fc"), *outputs("c3")), (("c2_w", 0),))
