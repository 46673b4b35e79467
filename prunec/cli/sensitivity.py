"""`prunec sensitivity`: prunes each group alone, runs the model, and writes down what changes."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Iterable, Iterator

from prunec.cli.options import add_model_options, add_register_option

if TYPE_CHECKING:
    from pathlib import Path

    from prunec.cli.inputs import Inputs
    from prunec.mxnet.frontend import MXNetModel
    from prunec.planning.sensitivity import Entry, Table

SUMMARY = "measure what pruning each group alone does"
DESCRIPTION = """Prunes each group of a model alone at several ratios, runs it in MXNet on examples and writes
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
    parser.add_argument("--plot", metavar="FILE.svg", help="a picture of it as well")
    parser.add_argument("--force", action="store_true", help="replace a table of something else")
    parser.add_argument("--quiet", action="store_true", help="no progress bar, no table")


def run(options: argparse.Namespace) -> int:
    """Measures."""
    if options.plot is not None and not options.plot.lower().endswith(".svg"):
        options.parser.error("argument --plot: the picture is an SVG file; give a name that ends in .svg")
    from pathlib import Path

    from prunec.cli.inputs import read_inputs
    from prunec.frontends import mxnet_model
    from prunec.planning.sensitivity import write_table

    inputs = read_inputs(options)
    advice = "plan with a criterion that looks at the parameters, such as l1"
    model = mxnet_model(inputs.model, "the measurement of sensitivities", advice)
    path = Path(options.out)
    table, entries, total = _prepare(options, inputs, model, path)
    write_table(path, table)
    for entry in _shown(entries, total, len(table.entries), options.quiet):
        table = _extended(table, entry)
        write_table(path, table)
    if options.plot is not None:
        _plot(Path(options.plot), table, inputs)
    if not options.quiet:
        _report(table, path)
    return 0


def _prepare(
    options: argparse.Namespace, inputs: Inputs, model: MXNetModel, path: Path
) -> tuple[Table, Iterator[Entry], int]:
    """The table so far, the measurements to come, and how many there are in all."""
    from prunec.cli.plan_options import read_examples
    from prunec.diagnostics import Diagnostic, PrunecError, printable
    from prunec.emission.groups_file import group_members, group_names
    from prunec.planning.choices import choices_of, rank
    from prunec.planning.criteria import Settings, check_needs, find_criterion, unit_scores
    from prunec.planning.sensitivity import Meter, Table, key_of, measure, pending, read_table

    data = read_examples(options.data, inputs)
    name = options.criterion or "l1"
    criterion = find_criterion(name)
    check_needs(inputs.analysis, name, criterion, True)
    settings = Settings(criterion.aggregate, criterion.normalise, 0, data)
    origin = inputs.origin
    parts = (origin.model, origin.rules, origin.parameters or "", str(origin.strict), data.digest, name)
    key = key_of(parts)
    known: tuple[Entry, ...] = ()
    if path.exists() and not options.force:
        old = read_table(path)
        if old.measured_for != key:
            note = "its model, rules, parameters, examples or criterion are not those given"
            help_text = "give another --out, or --force to replace it"
            where = printable(str(path))
            raise PrunecError(
                Diagnostic("P542", "the table was measured for something else", where, (), (note,), help_text)
            )
        known = old.entries
    choices = choices_of(inputs.analysis.solution)
    scores = unit_scores(inputs.analysis, name, settings)
    rankings = [rank(choice, scores) for choice in choices]
    meter = Meter(model, data)
    names = group_names(group_members(inputs.analysis))
    found = measure(inputs.analysis, choices, rankings, names, meter, options.ratios, known)
    total = len(pending(choices, options.ratios))
    return Table(name, key, known, meter.accuracy), found, total


def _extended(table: Table, entry: Entry) -> Table:
    from dataclasses import replace

    return replace(table, entries=(*table.entries, entry))


def _shown(entries: Iterable[Entry], total: int, done: int, quiet: bool) -> Iterator[Entry]:
    """Passes measurements on, with a progress bar on a terminal."""
    import sys

    if quiet or not sys.stderr.isatty():
        yield from entries
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("measuring", total=total, completed=done)
        for entry in entries:
            progress.advance(task)
            yield entry


def _plot(path: Path, table: Table, inputs: Inputs) -> None:
    from prunec.cli.plan import write_file
    from prunec.planning.heatmap import heatmap

    title = f"Sensitivity of {inputs.model.prefix}"
    write_file(path, heatmap(table.entries, title).encode("utf-8"))


def _report(table: Table, path: Path) -> None:
    from prunec.cli.table import print_table
    from prunec.diagnostics import printable

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
    if len(found) > 100:
        raise argparse.ArgumentTypeError(f"{len(found)} ratios: at most 100")
    return found
