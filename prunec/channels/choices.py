"""Choices: the decisions that a plan consists of.

Groups that are balanced against each other are one *choice*.  It is made in *steps*: a step removes one
unit of every cell of every group of the choice (a single unit, where nothing is balanced).  A plan is a
number of steps for each choice and, in each cell, the units that go first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Sequence

import numpy as np
from numpy.typing import NDArray

from prunec.channels.components import Atoms
from prunec.channels.removal import Removed
from prunec.channels.solve import Solution


@dataclass(frozen=True, eq=False)
class Choice:
    """Groups that lose units together.

    ``cells`` holds the units of each cell; ``size`` is the number of units of the smallest one: a choice
    can lose up to ``size - 1`` steps.
    """

    number: int
    groups: tuple[int, ...]
    cells: tuple[Atoms, ...]
    size: int

    @property
    def units(self) -> Atoms:
        """All units of the choice."""
        return np.concatenate(self.cells)


def choices_of(solution: Solution) -> tuple[Choice, ...]:
    """All choices of a model, in the order of their first groups."""
    by_domain: dict[int, list[int]] = {}
    for group in solution.groups:
        by_domain.setdefault(group.domain, []).append(group.number)
    choices: list[Choice] = []
    for numbers in by_domain.values():
        cells: list[Atoms] = []
        for number in numbers:
            group = solution.groups[number]
            order = np.argsort(group.cells, kind="stable")
            _, starts = np.unique(group.cells[order], return_index=True)
            cells += np.split(group.units[order], starts[1:])
        size = min(len(cell) for cell in cells)
        choices.append(Choice(len(choices), tuple(numbers), tuple(cells), size))
    return tuple(choices)


@dataclass(frozen=True, eq=False)
class Ranking:
    """The units of a choice in the order in which they go.

    ``order`` has the shape (cells, size): column ``k`` holds the units that step ``k + 1`` removes.
    ``scores`` (size,) is the mean score of each column; it does not fall.
    """

    order: Atoms
    scores: NDArray[np.float64]


def rank(choice: Choice, scores: NDArray[np.float64]) -> Ranking:
    """Ranks the units of each cell by score, the lowest first; of equal scores the later position."""
    rows = []
    for cell in choice.cells:
        rows.append(cell[np.lexsort((-cell, scores[cell]))][: choice.size])
    order = np.stack(rows)
    return Ranking(order, np.asarray(scores[order].mean(axis=0)))


def removed_units(unit_count: int, rankings: Sequence[Ranking], steps: Atoms) -> Removed:
    """For every unit whether it goes, when choice ``i`` loses ``steps[i]`` steps."""
    removed = np.zeros(unit_count, dtype=bool)
    for ranking, count in zip(rankings, steps.tolist()):
        removed[ranking.order[:, :count]] = True
    return removed
