"""`prunec sensitivity`: prunes each group alone, runs the model, and writes down what changes."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Callable, Generator, Sequence

from prunec.cli.options import add_model_options, add_register_option
from prunec.cli.plan_options import whole_number

if TYPE_CHECKING:
    from pathlib import Path

    from prunec.channels.choices import Choice, Ranking
    from prunec.cli.inputs import Inputs
    from prunec.examples import Data
    from prunec.scoring.sensitivity import Measurement, OutputChange, SensitivityTable

DESCRIPTION = """Prunes each group of a model alone at several ratios, runs it on examples and writes
a table: how much the outputs change and, where the examples have labels, the accuracy.  The table is whole
at any time: an interrupted run goes on where it stopped.  `prunec plan --criterion sensitivity
--sensitivity FILE` plans by it."""

_RATIOS = (0.1, 0.25, 0.5, 0.75, 0.9)


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    add_model_options(parser)
    add_register_option(parser)
    parser.add_argument("--data", metavar="FILE", required=True, help="examples of the inputs (.npz)")
    parser.add_argument(
        "--ratios",
        metavar="R,R",
        type=_ratios,
        default=_RATIOS,
        help="shares of each group to try (default: 0.1,0.25,0.5,0.75,0.9)",
    )
    parser.add_argument("--criterion", metavar="NAME", help="which units go first (default: l1)")
    parser.add_argument(
        "--out", metavar="FILE", default="sensitivity.csv", help="the table (default: sensitivity.csv)"
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
    """Measures."""
    from contextlib import closing
    from pathlib import Path

    from prunec.cli.inputs import read_inputs
    from prunec.cli.plan_command import check_output
    from prunec.scoring.pictures import check_picture
    from prunec.scoring.sensitivity import write_table

    if options.plot is not None:
        check_picture(options.plot)
        if Path(options.plot) == Path(options.out):
            options.parser.error("argument --plot: it is the file of the table, --out; give another")
    inputs = read_inputs(options)
    path = Path(options.out)
    check_output(path, inputs, "--out")
    if options.plot is not None:
        check_output(Path(options.plot), inputs, "--plot")
    table, tables, total = _prepare(options, inputs, path)
    write_table(path, table)
    with closing(tables), options.terminal.step("measuring", total, len(table.entries)) as advance:
        for table in tables:
            write_table(path, table)
            advance()
    if options.plot is not None:
        _plot(options.plot, table, inputs)
    if not options.quiet:
        _report(table, path)
    return 0


def _prepare(
    options: argparse.Namespace, inputs: Inputs, path: Path
) -> tuple[SensitivityTable, Generator[SensitivityTable, None, None], int]:
    """The table so far, the tables that measurements make of it, and how many entries the last has."""
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
    table = _known(options, inputs, name, measurement.data.digest, path)
    choices = choices_of(inputs.analysis.solution)
    settings = Settings(criterion.aggregate, criterion.normalise, 0, measurement.data)
    check_finite(inputs.analysis, learned_names(inputs.analysis))
    scores = unit_scores(inputs.analysis, name, settings)
    rankings = [rank(choice, scores) for choice in choices]
    names = group_names(group_members(inputs.analysis))
    if options.restore:
        changes = _restored_changes(options, inputs, choices, rankings, measurement.data)
        tables = measure_by(changes, choices, names, options.ratios, table)
        return table, tables, len(pending(choices, options.ratios))
    jobs = options.jobs or processors()
    tables = measure(inputs.analysis, choices, rankings, names, measurement, options.ratios, table, jobs)
    return table, tables, len(pending(choices, options.ratios))


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
    options: argparse.Namespace, inputs: Inputs, criterion: str, examples: str, path: Path
) -> SensitivityTable:
    """The table that an earlier run left, or an empty one.  Raises PrunecError P542 for another table."""
    from prunec.planning.members import group_digests
    from prunec.scoring.sensitivity import SensitivityTable, key_of, read_table
    from prunec.support.diagnostics import Diagnostic, PrunecError, printable

    origin = inputs.origin
    how = ("restored",) if options.restore else ()
    key = key_of(
        (origin.model, *group_digests(inputs.analysis), origin.parameters or "", examples, criterion, *how)
    )
    if not path.exists() or options.force:
        return SensitivityTable(criterion, key, ())
    table = read_table(path)
    if table.measured_for != key:
        note = "its model, groups, parameters, examples or criterion are not those given"
        help_text = "give another --out, or --force to replace it"
        where = printable(str(path))
        raise PrunecError(
            Diagnostic("P542", "the table was measured for something else", where, (), (note,), help_text)
        )
    return table


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
