"""Sizes after and before a sliding window, and scaled sizes."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from typing import Optional

from prunec.language.functions.base import LIKE_LISTS, MEASURE, SIZE, Function, Number

#: Sizes that windows of a few elements fit into.
_TRIAL_SIZES = (3, 4, 5, 6, 8)


def _window(size: Number, kernel: Number, stride: Number, pad: Number, dilate: Number) -> Number:
    span = _span(size, kernel, pad, dilate)
    return None if span is None else span // (stride or 1) + 1


def _window_up(size: Number, kernel: Number, stride: Number, pad: Number, dilate: Number) -> Number:
    span = _span(size, kernel, pad, dilate)
    return None if span is None else -(-span // (stride or 1)) + 1


def _span(size: Number, kernel: Number, pad: Number, dilate: Number) -> Number:
    """How far a window can be moved."""
    if size is None or kernel is None:
        return None
    return size + 2 * (pad or 0) - ((dilate or 1) * (kernel - 1) + 1)


def _unwindow(
    size: Number, kernel: Number, stride: Number, pad: Number, dilate: Number, adjust: Number
) -> Number:
    if size is None or kernel is None:
        return None
    moved = (size - 1) * (stride or 1) + (dilate or 1) * (kernel - 1) + 1
    return moved - 2 * (pad or 0) + (adjust or 0)


def _scaled(size: Number, factor: Optional[float]) -> Number:
    if size is None or factor is None:
        return None
    # In single precision, as the frameworks reckon.
    try:
        scaled = _single(_single(size) * _single(factor))
    except OverflowError:
        return None
    return int(scaled) if math.isfinite(scaled) else None


def _single(number: float) -> float:
    """The number in single precision.  Raises ``OverflowError`` where it is too large for that."""
    rounded: float = struct.unpack("f", struct.pack("f", float(number)))[0]
    return rounded


def _stands_somewhere(arguments: Sequence[int]) -> int:
    """A window that slides stands somewhere at least."""
    return 1


FUNCTIONS = (
    Function(
        "window",
        (SIZE,),
        ((MEASURE,) * 5,),
        "sizes after a sliding window, rounded down",
        elementwise=_window,
        least=_stands_somewhere,
        length=LIKE_LISTS,
        trial_sizes=_TRIAL_SIZES,
    ),
    Function(
        "window_up",
        (SIZE,),
        ((MEASURE,) * 5,),
        "sizes after a sliding window, rounded up",
        elementwise=_window_up,
        least=_stands_somewhere,
        length=LIKE_LISTS,
        trial_sizes=_TRIAL_SIZES,
    ),
    Function(
        "unwindow",
        (SIZE,),
        ((MEASURE,) * 6,),
        "sizes before a sliding window",
        elementwise=_unwindow,
        length=LIKE_LISTS,
        trial_sizes=_TRIAL_SIZES,
    ),
    Function(
        "scaled",
        (SIZE,),
        ((MEASURE, MEASURE),),
        "a size times a fraction, rounded down",
        elementwise=_scaled,
        fractions=True,
    ),
)
