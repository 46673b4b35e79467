"""Gates, constants, and operators that look at several channels at once."""

from __future__ import annotations

from typing import Any

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
    outputs,
    relu,
)

IMAGE = {"data": (2, 3, 8, 8)}


@network
def squeeze_excite() -> Case:
    x = relu(conv(image(), "conv1", 12))
    gate = relu(conv(global_pool(x, "squeeze"), "reduce", 5, 1))
    gate = mx.sym.sigmoid(conv(gate, "expand", 12, 1))
    x = mx.sym.broadcast_mul(x, gate)
    removable = (*outputs("conv1", "reduce", "expand"), *inputs("reduce", "expand", "fc"))
    return Case("squeeze_excite", head(x), IMAGE, removable, ENDS)


@network
def squeeze_excite_dense() -> Case:
    """The gate is computed by dense layers and reshaped back, with the channels as a number."""
    x = relu(conv(image(), "conv1", 12))
    gate = relu(dense(mx.sym.Flatten(global_pool(x, "squeeze")), "reduce", 5))
    gate = mx.sym.sigmoid(dense(gate, "expand", 12))
    x = mx.sym.broadcast_mul(mx.sym.Reshape(gate, shape=(-1, 12, 1, 1)), x)
    removable = (*outputs("conv1", "reduce", "expand"), *inputs("reduce", "expand", "fc"))
    return Case("squeeze_excite_dense", head(x), IMAGE, removable, ENDS)


@network
def hard_swish_block() -> Case:
    """MobileNetV3: expansion, depthwise layer, squeeze-excite with hard gates, projection, sum."""

    def gate(x: Any) -> Any:
        return mx.sym.clip(x + 3.0, a_min=0.0, a_max=6.0) / 6.0

    x = relu(bn(conv(image(), "conv1", 12), "bn1"))
    y = bn(conv(x, "expand", 18, 1), "bn2")
    y = conv(y * gate(y), "depthwise", 18, num_group=18)
    scale = relu(conv(global_pool(y, "squeeze"), "se_reduce", 7, 1))
    y = mx.sym.broadcast_mul(y, gate(conv(scale, "se_expand", 18, 1)))
    x = x + conv(y, "project", 12, 1)
    layers = ("conv1", "expand", "depthwise", "se_reduce", "se_expand", "project")
    removable = (*outputs(*layers), *inputs("expand", "se_reduce", "se_expand", "project", "fc"))
    return Case("hard_swish_block", head(x), IMAGE, removable, ENDS)


@network
def gate_by_parameter() -> Case:
    """A learned factor and a learned offset for each channel."""
    x = relu(conv(image(), "conv1", 12))
    x = mx.sym.broadcast_mul(x, mx.sym.var("factor_weight", shape=(1, 12, 1, 1)))
    x = mx.sym.broadcast_add(x, mx.sym.var("offset_bias", shape=(1, 12, 1, 1)))
    removable = (*outputs("conv1"), ("factor_weight", 1), ("offset_bias", 1), *inputs("fc"))
    return Case("gate_by_parameter", head(relu(x)), IMAGE, removable, ENDS)


@network
def gate_by_number() -> Case:
    """One learned factor for all channels: its axis has size one and couples with nothing."""
    x = relu(conv(image(), "conv1", 12))
    x = mx.sym.broadcast_mul(x, mx.sym.var("factor_weight", shape=(1, 1, 1, 1)))
    removable = (*outputs("conv1"), *inputs("fc"))
    return Case("gate_by_number", head(x), IMAGE, removable, (*ENDS, ("factor_weight", 1)))


@network
def full_constant() -> Case:
    """A learned tensor of the whole shape, positions and all."""
    x = conv(image(), "conv1", 12)
    x = relu(x + mx.sym.var("position_weight", shape=(2, 12, 8, 8)))
    removable = (*outputs("conv1"), ("position_weight", 1), *inputs("fc"))
    kept = (*ENDS, ("position_weight", 0), ("position_weight", 2), ("position_weight", 3))
    return Case("full_constant", head(x), IMAGE, removable, kept)


@network
def where() -> Case:
    x = relu(conv(image(), "conv1", 8))
    condition = conv(x, "switch", 12) > 0.1
    x = mx.sym.where(condition, conv(x, "left", 12), conv(x, "right", 12))
    layers = ("switch", "left", "right")
    removable = (*outputs("conv1", *layers), *inputs(*layers, "fc"))
    return Case("where", head(x), IMAGE, removable, ENDS)


@network
def l2_normalised_channels() -> Case:
    """Divided by the length over the channels, to which a channel of zeros adds nothing."""
    x = relu(conv(image(), "conv1", 12))
    x = conv(mx.sym.L2Normalization(x, mode="channel"), "conv2", 10)
    removable = (*outputs("conv1", "conv2"), *inputs("conv2", "fc"))
    return Case("l2_normalised_channels", head(x), IMAGE, removable, ENDS)


@network
def l2_normalised_offset() -> Case:
    """The same behind a sigmoid: a masked channel is a half, and does count."""
    x = mx.sym.sigmoid(conv(image(), "conv1", 12))
    x = conv(mx.sym.L2Normalization(x, mode="channel"), "conv2", 10)
    return Case(
        "l2_normalised_offset",
        head(x),
        IMAGE,
        (*outputs("conv2"), *inputs("fc")),
        ENDS,
        approximate=(*outputs("conv1"), *inputs("conv2")),
    )


@network
def softmax_over_channels() -> Case:
    x = mx.sym.softmax(conv(image(), "conv1", 12), axis=1)
    x = conv(x, "conv2", 10)
    return Case(
        "softmax_over_channels",
        head(x),
        IMAGE,
        (*outputs("conv2"), *inputs("fc")),
        ENDS,
        approximate=(*outputs("conv1"), *inputs("conv2")),
    )


@network
def softmax_over_positions() -> Case:
    """A softmax that leaves the channels apart."""
    x = mx.sym.softmax(mx.sym.Reshape(conv(image(), "conv1", 12), shape=(0, 0, -1)), axis=-1)
    x = conv(mx.sym.Reshape(x, shape=(0, 0, 8, 8)), "conv2", 10)
    removable = (*outputs("conv1", "conv2"), *inputs("conv2", "fc"))
    return Case("softmax_over_positions", head(x), IMAGE, removable, ENDS)


@network
def local_response() -> Case:
    """Each channel is divided by its neighbours, and removal changes who they are."""
    x = mx.sym.LRN(relu(conv(image(), "conv1", 12)), nsize=3, alpha=0.5)
    x = conv(x, "conv2", 10)
    return Case(
        "local_response",
        head(x),
        IMAGE,
        (*outputs("conv2"), *inputs("fc")),
        ENDS,
        approximate=(*outputs("conv1"), *inputs("conv2")),
    )


@network
def instance_norm() -> Case:
    x = mx.sym.InstanceNorm(conv(image(), "conv1", 12), name="norm1")
    x = conv(relu(x), "conv2", 10)
    norm = (("norm1_gamma", 0), ("norm1_beta", 0))
    removable = (*outputs("conv1", "conv2"), *norm, *inputs("conv2", "fc"))
    return Case("instance_norm", head(x), IMAGE, removable, ENDS)


@network
def group_norm() -> Case:
    """Statistics over groups of channels; gamma and beta are one number for each group."""
    x = mx.sym.GroupNorm(conv(image(), "conv1", 12), name="norm1", num_groups=3)
    x = conv(relu(x), "conv2", 10)
    return Case(
        "group_norm",
        head(x),
        IMAGE,
        (*outputs("conv2"), *inputs("fc")),
        ENDS,
        approximate=(*outputs("conv1"), *inputs("conv2")),
    )


@network
def sum_of_channels() -> Case:
    """A map made by adding all channels: one of zeros adds nothing."""
    x = relu(conv(image(), "conv1", 12))
    x = mx.sym.sum(x, axis=1, keepdims=True)
    x = conv(x, "conv2", 10)
    removable = (*outputs("conv1", "conv2"), *inputs("fc"))
    return Case("sum_of_channels", head(x), IMAGE, removable, (*ENDS, *inputs("conv2")))


@network
def attention_over_positions() -> Case:
    """A gate for each position from the mean and the maximum over the channels."""
    x = relu(conv(image(), "conv1", 12))
    pooled = mx.sym.Concat(mx.sym.mean(x, axis=1, keepdims=True), mx.sym.max(x, axis=1, keepdims=True), dim=1)
    x = mx.sym.broadcast_mul(x, mx.sym.sigmoid(conv(pooled, "gate", 1)))
    return Case(
        "attention_over_positions",
        head(x),
        IMAGE,
        (),
        (*ENDS, *outputs("gate"), *inputs("gate")),
        approximate=(*outputs("conv1"), *inputs("fc")),
    )


@network
def computed_weight() -> Case:
    """Cosine similarity to learned class centres: a weight that is an operator's output."""
    x = dense(mx.sym.Flatten(relu(conv(image(), "conv1", 12))), "fc1", 16)
    centres = mx.sym.L2Normalization(mx.sym.var("centres_weight", shape=(5, 16)), mode="instance")
    x = mx.sym.L2Normalization(x, mode="instance") * 4.0
    x = dense(x, "cosine", 5, weight=centres, no_bias=True)
    removable = (*outputs("conv1", "fc1"), *inputs("fc1", "centres"))
    kept = (("conv1_weight", 1), ("centres_weight", 0))
    return Case("computed_weight", x, {"data": (2, 3, 4, 4)}, removable, kept)


BUILDERS = (
    squeeze_excite,
    squeeze_excite_dense,
    hard_swish_block,
    gate_by_parameter,
    gate_by_number,
    full_constant,
    where,
    l2_normalised_channels,
    l2_normalised_offset,
    softmax_over_channels,
    softmax_over_positions,
    local_response,
    instance_norm,
    group_norm,
    sum_of_channels,
    attention_over_positions,
    computed_weight,
)
