"""Axes made into others: positions and channels, copies, axes of size one."""

from __future__ import annotations

import mxnet as mx

from networks.case import ENDS, Case, conv, dense, global_pool, head, image, inputs, network, outputs, relu

IMAGE = {"data": (2, 3, 8, 8)}


@network
def depth_to_space() -> Case:
    """Four channels become one; they go together."""
    x = mx.sym.depth_to_space(relu(conv(image(), "conv1", 24)), block_size=2)
    x = conv(x, "conv2", 10)
    removable = (*outputs("conv1", "conv2"), *inputs("conv2", "fc"))
    return Case("depth_to_space", head(x), {"data": (2, 3, 4, 4)}, removable, ENDS)


@network
def space_to_depth() -> Case:
    x = mx.sym.space_to_depth(relu(conv(image(), "conv1", 6)), block_size=2)
    x = conv(x, "conv2", 10)
    removable = (*outputs("conv1", "conv2"), *inputs("conv2", "fc"))
    return Case("space_to_depth", head(x), IMAGE, removable, ENDS)


@network
def pixel_shuffle() -> Case:
    """Channels become positions by reshape and transpose, the channel outermost."""
    x = relu(conv(image(), "conv1", 24))
    x = mx.sym.Reshape(x, shape=(0, -4, -1, 4, 0, 0))
    x = mx.sym.Reshape(x, shape=(0, 0, -4, 2, 2, 0, 0))
    x = mx.sym.transpose(x, axes=(0, 1, 4, 2, 5, 3))
    x = conv(mx.sym.Reshape(x, shape=(0, 0, -3, -3)), "conv2", 10)
    removable = (*outputs("conv1", "conv2"), *inputs("conv2", "fc"))
    return Case("pixel_shuffle", head(x), {"data": (2, 3, 4, 4)}, removable, ENDS)


@network
def pixel_shuffle_padded() -> Case:
    """Padding behind a pixel shuffle: the positions it made of channels stay, the channels go."""
    x = relu(conv(image(), "conv1", 24))
    x = mx.sym.Reshape(x, shape=(0, -4, -1, 4, 0, 0))
    x = mx.sym.Reshape(x, shape=(0, 0, -4, 2, 2, 0, 0))
    x = mx.sym.transpose(x, axes=(0, 1, 4, 2, 5, 3))
    x = mx.sym.Reshape(x, shape=(0, 0, -3, -3))
    x = mx.sym.Pad(x, mode="constant", pad_width=(0, 0, 0, 0, 1, 1, 1, 1))
    x = conv(x, "conv2", 10)
    removable = (*outputs("conv1", "conv2"), *inputs("conv2", "fc"))
    return Case("pixel_shuffle_padded", head(x), {"data": (2, 3, 4, 4)}, removable, ENDS)


@network
def tile() -> Case:
    x = mx.sym.tile(relu(conv(image(), "conv1", 8)), reps=(1, 2, 1, 1))
    x = conv(x, "conv2", 10)
    removable = (*outputs("conv1", "conv2"), *inputs("conv2", "fc"))
    return Case("tile", head(x), IMAGE, removable, ENDS)


@network
def repeat() -> Case:
    x = mx.sym.repeat(relu(conv(image(), "conv1", 8)), repeats=3, axis=1)
    x = conv(x, "conv2", 10)
    removable = (*outputs("conv1", "conv2"), *inputs("conv2", "fc"))
    return Case("repeat", head(x), IMAGE, removable, ENDS)


@network
def squeeze() -> Case:
    x = mx.sym.squeeze(global_pool(relu(conv(image(), "conv1", 12))), axis=(2, 3))
    x = dense(relu(dense(x, "fc1", 10)), "fc", 5)
    removable = (*outputs("conv1", "fc1"), *inputs("fc1", "fc"))
    return Case("squeeze", x, IMAGE, removable, ENDS)


@network
def expand_dims() -> Case:
    """A vector added to every position."""
    x = relu(conv(image(), "conv1", 12))
    vector = dense(mx.sym.var("vector"), "fc1", 12)
    vector = mx.sym.expand_dims(mx.sym.expand_dims(vector, axis=2), axis=-1)
    x = conv(relu(mx.sym.broadcast_add(x, vector)), "conv2", 10)
    removable = (*outputs("conv1", "fc1", "conv2"), *inputs("conv2", "fc"))
    shapes = {**IMAGE, "vector": (2, 7)}
    return Case("expand_dims", head(x), shapes, removable, (*ENDS, ("fc1_weight", 1)))


@network
def broadcast_axis() -> Case:
    """A pooled map stretched back over the positions and concatenated."""
    x = relu(conv(image(), "conv1", 12))
    context = relu(conv(global_pool(x, "context_pool"), "context", 10, 1))
    context = mx.sym.broadcast_axis(context, axis=(2, 3), size=(8, 8))
    x = conv(mx.sym.Concat(x, context, dim=1), "conv2", 9)
    removable = (*outputs("conv1", "context", "conv2"), *inputs("context", "conv2", "fc"))
    return Case("broadcast_axis", head(x), IMAGE, removable, ENDS)


@network
def mean_over_positions() -> Case:
    x = mx.sym.mean(relu(conv(image(), "conv1", 12)), axis=(2, 3))
    return Case("mean_over_positions", dense(x, "fc", 5), IMAGE, (*outputs("conv1"), *inputs("fc")), ENDS)


@network
def gather_positions() -> Case:
    """Pictures as sequences: (N, C, H, W) to (N, H*W, C), a dense layer, and back."""
    x = relu(conv(image(), "conv1", 12))
    x = mx.sym.transpose(mx.sym.Reshape(x, shape=(0, 0, -3)), axes=(0, 2, 1))
    x = relu(dense(x, "token", 10, flatten=False))
    x = mx.sym.Reshape(mx.sym.transpose(x, axes=(0, 2, 1)), shape=(0, 0, -4, 8, 8))
    x = conv(x, "conv2", 9)
    removable = (*outputs("conv1", "token", "conv2"), *inputs("token", "conv2", "fc"))
    return Case("gather_positions", head(x), IMAGE, removable, ENDS)


BUILDERS = (
    depth_to_space,
    space_to_depth,
    pixel_shuffle,
    tile,
    repeat,
    squeeze,
    expand_dims,
    broadcast_axis,
    mean_over_positions,
    gather_positions,
)
