"""Channel counts that are multiples of a number.

An axis of a parameter may hold channels of several choices.  For its count to be a multiple of 8 whatever
each of them loses, each may lose steps of one residue only: those residues are found once, the smallest that
do, and the plan is searched among steps of these residues.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Mapping, Optional, Sequence

import numpy as np

from prunec.channels.choices import Choice
from prunec.channels.components import Atoms

#: Assignments that are tried before a condition is given up, and choices it may be about.
_MOST_TRIALS = 20_000
_MOST_CHOICES = 300


@dataclass(frozen=True)
class AxisCount:
    """How many channels an axis of a parameter has, and how many a step of each choice takes from it."""

    channels: int
    per_step: tuple[tuple[int, int], ...]


def align_levels(
    choices: Sequence[Choice], allowed: Sequence[Atoms], axes: Sequence[AxisCount], aligns: Sequence[int]
) -> list[Atoms]:
    """The steps of ``allowed`` (for each choice, from the fewest) that leave multiples of ``aligns``.

    A choice that shares no axis may also stay as it is, whatever its count.  Where no steps lead to a
    multiple on all axes, some axes are given up.
    """
    result = [np.asarray(own) for own in allowed]
    for members in _components(len(choices), axes):
        align = max(aligns[number] for number in members)
        if align == 1:
            continue
        own = [axis for axis in axes if axis.per_step[0][0] in members]
        if len(members) == 1:
            (number,) = members
            result[number] = _alone(allowed[number], own, align)
            continue
        highest = {number: int(allowed[number].max()) for number in members}
        residues = _residues(own, highest, align)
        for number, residue in residues.items():
            steps = allowed[number]
            chosen = steps[steps % align == residue % align]
            result[number] = chosen if len(chosen) else steps[:1]
    return result


def _alone(allowed: Atoms, axes: Sequence[AxisCount], align: int) -> Atoms:
    """Steps of a choice that has its axes to itself: those that align the axis where it has least channels,
    and none."""
    if not axes:
        return allowed
    axis = min(axes, key=lambda axis: axis.per_step[0][1])
    left = axis.channels - axis.per_step[0][1] * allowed
    return np.asarray(allowed[(left % align == 0) | (allowed == allowed[0])])


def _components(count: int, axes: Sequence[AxisCount]) -> list[list[int]]:
    """Choices that share axes, directly or over others."""
    parent = list(range(count))

    def root(number: int) -> int:
        while parent[number] != number:
            parent[number] = parent[parent[number]]
            number = parent[number]
        return number

    for axis in axes:
        first = root(axis.per_step[0][0])
        for number, _ in axis.per_step[1:]:
            parent[root(number)] = first
    found: dict[int, list[int]] = {}
    for number in range(count):
        found.setdefault(root(number), []).append(number)
    return list(found.values())


def _residues(axes: Sequence[AxisCount], highest: Mapping[int, int], align: int) -> dict[int, int]:
    """Steps below ``align`` for each choice, after which as many axes as possible are multiples."""
    if all(axis.channels % align == 0 for axis in axes):
        return dict.fromkeys(highest, 0)
    kept: list[AxisCount] = []
    best: dict[int, int] = dict.fromkeys(highest, 0)
    # Axes of few choices first: they leave least freedom, and tell early where there is none.
    for axis in sorted(axes, key=lambda axis: len(axis.per_step)):
        found = _solve([*kept, axis], highest, align)
        if found is not None:
            kept.append(axis)
            best = {**dict.fromkeys(highest, 0), **found}
    return best


def _solve(axes: Sequence[AxisCount], highest: Mapping[int, int], align: int) -> Optional[dict[int, int]]:
    """The first assignment, in rising order, after which every axis is a multiple; ``None`` without one."""
    order = list(dict.fromkeys(number for axis in axes for number, _ in axis.per_step))
    if len(order) > _MOST_CHOICES:
        return None
    ends: dict[int, list[AxisCount]] = {}
    for axis in axes:
        last = max(order.index(number) for number, _ in axis.per_step)
        ends.setdefault(last, []).append(axis)
    chosen: dict[int, int] = {}
    trials = 0

    def extend(depth: int) -> bool:
        nonlocal trials
        if depth == len(order):
            return True
        number = order[depth]
        for steps in range(min(align - 1, highest[number]) + 1):
            trials += 1
            if trials > _MOST_TRIALS:
                return False
            chosen[number] = steps
            done = ends.get(depth, ())
            if all(_left(axis, chosen) % align == 0 for axis in done) and extend(depth + 1):
                return True
        chosen.pop(number, None)
        return False

    return dict(chosen) if extend(0) else None


def _left(axis: AxisCount, steps: Mapping[int, int]) -> int:
    return axis.channels - sum(width * steps[number] for number, width in axis.per_step)
