"""Which units go: the same share of every group, the least important first."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from prunec.channels.components import Atoms
from prunec.channels.solve import Group, Solution

#: For every unit, whether it is removed.
Removed = NDArray[np.bool_]


def uniform(solution: Solution, ratio: float, scores: NDArray[np.float64]) -> Removed:
    """Removes ``ratio`` of the units of each group, rounded down, those with the lowest scores.

    Groups that must stay balanced against each other lose equally many units of every cell.  The
    highest unit of each group stays.  Ties go to the later position.
    """
    removed = np.zeros(solution.unit_count, dtype=bool)
    for groups in _domains(solution):
        units = np.concatenate([group.units for group in groups])
        group_of = np.concatenate([np.full(len(group.units), i) for i, group in enumerate(groups)])
        cells = np.concatenate([group.cells for group in groups])
        # A group without a table may still come apart into several cells of its own: it is one.
        equal = bool((cells >= 0).any())
        _remove_lowest(removed, units, cells if equal else group_of, group_of, ratio, scores)
    return removed


def _domains(solution: Solution) -> list[list[Group]]:
    """The groups that must stay balanced against each other, together."""
    domains: dict[int, list[Group]] = {}
    for group in solution.groups:
        domains.setdefault(group.domain, []).append(group)
    return list(domains.values())


def _remove_lowest(
    removed: Removed,
    units: Atoms,
    cells: Atoms,
    group_of: Atoms,
    ratio: float,
    scores: NDArray[np.float64],
) -> None:
    """Marks the lowest units of each cell, equally many of every cell, none of them a group's highest."""
    order = np.lexsort((-units, scores[units]))
    # The last place of each group in the order is its highest unit.
    _, from_end = np.unique(group_of[order][::-1], return_index=True)
    order = np.delete(order, len(order) - 1 - from_end)
    numbers, cell, sizes = np.unique(cells, return_inverse=True, return_counts=True)
    free = np.bincount(cell.reshape(-1)[order], minlength=len(numbers))
    # The small term keeps a product such as 0.3 * 10 from falling just under a whole number.
    quota = int(np.minimum(np.floor(sizes * ratio + 1e-9).astype(np.int64), free).min())
    by_cell = order[np.argsort(cell.reshape(-1)[order], kind="stable")]
    rank = np.arange(len(by_cell)) - np.repeat(np.cumsum(free) - free, free)
    removed[units[by_cell[rank < quota]]] = True


def illegal(solution: Solution, removed: Removed) -> list[str]:
    """What is wrong with a choice of units: a group that would vanish, cells that lose unequally."""
    problems = []
    for group in solution.groups:
        if removed[group.units].all():
            problems.append(
                f"group {group.number} would lose all its {len(group.units)} units; one must stay"
            )
    for groups in _domains(solution):
        units = np.concatenate([group.units for group in groups])
        cells = np.concatenate([group.cells for group in groups])
        if (cells < 0).any():
            continue
        numbers, inverse = np.unique(cells, return_inverse=True)
        lost = np.bincount(inverse.reshape(-1)[removed[units]], minlength=len(numbers)).tolist()
        if len(set(lost)) > 1:
            names = ", ".join(str(group.number) for group in groups)
            counts = ", ".join(map(str, lost))
            who = f"group {names}" if len(groups) == 1 else f"groups {names}, balanced against each other,"
            problems.append(f"{who} must lose equally many units of every cell, not {counts}")
    return problems
