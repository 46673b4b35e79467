"""Networks whose sums of products are written as formulas of letters."""

from __future__ import annotations

from frontends.onnx.network import Net
from frontends.onnx.patterns import START, Pattern, collector, inputs, outputs, start

BUILDERS, pattern = collector()


@pattern
def dense_by_formula() -> Pattern:
    """Dense layers over channels, the weight on either side; spaces and capitals are allowed."""
    net = Net()
    x = net.op("Einsum", start(net), net.weight("w1", 6, 8), equation="b c H W, o c -> b o H W")
    x = net.op("Einsum", net.weight("w2", 6, 10), net.op("Relu", x), equation="ip,bihw->bphw")
    x = net.op("Einsum", x, equation="bchw->bc")
    net.output(net.op("Einsum", x, net.weight("fc", 10, 5), equation="ij,jk"), 2)
    return Pattern(net.proto(), (*START, ("w1", 0), ("w1", 1), ("w2", 0), ("w2", 1), ("fc", 0)))


@pattern
def attention_by_formula() -> Pattern:
    """Heads on an axis of their own; queries and keys shrink together, and so do values and the output."""
    net = Net()
    x = net.input("x", 2, 7, 6)
    heads = [net.op("Einsum", x, net.weight(f"w{n}", 6, 3, 8), equation="bsc,chd->bhsd") for n in "qkv"]
    scores = net.op("Einsum", heads[0], heads[1], equation="...qd,...kd->...qk")
    mixed = net.op("Einsum", net.op("Softmax", scores, axis=-1), heads[2], equation="bhqk,bhkd->bqhd")
    net.output(net.op("Einsum", mixed, net.weight("wo", 3, 8, 6), equation="bqhd,hdo->bqo"), 3)
    each = tuple((f"w{n}", axis) for n in "qkv" for axis in (1, 2))
    return Pattern(net.proto(), (*each, ("wo", 0), ("wo", 1)))


@pattern
def three_in_one_formula() -> Pattern:
    """A bilinear layer: two vectors and a weight in one formula."""
    net = Net()
    x = net.op("Einsum", start(net), equation="bchw->bc")
    a, b = (net.op("LeakyRelu", net.dense(x, name, 8, size)) for name, size in (("d1", 6), ("d2", 10)))
    x = net.op("Einsum", a, b, net.weight("bilinear", 4, 6, 10), equation="bi,bj,oij->bo")
    net.output(net.dense(x, "fc", 4, 5), 2)
    cut = (("d1_w", 0), ("d1_w", 1), ("d2_w", 1), *(("bilinear", axis) for axis in range(3)), ("fc_w", 0))
    return Pattern(net.proto(), (*START, *cut))


@pattern
def ones_in_a_formula() -> Pattern:
    """Axes of size one in the place of others, behind letters and behind an ellipsis."""
    net = Net()
    x = start(net)
    gate = net.op("Sigmoid", net.conv(net.op("GlobalAveragePool", x), "gate", 8, 8, kernel=1))
    x = net.op("Einsum", x, gate, equation="bchw,bchw->bchw")
    scale = net.weight("scale", 1, 8, 1, 1)
    x = net.op("Einsum", x, scale, equation="...,...->...")
    net.head(net.conv(x, "c2", 8, 6), 6)
    return Pattern(net.proto(), (*START, *outputs("gate", "c2"), *inputs("gate", "c2"), ("scale", 1)))


@pattern
def diagonal_by_formula() -> Pattern:
    """The products of all pairs of channels, of which those of a channel with itself are taken."""
    net = Net()
    x = net.op("Einsum", start(net), equation="bchw->bch")
    pairs = net.op("Einsum", x, x, equation="bch,bdh->bcd")
    x = net.op("Einsum", pairs, equation="bcc->bc")
    net.output(net.dense(x, "fc", 8, 5), 2)
    return Pattern(net.proto(), (*START, ("fc_w", 0)))


@pattern
def sums_of_what_is_not_zero() -> Pattern:
    """A removed channel is a half behind a sigmoid, so the sum over channels would change."""
    net = Net()
    x = net.op("Sigmoid", net.conv(start(net), "c2", 8, 6))
    y = net.op("Sigmoid", net.conv(net.conv(x, "c4", 6, 4), "c3", 4, 6))
    x = net.op("Einsum", x, y, equation="bchw,bchw->bhw")
    x = net.op("Einsum", x, net.weight("rows", 8, 10), equation="bhw,hk->bkw")
    net.output(net.op("Einsum", net.op("Relu", x), net.weight("fc", 10, 5), equation="bkw,ko->bo"), 2)
    cut = (*START, *outputs("c4"), ("rows", 1), ("fc", 0))
    return Pattern(net.proto(), cut, (*outputs("c2", "c3"), ("rows", 0)))
