"""Convolutions in groups, and channels shuffled between groups."""

from __future__ import annotations

from typing import Any

import mxnet as mx

from networks.case import (
    ENDS,
    Case,
    bn,
    conv,
    conv_bn_relu,
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
def grouped() -> Case:
    x = relu(conv(image(), "conv1", 12))
    x = relu(conv(x, "conv2", 18, num_group=3))
    x = conv(x, "conv3", 10)
    removable = (*outputs("conv1", "conv2", "conv3"), *inputs("conv2", "conv3", "fc"))
    return Case("grouped", head(x), IMAGE, removable, ENDS)


@network
def grouped_chain() -> Case:
    """Two grouped convolutions whose groups do not line up."""
    x = relu(conv(image(), "conv1", 12))
    x = relu(conv(x, "conv2", 24, num_group=3))
    x = conv(relu(conv(x, "conv3", 16, num_group=4)), "conv4", 10)
    removable = (*outputs("conv1", "conv2", "conv3", "conv4"), *inputs("conv4", "fc"))
    return Case("grouped_chain", head(x), IMAGE, removable, ENDS)


@network
def depthwise() -> Case:
    x = conv_bn_relu(image(), "conv1", 12)
    x = conv_bn_relu(x, "depthwise", 12, num_group=12)
    x = conv(x, "pointwise", 10, 1)
    removable = (
        ("conv1_weight", 0),
        ("depthwise_weight", 0),
        *norms("conv1_bn", "depthwise_bn"),
        *outputs("pointwise"),
        *inputs("pointwise", "fc"),
    )
    return Case("depthwise", head(x), IMAGE, removable, (*ENDS, ("depthwise_weight", 1)))


@network
def depthwise_multiplier() -> Case:
    """Two outputs for each input channel; they leave together."""
    x = relu(conv(image(), "conv1", 12))
    x = relu(conv(x, "depthwise", 24, num_group=12))
    x = conv(x, "pointwise", 10, 1)
    removable = (*outputs("conv1", "depthwise", "pointwise"), *inputs("pointwise", "fc"))
    return Case("depthwise_multiplier", head(x), IMAGE, removable, (*ENDS, ("depthwise_weight", 1)))


@network
def depthwise_on_data() -> Case:
    """A depthwise layer on the picture itself: its groups are the picture's channels.

    Its outputs could go only if every group lost equally many, so they are neither asked for nor kept.
    """
    x = relu(conv(image(), "conv1", 6, num_group=3))
    x = conv(x, "pointwise", 10, 1)
    removable = (*outputs("pointwise"), *inputs("fc"))
    return Case("depthwise_on_data", head(x), IMAGE, removable, ENDS)


def _shuffled(name: str, shuffle: Any) -> Case:
    x = conv_bn_relu(image(), "conv1", 18)
    x = conv(shuffle(x), "conv2", 15, num_group=3)
    removable = (
        ("conv1_weight", 0),
        *norms("conv1_bn"),
        *outputs("conv2"),
        *inputs("conv2", "fc"),
    )
    return Case(name, head(relu(x)), IMAGE, removable, ENDS)


@network
def shuffle_codes() -> Case:
    def shuffle(x: Any) -> Any:
        x = mx.sym.Reshape(x, shape=(0, -4, 3, -1, -2))
        return mx.sym.Reshape(mx.sym.SwapAxis(x, dim1=1, dim2=2), shape=(0, -3, -2))

    return _shuffled("shuffle_codes", shuffle)


@network
def shuffle_literals() -> Case:
    def shuffle(x: Any) -> Any:
        x = mx.sym.Reshape(x, shape=(2, 3, 6, 8, 8))
        return mx.sym.Reshape(mx.sym.transpose(x, axes=(0, 2, 1, 3, 4)), shape=(2, 18, 8, 8))

    return _shuffled("shuffle_literals", shuffle)


@network
def shuffle_inferred() -> Case:
    def shuffle(x: Any) -> Any:
        x = mx.sym.reshape(x, shape=(0, 3, -1, 8, 8))
        return mx.sym.reshape(mx.sym.transpose(x, axes=(0, 2, 1, 3, 4)), shape=(0, -1, 8, 8))

    return _shuffled("shuffle_inferred", shuffle)


@network
def shuffle_two_groups() -> Case:
    """A shuffle between two grouped convolutions with different groups."""
    x = relu(conv(image(), "conv1", 12, num_group=3))
    x = relu(conv(x, "conv2", 12, 1, num_group=2))
    x = mx.sym.Reshape(x, shape=(0, -4, 2, -1, -2))
    x = mx.sym.Reshape(mx.sym.transpose(x, axes=(0, 2, 1, 3, 4)), shape=(0, -3, -2))
    x = bn(conv(x, "conv3", 16, 1, num_group=2), "bn3")
    removable = (*outputs("conv2", "conv3"), *norms("bn3"), *inputs("conv3", "fc"))
    return Case("shuffle_two_groups", head(x), IMAGE, removable, ENDS)


@network
def shuffle_unit() -> Case:
    """ShuffleNet V2: half of the channels pass by, the halves are shuffled."""
    x = relu(conv(image(), "conv1", 16))
    for unit in ("unit1", "unit2"):
        halves = mx.sym.SliceChannel(x, num_outputs=2, axis=1)
        y = relu(conv(halves[1], f"{unit}_expand", 8, 1))
        y = conv(y, f"{unit}_depthwise", 8, num_group=8)
        y = relu(conv(y, f"{unit}_pointwise", 8, 1))
        x = mx.sym.Concat(halves[0], y, dim=1)
        x = mx.sym.Reshape(x, shape=(0, -4, 2, -1, -2))
        x = mx.sym.Reshape(mx.sym.SwapAxis(x, dim1=1, dim2=2), shape=(0, -3, -2))
    x = relu(conv(x, "conv2", 10))
    expand = ("unit1_expand", "unit1_depthwise", "unit2_expand", "unit2_depthwise")
    removable = (*outputs(*expand, "conv2"), *inputs("fc"), *inputs("unit1_pointwise", "unit2_pointwise"))
    return Case("shuffle_unit", head(x), IMAGE, removable, ENDS)


@network
def resnext_block() -> Case:
    x = conv_bn_relu(image(), "conv1", 16)
    y = conv_bn_relu(x, "reduce", 12, 1)
    y = conv_bn_relu(y, "groups", 12, num_group=4)
    y = bn(conv(y, "expand", 16, 1, no_bias=True), "expand_bn")
    layers = ("conv1", "reduce", "groups", "expand")
    removable = (
        *((f"{layer}_weight", 0) for layer in layers),
        *norms(*(f"{layer}_bn" for layer in layers)),
        *inputs("reduce", "groups", "expand", "fc"),
    )
    return Case("resnext_block", head(relu(x + y)), IMAGE, removable, ENDS)


BUILDERS = (
    grouped,
    grouped_chain,
    depthwise,
    depthwise_multiplier,
    depthwise_on_data,
    shuffle_codes,
    shuffle_literals,
    shuffle_inferred,
    shuffle_two_groups,
    shuffle_unit,
    resnext_block,
)
