"""The channels that a layer is spoken of by."""

from __future__ import annotations

from typing import Optional

from prunec.lowering.bound import names_of
from prunec.lowering.lowered import LoweredRule
from prunec.lowering.reasons import ReasonKind


def produced_axis(bound: LoweredRule, parameter_slots: frozenset[str]) -> Optional[int]:
    """The axis of the first output that a rule produces: the first whose names stand in a slot that holds a
    parameter and not in the data, which is what comes in first; ``None`` where there is none.  One that the
    rule says is kept, as directions are, stands back."""
    if not bound.outputs or bound.outputs[0].axes is None:
        return None
    slots = (*bound.inputs, *bound.implied)
    made = {
        n
        for slot in slots
        if slot.slot in parameter_slots
        for axis in slot.axes or ()
        for n in names_of(axis)
    }
    data = next((slot for slot in slots if slot.slot not in parameter_slots), None)
    made -= {name for axis in (data.axes if data is not None else None) or () for name in names_of(axis)}
    stated = {name for name, reason in bound.kept.items() if reason.kind is ReasonKind.STATED}
    axes = [made & set(names_of(axis)) for axis in bound.outputs[0].axes]
    found = [axis for axis, names in enumerate(axes) if names]
    return next((axis for axis in found if axes[axis] - stated), found[0] if found else None)
