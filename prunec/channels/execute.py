"""Running the steps of a program on arrays of atoms."""

from __future__ import annotations

from math import prod
from typing import Any, Callable, Sequence

import numpy as np

from prunec.channels.components import KEPT, Atoms
from prunec.channels.layout import Step
from prunec.support.diagnostics import Diagnostic, PrunecError

Fresh = Callable[[tuple[int, ...]], Atoms]

#: More channels than any model has, in all arrays together; each takes some tens of bytes.
MAXIMUM_ATOMS = 1 << 26
#: So many are followed of any model, or so many for each element of its parameters, if that is more: what a
#: few bytes can ask for is bounded.
_AT_LEAST, _FOR_EACH = 1 << 23, 8


class Room:
    """How much of a model is followed: it gets less with each array that is made.

    ``elements`` is how many elements the parameters of the model have.
    """

    def __init__(self, elements: int) -> None:
        self.most = min(MAXIMUM_ATOMS, max(_AT_LEAST, _FOR_EACH * elements))
        self.used = 0

    def take(self, count: int) -> None:
        """Takes room for an array before it is made.  Raises PrunecError P408 where there is none left."""
        self.used += count
        check_count(self.used, self.most)


def check_count(count: int, most: int = MAXIMUM_ATOMS) -> None:
    """Raises PrunecError P408 for more channels than can be followed."""
    if count > most:
        raise PrunecError(
            Diagnostic(
                "P408",
                "the model has more channels than can be analysed",
                notes=(f"{count:,} or more, and at most {most:,} are followed",),
                help="check the sizes that are given with --input, and those in the model's attributes and "
                "constants; they are beyond any real model",
            )
        )


def execute(steps: Sequence[Step], values: Sequence[Atoms], fresh: Fresh, room: Room) -> list[Atoms]:
    """The input values and the result of every step; ``fresh`` makes new atoms in a shape.

    Raises PrunecError P408 where there is no room for a step.
    """
    results = list(values)
    for step in steps:
        room.take(_made(results, *step))
        results.append(_OPERATIONS[step[0]](results, fresh, *step[1:]))
    return results


def _made(values: list[Atoms], kind: object, *step: Any) -> int:
    """How many elements a step makes; parts of arrays and other views of them are none."""
    if kind == "expand":
        return int(prod(step[-1]))
    if kind == "concat":
        return sum(values[part].size for part in step[0])
    if kind == "take":
        value, axis, positions = step
        return int(values[value].size // max(values[value].shape[axis], 1) * len(positions))
    return 0


def _reshape(values: list[Atoms], fresh: Fresh, value: int, shape: tuple[int, ...]) -> Atoms:
    return values[value].reshape(shape)


def _first(values: list[Atoms], fresh: Fresh, value: int, axis: int) -> Atoms:
    array = values[value]
    if not array.shape[axis]:
        # Nothing is known of what no element stands for.
        return np.full(array.shape[:axis] + array.shape[axis + 1 :], KEPT, dtype=np.int64)
    return np.asarray(array.take(0, axis=axis))


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
