"""Transformer blocks in the spellings that exporters use."""

from __future__ import annotations

from typing import Any, Callable

import numpy as np
from onnx import TensorProto, numpy_helper

from frontends.onnx.network import Net
from frontends.onnx.patterns import Pair, Pattern, collector

BUILDERS, pattern = collector()

#: Batch, length, width, heads, width of a head, width of the feed-forward layer.
B, S, W, H, D, F = 2, 5, 12, 3, 4, 16


def layer_norm(net: Net, x: str, name: str) -> str:
    return str(
        net.op("LayerNormalization", x, net.weight(f"{name}_s", W), net.weight(f"{name}_b", W), axis=-1)
    )


def layer_norm_written_out(net: Net, x: str, name: str) -> str:
    mean = net.op("ReduceMean", x, axes=[-1])
    centred = net.op("Sub", x, mean)
    two = net.numbers(f"{name}_two", 2, dtype="f")
    variance = net.op("ReduceMean", net.op("Pow", centred, two), axes=[-1])
    root = net.op("Sqrt", net.op("Add", variance, net.numbers(f"{name}_epsilon", 1e-5, dtype="f")))
    scaled = net.op("Mul", net.op("Div", centred, root), net.weight(f"{name}_s", W))
    return str(net.op("Add", scaled, net.weight(f"{name}_b", W)))


def gelu_written_out(net: Net, x: str, name: str) -> str:
    erf = net.op("Erf", net.op("Div", x, net.numbers(f"{name}_root", np.sqrt(2), dtype="f")))
    half = net.op("Mul", x, net.op("Add", erf, net.numbers(f"{name}_one", 1, dtype="f")))
    return str(net.op("Mul", half, net.numbers(f"{name}_half", 0.5, dtype="f")))


def feed_forward(net: Net, x: str, activation: Callable[[Net, str, str], str] = gelu_written_out) -> str:
    return net.dense(activation(net, net.dense(x, "up", W, F), "gelu"), "down", F, W)


def heads(net: Net, x: str, name: str, count: int = H, width: int = D, axes: Any = (0, 2, 1, 3)) -> str:
    shape = net.numbers(f"{name}_heads", [B, S, count, width])
    return str(net.op("Transpose", net.op("Reshape", x, shape), perm=list(axes)))


def attend(net: Net, q: str, k: str, v: str, width: int = D) -> str:
    """Scores from queries and transposed keys, a softmax, weighed values."""
    scale = net.numbers("scale", 1 / np.sqrt(width), dtype="f")
    scores = net.op("Softmax", net.op("Mul", net.op("MatMul", q, k), scale), axis=-1)
    return str(net.op("MatMul", scores, v))


def together(net: Net, x: str, width: int) -> str:
    return str(
        net.op("Reshape", net.op("Transpose", x, perm=[0, 2, 1, 3]), net.numbers("width", [B, S, width]))
    )


def embedded(net: Net) -> str:
    """Tokens and positions."""
    x = net.op("Gather", net.weight("words", 7, W), net.input("x", B, S, kind=7))
    return str(net.op("Add", x, net.weight("positions", 1, S, W)))


def finish(net: Net, x: str) -> None:
    net.output(net.dense(x, "fc", W, 5), 3)


FEED_FORWARD: tuple[Pair, ...] = (("up_w", 1), ("up_b", 0), ("down_w", 0))
SEPARATE: tuple[Pair, ...] = tuple((f"{n}_w", 1) for n in "qkv") + tuple((f"{n}_b", 0) for n in "qkv")
RESIDUAL: tuple[Pair, ...] = (("words", 1), ("positions", 2), ("out_w", 1), ("down_w", 1), ("fc_w", 0))


@pattern
def encoder() -> Pattern:
    """Queries, keys and values apart, normalisation before each part."""
    net = Net()
    x = embedded(net)
    y = layer_norm(net, x, "ln1")
    q, k, v = (net.dense(y, name, W, H * D) for name in "qkv")
    y = attend(net, heads(net, q, "q"), heads(net, k, "k", axes=(0, 2, 3, 1)), heads(net, v, "v"))
    x = net.op("Add", x, net.dense(together(net, y, H * D), "out", H * D, W))
    x = net.op("Add", x, feed_forward(net, layer_norm(net, x, "ln2")))
    finish(net, x)
    return Pattern(net.proto(), (*FEED_FORWARD, *SEPARATE, ("out_w", 0)), RESIDUAL)


@pattern
def encoder_written_out() -> Pattern:
    """Normalisation as means and roots, behind each part."""
    net = Net()
    x = embedded(net)
    q, k, v = (net.dense(x, name, W, H * D) for name in "qkv")
    y = attend(net, heads(net, q, "q"), heads(net, k, "k", axes=(0, 2, 3, 1)), heads(net, v, "v"))
    x = layer_norm_written_out(
        net, net.op("Add", x, net.dense(together(net, y, H * D), "out", H * D, W)), "ln1"
    )
    x = layer_norm_written_out(net, net.op("Add", x, feed_forward(net, x)), "ln2")
    finish(net, x)
    return Pattern(net.proto(), (*FEED_FORWARD, *SEPARATE, ("out_w", 0)), (("out_w", 1), ("fc_w", 0)))


@pattern
def fused_by_gather() -> Pattern:
    """One product for all three, which are picked from an axis of their own."""
    net = Net()
    x = embedded(net)
    qkv = net.dense(layer_norm(net, x, "ln1"), "qkv", W, 3 * H * D)
    qkv = net.op("Reshape", qkv, net.numbers("parts", [B, S, 3, H, D]))
    qkv = net.op("Transpose", qkv, perm=[2, 0, 3, 1, 4])
    q, k, v = (net.op("Gather", qkv, net.numbers(f"number{n}", n), axis=0) for n in range(3))
    y = attend(net, q, net.op("Transpose", k, perm=[0, 1, 3, 2]), v)
    x = net.op("Add", x, net.dense(together(net, y, H * D), "out", H * D, W))
    finish(net, x)
    return Pattern(net.proto(), (("qkv_w", 1), ("qkv_b", 0), ("out_w", 0)), RESIDUAL[:3])


@pattern
def fused_by_split() -> Pattern:
    """One product for all three, split along its width."""
    net = Net()
    x = embedded(net)
    qkv = net.dense(layer_norm(net, x, "ln1"), "qkv", W, 3 * H * D)
    q, k, v = net.op("Split", qkv, net.numbers("thirds", [H * D] * 3), outputs=3, axis=2)
    y = attend(net, heads(net, q, "q"), heads(net, k, "k", axes=(0, 2, 3, 1)), heads(net, v, "v"))
    x = net.op("Add", x, net.dense(together(net, y, H * D), "out", H * D, W))
    finish(net, x)
    return Pattern(net.proto(), (("qkv_w", 1), ("qkv_b", 0), ("out_w", 0)), RESIDUAL[:3])


@pattern
def computed_shapes(fractions: bool = False) -> Pattern:
    """Batch and length from the input, heads and widths as constants that all reshapes share; with
    ``fractions`` the length is computed in floating point, so that nothing is known of it."""
    net = Net()
    x = net.op("Gather", net.weight("words", 7, W), net.input("x", "batch", "length", kind=7))
    shape = net.op("Shape", x)
    batch, length = (
        net.op(
            "Unsqueeze", net.op("Gather", shape, net.numbers(f"at{n}", n), axis=0), net.numbers(f"a{n}", [0])
        )
        for n in (0, 1)
    )
    if fractions:
        length = net.op("Cast", net.op("Cast", length, to=TensorProto.FLOAT), to=TensorProto.INT64)
    count, width = net.numbers("count", [H]), net.numbers("width", [D])
    apart = net.op("Concat", batch, length, count, width, axis=0)
    q, k, v = (net.op("Reshape", net.dense(x, name, W, H * D), apart) for name in "qkv")
    q, v = (net.op("Transpose", t, perm=[0, 2, 1, 3]) for t in (q, v))
    y = attend(net, q, net.op("Transpose", k, perm=[0, 2, 3, 1]), v)
    whole = net.op("Concat", batch, length, net.op("Mul", count, width), axis=0)
    y = net.op("Reshape", net.op("Transpose", y, perm=[0, 2, 1, 3]), whole)
    x = net.op("Add", x, net.dense(y, "out", H * D, W))
    finish(net, x)
    others = ({"x": (1, 7)}, {"x": (3, 2)})
    return Pattern(net.proto(), (*SEPARATE, ("out_w", 0), ("words", 1)), (), {"x": (B, S)}, others)


@pattern
def grouped_queries() -> Pattern:
    """Two heads of queries for each head of keys and values, which are repeated."""
    net = Net(opset=18)
    x = embedded(net)
    y = layer_norm(net, x, "ln1")
    q, k, v = net.dense(y, "q", W, 4 * D), net.dense(y, "k", W, 2 * D), net.dense(y, "v", W, 2 * D)
    k, v = heads(net, k, "k", 2), heads(net, v, "v", 2)
    repeated = net.numbers("repeated", [B, 2, 2, S, D])
    merged = net.numbers("merged", [B, 4, S, D])
    new = net.numbers("new", [2])
    k, v = (
        net.op("Reshape", net.op("Expand", net.op("Unsqueeze", t, new), repeated), merged) for t in (k, v)
    )
    y = attend(net, heads(net, q, "q", 4), net.op("Transpose", k, perm=[0, 1, 3, 2]), v)
    x = net.op("Add", x, net.dense(together(net, y, 4 * D), "out", 4 * D, W))
    finish(net, x)
    return Pattern(net.proto(), (*SEPARATE, ("out_w", 0)), RESIDUAL[:3])


@pattern
def rotary() -> Pattern:
    """Positions as rotations: the halves of a head change places, one of them negated."""
    net = Net()
    x = embedded(net)
    q, k, v = (net.dense(x, name, W, H * D) for name in "qkv")
    positions = net.numbers("steps", np.arange(S).reshape(S, 1), dtype="f")
    angles = net.op("MatMul", positions, net.weight("frequencies", 1, D // 2))
    angles = net.op("Concat", angles, angles, axis=-1)
    cos, sin = net.op("Cos", angles), net.op("Sin", angles)
    first, half, end = net.numbers("first", [0]), net.numbers("half", [D // 2]), net.numbers("end", [2**62])
    last = net.numbers("last", [3])

    def rotated(t: str) -> str:
        low, high = net.op("Slice", t, first, half, last), net.op("Slice", t, half, end, last)
        turned = net.op("Concat", net.op("Neg", high), low, axis=-1)
        return str(net.op("Add", net.op("Mul", t, cos), net.op("Mul", turned, sin)))

    q, k = rotated(heads(net, q, "q")), rotated(heads(net, k, "k"))
    y = attend(net, q, net.op("Transpose", k, perm=[0, 1, 3, 2]), heads(net, v, "v"))
    x = net.op("Add", x, net.dense(together(net, y, H * D), "out", H * D, W))
    finish(net, x)
    return Pattern(net.proto(), (*SEPARATE, ("frequencies", 1), ("out_w", 0), ("words", 1)))


@pattern
def gated_feed_forward() -> Pattern:
    """A gate with a swish, as language models have it, and division by the length alone."""
    net = Net(opset=13)
    x = embedded(net)
    two = net.numbers("two", 2, dtype="f")
    length = net.op("ReduceMean", net.op("Pow", x, two), axes=[-1])
    length = net.op("Sqrt", net.op("Add", length, net.numbers("epsilon", 1e-5, dtype="f")))
    y = net.op("Mul", net.op("Div", x, length), net.weight("rms", W))
    gate = net.dense(y, "gate", W, F)
    y = net.op("Mul", net.op("Mul", gate, net.op("Sigmoid", gate)), net.dense(y, "up", W, F))
    finish(net, net.op("Add", x, net.dense(y, "down", F, W)))
    return Pattern(net.proto(), (*FEED_FORWARD, ("gate_w", 1), ("gate_b", 0)), (("words", 1), ("rms", 0)))


@pattern
def root_mean_square_in_single_precision() -> Pattern:
    """Division by the length alone, in the words of language models whose numbers may be half precision:
    casts that change nothing here, and a product with the inverse."""
    net = Net(opset=13)
    x = embedded(net)
    for n in range(2):
        wide = net.op("Cast", x, to=TensorProto.FLOAT)
        mean = net.op(
            "ReduceMean", net.op("Pow", wide, net.numbers(f"two{n}", 2, node=True, dtype="f")), axes=[-1]
        )
        epsilon = net.numbers(f"epsilon{n}", 1e-5, node=True, dtype="f")
        root = net.op("Sqrt", net.op("Add", mean, epsilon))
        inverse = net.op("Div", net.numbers(f"one{n}", 1, node=True, dtype="f"), root)
        y = net.op("Cast", net.op("Mul", wide, inverse), to=TensorProto.FLOAT)
        y = net.op("Mul", net.weight(f"rms{n}", W), y)
        gate = net.dense(y, f"gate{n}", W, F)
        y = net.op("Mul", net.op("Sigmoid", gate), net.dense(y, f"up{n}", W, F))
        x = net.op("Add", wide, net.dense(y, f"down{n}", F, W))
    finish(net, x)
    return Pattern(net.proto(), (("gate0_w", 1), ("up1_w", 1), ("down0_w", 0)), (("words", 1), ("rms0", 0)))


@pattern
def masked_from_a_single_truth() -> Pattern:
    """A mask that starts from one truth without axes, which all later masks are combined with."""
    net = Net()
    x = embedded(net)
    q, k, v = (net.dense(x, name, W, H * D) for name in "qkv")
    truth = numpy_helper.from_array(np.ones(1, dtype=bool))
    mask = net.op("ConstantOfShape", net.numbers("none", []), value=truth)
    mask = net.op("And", mask, net.numbers("earlier", np.tri(S), dtype=bool))
    mask = net.op("Expand", mask, net.numbers("everywhere", [B, 1, S, S]))
    scores = net.op("MatMul", heads(net, q, "q"), heads(net, k, "k", axes=(0, 2, 3, 1)))
    scores = net.op("Where", mask, scores, net.numbers("never", -1e4, dtype="f"))
    y = net.op("MatMul", net.op("Softmax", scores, axis=-1), heads(net, v, "v"))
    finish(net, net.op("Add", x, net.dense(together(net, y, H * D), "out", H * D, W)))
    return Pattern(net.proto(), (*SEPARATE, ("out_w", 0), ("words", 1)))


def _turned(interleaved: int, flat: bool) -> Pattern:
    """Attention behind rotations in one operator, its tables of cosines and sines constant."""
    net = Net(opset=23)
    x = embedded(net)
    tables = [net.weight(name, 9, D // 2) for name in ("cos", "sin")]
    steps = net.numbers("steps", np.tile(np.arange(S), (B, 1)))
    shape = net.numbers("apart", [B, S, H, D])
    parts = []
    for name in "qkv":
        part = net.dense(x, name, W, H * D)
        if flat and name != "v":
            part = net.op("RotaryEmbedding", part, *tables, steps, num_heads=H, interleaved=interleaved)
        part = net.op("Transpose", net.op("Reshape", part, shape), perm=[0, 2, 1, 3])
        if not flat and name != "v":
            part = net.op("RotaryEmbedding", part, *tables, steps, interleaved=interleaved)
        parts.append(part)
    y = attend(net, parts[0], net.op("Transpose", parts[1], perm=[0, 1, 3, 2]), parts[2])
    finish(net, net.op("Add", x, net.dense(together(net, y, H * D), "out", H * D, W)))
    return Pattern(
        net.proto(), (*SEPARATE, ("cos", 1), ("sin", 1), ("out_w", 0), ("words", 1)), (("cos", 0),)
    )


@pattern
def turned_halves() -> Pattern:
    """The halves of a head rotate with each other."""
    return _turned(interleaved=0, flat=False)


@pattern
def turned_neighbours() -> Pattern:
    """Neighbouring channels of a head rotate with each other."""
    return _turned(interleaved=1, flat=False)


@pattern
def turned_before_heads_are_parted() -> Pattern:
    """Rotations of heads that stand one behind the other."""
    return _turned(interleaved=0, flat=True)


@pattern
def turned_neighbours_before_heads_are_parted() -> Pattern:
    """Both: neighbouring channels, heads one behind the other."""
    return _turned(interleaved=1, flat=True)
