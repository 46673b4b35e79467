"""`prunec rules`: checking, trying, formatting and documenting rule files."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Callable, Sequence

if TYPE_CHECKING:
    from pathlib import Path

    from prunec.support.diagnostics import Diagnostic

DESCRIPTION = (
    "Commands for the authors of rules.  A FILE is a .prune file, a folder of them, or a built-in name."
)

_FORMATS = ("full", "concise", "json", "github")


def add_options(parser: argparse.ArgumentParser) -> None:
    """The commands and their options."""
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def command(
        name: str, run: Callable[[argparse.Namespace], int], summary: str, description: str, files: str
    ) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=summary, description=description)
        added.add_argument("files", metavar="FILE", nargs=files)
        added.set_defaults(rules_run=run, parser=added)
        return added

    _add_check(command("check", _check, "find all that is wrong", _CHECK, "*"))
    _add_test(command("test", _test, "run the operators, and the examples beside the rules", _TEST, "*"))
    _add_fmt(command("fmt", _fmt, "write files in the canonical layout", _FMT, "+"))
    _add_list(command("list", _list, "list rules with the operators they are for", _LIST, "*"))
    _add_doc(command("doc", _doc, "make reference pages from the ## comments", _DOC, "*"))


_CHECK = """Checks rule files and reports every error of all of them: syntax, names, axes, sizes, overlapping
and shadowed rules, attributes that the operators do not have (where MXNet, or onnx, is installed).  Without
FILE the built-in rules are checked.  Exit code 1: there are errors."""
_TEST = """Runs every operator of the rules, in MXNet or ONNX Runtime, in small networks that are pruned at
random, and compares what prunec makes of the examples in NAME_test.md beside NAME.prune with what they say.
Exit code 1: a rule is wrong, or an example is."""
_FMT = """Writes files of rules or of policies in the canonical layout, comments kept.  With --check nothing
is written, and the exit code is 1 where a file would change.  `-` reads standard input and writes standard
output."""
_LIST = "Lists rules, the operators they are for, and the first sentence of their documentation."
_DOC = "Makes a Markdown page of each rule file from its ## comments; with --output into a folder."


def _add_check(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--format", choices=_FORMATS, default="full", help="default: full")
    parser.add_argument(
        "--against",
        metavar="NAME",
        action="append",
        help="rules these will be used with, for overlaps; repeatable (default: those built-in ones that are "
        "named, else those that know most of the operators)",
    )
    parser.add_argument("--alone", action="store_true", help="compare with no other rules")


def _add_test(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--register", metavar="MY_OPS.PY", help="a Python file that registers operators; it is executed"
    )
    parser.add_argument(
        "--against",
        metavar="NAME",
        help="built-in rules these will be used with, which say what runs the operators: default (MXNet) or "
        "onnx (if left out, those that know most of the operators)",
    )
    parser.add_argument("--only", choices=("numeric", "examples"), help="only one kind of test")
    parser.add_argument("--update", action="store_true", help="rewrite what the examples expect, and no more")
    parser.add_argument(
        "--operator", metavar="NAME", action="append", help="only these operators or labels; repeatable"
    )
    parser.add_argument(
        "--cases", metavar="N", type=_count, default=12, help="networks per rule (default: 12)"
    )
    parser.add_argument("--seed", metavar="N", type=_count, default=0, help="another seed, other networks")
    parser.add_argument("--jobs", metavar="N", type=_count, default=1, help="processes (default: 1)")
    parser.add_argument(
        "--no-strictness", action="store_true", help="do not look for channels that are kept without need"
    )


def _add_fmt(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--check", action="store_true", help="only say which files would change")


def _add_list(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--operator", metavar="TEXT", help="only rules of operators whose name holds this")
    parser.add_argument("--format", choices=("text", "json"), default="text", help="default: text")


def _add_doc(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--output", metavar="FOLDER", help="write NAME.md for each file here")


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 7):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0 on")
    return int(text)


def run(options: argparse.Namespace) -> int:
    """Runs the command asked for."""
    return int(options.rules_run(options))


def _test(options: argparse.Namespace) -> int:
    from prunec.cli import rules_test_command

    return rules_test_command.run(options)


# --- check ---


def _check(options: argparse.Namespace) -> int:
    from prunec.authoring.registered_operators import registered_operators
    from prunec.authoring.rule_checks import check_sources, read_sources
    from prunec.support.diagnostics import PrunecError
    from prunec.support.formats import diagnostics_text

    files = options.files or ["default"]
    problems: tuple[Diagnostic, ...] = ()
    try:
        sources = read_sources(files)
    except PrunecError as error:
        problems, sources = error.diagnostics, ()
    checked = check_sources(sources, [] if options.alone else options.against, registered_operators)
    found = (*problems, *checked.diagnostics)
    print(diagnostics_text(found, options.format), end="")
    errors = len(problems) + len(checked.errors)
    if options.format == "full":
        tally = _tally(len(checked.rules), len(checked.policies), errors, len(found) - errors)
        print(("\n" if found else "") + tally)
    return int(errors > 0)


def _tally(rules: int, policies: int, errors: int, warnings: int) -> str:
    def some(count: int, word: str) -> str:
        return f"{count or 'no'} {word}{'' if count == 1 else 's'}"

    kinds = [some(rules, "rule")] if rules or not policies else []
    if policies:
        kinds.append(f"{policies} {'policy' if policies == 1 else 'policies'}")
    return f"{', '.join(kinds)}: {some(errors, 'error')}, {some(warnings, 'warning')}"


# --- fmt, list, doc ---


def _fmt(options: argparse.Namespace) -> int:
    from pathlib import Path

    from prunec.authoring.formatting import format_path, format_source, write_text
    from prunec.language.parser import check_characters
    from prunec.support.diagnostics import PrunecError, Source, printable

    if options.files == ["-"]:
        text = sys.stdin.read()
        source = Source("<stdin>", text)
        check_characters(source)
        new = format_source(source)
        if not options.check:
            print(new, end="")
        return int(options.check and new != text)
    problems: list[Diagnostic] = []
    changed = 0
    for path in _paths(options.files, problems):
        try:
            result = format_path(Path(path))
            if result.changed:
                changed += 1
                if options.check:
                    print(f"would change {printable(str(path))}")
                else:
                    write_text(result.path, result.new)
                    print(f"changed {printable(str(path))}")
        except PrunecError as error:
            problems += error.diagnostics
    if problems:
        raise PrunecError(*problems)
    return int(options.check and changed > 0)


def _paths(names: Sequence[str], problems: list[Diagnostic]) -> list[Path]:
    """The files named; a name that is neither file nor folder is a problem, built-in names included."""
    from pathlib import Path

    from prunec.support.diagnostics import Diagnostic, printable

    found: list[Path] = []
    for name in names:
        path = Path(name)
        try:
            files = sorted(path.glob("*.prune")) if path.is_dir() else [path] if path.is_file() else []
        except (OSError, ValueError):
            files = []
        if not files:
            problems.append(
                Diagnostic(
                    "P110",
                    f"there is no rule file {printable(name)}",
                    notes=("formatting works on files, not on built-in names",),
                    help="give the path of a .prune file, or of a folder of them",
                )
            )
        found += files
    return found


def _list(options: argparse.Namespace) -> int:
    import json

    from prunec.authoring.reference_pages import listing
    from prunec.authoring.rule_checks import read_sources
    from prunec.cli.table import print_table
    from prunec.language.parser import parse

    files = [parse(source) for source in read_sources(options.files or ["default"])]
    rules = [rule for file in files for rule in file.rules]
    if options.operator:
        wanted = options.operator.lower()
        rules = [rule for rule in rules if any(wanted in name.name.lower() for name in rule.operators)]
    rows = listing(rules)
    if options.format == "json":
        entries = [
            {
                "label": rule.label,
                "operators": [name.name for name in rule.operators],
                "place": rule.operators[0].span.place,
                "summary": line,
                "documentation": rule.documentation,
            }
            for rule, (_, _, line) in zip(rules, rows)
        ]
        print(json.dumps(entries, indent=1))
    else:
        print_table(("rule", "operators", ""), rows, frozenset())
    return 0


def _doc(options: argparse.Namespace) -> int:
    from pathlib import Path

    from prunec.authoring.formatting import write_text
    from prunec.authoring.reference_pages import reference_page
    from prunec.authoring.rule_checks import read_sources
    from prunec.language.parser import parse
    from prunec.support.diagnostics import Diagnostic, PrunecError, printable

    pages = [(s.name, reference_page(parse(s))) for s in read_sources(options.files or ["default"])]
    if options.output is None:
        print("\n".join(page for _, page in pages), end="")
        return 0
    folder = Path(options.output)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        note = f"the system says: {error.strerror or error}"
        headline = f"cannot make the folder {printable(str(folder))}"
        raise PrunecError(
            Diagnostic("P730", headline, notes=(note,), help="give another folder with --output")
        ) from None
    for name, page in pages:
        path = folder / f"{Path(name).stem}.md"
        write_text(path, page)
        print(f"wrote {printable(str(path))}")
    return 0
