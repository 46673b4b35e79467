"""A plan: which units go, and how they were chosen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Mapping, Optional

from prunec.compiler import Analysis
from prunec.diagnostics import Diagnostic, PrunecError
from prunec.planning.criteria import CRITERIA, NEED_PARAMETERS
from prunec.planning.select import Removed, uniform


@dataclass(frozen=True, eq=False)
class Plan:
    """``removed`` says for every unit whether it goes; ``method`` names the criterion and its options, in
    values that JSON has."""

    removed: Removed
    method: Mapping[str, Any]


def default_criterion(analysis: Analysis) -> str:
    """``l1`` where the parameters are at hand, else ``position``."""
    return "position" if analysis.model.parameter_shapes is None else "l1"


def make_plan(analysis: Analysis, ratio: float = 0.5, criterion: Optional[str] = None) -> Plan:
    """Removes ``ratio`` (in [0, 1)) of the units of each group, rounded down, the lowest scores first.

    At least one unit of each group stays.  Raises ``ValueError`` for a ratio or criterion there is not,
    PrunecError P507 for a criterion that looks at parameters where there are none, P612 where they hold no
    numbers.
    """
    criterion = criterion or default_criterion(analysis)
    if not 0 <= ratio < 1:
        raise ValueError(f"the ratio {ratio} is not in [0, 1)")
    if criterion not in CRITERIA:
        raise ValueError(f"no criterion is called {criterion!r}; there are {', '.join(CRITERIA)}")
    if criterion in NEED_PARAMETERS and analysis.model.parameter_shapes is None:
        raise PrunecError(
            Diagnostic(
                "P507",
                f"the criterion {criterion} needs the parameters, and there are none",
                notes=("neither were they given, nor do they stand beside the model",),
                help="give the parameter file with --params, or choose by position with --criterion position",
            )
        )
    scores = CRITERIA[criterion](analysis)
    removed = uniform(analysis.solution, ratio, scores)
    return Plan(removed, {"criterion": criterion, "ratio": ratio})
