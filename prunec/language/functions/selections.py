"""Some of the axes, or ones among them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Callable

from prunec.language.functions.base import (
    AXES,
    AXIS,
    ITS_OWN,
    REST,
    SIZE,
    TARGET,
    VALUE,
    ArgumentError,
    Function,
    Making,
    Open,
    T,
)
from prunec.language.functions.positions import chosen_positions, listed_positions


def _chosen(arguments: Sequence[Any], rank: int) -> list[int]:
    """The axes that the first argument names, all where it names none; with a true second one the others."""
    value, exclude = (*arguments, None, None)[:2]
    return chosen_positions(value, bool(exclude), rank, default_all=True)


def _drop(axes: Sequence[T], arguments: Sequence[Any], making: Making[T]) -> Sequence[T]:
    chosen = _chosen(arguments, len(axes))
    return [axis for i, axis in enumerate(axes) if i not in chosen]


def _reduced(axes: Sequence[T], arguments: Sequence[Any], making: Making[T]) -> Sequence[T]:
    return _drop(axes, arguments, making) or [making.one]


def _ones(axes: Sequence[T], arguments: Sequence[Any], making: Making[T]) -> Sequence[T]:
    chosen = _chosen(arguments, len(axes))
    return [making.one if i in chosen else axis for i, axis in enumerate(axes)]


def _squeeze(axes: Sequence[T], arguments: Sequence[Any], making: Making[T]) -> Sequence[T]:
    (value,) = arguments
    if value is None:
        sizes = [making.size(axis) for axis in axes]
        if None in sizes:
            raise Open
        return [axis for axis, size in zip(axes, sizes) if size != 1]
    chosen = chosen_positions(value, False, len(axes), default_all=False)
    return [axis for i, axis in enumerate(axes) if i not in chosen]


def _without_ones(axes: Sequence[T], arguments: Sequence[Any], making: Making[T]) -> Sequence[T]:
    chosen = _chosen(arguments, len(axes))
    ones = [making.is_one(axis) if i in chosen else False for i, axis in enumerate(axes)]
    if None in ones:
        raise Open
    return [axis for axis, one in zip(axes, ones) if not one]


def _squeezed(axes: Sequence[T], arguments: Sequence[Any], making: Making[T]) -> Sequence[T]:
    return _squeeze(axes, arguments, making) or [making.one]


def _insert(axes: Sequence[T], arguments: Sequence[Any], making: Making[T]) -> Sequence[T]:
    (value,) = arguments
    entries = value if isinstance(value, tuple) else (value,)
    rank = len(axes) + len(entries)
    places = listed_positions(entries, rank)
    if len(set(places)) != len(entries):
        raise ArgumentError(f"{value} is not a list of places for new axes")
    rest = iter(axes)
    return [making.one if position in places else next(rest) for position in range(rank)]


def _pick(axes: Sequence[T], arguments: Sequence[Any], making: Making[T]) -> Sequence[T]:
    return _picked((axes, *arguments), None)


def _picked(arguments: Sequence[Any], join: Any) -> Sequence[Any]:
    axes, value, *exclude = arguments
    if isinstance(value, tuple) and value and not any(exclude):
        # In the attribute's order, so that what stands beside it goes to the axis it names.
        return [axes[position] for position in listed_positions(value, len(axes))]
    return [axes[i] for i in _chosen((value, *exclude), len(axes))]


def _between(arguments: Sequence[Any], join: Callable[..., Any]) -> Sequence[Any]:
    axes, start, stop = arguments
    bounds = (bound if isinstance(bound, int) else None for bound in (start, stop))
    return list(axes[slice(*bounds)])


FUNCTIONS = (
    Function(
        "reduced",
        (AXIS,),
        ((REST, AXES), (REST, AXES, VALUE)),
        "the axes without some of them, or one of size one where none is left",
        rearrange=_reduced,
    ),
    Function(
        "squeezed",
        (AXIS,),
        ((REST, AXES),),
        "the axes without those of size one, or one of size one where none is left",
        rearrange=_squeezed,
        takes_ones_away=True,
    ),
    Function(
        "drop",
        (AXIS,),
        ((REST, AXES), (REST, AXES, VALUE)),
        "the axes without some of them",
        rearrange=_drop,
    ),
    Function(
        "ones",
        (AXIS,),
        ((REST,), (REST, AXES), (REST, AXES, VALUE)),
        "the axes, some of them replaced by ones",
        rearrange=_ones,
    ),
    Function(
        "squeeze",
        (AXIS,),
        ((REST, AXES),),
        "the axes without those of size one",
        rearrange=_squeeze,
        takes_ones_away=True,
    ),
    Function(
        "without_ones",
        (AXIS,),
        ((REST, AXES),),
        "the axes without those named that have size one",
        rearrange=_without_ones,
        takes_ones_away=True,
        leaves_others=True,
    ),
    Function(
        "insert",
        (AXIS,),
        ((REST, AXES),),
        "the axes with new ones of size one among them",
        rearrange=_insert,
    ),
    Function(
        "pick",
        (TARGET, SIZE),
        ((REST, AXES), (REST, AXES, VALUE)),
        "some of the axes",
        rearrange=_pick,
        entries=_picked,
        length=ITS_OWN,
    ),
    Function(
        "between",
        (SIZE,),
        ((REST, VALUE, VALUE),),
        "the sizes of a stretch of axes",
        entries=_between,
        length=ITS_OWN,
    ),
)
