"""Whether a plan still speaks of the groups that a model has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Optional, Sequence

from prunec.analysis.analyse import Analysis
from prunec.planning.members import group_digests, group_members, group_names
from prunec.support.diagnostics import Diagnostic, PrunecError, printable

if TYPE_CHECKING:
    from prunec.planning.planfile import Origin, PlanFile

_MOST_GROUPS = 5


def check_origin(file: PlanFile, analysis: Analysis, origin: Origin) -> None:
    """Raises PrunecError P504 for a plan of another model, of other parameters or of other groups.

    Rules may change as they like, as long as the groups stay what they are.  Plans of earlier versions do not
    say what their groups mean: under other rules these are compared by names and numbers of units.
    """
    made = file.origin
    changed = []
    if made.model != origin.model:
        changed.append(_changed("the model", "this is", made.model, origin.model))
    if made.parameters and origin.parameters and made.parameters != origin.parameters:
        changed.append(_changed("the parameters", "these are", made.parameters, origin.parameters))
    if not changed:
        changed = _other_groups(file, analysis, origin)
        if changed and made.rules is not None and made.rules != origin.rules:
            changed.append("the rules, or what a policy says of whole rows, are not those of the plan")
        if changed and made.strict != origin.strict:
            said = "with --strict" if made.strict else "without --strict"
            changed.append(f"the plan was made {said}")
    if changed:
        raise PrunecError(
            Diagnostic(
                "P504",
                "the plan was made for something else",
                where=printable(file.name),
                notes=tuple(changed),
                help="make the plan again, or give the files, rules and options it was made with",
            )
        )


def has_other_groups(file: PlanFile, analysis: Analysis) -> bool:
    """Whether the groups of a plan are not those of a model; a plan of an earlier version does not say."""
    return file.digests is not None and tuple(file.digests) != tuple(group_digests(analysis))


def _changed(what: str, now: str, old: str, new: str) -> str:
    return f"{what} changed: the plan was made for {printable(old[:12])}…, {now} {new[:12]}…"


def _other_groups(file: PlanFile, analysis: Analysis, origin: Origin) -> list[str]:
    """What is wrong with the groups, in words; empty where they are those of the plan."""
    made = file.origin
    if file.digests is not None:
        return _differences(analysis, file.digests, group_digests(analysis), "stands for other channels now")
    if (made.rules, made.strict) == (origin.rules, origin.strict):
        return []
    if file.group_units is None:
        return ["the plan does not say what its groups are (group_digests, as in groups.json)"]
    units = [len(group.units) for group in analysis.solution.groups]
    found = _differences(analysis, file.group_units, units, "has another number of units now")
    if found:
        return found
    names = group_names(group_members(analysis))
    said: list[Optional[str]] = list(names)
    for removal in file.removals:
        if 0 <= removal.group < len(said):
            said[removal.group] = removal.name or said[removal.group]
    return _differences(analysis, said, names, "has another name now")


def _differences(analysis: Analysis, old: Sequence[object], new: Sequence[object], what: str) -> list[str]:
    names = group_names(group_members(analysis))
    wrong = [number for number, (a, b) in enumerate(zip(old, new)) if a != b]
    notes = [f"group {n} ({printable(names[n], 60)}) {what}" for n in wrong[:_MOST_GROUPS]]
    if len(wrong) > _MOST_GROUPS:
        notes.append(f"the same holds for {len(wrong) - _MOST_GROUPS} more groups")
    if len(old) != len(new):
        notes.append(f"the plan was made for {len(old)} groups, and here are {len(new)}")
    return notes
