"""`prunec compile`: a smaller model, from reading the original to the files of DIR."""

from __future__ import annotations

import argparse
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Iterator, Mapping, Optional, Sequence

from prunec.cli.options import (
    add_comparison_options,
    add_model_options,
    add_register_option,
    check_means,
    check_restore,
)
from prunec.cli.plan_options import AUTO, add_plan_options, check, given, make, make_all

if TYPE_CHECKING:
    from pathlib import Path

    from prunec.cli.artefacts import Artefacts
    from prunec.cli.compile_result import Compiled, Result
    from prunec.cli.inputs import Inputs
    from prunec.cli.made_up import MadeUp
    from prunec.cli.verification import ComparisonInputs
    from prunec.frontends.base import ModelFolder, PrunedFiles
    from prunec.planning.choose import Plan
    from prunec.rewriting.emit import Pruned
    from prunec.support.diagnostics import Diagnostic

DESCRIPTION = """Removes channels from a model and writes the smaller one into a folder: the model,
slice_params.py (which slices the parameters), changes.diff, groups.json, plan.json and, when the
parameters are at hand, the sliced parameters."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    add_model_options(parser)
    parser.add_argument("--plan", metavar="FILE", help="a plan.json that says what goes")
    parser.add_argument("--out", metavar="DIR", help="where to write (default: <prefix>-pruned)")
    parser.add_argument(
        "--verify",
        action="store_true",
        help="run original and result and compare; exit as `prunec verify` does where that is not proved",
    )
    add_comparison_options(parser)
    parser.add_argument(
        "--restore",
        action=argparse.BooleanOptionalAction,
        help="have what stays do what goes did, as far as the examples of --data show it, without training "
        "(default: with --data, but not with --plan)",
    )
    parser.add_argument(
        "--compensate", action="store_true", help="make up for what goes, exactly where it is constant"
    )
    parser.add_argument(
        "--means", action="store_true", help="restore means only: less, and harmful in deep networks"
    )
    add_register_option(parser)
    parser.add_argument(
        "--transformers",
        metavar="FOLDER",
        help="the folder of the library transformers that the program was exported from: a smaller one is "
        "written too",
    )
    parser.add_argument("--report", action="store_true", help="write report.html too, a page to look at")
    parser.add_argument("--force", action="store_true", help="replace prunec's own files in DIR")
    said = parser.add_mutually_exclusive_group()
    said.add_argument("--quiet", action="store_true", help="print warnings and errors only")
    said.add_argument("--json", action="store_true", help="print one JSON document, for programs")
    add_plan_options(parser)


def run(options: argparse.Namespace) -> int:
    """Compiles; the exit code is 1 where a verification was asked for and failed."""
    status, document = compile_model(options)
    print(document, end="")
    return status


def compile_model(options: argparse.Namespace) -> tuple[int, str]:
    """Compiles: the exit status, and the document of ``--json``, "" where it was not asked for."""
    from prunec.cli.compile_result import result_json

    with compiling(options) as (status, found):
        if found is None or not options.json:
            return status, ""
        warnings = options.terminal.take_warnings()
        return status, result_json(found.result, warnings, found.checked, found.quality)


@contextmanager
def compiling(options: argparse.Namespace) -> Iterator[tuple[int, Optional[Compiled]]]:
    """Compiles: the exit status, and what was made, ``None`` where there is nothing to verify it on.  The
    parameters that make up for what went are there until the end of the block."""
    check_means(options)
    if options.restore is None and options.data is not None:
        # Where nothing was said, it stays ``None`` if there is nothing to restore with.
        options.restore = options.means or not (options.plan is not None or options.compensate)
    if options.restore and not options.means and options.criterion is None and options.plan is None:
        options.criterion = AUTO
    making_up = options.restore or options.compensate
    # Examples are what it takes to make up for what a plan removes as well, and to compare on.
    examples = making_up or options.verify
    unwanted = [flag for flag in given(options) if not (examples and flag == "--data")]
    if options.plan is not None and unwanted:
        options.parser.error(f"argument --plan: the plan says what goes; leave out {', '.join(unwanted)}")
    check(options)
    check_restore(options)
    from pathlib import Path
    from tempfile import TemporaryDirectory

    from prunec.cli.artefacts import check_folder
    from prunec.cli.compile_files import names_in_folder
    from prunec.cli.inputs import read_inputs
    from prunec.cli.made_up import check_parameters

    inputs = read_inputs(options, options.plan)
    if making_up:
        check_parameters(inputs)
    folder = Path(options.out if options.out is not None else f"{inputs.model.prefix}-pruned")
    beside = _beside(options, inputs)
    read = (*inputs.files, *(() if beside is None else beside.files))
    check_folder(folder, (*_names(inputs, options), *names_in_folder(beside)), read, options.force)
    plans = make_all(options, inputs) if options.criterion == AUTO else [_plan(options, inputs)]
    if not making_up:
        yield _compile(options, inputs, plans[0], folder, beside)
        return
    with TemporaryDirectory(prefix="prunec-") as scratch:
        found = _made_up(options, inputs, plans, Path(scratch))
        yield _compile(options, inputs, found.plan, folder, beside, found)


def _beside(options: argparse.Namespace, inputs: Inputs) -> Optional[ModelFolder[Any]]:
    """The folder in which another library has the model, where one was given.  Raises PrunecError P350 to
    P353."""
    from pathlib import Path

    if options.transformers is None:
        return None
    with options.terminal.step("reading the folder"):
        found = inputs.front.model_folder(inputs.model, Path(options.transformers))
    if found is None:
        options.parser.error(f"argument --transformers: {inputs.front.file_kind} is not exported from such")
    return found


def _made_up(options: argparse.Namespace, inputs: Inputs, plans: Sequence[Plan], folder: Path) -> MadeUp:
    """What makes up for a plan, in the way that was asked for; of several plans the best."""
    from prunec.cli.compensated import compensated
    from prunec.cli.restored import restored

    if options.restore:
        return restored(options, inputs, plans, folder)
    with options.terminal.step("making up for what goes"):
        return compensated(options, inputs, plans[0], folder)


def _compile(
    options: argparse.Namespace,
    given_inputs: Inputs,
    plan: Plan,
    folder: Path,
    beside: Optional[ModelFolder[Any]],
    made_up: Optional[MadeUp] = None,
) -> tuple[int, Optional[Compiled]]:
    """Writes the smaller model, made up for if it is, and says what it is."""
    from dataclasses import replace
    from functools import partial

    from prunec.cli.artefacts import REPORT, stale_files, write
    from prunec.cli.compile_files import compiled_files
    from prunec.cli.compile_result import Compiled, Result, print_result
    from prunec.cli.made_up import added
    from prunec.planning.checked import emit_checked
    from prunec.support.files import write_file

    inputs = given_inputs if made_up is None else made_up.inputs
    plan = plan if made_up is None else made_up.plan
    comparison = None
    if options.verify:
        comparison, status = _comparison(options, inputs)
        if comparison is None:
            return status, None
    with options.terminal.step("writing the smaller model"):
        pruned = emit_checked(inputs.analysis, plan.removed)
        artefacts = compiled_files(inputs, plan, pruned, beside)
        if made_up is not None:
            artefacts = added(artefacts, made_up)
        page = partial(_page, artefacts, inputs, plan, pruned, options)
        if options.report:
            artefacts = replace(artefacts, files={**artefacts.files, REPORT: page()})
        stale = stale_files(
            folder, optional_files(given_inputs, folder, artefacts.names()), given_inputs.files
        )
        write(artefacts, folder, stale)
    options.terminal.warn([*_approximation(inputs, plan), *_not_restored(options, inputs, plan)])
    result = Result(given_inputs, plan, pruned, folder, artefacts.names())
    if not (options.quiet or options.json):
        print_result(result)
        if made_up is not None:
            made_up.show()
    quality = _measured(options, result) if made_up is None else made_up.summary
    status, checked = 0, None
    if comparison is not None:
        status, checked, proof = _verified(options, inputs, result, comparison)
        if options.report and proof:
            write_file(folder / REPORT, page(proof))
    return status, Compiled(result, inputs, quality, checked, page)


def _names(inputs: Inputs, options: argparse.Namespace) -> tuple[str, ...]:
    """The files that a run writes."""
    from prunec.cli.artefacts import (
        COMPENSATED_COPY,
        COMPENSATION_REPORT,
        DIFF,
        GROUPS,
        PLAN,
        REPORT,
        RESTORED_COPY,
        RESTORING_REPORT,
        SCRIPT,
    )
    from prunec.cli.made_up import copy_names

    parameters = () if inputs.parameters is None else (inputs.parameters.name,)
    page = (REPORT,) if options.report else ()
    more: tuple[str, ...] = ()
    if options.restore:
        more = (*copy_names(inputs, RESTORED_COPY), RESTORING_REPORT)
    elif options.compensate:
        more = (*copy_names(inputs, COMPENSATED_COPY), COMPENSATION_REPORT)
    data = inputs.front.data_files(inputs.model)
    further = [own.name for own in inputs.front.further_files(inputs.model) if own.made]
    own_files = (inputs.model.path.name, SCRIPT, DIFF, GROUPS, PLAN)
    return (*own_files, *page, *more, *data, *further, *parameters)


def optional_files(inputs: Inputs, folder: Path, names: tuple[str, ...]) -> tuple[str, ...]:
    """The files that a run writes only when it is asked or has parameters, but for those it does write."""
    from pathlib import Path

    from prunec.cli.artefacts import (
        COMPENSATED_COPY,
        COMPENSATION_REPORT,
        REPORT,
        RESTORED_COPY,
        RESTORING_REPORT,
    )
    from prunec.cli.compile_files import left_in_folder

    parameters = inputs.front.usual_parameter_file(inputs.model)
    suffix = (inputs.model.path if parameters is None else Path(parameters)).suffix
    usual = [] if parameters is None else [parameters]
    copies = [f"{own}{suffix}" for own in (COMPENSATED_COPY, RESTORED_COPY)]
    further = [own.name for own in inputs.front.further_files(inputs.model)]
    beside = left_in_folder(folder)
    written = (REPORT, COMPENSATION_REPORT, RESTORING_REPORT, *copies, *further, *usual, *beside)
    return tuple(name for name in written if name not in names)


def _plan(options: argparse.Namespace, inputs: Inputs) -> Plan:
    from prunec.planning.planfile import plan_for

    if inputs.plan is not None:
        return plan_for(inputs.plan, inputs.analysis, inputs.origin)
    return make(options, inputs)


def _page(
    artefacts: Artefacts,
    inputs: Inputs,
    plan: Plan,
    pruned: Pruned,
    options: argparse.Namespace,
    proof: Sequence[str] = (),
) -> bytes:
    """The report on the other files, and on the proof if there is one."""
    from hashlib import sha256

    from prunec import __version__
    from prunec.cli.artefacts import DIFF, REPORT
    from prunec.reporting.report import render_report

    others = {name: data for name, data in artefacts.files.items() if name != REPORT}
    digests = {name: sha256(data).hexdigest() for name, data in others.items()}
    page = render_report(
        inputs.analysis,
        pruned,
        plan,
        inputs.origin,
        diff=artefacts.files[DIFF],
        command=options.command_line,
        version=__version__,
        files=digests,
        proof=proof,
    )
    return page.encode("utf-8")


def _approximation(inputs: Inputs, plan: Plan) -> list[Diagnostic]:
    """A warning where the result is not exactly the masked original: why it is not."""
    from prunec.reporting.summary import approximate_groups, first_reasons
    from prunec.support.diagnostics import Diagnostic, Severity

    found = approximate_groups(inputs.analysis, plan)
    if not found:
        return []
    return [
        Diagnostic(
            "P509",
            f"{len(found)} of the groups that lose channels are approximate",
            notes=tuple(first_reasons(found)[:5]),
            help="what stays changes its values a little; --strict keeps these channels",
            severity=Severity.WARNING,
        )
    ]


def _measured(options: argparse.Namespace, result: Result) -> Mapping[str, Any]:
    """What becomes of the outputs, where there are examples to measure it on."""
    if options.data is None:
        return {}
    from prunec.cli.restored import measured

    return measured(options, result.inputs, result.pruned, smaller_files(result).runtime)


def smaller_files(result: Result) -> PrunedFiles:
    """The files written.  Raises PrunecError where they cannot be read."""
    from prunec.cli.inputs import read_smaller

    inputs = result.inputs
    sliced = None if inputs.parameters is None else result.folder / inputs.parameters.name
    return read_smaller(inputs, result.pruned, result.folder / inputs.model.path.name, sliced)


def _not_restored(options: argparse.Namespace, inputs: Inputs, plan: Plan) -> list[Diagnostic]:
    """A warning where nothing makes up for what goes of a model, and nobody said that this is meant; a plan
    that was made before is carried out as it is."""
    from prunec.support.diagnostics import Diagnostic, Severity

    meant = options.restore is not None or options.compensate or options.means
    if meant or inputs.plan is not None or inputs.weights is None or not plan.removed.any():
        return []
    return [
        Diagnostic(
            "P565",
            "the model is cut, not restored: a trained one is hardly usable before it is trained further",
            help="give examples with --data to restore it, or --no-restore if you train it",
            severity=Severity.WARNING,
        )
    ]


def _comparison(options: argparse.Namespace, inputs: Inputs) -> tuple[Optional[ComparisonInputs], int]:
    """What to compare on, before anything is written; where that cannot be found out, the exit status."""
    from prunec.cli.verification import CANNOT_RUN, prepare
    from prunec.support.diagnostics import PrunecError

    try:
        return prepare(inputs, options), 0
    except PrunecError as error:
        options.terminal.close(error.diagnostics)
        return None, CANNOT_RUN


def _verified(
    options: argparse.Namespace, inputs: Inputs, result: Result, comparison: ComparisonInputs
) -> tuple[int, Optional[dict[str, Any]], list[str]]:
    """The exit status that a proof of the files written gives, and the proof for programs and for people; it
    is printed unless there is a document to come."""
    from prunec.cli.verification import CANNOT_RUN, STATUS, verdict_object, verdict_text, verify
    from prunec.support.diagnostics import PrunecError
    from prunec.verifying.verdict import Outcome

    try:
        with options.terminal.step("comparing the models"):
            verdict = verify(inputs, result.pruned, smaller_files(result), comparison)
    except PrunecError as error:
        options.terminal.close(error.diagnostics)
        return CANNOT_RUN, None, []
    text = verdict_text(inputs.analysis, result.plan, verdict, comparison)
    if not options.json and not (options.quiet and verdict.outcome is Outcome.PROVED):
        print(text)
    return STATUS[verdict.outcome], verdict_object(verdict, comparison), text.splitlines()
