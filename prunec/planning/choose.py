"""A plan: which units go, and how they were chosen."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Mapping, Optional, Sequence

import numpy as np

from prunec.analysis.analyse import Analysis
from prunec.channels.choices import Choice, Ranking, choices_of, rank, removed_units
from prunec.channels.removal import Removed
from prunec.planning.allocate import allocate
from prunec.planning.budget import Allocation, Budget
from prunec.planning.costs import CostModel
from prunec.planning.history import History
from prunec.planning.policy import ModelPolicy, restrictions
from prunec.planning.targets import Limits, Target
from prunec.planning.uniform import joined, tied_choices
from prunec.scoring.criteria import SENSITIVITY, Criterion, Settings, find_criterion, unit_scores
from prunec.scoring.unit_scores import Scores
from prunec.support.diagnostics import Diagnostic, PrunecError

if TYPE_CHECKING:
    from prunec.scoring.sensitivity import SensitivityTable

#: How well what goes is made up for, the best first: the layers that read it compute what they did, they come
#: nearer, or they are left as they are.
EXACT, NEARER, LEFT = OUTCOMES = ("exact", "nearer", "left")


@dataclass(frozen=True, eq=False)
class Plan:
    """``removed`` says for every unit whether it goes; ``method`` names the criterion and its options, in
    values that JSON has; ``warnings`` are what could not be done as asked; ``history`` says where the units
    of a model come from that was pruned before; ``compensated`` says for groups how well what they lose
    is made up for, one of :data:`OUTCOMES`."""

    removed: Removed
    method: Mapping[str, Any]
    warnings: tuple[Diagnostic, ...] = ()
    history: Optional[History] = None
    compensated: Mapping[int, str] = field(default_factory=dict)

    def __repr__(self) -> str:
        said = ", ".join(f"{key}={value!r}" for key, value in self.method.items())
        return f"<Plan: {int(self.removed.sum())} of {len(self.removed)} units go, {said or 'by no method'}>"


@dataclass(frozen=True, eq=False)
class Options:
    """How to choose.

    ``ratio`` is the share of channels that goes, in [0, 1); ``targets`` are costs to come down to instead,
    all of them.  ``ranked`` makes one ranking over the whole model in place of the same share everywhere.
    ``aggregate`` and ``normalise`` are settings of the criterion (``None``: its own).  ``policy``
    holds for nodes by name; ``data`` is calibration data for criteria that need some; ``sensitivity`` is what
    was measured, for the criterion of that name.
    """

    ratio: Optional[float] = None
    targets: tuple[Target, ...] = ()
    criterion: Optional[str] = None
    aggregate: Optional[str] = None
    normalise: Optional[str] = None
    ranked: bool = False
    limits: Limits = Limits()
    seed: int = 0
    data: Optional[Any] = None
    policy: Optional[ModelPolicy] = None
    sensitivity: Optional[SensitivityTable] = None


def default_criterion(analysis: Analysis) -> str:
    """``l1`` where the parameters are at hand, else ``position``."""
    return "position" if analysis.model.parameter_shapes is None else "l1"


def make_plan(
    analysis: Analysis,
    ratio: float = 0.5,
    criterion: Optional[str] = None,
    options: Optional[Options] = None,
    scores: Optional[Scores] = None,
) -> Plan:
    """Chooses what goes, the lowest scores first; ``scores`` are those of the criterion, where they are
    known.

    Without ``options``, ``ratio`` (in [0, 1)) of the units of each group go, rounded down.  At least one unit
    of each group stays.  Raises ``ValueError`` for a ratio there is not; PrunecError P507 for a criterion
    that looks at parameters or data where there are none, P520 for a criterion there is not, P523 for a
    target that cannot be reached, P525 for one that cannot be computed, P612 for parameters that hold no
    numbers.
    """
    options = options or Options(ratio=ratio, criterion=criterion)
    if options.ratio is not None and not 0 <= options.ratio < 1:
        raise ValueError(f"the ratio {options.ratio} is not in [0, 1)")
    name = options.criterion or default_criterion(analysis)
    measured = options.sensitivity if name == SENSITIVITY else None
    if name == SENSITIVITY and measured is None:
        raise PrunecError(_not_measured())
    base = name if measured is None else measured.criterion
    chosen = find_criterion(base)
    if scores is None:
        scores = unit_scores(analysis, base, settings_of(options, chosen))
    choices: Sequence[Choice] = choices_of(analysis.solution)
    rankings = [rank(choice, scores) for choice in choices]
    if measured is not None:
        rankings = [_by_sensitivity(c, ranking, measured) for c, ranking in zip(choices, rankings)]
        options = replace(options, ranked=True)
    idle: tuple[Diagnostic, ...] = ()
    if options.policy is not None:
        together, idle = tied_choices(analysis, choices, options.policy)
        choices, rankings = joined(choices, rankings, together)
    model = CostModel(analysis, choices)
    if chosen.costs and options.ranked and measured is None:
        rankings = _by_savings(rankings, model)
    observed, warnings = restrictions(analysis, choices, options.policy) if options.policy else ({}, ())
    budget = Budget(options.ratio, options.targets, options.ranked, options.limits)
    allocation = allocate(analysis, model, rankings, budget, observed)
    removed = removed_units(analysis.solution.unit_count, rankings, allocation.steps)
    return Plan(removed, _method(name, options, allocation), (*idle, *warnings, *allocation.warnings))


def settings_of(options: Options, criterion: Criterion) -> Settings:
    """What a criterion is asked for."""
    return Settings(
        options.aggregate or criterion.aggregate,
        options.normalise or criterion.normalise,
        options.seed,
        options.data,
    )


def _by_sensitivity(choice: Choice, ranking: Ranking, table: SensitivityTable) -> Ranking:
    """The order of a ranking, scored by the change of the outputs that was measured after each step.

    Raises PrunecError P543 where the choice was not measured.
    """
    try:
        curve = table.curve(choice.groups[0], choice.size, choice.size, len(choice.cells))
    except KeyError:
        if choice.size == 1:
            return ranking
        raise PrunecError(_not_measured_group(choice.groups[0])) from None
    return Ranking(ranking.order, curve)


def _by_savings(rankings: Sequence[Ranking], model: CostModel) -> list[Ranking]:
    """Rankings whose scores are what a step costs for each multiply-add that it saves; for each element of
    the parameters where multiply-adds are not known."""
    functions = model.functions()
    none = model.none()
    cost = next(function for name in ("macs", "params") if (function := functions[name])(none) is not None)
    whole = cost(none) or 0.0
    found = []
    for number, ranking in enumerate(rankings):
        steps = none.copy()
        steps[number] = min(1, len(ranking.scores))
        saved = max(whole - (cost(steps) or 0.0), 1e-9 * max(whole, 1.0))
        found.append(Ranking(ranking.order, ranking.scores * (whole / saved)))
    return found


def _not_measured() -> Diagnostic:
    return Diagnostic(
        "P543",
        "the criterion sensitivity needs measurements, and there are none",
        notes=("it goes by what pruning each group alone does to the outputs",),
        help="measure with `prunec sensitivity`, and give its table with --sensitivity",
    )


def _not_measured_group(group: int) -> Diagnostic:
    return Diagnostic(
        "P543",
        f"the sensitivity of group {group} was not measured",
        notes=("the table has no row for it: it is of another model, or the run was interrupted",),
        help="run `prunec sensitivity` again on this model; it goes on where it stopped",
    )


def _method(name: str, options: Options, allocation: Allocation) -> dict[str, Any]:
    method: dict[str, Any] = {"criterion": name}
    if options.targets:
        method["targets"] = [target.text for target in options.targets]
    else:
        method["ratio"] = options.ratio
    if options.sensitivity is not None and name == SENSITIVITY:
        method["measured_for"] = options.sensitivity.measured_for
        method["order"] = options.sensitivity.criterion
    elif options.ranked:
        method["global"] = True
    for key in ("aggregate", "normalise"):
        if getattr(options, key) is not None:
            method[key] = getattr(options, key)
    usual = Limits()
    for key in ("max_ratio", "min_channels", "align"):
        if getattr(options.limits, key) != getattr(usual, key):
            method[key] = getattr(options.limits, key)
    if name == "random":
        method["seed"] = options.seed
    if options.policy is not None:
        method["policy"] = options.policy.digest
    if options.data is not None:
        method["data"] = options.data.digest
    if allocation.reached:
        method["reached"] = {cost: _plain(value) for cost, value in allocation.reached.items()}
    return method


def _plain(value: float) -> Any:
    return int(value) if float(value).is_integer() else float(np.format_float_positional(value, 4, False))
