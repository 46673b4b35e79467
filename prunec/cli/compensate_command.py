"""`prunec compensate`: makes up for what a plan removes, in the parameters of what stays."""

from __future__ import annotations

import argparse

from prunec.cli.options import add_model_options, add_register_option

DESCRIPTION = """Writes parameters, of the same shapes, in which the layers that read removed channels make up
for them, and the plan for these parameters; `prunec compile --params … --plan …` then does the rest, and
`prunec compile --compensate` both at once.  A removed channel that is constant, as behind a zero scale,
is made up for exactly, and nothing else is: `prunec restore` makes up for all that examples show."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    add_model_options(parser)
    add_register_option(parser)
    parser.add_argument("--plan", metavar="FILE", required=True, help="the plan.json that says what goes")
    parser.add_argument("--policy", metavar="FILE", help="the policy the plan was made with")
    parser.add_argument("--data", metavar="FILE", help="examples of the inputs (.npz; default: random ones)")
    parser.add_argument("--out", metavar="DIR", help="where to write (default: <prefix>-compensated)")
    parser.add_argument("--force", action="store_true", help="replace prunec's own files in DIR")
    parser.add_argument("--quiet", action="store_true", help="print warnings and errors only")


def run(options: argparse.Namespace) -> int:
    """Compensates."""
    from pathlib import Path

    from prunec.cli.artefacts import PLAN, check_folder
    from prunec.cli.compensated import REPORT, compensated
    from prunec.cli.inputs import read_inputs
    from prunec.cli.made_up import check_parameters, write_made_up
    from prunec.planning.planfile import plan_for

    inputs = read_inputs(options, options.plan)
    check_parameters(inputs)
    parameters = inputs.front.files_with_parameters(inputs.model)
    folder = Path(options.out if options.out is not None else f"{inputs.model.prefix}-compensated")
    check_folder(folder, (*parameters, PLAN, REPORT), inputs.files, options.force)
    assert inputs.plan is not None
    plan = plan_for(inputs.plan, inputs.analysis, inputs.origin)
    with options.terminal.step("making up for what goes"):
        found = compensated(options, inputs, plan, folder)
    return write_made_up(options, found, parameters, folder)
