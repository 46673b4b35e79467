"""Branches that meet in a sum or in a concatenation, and weights used twice."""

from __future__ import annotations

from typing import Any, Callable

import mxnet as mx

from networks.case import (
    ENDS,
    Case,
    bn,
    conv,
    dense,
    global_pool,
    head,
    image,
    inputs,
    network,
    norms,
    outputs,
    relu,
)

IMAGE = {"data": (2, 3, 8, 8)}


@network
def residual() -> Case:
    x = relu(conv(image(), "conv1", 12))
    y = conv(relu(conv(x, "conv2", 10)), "conv3", 12)
    removable = (*outputs("conv1", "conv2", "conv3"), *inputs("conv2", "conv3", "fc"))
    return Case("residual", head(relu(x + y)), IMAGE, removable, ENDS)


@network
def residual_projection() -> Case:
    x = relu(conv(image(), "conv1", 12))
    y = conv(relu(conv(x, "conv2", 10, stride=2)), "conv3", 16)
    shortcut = bn(conv(x, "project", 16, 1, stride=2), "project_bn")
    removable = (
        *outputs("conv1", "conv2", "conv3", "project"),
        *norms("project_bn"),
        *inputs("conv2", "conv3", "project", "fc"),
    )
    return Case("residual_projection", head(relu(shortcut + y)), IMAGE, removable, ENDS)


@network
def concat_two() -> Case:
    x = relu(conv(image(), "conv1", 8))
    x = mx.sym.Concat(conv(x, "left", 10), conv(x, "right", 14), dim=1)
    x = conv(relu(bn(x, "bn1")), "conv2", 9)
    removable = (
        *outputs("conv1", "left", "right", "conv2"),
        *norms("bn1"),
        *inputs("left", "right", "conv2", "fc"),
    )
    return Case("concat_two", head(x), IMAGE, removable, ENDS)


@network
def concat_three() -> Case:
    x = relu(conv(image(), "conv1", 8))
    parts = [conv(x, "left", 10), x, conv(x, "right", 14)]
    x = conv(relu(bn(mx.sym.Concat(*parts, dim=-3), "bn1")), "conv2", 9)
    removable = (
        *outputs("conv1", "left", "right", "conv2"),
        *norms("bn1"),
        *inputs("left", "right", "conv2", "fc"),
    )
    return Case("concat_three", head(x), IMAGE, removable, ENDS)


@network
def concat_itself() -> Case:
    """The same channels twice: each unit has two slices in the consumer."""
    x = relu(conv(image(), "conv1", 12))
    x = conv(mx.sym.Concat(x, x, dim=1), "conv2", 9)
    removable = (*outputs("conv1", "conv2"), *inputs("conv2", "fc"))
    return Case("concat_itself", head(x), IMAGE, removable, ENDS)


@network
def concat_positions() -> Case:
    """A concatenation along the height ties the channels, and lengthens nothing else."""
    x = relu(conv(image(), "conv1", 8))
    x = mx.sym.Concat(conv(x, "left", 10), conv(x, "right", 10), dim=2)
    removable = (*outputs("conv1", "left", "right"), *inputs("left", "right", "fc"))
    return Case("concat_positions", head(x), IMAGE, removable, ENDS)


@network
def shared_weight() -> Case:
    """One weight in two convolutions, one behind the other: it ties its two channel axes."""
    weight, bias = mx.sym.var("shared_weight"), mx.sym.var("shared_bias")
    x = relu(conv(image(), "conv1", 12))
    x = relu(conv(x, "first", 12, weight=weight, bias=bias))
    x = relu(conv(x, "second", 12, weight=weight, bias=bias))
    removable = (*outputs("conv1", "shared"), *inputs("shared", "fc"))
    return Case("shared_weight", head(x), IMAGE, removable, ENDS)


@network
def siamese() -> Case:
    """Two inputs through the same two layers; what is removed leaves both branches."""
    weights = {
        name: mx.sym.var(name) for name in ("conv1_weight", "conv1_bias", "conv2_weight", "conv2_bias")
    }

    def branch(side: str) -> mx.sym.Symbol:
        x = mx.sym.var(side)
        for layer, filters in (("conv1", 12), ("conv2", 10)):
            shared = {"weight": weights[f"{layer}_weight"], "bias": weights[f"{layer}_bias"]}
            x = relu(conv(x, f"{side}_{layer}", filters, **shared))
        return mx.sym.Flatten(global_pool(x, f"{side}_pool"))

    x = dense(mx.sym.Concat(branch("left"), branch("right"), dim=1), "fc", 5)
    removable = (*outputs("conv1", "conv2"), *inputs("conv2", "fc"))
    return Case("siamese", x, {"left": (2, 3, 8, 8), "right": (2, 3, 6, 6)}, removable, ENDS)


@network
def siamese_difference() -> Case:
    weight = mx.sym.var("conv1_weight")
    left, right = (
        relu(conv(mx.sym.var(side), f"{side}_conv", 12, weight=weight, no_bias=True))
        for side in ("left", "right")
    )
    x = head(mx.sym.abs(left - right))
    shapes = {"left": (2, 3, 8, 8), "right": (2, 3, 8, 8)}
    return Case("siamese_difference", x, shapes, (("conv1_weight", 0), *inputs("fc")), ENDS)


@network
def sum_of_three() -> Case:
    x = relu(conv(image(), "conv1", 8))
    x = mx.sym.add_n(*(conv(x, name, 12) for name in ("left", "middle", "right")))
    layers = ("left", "middle", "right")
    removable = (*outputs("conv1", *layers), *inputs(*layers, "fc"))
    return Case("sum_of_three", head(relu(x)), IMAGE, removable, ENDS)


@network
def stack_sum() -> Case:
    x = relu(conv(image(), "conv1", 8))
    x = mx.sym.stack(conv(x, "left", 12), conv(x, "right", 12), axis=1)
    x = relu(mx.sym.sum(x, axis=1))
    removable = (*outputs("conv1", "left", "right"), *inputs("left", "right", "fc"))
    return Case("stack_sum", head(x), IMAGE, removable, ENDS)


def _shortcut(name: str, pad: Callable[[Any], Any]) -> Case:
    """A residual block whose shortcut gets six new channels from ``pad`` and has no weights."""
    x = relu(conv(image(), "conv1", 8))
    y = conv(relu(conv(x, "conv2", 10, stride=2)), "conv3", 14)
    shortcut = pad(mx.sym.Pooling(x, kernel=(2, 2), stride=(2, 2), pool_type="avg"))
    removable = (*outputs("conv1", "conv2", "conv3"), *inputs("conv2", "conv3", "fc"))
    return Case(name, head(relu(shortcut + y)), IMAGE, removable, ENDS)


def _pad_channels(before: int, after: int) -> Callable[[Any], Any]:
    # MXNet pads neither of the first two axes, so the channels are moved to the end for it.
    def pad(x: Any) -> Any:
        widths = (0, 0, 0, 0, 0, 0, before, after)
        x = mx.sym.transpose(x, axes=(0, 2, 3, 1))
        x = mx.sym.Pad(x, mode="constant", pad_width=widths, constant_value=0)
        return mx.sym.transpose(x, axes=(0, 3, 1, 2))

    return pad


@network
def padded_shortcut() -> Case:
    return _shortcut("padded_shortcut", _pad_channels(0, 6))


@network
def padded_shortcut_both_sides() -> Case:
    return _shortcut("padded_shortcut_both_sides", _pad_channels(2, 4))


@network
def zeros_shortcut() -> Case:
    """The new channels are a constant whose shape an attribute gives."""
    return _shortcut("zeros_shortcut", lambda x: mx.sym.Concat(x, mx.sym.zeros(shape=(2, 6, 4, 4)), dim=1))


@network
def padded_positions() -> Case:
    x = mx.sym.Pad(image(), mode="reflect", pad_width=(0, 0, 0, 0, 1, 1, 1, 1))
    x = relu(conv(x, "conv1", 12, pad=0))
    x = mx.sym.Pad(x, mode="edge", pad_width=(0, 0, 0, 0, 1, 2, 0, 1))
    x = conv(x, "conv2", 10, pad=0)
    removable = (*outputs("conv1", "conv2"), *inputs("conv2", "fc"))
    return Case("padded_positions", head(x), IMAGE, removable, ENDS)


@network
def upsampling() -> Case:
    x = relu(conv(image(), "conv1", 12))
    y = mx.sym.Pooling(x, kernel=(2, 2), stride=(2, 2), pool_type="max")
    y = mx.sym.UpSampling(conv(y, "conv2", 12), scale=2, sample_type="nearest", num_args=1)
    removable = (*outputs("conv1", "conv2"), *inputs("conv2", "fc"))
    return Case("upsampling", head(relu(x + y)), IMAGE, removable, ENDS)


@network
def upsampling_concat() -> Case:
    """Two maps of different size, brought to one size and concatenated in one operator."""
    x = relu(conv(image(), "conv1", 12))
    y = relu(conv(x, "conv2", 10, stride=2))
    x = mx.sym.UpSampling(x, y, scale=2, sample_type="nearest", num_args=2, multi_input_mode="concat")
    x = conv(x, "conv3", 9)
    removable = (*outputs("conv1", "conv2", "conv3"), *inputs("conv2", "conv3", "fc"))
    return Case("upsampling_concat", head(x), IMAGE, removable, ENDS)


BUILDERS = (
    residual,
    residual_projection,
    concat_two,
    concat_three,
    concat_itself,
    concat_positions,
    shared_weight,
    siamese,
    siamese_difference,
    sum_of_three,
    stack_sum,
    padded_shortcut,
    padded_shortcut_both_sides,
    zeros_shortcut,
    padded_positions,
    upsampling,
    upsampling_concat,
)
