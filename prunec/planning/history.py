"""Pruning in rounds: where the units of a model come from that was pruned before."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Mapping, NoReturn, Optional

from prunec.analysis.analyse import Analysis
from prunec.support.diagnostics import Diagnostic, PrunecError, printable

if TYPE_CHECKING:
    from prunec.planning.planfile import PlanFile


@dataclass(frozen=True)
class Trace:
    """A group of the first model, and for each unit of the present group its number in that one."""

    original: int
    units: tuple[int, ...]


@dataclass(frozen=True)
class History:
    """``model`` is the SHA-256 of the model of the first round, ``rounds`` the number of plans since, and
    ``groups`` traces the groups of the present model that have lost something, by number."""

    model: str
    rounds: int
    groups: Mapping[int, Trace]

    def text(self) -> str:
        """As JSON, one group in a line."""
        head = f'{{"model": {json.dumps(self.model)}, "rounds": {self.rounds}, "groups": ['
        lines = [
            json.dumps({"group": number, "original": trace.original, "units": list(trace.units)})
            for number, trace in sorted(self.groups.items())
        ]
        return head + ("\n    " + ",\n    ".join(lines) + "\n  " if lines else "") + "]}"


def read_history(found: Any, problems: list[str]) -> Optional[History]:
    """The member ``original`` of a plan; what is wrong with it goes to ``problems``."""
    if found is None:
        return None
    if not isinstance(found, dict) or not isinstance(found.get("groups"), list):
        problems.append('"original" is not an object with a list "groups"')
        return None
    groups: dict[int, Trace] = {}
    for entry in found["groups"]:
        numbers: list[Any] = [None]
        if isinstance(entry, dict):
            numbers = [entry.get(key) for key in ("group", "original")]
        units = entry.get("units") if isinstance(entry, dict) else None
        listed = isinstance(units, list) and all(type(unit) is int and unit >= 0 for unit in units)
        if any(type(number) is not int for number in numbers) or not listed or units is None:
            problems.append('an entry of "original" lacks whole numbers "group" and "original", or "units"')
            return None
        groups[numbers[0]] = Trace(numbers[1], tuple(units))
    model, rounds = found.get("model"), found.get("rounds")
    if not isinstance(model, str) or type(rounds) is not int or rounds < 1:
        problems.append('"original" lacks the text "model" or the whole number "rounds"')
        return None
    return History(model, rounds, groups)


def continued(previous: PlanFile, analysis: Analysis) -> History:
    """The history of a model that the plan ``previous`` made.

    Groups are matched by their order: pruning keeps it, and a group of which one unit was left may be gone.
    Raises PrunecError P540 where the model is not what the plan makes.
    """
    if previous.group_units is None:
        note = "it does not say how many units each group has"
        _fail(previous, "this plan cannot be continued", note, _COMPILED)
    before = list(range(len(previous.group_units)))
    gone = {removal.group: frozenset(removal.indices) for removal in previous.removals}
    if any(number not in range(len(before)) for number in gone):
        _fail(previous, "this plan cannot be continued", "it speaks of groups there are not", _COMPILED)
    left = [previous.group_units[number] - len(gone.get(number, ())) for number in before]
    old = [number for number in before if left[number] > 1]
    now = [group.number for group in analysis.solution.groups if len(group.units) > 1]
    sizes = [len(analysis.solution.groups[number].units) for number in now]
    if sizes != [left[number] for number in old]:
        note = (
            f"after it {len(old)} groups can lose something, with {sum(left)} units in all; in the model "
            f"there are {len(now)}, with {sum(sizes)}"
            if len(sizes) != len(old)
            else _first_difference(sizes, [left[number] for number in old])
        )
        help_text = "give the model that was compiled with this plan, and the same rules and options"
        _fail(previous, "the model is not what this plan makes", note, help_text)
    earlier = previous.history
    groups: dict[int, Trace] = {}
    for number, origin in zip(now, old):
        known = None if earlier is None else earlier.groups.get(origin)
        count = previous.group_units[origin]
        trace = known or Trace(origin, tuple(range(count)))
        kept = [unit for unit in range(count) if unit not in gone.get(origin, frozenset())]
        if len(trace.units) != count:
            _fail(previous, "this plan cannot be continued", "its history does not fit its groups", _COMPILED)
        if known is not None or len(kept) < count or origin != number:
            groups[number] = Trace(trace.original, tuple(trace.units[unit] for unit in kept))
    first = previous.origin.model if earlier is None else earlier.model
    return History(first, 1 + (0 if earlier is None else earlier.rounds), groups)


_COMPILED = "give the plan.json that `prunec compile` wrote beside the model"


def _first_difference(sizes: list[int], expected: list[int]) -> str:
    at = next(i for i, (a, b) in enumerate(zip(sizes, expected)) if a != b)
    return f"after it the {at + 1}. group that can lose something has {expected[at]} units, here {sizes[at]}"


def _fail(previous: PlanFile, headline: str, note: str, help_text: str) -> NoReturn:
    raise PrunecError(Diagnostic("P540", headline, printable(previous.name), notes=(note,), help=help_text))
