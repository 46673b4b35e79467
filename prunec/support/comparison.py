"""Comparing arrays that two models computed, and drawing what they compute with."""

from __future__ import annotations

import zlib
from typing import Any, Mapping, Optional, Union

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

#: Values whose relative error is larger than this are different, unless rounding alone makes as much.
TOLERANCE = 1e-4
#: Values that differ by less than this part of their magnitude are one value, in float32.
RESOLUTION = 1e-6
#: What whole numbers are drawn from, where nothing else is known: as indices they stay small.
_WHOLE_NUMBERS = 3
_TINY = 1e-30


def relative_error(expected: Array, actual: Array) -> float:
    """``max|a - b| / max|a|`` of two arrays of one shape; NaNs and infinities in the same places are equal,
    in different places the error is infinite."""
    a, b = expected.astype(np.float32), actual.astype(np.float32)
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    rest = ~same
    if not rest.any():
        return 0.0
    if not (np.isfinite(a[rest]).all() and np.isfinite(b[rest]).all()):
        return float("inf")
    # Differences of float32 values, taken in float64 so that they do not overflow.
    difference = np.abs(a[rest].astype(np.float64) - b[rest].astype(np.float64)).max()
    return float(difference / (_magnitude(a) + _TINY))


def doubt_about(expected: Array, other: Array) -> Optional[str]:
    """Why agreement with ``expected`` would prove nothing, or ``None``.  ``other`` is the same value for
    other inputs."""
    a = expected.astype(np.float64).ravel()
    numbers = a[np.isfinite(a)]
    if numbers.size == 0:
        return "it holds no value" if a.size == 0 else "it holds no finite value"
    step = RESOLUTION * _magnitude(numbers)
    if np.ptp(numbers) <= step and (numbers.size > 1 or numbers[0] == 0):
        return f"all its values are {numbers[0]:.4g}"
    low, high = numbers.min(), numbers.max()
    if numbers.size > 2 and bool(((numbers - low <= step) | (high - numbers <= step)).all()):
        return f"all its values are {low:.4g} or {high:.4g}"
    if expected.shape == other.shape and relative_error(expected, other) <= RESOLUTION:
        return "it does not depend on the inputs"
    return None


def _magnitude(array: Array) -> float:
    finite = np.abs(array[np.isfinite(array)])
    return float(finite.max()) if finite.size else 0.0


def draw(
    inputs: Mapping[str, Union[tuple[int, ...], Array]],
    seed: int,
    types: Mapping[str, np.dtype[Any]] = {},
    others: bool = False,
) -> dict[str, Array]:
    """A value for each input, of its type (float32 where ``types`` does not say): normally distributed, small
    whole numbers, or truth values.

    The same seed gives the same values.  Values that were given stay in their range: the ``others`` are the
    same values in the opposite order.
    """
    sampled: dict[str, Array] = {}
    for name, shape_or_values in inputs.items():
        if isinstance(shape_or_values, np.ndarray):
            sampled[name] = (
                shape_or_values.ravel()[::-1].reshape(shape_or_values.shape) if others else shape_or_values
            )
            continue
        # Seeded by name, so that the order of the inputs does not matter.
        generator = np.random.default_rng([seed, zlib.crc32(name.encode("utf-8", "replace"))])
        dtype = types.get(name, np.dtype(np.float32))
        if dtype.kind in "iu":
            values: Array = generator.integers(0, _WHOLE_NUMBERS, tuple(shape_or_values))
        elif dtype.kind == "b":
            values = generator.integers(0, 2, tuple(shape_or_values))
        else:
            values = generator.standard_normal(tuple(shape_or_values))
        sampled[name] = values.astype(dtype)
    return sampled
