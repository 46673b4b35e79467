"""`prunec verify`: does the smaller model compute what the original computes?"""

from __future__ import annotations

import argparse

from prunec.cli.options import add_analysis_options, add_register_option

SUMMARY = "compare original and smaller model by running them"
DESCRIPTION = """Runs the original, with the removed channels masked, and the smaller model on the same random
inputs, in MXNet or ONNX Runtime, and compares their outputs.  The exit code is 1 where they are not equal to
within 1e-4."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument("model", metavar="MODEL", help="the original: an MXNet symbol file or an ONNX file")
    parser.add_argument("pruned", metavar="PRUNED", help="the smaller one")
    parser.add_argument("--params", metavar="FILE", help="the original's parameters (not for ONNX)")
    parser.add_argument(
        "--pruned-params", metavar="FILE", help="the smaller model's parameters (not for ONNX)"
    )
    parser.add_argument("--plan", metavar="FILE", help="what was removed (default: plan.json beside PRUNED)")
    add_register_option(parser)
    add_analysis_options(parser)


def run(options: argparse.Namespace) -> int:
    """Compares; the exit code is 1 where the models differ."""
    from pathlib import Path

    from prunec.cli.inputs import emit_checked, parameter_path, read_inputs
    from prunec.cli.verification import prepare, verdict_text, verify
    from prunec.emission.artefacts import PLAN
    from prunec.frontends import front_end
    from prunec.planning.planfile import plan_for

    front = front_end(Path(options.model))
    missing = [flag for flag in ("params", "pruned_params") if getattr(options, flag) is None]
    if front.separate_parameters and missing:
        flags = ", ".join(f"--{flag.replace('_', '-')}" for flag in missing)
        options.parser.error(f"the following arguments are required: {flags}")
    smaller = front.read_smaller(Path(options.pruned), parameter_path(options, front, "pruned_params"))
    path = options.plan if options.plan is not None else str(Path(options.pruned).with_name(PLAN))
    inputs = read_inputs(options, path)
    assert inputs.plan is not None
    plan = plan_for(inputs.plan, inputs.analysis, inputs.origin)
    pruned = emit_checked(inputs.analysis, plan.removed)
    comparison = prepare(inputs, pruned)
    with options.terminal.step("comparing the models"):
        verdict = verify(inputs, pruned, smaller, comparison)
    print(verdict_text(inputs.analysis, plan, verdict, comparison))
    return 0 if verdict.exact else 1
