"""`prunec compensate`: makes up for what a plan removes, in the parameters of what stays."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from prunec.cli.options import add_model_options, add_register_option

if TYPE_CHECKING:
    from pathlib import Path

    from prunec.cli.inputs import Inputs
    from prunec.cli.made_up import MadeUp
    from prunec.planning.choose import Plan

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
    from prunec.cli.artefacts import COMPENSATED_COPY, COMPENSATION_REPORT
    from prunec.cli.compensated import compensated
    from prunec.cli.made_up import make_up

    def way(inputs: Inputs, plan: Plan, folder: Path) -> MadeUp:
        with options.terminal.step("making up for what goes"):
            return compensated(options, inputs, plan, folder)

    return make_up(options, COMPENSATED_COPY, COMPENSATION_REPORT, way)
