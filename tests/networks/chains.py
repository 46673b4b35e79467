"""Layers one behind the other."""

from __future__ import annotations

import mxnet as mx

from networks.case import (
    ENDS,
    Case,
    bn,
    conv,
    conv_bn_relu,
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
def chain() -> Case:
    x = relu(bn(conv(image(), "conv1", 12), "bn1"))
    x = relu(bn(conv(x, "conv2", 10), "bn2"))
    removable = (*outputs("conv1", "conv2"), *norms("bn1", "bn2"), *inputs("conv2", "fc"))
    return Case("chain", head(x), IMAGE, removable, ENDS)


@network
def grey_image() -> Case:
    """One input channel and one group: an ordinary convolution, however much it looks depthwise."""
    x = relu(conv(image(), "conv1", 10))
    return Case("grey_image", head(x), {"data": (2, 1, 8, 8)}, (*outputs("conv1"), *inputs("fc")), ENDS)


@network
def single_channel() -> Case:
    """A convolution with one output channel, whose map gates all channels."""
    x = relu(conv(image(), "conv1", 10))
    gate = mx.sym.sigmoid(conv(x, "gate", 1))
    x = mx.sym.broadcast_mul(x, gate)
    removable = (*outputs("conv1"), *inputs("gate", "fc"))
    return Case("single_channel", head(x), IMAGE, removable, (*ENDS, *outputs("gate")))


@network
def batch_norm_fixed_gamma() -> Case:
    x = relu(bn(conv(image(), "conv1", 12), "bn1", fix_gamma=True))
    removable = (*outputs("conv1"), *norms("bn1"), *inputs("fc"))
    return Case("batch_norm_fixed_gamma", head(x), IMAGE, removable, ENDS)


@network
def batch_norm_last_axis() -> Case:
    x = mx.sym.transpose(conv(image(), "conv1", 12), axes=(0, 2, 3, 1))
    x = relu(bn(x, "bn1", axis=3))
    x = conv(mx.sym.transpose(x, axes=(0, 3, 1, 2)), "conv2", 9)
    removable = (*outputs("conv1", "conv2"), *norms("bn1"), *inputs("conv2", "fc"))
    return Case("batch_norm_last_axis", head(x), IMAGE, removable, ENDS)


@network
def batch_norm_on_data() -> Case:
    x = relu(conv(bn(image(), "bn_data", fix_gamma=True), "conv1", 12))
    return Case(
        "batch_norm_on_data",
        head(x),
        IMAGE,
        (*outputs("conv1"), *inputs("fc")),
        (*ENDS, *norms("bn_data")),
    )


@network
def channels_last() -> Case:
    """A dense layer over the channels of a transposed picture."""
    x = mx.sym.transpose(relu(conv(image(), "conv1", 12)), axes=(0, 2, 3, 1))
    x = mx.sym.transpose(relu(dense(x, "mlp", 10, flatten=False)), axes=(0, 3, 1, 2))
    x = conv(x, "conv2", 9)
    removable = (*outputs("conv1", "mlp", "conv2"), *inputs("mlp", "conv2", "fc"))
    return Case("channels_last", head(x), IMAGE, removable, ENDS)


@network
def flatten_dense() -> Case:
    x = mx.sym.Flatten(relu(conv(image(), "conv1", 10)))
    x = dense(relu(dense(x, "fc1", 16)), "fc", 5)
    removable = (*outputs("conv1", "fc1"), *inputs("fc1", "fc"))
    return Case("flatten_dense", x, {"data": (2, 3, 4, 5)}, removable, ENDS)


@network
def dense_on_picture() -> Case:
    x = dense(relu(conv(image(), "conv1", 10)), "fc1", 16)
    x = dense(relu(x), "fc", 5)
    removable = (*outputs("conv1", "fc1"), *inputs("fc1", "fc"))
    return Case("dense_on_picture", x, {"data": (2, 3, 4, 5)}, removable, ENDS)


@network
def dense_on_last_axis() -> Case:
    x = relu(dense(image(), "fc1", 16, flatten=False))
    x = dense(relu(dense(x, "fc2", 12, flatten=False)), "fc", 5, flatten=False)
    removable = (*outputs("fc1", "fc2"), *inputs("fc2", "fc"))
    kept = (("fc1_weight", 1), ("fc_weight", 0), ("fc_bias", 0))
    return Case("dense_on_last_axis", x, {"data": (2, 7, 9)}, removable, kept)


@network
def flatten_transposed() -> Case:
    """The channels are the innermost part of what is flattened."""
    x = mx.sym.transpose(relu(conv(image(), "conv1", 10)), axes=(0, 2, 3, 1))
    x = dense(mx.sym.Flatten(x), "fc", 5)
    return Case("flatten_transposed", x, {"data": (2, 3, 4, 5)}, (*outputs("conv1"), *inputs("fc")), ENDS)


def _deconvolution(name: str, filters: int, groups: int, removable: tuple[tuple[str, int], ...]) -> Case:
    x = relu(conv(image(), "conv1", 12))
    x = mx.sym.Deconvolution(
        x,
        name="up",
        kernel=(4, 4),
        stride=(2, 2),
        pad=(1, 1),
        num_filter=filters,
        num_group=groups,
        no_bias=True,
    )
    x = conv_bn_relu(x, "conv2", 9)
    common = (*outputs("conv1"), ("up_weight", 0), ("conv2_weight", 0), *inputs("conv2", "fc"))
    return Case(name, head(x), {"data": (2, 3, 5, 5)}, (*common, *removable), ENDS)


@network
def deconvolution() -> Case:
    return _deconvolution("deconvolution", 10, 1, (("up_weight", 1),))


@network
def deconvolution_grouped() -> Case:
    return _deconvolution("deconvolution_grouped", 16, 2, (("up_weight", 1),))


@network
def deconvolution_depthwise() -> Case:
    return _deconvolution("deconvolution_depthwise", 12, 12, ())


@network
def prelu() -> Case:
    x = mx.sym.LeakyReLU(conv(image(), "conv1", 12), act_type="prelu", name="prelu1")
    removable = (*outputs("conv1"), ("prelu1_gamma", 0), *inputs("fc"))
    return Case("prelu", head(x), IMAGE, removable, ENDS)


@network
def prelu_shared() -> Case:
    slope = mx.sym.var("slope_gamma", shape=(1,))
    x = mx.sym.LeakyReLU(conv(image(), "conv1", 12), slope, act_type="prelu", name="prelu1")
    removable = (*outputs("conv1"), *inputs("fc"))
    return Case("prelu_shared", head(x), IMAGE, removable, (*ENDS, ("slope_gamma", 0)))


@network
def convolution_1d() -> Case:
    x = mx.sym.Convolution(image(), name="conv1", kernel=(3,), pad=(1,), num_filter=12)
    x = mx.sym.Convolution(relu(bn(x, "bn1")), name="conv2", kernel=(3,), num_filter=10)
    x = dense(mx.sym.mean(relu(x), axis=2), "fc", 5)
    removable = (*outputs("conv1", "conv2"), *norms("bn1"), *inputs("conv2", "fc"))
    return Case("convolution_1d", x, {"data": (2, 3, 11)}, removable, ENDS)


@network
def convolution_3d() -> Case:
    x = mx.sym.Convolution(image(), name="conv1", kernel=(3, 3, 3), pad=(1, 1, 1), num_filter=12)
    x = mx.sym.Convolution(relu(bn(x, "bn1")), name="conv2", kernel=(1, 3, 3), num_filter=10)
    x = mx.sym.Pooling(relu(x), kernel=(2, 2, 2), stride=(1, 1, 1), pool_type="max")
    x = dense(mx.sym.Flatten(x), "fc", 5)
    removable = (*outputs("conv1", "conv2"), *norms("bn1"), *inputs("conv2", "fc"))
    return Case("convolution_3d", x, {"data": (2, 3, 4, 5, 6)}, removable, ENDS)


@network
def generator() -> Case:
    """From a random vector to a picture; the channels are named by a number in the reshape."""
    x = mx.sym.Reshape(dense(mx.sym.var("noise"), "project", 12 * 16), shape=(-1, 12, 4, 4))
    x = relu(bn(x, "bn1"))
    up = {"kernel": (4, 4), "stride": (2, 2), "pad": (1, 1), "no_bias": True}
    x = relu(bn(mx.sym.Deconvolution(x, name="up1", num_filter=10, **up), "bn2"))
    x = mx.sym.tanh(mx.sym.Deconvolution(x, name="up2", num_filter=3, **up))
    removable = (
        *outputs("project"),
        *norms("bn1", "bn2"),
        ("up1_weight", 0),
        ("up1_weight", 1),
        ("up2_weight", 0),
    )
    return Case("generator", x, {"noise": (2, 9)}, removable, (("project_weight", 1), ("up2_weight", 1)))


@network
def two_heads() -> Case:
    x = relu(conv(image(), "conv1", 12))
    boxes = conv(relu(conv(x, "conv2", 10)), "boxes", 4)
    symbol = mx.sym.Group([head(x), boxes])
    removable = (*outputs("conv1", "conv2"), *inputs("conv2", "boxes", "fc"))
    return Case("two_heads", symbol, IMAGE, removable, (*ENDS, *outputs("boxes")))


@network
def inner_output() -> Case:
    """A value inside the network is an output too, and fixes its channels."""
    x = relu(conv(image(), "conv1", 12))
    y = relu(conv(x, "conv2", 10))
    symbol = mx.sym.Group([x, head(y)])
    removable = (*outputs("conv2"), *inputs("fc"))
    return Case("inner_output", symbol, IMAGE, removable, (*ENDS, *outputs("conv1"), *inputs("conv2")))


@network
def training_output() -> Case:
    """A softmax with a label, as training scripts save it."""
    x = mx.sym.SoftmaxOutput(head(relu(conv(image(), "conv1", 12))), name="softmax")
    return Case("training_output", x, IMAGE, (*outputs("conv1"), *inputs("fc")), ENDS)


@network
def two_inputs() -> Case:
    picture = mx.sym.Flatten(global_pool(relu(conv(image(), "conv1", 12))))
    vector = relu(dense(mx.sym.var("vector"), "fc1", 10))
    x = dense(mx.sym.Concat(picture, vector, dim=1), "fc", 5)
    removable = (*outputs("conv1", "fc1"), *inputs("fc"))
    shapes = {"data": (2, 3, 8, 8), "vector": (2, 7)}
    return Case("two_inputs", x, shapes, removable, (*ENDS, ("fc1_weight", 1)))


BUILDERS = (
    chain,
    grey_image,
    single_channel,
    batch_norm_fixed_gamma,
    batch_norm_last_axis,
    batch_norm_on_data,
    channels_last,
    flatten_dense,
    dense_on_picture,
    dense_on_last_axis,
    flatten_transposed,
    deconvolution,
    deconvolution_grouped,
    deconvolution_depthwise,
    prelu,
    prelu_shared,
    convolution_1d,
    convolution_3d,
    generator,
    two_heads,
    inner_output,
    training_output,
    two_inputs,
)
