"""Making up for what a plan removes: a step of `compile`, and the command `compensate` itself."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from dataclasses import asdict, replace
from pathlib import Path
from typing import Optional, Sequence

from prunec.cli.artefacts import COMPENSATED_COPY, COMPENSATION_REPORT
from prunec.cli.inputs import Inputs
from prunec.cli.made_up import MadeUp, copies, with_changes
from prunec.cli.plan_options import read_examples
from prunec.cli.table import print_table
from prunec.examples import Data
from prunec.planning.choose import EXACT, LEFT, OUTCOMES, Plan
from prunec.planning.compensation import Shift, by_group, compensate
from prunec.planning.latency import random_examples
from prunec.planning.members import group_members, group_names

#: Random examples where none are given.
_EXAMPLES = 8


def compensated(options: argparse.Namespace, inputs: Inputs, plan: Plan, folder: Path) -> MadeUp:
    """Writes parameters that make up for what a plan removes into a folder, in files of their names and in
    their old shapes.

    Raises PrunecError P526 without examples or input shapes, and what reading the
    examples, running the model and writing raise.
    """
    data = _examples(options, inputs)
    changed, shifts = compensate(inputs.analysis, plan.removed, data)
    changed_inputs = with_changes(inputs, changed, folder)
    method = {**plan.method, "compensated": "constants"}
    result = replace(plan, method=method, compensated=by_group(shifts))
    return MadeUp(
        changed_inputs,
        result,
        copies(inputs, COMPENSATED_COPY, folder),
        (COMPENSATION_REPORT, _report_text(inputs, result, shifts)),
        lambda: _print_groups(inputs, result, shifts),
        {},
    )


def _report_text(inputs: Inputs, plan: Plan, shifts: Sequence[Shift]) -> str:
    """The text of the report: what was done for each layer, and how it stands with each group."""
    names = group_names(group_members(inputs.analysis))
    groups = []
    for group, outcome in plan.compensated.items():
        readers = [shift.layer for shift in shifts if group in shift.groups]
        groups.append({"group": group, "name": names[group], "outcome": outcome, "layers": readers})
    layers = [{**asdict(shift), "outcome": shift.outcome} for shift in shifts]
    document = {"format": "prunec compensation", "version": 1, "groups": groups, "layers": layers}
    return json.dumps(document, indent=2) + "\n"


def _print_groups(inputs: Inputs, plan: Plan, shifts: Sequence[Shift]) -> None:
    """A row for each group that loses units, and how many there are of each outcome."""
    solution = inputs.analysis.solution
    names = group_names(group_members(inputs.analysis))
    rows = []
    counts: Counter[str] = Counter()
    for group in solution.groups:
        gone = int(plan.removed[group.units].sum())
        if gone:
            outcome = plan.compensated.get(group.number)
            counts[_HEADINGS[outcome]] += 1
            own = [shift for shift in shifts if group.number in shift.groups]
            rows.append((str(group.number), names[group.number], str(gone), *_cells(own, outcome)))
    columns = ("group", "name", "gone", "off before", "off after", "made up for")
    print_table(columns, rows, frozenset((0, 2, 3, 4)))
    said = [f"{counts[heading]} {heading}" for heading in _HEADINGS.values() if counts[heading]]
    print(f"what {len(rows)} groups lose is made up for: {', '.join(said) or 'nothing goes'}")


#: What becomes of the layers that read what groups lose.
_HEADINGS = {EXACT: "exactly", LEFT: "not", None: "no layer reads it"}


def _cells(shifts: Sequence[Shift], outcome: Optional[str]) -> tuple[str, str, str]:
    """How far the layer of a group that is furthest off was off and is, and why."""
    worst = max(shifts, key=lambda shift: (OUTCOMES.index(shift.outcome), shift.after), default=None)
    if worst is None:
        return "", "", _HEADINGS[None]
    why = ""
    if outcome == LEFT:
        why = "no parameter is added to it" if worst.parameter is None else "not constant there"
        why = f": {worst.layer}, {why}"
    return f"{worst.before:.1e}", f"{worst.after:.1e}", _HEADINGS[outcome] + why


# --- what it takes ------------------------------------------------------------------------------


def _examples(options: argparse.Namespace, inputs: Inputs) -> Data:
    """The examples given, or random ones."""
    if options.data is not None:
        return read_examples(options.data, inputs)
    return random_examples(inputs.analysis, _EXAMPLES)
