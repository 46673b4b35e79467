"""`prunec diff`: what differs between two models."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional

from prunec.cli.options import add_analysis_options, input_shapes

if TYPE_CHECKING:
    from prunec.analysis.analyse import Analysis
    from prunec.frontends.base import FrontEnd
    from prunec.language.library import RuleSet
    from prunec.model import FileModel
    from prunec.support.diagnostics import Diagnostic

DESCRIPTION = """Lists what differs between two models of one kind, made by prunec or not: nodes (matched by
name), attributes, inputs, shapes and parameters, under the groups of channels that account for it."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument("before", metavar="A", help="an MXNet symbol file or an ONNX file")
    parser.add_argument("after", metavar="B", help="the file to compare it with")
    parser.add_argument(
        "--format",
        choices=("text", "json", "markdown"),
        default="text",
        help="text for a terminal (the default), json, or markdown for a comment on a pull request",
    )
    parser.add_argument(
        "--params", metavar="FILE", help="parameters of A (default: those beside it, if there)"
    )
    parser.add_argument("--params-after", metavar="FILE", help="parameters of B (default: as for A)")
    parser.add_argument("--exit-code", action="store_true", help="exit 1 if anything differs, as diff does")
    add_analysis_options(parser)


def run(options: argparse.Namespace) -> int:
    """Compares; the exit code is 0, or 1 where it was asked for and something differs."""
    from prunec.frontends.registry import front_end
    from prunec.language.library import load
    from prunec.reporting.structure import compare
    from prunec.reporting.structure_views import as_json, as_markdown, as_text

    front, other = (front_end(Path(path)) for path in (options.before, options.after))
    if front.file_kind != other.file_kind:
        options.parser.error(f"argument B: A is {front.file_kind}, and B is {other.file_kind}")
    rules = load(tuple(options.rules or [front.rules]))
    before, after = _read(options, front)
    analysis, notes = _analysis(before, rules, options.strict)
    comparison = compare(before, after, rules, analysis)
    known = comparison.notes
    comparison = replace(comparison, notes=(*known, *(note for note in notes if note not in known)))
    form = {"text": as_text, "json": as_json, "markdown": as_markdown}[options.format]
    names = (before.path.name, after.path.name)
    if names[0] == names[1]:
        names = (options.before, options.after)
    print(form(comparison, *names), end="")
    if options.format == "text" and comparison.same and before.digest != after.digest:
        print("the files differ only in what does not change the result, such as layout or training hints")
    return 1 if options.exit_code and not comparison.same else 0


def _read(options: argparse.Namespace, front: FrontEnd[Any]) -> tuple[FileModel, FileModel]:
    """Both models; a shape given with ``--input`` holds for those of them that have the input.

    Raises PrunecError as reading does, P307 for an input that neither has.
    """
    from prunec.cli.inputs import parameter_path

    shapes = input_shapes(options)
    paths = (Path(options.before), Path(options.after))
    parameters = [parameter_path(options, front, option) for option in ("params", "params_after")]
    variables = [front.input_names(path) for path in paths]
    models = []
    for path, beside, own in zip(paths, parameters, variables):
        # What neither has is left in, for the reader to refuse.
        meant = {n: s for n, s in shapes.items() if n in own or not any(n in v for v in variables)}
        models.append(front.read(path, beside, meant))
    return models[0], models[1]


def _analysis(
    before: FileModel, rules: RuleSet, strict: bool
) -> tuple[Optional[Analysis], tuple[Diagnostic, ...]]:
    """The groups of the first model, and what stands in their way: differences are listed all the same."""
    from prunec.analysis.analyse import analyse
    from prunec.support.diagnostics import PrunecError

    try:
        analysis = analyse(before, rules, strict)
    except PrunecError as error:
        return None, error.diagnostics
    return analysis, analysis.warnings
