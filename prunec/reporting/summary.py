"""What a compiled model comes to: totals, the layers that change most, and what was kept and why."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any, Mapping, Optional, Sequence

from prunec import __version__
from prunec.analysis.analyse import Analysis
from prunec.planning.choose import Plan
from prunec.planning.groups_file import approximate_reasons
from prunec.planning.members import group_members, group_names
from prunec.planning.planfile import Origin
from prunec.rewriting.emit import Pruned
from prunec.rewriting.layers import Change, Layer, Totals, layers
from prunec.rewriting.widths import Width, widths
from prunec.support.diagnostics import Diagnostic
from prunec.support.formats import diagnostic_object

FORMAT = "prunec compile"
VERSION = 1

#: So many layers are the largest changes.
MOST_LAYERS = 10


@dataclass(frozen=True)
class KeptReason:
    """A reason why layers lose no channel, how many channels it keeps, and the layers' names."""

    reason: str
    channels: int
    layers: tuple[str, ...]


@dataclass(frozen=True)
class ApproximateGroup:
    """A group that loses ``removed`` of its units, so that what stays changes its values; and why."""

    number: int
    name: str
    units: int
    removed: int
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Written:
    """A file that was written: its name in the folder, its SHA-256 in hexadecimal, and its bytes."""

    name: str
    digest: str
    size: int


@dataclass(frozen=True)
class Summary:
    """``largest`` are places in ``layers``, of those that change, the largest change first; ``kept`` begins
    with the reason that keeps the most channels; ``widths`` is what changes of the model's interface."""

    layers: tuple[Layer, ...]
    totals: Totals
    largest: tuple[int, ...]
    kept: tuple[KeptReason, ...]
    approximate: tuple[ApproximateGroup, ...]
    widths: tuple[Width, ...]


def summarise(analysis: Analysis, pruned: Pruned, plan: Plan) -> Summary:
    """The summary of a compiled model."""
    found, totals = layers(analysis, pruned)
    approximate, narrower = approximate_groups(analysis, plan), widths(analysis, pruned)
    return Summary(found, totals, _largest(found, totals), _kept(found), approximate, narrower)


def approximate_groups(analysis: Analysis, plan: Plan) -> tuple[ApproximateGroup, ...]:
    """The groups that lose units although this changes the values of what stays."""
    numbers = [g.number for g in analysis.solution.groups if g.approximate and plan.removed[g.units].any()]
    if not numbers:
        return ()
    names = group_names(group_members(analysis))
    found = []
    for number in numbers:
        units = analysis.solution.groups[number].units
        removed = int(plan.removed[units].sum())
        reasons = tuple(approximate_reasons(analysis, number))
        found.append(ApproximateGroup(number, names[number], len(units), removed, reasons))
    return tuple(found)


def first_reasons(groups: Sequence[ApproximateGroup]) -> list[str]:
    """Why what a plan leaves changes its values: of each group the first reason, each once."""
    return list(dict.fromkeys(group.reasons[0] for group in groups))


def _largest(found: Sequence[Layer], totals: Totals) -> tuple[int, ...]:
    """The layers that lose the largest shares of the model's parameters or multiply-adds; where neither are
    known, the most channels."""
    if totals.parameters[0] is None and totals.multiply_adds[0] is None:
        lost = [_share(layer.channels or (0, 0), (1, 1)) for layer in found]
    else:
        lost = [
            max(
                _share(layer.parameters, totals.parameters), _share(layer.multiply_adds, totals.multiply_adds)
            )
            for layer in found
        ]
    order = sorted((place for place, share in enumerate(lost) if share > 0), key=lambda place: -lost[place])
    return tuple(order[:MOST_LAYERS])


def _share(change: Change, total: Change) -> float:
    before, after = change
    return (before - after) / total[0] if before is not None and after is not None and total[0] else 0.0


def _kept(found: Sequence[Layer]) -> tuple[KeptReason, ...]:
    by_reason: dict[str, list[Layer]] = {}
    for layer in found:
        if layer.kept:
            by_reason.setdefault(layer.kept, []).append(layer)
    kept = (
        KeptReason(reason, sum(_channels(layer) for layer in own), tuple(layer.name for layer in own))
        for reason, own in by_reason.items()
    )
    return tuple(sorted(kept, key=lambda own: -own.channels))


def _channels(layer: Layer) -> int:
    return (layer.channels[0] or 0) if layer.channels is not None else 0


# --- as JSON ----------------------------------------------------------------------------------


def summary_json(
    summary: Summary,
    origin: Origin,
    plan: Plan,
    *,
    folder: str,
    files: Sequence[Written],
    size: Change,
    warnings: Sequence[Diagnostic],
    verification: Optional[Mapping[str, Any]],
    quality: Mapping[str, Any],
) -> str:
    """The document that `compile --json` prints, described in ``docs/report.md``; ``size`` is the bytes of
    model and parameters, ``quality`` what becomes of the outputs, nothing where that was not measured."""
    totals = {
        "parameters": _change(summary.totals.parameters),
        "multiply_adds": _change(summary.totals.multiply_adds),
        "bytes": _change(size),
    }
    document = {
        "format": FORMAT,
        "version": VERSION,
        "prunec": __version__,
        **origin.members(),
        "method": plan.method,
        "totals": totals,
        "layers": [_layer(layer) for layer in summary.layers],
        "largest_changes": list(summary.largest),
        "kept": [
            {"reason": own.reason, "channels": own.channels, "layers": list(own.layers)}
            for own in summary.kept
        ],
        "approximate": [
            {
                "group": group.number,
                "name": group.name,
                "units": group.units,
                "removed": group.removed,
                "reasons": list(group.reasons),
            }
            for group in summary.approximate
        ],
        "interface": [width.members() for width in summary.widths],
        "compensated": [
            {"group": group, "outcome": outcome} for group, outcome in sorted(plan.compensated.items())
        ],
        "warnings": [diagnostic_object(warning) for warning in warnings],
        "folder": folder,
        "files": [{"name": file.name, "sha256": file.digest, "bytes": file.size} for file in files],
        "verification": verification,
        "quality": quality or None,
    }
    return json.dumps(document, indent=1) + "\n"


def finite(number: float) -> Optional[float]:
    """A number as JSON has it: ``None`` for infinity and what is no number."""
    return number if math.isfinite(number) else None


def _layer(layer: Layer) -> dict[str, Any]:
    return {
        "name": layer.name,
        "operator": layer.operator,
        "channels": None if layer.channels is None else _change(layer.channels),
        "parameters": _change(layer.parameters),
        "multiply_adds": _change(layer.multiply_adds),
        "kept": layer.kept or None,
    }


def _change(change: Change) -> dict[str, Optional[int]]:
    return {"before": change[0], "after": change[1]}
