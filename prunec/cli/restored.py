"""Restoring what a plan removes: a step of `compile`, and the command `restore` itself."""

from __future__ import annotations

import argparse
import json
import math
from contextlib import ExitStack
from dataclasses import asdict, replace
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Callable, Optional, Sequence

import numpy as np

from prunec.cli.artefacts import write
from prunec.cli.compile_files import compiled_files
from prunec.cli.inputs import Inputs, emit_checked
from prunec.cli.made_up import MadeUp, check_parameters, copies, with_changes
from prunec.cli.plan_options import read_examples
from prunec.cli.table import print_table
from prunec.examples import Data
from prunec.frontends.runtime import Array, Runtime
from prunec.planning.choose import Plan
from prunec.restoring.quality import Quality
from prunec.restoring.records import CUT, MEANS, RESTORED, Restoration, Subject
from prunec.restoring.restore import compare, restore
from prunec.support.diagnostics import Diagnostic, Severity

#: The file that says what was done.
REPORT = "restoring.json"
#: What the parameters that `compile` makes the smaller ones of are called, without the ending.
COPY = "restored"
#: A layer that is off by more than this on the examples held back, and so many times what it is on those
#: fitted, is warned of.
_FAR, _TIMES = 0.4, 2.0
_MOST_LINES = 5


def restored(options: argparse.Namespace, inputs: Inputs, plans: Sequence[Plan], folder: Path) -> MadeUp:
    """Restores what each of some plans removes, and keeps what changes the outputs least; parameters in their
    old shapes are written into a folder, in files of their names.

    Raises PrunecError P508 without parameters, and what reading the examples, running the models and writing
    raise.
    """
    check_parameters(inputs)
    data = read_examples(options.data, inputs)
    found = [_with_progress(options, inputs, plan, data) for plan in plans]
    plan, best = min(zip(plans, found), key=lambda own: own[1].best.quality.change)
    changed_inputs = with_changes(inputs, best.best.parameters, folder)
    method = {**plan.method, "restored": best.best.name}
    if len(plans) > 1:
        method["tried"] = [
            {
                "criterion": own.method["criterion"],
                "global": bool(own.method.get("global")),
                "change": round(result.best.quality.change, 4),
            }
            for own, result in zip(plans, found)
        ]
    options.terminal.warn([*_doubts(best, data), *_warnings(best)])
    return MadeUp(
        changed_inputs,
        replace(plan, method=method),
        copies(inputs, COPY, folder),
        (REPORT, _report_text(best)),
        lambda: show(best),
        summary(best),
    )


def restoration(
    inputs: Inputs,
    plan: Plan,
    data: Data,
    progress: Callable[[int, int], None] = lambda done, total: None,
    ways: Sequence[str] = (RESTORED, MEANS),
) -> Restoration:
    """What comes of restoring a plan.  Raises PrunecError as writing the smaller model and running both
    do."""
    pruned = emit_checked(inputs.analysis, plan.removed)
    with TemporaryDirectory(prefix="prunec-") as scratch:
        cut = Path(scratch) / "cut"
        write(compiled_files(inputs, plan, pruned), cut)
        sliced = None if inputs.parameters is None else cut / inputs.parameters.name
        smaller = inputs.front.read_pruned(inputs.model, cut / inputs.model.path.name, sliced)
        subject = Subject(inputs.analysis, plan.removed, pruned, inputs.model.runtime(), smaller.runtime)
        return restore(subject, data, progress, ways)


def _with_progress(options: argparse.Namespace, inputs: Inputs, plan: Plan, data: Data) -> Restoration:
    """Restores, and shows how far it is."""
    with ExitStack() as stack:
        steps: list[Callable[[], None]] = []

        def progress(done: int, total: int) -> None:
            if not steps:
                steps.append(stack.enter_context(options.terminal.step("restoring", total, done)))
            elif done:
                steps[0]()

        ways = (MEANS,) if options.means else (RESTORED, MEANS)
        return restoration(inputs, plan, data, progress, ways)


def measured(options: argparse.Namespace, inputs: Inputs, smaller: Runtime) -> dict[str, Any]:
    """What becomes of the outputs of a model that nothing was restored in, for programs; for people it is
    printed, unless they asked for less."""
    data = read_examples(options.data, inputs)
    with options.terminal.step("measuring the outputs"):
        original, cut = compare(inputs.model.runtime(), smaller, data)
    if not (options.quiet or options.json):
        _print_table([("original", *_cells(original)), (CUT, *_cells(cut))])
        print(f"measured on the {data.count} examples given")
    return _summary([("original", original), (CUT, cut)], CUT, data.count, False)


def show(found: Restoration) -> None:
    """A row for the original and each way that was tried."""
    rows = [("original", *_cells(found.original))]
    for method in found.methods:
        rows.append((f"{method.name}{' (kept)' if method is found.best else ''}", *_cells(method.quality)))
    _print_table(rows)
    where = "held back from" if found.held else "of"
    print(f"measured on examples {where} the {found.examples} given")


def _print_table(rows: Sequence[tuple[str, ...]]) -> None:
    print()
    print_table(("at the outputs", "change", "same class", "accuracy"), rows, frozenset((1, 2, 3)))


def _cells(quality: Quality) -> tuple[str, str, str]:
    shares = [quality.change, quality.agreement, quality.accuracy]
    first, second, third = ("" if share is None else f"{share:.1%}" for share in shares)
    return first, second, third


def summary(found: Restoration) -> dict[str, Any]:
    """The same for programs."""
    models = [("original", found.original), *((own.name, own.quality) for own in found.methods)]
    return _summary(models, found.best.name, found.examples, found.held)


def _summary(models: Sequence[tuple[str, Quality]], kept: str, examples: int, held: bool) -> dict[str, Any]:
    """``change`` is ``None`` where an output holds no numbers."""
    rows = [{"name": name, **asdict(own), "change": _finite(own.change)} for name, own in models]
    return {"examples": examples, "held_back": held, "kept": kept, "models": rows}


def _report_text(found: Restoration) -> str:
    layers = [
        {**asdict(fit), "fitted": _finite(fit.fitted), "held": _finite(fit.held)} for fit in found.best.fits
    ]
    left = [{"layer": layer, "reason": reason} for layer, reason in found.unreadable]
    document = {"format": "prunec restoring", "version": 1, **summary(found), "layers": layers, "left": left}
    return json.dumps(document, indent=2) + "\n"


def _finite(value: float) -> Optional[float]:
    return value if math.isfinite(value) else None


def _warnings(found: Restoration) -> list[Diagnostic]:
    """What is to be known of a restored model: that it is none, and layers that are far off."""
    warnings = []
    if found.best.name == CUT:
        note = "on the examples held back the outputs of the cut model are nearer to the original's"
        warnings.append(
            _warning("P561", "restoring makes the model no better: it is left as it is cut", [note])
        )
    far = [
        fit
        for fit in found.best.fits
        if fit.held > _FAR or (fit.held > _TIMES * fit.fitted and fit.held > _FAR / 4)
    ]
    if far:
        worst = sorted(far, key=lambda fit: -fit.held)[:_MOST_LINES]
        notes = [f"{fit.layer}: {fit.held:.0%} of what it computes, {fit.fitted:.0%} fitted" for fit in worst]
        more = len(far) - len(worst)
        headline = f"{_layers(len(far))} far off on the examples held back"
        warnings.append(_warning("P562", headline, notes + ([f"and {more} more"] if more else [])))
    starved = [fit for fit in found.best.fits if fit.starved]
    if starved:
        names = ", ".join(fit.layer for fit in starved[:_MOST_LINES])
        more = len(starved) - _MOST_LINES
        note = f"{names}{f' and {more} more' if more > 0 else ''} see few rows for so many channels"
        warnings.append(_warning("P563", f"the {found.examples} examples are few for some layers", [note]))
    if found.unreadable:
        notes = [f"{layer}: {reason}" for layer, reason in found.unreadable[:_MOST_LINES]]
        more = len(found.unreadable) - _MOST_LINES
        headline = f"{_layers(len(found.unreadable))} left as cut, of those that lose channels"
        warnings.append(_warning("P564", headline, notes + ([f"and {more} more"] if more > 0 else [])))
    return warnings


def _doubts(found: Restoration, data: Data) -> list[Diagnostic]:
    """Why the examples say little of others."""
    notes = []
    different = _different(data)
    if different < data.count // 2:
        notes.append(
            f"of the {data.count} given only {different} {'is' if different == 1 else 'are'} different"
        )
    if data.count > 1 and found.spread < _ALIKE:
        notes.append("the model gives the same for all of them, as far as can be told")
    still = [fit.layer for fit in found.best.fits if fit.still]
    if still:
        more = len(still) - _MOST_LINES
        named = f"{', '.join(still[:_MOST_LINES])}{f' and {more} more' if more > 0 else ''}"
        notes.append(f"{named}: what is read there is the same in all of them")
    if not found.held:
        notes.append("they are too few to hold some back: how good the model is on others is not known")
    doubts = [] if not notes else [_warning("P566", "the examples say little of others", notes)]
    share = found.original.accuracy
    if share is not None and data.labels is not None and share <= min(_commonest(data.labels), 0.5):
        note = f"it names {share:.1%} of them, on examples {'held back' if found.held else 'given'}"
        doubts.append(_warning("P567", "the labels are hardly those of the original model's classes", [note]))
    return doubts


def _different(data: Data) -> int:
    """How many different examples there are."""
    rows = zip(*data.inputs.values())
    return len({sha256(b"".join(part.tobytes() for part in row)).digest() for row in rows})


def _commonest(labels: Array) -> float:
    """The share of the label that most examples have."""
    return float(np.unique(labels, return_counts=True)[1].max() / len(labels))


def _layers(count: int) -> str:
    return "1 layer is" if count == 1 else f"{count} layers are"


#: Outputs that differ by less than this share of their size are the same.
_ALIKE = 1e-3

_HELP = {
    "P561": "give more examples, or remove less",
    "P562": "remove less there, with a policy or --global, or give more examples",
    "P563": "give more examples: 400 serve most models",
    "P564": "fine-tune, or keep these channels with a policy",
    "P566": "give some hundred different ones, prepared as the model takes them",
    "P567": "restoring needs no labels: leave them out, or give the classes that the model numbers",
}


def _warning(code: str, headline: str, notes: list[str]) -> Diagnostic:
    return Diagnostic(code, headline, notes=tuple(notes), help=_HELP[code], severity=Severity.WARNING)
