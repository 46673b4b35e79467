"""What makes up for what a plan removes, as `compile` goes on with it."""

from __future__ import annotations

import argparse
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Callable, Mapping

from prunec import __version__
from prunec.cli.artefacts import PLAN, Artefacts, check_folder
from prunec.cli.inputs import Inputs, read_inputs
from prunec.frontends.runtime import Array
from prunec.planning.checked import widths_after
from prunec.planning.choose import Plan
from prunec.planning.members import group_digests, group_members, group_names
from prunec.planning.planfile import Origin, plan_for, plan_text
from prunec.scoring.unit_scores import check_finite, learned_names
from prunec.support.diagnostics import Diagnostic, PrunecError, printable
from prunec.support.files import cannot_write, write_file


@dataclass(frozen=True, eq=False)
class MadeUp:
    """What is compiled further: the model with other parameters, and the plan for these.

    ``copies`` are the files with the parameters in their old shapes, by what `compile` calls them, ``report``
    is the file that says what was done, with its text; ``show`` prints it, and ``summary`` is for programs.
    """

    inputs: Inputs
    plan: Plan
    copies: Mapping[str, Path]
    report: tuple[str, str]
    show: Callable[[], None]
    summary: Mapping[str, Any]


def with_changes(inputs: Inputs, changed: Mapping[str, Array], folder: Path) -> Inputs:
    """The inputs of a command with other elements in some parameters; what holds parameters is written into a
    folder, in files of the names it has."""
    make_folder(folder)
    front, origin = inputs.front, inputs.origin
    model = front.with_parameters(inputs.model, changed, folder)
    return replace(
        inputs,
        model=model,
        analysis=replace(inputs.analysis, model=model),
        origin=Origin(model.digest, origin.rules, front.parameters_digest(model), origin.strict),
    )


def check_parameters(inputs: Inputs) -> None:
    """Raises PrunecError P508 where there are no parameters, P612 for those that hold no numbers, before any
    work is done."""
    if not inputs.front.files_with_parameters(inputs.model):
        note = "neither were they given, nor do they stand beside the model"
        headline = "compensation needs the parameters, and there are none"
        help_text = "give the parameter file with --params"
        raise PrunecError(Diagnostic("P508", headline, notes=(note,), help=help_text))
    check_finite(inputs.analysis, learned_names(inputs.analysis))


def copy_names(inputs: Inputs, stem: str) -> tuple[str, ...]:
    """What `compile` calls the files with the parameters that it makes the smaller ones of: one beside the
    others, several, which name each other, in a folder of their own."""
    files = inputs.front.files_with_parameters(inputs.model)
    return (f"{stem}{Path(files[0]).suffix}",) if len(files) == 1 else tuple(f"{stem}/{f}" for f in files)


def copies(inputs: Inputs, stem: str, folder: Path) -> dict[str, Path]:
    """The files that :func:`with_changes` wrote into a folder, by what `compile` calls them."""
    files = inputs.front.files_with_parameters(inputs.model)
    return {name: folder / file for name, file in zip(copy_names(inputs, stem), files)}


def added(artefacts: Artefacts, found: MadeUp) -> Artefacts:
    """The files of a smaller model with those that say what was made up for and how."""

    def write_data(folder: Path) -> None:
        if artefacts.write_data is not None:
            artefacts.write_data(folder)
        for name, source in found.copies.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, folder / name)

    name, text = found.report
    files = {**artefacts.files, name: text.encode("ascii")}
    return replace(artefacts, files=files, data=(*artefacts.data, *found.copies), write_data=write_data)


def make_up(
    options: argparse.Namespace,
    stem: str,
    report: str,
    way: Callable[[Inputs, Plan, Path], MadeUp],
) -> int:
    """What the commands do that make up for a plan: parameters, the plan for them and the ``report`` go into
    a folder, which is called after the model and ``stem`` where none is given."""
    inputs = read_inputs(options, options.plan)
    check_parameters(inputs)
    parameters = inputs.front.files_with_parameters(inputs.model)
    folder = Path(options.out if options.out is not None else f"{inputs.model.prefix}-{stem}")
    check_folder(folder, (*parameters, PLAN, report), inputs.files, options.force)
    assert inputs.plan is not None
    found = way(inputs, plan_for(inputs.plan, inputs.analysis, inputs.origin), folder)
    analysis, shapes = found.inputs.analysis, found.inputs.shapes_of_groups
    names, narrower = group_names(group_members(analysis)), widths_after(analysis, found.plan.removed)
    digests, origin = group_digests(analysis), found.inputs.origin
    text = plan_text(analysis, origin, found.plan, names, digests, shapes, __version__, narrower)
    write_file(folder / PLAN, text.encode("ascii"))
    write_file(folder / report, found.report[1].encode("ascii"))
    if not options.quiet:
        found.show()
        print(printable(f"written to {folder}: {', '.join((*parameters, PLAN, report))}", 1000))
    return 0


def make_folder(folder: Path) -> None:
    """A folder, if it is not there.  Raises PrunecError P513 where the system cannot make it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        cannot_write(folder, error)
