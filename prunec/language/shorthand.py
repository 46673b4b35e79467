"""What rules say for short, at length: axes that are not read, ranges, and elements of an axis.

An axis that is not read, ``_``, is the part of a sum that stands nowhere else, beside a part of size zero.
One of which a range is taken has a part before the range and one behind it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Callable, Optional, Union

from prunec.language.functions import function_of
from prunec.language.functions.base import WrittenOut
from prunec.language.functions.ranges import element_at_length, sum_of, takes_one
from prunec.language.places import axes_of, is_unread, slots
from prunec.language.syntax import (
    Axis,
    AxisExpression,
    Call,
    Contracts,
    Each,
    Element,
    Equation,
    Expression,
    Hint,
    Holds,
    Keep,
    Literal,
    Mixes,
    MultiplyAdds,
    Name,
    Rest,
    Rule,
    Signature,
    Statement,
    Sum,
    TensorPattern,
)
from prunec.language.tree import Item, exchanged, walk

#: What a statement speaks of: axes.
Target = Union[Name, Rest, Call]
#: Whether an element of an axis is a single one.
Single = Callable[[Element], Optional[bool]]


def is_at_length(rule: Rule) -> bool:
    """Whether a rule says nothing for short."""
    items = [axis.item for _, tensor in slots(rule.signature) for axis in axes_of(tensor)]
    return not any(is_unread(item) or is_short(item) for item in items)


def is_short(item: Item) -> bool:
    """Whether it is a range or an element of an axis."""
    return isinstance(item, Element) or _writer(item) is not None


def _writer(item: Item) -> Optional[Callable[[Call], WrittenOut]]:
    """What writes a call at length; none where its arguments are not those of the function."""
    if not isinstance(item, Call) or not isinstance(item.arguments[0], (Name, Rest)):
        return None
    function = function_of(item)
    return None if function.form(len(item.arguments)) is None else function.written_out


def is_single(element: Element, rule: Rule) -> Optional[Expression]:
    """The condition under which a single element is taken; none where the list is no input, which alone can
    have no axis."""
    if not any(tensor.value and tensor.name == element.positions.name for tensor in rule.signature.data):
        return None
    return takes_one(element)


def at_length(rule: Rule, single: Single) -> Rule:
    """A rule each of whose tensors has one axis list, with all that it says for short written out.

    ``single`` says whether an element of an axis is a single one.
    """
    unread: list[Equation] = []
    signature = rule.signature
    parts = [
        tuple(_read(tensor, unread) for tensor in part) for part in (signature.data, signature.parameters)
    ]
    signature = Signature(parts[0], parts[1], signature.outputs, signature.span)
    rule = replace(rule, signature=signature, statements=(*rule.statements, *unread))
    for tensor in signature.outputs:
        for axis in tensor.axes:
            if isinstance(axis.item, Element):
                rule = _with(rule, axis, element_at_length(axis.item, bool(single(axis.item))))
            elif isinstance(axis.item, Call):
                write = _writer(axis.item)
                rule = rule if write is None else _with(rule, axis, write(axis.item))
    return rule


# --- axes that are not read ------------------------------------------------------------------


def _read(tensor: TensorPattern, unread: list[Equation]) -> TensorPattern:
    """The tensor, its axes that are not read written out; ``unread`` gains an equation for each."""
    if not any(is_unread(axis.item) for axis in tensor.axes):
        return tensor
    axes = tuple(_beside_nothing(axis, unread) if is_unread(axis.item) else axis for axis in tensor.axes)
    return replace(tensor, axes=axes)


def _beside_nothing(axis: Axis, unread: list[Equation]) -> Axis:
    # No name that is written has a blank in it.
    span, name = axis.item.span, f"_ {len(unread)}"
    nothing = Name(f"{name} none", span)
    item = Sum((nothing, Name(name, span)), span)
    if isinstance(axis.item, Rest):
        unread.append(Equation(Rest(nothing.name, span), Literal(0, span), None, span))
        return replace(axis, item=Each(item, span))
    unread.append(Equation(nothing, Literal(0, span), None, span))
    return replace(axis, item=item)


# --- functions and elements ------------------------------------------------------------------


def _with(rule: Rule, short: Axis, long: WrittenOut) -> Rule:
    """The rule with what an axis of an output is short for."""
    signature = rule.signature
    tensors = [
        tuple(replace(tensor, axes=tuple(_axes(tensor.axes, short, long))) for tensor in part)
        for part in (signature.data, signature.parameters, signature.outputs)
    ]
    statements = [_in_parts(statement, long) if long.parts else statement for statement in rule.statements]
    changed = Signature(tensors[0], tensors[1], tensors[2], signature.span)
    hints = tuple(_hint_in_parts(hint, long) if long.parts else hint for hint in rule.hints)
    return replace(rule, signature=changed, statements=(*statements, *long.statements), hints=hints)


def _axes(axes: Sequence[Axis], short: Axis, long: WrittenOut) -> Iterator[Axis]:
    for axis in axes:
        if axis is short:
            yield from (replace(axis, item=item) for item in long.axes)
        elif long.parts:
            yield replace(axis, item=_item_in_parts(axis.item, long))
        else:
            yield axis


def _item_in_parts(item: AxisExpression, long: WrittenOut) -> AxisExpression:
    span = long.parts[0].span
    parts = Sum(tuple(Name(part.name, span) for part in long.parts), span)
    changed: AxisExpression
    if isinstance(long.name, Rest) and isinstance(item, Each):
        # In there, a plain name stands for the axes of a rest.
        changed = exchanged(item, Name(long.name.name, span), parts)
    else:
        changed = exchanged(item, long.name, Each(parts, span) if isinstance(long.name, Rest) else parts)
    return changed


def _in_parts(statement: Statement, long: WrittenOut) -> Statement:
    """A statement that speaks of an axis, said of its parts."""
    if isinstance(statement, (Keep, Mixes)):
        return replace(statement, targets=_targets_in_parts(statement.targets, long))
    whole = sum_of(long.parts)
    if isinstance(statement, Equation):
        left, right = (exchanged(side, long.name, whole) for side in (statement.left, statement.right))
        return replace(statement, left=left, right=right)
    if isinstance(statement, Holds):
        return replace(statement, value=exchanged(statement.value, long.name, whole))
    return statement


def _hint_in_parts(hint: Hint, long: WrittenOut) -> Hint:
    if isinstance(hint, MultiplyAdds):
        return replace(hint, count=exchanged(hint.count, long.name, sum_of(long.parts)))
    if isinstance(hint, Contracts):
        return replace(hint, targets=_targets_in_parts(hint.targets, long))
    return hint


def _targets_in_parts(targets: Sequence[Target], long: WrittenOut) -> tuple[Target, ...]:
    """What a statement speaks of, an axis part by part."""
    return tuple(part for target in targets for part in _target_in_parts(target, long))


def _target_in_parts(target: Target, long: WrittenOut) -> tuple[Target, ...]:
    """A function of the axis, once for each of its parts."""
    if target == long.name:
        return long.parts
    if long.name not in walk(target):
        return (target,)
    return tuple(exchanged(target, long.name, part) for part in long.parts)
