"""Comparing what two models compute: the verdict, whatever ran them."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Any, Mapping, Optional, Union

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

#: How messages call the two models.
ORIGINAL, SMALLER = "the original model", "the smaller model"
#: Outputs whose relative error is larger than this are different.
TOLERANCE = 1e-4
#: Values that differ by less than this part of their magnitude are one value, in float32.
RESOLUTION = 1e-6
#: What whole numbers are drawn from, where nothing else is known: as indices they stay small.
_WHOLE_NUMBERS = 3
_TINY = 1e-30
_NUMBERS = "iufb"


@dataclass(frozen=True)
class OutputVerdict:
    """How one output of the two models compares.

    ``error`` is ``max|a - b| / max|a|`` over the values that are numbers in both (infinite where one is
    a number and the other is not).  ``nan`` says that the original's output holds NaNs; NaNs in the same
    places count as equal.  ``doubt`` says why agreement would prove nothing, ``None`` where it does.
    """

    name: str
    error: float
    shape: tuple[int, ...]
    pruned_shape: tuple[int, ...]
    nan: bool
    doubt: Optional[str]
    tolerance: float

    @property
    def exact(self) -> bool:
        """The shapes agree, and the error is within the tolerance."""
        return self.shape == self.pruned_shape and self.error <= self.tolerance

    @property
    def informative(self) -> bool:
        """The output varies with the input, so that agreement says something."""
        return self.doubt is None

    def __str__(self) -> str:
        if self.shape != self.pruned_shape:
            return f"{self.name}: shape {self.pruned_shape} instead of {self.shape}"
        text = f"{self.name}: relative error {self.error:.1e}"
        if not self.exact:
            text += f", more than {self.tolerance:.0e}"
        return text if self.doubt is None else f"{text} (proves little: {self.doubt})"


@dataclass(frozen=True)
class Verdict:
    """How the two models compare, output by output; ``zeroed`` names arguments that were set to zero
    for want of a value (labels)."""

    outputs: tuple[OutputVerdict, ...]
    zeroed: tuple[str, ...] = ()

    @property
    def exact(self) -> bool:
        """Every output agrees within the tolerance."""
        return all(output.exact for output in self.outputs)

    @property
    def informative(self) -> bool:
        """Every output varies with the input, and there is one."""
        return bool(self.outputs) and all(output.informative for output in self.outputs)

    @property
    def error(self) -> float:
        """The largest relative error of all outputs."""
        return max((output.error for output in self.outputs), default=0.0)

    def __str__(self) -> str:
        head = "the models agree" if self.exact else "the models differ"
        zeroed = [f"set to zero: {', '.join(self.zeroed)}"] if self.zeroed else []
        return "\n  ".join(
            [f"{head} (largest relative error {self.error:.1e})", *map(str, self.outputs), *zeroed]
        )


def output_verdict(
    name: str, expected: Array, actual: Array, other: Array, tolerance: float = TOLERANCE
) -> OutputVerdict:
    """How an output compares: the original's, the smaller model's, and the original's for other inputs."""
    numbers = expected.dtype.kind in _NUMBERS
    if expected.shape != actual.shape:
        error = float("inf")
    elif numbers:
        error = relative_error(expected, actual)
    else:
        error = 0.0 if np.array_equal(expected, actual) else float("inf")
    return OutputVerdict(
        name=name,
        error=error,
        shape=tuple(expected.shape),
        pruned_shape=tuple(actual.shape),
        nan=numbers and bool(np.isnan(expected.astype(np.float32)).any()),
        doubt=doubt_about(expected, other) if numbers else None,
        tolerance=tolerance,
    )


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
    """Why agreement with ``expected`` would prove nothing, or ``None``.  ``other`` is the same output for
    other inputs, of the same shape."""
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
    if relative_error(expected, other) <= RESOLUTION:
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
    drawn: dict[str, Array] = {}
    for name, given in inputs.items():
        if isinstance(given, np.ndarray):
            drawn[name] = given.ravel()[::-1].reshape(given.shape) if others else given
            continue
        # Seeded by name, so that the order of the inputs does not matter.
        generator = np.random.default_rng([seed, zlib.crc32(name.encode("utf-8", "replace"))])
        dtype = types.get(name, np.dtype(np.float32))
        if dtype.kind in "iu":
            values: Array = generator.integers(0, _WHOLE_NUMBERS, tuple(given))
        elif dtype.kind == "b":
            values = generator.integers(0, 2, tuple(given))
        else:
            values = generator.standard_normal(tuple(given))
        drawn[name] = values.astype(dtype)
    return drawn
