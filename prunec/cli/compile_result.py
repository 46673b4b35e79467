"""What `compile` says when it is done: tables for people, or one JSON document."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Mapping, Optional, Sequence

from prunec.cli.inputs import Inputs, open_shapes
from prunec.cli.plan_options import method_text
from prunec.cli.summary_table import print_summary
from prunec.graph import input_flags
from prunec.planning.choose import Plan
from prunec.reporting.summary import Written, summarise, summary_json
from prunec.rewriting.emit import Pruned
from prunec.rewriting.layers import Change
from prunec.support.diagnostics import Diagnostic, printable
from prunec.support.files import file_digest


@dataclass(frozen=True)
class Result:
    """A smaller model that was written: ``names`` are the files in ``folder``."""

    inputs: Inputs
    plan: Plan
    pruned: Pruned
    folder: Path
    names: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Compiled:
    """What came of compiling: ``inputs`` are what the files were made of, with the parameters that make up
    for what went; ``quality`` is what was measured on examples, ``checked`` a proof, if there was one;
    ``page`` makes the report, with the lines of a proof."""

    result: Result
    inputs: Inputs
    quality: Mapping[str, Any]
    checked: Optional[Mapping[str, Any]]
    page: Callable[[Sequence[str]], bytes]


def print_result(result: Result) -> None:
    """The summary, how it was chosen, and where it was written."""
    summary = summarise(result.inputs.analysis, result.pruned, result.plan)
    print_summary(summary, _bytes(result))
    missing = open_shapes(result.inputs)
    print()
    if not result.inputs.analysis.solution.groups:
        print("no channel of this model can go")
    if missing and None in summary.totals.multiply_adds:
        print(printable(f"multiply-adds need the inputs' sizes: {input_flags(missing)}", 500))
    print(printable(_method(result), 500))
    print(printable(f"written to {result.folder}: {', '.join(result.names)}", 1000))
    for own in result.inputs.front.further_files(result.inputs.model):
        if own.made and own.purpose:
            print(printable(f"{own.name} {own.purpose}", 500))


def result_json(
    result: Result,
    warnings: Sequence[Diagnostic],
    verification: Optional[Mapping[str, Any]],
    quality: Mapping[str, Any],
) -> str:
    """The document of `compile --json`."""
    files = []
    for name in result.names:
        path = result.folder / name
        files.append(Written(name, file_digest(path), path.stat().st_size))
    return summary_json(
        summarise(result.inputs.analysis, result.pruned, result.plan),
        result.inputs.origin,
        result.plan,
        folder=str(result.folder),
        files=files,
        size=_bytes(result),
        warnings=warnings,
        verification=verification,
        quality=quality,
    )


def _bytes(result: Result) -> Change:
    """The size of model and parameters, before and after; not known where the parameters are not at hand."""
    front, model, parameters = result.inputs.front, result.inputs.model, result.inputs.parameters
    if result.inputs.weights is None:
        return None, None
    before = [model.path, *(model.path.parent / name for name in front.data_files(model))]
    after = [model.path.name, *front.data_files(model)]
    if parameters is not None:
        before.append(parameters)
        after.append(parameters.name)
    return _total(before), _total([result.folder / name for name in after])


def _total(files: Sequence[Path]) -> int:
    return sum(file.stat().st_size for file in files)


def _method(result: Result) -> str:
    plan = result.inputs.plan
    return method_text(result.plan, result.inputs) if plan is None else f"chosen by the plan {plan.name}"
