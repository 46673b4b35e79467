"""Two MXNet operators written in Python: one weighs channels, one reorders them."""

from __future__ import annotations

import mxnet as mx


class ChannelGate(mx.operator.CustomOp):
    """``data * sigmoid(weight * mean + bias)``, where the mean of each channel is over all its positions."""

    def forward(self, is_train, req, in_data, out_data, aux):
        data, weight, bias = in_data
        self.assign(out_data[0], req[0], data * self.gate(data, weight, bias))

    def backward(self, req, out_grad, in_data, out_data, in_grad, aux):
        data, weight, bias = in_data
        gate = self.gate(data, weight, bias)
        positions = tuple(range(2, data.ndim))
        mean = data.mean(axis=positions, keepdims=True)
        # What reaches the argument of the sigmoid, per sample and channel.
        inner = (out_grad[0] * data).sum(axis=positions, keepdims=True) * gate * (1 - gate)
        count = data.size // (data.shape[0] * data.shape[1])
        shape = (1, -1) + (1,) * (data.ndim - 2)
        self.assign(in_grad[0], req[0], out_grad[0] * gate + inner * weight.reshape(shape) / count)
        self.assign(in_grad[1], req[1], (inner * mean).sum(axis=0).reshape((-1,)))
        self.assign(in_grad[2], req[2], inner.sum(axis=0).reshape((-1,)))

    @staticmethod
    def gate(data, weight, bias):
        shape = (1, -1) + (1,) * (data.ndim - 2)
        mean = data.mean(axis=tuple(range(2, data.ndim)), keepdims=True)
        return mx.nd.sigmoid(mx.nd.broadcast_add(mean * weight.reshape(shape), bias.reshape(shape)))


@mx.operator.register("channel_gate")
class ChannelGateProperties(mx.operator.CustomOpProp):
    """Inputs ``data`` (n, c, positions…), ``weight`` and ``bias`` (c)."""

    def __init__(self):
        super().__init__(need_top_grad=True)

    def list_arguments(self):
        return ["data", "weight", "bias"]

    def infer_shape(self, in_shape):
        channels = (in_shape[0][1],)
        return [in_shape[0], channels, channels], [in_shape[0]], []

    def create_operator(self, ctx, shapes, dtypes):
        return ChannelGate()


class Interleave(mx.operator.CustomOp):
    """The channels of ``groups`` groups, one of each in turn: 0 1 2 | 3 4 5 becomes 0 3 1 4 2 5."""

    def __init__(self, groups):
        super().__init__()
        self.groups = groups

    def forward(self, is_train, req, in_data, out_data, aux):
        self.assign(out_data[0], req[0], turned(in_data[0], self.groups))

    def backward(self, req, out_grad, in_data, out_data, in_grad, aux):
        each = out_grad[0].shape[1] // self.groups
        self.assign(in_grad[0], req[0], turned(out_grad[0], each))


def turned(data, groups):
    """The channels as a table with ``groups`` rows, read column by column."""
    apart = data.reshape((data.shape[0], groups, data.shape[1] // groups, -1))
    return apart.transpose((0, 2, 1, 3)).reshape(data.shape)


@mx.operator.register("interleave")
class InterleaveProperties(mx.operator.CustomOpProp):
    """Input ``data`` (n, c, positions…); the attribute ``groups`` divides c."""

    def __init__(self, groups):
        super().__init__(need_top_grad=True)
        self.groups = int(groups)

    def infer_shape(self, in_shape):
        if in_shape[0][1] % self.groups:
            raise ValueError(f"{in_shape[0][1]} channels are not {self.groups} equal groups")
        return in_shape, [in_shape[0]], []

    def create_operator(self, ctx, shapes, dtypes):
        return Interleave(self.groups)
