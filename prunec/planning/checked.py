"""Making the smaller model of a choice of units, where the choice is what no network has: messages say so."""

from __future__ import annotations

from contextlib import contextmanager
from typing import Iterator

import numpy as np

from prunec.analysis.analyse import Analysis
from prunec.channels.removal import Removed, illegal
from prunec.rewriting.edits import Edits, edits_for
from prunec.rewriting.emit import Pruned, emit
from prunec.rewriting.shrink import Shrinker, Unbalanced
from prunec.rewriting.widths import Width, widths
from prunec.support.diagnostics import Diagnostic, PrunecError

_MOST_PROBLEMS = 20


def emit_choice(analysis: Analysis, removed: Removed) -> Pruned:
    """The model without the units that a program of one's own chose: ``removed`` has a truth value for each
    unit, shape (units,).

    Raises PrunecError as a plan does: P505 for an array that is none of the model's units, P506 for what
    cannot go; P503 where an attribute that must change is not in the model file.
    """
    check_choice(analysis, removed)
    return emit_checked(analysis, removed)


def check_choice(analysis: Analysis, removed: Removed) -> None:
    """Whether units can go together.  Raises PrunecError P505 and P506 as :func:`emit_choice` does."""
    array, count = np.asarray(removed), analysis.solution.unit_count
    if array.dtype != np.bool_ or array.shape != (count,):
        raise PrunecError(
            Diagnostic(
                "P505",
                "the choice speaks of units that the model does not have",
                notes=(
                    f"it is an array of {array.dtype} of shape {array.shape}, "
                    f"not one truth value for each of {count} units",
                ),
                help="give an array of bool of the shape (analysis.solution.unit_count,)",
            )
        )
    problems = illegal(analysis.solution, array)
    if problems:
        more = len(problems) - _MOST_PROBLEMS
        raise PrunecError(
            Diagnostic(
                "P506",
                "the choice removes what cannot go",
                notes=(*problems[:_MOST_PROBLEMS], *([f"and {more} more"] if more > 0 else [])),
                help="correct the choice; prunec.groups(analysis) has the groups, their units and cells",
            )
        )


def emit_checked(analysis: Analysis, removed: Removed) -> Pruned:
    """The smaller model; raises PrunecError P506 where what stays of a table is not rectangular."""
    with _balanced():
        return emit(analysis, removed)


def edits_checked(analysis: Analysis, removed: Removed) -> Edits:
    """What makes the smaller model; raises PrunecError P506 as :func:`emit_checked` does."""
    with _balanced():
        return edits_for(analysis, Shrinker(analysis.solution, removed))


def widths_after(analysis: Analysis, removed: Removed) -> tuple[Width, ...]:
    """What a plan changes of the model's interface.  Raises PrunecError as :func:`emit_checked` does."""
    named = analysis.solution.propagation.interface
    return widths(analysis, emit_checked(analysis, removed)) if named else ()


@contextmanager
def _balanced() -> Iterator[None]:
    try:
        yield
    except Unbalanced:
        raise PrunecError(
            Diagnostic(
                "P506",
                "the plan removes what cannot go",
                notes=("rows of a table that must stay equally long would lose unequally many channels",),
                help="remove equally many units of every cell; `prunec groups --json` lists the cells",
            )
        ) from None
