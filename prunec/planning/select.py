"""Which units go: the same share of every group, the least important first."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from prunec.solver.components import Atoms
from prunec.solver.solve import Solution

#: For every unit, whether it is removed.
Removed = NDArray[np.bool_]


def uniform(solution: Solution, ratio: float, scores: NDArray[np.float64]) -> Removed:
    """Removes ``ratio`` of the units of each group, rounded down, those with the lowest scores.

    Groups that must stay balanced against each other lose equally many units of every cell.  At
    least one unit of each group and cell stays.  Ties go to the later position.
    """
    removed = np.zeros(solution.unit_count, dtype=bool)
    by_domain: dict[int, list[int]] = {}
    for group in solution.groups:
        by_domain.setdefault(group.domain, []).append(group.number)
    for numbers in by_domain.values():
        groups = [solution.groups[n] for n in numbers]
        units = np.concatenate([g.units for g in groups])
        cells = np.concatenate([g.cells for g in groups])
        if (cells < 0).all():
            # A group without a table may still come apart into several cells of its own: it is one.
            _remove_lowest(
                removed,
                units,
                np.concatenate([np.full(len(g.units), i) for i, g in enumerate(groups)]),
                ratio,
                scores,
            )
        else:
            _remove_lowest(removed, units, cells, ratio, scores, equal=True)
    return removed


def _remove_lowest(
    removed: Removed,
    units: Atoms,
    cells: Atoms,
    ratio: float,
    scores: NDArray[np.float64],
    equal: bool = False,
) -> None:
    _, cell, sizes = np.unique(cells, return_inverse=True, return_counts=True)
    cell = cell.reshape(-1)
    # The small term keeps a product such as 0.3 * 10 from falling just under a whole number.
    quota = np.minimum(np.floor(sizes * ratio + 1e-9).astype(np.int64), sizes - 1)
    if equal:
        quota[:] = quota.min(initial=quota.max(initial=0))
    order = np.lexsort((-units, scores[units], cell))
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    rank = np.arange(len(units)) - starts[cell[order]]
    removed[units[order[rank < quota[cell[order]]]]] = True


def illegal(solution: Solution, removed: Removed) -> list[str]:
    """What is wrong with a choice of units: a group that would vanish, cells that lose unequally."""
    problems = []
    losses: dict[int, set[int]] = {}
    for group in solution.groups:
        gone = removed[group.units]
        if gone.all():
            problems.append(
                f"group {group.number} would lose all its {len(group.units)} units; one must stay"
            )
        if (group.cells >= 0).any():
            cells, inverse = np.unique(group.cells, return_inverse=True)
            lost = np.bincount(inverse.reshape(-1), weights=gone, minlength=len(cells)).astype(int)
            losses.setdefault(group.domain, set()).update(int(n) for n in lost)
            if len(set(lost.tolist())) > 1:
                counts = ", ".join(map(str, lost.tolist()))
                problems.append(
                    f"group {group.number} must lose equally many units of every cell, not {counts}"
                )
    for group in solution.groups:
        found = losses.pop(group.domain, set())
        if len(found) > 1 and not problems:
            problems.append(
                f"group {group.number} and those balanced against it must lose equally many of every cell"
            )
    return problems
