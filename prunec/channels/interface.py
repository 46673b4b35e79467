"""Inputs and outputs of a model whose width may change, and which of them a caller connects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional

from prunec.channels.layout import Layout


@dataclass(frozen=True)
class Interface:
    """``inputs`` (by name) and ``outputs`` (by their place among the model's) whose width may change;
    ``pairs`` are inputs with the output that a caller feeds back to them: both lose the same channels.

    ``axes``, counted from the end, are those along which inputs hold channels.
    """

    inputs: frozenset[str] = frozenset()
    outputs: frozenset[int] = frozenset()
    pairs: tuple[tuple[str, int], ...] = ()
    axes: frozenset[int] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.inputs or self.outputs)


#: All of it stays as it is.
FIXED = Interface()


@dataclass(frozen=True)
class Joint:
    """How an array of an output meets those of the input that it is fed back to, given by their numbers: its
    last dimensions, from ``first`` on, are the channels of ``columns``; its dimensions ``rows`` are those of
    others, which follow where all of a row goes."""

    first: int
    columns: int
    rows: tuple[tuple[int, int], ...]


def joint(given: Layout, made: Layout, array: int) -> Optional[Joint]:
    """How an array of an output's layout meets an input whose arrays span one axis each; ``None`` where the
    input has none for its channels, or holds them in another order."""
    array_at = {_axes(given)[factors[0]]: number for number, factors in enumerate(given.arrays)}
    axes, factors = _axes(made), made.arrays[array]
    last = axes[factors[-1]]
    columns = [factor for factor, axis in enumerate(axes) if axis == last]
    first = len(factors) - len(columns)
    rows = factors[: max(first, 0)]
    if last not in array_at or list(factors[first:]) != columns or any(axes.count(axes[f]) > 1 for f in rows):
        return None
    others = tuple((d, array_at[axes[f]]) for d, f in enumerate(rows) if axes[f] in array_at)
    return Joint(first, array_at[last], others)


def _axes(layout: Layout) -> list[int]:
    """For each factor the axis that it belongs to."""
    return [axis for axis, own in enumerate(layout.open_axes) for _ in own]
