"""Networks that choose channels by number."""

from __future__ import annotations

from typing import Callable

from onnx_format.network import Net
from onnx_format.patterns import START, Pattern, inputs, outputs, start

BUILDERS: list[Callable[[], Pattern]] = []


def pattern(build: Callable[[], Pattern]) -> Callable[[], Pattern]:
    """Adds a builder to the list."""
    BUILDERS.append(build)
    return build


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
