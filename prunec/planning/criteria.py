"""How important each unit is, by what the parameters say of it.

A criterion is a function of an analysis that gives every unit a score; the units with the lowest
scores go first.
"""

from __future__ import annotations

from typing import Any, Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from prunec.compiler import Analysis, Parameter
from prunec.diagnostics import Diagnostic, PrunecError, printable

#: A score for each unit, the lowest go first.
Scores = NDArray[np.float64]


def by_position(analysis: Analysis) -> Scores:
    """No opinion: all scores are zero, so that the last positions go first."""
    return np.zeros(analysis.solution.unit_count)


def l1(analysis: Analysis) -> Scores:
    """The sum of absolute values of everything that goes with a unit.

    Each channel of a parameter counts with the sum of its absolute values, divided by the mean of these
    sums over the parameter's channels, so that parameters of different size and scale compare.  Source: Li,
    Kadav, Durdanovic, Samet and Graf, "Pruning Filters for Efficient ConvNets" (2017).

    Raises PrunecError P612 for parameters with NaNs or infinities, with all of them.
    """
    solution = analysis.solution
    scores = np.zeros(solution.unit_count)
    problems = []
    for parameter in analysis.parameters:
        arrays = parameter.channels.arrays
        units = [solution.units(array).reshape(-1) for array in arrays]
        live = [bool((own >= 0).any()) for own in units]
        if not any(live):
            continue
        values = analysis.model.parameter(parameter.name)
        sums = _channel_sums(values, parameter)
        if not all(np.isfinite(own).all() for own in sums):
            problems.append(_not_finite(parameter, values))
            continue
        for own, unit, counts in zip(sums, units, live):
            mean = own.mean() if counts else 0.0
            if mean > 0:
                chosen = unit >= 0
                weights = own.reshape(-1)[chosen] / mean
                scores += np.bincount(unit[chosen], weights=weights, minlength=len(scores))
    if problems:
        raise PrunecError(*problems)
    return scores


#: The criteria by the names of the command line.
CRITERIA: Mapping[str, Callable[[Analysis], Scores]] = {"l1": l1, "position": by_position}

#: Those that look at the parameters.
NEED_PARAMETERS = frozenset(("l1",))


def _channel_sums(values: NDArray[Any], parameter: Parameter) -> list[NDArray[np.float64]]:
    """For each atom array of a parameter the sum of absolute values over everything it does not span."""
    layout = parameter.channels.layout
    if values.dtype.kind != "f" or values.dtype.itemsize < 4:
        # Sums of small types overflow, and the least integer has no absolute value of its own type.
        values = values.astype(np.float32)
    table = np.abs(values.reshape(tuple(size or 0 for size in layout.factors)))
    spanned = sorted({factor for factors in layout.arrays for factor in factors})
    rest = tuple(axis for axis in range(table.ndim) if axis not in spanned)
    if rest:
        table = table.sum(axis=rest)
    sums = []
    for factors in layout.arrays:
        others = tuple(spanned.index(factor) for factor in spanned if factor not in factors)
        own = np.sum(table, axis=others, dtype=np.float64)
        # What is left stands in the order of the axes, the array in the order of its factors.
        order = sorted(factors)
        sums.append(np.asarray(own).transpose([order.index(factor) for factor in factors]))
    return sums


def _not_finite(parameter: Parameter, values: NDArray[Any]) -> Diagnostic:
    count = int(np.size(values) - np.count_nonzero(np.isfinite(values)))
    return Diagnostic(
        "P612",
        f"the parameter {printable(parameter.name)!r} holds NaN or infinity",
        where=f"parameter {printable(parameter.name)!r} of shape {values.shape}",
        notes=(f"{count} of its {values.size} values are no numbers, and channels cannot be ranked by them",),
        help="save the parameters of a model that works, or choose by position with --criterion position",
    )
