"""Blocks of well-known architectures."""

from __future__ import annotations

from typing import Any

import mxnet as mx

from networks.case import (
    ENDS,
    Case,
    bn,
    conv,
    conv_bn_relu,
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


def _pool(x: Any, kind: str = "max") -> Any:
    return mx.sym.Pooling(x, kernel=(2, 2), stride=(2, 2), pool_type=kind)


@network
def unet() -> Case:
    """Down and up again, with the maps of the way down concatenated on the way up."""
    one = relu(conv(image(), "conv1", 8))
    two = relu(conv(_pool(one), "down2", 12))
    x = relu(conv(_pool(two), "down3", 16))
    up = {"kernel": (2, 2), "stride": (2, 2), "no_bias": True}
    x = mx.sym.Deconvolution(x, name="up2", num_filter=10, **up)
    x = relu(conv(mx.sym.Concat(x, two, dim=1), "merge2", 14))
    x = mx.sym.Deconvolution(x, name="up1", num_filter=9, **up)
    x = relu(conv(mx.sym.Concat(x, one, dim=1), "merge1", 11))
    x = conv(x, "mask", 2, 1)
    removable = (
        *outputs("conv1", "down2", "down3", "merge2", "merge1"),
        *(("up2_weight", 0), ("up2_weight", 1), ("up1_weight", 0), ("up1_weight", 1)),
        *inputs("down2", "down3", "merge2", "merge1", "mask"),
    )
    return Case("unet", x, IMAGE, removable, (("conv1_weight", 1), *outputs("mask")))


@network
def inception_block() -> Case:
    x = conv_bn_relu(image(), "conv1", 8)
    one = conv_bn_relu(x, "one", 10, 1)
    three = conv_bn_relu(conv_bn_relu(x, "three_reduce", 9, 1), "three", 14)
    five = conv_bn_relu(conv_bn_relu(x, "five_reduce", 7, 1), "five", 11, 5)
    pooled = mx.sym.Pooling(x, kernel=(3, 3), stride=(1, 1), pad=(1, 1), pool_type="avg")
    pooled = conv_bn_relu(pooled, "pooled", 12, 1)
    x = conv_bn_relu(mx.sym.Concat(one, three, five, pooled, dim=1), "conv2", 13)
    inner = ("one", "three_reduce", "three", "five_reduce", "five", "pooled", "conv2")
    removable = (
        *((f"{name}_weight", 0) for name in ("conv1", *inner)),
        *norms(*(f"{name}_bn" for name in ("conv1", *inner))),
        *inputs(*inner, "fc"),
    )
    return Case("inception_block", head(x), IMAGE, removable, ENDS)


@network
def dense_block() -> Case:
    """Each layer sees all before it, through a batch normalisation of its own."""
    x = conv(image(), "conv1", 10)
    layers = (("layer1", 5), ("layer2", 6), ("layer3", 7))
    for name, growth in layers:
        y = conv(relu(bn(x, f"{name}_bn1")), f"{name}_reduce", 9, 1)
        y = conv(relu(bn(y, f"{name}_bn2")), f"{name}_conv", growth)
        x = mx.sym.Concat(x, y, dim=1)
    x = _pool(conv(relu(bn(x, "transition_bn")), "transition", 11, 1), "avg")
    convolutions = tuple(f"{name}_{part}" for name, _ in layers for part in ("reduce", "conv"))
    normalisations = tuple(f"{name}_{part}" for name, _ in layers for part in ("bn1", "bn2"))
    removable = (
        *outputs("conv1", *convolutions, "transition"),
        *norms(*normalisations, "transition_bn"),
        *inputs(*convolutions, "transition", "fc"),
    )
    return Case("dense_block", head(x), IMAGE, removable, ENDS)


@network
def split_attention() -> Case:
    """ResNeSt: two sums of groups, weighted by a softmax over the two."""
    x = relu(conv(image(), "conv1", 12))
    y = relu(conv(x, "branches", 20, num_group=2))
    parts = mx.sym.SliceChannel(
        mx.sym.Reshape(y, shape=(0, -4, 2, -1, -2)), num_outputs=2, axis=1, squeeze_axis=True
    )
    pooled = relu(conv(global_pool(parts[0] + parts[1], "pool1"), "reduce", 7, 1))
    weights = mx.sym.Reshape(conv(pooled, "expand", 20, 1), shape=(0, 2, -1))
    weights = mx.sym.softmax(weights, axis=1)
    weights = mx.sym.Reshape(weights, shape=(0, 2, 10, 1, 1))
    y = mx.sym.broadcast_mul(weights, mx.sym.Reshape(y, shape=(0, 2, -1, 8, 8)))
    x = conv(mx.sym.sum(y, axis=1), "conv2", 9)
    removable = (
        *outputs("conv1", "branches", "reduce", "expand", "conv2"),
        *inputs("branches", "reduce", "expand", "conv2", "fc"),
    )
    return Case("split_attention", head(x), IMAGE, removable, ENDS)


@network
def feature_pyramid() -> Case:
    """Maps of three sizes brought to one width, and added from the coarse to the fine."""
    fine = relu(conv(image(), "conv1", 8))
    middle = relu(conv(fine, "conv2", 10, stride=2))
    coarse = relu(conv(middle, "conv3", 14, stride=2))
    top = conv(coarse, "lateral3", 12, 1)
    up = {"scale": 2, "sample_type": "nearest", "num_args": 1}
    centre = conv(middle, "lateral2", 12, 1) + mx.sym.UpSampling(top, **up)
    base = conv(fine, "lateral1", 12, 1) + mx.sym.UpSampling(centre, **up)
    weight, bias = mx.sym.var("predict_weight"), mx.sym.var("predict_bias")
    maps = [
        conv(x, f"predict{level}", 4, weight=weight, bias=bias) for level, x in enumerate((base, centre, top))
    ]
    layers = ("conv2", "conv3", "lateral1", "lateral2", "lateral3")
    removable = (*outputs("conv1", *layers), *inputs(*layers, "predict"))
    kept = (("conv1_weight", 1), *outputs("predict"))
    return Case("feature_pyramid", mx.sym.Group(maps), IMAGE, removable, kept)


BUILDERS = (unet, inception_block, dense_block, split_attention, feature_pyramid)
