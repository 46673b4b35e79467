"""Channels cut apart and put together in another order."""

from __future__ import annotations

from typing import Any, Optional

import mxnet as mx

from networks.case import ENDS, Case, conv, dense, head, image, inputs, network, outputs, relu

IMAGE = {"data": (2, 3, 8, 8)}


def _first(filters: int = 12) -> Any:
    return relu(conv(image(), "conv1", filters))


def _cut(x: Any, begin: int, end: Optional[int], axis: int = 1) -> Any:
    return mx.sym.slice_axis(x, axis=axis, begin=begin, end=end)


@network
def split() -> Case:
    """Three equal parts that go different ways: they must stay equally long."""
    parts = mx.sym.SliceChannel(_first(), num_outputs=3, axis=1)
    widths = {"left": 8, "middle": 10, "right": 14}
    branches = [conv(part, name, widths[name]) for part, name in zip(parts, widths)]
    x = mx.sym.Concat(*branches, dim=1)
    removable = (*outputs("conv1", *widths), *inputs(*widths, "fc"))
    return Case("split", head(relu(x)), IMAGE, removable, ENDS)


@network
def split_unused() -> Case:
    """The middle part goes nowhere; the others are added."""
    parts = mx.sym.SliceChannel(_first(), num_outputs=3, axis=1)
    x = conv(parts[2] + parts[0], "conv2", 10)
    removable = (*outputs("conv1", "conv2"), *inputs("conv2", "fc"))
    return Case("split_unused", head(relu(x)), IMAGE, removable, ENDS)


@network
def split_each_channel() -> Case:
    """One output for each channel: their number is the operator's, so they all stay."""
    parts = mx.sym.SliceChannel(_first(4), num_outputs=4, axis=1, squeeze_axis=True)
    stacked = mx.sym.stack(parts[3], parts[0] * parts[1], parts[2], axis=1)
    x = conv(stacked, "conv2", 10)
    removable = (*outputs("conv2"), *inputs("fc"))
    return Case("split_each_channel", head(relu(x)), IMAGE, removable, (*ENDS, *outputs("conv1")))


@network
def split_squeezed() -> Case:
    """Queries, keys and values as three rows of a table, which a split takes apart."""
    x = dense(image(), "fc1", 36)
    parts = mx.sym.SliceChannel(mx.sym.Reshape(x, shape=(0, 3, 12)), num_outputs=3, axis=1, squeeze_axis=True)
    x = dense(relu(parts[0] * parts[1] + parts[2]), "fc", 5)
    removable = (*outputs("fc1"), *inputs("fc"))
    kept = (("fc1_weight", 1), ("fc_weight", 0))
    return Case("split_squeezed", x, {"data": (2, 9)}, removable, kept)


def _halves(
    name: str, low: tuple[int, Optional[int]], high: tuple[int, Optional[int]], axis: int = 1
) -> Case:
    x = _first()
    x = mx.sym.Concat(
        conv(_cut(x, *low, axis=axis), "left", 8), conv(_cut(x, *high, axis=axis), "right", 10), dim=1
    )
    removable = (*outputs("conv1", "left", "right"), *inputs("left", "right", "fc"))
    return Case(name, head(relu(x)), IMAGE, removable, ENDS)


@network
def slices_positive() -> Case:
    return _halves("slices_positive", (0, 5), (5, 12))


@network
def slices_negative() -> Case:
    return _halves("slices_negative", (0, -7), (-7, None), axis=-3)


@network
def slices_open() -> Case:
    return _halves("slices_open", (-12, 5), (5, None))


@network
def slice_middle() -> Case:
    """What is before and behind the slice is needed by nobody."""
    x = conv(_cut(_first(), 3, -2), "conv2", 10)
    removable = (*outputs("conv1", "conv2"), *inputs("conv2", "fc"))
    return Case("slice_middle", head(relu(x)), IMAGE, removable, ENDS)


@network
def slices_overlapping() -> Case:
    x = _first()
    x = conv(_cut(x, 0, 8) + _cut(x, 4, 12), "conv2", 10)
    removable = (*outputs("conv1", "conv2"), *inputs("conv2", "fc"))
    return Case("slices_overlapping", head(relu(x)), IMAGE, removable, ENDS)


@network
def slice_with_none() -> Case:
    x = _first()
    x = mx.sym.slice(x, begin=(None, 3, None, 1), end=(None, 10, None, None))
    x = conv(x, "conv2", 10)
    removable = (*outputs("conv1", "conv2"), *inputs("conv2", "fc"))
    return Case("slice_with_none", head(relu(x)), IMAGE, removable, ENDS)


@network
def slice_in_steps() -> Case:
    """Every second pixel of every second row, four times over, beside a stretch of the channels."""
    x = _first()
    begins = [(0, 3, row, column) for row in (0, 1) for column in (0, 1)]
    parts = [mx.sym.slice(x, begin=b, end=(None, -2), step=(None, 1, 2, 2)) for b in begins]
    x = conv(mx.sym.Concat(*parts, dim=1), "conv2", 10)
    removable = (*outputs("conv1", "conv2"), *inputs("conv2", "fc"))
    return Case("slice_in_steps", head(relu(x)), IMAGE, removable, ENDS)


@network
def slice_backwards() -> Case:
    """Channels in steps of minus two: which are taken depends on their position."""
    x = mx.sym.slice(_first(), begin=(None, None, 1), end=(None, None, 7), step=(None, -2, None))
    x = conv(x, "conv2", 10)
    removable = (*outputs("conv2"), *inputs("fc"))
    return Case("slice_backwards", head(relu(x)), IMAGE, removable, (*ENDS, *outputs("conv1")))


@network
def maximum_of_halves() -> Case:
    """Maxout: the channel and its partner in the other half go together."""
    x = conv(image(), "conv1", 24)
    parts = mx.sym.SliceChannel(x, num_outputs=2, axis=1)
    x = conv(mx.sym.maximum(parts[0], parts[1]), "conv2", 10)
    removable = (*outputs("conv1", "conv2"), *inputs("conv2", "fc"))
    return Case("maximum_of_halves", head(relu(x)), IMAGE, removable, ENDS)


@network
def maximum_of_slices() -> Case:
    x = conv(image(), "conv1", 24)
    x = conv(mx.sym.maximum(_cut(x, 0, 12), _cut(x, 12, 24)), "conv2", 10)
    removable = (*outputs("conv1", "conv2"), *inputs("conv2", "fc"))
    return Case("maximum_of_slices", head(relu(x)), IMAGE, removable, ENDS)


@network
def flip() -> Case:
    x = conv(mx.sym.flip(_first(), axis=1), "conv2", 10)
    removable = (*outputs("conv1", "conv2"), *inputs("conv2", "fc"))
    return Case("flip", head(relu(x)), IMAGE, removable, ENDS)


@network
def flip_residual() -> Case:
    """First and last channel are tied, and so on inwards."""
    x = _first()
    x = conv(x + mx.sym.reverse(x, axis=1), "conv2", 10)
    removable = (*outputs("conv1", "conv2"), *inputs("conv2", "fc"))
    return Case("flip_residual", head(relu(x)), IMAGE, removable, ENDS)


@network
def roll() -> Case:
    x = _first()
    x = conv(mx.sym.Concat(_cut(x, 5, None), _cut(x, 0, 5), dim=1), "conv2", 10)
    removable = (*outputs("conv1", "conv2"), *inputs("conv2", "fc"))
    return Case("roll", head(relu(x)), IMAGE, removable, ENDS)


@network
def roll_residual() -> Case:
    """Twelve channels rolled by four and added: units of three channels."""
    x = _first()
    x = conv(x + mx.sym.Concat(_cut(x, 4, None), _cut(x, 0, 4), dim=1), "conv2", 10)
    removable = (*outputs("conv1", "conv2"), *inputs("conv2", "fc"))
    return Case("roll_residual", head(relu(x)), IMAGE, removable, ENDS)


BUILDERS = (
    split,
    split_unused,
    split_each_channel,
    split_squeezed,
    slices_positive,
    slices_negative,
    slices_open,
    slice_middle,
    slices_overlapping,
    slice_with_none,
    maximum_of_halves,
    maximum_of_slices,
    flip,
    flip_residual,
    roll,
    roll_residual,
)
