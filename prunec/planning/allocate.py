"""From a budget to the number of steps that each choice loses."""

from __future__ import annotations

from dataclasses import replace
from typing import Mapping, Sequence

import numpy as np

from prunec.analysis.analyse import Analysis
from prunec.channels.choices import Ranking
from prunec.channels.components import Atoms
from prunec.graph import input_flags
from prunec.lowering.infer import describe
from prunec.planning.alignment import align_levels
from prunec.planning.budget import (
    Allocation,
    Budget,
    Order,
    OutOfReach,
    Reached,
    Restriction,
    levels,
    meet,
    ranked_order,
    share_of,
    uniform_order,
)
from prunec.planning.costs import Cost, CostModel
from prunec.planning.targets import COSTS, Limits, Target, amount
from prunec.planning.variables import open_inputs
from prunec.support.diagnostics import Diagnostic, PrunecError, Severity


def allocate(
    analysis: Analysis,
    model: CostModel,
    rankings: Sequence[Ranking],
    budget: Budget,
    observed: Mapping[int, Restriction],
) -> Allocation:
    """The steps that a budget asks for; ``observed`` are restrictions of single choices, by number.

    Raises PrunecError P523 for a target that is out of reach, P525 for one that cannot be computed.
    """
    allowed, start = _allowed(model, budget, observed)
    if budget.targets:
        order = _order(model, rankings, allowed, start, budget)
        latency = [target for target in budget.targets if target.cost == "latency"]
        if latency:
            from prunec.planning.latency import meet_latency  # which runs models

            return meet_latency(analysis, model, rankings, order, budget.targets)
        return _meet_targets(analysis, model, allowed, order, budget.targets)
    ratio = 0.5 if budget.ratio is None else budget.ratio
    if budget.ranked:
        order = _order(model, rankings, allowed, start, budget)
        steps = _share_of_all(model, allowed, order, ratio)
    else:
        steps = np.array([share_of(c, own, ratio) for c, own in zip(model.choices, allowed)], dtype=np.int64)
    # What is held is meant to stay.
    free = [c for c in model.choices if c.size > 1 and not observed.get(c.number, Restriction()).hold]
    nothing = ratio > 0 and bool(free) and not steps.any()
    return Allocation(steps, {}, (_nothing_goes(allowed, ratio),) if nothing else ())


def _allowed(
    model: CostModel, budget: Budget, observed: Mapping[int, Restriction]
) -> tuple[list[Atoms], Atoms]:
    """For each choice the numbers of steps it may lose, and the fewest: those a policy or alignment fixes."""
    restrictions = [observed.get(choice.number, Restriction()) for choice in model.choices]
    limits = [restricted(budget.limits, own) for own in restrictions]
    allowed = []
    for choice, width, own, restriction in zip(model.choices, model.widths, limits, restrictions):
        steps = levels(choice, width, own)
        if restriction.hold:
            steps = steps[:1]
        allowed.append(steps)
    if budget.ratio != 0:
        allowed = align_levels(model.choices, allowed, model.axis_counts, [own.align for own in limits])
    for choice, restriction in zip(model.choices, restrictions):
        if restriction.ratio is not None and not restriction.hold:
            fixed = share_of(choice, allowed[choice.number], restriction.ratio)
            allowed[choice.number] = np.array([fixed], dtype=np.int64)
    return allowed, np.array([own[0] for own in allowed], dtype=np.int64)


def restricted(limits: Limits, restriction: Restriction) -> Limits:
    """The limits of one choice."""
    result = limits
    if restriction.align is not None:
        result = replace(result, align=restriction.align)
    if restriction.max_ratio is not None:
        result = replace(result, max_ratio=restriction.max_ratio)
    if restriction.min_channels is not None:
        result = replace(result, min_channels=restriction.min_channels)
    return result


def _order(
    model: CostModel, rankings: Sequence[Ranking], allowed: Sequence[Atoms], start: Atoms, budget: Budget
) -> Order:
    if budget.ranked:
        return ranked_order(rankings, allowed, start)
    return uniform_order(model.choices, allowed, start)


def _share_of_all(model: CostModel, allowed: Sequence[Atoms], order: Order, ratio: float) -> Atoms:
    """One ranking, until a share of all channels is gone, or everything that may go."""
    goal = max(1.0, (1.0 - ratio) * model.channels(model.none()))
    try:
        return meet(order, allowed, lambda steps: model.channels(steps) / goal).steps
    except OutOfReach as error:
        return error.steps


# --- targets ---------------------------------------------------------------------------------


def _meet_targets(
    analysis: Analysis, model: CostModel, allowed: Sequence[Atoms], order: Order, targets: Sequence[Target]
) -> Allocation:
    functions = model.functions()
    goals: list[tuple[Target, Cost, float]] = []
    for target in targets:
        now = functions[target.cost](model.none())
        if now is None:
            raise PrunecError(_unknown(analysis, model, target))
        goals.append((target, functions[target.cost], target.goal(now)))

    def load(steps: Atoms) -> float:
        return max(_load(function(steps) or 0.0, goal) for _, function, goal in goals)

    try:
        found = meet(order, allowed, load)
    except OutOfReach as error:
        raise PrunecError(*_out_of_reach(goals, model, error.steps)) from None
    reached = {target.cost: float(function(found.steps) or 0.0) for target, function, _ in goals}
    return Allocation(found.steps, reached, _remarks(goals, model, found, reached))


def _load(cost: float, goal: float) -> float:
    """The share of a goal that a cost is.  Of a model that costs nothing, as one for empty batches, any share
    is reached."""
    if goal:
        return cost / goal
    return float("inf") if cost else 0.0


def _out_of_reach(
    goals: Sequence[tuple[Target, Cost, float]], model: CostModel, steps: Atoms
) -> list[Diagnostic]:
    problems = []
    for target, function, goal in goals:
        least, now = function(steps) or 0.0, function(model.none()) or 0.0
        if least > goal:
            share = f" ({least / now:.4g} of the model)" if now else ""
            problems.append(
                Diagnostic(
                    "P523",
                    f"the target {target.text} is out of reach",
                    notes=(
                        f"that is {amount(target.cost, goal)}; the smallest that can be reached is "
                        f"{amount(target.cost, least)}{share}",
                        "one unit of each group stays, and so does what limits, policy and interface keep",
                    ),
                    help="ask for less, or relax --max-ratio, --min-channels, --align and the policy",
                )
            )
    return problems


def _remarks(
    goals: Sequence[tuple[Target, Cost, float]],
    model: CostModel,
    found: Reached,
    reached: Mapping[str, float],
) -> tuple[Diagnostic, ...]:
    tight = max(goals, key=lambda goal: _load(reached[goal[0].cost], goal[2]))
    target, function, goal = tight
    if found.met:
        return ()
    now = function(model.none()) or 0.0
    value = reached[target.cost]
    if value <= goal and value == now:
        note = f"the model has {amount(target.cost, now)} already, so that nothing goes"
        return (_warning(f"the target {target.text} asks for nothing", note, "ask for less than it costs"),)
    if value <= goal and not (found.steps > 0).any():
        return ()
    note = (
        f"the nearest is {amount(target.cost, value)}, {abs(value / goal - 1):.1%} "
        f"{'above' if value > goal else 'below'} it: channels go in steps, and no step leads nearer"
    )
    help_text = "a smaller --align, or --global, gives finer steps"
    return (_warning(f"the target {target.text} is not met within 1 %", note, help_text),)


def _warning(headline: str, note: str, help_text: str) -> Diagnostic:
    return Diagnostic("P524", headline, notes=(note,), help=help_text, severity=Severity.WARNING)


def _nothing_goes(allowed: Sequence[Atoms], ratio: float) -> Diagnostic:
    if any(len(own) > 1 for own in allowed):
        note = f"a share of {ratio:g} of any group is less than what can go of it at a time"
        return _warning("nothing goes", note, "ask for a larger share, or a smaller --align")
    note = "limits and policy leave no group a channel to lose"
    return _warning("nothing goes", note, "relax --max-ratio, --min-channels, --align and the policy")


def _unknown(analysis: Analysis, model: CostModel, target: Target) -> Diagnostic:
    what = COSTS[target.cost]
    if target.cost == "macs":
        nodes = model.unknown_layers()
        graph = analysis.model.graph
        where = describe(graph, nodes[0], analysis.lowered.open_shapes) if nodes else None
        note = f"the shapes of {len(nodes)} of its nodes are not known" if nodes else "no rule counts any"
        help_text = f"give the shapes of the model's inputs: {input_flags(open_inputs(analysis))}"
        return Diagnostic(
            "P525", f"the {what} of the model are not known", where, notes=(note,), help=help_text
        )
    return Diagnostic(
        "P525",
        f"the {what} of the model are not known",
        notes=(f"the target {target.text} needs the parameters",),
        help="give the parameter file with --params",
    )
