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
