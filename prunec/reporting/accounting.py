"""Which groups of channels account for the sizes that differ between two models."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from math import prod
from typing import Sequence

import numpy as np

from prunec.analysis.analyse import Analysis
from prunec.channels.components import Atoms
from prunec.graph import Tensor
from prunec.planning.members import group_members, group_names
from prunec.reporting.differences import GroupChange, ModelDifference, NodeChange, ShapeChange
from prunec.reporting.facts import group_of_units


def by_groups(
    comparison: ModelDifference, analysis: Analysis, changed: Sequence[tuple[int, NodeChange]]
) -> ModelDifference:
    """The comparison with each changed size put down to groups, and how much each group lost."""
    finder = _Finder(analysis)
    nodes = tuple(replace(change, groups=finder.groups(index, change)) for index, change in changed)
    members = group_members(analysis)
    names = group_names(members)
    losses: dict[int, set[int]] = {}
    for change, (index, _) in zip(nodes, changed):
        if change.is_parameter:
            for number, count in finder.losses(index, change).items():
                losses.setdefault(number, set()).add(count)
    touched = sorted({number for change in nodes for number in change.groups})
    groups = []
    for number in touched:
        found = losses.get(number, set())
        units = len(analysis.solution.groups[number].units)
        conflicting = len(found) > 1 or -1 in found
        gone = next(iter(found)) if found and not conflicting else None
        groups.append(GroupChange(number, names[number], units, gone, conflicting))
    return replace(comparison, changed=nodes, groups=tuple(groups))


class _Finder:
    """Finds the groups on the axes of tensors."""

    def __init__(self, analysis: Analysis) -> None:
        self.analysis = analysis
        self.group_of = group_of_units(analysis)

    def _on_axis(self, tensor: Tensor, axis: int) -> dict[int, Fraction]:
        """The groups on an axis, each with how many elements of the axis one of its units takes (less than
        one where units stand in rows that lose equally)."""
        channels = self.analysis.solution.propagation.channels.get(tensor)
        if channels is None or axis >= len(channels.layout.axes):
            return {}
        start = sum(len(factors) for factors in channels.layout.axes[:axis])
        own = range(start, start + len(channels.layout.axes[axis]))
        found: dict[int, Fraction] = {}
        for factors, array in zip(channels.layout.arrays, channels.arrays):
            if any(factor in own for factor in factors):
                sizes = [channels.layout.factors[factor] or 1 for factor in own if factor not in factors]
                rows = [channels.layout.factors[factor] or 1 for factor in factors if factor not in own]
                found.update(self._per_unit(array, prod(sizes), prod(rows)))
        return found

    def _per_unit(self, array: Atoms, inside: int, outside: int) -> dict[int, Fraction]:
        """The groups of an array, each with how many elements of an axis a unit takes: every atom stands for
        ``inside`` elements of it, and the array has ``outside`` rows that lie on other axes."""
        units = self.analysis.solution.units(array).reshape(-1)
        numbers, counts = np.unique(self.group_of[units[units >= 0]], return_counts=True)
        return {
            number: Fraction(count * inside, len(self.analysis.solution.groups[number].units) * outside)
            for number, count in zip(numbers.tolist(), counts.tolist())
            if number >= 0
        }

    def groups(self, node: int, change: NodeChange) -> tuple[int, ...]:
        """The groups on all axes of a node's outputs that changed their size."""
        if change.inputs is not None or change.operators is not None:
            return ()  # pruning leaves both alone, so something else happened here
        found: dict[int, None] = {}
        for shape in change.shapes:
            for axis in _changed_axes(shape):
                found.update(dict.fromkeys(self._on_axis(Tensor(node, shape.output), axis)))
        return tuple(found)

    def losses(self, node: int, change: NodeChange) -> dict[int, int]:
        """How many units each group lost, as told by the axes of a parameter where it stands alone; -1 where
        that is no whole number."""
        result: dict[int, int] = {}
        for shape in change.shapes:
            for axis in _changed_axes(shape):
                found = self._on_axis(Tensor(node, shape.output), axis)
                before, after = shape.before[axis], shape.after[axis]
                if len(found) == 1 and before is not None and after is not None:
                    ((number, per_unit),) = found.items()
                    lost = (before - after) / per_unit
                    result[number] = int(lost) if lost.denominator == 1 else -1
        return result


def _changed_axes(change: ShapeChange) -> list[int]:
    if len(change.before) != len(change.after):
        return []
    return [
        axis
        for axis, (before, after) in enumerate(zip(change.before, change.after))
        if before is not None and after is not None and before != after
    ]
