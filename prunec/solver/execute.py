"""Running the steps of a program on arrays of atoms."""

from __future__ import annotations

from math import prod
from typing import Any, Callable, Sequence

import numpy as np

from prunec.diagnostics import Diagnostic, PrunecError
from prunec.solver.components import Atoms
from prunec.solver.layout import Step

Fresh = Callable[[tuple[int, ...]], Atoms]


#: More channels than any model has; each takes some tens of bytes.
MAXIMUM_ATOMS = 1 << 26


def too_many(count: int) -> PrunecError:
    """What is raised for more atoms than can be followed."""
    return PrunecError(
        Diagnostic(
            "P408",
            "the model has more channels than can be analysed",
            notes=(f"{count:,} or more, and at most {MAXIMUM_ATOMS:,} are followed",),
            help="check the sizes that the model's attributes and constants give; they are beyond any real "
            "model",
        )
    )


def execute(steps: Sequence[Step], values: Sequence[Atoms], fresh: Fresh) -> list[Atoms]:
    """The input values and the result of every step; ``fresh`` makes new atoms in a shape.

    Raises PrunecError P408 where a step makes more than can be followed.
    """
    results = list(values)
    for step in steps:
        results.append(_OPERATIONS[step[0]](results, fresh, *step[1:]))
    return results


def _reshape(values: list[Atoms], fresh: Fresh, value: int, shape: tuple[int, ...]) -> Atoms:
    return values[value].reshape(shape)


def _first(values: list[Atoms], fresh: Fresh, value: int, axis: int) -> Atoms:
    return np.asarray(values[value].take(0, axis=axis))


def _slice(values: list[Atoms], fresh: Fresh, value: int, axis: int, start: int, stop: int) -> Atoms:
    return np.asarray(values[value][(slice(None),) * axis + (slice(start, stop),)])


def _take(values: list[Atoms], fresh: Fresh, value: int, axis: int, positions: tuple[int, ...]) -> Atoms:
    return values[value].take(positions, axis=axis)


def _expand(
    values: list[Atoms],
    fresh: Fresh,
    value: int,
    permutation: tuple[int, ...],
    ones: tuple[int, ...],
    shape: tuple[int, ...],
) -> Atoms:
    if prod(shape) > MAXIMUM_ATOMS:
        raise too_many(prod(shape))
    return np.broadcast_to(values[value].transpose(permutation).reshape(ones), shape)


def _flip(values: list[Atoms], fresh: Fresh, value: int, axes: tuple[int, ...]) -> Atoms:
    return np.flip(values[value], axes)


def _concat(values: list[Atoms], fresh: Fresh, parts: tuple[int, ...], axis: int) -> Atoms:
    return np.concatenate([values[part] for part in parts], axis=axis)


def _fresh(values: list[Atoms], fresh: Fresh, shape: tuple[int, ...]) -> Atoms:
    return fresh(shape)


_OPERATIONS: dict[object, Callable[..., Any]] = {
    "reshape": _reshape,
    "first": _first,
    "slice": _slice,
    "take": _take,
    "expand": _expand,
    "flip": _flip,
    "concat": _concat,
    "fresh": _fresh,
}
