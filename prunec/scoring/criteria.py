"""How important each unit is: the criteria by name, and those that other packages bring.

A criterion gives every unit a score; the units with the lowest scores go first.  The built-in ones are in
:data:`CRITERIA`.  A package adds its own under the entry point group ``prunec.criteria``: a function
``score(values, role)`` as :mod:`prunec.scoring.magnitude` describes it, or a :class:`Criterion`.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module
from typing import Any, Callable, Mapping, Optional

import numpy as np

from prunec.analysis.analyse import Analysis
from prunec.scoring import magnitude
from prunec.scoring.channel_axes import FILTERS, INPUTS, SCALE, ChannelAxis, channel_axes
from prunec.scoring.unit_scores import (
    ChannelScore,
    ScoreError,
    Scores,
    check_finite,
    group_of_units,
    learned_names,
    parameter_scores,
)
from prunec.support.diagnostics import Diagnostic, PrunecError, printable

ENTRY_POINTS = "prunec.criteria"

#: The criterion of plans that go by what was measured of each group; its order is that of another one.
SENSITIVITY = "sensitivity"

#: What a criterion needs.
NOTHING, PARAMETERS, DATA = "nothing", "parameters", "data"

_WEIGHTS = (FILTERS, INPUTS, SCALE)


@dataclass(frozen=True, eq=False)
class Settings:
    """What a criterion may depend on: how the scores of a unit's parameters are joined (``sum``, ``mean``,
    ``max``), how groups are brought to one scale (see :func:`prunec.scoring.unit_scores.normalised`), the
    seed of what is random, and calibration data."""

    aggregate: str
    normalise: str
    seed: int = 0
    data: Optional[Any] = None


@dataclass(frozen=True, eq=False)
class Criterion:
    """A criterion: ``scores(analysis, settings)`` gives a score for each unit, not negative.

    With ``costs`` scores are what a unit costs the model, and one ranking over the whole of it sets them
    against the multiply-adds that go with it.  ``needs`` is one of ``nothing``, ``parameters`` and ``data``;
    ``aggregate`` and ``normalise`` are the settings unless the user says otherwise.
    """

    scores: Callable[[Analysis, Settings], Scores]
    needs: str
    summary: str
    aggregate: str = "mean"
    normalise: str = "mean"
    costs: bool = False


def by_channels(score: ChannelScore, summary: str, roles: tuple[str, ...], **defaults: Any) -> Criterion:
    """A criterion of a function of arrays."""

    def scores(analysis: Analysis, settings: Settings) -> Scores:
        return parameter_scores(
            analysis, _learned_axes(analysis), score, roles, settings.aggregate, settings.normalise
        )

    return Criterion(scores, PARAMETERS, summary, **defaults)


def _learned_axes(analysis: Analysis) -> tuple[ChannelAxis, ...]:
    """The axes with channels of what is learned: tables and bounds say nothing of importance."""
    return tuple(axis for axis in channel_axes(analysis) if analysis.is_learned(axis.parameter))


def _position(analysis: Analysis, settings: Settings) -> Scores:
    return np.zeros(analysis.solution.unit_count)


def _random(analysis: Analysis, settings: Settings) -> Scores:
    return np.random.default_rng(settings.seed).random(analysis.solution.unit_count)


def _scale(analysis: Analysis, settings: Settings) -> Scores:
    """Scales as they are; groups without one are ranked by L1, brought to the mean of all scales."""
    solution, axes = analysis.solution, _learned_axes(analysis)
    scaled = np.zeros(len(solution.groups) + 1, dtype=bool)
    group_of = group_of_units(solution)
    for axis in axes:
        if axis.role == SCALE:
            scaled[group_of[axis.units]] = True
    scores = parameter_scores(analysis, axes, magnitude.l1, (SCALE,), settings.aggregate, settings.normalise)
    has_scale = scaled[:-1][group_of[:-1]] & (group_of[:-1] >= 0)
    if has_scale.all():
        return scores
    others = parameter_scores(analysis, axes, magnitude.l1, _WEIGHTS, settings.aggregate, "mean")
    typical = float(scores[has_scale].mean()) if has_scale.any() else 1.0
    return np.where(has_scale, scores, others * typical)


def _obs(analysis: Analysis, settings: Settings) -> Scores:
    """Costs by Optimal Brain Surgeon; units that no layer reads by L1, brought to the mean of all costs."""
    from prunec.scoring.obs import obs

    scores = obs(analysis, settings)
    unread = np.isnan(scores)
    if not unread.any():
        return scores
    others = parameter_scores(analysis, _learned_axes(analysis), magnitude.l1, _WEIGHTS, "mean", "mean")
    typical = 1.0 if unread.all() else float(scores[~unread].mean())
    return np.where(unread, others * typical, scores)


def _from_data(name: str) -> Callable[[Analysis, Settings], Scores]:
    def scores(analysis: Analysis, settings: Settings) -> Scores:
        # What runs models is imported by those who ask for it.
        module = import_module("prunec.scoring.measured")
        function: Callable[[Analysis, Settings], Scores] = getattr(module, name)
        return function(analysis, settings)

    return scores


#: The built-in criteria by the names of the command line.
CRITERIA: Mapping[str, Criterion] = {
    "l1": by_channels(magnitude.l1, "sum of absolute weights (Li et al. 2017)", _WEIGHTS),
    "l2": by_channels(magnitude.l2, "Euclidean length of the weights (He et al. 2018)", _WEIGHTS),
    "bn-scale": Criterion(
        _scale, PARAMETERS, "absolute scale of the normalisation (Liu et al. 2017)", normalise="none"
    ),
    "lamp": by_channels(
        magnitude.squared_l2,
        "layer-adaptive magnitude (Lee et al. 2021)",
        _WEIGHTS,
        aggregate="sum",
        normalise="lamp",
    ),
    "fpgm": by_channels(
        magnitude.geometric_median, "distance from the geometric median (He et al. 2019)", (FILTERS,)
    ),
    "random": Criterion(_random, NOTHING, "a random choice, by --seed", normalise="none"),
    "position": Criterion(_position, NOTHING, "the last channels of each group", normalise="none"),
    "activation": Criterion(
        _from_data("mean_activation"), DATA, "mean absolute activation (Molchanov et al. 2017)"
    ),
    "apoz": Criterion(
        _from_data("positive_share"), DATA, "share of activations that are not zero (Hu et al. 2016)"
    ),
    "taylor": Criterion(
        _from_data("taylor"), DATA, "first-order change of the loss (Molchanov et al. 2019)", normalise="none"
    ),
    "reconstruction": Criterion(
        _from_data("reconstruction"),
        DATA,
        "change of the outputs of the layers that read a channel (Luo et al. 2017)",
        aggregate="sum",
        normalise="none",
    ),
    "obs": Criterion(
        _obs,
        DATA,
        "what is lost after the best prediction by what stays (Hassibi and Stork 1992)",
        normalise="none",
        costs=True,
    ),
}


class UnknownCriterion(PrunecError, ValueError):
    """No criterion has this name."""


def find_criterion(name: str) -> Criterion:
    """A criterion by name, built in or brought by an installed package.

    Raises UnknownCriterion P520 for a name there is not and P537 for ``sensitivity``, PrunecError P521 where
    one cannot be loaded.
    """
    if name in CRITERIA:
        return CRITERIA[name]
    others = _entry_points()
    if name in others:
        return _load(name, others[name])
    if name == SENSITIVITY:
        raise UnknownCriterion(
            Diagnostic(
                "P537",
                "the criterion sensitivity orders no channels",
                notes=("it goes by a table of measurements, made with the channels in the order of another",),
                help="choose another, such as l1, and plan with --criterion sensitivity --sensitivity FILE",
            )
        )
    known = [*CRITERIA, SENSITIVITY, *others]
    close = get_close_matches(name, known, 1)
    raise UnknownCriterion(
        Diagnostic(
            "P520",
            f"no criterion is called {printable(name, 60)!r}",
            notes=(f"there are {', '.join(known)}",),
            help=f"did you mean {close[0]}?" if close else "choose one of these with --criterion",
        )
    )


def unit_scores(analysis: Analysis, name: str, settings: Settings) -> Scores:
    """The scores of all units by a criterion.

    Raises PrunecError: as :func:`find_criterion`, P507 where the criterion needs parameters or data that are
    not there, P522 where it gives no usable scores, P612 for parameters with NaN or infinity.
    """
    criterion = find_criterion(name)
    check_needs(analysis, name, criterion, settings.data is not None)
    if criterion.needs == PARAMETERS:
        sliced = [own.name for own in analysis.parameters if analysis.is_learned(own)]
        check_finite(analysis, dict.fromkeys(sliced))
    elif criterion.needs == DATA:
        # What a model computes depends on all of them.
        check_finite(analysis, learned_names(analysis))
    try:
        scores = np.asarray(criterion.scores(analysis, settings), dtype=np.float64)
        if scores.shape != (analysis.solution.unit_count,) or not np.isfinite(scores).all():
            raise ScoreError("scores that are not one number for each unit")
    except PrunecError:
        raise
    except Exception as error:
        if name in CRITERIA and not isinstance(error, ScoreError):
            raise
        # A stranger's function can fail in any way.
        raise PrunecError(
            Diagnostic(
                "P522",
                f"the criterion {printable(name, 60)} gives no usable scores",
                notes=(printable(f"{type(error).__name__}: {error}", 300),),
                help="a criterion returns one finite number for each channel; see docs/planning.md",
            )
        ) from None
    return scores


def check_needs(analysis: Analysis, name: str, criterion: Criterion, has_data: bool) -> None:
    """Raises PrunecError P507 where a criterion needs parameters or data that are not there."""
    if criterion.needs != NOTHING and analysis.model.parameter_shapes is None:
        raise PrunecError(
            Diagnostic(
                "P507",
                f"the criterion {name} needs the parameters, and there are none",
                notes=("neither were they given, nor do they stand beside the model",),
                help="give the parameter file with --params, or choose by position with --criterion position",
            )
        )
    if criterion.needs == DATA and not has_data:
        raise PrunecError(
            Diagnostic(
                "P507",
                f"the criterion {name} needs data, and there are none",
                notes=("it looks at what the model does with examples of its inputs",),
                help="give some with --data FILE.npz, an array for each input, with a first axis of examples",
            )
        )


def _entry_points() -> dict[str, Any]:
    from importlib import metadata

    found: Any = metadata.entry_points()
    # Python 3.9 gives a dictionary of groups.
    chosen = found.select(group=ENTRY_POINTS) if hasattr(found, "select") else found.get(ENTRY_POINTS, ())
    return {point.name: point for point in chosen}


def _load(name: str, point: Any) -> Criterion:
    try:
        loaded = point.load()
        if not isinstance(loaded, Criterion) and not callable(loaded):
            raise TypeError("it is neither a function nor a Criterion")
    except Exception as error:
        raise PrunecError(
            Diagnostic(
                "P521",
                f"the criterion {printable(name, 60)} cannot be loaded",
                where=printable(f"entry point {point.value}"),
                notes=(printable(f"{type(error).__name__}: {error}", 300),),
                help="repair or remove the package that brings it",
            )
        ) from None
    return loaded if isinstance(loaded, Criterion) else by_channels(loaded, name, _WEIGHTS)
