"""From scores of channels, parameter by parameter, to one score for each unit.

A unit stands in several parameters.  Each of them gives it a score; the scores are brought to one scale,
joined over all parameters of the group (sum, mean or maximum), and the groups are brought to one scale.
"""

from __future__ import annotations

from typing import Any, Callable, Iterable, Optional, Sequence

import numpy as np
from numpy.typing import NDArray

from prunec.analysis.analyse import Analysis
from prunec.analysis.learned import is_floating
from prunec.channels.components import Atoms
from prunec.channels.solve import Solution
from prunec.scoring.channel_axes import ChannelAxis
from prunec.scoring.magnitude import SEPARATE
from prunec.support.diagnostics import Diagnostic, PrunecError, printable
from prunec.support.late import Last

#: A score for each unit; the lowest go first.
Scores = NDArray[np.float64]
#: ``score(values, role)``: see :mod:`prunec.scoring.magnitude`.
ChannelScore = Callable[[NDArray[Any], str], NDArray[Any]]


#: Elements that are looked at together.
_PIECE = 1 << 18


class ScoreError(ValueError):
    """A criterion gave something that is no score for each channel."""


def group_of_units(solution: Solution) -> Atoms:
    """The group of each unit, -1 for units of no group; one more place at the end, for unit -1."""
    group_of = np.full(solution.unit_count + 1, -1, dtype=np.int64)
    for group in solution.groups:
        group_of[group.units] = group.number
    return group_of


def parameter_scores(
    analysis: Analysis,
    axes: Sequence[ChannelAxis],
    score: ChannelScore,
    roles: Sequence[str],
    aggregate: str,
    normalise: str,
) -> Scores:
    """Scores of all units by what the parameters hold; one parameter is looked at at a time.

    Raises what :func:`unit_scores` raises.
    """

    # The axes of a parameter follow each other, and reading one takes longer than scoring it.
    parameter = Last(analysis.model.parameter)

    def of_axis(axis: ChannelAxis) -> NDArray[Any]:
        array = parameter(axis.parameter.name)
        if score not in SEPARATE or not array.size:
            return score(axis.values(array), axis.role)
        return np.concatenate([score(block, axis.role) for block in axis.blocks(array)])

    return unit_scores(analysis.solution, axes, of_axis, roles, aggregate, normalise)


def learned_names(analysis: Analysis) -> list[str]:
    """The parameters that are learned, by name, as far as they are at hand."""
    known = analysis.model.parameter_shapes or {}
    nodes = analysis.model.graph.nodes
    found = [nodes[index].name for index in sorted(analysis.learned.variables)]
    found += [own.name for own in analysis.parameters if own.node is None]
    return [name for name in dict.fromkeys(found) if name in known]


def check_finite(analysis: Analysis, names: Iterable[str]) -> None:
    """Raises PrunecError P612 for parameters with NaN or infinity, all of them."""
    problems = []
    for name in names:
        array = analysis.model.parameter(name)
        if is_floating(array.dtype) and not _is_finite(array):
            problems.append(_not_finite(name, array))
    if problems:
        raise PrunecError(*problems)


def _is_finite(array: NDArray[Any]) -> bool:
    """Whether all elements are finite numbers, piece by piece: an array can take up much of the memory."""
    flat = array.reshape(-1)
    starts = range(0, flat.size, _PIECE)
    return all(bool(np.isfinite(flat[start : start + _PIECE]).all()) for start in starts)


def unit_scores(
    solution: Solution,
    axes: Sequence[ChannelAxis],
    score: Callable[[ChannelAxis], NDArray[Any]],
    roles: Sequence[str],
    aggregate: str,
    normalise: str,
) -> Scores:
    """Scores of all units from scores of the positions of each axis, by axes of the roles given.

    A group that has no axis in any of these roles is scored by all its axes.  Raises ScoreError for scores
    of a wrong number, or that are no numbers.
    """
    joiner = _Joiner(solution.unit_count, aggregate)
    for axis, units in zip(axes, _chosen_axes(solution, axes, roles)):
        if units is None:
            continue
        found = np.asarray(score(axis), dtype=np.float64).reshape(-1)
        if found.shape != units.shape:
            raise ScoreError(f"{found.size} scores for the {units.size} channels of {axis.parameter.name!r}")
        if not np.isfinite(found).all():
            raise ScoreError(f"scores of {axis.parameter.name!r} that are no numbers")
        mean = float(found[axis.units >= 0].mean())
        if normalise in ("mean", "max", "l2") and mean > 0:
            found = found / mean
        joiner.add(units, found)
    return normalised(solution, joiner.result(), normalise)


def normalised(solution: Solution, scores: Scores, how: str) -> Scores:
    """Scores brought to one scale, group by group.

    ``mean``, ``max`` and ``l2`` divide by the mean, the greatest and the Euclidean length of the group's
    scores; ``lamp`` divides each (taken as a squared magnitude) by the sum of those that are not smaller:
    Lee, Park, Mo, Ahn and Shin, "Layer-Adaptive Sparsity for the Magnitude-based Pruning", ICLR 2021.
    """
    result = scores.copy()
    if how == "none":
        return result
    for group in solution.groups:
        own = scores[group.units]
        if how == "lamp":
            order = np.argsort(own, kind="stable")
            rest = np.cumsum(own[order][::-1])[::-1]
            divided = np.empty_like(own)
            divided[order] = own[order] / np.where(rest > 0, rest, 1.0)
            result[group.units] = divided
            continue
        scale = own.mean() if how == "mean" else own.max() if how == "max" else np.sqrt((own**2).sum())
        if scale > 0:
            result[group.units] = own / scale
    return result


class _Joiner:
    """Joins scores of units over parameters."""

    def __init__(self, count: int, aggregate: str) -> None:
        self.aggregate = aggregate
        self.total = np.zeros(count)
        self.times = np.zeros(count)

    def add(self, units: Atoms, scores: NDArray[np.float64]) -> None:
        live = units >= 0
        # Of a large model a parameter has few of the units.
        present, places = np.unique(units[live], return_inverse=True)
        own = np.bincount(places.reshape(-1), weights=scores[live], minlength=len(present))
        self.times[present] += 1
        if self.aggregate == "max":
            self.total[present] = np.maximum(self.total[present], own)
        else:
            self.total[present] += own

    def result(self) -> Scores:
        if self.aggregate == "mean":
            return np.asarray(self.total / np.maximum(self.times, 1))
        return np.asarray(self.total)


def _chosen_axes(
    solution: Solution, axes: Sequence[ChannelAxis], roles: Sequence[str]
) -> list[Optional[Atoms]]:
    """For each axis the units it speaks for, -1 elsewhere; ``None`` where it speaks for none."""
    group_of = group_of_units(solution)
    groups = [group_of[axis.units] for axis in axes]
    spoken_for = np.zeros(len(solution.groups) + 1, dtype=bool)
    for axis, own in zip(axes, groups):
        if axis.role in roles:
            spoken_for[own[own >= 0]] = True
    result: list[Optional[Atoms]] = []
    for axis, own in zip(axes, groups):
        counts = (own >= 0) & ((axis.role in roles) | ~spoken_for[own])
        result.append(np.where(counts, axis.units, -1) if counts.any() else None)
    return result


def _not_finite(name: str, values: NDArray[Any]) -> Diagnostic:
    count = int(np.size(values) - np.count_nonzero(np.isfinite(values)))
    return Diagnostic(
        "P612",
        f"the parameter {printable(name)!r} holds NaN or infinity",
        where=f"parameter {printable(name)!r} of shape {values.shape}",
        notes=(f"{count} of its {values.size} values are no numbers, which nothing can be computed from",),
        help="save the parameters of a model that works",
    )
