"""`prunec verify`: does the smaller model compute what the original computes?"""

from __future__ import annotations

import argparse

from prunec.cli.options import add_analysis_options

SUMMARY = "compare original and smaller model in MXNet"
DESCRIPTION = """Runs the original, with the removed channels masked, and the smaller model in MXNet on the
same random inputs and compares their outputs.  The exit code is 1 where they are not equal to within
1e-4."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument("model", metavar="MODEL", help="the original symbol file")
    parser.add_argument("pruned", metavar="PRUNED", help="the smaller symbol file")
    parser.add_argument("--params", metavar="FILE", required=True, help="the original's parameters")
    parser.add_argument(
        "--pruned-params", metavar="FILE", required=True, help="the smaller model's parameters"
    )
    parser.add_argument("--plan", metavar="FILE", help="what was removed (default: plan.json beside PRUNED)")
    add_analysis_options(parser)


def run(options: argparse.Namespace) -> int:
    """Compares; the exit code is 1 where the models differ."""
    from pathlib import Path

    from prunec.cli.inputs import emit_checked, read_inputs
    from prunec.cli.verification import prepare, verify
    from prunec.emission.artefacts import PLAN
    from prunec.mxnet.params import read_params
    from prunec.mxnet.symbol import read_symbol_file
    from prunec.planning.planfile import plan_for

    pruned_file = read_symbol_file(options.pruned)
    path = options.plan if options.plan is not None else str(Path(options.pruned).with_name(PLAN))
    inputs = read_inputs(options, path)
    assert inputs.plan is not None
    plan = plan_for(inputs.plan, inputs.analysis, inputs.origin)
    pruned = emit_checked(inputs.analysis, plan.removed)
    comparison = prepare(inputs.analysis, pruned)
    sliced = read_params(options.pruned_params)
    return verify(inputs.analysis, plan, pruned, pruned_file.data, sliced, comparison, quiet=False)
