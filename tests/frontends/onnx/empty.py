"""Networks with tensors that have no elements."""

from __future__ import annotations

import numpy as np

from frontends.onnx.network import Net
from frontends.onnx.patterns import START, Pattern, collector, inputs, outputs, start

BUILDERS, pattern = collector()


def ending(net: Net, x: str, c: int, free: bool = True) -> Pattern:
    """A second convolution and the classifier; ``free`` says whether what the first makes can go."""
    net.head(net.conv(x, "c2", c, 6), 6)
    first = (*START, *inputs("c2"))
    own = (*outputs("c2"), *inputs("fc"))
    return Pattern(net.proto(), (*own, *first) if free else own, () if free else first)


@pattern
def joined_with_no_channels() -> Pattern:
    """An initialiser without elements beside the channels, and one beside the positions."""
    net = Net()
    x = net.op("Concat", start(net), net.numbers("none", np.zeros((2, 0, 8, 8)), dtype=np.float32), axis=1)
    x = net.op("Concat", net.numbers("no_rows", np.zeros((2, 8, 0, 8)), dtype=np.float32), x, axis=2)
    return ending(net, x, 8)


@pattern
def padding_of_nothing() -> Pattern:
    """What was computed to be padded has no elements: a filling times a number, and a sum with one."""
    net = Net()
    x = start(net)
    empty = net.op("ConstantOfShape", net.numbers("shape", [2, 8, 8, 0]))
    pad = net.op("Mul", empty, net.numbers("low", -1e9, dtype=np.float32))
    one = net.numbers("one", np.ones((1, 8, 1, 1)), dtype=np.float32)
    x = net.op("Concat", x, net.op("Add", pad, one), axis=3)
    return ending(net, x, 8)


@pattern
def sliced_to_nothing() -> Pattern:
    """A slice of the channels and one of the positions from somewhere to the same place."""
    net = Net()
    x = start(net)
    bounds = net.numbers("at", [3]), net.numbers("to", [3])
    none = net.op("Slice", x, *bounds, net.numbers("axis", [1]))
    rows = net.op("Slice", x, *bounds, net.numbers("rows", [2]))
    x = net.op("Concat", none, x, axis=1)
    x = net.op("Concat", x, rows, axis=2)
    return ending(net, x, 8)


@pattern
def expanded_to_nothing() -> Pattern:
    """One row is made none."""
    net = Net()
    x = start(net)
    row = net.op("ReduceMean", x, axes=[2], keepdims=1)
    none = net.op("Expand", row, net.numbers("shape", [1, 1, 0, 1]))
    return ending(net, net.op("Concat", none, x, axis=2), 8)


@pattern
def reshaped_without_elements() -> Pattern:
    """Zero as a size, with allowzero, and as a copy, without it."""
    net = Net()
    x = start(net)
    none = net.numbers("none", np.zeros((0, 5)), dtype=np.float32)
    none = net.op("Reshape", none, net.numbers("sizes", [2, 8, 8, 0]), allowzero=1)
    x = net.op("Concat", x, net.op("Reshape", none, net.numbers("copy", [0, 0, 8, 0])), axis=3)
    x = net.op("Reshape", x, net.numbers("all", [2, -1, 8, 8]), allowzero=1)
    # Which of no elements stand where is not told apart.
    return ending(net, x, 8, free=False)


@pattern
def sum_over_nothing() -> Pattern:
    """A sum over no positions is zero, over no axes a copy."""
    net = Net()
    x = start(net)
    rows = net.op("Slice", x, net.numbers("at", [8]), net.numbers("to", [8]), net.numbers("rows", [2]))
    nothing = net.op("ReduceSum", rows, net.numbers("axes", [2]), keepdims=1)
    x = net.op("Add", x, nothing)
    x = net.op("ReduceSum", x, net.numbers("no_axes", np.zeros(0), dtype=np.int64), noop_with_empty_axes=1)
    return ending(net, x, 8)


@pattern
def chosen_by_no_numbers() -> Pattern:
    """No channel is chosen, and no row."""
    net = Net()
    x = start(net)
    none = net.op("Gather", x, net.numbers("none", np.zeros(0)), axis=1)
    rows = net.op("Gather", x, net.numbers("no_rows", np.zeros(0)), axis=2)
    x = net.op("Concat", net.op("Concat", x, none, axis=1), rows, axis=2)
    return ending(net, x, 8)


@pattern
def split_with_an_empty_part() -> Pattern:
    """One of the parts has no channels."""
    net = Net()
    a, b, c = net.op("Split", start(net), net.numbers("parts", [4, 0, 4]), axis=1, outputs=3)
    x = net.op("Concat", c, b, a, axis=1)
    return ending(net, x, 8)


@pattern
def repeated_no_times() -> Pattern:
    """Rows that are there no times, and what a layer and a rectifier make of none."""
    net = Net()
    x = start(net)
    rows = net.op("Tile", x, net.numbers("times", [1, 1, 0, 1]))
    rows = net.op("Relu", net.op("Transpose", rows, perm=[0, 1, 3, 2]))
    x = net.op("Concat", x, net.op("Transpose", rows, perm=[0, 1, 3, 2]), axis=2)
    return ending(net, x, 8)


@pattern
def dense_layer_on_nothing() -> Pattern:
    """A dense layer that is given no words, beside one that is given some."""
    net = Net()
    x = net.op("Transpose", net.op("Reshape", start(net), net.numbers("flat", [2, 8, 64])), perm=[0, 2, 1])
    none = net.op("Slice", x, net.numbers("at", [0]), net.numbers("to", [0]), net.numbers("words", [1]))
    x = net.op("Concat", net.dense(x, "d1", 8, 10), net.dense(none, "d2", 8, 10), axis=1)
    net.output(net.op("ReduceMean", net.dense(net.op("Relu", x), "fc", 10, 5), axes=[1], keepdims=0), 2)
    return Pattern(net.proto(), (*START, ("d1_w", 1), ("d2_w", 1), ("fc_w", 0)))


@pattern
def an_input_without_elements() -> Pattern:
    """An input that is declared to have no rows."""
    net = Net()
    more = net.input("more", 2, 8, 0, 8)
    # Its channels are the interface of the model.
    return ending(net, net.op("Concat", start(net), more, axis=2), 8, free=False)
