"""`prunec sensitivity`: prunes each group alone, runs the model, and writes down what changes."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Callable, Generator, NoReturn, Optional, Sequence

from prunec.cli.options import add_model_options, add_policy_option, add_register_option
from prunec.cli.plan_options import whole_number

if TYPE_CHECKING:
    from pathlib import Path

    from prunec.channels.choices import Choice, Ranking
    from prunec.cli.inputs import Inputs
    from prunec.examples import Data
    from prunec.scoring.parts import Sweep
    from prunec.scoring.sensitivity import Measurement, OutputChange, SensitivityTable

DESCRIPTION = """Prunes each group of a model alone at several ratios, runs it on examples and writes
a table: how much the outputs change and, where the examples have labels, the accuracy.  The table is whole
at any time: an interrupted run goes on where it stopped.  `prunec plan --criterion sensitivity
--sensitivity FILE` plans by it."""

_RATIOS = (0.1, 0.25, 0.5, 0.75, 0.9)


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    model = add_model_options(parser)
    model.nargs = "?"
    model.required = False
    add_policy_option(parser)
    add_register_option(parser)
    parser.add_argument("--data", metavar="FILE", help="examples of the inputs (.npz)")
    parser.add_argument(
        "--ratios",
        metavar="R,R",
        type=_ratios,
        default=_RATIOS,
        help="shares of each group to try (default: 0.1,0.25,0.5,0.75,0.9)",
    )
    parser.add_argument("--criterion", metavar="NAME", help="which units go first (default: l1)")
    parser.add_argument("--out", metavar="FILE", help="the table (default: sensitivity.csv)")
    parser.add_argument(
        "--part",
        metavar="K/N",
        type=_part,
        help="measure the K-th of N parts of the table (default of --out: sensitivity-K-of-N.csv)",
    )
    parser.add_argument(
        "--join", metavar="FILE", nargs="+", help="put all parts together; takes no MODEL and no --data"
    )
    parser.add_argument("--plot", metavar="FILE", help="a picture of it as well (.svg, .png)")
    parser.add_argument(
        "--jobs", metavar="N", type=whole_number, help="processes at a time (default: one for each processor)"
    )
    parser.add_argument(
        "--restore", action="store_true", help="measure what is left after restoring, one after the other"
    )
    parser.add_argument("--force", action="store_true", help="replace a table of something else")
    parser.add_argument("--quiet", action="store_true", help="no progress bar, no table")


def run(options: argparse.Namespace) -> int:
    """Measures, or joins what was measured."""
    from contextlib import closing
    from pathlib import Path

    from prunec.cli.inputs import read_inputs
    from prunec.cli.plan_command import check_output
    from prunec.scoring.parts import Part, write_part
    from prunec.scoring.pictures import check_picture
    from prunec.scoring.sensitivity import write_table

    _check_usage(options)
    path = Path(options.out or _default_out(options.part))
    if options.join is not None:
        return _join(options, path)
    if options.plot is not None:
        check_picture(options.plot)
        if Path(options.plot) == path:
            options.parser.error("argument --plot: it is the file of the table, --out; give another")
    inputs = read_inputs(options)
    if inputs.policy is not None and inputs.policy.interfaces:
        options.parser.error(
            "argument --policy: models are measured with the same inputs and outputs; leave out `interface`"
        )
    check_output(path, inputs, "--out")
    if options.plot is not None:
        check_output(Path(options.plot), inputs, "--plot")
    table, tables, sweep = _prepare(options, inputs, path)
    number = 1 if options.part is None else options.part[0]

    def write(table: SensitivityTable) -> None:
        if options.part is None:
            write_table(path, table)
        else:
            write_part(path, Part(number, sweep, table))

    total = len(range(number - 1, sweep.rows, sweep.parts))
    write(table)
    with closing(tables), options.terminal.step("measuring", total, len(table.entries)) as advance:
        for table in tables:
            write(table)
            advance()
    if options.plot is not None:
        _plot(options.plot, table, inputs)
    if not options.quiet:
        _report(table, path)
    return 0


def _check_usage(options: argparse.Namespace) -> None:
    """Measuring takes a model and examples; joining takes neither."""
    if options.join is None:
        lacking = [name for name, own in (("MODEL", options.model), ("--data", options.data)) if own is None]
        if lacking:
            options.parser.error(f"the following arguments are required: {', '.join(lacking)}")
    elif options.model is not None or options.data is not None or options.part is not None:
        options.parser.error(
            "argument --join: it takes no MODEL, --data or --part: parts say what they are of"
        )
    if options.plot is not None and (options.join is not None or options.part is not None):
        flag = "part" if options.join is None else "join"
        options.parser.error(
            f"argument --plot: not with --{flag}; join all parts, then give MODEL, --data and --plot with "
            "the whole table as --out: nothing is measured anew"
        )


def _default_out(part: Optional[tuple[int, int]]) -> str:
    return "sensitivity.csv" if part is None else f"sensitivity-{part[0]}-of-{part[1]}.csv"


def _join(options: argparse.Namespace, path: Path) -> int:
    """Writes the table of all parts."""
    from pathlib import Path

    from prunec.scoring.parts import join
    from prunec.scoring.sensitivity import write_table

    parts = [Path(name) for name in options.join]
    if path.resolve() in {part.resolve() for part in parts}:
        options.parser.error("argument --out: it is one of the parts to join; give another")
    table = join(parts)
    if path.exists() and not options.force:
        _check_known(path, table.measured_for)
    write_table(path, table)
    if not options.quiet:
        _report(table, path)
    return 0


def _prepare(
    options: argparse.Namespace, inputs: Inputs, path: Path
) -> tuple[SensitivityTable, Generator[SensitivityTable, None, None], Sweep]:
    """The table so far, the tables that measurements make of it, and what they are a part of."""
    from prunec.channels.choices import choices_of, rank
    from prunec.planning.members import group_members, group_names
    from prunec.scoring.criteria import Settings, check_needs, find_criterion, unit_scores
    from prunec.scoring.sensitivity import measure, measure_by, pending
    from prunec.scoring.unit_scores import check_finite, learned_names
    from prunec.support.workers import processors

    measurement = _measurement(options, inputs)
    name = options.criterion or "l1"
    criterion = find_criterion(name)
    check_needs(inputs.analysis, name, criterion, True)
    choices = choices_of(inputs.analysis.solution)
    part = options.part or (1, 1)
    sweep = _sweep(options, inputs, part[1], len(pending(choices, options.ratios)))
    table = _known(options, inputs, name, measurement.data.digest, path, sweep)
    settings = Settings(criterion.aggregate, criterion.normalise, 0, measurement.data)
    check_finite(inputs.analysis, learned_names(inputs.analysis))
    scores = unit_scores(inputs.analysis, name, settings)
    rankings = [rank(choice, scores) for choice in choices]
    names = group_names(group_members(inputs.analysis))
    if options.restore:
        changes = _restored_changes(options, inputs, choices, rankings, measurement.data)
        tables = measure_by(changes, choices, names, options.ratios, table, part)
        return table, tables, sweep
    jobs = options.jobs or processors()
    tables = measure(
        inputs.analysis, choices, rankings, names, measurement, options.ratios, table, jobs, part
    )
    return table, tables, sweep


def _sweep(options: argparse.Namespace, inputs: Inputs, parts: int, rows: int) -> Sweep:
    from prunec.scoring.parts import Sweep

    said = [f"criterion={options.criterion or 'l1'}", "ratios=" + ",".join(map(repr, options.ratios))]
    said += [flag for flag in ("strict", "restore") if getattr(options, flag)]
    return Sweep(parts, rows, inputs.origin.model, inputs.origin.rules or "", " ".join(said))


def _restored_changes(
    options: argparse.Namespace,
    inputs: Inputs,
    choices: Sequence[Choice],
    rankings: Sequence[Ranking],
    data: Data,
) -> Callable[[Choice, int], OutputChange]:
    """What a choice does to the outputs after a number of steps, when what goes is restored."""
    import numpy as np

    from prunec.channels.choices import removed_units
    from prunec.cli.restored import restoration
    from prunec.planning.choose import Plan
    from prunec.scoring.sensitivity import OutputChange

    def change(choice: Choice, steps: int) -> OutputChange:
        counts = np.zeros(len(choices), dtype=np.int64)
        counts[choice.number] = steps
        removed = removed_units(inputs.analysis.solution.unit_count, rankings, counts)
        found = restoration(inputs, Plan(removed, {}), data)
        best = found.best.quality
        return OutputChange(best.change, best.accuracy, found.original.accuracy)

    return change


def _measurement(options: argparse.Namespace, inputs: Inputs) -> Measurement:
    from pathlib import Path

    from prunec.cli.plan_options import read_examples
    from prunec.scoring.sensitivity import Measurement

    model = inputs.model
    data = read_examples(options.data, inputs)
    register = None if options.register is None else Path(options.register)
    return Measurement(model.path, inputs.parameters, dict(model.input_shapes), data, register)


def _known(
    options: argparse.Namespace, inputs: Inputs, criterion: str, examples: str, path: Path, sweep: Sweep
) -> SensitivityTable:
    """The table that an earlier run left, or an empty one.  Raises PrunecError P542 for another table."""
    from prunec.planning.members import group_digests
    from prunec.scoring.parts import read_part
    from prunec.scoring.sensitivity import SensitivityTable, key_of

    origin = inputs.origin
    how = ("restored",) if options.restore else ()
    if inputs.policy is not None and inputs.policy.regroups:
        how = (*how, f"policy {inputs.policy.digest}")
    key = key_of(
        (origin.model, *group_digests(inputs.analysis), origin.parameters or "", examples, criterion, *how)
    )
    if not path.exists() or options.force:
        return SensitivityTable(criterion, key, ())
    if options.part is None:
        return _check_known(path, key)
    part = read_part(path)
    if (part.number, part.sweep, part.table.measured_for) != (options.part[0], sweep, key):
        _measured_for_else(path, "its part, model, rules, groups, parameters, examples or options")
    return part.table


def _check_known(path: Path, key: str) -> SensitivityTable:
    """The table that is there.  Raises PrunecError P542 where it was measured for something else."""
    from prunec.scoring.sensitivity import read_table

    table = read_table(path)
    if table.measured_for != key:
        _measured_for_else(path, "its model, groups, parameters, examples or criterion")
    return table


def _measured_for_else(path: Path, what: str) -> NoReturn:
    from prunec.support.diagnostics import Diagnostic, PrunecError, printable

    note = f"{what} are not those given"
    help_text = "give another --out, or --force to replace it"
    where = printable(str(path))
    headline = "the table was measured for something else"
    raise PrunecError(Diagnostic("P542", headline, where, (), (note,), help_text))


def _plot(path: str, table: SensitivityTable, inputs: Inputs) -> None:
    from pathlib import Path

    from prunec.scoring.heatmap import heatmap
    from prunec.scoring.pictures import drawn
    from prunec.support.files import write_file

    picture = heatmap(table.entries, f"Sensitivity of {inputs.model.prefix}")
    write_file(Path(path), drawn(picture, path))


def _report(table: SensitivityTable, path: Path) -> None:
    from prunec.cli.table import print_table
    from prunec.support.diagnostics import printable

    rows = []
    for entry in sorted(table.entries, key=lambda e: (e.group, e.removed)):
        accuracy = "" if entry.accuracy is None else f"{entry.accuracy:.4f}"
        share = f"{entry.removed / entry.units:.0%}"
        rows.append((str(entry.group), entry.name, share, f"{entry.change:.4g}", accuracy))
    print_table(("group", "name", "gone", "change", "accuracy"), rows, frozenset((0, 2, 3, 4)))
    if table.original is not None:
        print(f"accuracy of the original: {table.original:.4f}")
    print(printable(f"written to {path}", 1000))


def _part(text: str) -> tuple[int, int]:
    number, _, parts = text.partition("/")
    known = all(own.isascii() and own.isdigit() and len(own) <= 6 for own in (number, parts))
    if not known or not 1 <= int(number) <= int(parts) <= 100_000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a part: 3/16 is the third of sixteen")
    return int(number), int(parts)


def _ratios(text: str) -> tuple[float, ...]:
    from prunec.cli.options import ratio

    found = tuple(sorted({ratio(part.strip()) for part in text.split(",")}))
    if not found[0]:
        raise argparse.ArgumentTypeError(
            f"{text!r} asks for a share of 0: without a change there is none to see"
        )
    if len(found) > 100:
        raise argparse.ArgumentTypeError(f"{len(found)} ratios: at most 100")
    return found
