"""`prunec plan`: decides what goes, and writes the decision down."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Sequence

from prunec.cli.options import add_model_options, add_register_option
from prunec.cli.plan_options import add_plan_options, check, make, method_text

if TYPE_CHECKING:
    from pathlib import Path

    from prunec.cli.inputs import Inputs
    from prunec.planning.choose import Plan
    from prunec.rewriting.widths import Width

DESCRIPTION = """Decides which channels of a model go and writes plan.json: which units of which groups, by
which method, for which model, rules and parameters.  `prunec compile --plan` carries it out."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    add_model_options(parser)
    add_register_option(parser)
    add_plan_options(parser)
    parser.add_argument("--out", metavar="FILE", default="plan.json", help="where to write (plan.json)")
    parser.add_argument("--force", action="store_true", help="replace FILE if it is there")
    parser.add_argument("--quiet", action="store_true", help="print warnings and errors only")


def run(options: argparse.Namespace) -> int:
    """Plans."""
    check(options)
    from pathlib import Path

    from prunec import __version__
    from prunec.cli.inputs import read_inputs
    from prunec.planning.checked import widths_after
    from prunec.planning.members import group_digests, group_members, group_names
    from prunec.planning.planfile import plan_text
    from prunec.support.files import write_file

    inputs = read_inputs(options)
    target = Path(options.out)
    _check_output(target, inputs, options.force)
    plan = make(options, inputs)
    names = group_names(group_members(inputs.analysis))
    narrower = widths_after(inputs.analysis, plan.removed)
    digests, shapes = group_digests(inputs.analysis), inputs.shapes_of_groups
    text = plan_text(inputs.analysis, inputs.origin, plan, names, digests, shapes, __version__, narrower)
    write_file(target, text.encode("ascii"))
    if not options.quiet:
        _report(inputs, plan, names, target, narrower)
    return 0


def _check_output(target: Path, inputs: Inputs, force: bool) -> None:
    from prunec.support.diagnostics import Diagnostic, PrunecError, printable

    check_output(target, inputs, "--out")
    if target.exists() and not force:
        where = printable(str(target))
        note, help_text = "there is a file of this name", "give another --out, or --force to replace it"
        raise PrunecError(
            Diagnostic("P510", "the plan cannot be written there", where, notes=(note,), help=help_text)
        )


def check_output(target: Path, inputs: Inputs, option: str) -> None:
    """Whether the file that an option names may be written, before any work is done.

    Raises PrunecError P511 where it is one of the inputs, P515 where what has the name is no file.
    """
    from prunec.support.diagnostics import Diagnostic, PrunecError, printable
    from prunec.support.files import check_place

    check_place(target)
    if any(_same(target, path) for path in inputs.files):
        where = printable(str(target))
        note, help_text = "it was read", f"give another {option}; inputs are never written over"
        raise PrunecError(
            Diagnostic("P511", "the output would replace an input", where, notes=(note,), help=help_text)
        )


def _same(path: Path, other: Path) -> bool:
    import os

    try:
        return os.path.samefile(path, other)
    except OSError:
        return False


def _report(
    inputs: Inputs, plan: Plan, names: tuple[str, ...], target: Path, narrower: Sequence[Width]
) -> None:
    from prunec.cli.summary_table import change_text, print_widths, share_left
    from prunec.cli.table import print_table
    from prunec.planning.checked import emit_checked
    from prunec.rewriting.layers import layers
    from prunec.support.diagnostics import printable

    rows = []
    for group, name in zip(inputs.analysis.solution.groups, names):
        units = len(group.units)
        left = units - int(plan.removed[group.units].sum())
        rows.append((str(group.number), name, change_text((units, left)), f"{left / units:.0%}"))
    print_table(("group", "name", "units", "left"), rows, frozenset((0, 2, 3)))
    _, totals = layers(inputs.analysis, emit_checked(inputs.analysis, plan.removed))
    for what, change in (("parameters", totals.parameters), ("multiply-adds", totals.multiply_adds)):
        share = share_left(change)
        print(f"{what}: {change_text(change)}" + ("" if share is None else f" ({share:.2%} left)"))
    print_widths(narrower)
    print(printable(method_text(plan, inputs), 500))
    print(printable(f"written to {target}", 1000))
