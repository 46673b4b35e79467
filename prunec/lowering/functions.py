"""The size functions of the rule language, on whole numbers.

``docs/language.md`` lists them.  ``None`` stands for a number that is not known, or, in an attribute,
for "not given".
"""

from __future__ import annotations

from typing import Callable, Optional

import numpy as np

Number = Optional[int]


def _window(round_up: bool, size: Number, *rest: Number) -> Number:
    kernel, stride, pad, dilate = _window_arguments(rest)
    if size is None or kernel is None:
        return None
    span = size + 2 * pad - (dilate * (kernel - 1) + 1)
    return (-(-span // stride) if round_up else span // stride) + 1


def _window_arguments(rest: tuple[Number, ...]) -> tuple[Number, int, int, int]:
    kernel, stride, pad, dilate = (tuple(rest) + (None,) * 4)[:4]
    return kernel, stride or 1, pad or 0, dilate or 1


def _unwindow(size: Number, *rest: Number) -> Number:
    kernel, stride, pad, dilate = _window_arguments(rest[:4])
    adjust = rest[4] if len(rest) > 4 else 0
    if size is None or kernel is None:
        return None
    return (size - 1) * stride + dilate * (kernel - 1) + 1 - 2 * pad + (adjust or 0)


def in_steps(step: Number) -> bool:
    """Whether a range with this step takes other elements than one stretch."""
    return step not in (None, 1)


def _start(begin: Number, size: Number, step: Number = None) -> Number:
    # What is gone over in steps counts as taken whole.
    if begin is None or in_steps(step):
        return 0
    if begin < 0:
        return None if size is None else max(0, begin + size)
    return begin if size is None else min(begin, size)


def _stop(end: Number, size: Number, step: Number = None) -> Number:
    # Any end may lie behind that of the axis, so none says anything of an axis of unknown size.
    if end is None or size is None or in_steps(step):
        return size
    return max(0, end + size) if end < 0 else min(end, size)


def _copy_zero(value: Number, size: Number) -> Number:
    return size if value in (0, None) else value


def _stretch(entry: Number, size: Number) -> Number:
    return size if entry in (1, None) else entry


def _scaled(size: Number, factor: Optional[float]) -> Number:
    if size is None or factor is None:
        return None
    # In single precision, as the frameworks reckon.
    with np.errstate(over="ignore"):
        scaled = np.float32(size) * np.float32(factor)
    return int(scaled) if np.isfinite(scaled) else None


def _strided(size: Number, start: Number, end: Number, step: Number) -> Number:
    return None if size is None or step == 0 else len(range(*slice(start, end, step).indices(size)))


def _smallest(*values: Number) -> Number:
    known = [value for value in values if value is not None]
    return min(known) if len(known) == len(values) else None


def _largest(*values: Number) -> Number:
    known = [value for value in values if value is not None]
    return max(known) if len(known) == len(values) else None


def _window_down(size: Number, *rest: Number) -> Number:
    return _window(False, size, *rest)


def _window_up(size: Number, *rest: Number) -> Number:
    return _window(True, size, *rest)


#: Functions that work on one number each of their arguments, axis by axis.
ELEMENTWISE: dict[str, Callable[..., Number]] = {
    "window": _window_down,
    "window_up": _window_up,
    "unwindow": _unwindow,
    "start": _start,
    "stop": _stop,
    "copy_zero": _copy_zero,
    "stretch": _stretch,
    "scaled": _scaled,
    "strided": _strided,
    "max": _largest,
    "min": _smallest,
}


def restyle(function: str, old: Number, old_size: Number, size: Number, value: int) -> Number:
    """The attribute that makes ``start``, ``stop``, ``copy_zero`` or ``stretch`` give ``value`` for an axis
    of ``size``.

    It is written in the style of the ``old`` attribute, which stood for an axis of ``old_size``: what counted
    from the end, was left out, or pointed past the end still does.
    """
    if old is None or (function, old) in (("copy_zero", 0), ("stretch", 1)):
        return old
    if function in ("start", "stop") and old_size is not None and size is not None:
        if old > old_size or old < -old_size:
            return old
        if old < 0:
            return value - size if value < size else value
    return value
