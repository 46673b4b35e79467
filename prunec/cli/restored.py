"""Restoring what a plan removes: a step of `compile`, and the command `restore` itself."""

from __future__ import annotations

import argparse
import json
import math
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Callable, Optional, Sequence

from prunec.cli.artefacts import RESTORED_COPY, RESTORING_REPORT, write
from prunec.cli.compile_files import compiled_files
from prunec.cli.inputs import Inputs, read_smaller
from prunec.cli.made_up import MadeUp, copies, with_changes
from prunec.cli.plan_options import read_examples
from prunec.cli.restoring_warnings import warnings_of
from prunec.cli.table import print_table
from prunec.examples import Data
from prunec.frontends.runtime import Runtime
from prunec.planning.checked import emit_checked
from prunec.planning.choose import Plan
from prunec.restoring.quality import Quality
from prunec.restoring.records import CUT, MEANS, RESTORED, Restoration, Subject
from prunec.restoring.restore import compare, restore
from prunec.rewriting.emit import Pruned
from prunec.rewriting.places import Places


def restored(options: argparse.Namespace, inputs: Inputs, plans: Sequence[Plan], folder: Path) -> MadeUp:
    """Restores what each of some plans removes, and keeps what changes the outputs least; parameters in their
    old shapes are written into a folder, in files of their names.

    Raises PrunecError as reading the examples, running the models and writing do.
    """
    data = read_examples(options.data, inputs)
    plan = plans[0]
    best: Optional[Restoration] = None
    changes: list[float] = []
    for own in plans:
        # Of what is worse nothing is held: the parameters of each take as much room as the model.
        result = _with_progress(options, inputs, own, data)
        changes.append(result.best.quality.change)
        # No number at all is worse than any.
        if best is None or changes[-1] < best.best.quality.change or math.isnan(best.best.quality.change):
            plan, best = own, result
    assert best is not None
    changed_inputs = with_changes(inputs, best.best.parameters, folder)
    method = {**plan.method, "restored": best.best.name}
    if len(plans) > 1:
        method["tried"] = [
            {
                "criterion": own.method["criterion"],
                "global": bool(own.method.get("global")),
                "change": round(change, 4) if math.isfinite(change) else None,
            }
            for own, change in zip(plans, changes)
        ]
    options.terminal.warn(warnings_of(best, data))
    return MadeUp(
        changed_inputs,
        replace(plan, method=method),
        copies(inputs, RESTORED_COPY, folder),
        (RESTORING_REPORT, _report_text(best)),
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
        smaller = read_smaller(inputs, pruned, cut / inputs.model.path.name, sliced)
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


def measured(options: argparse.Namespace, inputs: Inputs, pruned: Pruned, smaller: Runtime) -> dict[str, Any]:
    """What becomes of the outputs of a model that nothing was restored in, for programs; for people it is
    printed, unless they asked for less."""
    data = read_examples(options.data, inputs)
    with options.terminal.step("measuring the outputs"):
        places = Places(inputs.analysis, pruned)
        original, cut = compare(inputs.model.runtime(), smaller, data, places)
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
