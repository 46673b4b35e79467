"""How many steps each choice loses: a share of each, or what a target asks for.

The steps of all choices are put into one order, so that a plan is a prefix of it: by the share of the choice
that is gone after the step (every choice loses the same share), or by the scores of what it removes
(one ranking over the whole model).  Costs fall along the order, and the prefix that meets a target is
found by bisection.  Where the prefix jumps over the target, single steps are taken or given back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Mapping, Optional, Sequence

import numpy as np
from numpy.typing import NDArray

from prunec.channels.choices import Choice, Ranking
from prunec.channels.components import Atoms
from prunec.planning.targets import Limits, Target
from prunec.support.diagnostics import Diagnostic

#: How far from a target still meets it.
TOLERANCE = 0.01
#: How often single steps are taken or given back to meet a target.
_CORRECTIONS = 12


@dataclass(frozen=True)
class Restriction:
    """What a policy says of one choice: nothing of it goes (``hold``), this share goes, or it has limits of
    its own (``None``: those of the whole plan)."""

    hold: bool = False
    ratio: Optional[float] = None
    align: Optional[int] = None
    max_ratio: Optional[float] = None
    min_channels: Optional[int] = None


@dataclass(frozen=True)
class Budget:
    """How much goes: ``ratio`` is the share of channels, in [0, 1), ``targets`` are costs to come down to
    instead, all of them; ``ranked`` makes one ranking over the whole model in place of the same share
    everywhere."""

    ratio: Optional[float] = None
    targets: tuple[Target, ...] = ()
    ranked: bool = False
    limits: Limits = Limits()


@dataclass(frozen=True, eq=False)
class Allocation:
    """Steps of each choice, the costs they leave (of those that were targets), and warnings."""

    steps: Atoms
    reached: Mapping[str, float]
    warnings: tuple[Diagnostic, ...] = ()


#: What a plan costs, relative to what it may cost: above one is too much.
Load = Callable[[Atoms], float]


@dataclass(frozen=True, eq=False)
class Order:
    """Steps of all choices in the order in which they go.

    Entry ``i`` takes choice ``choice[i]`` to ``steps[i]`` steps.  ``start`` are the steps before the first
    entry: none, but where a policy fixes them.
    """

    start: Atoms
    choice: Atoms
    steps: Atoms

    def __len__(self) -> int:
        return len(self.choice)

    def prefix(self, count: int) -> Atoms:
        """The steps after the first ``count`` entries."""
        steps = self.start.copy()
        np.maximum.at(steps, self.choice[:count], self.steps[:count])
        return steps


@dataclass(frozen=True, eq=False)
class Reached:
    """Steps, and the load they leave (1: exactly the target)."""

    steps: Atoms
    load: float

    @property
    def met(self) -> bool:
        """Whether the target is met."""
        return abs(self.load - 1.0) <= TOLERANCE


class OutOfReach(Exception):
    """Removing everything that may go leaves more than the target; ``steps`` is what that is."""

    def __init__(self, steps: Atoms) -> None:
        super().__init__("the target is out of reach")
        self.steps = steps


def channels_of(choice: Choice, width: int) -> int:
    """How many channels of a parameter's axis a choice has; a step takes ``width`` of them."""
    return round(width * len(choice.units) / len(choice.cells))


def levels(choice: Choice, width: int, limits: Limits) -> Atoms:
    """The numbers of steps that a choice may lose, from none upwards; alignment is left to others.

    ``width`` is how many channels a step takes from a parameter's axis.
    """
    steps = np.arange(choice.size)
    channels = channels_of(choice, width) - width * steps
    allowed = steps <= int(choice.size * limits.max_ratio + 1e-9)
    allowed &= channels >= limits.min_channels
    allowed[0] = True
    return np.flatnonzero(allowed)


def share_of(choice: Choice, allowed: Atoms, ratio: float) -> int:
    """The allowed number of steps that comes nearest to a share of a choice; the smaller of two."""
    # The small term keeps a product such as 0.3 * 10 from falling just under a whole number.
    wanted = int(choice.size * ratio + 1e-9)
    return int(allowed[np.abs(allowed - wanted).argmin()])


def uniform_order(choices: Sequence[Choice], allowed: Sequence[Atoms], start: Atoms) -> Order:
    """The order in which every choice loses the same share."""
    priorities = [own[own > begin] / choice.size for choice, own, begin in zip(choices, allowed, start)]
    return _order(priorities, allowed, start)


def ranked_order(rankings: Sequence[Ranking], allowed: Sequence[Atoms], start: Atoms) -> Order:
    """The order of one ranking over all choices: what scores least goes first, wherever it stands."""
    priorities = []
    for ranking, own, begin in zip(rankings, allowed, start):
        sums = np.concatenate([[0.0], np.cumsum(ranking.scores)])
        ends = own[own > begin]
        starts = np.concatenate([[begin], ends[:-1]]) if len(ends) else ends
        means = (sums[ends] - sums[starts]) / np.maximum(ends - starts, 1)
        # A choice's steps go in their own order, whatever rounding says.
        priorities.append(np.maximum.accumulate(means) if len(means) else means)
    return _order(priorities, allowed, start)


def _order(priorities: Sequence[NDArray[np.float64]], allowed: Sequence[Atoms], start: Atoms) -> Order:
    steps = [own[own > begin] for own, begin in zip(allowed, start)]
    if not steps:
        empty = np.zeros(0, dtype=np.int64)
        return Order(start, empty, empty)
    choice = np.repeat(np.arange(len(steps)), [len(own) for own in steps])
    flat = np.concatenate(steps).astype(np.int64)
    order = np.lexsort((flat, choice, np.concatenate(priorities)))
    return Order(start, choice[order], flat[order])


def meet(order: Order, allowed: Sequence[Atoms], load: Load) -> Reached:
    """The shortest prefix whose load is at most one, corrected by single steps where it falls short of
    the target by more than the tolerance.

    Raises :class:`OutOfReach` where the whole order leaves a load above one by more than the tolerance.
    """
    none = Reached(order.start, load(order.start))
    if none.load <= 1.0:
        return none
    full = order.prefix(len(order))
    least = load(full)
    if least > 1.0 + TOLERANCE:
        raise OutOfReach(full)
    if least > 1.0:
        return Reached(full, least)
    low, high = 0, len(order)
    while high - low > 1:
        middle = (low + high) // 2
        if load(order.prefix(middle)) > 1.0:
            low = middle
        else:
            high = middle
    below = Reached(order.prefix(high), load(order.prefix(high)))
    if below.met:
        return below
    above = Reached(order.prefix(low), load(order.prefix(low)))
    if above.met:
        return above
    return _corrected(above, below, order, allowed, load)


def _corrected(above: Reached, below: Reached, order: Order, allowed: Sequence[Atoms], load: Load) -> Reached:
    """Looks for a plan that meets the target near two that do not: gives back steps of the one that removes
    too much, or takes more from the one that removes too little."""
    best = min((above, below), key=_distance)
    for _ in range(_CORRECTIONS):
        given = [
            _moved(below, choice, allowed[choice], order.start, -1, load) for choice in _last_first(order)
        ]
        found = _nearest([r for r in given if r is not None], best)
        if found.met:
            return found
        taken = [
            _moved(above, choice, allowed[choice], order.start, 1, load) for choice in _first_first(order)
        ]
        found = _nearest([r for r in taken if r is not None], found)
        if found.met:
            return found
        best = min((best, found), key=_distance)
        # Go on from the nearest plans on either side of the target.
        nearer = [r for r in (*given, *taken) if r is not None]
        new_above = min((r for r in nearer if r.load > 1.0), key=_distance, default=above)
        new_below = min((r for r in nearer if r.load <= 1.0), key=_distance, default=below)
        if _distance(new_above) >= _distance(above) and _distance(new_below) >= _distance(below):
            break
        above = min((above, new_above), key=_distance)
        below = min((below, new_below), key=_distance)
    return best


def _distance(reached: Reached) -> float:
    return abs(reached.load - 1.0)


def _nearest(candidates: Sequence[Reached], best: Reached) -> Reached:
    """The first candidate that meets the target, else the nearest of all."""
    for candidate in candidates:
        if candidate.met:
            return candidate
    return min([best, *candidates], key=_distance)


def _moved(
    reached: Reached, choice: int, allowed: Atoms, start: Atoms, direction: int, load: Load
) -> Optional[Reached]:
    """The plan with one more or one less level of a choice."""
    at = int(np.searchsorted(allowed, reached.steps[choice])) + direction
    if not 0 <= at < len(allowed) or allowed[at] < start[choice]:
        return None
    steps = reached.steps.copy()
    steps[choice] = allowed[at]
    return Reached(steps, load(steps))


def _first_first(order: Order) -> list[int]:
    return list(dict.fromkeys(order.choice.tolist()))


def _last_first(order: Order) -> list[int]:
    return list(dict.fromkeys(order.choice[::-1].tolist()))
