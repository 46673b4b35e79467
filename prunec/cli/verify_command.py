"""`prunec verify`: does the smaller model compute what the original computes?"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Optional

from prunec.cli.options import add_analysis_options, add_comparison_options, add_register_option

if TYPE_CHECKING:
    from pathlib import Path

    from prunec.cli.inputs import Inputs

DESCRIPTION = """Runs the original, with the removed channels masked, and the smaller model on the same
inputs, in MXNet or ONNX Runtime, and compares what they compute, at the outputs and inside.  Exit status: 0
proved, 1 they differ, 2 the command line is at fault, 3 not proved (a wrong slice could pass unseen), 4
something cannot be read or run."""
#: The exit status where something cannot be read or run.
FAILURE = 4


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument("model", metavar="MODEL", help="the original: an MXNet symbol file or an ONNX file")
    parser.add_argument("pruned", metavar="PRUNED", help="the smaller one")
    parser.add_argument(
        "--params",
        metavar="FILE",
        help="the original's parameters (not for ONNX; default: <prefix>-0000.params beside the model)",
    )
    parser.add_argument(
        "--pruned-params",
        metavar="FILE",
        help="the smaller model's (not for ONNX; default: the file of the original's name beside it)",
    )
    parser.add_argument("--plan", metavar="FILE", help="what was removed (default: plan.json beside PRUNED)")
    parser.add_argument("--policy", metavar="FILE", help="the policy that the plan was made with")
    parser.add_argument("--data", metavar="FILE.npz", help="compare on real examples, not on random inputs")
    parser.add_argument("--json", action="store_true", help="print one JSON document, for programs")
    add_comparison_options(parser)
    add_register_option(parser)
    add_analysis_options(parser)


def run(options: argparse.Namespace) -> int:
    """Compares, and says what came of it."""
    import json
    from pathlib import Path

    from prunec.cli.artefacts import PLAN
    from prunec.cli.inputs import parameter_path, read_inputs, read_smaller
    from prunec.cli.verification import STATUS, prepare, verdict_object, verdict_text, verify
    from prunec.frontends.registry import front_end
    from prunec.planning.checked import emit_checked
    from prunec.planning.planfile import plan_for

    given = parameter_path(options, front_end(Path(options.model)), "pruned_params")
    path = options.plan if options.plan is not None else str(Path(options.pruned).with_name(PLAN))
    inputs = read_inputs(options, path)
    parameters = given or _parameters_beside(inputs, Path(options.pruned))
    assert inputs.plan is not None
    plan = plan_for(inputs.plan, inputs.analysis, inputs.origin)
    pruned = emit_checked(inputs.analysis, plan.removed)
    smaller = read_smaller(inputs, pruned, Path(options.pruned), parameters)
    comparison = prepare(inputs, options)
    with options.terminal.step("comparing the models"):
        verdict = verify(inputs, pruned, smaller, comparison)
    if options.json:
        print(json.dumps(verdict_object(verdict, comparison), indent=1))
    else:
        print(verdict_text(inputs.analysis, plan, verdict, comparison))
    return STATUS[verdict.outcome]


def _parameters_beside(inputs: Inputs, smaller: Path) -> Optional[Path]:
    """The parameter file that `compile` wrote beside the smaller model, where there is one."""
    return None if inputs.parameters is None else smaller.with_name(inputs.parameters.name)
