"""Networks with constants that nodes share, and with values that follow from constants alone."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import numpy_helper

from frontends.onnx.network import Net
from frontends.onnx.patterns import START, Pattern, collector, inputs, outputs, start

BUILDERS, pattern = collector()


def filled(net: Net, name: str, value: float, *shape: int) -> str:
    """A parameter whose elements are all the same."""
    net.initializers.append(numpy_helper.from_array(np.full(shape, value, np.float32), name))
    return name


def gru(net: Net, x: str, name: str, i: int, h: int, state: str) -> str:
    """A recurrent layer that starts from a state; without the axis of directions."""
    weights = [net.weight(f"{name}_w", 1, 3 * h, i), net.weight(f"{name}_r", 1, 3 * h, h)]
    y, _ = net.op("GRU", x, *weights, "", "", state, outputs=2, hidden_size=h)
    return str(net.op("Squeeze", y, net.numbers(f"{name}_axes", [1])))


@pattern
def first_state_of_two_layers() -> Pattern:
    """One constant of zeros is the first state of two layers; the second is normalised, so it stays."""
    net = Net()
    zeros = filled(net, "zeros", 0.0, 1, 2, 8)
    x = gru(net, net.input("x", 5, 2, 3), "r1", 3, 8, zeros)
    x = gru(net, x, "r2", 8, 8, zeros)
    x = net.op("LayerNormalization", x, net.weight("scale", 8), net.weight("shift", 8))
    net.output(net.op("MatMul", x, net.weight("fc_w", 8, 5)), 3)
    gone = (("r1_w", 1), ("r1_r", 1), ("r1_r", 2), ("r2_w", 2), ("zeros", 2))
    return Pattern(net.proto(), gone, (("zeros_2", 2), ("r2_w", 1), ("fc_w", 0)))


@pattern
def first_state_that_is_not_zero() -> Pattern:
    """The same with other numbers, none of them zero, that repeat along the channels only."""
    net = Net()
    rows = np.tile(np.array([0.7, -0.4], np.float32).reshape(1, 2, 1), (1, 1, 8))
    net.initializers.append(numpy_helper.from_array(rows, "state"))
    x = gru(net, net.input("x", 5, 2, 3), "r1", 3, 8, "state")
    x = gru(net, x, "r2", 8, 8, "state")
    net.output(net.op("MatMul", x, net.weight("fc_w", 8, 5)), 3)
    return Pattern(net.proto(), (("r1_w", 1), ("r2_w", 1), ("state", 2), ("state_2", 2), ("fc_w", 0)))


@pattern
def fresh_statistics() -> Pattern:
    """Normalisations whose scales and variances are one constant, and shifts and means another, as a model
    that was never trained is stored."""
    net = Net()
    ones, zeros = filled(net, "ones", 1.0, 8), filled(net, "zeros", 0.0, 8)
    x = net.op("BatchNormalization", start(net), ones, zeros, zeros, ones)
    x = net.op("Relu", net.conv(x, "c2", 8, 8))
    x = net.op("BatchNormalization", x, ones, zeros, zeros, ones)
    net.head(net.conv(x, "c3", 8, 6), 6)
    return Pattern(net.proto(), (*START, *outputs("c2", "c3"), *inputs("c2", "c3", "fc"), ("ones", 0)))


@pattern
def numbers_that_differ_are_shared() -> Pattern:
    """One scale with numbers of its own for two layers: they stay as long as each other."""
    net = Net()
    scale = net.weight("scale", 1, 8, 1, 1)
    x = net.op("Mul", start(net), scale)
    x = net.op("Mul", net.conv(x, "c2", 8, 8), scale)
    net.head(x, 8)
    return Pattern(net.proto(), (*START, ("scale", 1), *outputs("c2"), *inputs("c2", "fc")))


def standardised(net: Net, name: str, *shape: int) -> str:
    """A weight of a convolution, less its mean and divided by its deviation."""
    weight = net.weight(name, *shape)
    apart = net.op("Sub", weight, net.op("ReduceMean", weight, axes=[1, 2, 3]))
    square = net.op("ReduceMean", net.op("Mul", apart, apart), axes=[1, 2, 3])
    root = net.op("Sqrt", net.op("Add", square, net.numbers(f"{name}_eps", 1e-3, dtype="f")))
    return str(net.op("Mul", net.op("Div", apart, root), net.weight(f"{name}_gain", shape[0], 1, 1, 1)))


def convolved(net: Net, x: str, weight: str, **attributes: Any) -> str:
    return str(net.op("Conv", x, weight, kernel_shape=[3, 3], pads=[1, 1, 1, 1], **attributes))


@pattern
def standardised_weights() -> Pattern:
    """Weights that are normalised over the channels that they read, when the model runs."""
    net = Net()
    x = convolved(net, start(net), standardised(net, "w2", 12, 8, 3, 3))
    x = convolved(net, net.op("Relu", x), standardised(net, "w3", 8, 3, 3, 3), group=4)
    net.head(net.op("Relu", x), 8)
    return Pattern(
        net.proto(),
        (*START, ("Mul_1", 0), ("Mul_1", 1), ("Mul_3", 0), *inputs("fc")),
        (("w2", 0), ("w3", 0)),
    )


@pattern
def standardised_weight_that_is_read_as_it_is() -> Pattern:
    """The same where the weight itself is needed too, and large: it is not stored twice."""
    net = Net()
    x = net.dense(net.input("x", 2, 5), "d1", 5, 300)
    weight = net.weight("w2", 300, 300)
    squares = net.op("ReduceSumSquare", weight, axes=[1])
    norm = net.op("Div", weight, net.op("Add", squares, net.numbers("eps", 1e-3, dtype="f")))
    x = net.op("Add", net.op("MatMul", net.op("Relu", x), weight), net.op("MatMul", x, norm))
    net.output(net.dense(net.op("Relu", x), "fc", 300, 5), 2)
    return Pattern(net.proto(), (("d1_w", 1), ("w2", 0), ("w2", 1), ("fc_w", 0)), (("Div_0", 0),))


def mixed_experts(
    net: Net, x: str, shares: str, name: str, n: int, i: int, o: int, group: int = 1, kernel: int = 1
) -> str:
    """A convolution whose weight is another for each sample: a mixture of four; all samples at once, as the
    groups of one."""
    groups = n * group
    weight = net.op("MatMul", shares, net.weight(f"{name}_e", 4, o * (i // group) * kernel * kernel))
    shape = net.numbers(f"{name}_apart", [n * o, i // group, kernel, kernel])
    weight = net.op("Reshape", weight, shape)
    x = net.op("Reshape", x, net.numbers(f"{name}_together", [1, n * i, 8, 8]))
    pads = [kernel // 2] * 4
    x = net.op("Conv", x, weight, kernel_shape=[kernel, kernel], group=groups, pads=pads)
    x = net.op(
        "Reshape", net.op("Transpose", x, perm=[1, 0, 2, 3]), net.numbers(f"{name}_back", [n, o, 8, 8])
    )
    return str(net.op("Relu", net.norm(x, f"{name}_n", o)))


def experts(n: int) -> Pattern:
    net = Net()
    x = net.op("Relu", net.conv(net.input("x", n, 3, 8, 8), "c1", 3, 8))
    shares = net.op("Flatten", net.op("GlobalAveragePool", x))
    shares = net.op(
        "Sigmoid", net.op("Gemm", shares, net.weight("r_w", 4, 8), net.weight("r_b", 4), transB=1)
    )
    y = mixed_experts(net, x, shares, "a", n, 8, 12)
    y = mixed_experts(net, y, shares, "b", n, 12, 12, group=12, kernel=3)
    y = mixed_experts(net, y, shares, "c", n, 12, 8)
    net.head(net.conv(net.op("Add", x, y), "c2", 8, 6), 6)
    norms = [(f"{name}_n_{part}", 0) for name in "abc" for part in ("scale", "shift", "mean", "var")]
    weights = [(f"{name}_e", axis) for name in "abc" for axis in (0, 1)]
    # Half of what is read, half of what is made, half of the experts.
    return Pattern(net.proto(), (*outputs("c1", "c2"), *inputs("c2", "fc"), *norms, *weights, ("r_w", 1)))


@pattern
def mixtures_of_weights() -> Pattern:
    return experts(2)


@pattern
def mixtures_of_weights_for_one_sample() -> Pattern:
    return experts(1)


@pattern
def mixtures_of_wide_kernels() -> Pattern:
    """A channel that is read stands in as many places of a row as the kernel has."""
    net = Net()
    x = net.op("Relu", net.conv(net.input("x", 2, 3, 8, 8), "c1", 3, 8))
    shares = net.op("Sigmoid", net.dense(net.op("Flatten", net.op("GlobalAveragePool", x)), "r", 8, 4))
    net.head(mixed_experts(net, x, shares, "a", 2, 8, 12, kernel=3), 12)
    return Pattern(net.proto(), (*outputs("c1"), *inputs("fc"), ("a_n_mean", 0), ("a_e", 0), ("a_e", 1)))


@pattern
def weight_behind_a_node() -> Pattern:
    """A node that does nothing between a weight and the grouped convolution that reads it."""
    net = Net()
    x = start(net, 12)
    x = convolved(net, x, net.op("Identity", net.weight("w2", 8, 3, 3, 3)), group=4)
    net.head(net.op("Relu", x), 8)
    return Pattern(net.proto(), (*START, ("Identity_0", 0), *inputs("fc")), (("w2", 0),))
