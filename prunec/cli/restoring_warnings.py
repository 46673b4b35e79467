"""What is to be known of a restored model: that it is none, layers that are far off, and examples that say
little."""

from __future__ import annotations

from hashlib import sha256
from typing import Sequence

import numpy as np

from prunec.examples import Data
from prunec.frontends.runtime import Array
from prunec.restoring.records import CUT, Restoration
from prunec.support.diagnostics import Diagnostic, Severity

#: A layer that is off by more than this on the examples held back, and so many times what it is on those
#: fitted, is warned of.
_FAR, _TIMES = 0.4, 2.0
#: Outputs that differ by less than this share of their size are the same.
_ALIKE = 1e-3
_MOST_LINES = 5


def warnings_of(found: Restoration, data: Data) -> list[Diagnostic]:
    """All of them, those that speak of the examples last."""
    return [*_of_layers(found), *_of_examples(found, data)]


def _of_layers(found: Restoration) -> list[Diagnostic]:
    warnings = []
    if found.best.name == CUT:
        note = "on the examples held back the outputs of the cut model are nearer to the original's"
        warnings.append(
            Diagnostic(
                "P561",
                "restoring makes the model no better: it is left as it is cut",
                notes=(note,),
                help="give more examples, or remove less",
                severity=Severity.WARNING,
            )
        )
    far = [
        fit
        for fit in found.best.fits
        if fit.held > _FAR or (fit.held > _TIMES * fit.fitted and fit.held > _FAR / 4)
    ]
    if far:
        worst = sorted(far, key=lambda fit: -fit.held)
        notes = [f"{fit.layer}: {fit.held:.0%} of what it computes, {fit.fitted:.0%} fitted" for fit in worst]
        warnings.append(
            Diagnostic(
                "P562",
                f"{_layers(len(far))} far off on the examples held back",
                notes=_few(notes),
                help="remove less there, with a policy or --global, or give more examples",
                severity=Severity.WARNING,
            )
        )
    starved = [fit.layer for fit in found.best.fits if fit.starved]
    if starved:
        warnings.append(
            Diagnostic(
                "P563",
                f"the {found.examples} examples are few for some layers",
                notes=(f"{_named(starved)} see few rows for so many channels",),
                help="give more examples: 400 serve most models",
                severity=Severity.WARNING,
            )
        )
    if found.unreadable:
        warnings.append(
            Diagnostic(
                "P564",
                f"{_layers(len(found.unreadable))} left as cut, of those that lose channels",
                notes=_few([f"{layer}: {reason}" for layer, reason in found.unreadable]),
                help="fine-tune, or keep these channels with a policy",
                severity=Severity.WARNING,
            )
        )
    return warnings


def _of_examples(found: Restoration, data: Data) -> list[Diagnostic]:
    doubts = []
    notes = _doubts(found, data)
    if notes:
        doubts.append(
            Diagnostic(
                "P566",
                "the examples say little of others",
                notes=tuple(notes),
                help="give some hundred different ones, prepared as the model takes them",
                severity=Severity.WARNING,
            )
        )
    share = found.original.accuracy
    if share is not None and data.labels is not None and share <= min(_commonest(data.labels), 0.5):
        where = "held back" if found.held else "given"
        doubts.append(
            Diagnostic(
                "P567",
                "the labels are hardly those of the original model's classes",
                notes=(f"it names {share:.1%} of them, on examples {where}",),
                help="restoring needs no labels: leave them out, or give the classes that the model numbers",
                severity=Severity.WARNING,
            )
        )
    return doubts


def _doubts(found: Restoration, data: Data) -> list[str]:
    """Why the examples say little of others."""
    notes = []
    different = _different(data)
    if different < data.count // 2:
        are = "is" if different == 1 else "are"
        notes.append(f"of the {data.count} given only {different} {are} different")
    if data.count > 1 and found.spread < _ALIKE:
        notes.append("the model gives the same for all of them, as far as can be told")
    still = [fit.layer for fit in found.best.fits if fit.still]
    if still:
        notes.append(f"{_named(still)}: what is read there is the same in all of them")
    if not found.held:
        notes.append("they are too few to hold some back: how good the model is on others is not known")
    return notes


def _few(notes: Sequence[str]) -> tuple[str, ...]:
    more = len(notes) - _MOST_LINES
    return (*notes[:_MOST_LINES], *([f"and {more} more"] if more > 0 else []))


def _named(layers: Sequence[str]) -> str:
    more = len(layers) - _MOST_LINES
    return ", ".join(layers[:_MOST_LINES]) + (f" and {more} more" if more > 0 else "")


def _different(data: Data) -> int:
    """How many different examples there are."""
    rows = zip(*data.inputs.values())
    return len({sha256(b"".join(part.tobytes() for part in row)).digest() for row in rows})


def _commonest(labels: Array) -> float:
    """The share of the label that most examples have."""
    return float(np.unique(labels, return_counts=True)[1].max() / len(labels))


def _layers(count: int) -> str:
    return "1 layer is" if count == 1 else f"{count} layers are"
