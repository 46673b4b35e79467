"""Making up for what a plan removes: a step of `compile`, and the command `compensate` itself."""

from __future__ import annotations

import argparse
import json
import shutil
from collections import Counter
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Optional, Sequence

from prunec.cli.artefacts import Artefacts
from prunec.cli.inputs import Inputs
from prunec.cli.plan_options import read_examples
from prunec.cli.table import print_table
from prunec.examples import Data
from prunec.planning.choose import EXACT, LEFT, NEARER, OUTCOMES, Plan
from prunec.planning.compensation import Shift, by_group, compensate
from prunec.planning.latency import random_examples
from prunec.planning.members import group_members, group_names
from prunec.planning.planfile import Origin
from prunec.scoring.unit_scores import check_finite, learned_names
from prunec.support.diagnostics import Diagnostic, PrunecError
from prunec.support.files import cannot_write

#: The file that says what was done.
REPORT = "compensation.json"
#: What the parameters that `compile` makes the smaller ones of are called, without the ending.
COPY = "compensated"
#: Random examples where none are given.
_EXAMPLES = 8


@dataclass(frozen=True, eq=False)
class Compensated:
    """What is compiled further: the model with parameters that make up for what goes, the plan for these, and
    what was done for each layer."""

    inputs: Inputs
    plan: Plan
    shifts: tuple[Shift, ...]


def compensated(options: argparse.Namespace, inputs: Inputs, plan: Plan, folder: Path) -> Compensated:
    """Writes parameters that make up for what a plan removes into a folder, in files of their names and in
    their old shapes.

    Raises PrunecError P508 without parameters, P526 without examples or input shapes, and what reading the
    examples, running the model and writing raise.
    """
    check_parameters(inputs)
    data = _examples(options, inputs)
    changed, shifts = compensate(inputs.analysis, plan.removed, data, options.means)
    make_folder(folder)
    front, origin = inputs.front, inputs.origin
    made_up = front.with_parameters(inputs.model, changed, folder)
    changed_inputs = replace(
        inputs,
        model=made_up,
        analysis=replace(inputs.analysis, model=made_up),
        origin=Origin(made_up.digest, origin.rules, front.parameters_digest(made_up), origin.strict),
    )
    method = {**plan.method, "compensated": "means" if options.means else "constants"}
    return Compensated(changed_inputs, replace(plan, method=method, compensated=by_group(shifts)), shifts)


def check_parameters(inputs: Inputs) -> None:
    """Raises PrunecError P508 where there are no parameters, P612 for those that hold no numbers, before any
    work is done."""
    if not inputs.front.files_with_parameters(inputs.model):
        note = "neither were they given, nor do they stand beside the model"
        headline = "compensation needs the parameters, and there are none"
        help_text = "give the parameter file with --params"
        raise PrunecError(Diagnostic("P508", headline, notes=(note,), help=help_text))
    check_finite(inputs.analysis, learned_names(inputs.analysis))


def copy_name(inputs: Inputs) -> str:
    """What `compile` calls the compensated parameters that it makes the smaller ones of."""
    return f"{COPY}{Path(inputs.front.files_with_parameters(inputs.model)[0]).suffix}"


def added(artefacts: Artefacts, found: Compensated) -> Artefacts:
    """The files of a smaller model with those that say what was made up for and how."""
    source, name = found.inputs.weights, copy_name(found.inputs)
    assert source is not None

    def write_data(folder: Path) -> None:
        if artefacts.write_data is not None:
            artefacts.write_data(folder)
        shutil.copyfile(source, folder / name)

    files = {**artefacts.files, REPORT: report_text(found).encode("ascii")}
    return replace(artefacts, files=files, data=(*artefacts.data, name), write_data=write_data)


def report_text(found: Compensated) -> str:
    """The text of :data:`REPORT`: what was done for each layer, and how it stands with each group."""
    names = group_names(group_members(found.inputs.analysis))
    groups = []
    for group, outcome in found.plan.compensated.items():
        readers = [shift.layer for shift in found.shifts if group in shift.groups]
        groups.append({"group": group, "name": names[group], "outcome": outcome, "layers": readers})
    layers = [{**asdict(shift), "outcome": shift.outcome} for shift in found.shifts]
    document = {"format": "prunec compensation", "version": 1, "groups": groups, "layers": layers}
    return json.dumps(document, indent=2) + "\n"


def print_groups(found: Compensated) -> None:
    """A row for each group that loses units, and how many there are of each outcome."""
    solution = found.inputs.analysis.solution
    names = group_names(group_members(found.inputs.analysis))
    rows = []
    counts: Counter[str] = Counter()
    for group in solution.groups:
        gone = int(found.plan.removed[group.units].sum())
        if gone:
            outcome = found.plan.compensated.get(group.number)
            counts[_HEADINGS[outcome]] += 1
            own = [shift for shift in found.shifts if group.number in shift.groups]
            rows.append((str(group.number), names[group.number], str(gone), *_cells(own, outcome)))
    columns = ("group", "name", "gone", "off before", "off after", "made up for")
    print_table(columns, rows, frozenset((0, 2, 3, 4)))
    said = [f"{counts[heading]} {heading}" for heading in _HEADINGS.values() if counts[heading]]
    print(f"what {len(rows)} groups lose is made up for: {', '.join(said) or 'nothing goes'}")


#: What becomes of the layers that read what groups lose.
_HEADINGS = {EXACT: "exactly", NEARER: "by means", LEFT: "not", None: "no layer reads it"}


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


def make_folder(folder: Path) -> None:
    """A folder, if it is not there.  Raises PrunecError P513 where the system cannot make it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        cannot_write(folder, error)
