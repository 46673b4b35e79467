"""The smaller model: its edits, and what the front end makes of them."""

from __future__ import annotations

from dataclasses import dataclass

from prunec.analysis.analyse import Analysis
from prunec.channels.removal import Removed
from prunec.embedded.slices import ParameterSlice
from prunec.lowering.infer import describe
from prunec.rewriting.edits import Edits, edits_for
from prunec.rewriting.shrink import Shrinker
from prunec.support.diagnostics import Diagnostic, PrunecError
from prunec.value import Value


@dataclass(frozen=True)
class Pruned:
    """The smaller model: its bytes, and the edits that made it."""

    model: bytes
    edits: Edits
    shrinker: Shrinker

    def __repr__(self) -> str:
        return f"<Pruned: {len(self.model)} bytes, {len(self.slices)} parameters sliced>"

    @property
    def slices(self) -> tuple[ParameterSlice, ...]:
        """How the parameters are cut that change."""
        return self.edits.slices


def emit(analysis: Analysis, removed: Removed) -> Pruned:
    """The model without the removed units.

    Raises PrunecError P503 where an attribute that must change is not in the model file, and whatever
    :func:`prunec.rewriting.edits.edits_for` raises.
    """
    shrinker = Shrinker(analysis.solution, removed)
    edits = edits_for(analysis, shrinker)
    for (index, name), value in edits.attributes.items():
        if analysis.model.missing(index, name):
            raise PrunecError(_absent(analysis, index, name, value))
    return Pruned(analysis.model.rewrite(edits), edits, shrinker)


def _absent(analysis: Analysis, index: int, name: str, value: Value) -> Diagnostic:
    return Diagnostic(
        "P503",
        f"attribute {name!r} must become {value}, but the node does not have it",
        where=describe(analysis.model.graph, index, analysis.lowered.shapes),
        notes=("prunec changes values that are in the file and adds none",),
        help=f"write {name} with its present value into the model file, or keep these channels by a rule",
    )
