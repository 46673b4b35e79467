"""Choices of units that are legal: no group vanishes, and what is balanced loses equally."""

from __future__ import annotations

from typing import Any, Callable

import numpy as np

from prunec.channels.removal import Removed

Chooser = Callable[[Any, np.random.Generator], Removed]


def by_domain(solution: Any) -> list[list[Any]]:
    """The groups that have to lose equally, together."""
    domains: dict[int, list[Any]] = {}
    for group in solution.groups:
        domains.setdefault(group.domain, []).append(group)
    return list(domains.values())


def _cells(groups: list[Any], generator: np.random.Generator) -> list[np.ndarray]:
    """What may go of each cell of a domain: one unit of each group, drawn, has to stay.  A group
    without cells is a cell of its own."""
    cells: dict[tuple[str, int], list[int]] = {}
    for group in groups:
        stays = int(generator.choice(group.units))
        for unit, cell in zip(group.units.tolist(), group.cells.tolist()):
            own = cells.setdefault(("cell", cell) if cell >= 0 else ("group", group.number), [])
            own += [] if unit == stays else [unit]
    return [generator.permutation(np.array(units, dtype=np.int64)) for units in cells.values()]


def _lose(solution: Any, generator: np.random.Generator, count: Callable[[int], int]) -> Removed:
    removed = np.zeros(solution.unit_count, dtype=bool)
    for groups in by_domain(solution):
        cells = _cells(groups, generator)
        lost = count(min(map(len, cells)))
        for units in cells:
            removed[units[:lost]] = True
    return removed


def all_but_one(analysis: Any, generator: np.random.Generator) -> Removed:
    """As much as can go."""
    return _lose(analysis.solution, generator, lambda most: most)


def any_legal(analysis: Any, generator: np.random.Generator) -> Removed:
    """Each domain loses a number of its own."""
    return _lose(analysis.solution, generator, lambda most: int(generator.integers(0, most + 1)))


def one_unit(number: int) -> Chooser:
    """One unit of one group, and one of each cell that is balanced against it."""

    def choose(analysis: Any, generator: np.random.Generator) -> Removed:
        solution = analysis.solution
        removed = np.zeros(solution.unit_count, dtype=bool)
        domain = solution.groups[number].domain
        cells = _cells([group for group in solution.groups if group.domain == domain], generator)
        if all(map(len, cells)):
            removed[[units[0] for units in cells]] = True
        return removed

    return choose
