"""`prunec compile`: a smaller model, from reading the original to the files of DIR."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from prunec.cli.options import add_model_options, add_register_option
from prunec.cli.plan_options import add_plan_options, check, given, make, method_text

if TYPE_CHECKING:
    from prunec.cli.inputs import Inputs
    from prunec.compiler import Pruned
    from prunec.emission.artefacts import Artefacts
    from prunec.planning.choose import Plan

SUMMARY = "write a smaller model"
DESCRIPTION = """Removes channels from a model and writes the smaller one into a folder: the model,
slice_params.py (which slices the parameters), changes.diff, groups.json, plan.json and, when the
parameters are at hand, the sliced parameters."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    add_model_options(parser)
    parser.add_argument("--plan", metavar="FILE", help="a plan.json that says what goes")
    parser.add_argument("--out", metavar="DIR", help="where to write (default: <prefix>-pruned)")
    parser.add_argument(
        "--verify", action="store_true", help="run original and result and compare; exit 1 if not exact"
    )
    add_register_option(parser)
    parser.add_argument("--report", action="store_true", help="write report.html too, a page to look at")
    parser.add_argument("--force", action="store_true", help="replace prunec's own files in DIR")
    parser.add_argument("--quiet", action="store_true", help="print warnings and errors only")
    add_plan_options(parser)


def run(options: argparse.Namespace) -> int:
    """Compiles; the exit code is 1 where a verification was asked for and failed."""
    unwanted = given(options)
    if options.plan is not None and unwanted:
        options.parser.error(f"argument --plan: the plan says what goes; leave out {', '.join(unwanted)}")
    check(options)
    from pathlib import Path

    from prunec.cli.inputs import emit_checked, read_inputs
    from prunec.cli.verification import prepare
    from prunec.cli.verification import verify as run_verification
    from prunec.emission.artefacts import check_folder, write

    inputs = read_inputs(options, options.plan)
    model, front = inputs.model, inputs.front
    folder = Path(options.out if options.out is not None else f"{model.prefix}-pruned")
    check_folder(folder, _names(inputs, options.report), inputs.files, options.force)
    plan = _plan(options, inputs)
    pruned = emit_checked(inputs.analysis, plan.removed)
    comparison = prepare(inputs, pruned) if options.verify else None
    artefacts = _artefacts(inputs, plan, pruned)
    if options.report:
        artefacts = _with_report(artefacts, inputs, plan, pruned, options)
    write(artefacts, folder)
    _warn_of_approximation(inputs, plan)
    if not options.quiet:
        _report(inputs, plan, pruned, folder, artefacts)
    if comparison is None:
        return 0
    sliced = None if inputs.parameters is None else folder / inputs.parameters.name
    smaller = front.read_smaller(folder / model.path.name, sliced)
    return run_verification(inputs, plan, pruned, smaller, comparison, options.quiet)


def _names(inputs: Inputs, report: bool) -> tuple[str, ...]:
    from prunec.emission.artefacts import DIFF, GROUPS, PLAN, REPORT, SCRIPT

    parameters = () if inputs.parameters is None else (inputs.parameters.name,)
    page = (REPORT,) if report else ()
    data = inputs.front.data_files(inputs.model)
    return (inputs.model.path.name, SCRIPT, DIFF, GROUPS, PLAN, *page, *data, *parameters)


def _plan(options: argparse.Namespace, inputs: Inputs) -> Plan:
    from prunec.planning.planfile import plan_for

    if inputs.plan is not None:
        return plan_for(inputs.plan, inputs.analysis, inputs.origin)
    return make(options, inputs)


def _artefacts(inputs: Inputs, plan: Plan, pruned: Pruned) -> Artefacts:
    from functools import partial

    from prunec import __version__
    from prunec.emission.artefacts import DIFF, GROUPS, PLAN, SCRIPT, Artefacts
    from prunec.emission.groups_file import group_members, group_names, groups_text
    from prunec.planning.planfile import plan_text, refreshed

    front, model, analysis, origin = inputs.front, inputs.model, inputs.analysis, inputs.origin
    members = group_members(analysis)
    planned = origin if inputs.plan is None else refreshed(origin, inputs.plan)
    files = {
        model.path.name: pruned.model,
        SCRIPT: front.script(model, pruned).encode("ascii"),
        DIFF: front.diff(model, pruned),
        GROUPS: groups_text(analysis, origin, members, __version__).encode("ascii"),
        PLAN: plan_text(analysis, planned, plan, group_names(members), __version__).encode("ascii"),
    }
    return Artefacts(
        files, inputs.parameters, front.data_files(model), partial(front.write_data, model, pruned)
    )


def _with_report(
    artefacts: Artefacts, inputs: Inputs, plan: Plan, pruned: Pruned, options: argparse.Namespace
) -> Artefacts:
    from dataclasses import replace
    from hashlib import sha256

    from prunec import __version__
    from prunec.emission.artefacts import DIFF, REPORT
    from prunec.reporting.report import render_report

    digests = {name: sha256(data).hexdigest() for name, data in artefacts.files.items()}
    page = render_report(
        inputs.analysis,
        pruned,
        plan,
        inputs.origin,
        diff=artefacts.files[DIFF],
        command=options.command_line,
        version=__version__,
        files=digests,
    )
    return replace(artefacts, files={**artefacts.files, REPORT: page.encode("utf-8")})


def _warn_of_approximation(inputs: Inputs, plan: Plan) -> None:
    """One warning for each reason why the result is not exactly the masked original."""
    import sys

    from prunec.cli.verification import approximate_groups
    from prunec.diagnostics import Diagnostic, Severity, render

    found = approximate_groups(inputs.analysis, plan)
    if found:
        groups = sum(found.values())
        warning = Diagnostic(
            "P509",
            f"{groups} of the groups that lose channels are approximate",
            notes=tuple(list(found)[:5]),
            help="what stays changes its values a little; --strict keeps these channels",
            severity=Severity.WARNING,
        )
        print(render(warning), file=sys.stderr)


def _report(inputs: Inputs, plan: Plan, pruned: Pruned, folder: object, artefacts: Artefacts) -> None:
    from prunec.cli.inputs import open_shapes, shape_options
    from prunec.cli.summary import print_layers
    from prunec.diagnostics import printable
    from prunec.emission.layers import layers

    found, totals = layers(inputs.analysis, pruned)
    print_layers(found, totals)
    missing = open_shapes(inputs)
    if missing and None in totals.multiply_adds:
        print(printable(f"multiply-adds need the inputs' sizes: {shape_options(missing)}", 500))
    print(printable(_method(inputs, plan), 500))
    print(printable(f"written to {folder}: {', '.join(artefacts.names())}", 1000))


def _method(inputs: Inputs, plan: Plan) -> str:
    if inputs.plan is not None:
        return f"chosen by the plan {inputs.plan.name}"
    return method_text(plan, inputs)
