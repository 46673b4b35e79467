"""The axes in another order, or others in the place of some."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from prunec.language.functions.base import (
    AXES,
    AXIS,
    ITS_OWN,
    MEASURE,
    ONE_AXIS,
    REST,
    ArgumentError,
    Function,
    Making,
    Open,
    Random,
    T,
)
from prunec.language.functions.positions import chosen_positions, listed_positions
from prunec.language.functions.ranges import in_steps
from prunec.value import Value


def _permute(axes: Sequence[T], arguments: Sequence[Any], making: Making[T]) -> Sequence[T]:
    (order,) = arguments
    if not isinstance(order, tuple) or not order:
        return axes[::-1]
    positions = listed_positions(order, len(axes))
    if len(order) != len(axes) or sorted(positions) != list(range(len(axes))):
        raise ArgumentError(f"{order} is not an order of {len(axes)} axes")
    return [axes[position] for position in positions]


def _swap(axes: Sequence[T], arguments: Sequence[Any], making: Making[T]) -> Sequence[T]:
    first, second = arguments
    rank = len(axes)
    if not isinstance(first, int) or not isinstance(second, int):
        raise Open
    if not (-rank <= first < rank and -rank <= second < rank):
        raise ArgumentError(f"there are no axes {first} and {second} among {rank}")
    swapped = list(axes)
    swapped[first], swapped[second] = axes[second], axes[first]
    return swapped


def _reverse(axes: Sequence[T], arguments: Sequence[Any], making: Making[T]) -> Sequence[T]:
    chosen = chosen_positions(arguments[0] if arguments else None, False, len(axes), default_all=True)
    return [making.reverse(axis) if i in chosen else axis for i, axis in enumerate(axes)]


def _move(axes: Sequence[T], arguments: Sequence[Any], making: Making[T]) -> Sequence[T]:
    rank = len(axes)
    sources, places = (listed_positions(argument, rank) for argument in arguments)
    if len(sources) != len(places) or len({*sources}) != len(sources) or len({*places}) != len(places):
        raise ArgumentError(f"axes {arguments[0]} cannot be moved to {arguments[1]}")
    moved = dict(zip(places, sources))
    rest = iter(position for position in range(rank) if position not in sources)
    return [axes[moved[place] if place in moved else next(rest)] for place in range(rank)]


def _merged(axes: Sequence[T], arguments: Sequence[Any], making: Making[T]) -> Sequence[T]:
    first, last = arguments
    rank = len(axes)
    if not isinstance(first, int) or not isinstance(last, int):
        raise Open
    if not axes:
        return [making.one]
    if not (-rank <= first < rank and -rank <= last < rank and first % rank <= last % rank):
        raise ArgumentError(f"there are no axes from {first} to {last} among {rank}")
    start, end = first % rank, last % rank + 1
    return [*axes[:start], making.product(axes[start:end]), *axes[end:]]


def _put(axes: Sequence[T], arguments: Sequence[Any], making: Making[T]) -> Sequence[T]:
    value, others = arguments
    places = list(range(len(axes))) if value is None else listed_positions(value, len(axes))
    if len(places) != len(others):
        raise ArgumentError(f"{len(others)} axes cannot be put at {value}")
    result = list(axes)
    for place, other in zip(places, others):
        result[place] = other
    return result


def _stepped(axes: Sequence[T], arguments: Sequence[Any], making: Making[T]) -> Sequence[T]:
    steps, *others = arguments
    steps = steps * len(axes) if len(steps) == 1 else steps
    places = [i for i, step in enumerate(steps[: len(axes)]) if isinstance(step, int) and in_steps(step)]
    if not others:
        return [axes[place] for place in places]
    return [others[0][i] if i in places else axis for i, axis in enumerate(axes)]


def _draw_order(rank: int, random: Random) -> Value:
    return tuple(int(position) for position in random.permutation(rank))


def _draw_axis(rank: int, random: Random) -> Value:
    return int(random.integers(max(rank, 1)))


FUNCTIONS = (
    Function(
        "permute",
        (AXIS,),
        ((REST, AXES),),
        "the axes in another order",
        rearrange=_permute,
        draw_axes=_draw_order,
    ),
    Function(
        "swap", (AXIS,), ((REST, AXES, AXES),), "two axes exchanged", rearrange=_swap, draw_axes=_draw_axis
    ),
    Function(
        "reverse",
        (AXIS,),
        ((ONE_AXIS,), (REST, AXES)),
        "the elements in the opposite order",
        rearrange=_reverse,
    ),
    Function(
        "move",
        (AXIS,),
        ((REST, AXES, AXES),),
        "some axes at other places, the others in order",
        rearrange=_move,
        draw_axes=_draw_axis,
    ),
    Function(
        "merged",
        (AXIS,),
        ((REST, AXES, AXES),),
        "the axes from one to another made one",
        rearrange=_merged,
        draw_axes=_draw_axis,
    ),
    Function(
        "put", (AXIS,), ((REST, AXES, REST),), "the axes with others in the place of some", rearrange=_put
    ),
    Function(
        "stepped",
        (),
        ((REST, MEASURE), (REST, MEASURE, REST)),
        "the axes that are gone over in steps, or all axes with others in the place of those",
        instead="range(*x, starts, ends, axes, steps)",
        rearrange=_stepped,
        length=ITS_OWN,
    ),
)
