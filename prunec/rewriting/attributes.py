"""New attribute values: the equations of a rule read from sizes to attributes."""

from __future__ import annotations

from typing import Mapping, Optional, Sequence

import numpy as np
from numpy.typing import NDArray

from prunec.language.syntax import Axis, Call, Equation, Expression, Literal, Name, Rest, Value
from prunec.lowering.bound import Bound
from prunec.lowering.expansion import variadic_names
from prunec.lowering.expressions import (
    Scope,
    Unspreadable,
    evaluate,
    indexed,
    listed_positions,
    spread,
)
from prunec.lowering.functions import restyle
from prunec.lowering.guards import active_equations
from prunec.lowering.stems import axis_names
from prunec.lowering.views import VIEWS

Sizes = Mapping[str, Optional[int]]

_WRAPPERS = ("start", "stop", "copy_zero", "stretch")


def new_attributes(bound: Bound, sizes: Sizes) -> dict[str, Value]:
    """The attributes of a node that change when its names take new sizes, with their new values."""
    changes: dict[str, Value] = {}
    for equation in active_equations(bound.rule, bound.attributes):
        for side, other in ((equation.left, equation.right), (equation.right, equation.left)):
            name = _attribute(side, bound)
            if name is not None:
                value = _new_value(bound, equation, side, other, name, sizes)
                if value is not None and value != bound.attributes[name]:
                    changes[name] = value
                break
    changes.update(_new_codes(bound, sizes))
    return changes


def _attribute(side: Expression, bound: Bound) -> Optional[str]:
    if isinstance(side, Call) and side.function in _WRAPPERS:
        side = side.arguments[0]
    if isinstance(side, Call) and side.function == "on":
        side = side.arguments[0]
    if isinstance(side, Name) and bound.attributes.get(side.name) is not None:
        return side.name
    return None


def _scope(bound: Bound) -> Scope:
    signature = bound.rule.signature
    assert signature is not None
    tensors = signature.data + signature.parameters + signature.outputs
    names = axis_names(bound.rule)
    return Scope(bound.attributes, names, bound.ranks, bound.counts, variadic_names(tensors))


def _new_value(
    bound: Bound, equation: Equation, side: Expression, other: Expression, name: str, sizes: Sizes
) -> Value:
    scope = _scope(bound)
    old = bound.attributes[name]
    try:
        values = [evaluate(scalar, sizes) for scalar in spread(other, scope)]
        before = [evaluate(scalar, bound.sizes) for scalar in spread(other, scope)]
        if isinstance(side, Call):
            wholes = spread(side.arguments[1], scope)
            lengths = [evaluate(whole, bound.sizes) for whole in wholes]
            changes = list(zip(before, values, lengths, [evaluate(whole, sizes) for whole in wholes]))
            if isinstance(side.arguments[0], Call):
                changes = [changes[place] for place in _places(side.arguments[0], bound, len(changes))]
            return _restyled(side.function, old, changes)
    except Unspreadable:
        return None
    if values == before or None in values:
        return None
    if isinstance(old, tuple):
        return tuple(values) if len(values) == len(old) else None
    return values[0] if len(set(values)) == 1 else tuple(values)


def _places(on: Call, bound: Bound, rank: int) -> list[int]:
    """The axes that the entries of a list belong to."""
    axes = on.arguments[1]
    value = bound.attributes.get(axes.name) if isinstance(axes, Name) else None
    return list(range(rank)) if value is None else listed_positions(value, rank)


#: What a function gives for an axis, before and after, and the size it gives it for, before and after.
_Change = tuple[Optional[int], Optional[int], Optional[int], Optional[int]]


def _restyled(function: str, old: Value, changes: Sequence[_Change]) -> Value:
    olds = list(old) if isinstance(old, tuple) else [old]
    changes = list(changes) * len(olds) if len(changes) == 1 else changes
    new = [_entry(function, previous, change) for previous, change in zip(olds, changes)]
    new += olds[len(new) :]
    return tuple(new) if isinstance(old, tuple) else new[0]


def _entry(function: str, previous: Value, change: _Change) -> Value:
    before, value, old_size, size = change
    if value is None or (before, old_size) == (value, size):
        return previous
    return restyle(function, _integer(previous), old_size, size, value)


def _integer(value: Value) -> Optional[int]:
    return int(value) if isinstance(value, (int, float)) else None


def _new_codes(bound: Bound, sizes: Sizes) -> dict[str, Value]:
    """Reshape codes with the numbers that stood for sizes written anew."""
    signature = bound.rule.signature
    assert signature is not None
    changes: dict[str, Value] = {}
    for tensor in signature.outputs:
        for axis in tensor.axes:
            call = _view_call(axis)
            if call is None:
                continue
            rest, attribute = call.arguments[:2]
            assert isinstance(rest, Rest) and isinstance(attribute, Name)
            old = bound.attributes[attribute.name]
            codes = old if isinstance(old, tuple) else (old,)
            reverse = bool(_flag(call, bound))
            shape = tuple(bound.sizes.get(indexed(rest.name, i)) for i in range(bound.ranks[rest.name]))
            view = VIEWS[call.function](codes, shape, reverse)
            new = list(codes)
            for position, literal in enumerate(view.literal):
                size = sizes.get(indexed("=view", position))
                if literal is not None and size is not None:
                    new[literal] = size
            if tuple(new) != codes:
                changes[attribute.name] = tuple(new) if isinstance(old, tuple) else new[0]
    return changes


def _view_call(axis: Axis) -> Optional[Call]:
    return axis.item if isinstance(axis.item, Call) and axis.item.function in VIEWS else None


def _flag(call: Call, bound: Bound) -> Value:
    if len(call.arguments) < 3:
        return None
    argument = call.arguments[2]
    if isinstance(argument, Literal):
        return argument.value
    return bound.attributes.get(argument.name) if isinstance(argument, Name) else None


def new_positions(bound: Bound, gone: Mapping[str, NDArray[np.bool_]]) -> dict[str, Value]:
    """The attributes of a node that list positions of elements some of which go, with their new values."""
    changes: dict[str, Value] = {}
    for attribute, missing in gone.items():
        old = bound.attributes[attribute]
        if not missing.any() or not isinstance(old, tuple):
            continue
        places = np.cumsum(~missing) - 1
        count = int(places[-1]) + 1
        # What counted from the end still does.
        changes[attribute] = tuple(
            int(places[entry]) - (count if entry < 0 else 0)
            for entry in old
            if isinstance(entry, int) and not missing[entry]
        )
    return changes


def squeezed_away(bound: Bound, sizes: Sizes) -> list[str]:
    """Axes that come to have size one under an operator that takes away all such axes."""
    signature = bound.rule.signature
    assert signature is not None
    names = []
    for tensor in signature.outputs:
        for axis in tensor.axes:
            call = axis.item
            if not isinstance(call, Call) or call.function not in ("squeeze", "squeezed"):
                continue
            rest, argument = call.arguments[:2]
            assert isinstance(rest, Rest)
            if isinstance(argument, Name) and bound.attributes.get(argument.name) is None:
                plain = [indexed(rest.name, i) for i in range(bound.ranks.get(rest.name, 0))]
                names += [name for name in plain if sizes.get(name) == 1 != bound.sizes.get(name)]
    return names
