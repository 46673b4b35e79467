"""`prunec compensate`: makes up for what a plan removes, in the parameters of what stays."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any, Mapping, Sequence

from prunec.cli.options import add_model_options, add_register_option

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from prunec.cli.inputs import Inputs
    from prunec.mxnet.data import Data
    from prunec.mxnet.frontend import MXNetModel
    from prunec.planning.choose import Plan
    from prunec.planning.compensation import Shift

SUMMARY = "make up for what a plan removes"
DESCRIPTION = """Writes parameters, of the same shapes, in which the layers that read removed channels make up
for them, and the plan for these parameters; `prunec compile --params … --plan …` then does the rest.  A
removed channel that is constant, as behind a zero scale, is made up for exactly.  With --means every
removed channel is replaced by its mean over the examples."""

REPORT = "compensation.json"
#: Random examples where none are given.
_EXAMPLES = 8


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    add_model_options(parser)
    add_register_option(parser)
    parser.add_argument("--plan", metavar="FILE", required=True, help="the plan.json that says what goes")
    parser.add_argument("--policy", metavar="FILE", help="the policy the plan was made with")
    parser.add_argument(
        "--data", metavar="FILE", help="examples of the inputs (.npz); without --means random ones will do"
    )
    parser.add_argument("--means", action="store_true", help="replace removed channels by their means")
    parser.add_argument("--out", metavar="DIR", help="where to write (default: <prefix>-compensated)")
    parser.add_argument("--force", action="store_true", help="replace prunec's own files in DIR")
    parser.add_argument("--quiet", action="store_true", help="print warnings and errors only")


def run(options: argparse.Namespace) -> int:
    """Compensates."""
    if options.means and options.data is None:
        options.parser.error("argument --means: means are taken over examples; give some with --data")
    from pathlib import Path

    from prunec.cli.inputs import read_inputs
    from prunec.emission.artefacts import PLAN, check_folder
    from prunec.frontends import mxnet_model
    from prunec.planning.compensation import compensate
    from prunec.planning.planfile import plan_for

    inputs = read_inputs(options, options.plan)
    model = mxnet_model(inputs.model, "compensation", "compile the model with the plan as it is")
    parameters = _parameters(inputs)
    folder = Path(options.out if options.out is not None else f"{inputs.model.prefix}-compensated")
    check_folder(folder, (parameters.name, PLAN, REPORT), inputs.files, options.force)
    assert inputs.plan is not None
    plan = plan_for(inputs.plan, inputs.analysis, inputs.origin)
    data = _data(options, inputs)
    changed, shifts = compensate(inputs.analysis, model, plan.removed, data, options.means)
    _write(folder, model, inputs, plan, changed, shifts, options.means)
    if not options.quiet:
        _report(shifts, folder)
    return 0


def _parameters(inputs: Inputs) -> Path:
    from prunec.diagnostics import Diagnostic, PrunecError

    if inputs.parameters is None:
        note = "neither were they given, nor do they stand beside the model"
        raise PrunecError(
            Diagnostic(
                "P508",
                "compensation needs the parameters, and there are none",
                notes=(note,),
                help="give the parameter file with --params",
            )
        )
    return inputs.parameters


def _data(options: argparse.Namespace, inputs: Inputs) -> Data:
    """The examples given, or random ones."""
    import numpy as np

    from prunec.cli.plan_options import read_examples
    from prunec.mxnet.data import Data
    from prunec.planning.latency import random_inputs

    if options.data is not None:
        return read_examples(options.data, inputs)
    drawn = random_inputs(inputs.analysis)
    sizes = {len(array) for array in drawn.values()}
    if sizes == {1}:
        generator = np.random.default_rng(0)
        drawn = {
            name: generator.standard_normal((_EXAMPLES, *array.shape[1:])).astype(np.float32)
            for name, array in drawn.items()
        }
    count = len(next(iter(drawn.values())))
    return Data("random examples", drawn, None, "", count, sizes != {1})


def _write(
    folder: Path,
    model: MXNetModel,
    inputs: Inputs,
    plan: Plan,
    changed: Mapping[str, NDArray[Any]],
    shifts: Sequence[Shift],
    means: bool,
) -> None:
    import json
    from dataclasses import asdict, replace
    from pathlib import Path

    from prunec import __version__
    from prunec.cli.plan import write_file
    from prunec.diagnostics import Diagnostic, PrunecError, printable
    from prunec.emission.artefacts import PLAN
    from prunec.emission.groups_file import group_members, group_names
    from prunec.frontends import file_digest
    from prunec.mxnet.params import write_params
    from prunec.planning.planfile import plan_text

    file = model.parameters
    assert file is not None
    target = folder / Path(file.path).name
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        note = f"the system says: {error.strerror or error}"
        help_text = "check that the place exists and has room"
        where = printable(str(folder))
        raise PrunecError(
            Diagnostic("P513", "cannot write the output", where, notes=(note,), help=help_text)
        ) from None
    write_params(
        target,
        file.records,
        lambda record: changed[record.name] if record.name in changed else file.array(record.name),
        file.reserved,
    )
    origin = replace(inputs.origin, parameters=file_digest(target))
    method = {**plan.method, "compensated": "means" if means else "constants"}
    names = group_names(group_members(inputs.analysis))
    text = plan_text(inputs.analysis, origin, replace(plan, method=method), names, __version__)
    write_file(folder / PLAN, text.encode("ascii"))
    report = {"format": "prunec compensation", "version": 1, "layers": [asdict(s) for s in shifts]}
    write_file(folder / REPORT, (json.dumps(report, indent=2) + "\n").encode("ascii"))


def _report(shifts: Sequence[Shift], folder: Path) -> None:
    from prunec.cli.table import print_table
    from prunec.diagnostics import printable
    from prunec.planning.compensation import summary

    rows = [(s.layer, s.parameter or "", f"{s.before:.1e}", f"{s.after:.1e}", _words(s)) for s in shifts]
    print_table(("layer", "parameter", "off before", "off after", ""), rows, frozenset((2, 3)))
    counts = summary(shifts)
    print(
        f"{len(shifts)} layers read what goes: {counts['exact']} compute what they did, "
        f"{counts['nearer']} come nearer, {counts['left']} are left as they are"
    )
    print(printable(f"written to {folder}: the parameters, plan.json, {REPORT}", 1000))


def _words(shift: Shift) -> str:
    if shift.exact:
        return "exact"
    if shift.parameter is None:
        return "no parameter is added to its output"
    return "the mean is made up for" if shift.applied else "what goes is not constant"
