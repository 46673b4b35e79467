"""A module of PyTorch made smaller in one call: what the command `compile` does, from module to module."""

from __future__ import annotations

import argparse
import json
import os
import warnings
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Iterable, Mapping, NoReturn, Optional, Sequence, Union

import numpy as np

from prunec.cli.artefacts import PLAN
from prunec.cli.compile_command import compile_model
from prunec.cli.main import command_parser
from prunec.cli.terminal import Terminal
from prunec.pytorch.programs import export, loaded, training
from prunec.support.diagnostics import Diagnostic, PrunecError

#: Before and after; ``None`` where it is not known.
Change = tuple[Optional[int], Optional[int]]
Array = Any  # a tensor, or an array of numpy
#: The path of an ``.npz``; arrays by the names of inputs, and "labels"; the array of the only input;
#: or that and the labels.
Examples = Union[str, "os.PathLike[str]", Mapping[str, Array], Array, tuple[Array, Array]]

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
        words += _valued("--ratio", ratio) + _valued("--criterion", criterion) + _valued("--policy", policy)
        words += ["--verify"] * verify + ["--strict"] * strict
        for one in [target] if isinstance(target, str) else target or ():
            words += ["--target", one]
        if data is not None:
            words += ["--data", _data_file(data, Path(scratch))]
        if data is None or not restore:
            words.append("--no-restore")
        report = _compiled(words)
        plan = json.loads((folder / PLAN).read_text("ascii"))
        return PrunedModule(training(folder / _MODEL), loaded(folder / _MODEL), plan, report)


def _valued(flag: str, value: object) -> list[str]:
    return [] if value is None else [flag, str(value)]


def _compiled(words: Sequence[str]) -> Report:
    """Runs the command, and tells what it told."""
    options = command_parser(words, _Parser).parse_args(words)
    options.command_line = ("prunec", *words)
    options.terminal = _Raising(json=True)
    _, text = compile_model(options)
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


def _data_file(data: Examples, folder: Path) -> str:
    """The file of the examples, written into a folder where they are none."""
    if isinstance(data, (str, os.PathLike)):
        return os.fspath(data)
    if isinstance(data, tuple):
        arrays = dict(zip(("inputs", "labels"), data))
    else:
        arrays = dict(data) if isinstance(data, Mapping) else {"inputs": data}
    path = folder / "examples.npz"
    np.savez(path, **{name: _array(array) for name, array in arrays.items()})
    return str(path)


def _array(array: Array) -> Any:
    """An array of numpy, of a tensor wherever it is."""
    return np.asarray(array.detach().cpu().numpy() if hasattr(array, "detach") else array)


class _Parser(argparse.ArgumentParser):
    """Raises what the command line prints."""

    def error(self, message: str) -> NoReturn:
        raise ValueError(message)


class _Raising(Terminal):
    """Raises what the command prints as its last words."""

    def close(self, errors: Iterable[Diagnostic] = ()) -> None:
        found = tuple(errors)
        if found:
            raise PrunecError(*found) from None
