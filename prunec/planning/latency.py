"""Targets of measured latency: candidate plans are made and run in the framework itself."""

from __future__ import annotations

import time
from typing import Mapping, Optional, Sequence

import numpy as np

from prunec.analysis.analyse import Analysis
from prunec.channels.choices import Ranking, removed_units
from prunec.channels.components import Atoms
from prunec.examples import Data
from prunec.frontends.narrowed import cut_inputs
from prunec.frontends.runtime import Array, Runtime, runtime_of
from prunec.graph import input_flags
from prunec.planning.budget import TOLERANCE, Allocation, Order
from prunec.planning.costs import CostModel
from prunec.planning.targets import Target, amount
from prunec.planning.variables import variable_shapes
from prunec.rewriting.emit import emit
from prunec.rewriting.places import Places
from prunec.rewriting.slicing import slice_array
from prunec.support.diagnostics import Diagnostic, PrunecError, Severity

#: A measurement takes this many seconds, and at least this many runs.
SECONDS, LEAST_RUNS = 1.0, 5
#: How many plans are run to come near a target.
_CANDIDATES = 10


def measure(
    runtime: Runtime,
    inputs: Mapping[str, Array],
    parameters: Mapping[str, Array] = {},
    network: Optional[bytes] = None,
    seconds: float = SECONDS,
) -> float:
    """The median time of one run, in seconds, after two runs that do not count; arguments and errors are
    those of :meth:`prunec.frontends.runtime.Runtime.session`."""
    session = runtime.session(inputs, None, parameters, network)
    for _ in range(2):
        session.run(inputs)
    times: list[float] = []
    begin = time.perf_counter()
    while len(times) < LEAST_RUNS or time.perf_counter() - begin < seconds:
        start = time.perf_counter()
        session.run(inputs)
        times.append(time.perf_counter() - start)
    return float(np.median(times))


def meet_latency(
    analysis: Analysis,
    model: CostModel,
    rankings: Sequence[Ranking],
    order: Order,
    targets: Sequence[Target],
) -> Allocation:
    """The prefix of an order whose measured latency comes nearest to a target; other targets hold as well.

    Raises PrunecError P523 where everything that may go leaves more, P526 where the model cannot be run for
    want of parameters or input shapes.
    """
    bench = _Bench(analysis, rankings)
    (target,) = [target for target in targets if target.cost == "latency"][:1]
    now = bench.latency(model.none())
    goal = target.goal(now)
    full = order.prefix(len(order))
    least = bench.latency(full)
    if least > goal * (1 + TOLERANCE):
        raise PrunecError(_out_of_reach(target, goal, least, now))
    others = [other for other in targets if other.cost != "latency"]
    low, high = _first_prefix(model, order, others), len(order)
    best: tuple[float, Atoms] = (least, full)
    for _ in range(_CANDIDATES):
        middle = (low + high) // 2
        steps = order.prefix(middle)
        value = bench.latency(steps)
        if abs(value / goal - 1) < abs(best[0] / goal - 1):
            best = (value, steps)
        if abs(value / goal - 1) <= TOLERANCE or high - low <= 1:
            break
        if value > goal:
            low = middle
        else:
            high = middle
    value, steps = best
    reached = {"latency": value, **{o.cost: float(model.functions()[o.cost](steps) or 0) for o in others}}
    return Allocation(steps, reached, _remark(target, goal, value))


class _Bench:
    """Makes plans and measures them."""

    def __init__(self, analysis: Analysis, rankings: Sequence[Ranking]) -> None:
        self.analysis = analysis
        self.rankings = rankings
        self.runtime = runtime_of(analysis.model)
        if analysis.model.parameter_shapes is None:
            note = "latency is measured by running the model, which needs its parameters"
            raise PrunecError(_cannot(note, "give the parameter file with --params"))
        self.inputs = random_inputs(analysis)

    def latency(self, steps: Atoms) -> float:
        removed = removed_units(self.analysis.solution.unit_count, self.rankings, steps)
        pruned = emit(self.analysis, removed)
        parameter = self.analysis.model.parameter
        sliced = {own.name: slice_array(own, parameter(own.name)) for own in pruned.slices}
        inputs = cut_inputs(Places(self.analysis, pruned).inputs, self.inputs)
        return measure(self.runtime, inputs, sliced, pruned.model)


def random_inputs(analysis: Analysis) -> dict[str, Array]:
    """Random values for the inputs, one example where the model takes any number.

    Raises PrunecError P526 where the shape of an input is not known.
    """
    shapes = _example_shapes(analysis)
    run_shapes = {name: (first or 1, *one) for name, (first, one) in shapes.items()}
    return runtime_of(analysis.model).draw(run_shapes, 0)


def random_examples(analysis: Analysis, count: int) -> Data:
    """About so many random examples.  Raises PrunecError as :func:`random_inputs` does."""
    shapes = _example_shapes(analysis)
    batch = max((first for first, _ in shapes.values() if first is not None), default=None)
    total = count if batch is None else -(-count // batch) * batch
    run_shapes = {name: (total, *one) for name, (_, one) in shapes.items()}
    inputs = runtime_of(analysis.model).draw(run_shapes, 0)
    return Data("random examples", inputs, None, "", batch or total, batch is not None)


def _example_shapes(analysis: Analysis) -> dict[str, tuple[Optional[int], tuple[int, ...]]]:
    """For each input how many examples are run at a time (``None``: any), and the shape of one."""
    known = variable_shapes(analysis)
    shapes = runtime_of(analysis.model).examples(known)
    missing = {name: shape or None for name, shape in shapes.items() if not shape or None in shape[1:]}
    if missing or not shapes:
        note = "the model is run, and the shapes of its inputs are not all given"
        raise PrunecError(_cannot(note, f"give them: {input_flags(missing or {'data': None})}"))
    return {name: (shape[0], tuple(size or 0 for size in shape[1:])) for name, shape in shapes.items()}


def _first_prefix(model: CostModel, order: Order, targets: Sequence[Target]) -> int:
    """The shortest prefix that meets the targets which need no measurement."""
    functions = model.functions()
    goals = [(functions[t.cost], t.goal(float(functions[t.cost](model.none()) or 0))) for t in targets]

    def enough(count: int) -> bool:
        steps = order.prefix(count)
        return all((function(steps) or 0) <= goal for function, goal in goals)

    low, high = -1, len(order)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def _remark(target: Target, goal: float, value: float) -> tuple[Diagnostic, ...]:
    off: Optional[float] = value / goal - 1
    if off is None or abs(off) <= TOLERANCE:
        return ()
    note = (
        f"the nearest plan took {amount('latency', value)}, {abs(off):.1%} {'above' if off > 0 else 'below'} "
        f"{amount('latency', goal)}; what else the machine does changes these times"
    )
    return (
        Diagnostic(
            "P524",
            f"the target {target.text} is not met within 1 %",
            notes=(note,),
            help="measure on a quiet machine, or set a target for macs",
            severity=Severity.WARNING,
        ),
    )


def _out_of_reach(target: Target, goal: float, least: float, now: float) -> Diagnostic:
    return Diagnostic(
        "P523",
        f"the target {target.text} is out of reach",
        notes=(
            f"that is {amount('latency', goal)}; the smallest that can be reached is "
            f"{amount('latency', least)} ({least / now:.4g} of the model)",
            "one unit of each group stays, and so does what limits, policy and interface keep",
        ),
        help="ask for less, or relax --max-ratio, --min-channels, --align and the policy",
    )


def _cannot(note: str, help_text: str) -> Diagnostic:
    return Diagnostic("P526", "the latency of the model cannot be measured", notes=(note,), help=help_text)
