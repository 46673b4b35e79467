"""plan.json: which units of which groups go, for which model and parameters.

The format is described in ``docs/plan_and_files.md`` and ``prunec/schemas/plan.schema.json``.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from dataclasses import dataclass, replace
from typing import Any, Mapping, NoReturn, Optional, Sequence, Union

import numpy as np

from prunec.analysis.analyse import Analysis
from prunec.channels.removal import illegal
from prunec.channels.solve import Group
from prunec.graph import Shape
from prunec.planning.choose import OUTCOMES, Plan
from prunec.planning.history import History, read_history
from prunec.planning.staleness import check_origin
from prunec.rewriting.widths import Width
from prunec.support.diagnostics import Diagnostic, PrunecError, printable

FORMAT = "prunec plan"
VERSION = 1
#: Far above the plan of any network: one of ResNet-152 has 0.1 MB.
MAXIMUM_BYTES = 64 << 20

_HELP = "give a plan.json as prunec writes it, described in docs/plan_and_files.md"
_MOST_PROBLEMS = 20


@dataclass(frozen=True)
class Origin:
    """What a plan or a list of groups was made of: SHA-256 of the model, of the rules (``None``: not said)
    and of the parameters (``None``: without parameters), in hexadecimal, and whether channels were kept
    strictly."""

    model: str
    rules: Optional[str]
    parameters: Optional[str]
    strict: bool

    def members(self) -> dict[str, Any]:
        """As members of a JSON object."""
        return {
            "model": self.model,
            "rules": self.rules,
            "parameters": self.parameters,
            "strict": self.strict,
        }


@dataclass(frozen=True)
class Removal:
    """The units that a group loses, counted within the group; ``units`` is how many it had, ``compensated``
    how well they are made up for, where they are, and ``name`` what the group is called."""

    group: int
    units: Optional[int]
    indices: tuple[int, ...]
    compensated: Optional[str] = None
    name: Optional[str] = None


@dataclass(frozen=True)
class PlanFile:
    """A plan as it stands in a file; ``name`` is what messages call it.

    ``group_units`` is how many units every group of its model has, where the plan says so, and ``digests``
    what they mean (see :func:`prunec.planning.members.group_digests`); ``history`` says where the units of a
    model come from that was pruned before, ``inputs`` the shapes of inputs that the groups were found with.
    """

    name: str
    origin: Origin
    method: Mapping[str, Any]
    removals: tuple[Removal, ...]
    group_units: Optional[tuple[int, ...]] = None
    history: Optional[History] = None
    digests: Optional[tuple[str, ...]] = None
    inputs: Optional[Mapping[str, Shape]] = None


# --- writing ----------------------------------------------------------------------------------


def plan_text(
    analysis: Analysis,
    origin: Origin,
    plan: Plan,
    names: tuple[str, ...],
    digests: Sequence[str],
    inputs: Mapping[str, Shape],
    version: str,
    narrower: Sequence[Width] = (),
) -> str:
    """The text of plan.json, one group in a line; ``names`` are the groups' names and ``digests`` their
    digests, ``inputs`` the shapes that the groups were found with, ``version`` is prunec's, ``narrower`` what
    changes of the model's interface."""
    head = {"format": FORMAT, "version": VERSION, "prunec": version, **origin.members()}
    head["inputs"] = {name: list(shape) for name, shape in sorted(inputs.items())}
    head["method"] = dict(plan.method)
    head["group_units"] = [len(group.units) for group in analysis.solution.groups]
    head["group_digests"] = list(digests)
    entries = []
    for group, name in zip(analysis.solution.groups, names):
        gone = np.flatnonzero(plan.removed[group.units])
        if gone.size:
            entry: dict[str, Any] = {"group": group.number, "name": name, "units": len(group.units)}
            if group.number in plan.compensated:
                entry["compensated"] = plan.compensated[group.number]
            entry["remove"] = gone.tolist()
            entries.append(f"    {json.dumps(entry)}")
    lines = [f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in head.items()]
    if narrower:
        own = ",\n".join(f"    {json.dumps(width.members())}" for width in narrower)
        lines.append(f'  "interface": [\n{own}\n  ]')
    if plan.history is not None:
        lines.append(f'  "original": {plan.history.text()}')
    groups = "[\n" + ",\n".join(entries) + "\n  ]" if entries else "[]"
    return "{\n" + ",\n".join([*lines, f'  "groups": {groups}']) + "\n}\n"


# --- reading ----------------------------------------------------------------------------------


def read_plan(path: Union[str, os.PathLike[str]]) -> PlanFile:
    """Reads a plan.

    Raises PrunecError P501 where the file cannot be read, P502 where it is no plan, with everything that
    is wrong with its structure.
    """
    name = os.fspath(path)
    try:
        with open(path, "rb") as file:
            data = file.read(MAXIMUM_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a path with a null character
        reason = getattr(error, "strerror", None) or str(error)
        _fail("P501", "cannot read the plan", name, f"the system says: {reason}", "check the path")
    if len(data) > MAXIMUM_BYTES:
        _fail("P501", "the plan is too large", name, f"at most {MAXIMUM_BYTES:,} bytes are read", _HELP)
    try:
        document = json.loads(data.decode("utf-8-sig"))
    except json.JSONDecodeError as error:
        place = f"{name}:{error.lineno}:{error.colno}"
        _fail("P502", "the plan is not a JSON file", place, f"reading stopped here: {error.msg}", _HELP)
    except (ValueError, RecursionError):
        _fail("P502", "the plan is not a JSON file", name, "it is not text, or nested too deeply", _HELP)
    return _plan_file(name, document)


def _plan_file(name: str, document: Any) -> PlanFile:
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        _fail("P502", "not a plan of prunec", name, f'it lacks "format": "{FORMAT}"', _HELP)
    if document.get("version") != VERSION or type(document.get("version")) is not int:
        found = printable(json.dumps(document.get("version")), 40)
        note = f"its version is {found}, and this prunec reads version {VERSION}"
        _fail("P502", "a plan of another version", name, note, "make the plan again with this prunec")
    problems = []
    if not isinstance(document.get("model"), str):
        problems.append('"model" is not a text: the SHA-256 of the model, as in groups.json')
    if not isinstance(document.get("rules"), (str, type(None))):
        problems.append('"rules" is neither a text, the SHA-256 of the rules, nor null')
    if not isinstance(document.get("parameters"), (str, type(None))):
        problems.append('"parameters" is neither a text, the SHA-256 of the parameter file, nor null')
    if not isinstance(document.get("strict", False), bool):
        problems.append('"strict" is neither true nor false')
    if not isinstance(document.get("method", {}), dict):
        problems.append('"method" is not an object')
    groups = document.get("groups")
    if not isinstance(groups, list):
        problems.append('"groups" is not a list')
        groups = []
    removals = [_removal(index, entry, problems) for index, entry in enumerate(groups)]
    units = _group_units(document.get("group_units"), problems)
    digests = _digests(document.get("group_digests"), problems)
    inputs = _inputs(document.get("inputs"), problems)
    history = read_history(document.get("original"), problems)
    if problems:
        shown = problems[:_MOST_PROBLEMS]
        more = len(problems) - len(shown)
        notes = (*shown, f"and {more} more") if more else tuple(shown)
        raise PrunecError(Diagnostic("P502", "not the structure of a plan", name, notes=notes, help=_HELP))
    origin = Origin(
        document["model"], document.get("rules"), document.get("parameters"), document.get("strict", False)
    )
    kept = tuple(r for r in removals if r is not None)
    return PlanFile(name, origin, document.get("method", {}), kept, units, history, digests, inputs)


def _removal(index: int, entry: Any, problems: list[str]) -> Optional[Removal]:
    if not isinstance(entry, dict):
        problems.append(f"entry {index} of groups is not an object")
        return None
    group, units, indices = entry.get("group"), entry.get("units"), entry.get("remove")
    # type() because a truth value is an int to isinstance.
    if type(group) is not int:
        problems.append(f'entry {index} of groups has no whole number "group"')
        return None
    if units is not None and type(units) is not int:
        problems.append(f'group {group}: "units" is not a whole number')
        return None
    if not isinstance(indices, list) or not all(type(number) is int for number in indices):
        problems.append(f'group {group}: "remove" is not a list of whole numbers')
        return None
    compensated = entry.get("compensated")
    if compensated is not None and compensated not in OUTCOMES:
        problems.append(f'group {group}: "compensated" is none of {", ".join(OUTCOMES)}')
        return None
    name = entry.get("name")
    return Removal(group, units, tuple(indices), compensated, name if isinstance(name, str) else None)


def _group_units(found: Any, problems: list[str]) -> Optional[tuple[int, ...]]:
    if found is None:
        return None
    if not isinstance(found, list) or not all(type(number) is int and number > 0 for number in found):
        problems.append('"group_units" is not a list of whole numbers')
        return None
    return tuple(found)


def _inputs(found: Any, problems: list[str]) -> Optional[dict[str, Shape]]:
    if found is None:
        return None
    if not isinstance(found, dict) or not all(
        isinstance(shape, list) and all(type(size) is int and size >= 0 for size in shape)
        for shape in found.values()
    ):
        problems.append('"inputs" is not an object with a list of sizes for each name')
        return None
    return {name: tuple(shape) for name, shape in found.items()}


def _digests(found: Any, problems: list[str]) -> Optional[tuple[str, ...]]:
    if found is None:
        return None
    if not isinstance(found, list) or not all(isinstance(digest, str) for digest in found):
        problems.append('"group_digests" is not a list of texts, as in groups.json')
        return None
    return tuple(found)


# --- checking ---------------------------------------------------------------------------------


def plan_for(file: PlanFile, analysis: Analysis, origin: Origin) -> Plan:
    """The plan of a file, for the analysis it was made for.

    ``origin`` is what the analysis was made of.  Raises PrunecError: P504 for a plan that was made for
    something else, P505 for groups and indices there are not, P506 for choices that no network has; all
    problems of one kind at once.
    """
    check_origin(file, analysis, origin)
    solution = analysis.solution
    removed = np.zeros(solution.unit_count, dtype=bool)
    problems: list[str] = []
    seen: set[int] = set()
    for removal in file.removals:
        if not 0 <= removal.group < len(solution.groups):
            last = len(solution.groups) - 1
            problems.append(f"there is no group {removal.group}: groups are counted from 0 to {last}")
            continue
        if removal.group in seen:
            problems.append(f"group {removal.group} stands there twice")
            continue
        seen.add(removal.group)
        group = solution.groups[removal.group]
        found = _index_problems(removal, group)
        problems += found
        if not found:
            removed[group.units[np.array(removal.indices, dtype=np.int64)]] = True
    if problems:
        _refuse("P505", "the plan speaks of units that the model does not have", file.name, problems)
    wrong = illegal(solution, removed)
    if wrong:
        _refuse("P506", "the plan removes what cannot go", file.name, wrong)
    compensated = {r.group: r.compensated for r in file.removals if r.compensated is not None}
    return Plan(removed, file.method, history=file.history, compensated=compensated)


def refreshed(origin: Origin, file: PlanFile) -> Origin:
    """The origin of a plan that is written again: where no parameters are at hand, those it was made for."""
    return replace(origin, parameters=origin.parameters or file.origin.parameters)


def _index_problems(removal: Removal, group: Group) -> list[str]:
    count = len(group.units)
    if removal.units is not None and removal.units != count:
        return [f"group {removal.group} has {count} units, and the plan says {removal.units}"]
    outside = sorted({number for number in removal.indices if not 0 <= number < count})
    if outside:
        shown = ", ".join(map(str, outside[:5])) + (" …" if len(outside) > 5 else "")
        return [f"group {removal.group} has the units 0 to {count - 1}, not {shown}"]
    times = Counter(removal.indices)
    twice = [number for number in sorted(times) if times[number] > 1]
    if twice:
        return [f"group {removal.group} removes unit {twice[0]} more than once"]
    return []


def _refuse(code: str, headline: str, name: str, problems: list[str]) -> NoReturn:
    shown = problems[:_MOST_PROBLEMS]
    more = len(problems) - len(shown)
    notes = (*shown, f"and {more} more") if more else tuple(shown)
    help_text = "correct the plan; `prunec groups --json` lists the groups and their units"
    raise PrunecError(Diagnostic(code, headline, printable(name), notes=notes, help=help_text))


def _fail(code: str, headline: str, where: str, note: str, help_text: str) -> NoReturn:
    raise PrunecError(Diagnostic(code, headline, where, notes=(note,), help=help_text)) from None
