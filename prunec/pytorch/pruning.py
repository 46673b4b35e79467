"""A module of PyTorch made smaller in one call: what the command `compile` does, from module to module."""

from __future__ import annotations

import json
import os
import warnings
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Mapping, Optional, Sequence, Union

from prunec.cli.artefacts import PLAN
from prunec.cli.compile_command import compile_model
from prunec.compiling.calling import Examples, example_file, parsed, repeated, valued
from prunec.pytorch.programs import export, loaded, training

#: Before and after; ``None`` where it is not known.
Change = tuple[Optional[int], Optional[int]]

_MODEL = "model.pt2"


@dataclass(frozen=True)
class Report:
    """What became of a model.

    ``parameters`` and ``multiply_adds`` are before and after, ``None`` where they are not known.  ``verdict``
    is "proved", "differs" or "not proved", ``None`` where nothing was compared.  ``quality`` says what became
    of the outputs on the examples, if there were any; ``document`` is what ``prunec compile --json`` prints.
    """

    parameters: Change
    multiply_adds: Change
    verdict: Optional[str]
    quality: Optional[Mapping[str, Any]]
    warnings: tuple[str, ...]
    document: Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class PrunedModule:
    """A smaller model: ``module`` (``torch.nn.Module``) to train on, in training mode; ``exported``
    (``torch.export.ExportedProgram``) in eval mode; the ``plan`` as plan.json has it; and a report.

    The state dict of ``module`` can be loaded into ``exported.module()``, and the other way round.
    """

    module: Any
    exported: Any
    plan: Mapping[str, Any]
    report: Report

    def __repr__(self) -> str:
        before, after = self.report.parameters
        return f"<PrunedModule: {before} to {after} parameters, {self.report.verdict or 'not compared'}>"


def prune(
    model: Any,
    example_inputs: Sequence[Any],
    dynamic_shapes: Optional[Any] = None,
    *,
    ratio: Optional[float] = None,
    target: Union[str, Sequence[str], None] = None,
    data: Optional[Examples] = None,
    restore: bool = True,
    verify: bool = True,
    criterion: Optional[str] = None,
    strict: bool = False,
    policy: Union[str, os.PathLike[str], None] = None,
    out: Union[str, os.PathLike[str], None] = None,
) -> PrunedModule:
    """Makes a module smaller, and proves that the smaller one computes what the original without the removed
    channels does.  ``model`` stays as it is; it is exported in eval mode.

    ``example_inputs`` and ``dynamic_shapes`` are those of ``torch.export.export``: without the latter the
    smaller module takes inputs of the shapes of the examples only, also when it is trained.  ``ratio``,
    ``target`` ("macs=0.5"), ``criterion``, ``strict`` and ``policy`` are the options of ``prunec compile``.
    With ``data``, some hundred examples, what goes is restored unless ``restore`` is false; without them the
    smaller module has to be trained.  ``out`` is a folder to keep all files in that the command writes.

    Raises PrunecError where prunec or PyTorch refuse the model, ValueError for values that the command does
    not take.  Warns where ``verify`` does not prove the result.
    """
    with TemporaryDirectory(prefix="prunec-") as scratch:
        path, folder = Path(scratch) / _MODEL, Path(scratch) / "out" if out is None else Path(out)
        export(model, example_inputs, dynamic_shapes, path)
        words = ["compile", str(path), "--json", "--out", str(folder)]
        words += valued("--ratio", ratio) + valued("--criterion", criterion) + valued("--policy", policy)
        words += ["--verify"] * verify + ["--strict"] * strict
        words += repeated("--target", target)
        if data is not None:
            words += ["--data", example_file(data, Path(scratch))]
        if data is None or not restore:
            words.append("--no-restore")
        report = _compiled(words)
        plan = json.loads((folder / PLAN).read_text("ascii"))
        return PrunedModule(training(folder / _MODEL), loaded(folder / _MODEL), plan, report)


def _compiled(words: Sequence[str]) -> Report:
    """Runs the command, and tells what it told."""
    _, text = compile_model(parsed(words))
    document = json.loads(text)
    totals, verification = document["totals"], document["verification"]
    verdict = None if verification is None else str(verification["outcome"])
    if verdict not in (None, "proved"):
        warnings.warn(f"prunec: the smaller module is not proved: {verdict}", stacklevel=3)
    return Report(
        _change(totals["parameters"]),
        _change(totals["multiply_adds"]),
        verdict,
        document["quality"],
        tuple(f"{own['code']}: {own['headline']}" for own in document["warnings"]),
        document,
    )


def _change(pair: Mapping[str, Optional[int]]) -> Change:
    return pair["before"], pair["after"]
