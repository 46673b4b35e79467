"""Networks that choose channels by number."""

from __future__ import annotations

import numpy as np

from frontends.onnx.network import Net
from frontends.onnx.patterns import START, Pattern, collector, inputs, outputs, start

BUILDERS, pattern = collector()


@pattern
def shuffle_by_number() -> Pattern:
    """A channel shuffle as one list of numbers, between grouped convolutions."""
    net = Net()
    x = net.conv(start(net, 12), "c2", 12, 12, group=2)
    x = net.op("Gather", x, net.numbers("order", [0, 6, 1, 7, 2, 8, 3, 9, 4, 10, 5, 11]), axis=1)
    net.head(net.conv(x, "c3", 12, 6, group=2), 6)
    return Pattern(net.proto(), (*START, *outputs("c2", "c3"), ("fc_w", 1)))


@pattern
def parts_by_number() -> Pattern:
    """Even and odd channels go different ways; one of them stands in both lists, two in none."""
    net = Net()
    x = start(net, 12)
    even = net.op("Gather", x, net.numbers("even", [0, 2, 4, 6, 8, 1]), axis=1)
    odd = net.op("Gather", x, net.numbers("odd", [-11, -9, 5, 7], node=True), axis=-3)
    net.head(net.op("Concat", net.conv(even, "c2", 6, 4), net.conv(odd, "c3", 4, 4), axis=1), 8)
    return Pattern(net.proto(), (*START, *outputs("c2", "c3"), *inputs("fc")))


@pattern
def numbers_that_repeat() -> Pattern:
    """Each channel several times; the same numbers choose positions elsewhere, where they stay."""
    net = Net()
    x = start(net)
    numbers = net.numbers("numbers", [7, 7, 0, 1, 2, 3, 4, 5, 6, 0], dtype="i4")
    x = net.op("Gather", net.conv(net.op("Gather", x, numbers, axis=1), "c2", 10, 6), numbers, axis=2)
    net.head(net.conv(x, "c3", 6, 4), 4)
    return Pattern(net.proto(), (*START, *outputs("c2", "c3"), *inputs("c3", "fc")), untouched=("numbers",))


@pattern
def features_by_number() -> Pattern:
    """Flattened maps, reordered: the numbers count through channels and positions."""
    net = Net()
    x = net.op("MaxPool", start(net), kernel_shape=[4, 4], strides=[4, 4])
    order = [c * 4 + p for p in range(4) for c in range(8)]
    x = net.op("Gather", net.op("Flatten", x), net.numbers("order", order), axis=1)
    net.output(net.dense(net.op("Relu", net.dense(x, "d1", 32, 10)), "fc", 10, 5), 2)
    return Pattern(net.proto(), (*START, ("d1_w", 0), ("d1_w", 1), ("d1_b", 0), ("fc_w", 0)))


@pattern
def one_channel_by_number() -> Pattern:
    """One channel alone, and one whose axis stays: both are kept, those around them go."""
    net = Net()
    x = start(net, 12)
    one = net.op("Unsqueeze", net.op("Gather", x, net.numbers("one", -3), axis=1), net.numbers("axes", [1]))
    other = net.op("Gather", x, net.numbers("other", [4]), axis=1)
    x = net.op("Concat", net.conv(x, "c2", 12, 6), net.op("Mul", one, other), axis=1)
    net.head(net.conv(x, "c3", 7, 4), 4)
    return Pattern(net.proto(), (*START, *outputs("c2", "c3"), ("c3_w", 1), ("fc_w", 1)))


@pattern
def row_of_a_table() -> Pattern:
    """Blocks of channels on an axis of their own; two of three are used, one of them twice."""
    net = Net()
    x = net.op("Reshape", net.conv(start(net), "c2", 8, 15), net.numbers("blocks", [2, 3, 5, 8, 8]))
    a = net.op("Gather", x, net.numbers("last", 2), axis=1)
    b = net.op("Gather", x, net.numbers("first", 0), axis=1)
    pairs = net.op("Gather", x, net.numbers("pairs", [2, 0]), axis=1)
    pairs = net.op("Reshape", pairs, net.numbers("join", [2, 10, 8, 8]))
    net.head(net.op("Add", net.conv(pairs, "c3", 10, 4), net.conv(net.op("Sub", a, b), "c4", 5, 4)), 4)
    return Pattern(net.proto(), (*START, *outputs("c2", "c3", "c4"), *inputs("c3", "c4", "fc")))


@pattern
def table_with_one_long_axis() -> Pattern:
    """Pooled features as a flat list and back, the way one exporter writes a view with strides."""
    net = Net()
    x = net.op("ReduceMean", start(net, 12), axes=[2, 3], keepdims=1)
    x = net.op("Slice", x, net.numbers("first", [0]), net.numbers("second", [1]))
    x = net.op("Reshape", x, net.numbers("flat", [12]))
    x = net.op("Gather", x, net.numbers("strided", np.arange(12).reshape(1, 12, 1, 1)), axis=0)
    net.output(net.dense(net.op("Flatten", net.conv(x, "c2", 12, 6, 1)), "fc", 6, 5), 2)
    return Pattern(net.proto(), (*START, *outputs("c2"), *inputs("c2")))


@pattern
def table_over_samples_and_channels() -> Pattern:
    """The same for two samples: each row of the table counts through the channels of one of them."""
    net = Net()
    x = net.op("ReduceMean", start(net, 12), axes=[2, 3], keepdims=0)
    x = net.op("Reshape", x, net.numbers("flat", [24]))
    x = net.op("Gather", x, net.numbers("strided", np.arange(24).reshape(2, 12, 1, 1)), axis=0)
    net.output(net.dense(net.op("Flatten", net.conv(x, "c2", 12, 6, 1)), "fc", 6, 5), 2)
    return Pattern(net.proto(), (*START, *outputs("c2"), *inputs("c2")))


@pattern
def table_of_channels_and_positions() -> Pattern:
    """A row of the table for each channel, which goes whole."""
    net = Net()
    x = net.op("MaxPool", start(net), kernel_shape=[4, 4], strides=[4, 4])
    x = net.op("Reshape", x, net.numbers("flat", [2, 32]))
    x = net.op("Gather", x, net.numbers("strided", np.arange(32).reshape(8, 2, 2)), axis=1)
    net.head(net.conv(x, "c2", 8, 6), 6)
    return Pattern(net.proto(), (*START, *outputs("c2"), *inputs("c2")))


@pattern
def table_of_blocks() -> Pattern:
    """Channels in two blocks that lose equally many; two stand in both, one in none."""
    net = Net()
    table = [[0, 1, 2, 3, 4, 5], [5, 0, 7, 8, 9, -2]]
    x = net.op("Gather", net.conv(start(net), "c2", 8, 12), net.numbers("blocks", table), axis=1)
    x = net.op("ReduceSum", x, net.numbers("axes", [1]), keepdims=0)
    net.head(net.conv(x, "c3", 6, 4), 4)
    return Pattern(net.proto(), (*START, *inputs("c2", "fc"), ("c2_w", 0), ("c3_w", 1)))


@pattern
def numbers_stretched_by_ones() -> Pattern:
    """Constant numbers that get an axis in front choose rows of an embedding; a later reshape infers a size
    behind it."""
    net = Net()
    numbers = net.op("Expand", net.numbers("row", list(range(7))), net.numbers("ones", [1, 1]))
    embedded = net.op("Gather", net.weight("table", 9, 12), numbers)
    x = net.op("Add", net.dense(net.input("x", 1, 7, 5), "d1", 5, 12), embedded)
    x = net.op("Reshape", net.dense(net.op("Relu", x), "d2", 12, 8), net.numbers("apart", [1, 7, -1, 4]))
    x = net.op("Reshape", net.op("Softmax", x, axis=1), net.numbers("together", [1, 7, -1]))
    net.output(net.dense(x, "fc", 8, 5), 3)
    return Pattern(net.proto(), (("d1_w", 1), ("table", 1), ("d2_w", 0), ("d2_w", 1), ("fc_w", 0)))


@pattern
def biases_by_position() -> Pattern:
    """The channels of a table's rows pass through: for each pair of positions one row, as a bias of attention
    is chosen; and for each sample one pixel, by two numbers."""
    net = Net()
    table = net.dense(net.weight("table", 9, 5), "d1", 5, 8)
    pairs = net.numbers("pairs", (np.arange(64).reshape(64, 1) * 5) % 9)
    bias = net.op("Reshape", net.op("GatherND", table, pairs), net.numbers("square", [8, 8, 8]))
    x = net.op("Add", start(net), net.op("Transpose", bias, perm=[2, 0, 1]))
    pixels = net.op("Transpose", net.conv(x, "c2", 8, 6), perm=[0, 2, 3, 1])
    chosen = net.op(
        "GatherND", pixels, net.numbers("pixels", [[[1, 2], [-1, 0]], [[7, 7], [3, 4]]]), batch_dims=1
    )
    net.output(net.dense(chosen, "fc", 6, 5), 3)
    return Pattern(
        net.proto(),
        (*START, ("d1_w", 1), ("d1_b", 0), *outputs("c2"), *inputs("c2"), ("fc_w", 0)),
        (("table", 0),),
    )


@pattern
def messages_between_rows() -> Pattern:
    """A graph network: rows are gathered along its edges and added up at their ends, three ways; channels
    pass through all of them."""
    net = Net(opset=16)
    x = net.op("Relu", net.dense(net.input("x", 6, 5), "d1", 5, 8))
    ends = [1, 2, 3, 4, 5, 0, 2]
    taken = net.op("Gather", x, net.numbers("starts", [0, 1, 2, 3, 4, 5, 0]), axis=0)
    zeros = net.op("Mul", x, net.numbers("zero", 0, dtype="f"))
    by_blocks = net.op(
        "ScatterND", zeros, net.numbers("ends", [[end] for end in ends]), taken, reduction="add"
    )
    table = net.op("Expand", net.numbers("column", [[end] for end in ends]), net.op("Shape", taken))
    by_elements = net.op("ScatterElements", x, table, taken, axis=-2, reduction="add")
    fixed = net.numbers("fixed", np.arange(24).reshape(3, 8) % 6)
    by_fixed = net.op("GatherElements", by_elements, fixed)
    x = net.op("Concat", by_blocks, by_elements, by_fixed, axis=0)
    net.output(net.dense(x, "fc", 8, 5), 2)
    return Pattern(net.proto(), (("d1_w", 1), ("d1_b", 0), ("fixed", 1), ("fc_w", 0)), (("fixed", 0),))


@pattern
def positions_along_which_elements_are_chosen() -> Pattern:
    """Numbers that speak of fewer elements than the other axes have: which are meant depends on the place."""
    net = Net(opset=16)
    x = net.op("Relu", net.dense(net.input("x", 6, 5), "d1", 5, 8))
    some = net.op("GatherElements", x, net.numbers("some", np.arange(12).reshape(3, 4) % 6))
    net.output(net.dense(net.op("Relu", net.dense(some, "d2", 4, 6)), "fc", 6, 5), 2)
    return Pattern(net.proto(), (("d2_w", 1), ("fc_w", 0)), (("d1_w", 1), ("d2_w", 0)))


def in_pairs(net: Net, x: str, width: int, table: str) -> str:
    """Neighbouring channels rotated, (a, b) to (-b, a), and added to the sines that they meet."""
    ends = net.numbers(f"{table}_ends", [1 << 62])
    axis, step = net.numbers(f"{table}_axis", [-1]), net.numbers(f"{table}_step", [2])
    even = net.op("Slice", x, net.numbers(f"{table}_even", [0]), ends, axis, step)
    odd = net.op("Slice", x, net.numbers(f"{table}_odd", [1]), ends, axis, step)
    last = net.numbers(f"{table}_last", [4])
    parts = [net.op("Unsqueeze", part, last) for part in (net.op("Neg", odd), even)]
    turned = net.op(
        "Reshape", net.op("Concat", *parts, axis=-1), net.numbers(f"{table}_join", [2, 3, 5, width])
    )
    cosine = net.op("Mul", x, net.weight(f"{table}_cos", 5, width))
    return str(net.op("Add", cosine, net.op("Mul", turned, net.weight(f"{table}_sin", 5, width))))


@pattern
def rotary_positions_in_pairs() -> Pattern:
    """Queries and keys of three heads, rotated in pairs of neighbouring channels."""
    net = Net()
    x = net.input("x", 2, 5, 6)
    heads = []
    for name in ("q", "k", "v"):
        apart = net.op("Reshape", net.dense(x, name, 6, 24), net.numbers(f"{name}_apart", [2, 5, 3, 8]))
        heads.append(net.op("Transpose", apart, perm=[0, 2, 1, 3]))
    q, k = in_pairs(net, heads[0], 8, "a"), in_pairs(net, heads[1], 8, "b")
    scores = net.op("Softmax", net.op("MatMul", q, net.op("Transpose", k, perm=[0, 1, 3, 2])), axis=-1)
    mixed = net.op("Transpose", net.op("MatMul", scores, heads[2]), perm=[0, 2, 1, 3])
    mixed = net.op("Reshape", mixed, net.numbers("together", [2, 5, 24]))
    net.output(net.dense(mixed, "fc", 24, 5), 3)
    gone = [(f"{name}_{part}", axis) for name in "qkv" for part, axis in (("w", 1), ("b", 0))]
    tables = [(f"{name}_{part}", 1) for name in "ab" for part in ("cos", "sin")]
    return Pattern(net.proto(), (*gone, *tables, ("fc_w", 0)))


@pattern
def steps_that_leave_a_rest() -> Pattern:
    """One of two elements, of an odd number, and of a stretch: which are taken depends on the position."""
    net = Net()
    x = start(net, 9)
    axis, step = net.numbers("axis", [1]), net.numbers("step", [2])
    odd = net.op("Slice", x, net.numbers("first", [0]), net.numbers("end", [9]), axis, step)
    y = net.conv(net.op("Sigmoid", x), "c2", 9, 8)
    some = net.op("Slice", y, net.numbers("first_2", [2]), net.numbers("end_2", [8]), axis, step)
    net.head(net.op("Concat", net.conv(odd, "c3", 5, 4), net.conv(some, "c4", 3, 4), axis=1), 8)
    return Pattern(net.proto(), (*outputs("c3", "c4"), ("fc_w", 1)), (("c1_w", 0), ("c2_w", 0), ("c3_w", 1)))


@pattern
def rows_of_pixels() -> Pattern:
    """Every second row and column, one after the other, as channels."""
    net = Net()
    x = start(net)
    step, ends = net.numbers("step", [2]), net.numbers("ends", [100])
    axes = net.numbers("rows", [2]), net.numbers("columns", [3])
    parts = []
    for row in (net.numbers("zero", [0]), net.numbers("one", [1])):
        rows = net.op("Slice", x, row, ends, axes[0], step)
        parts += [net.op("Slice", rows, column, ends, axes[1], step) for column in ("zero", row)]
    net.head(net.conv(net.op("Concat", *parts, axis=1), "c2", 32, 6), 6)
    return Pattern(net.proto(), (*START, *outputs("c2"), *inputs("c2", "fc")))
