"""New attribute values: what a rule says of attributes, with the sizes of the smaller model."""

from __future__ import annotations

from typing import Mapping, Optional, Sequence

import numpy as np
from numpy.typing import NDArray

from prunec.language.functions import FUNCTIONS
from prunec.lowering.expressions import Sizes, evaluate
from prunec.lowering.lowered import AttributeEdit, LoweredRule
from prunec.sizes import OpenSize, Size, closed
from prunec.value import Value


def new_attributes(rule: LoweredRule, sizes: Sizes) -> dict[str, Value]:
    """The attributes of a node that change when its names take new sizes, with their new values."""
    changes: dict[str, Value] = {}
    for edit in rule.edits:
        value = _new_value(rule, edit, sizes)
        if value is not None and value != rule.attributes[edit.attribute]:
            changes[edit.attribute] = value
    changes.update(_new_codes(rule, sizes))
    return changes


def _new_value(rule: LoweredRule, edit: AttributeEdit, sizes: Sizes) -> Value:
    old = rule.attributes[edit.attribute]
    before = [evaluate(scalar, rule.sizes) for scalar in edit.values]
    values = [evaluate(scalar, sizes) for scalar in edit.values]
    if edit.style is not None:
        lengths = [evaluate(whole, rule.sizes) for whole in edit.wholes]
        changes = list(zip(before, values, lengths, [evaluate(whole, sizes) for whole in edit.wholes]))
        if edit.places is not None:
            changes = [changes[place] for place in edit.places]
        return _restyled(edit.style, old, changes)
    if values == before or None in values:
        return None
    if isinstance(old, tuple):
        return tuple(values) if len(values) == len(old) else None
    return values[0] if len(set(values)) == 1 else tuple(values)


#: What a function gives for an axis, before and after, and the size it gives it for, before and after.
_Change = tuple[Optional[Size], Optional[Size], Optional[Size], Optional[Size]]


def _restyled(style: str, old: Value, changes: Sequence[_Change]) -> Value:
    olds = list(old) if isinstance(old, tuple) else [old]
    changes = list(changes) * len(olds) if len(changes) == 1 else changes
    new = [_entry(style, previous, change) for previous, change in zip(olds, changes)]
    new += olds[len(new) :]
    return tuple(new) if isinstance(old, tuple) else new[0]


def _entry(style: str, previous: Value, change: _Change) -> Value:
    before, value, old_size, size = change
    if value is None or (before, old_size) == (value, size):
        return previous
    restyle = FUNCTIONS[style].invert_keeping_style
    if restyle is None or isinstance(value, OpenSize) or isinstance(previous, OpenSize):
        return value
    return restyle(_integer(previous), closed(old_size), closed(size), value)


def _integer(value: Value) -> Optional[int]:
    return int(value) if isinstance(value, (int, float)) else None


def _new_codes(rule: LoweredRule, sizes: Sizes) -> dict[str, Value]:
    """Reshape codes with the numbers that stood for sizes written anew."""
    changes: dict[str, Value] = {}
    for edit in rule.codes:
        old = rule.attributes[edit.attribute]
        codes = old if isinstance(old, tuple) else (old,)
        new = list(codes)
        for code, name in edit.literals:
            size = sizes.get(name)
            if size is not None:
                new[code] = size
        if tuple(new) != codes:
            changes[edit.attribute] = tuple(new) if isinstance(old, tuple) else new[0]
    return changes


def new_positions(rule: LoweredRule, gone: Mapping[str, NDArray[np.bool_]]) -> dict[str, Value]:
    """The attributes of a node that list positions of elements some of which go, with their new values."""
    changes: dict[str, Value] = {}
    for attribute, missing in gone.items():
        old = rule.attributes[attribute]
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


def squeezed_away(rule: LoweredRule, sizes: Sizes) -> list[str]:
    """Axes that come to have size one under an operator that takes away all such axes."""
    return [name for name in rule.vanishing if sizes.get(name) == 1 != rule.sizes.get(name)]
