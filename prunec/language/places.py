"""Where the names of a rule stand: in its signature, and in its expressions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Union

from prunec.language.functions import function_of
from prunec.language.functions.base import ANY_AXES, ONE_AXIS, RESTS
from prunec.language.syntax import (
    Axis,
    Balanced,
    Call,
    Contracts,
    Each,
    Element,
    Equation,
    Expression,
    Holds,
    Keep,
    Mixes,
    MultiplyAdds,
    Name,
    Product,
    Rest,
    Rule,
    Signature,
    Sum,
    TensorPattern,
    VariadicSum,
)
from prunec.language.tree import Item, children, walk
from prunec.support.diagnostics import Span

#: What an axis is called that is not read; it stands for another one in each place.
UNREAD = "_"
#: The parts of a signature.
DATA, PARAMETERS, OUTPUTS = "data", "parameters", "outputs"


@dataclass(frozen=True)
class AxisOccurrence:
    """One occurrence of an axis name in a signature.

    ``rest`` tells ``*x`` from ``x`` (a name inside ``*( … )`` stands for a rest); ``compound`` and
    ``in_sum`` say what it is part of, ``variadic_sum`` that it is written ``(+ c)``.
    """

    name: str
    rest: bool
    part: str
    tensor: TensorPattern
    span: Span
    compound: bool = False
    in_sum: bool = False
    in_each: bool = False
    variadic_sum: bool = False


def slots(signature: Signature) -> Iterator[tuple[str, TensorPattern]]:
    """All tensors, each with the part of the signature it stands in."""
    for part, tensors in (
        (DATA, signature.data),
        (PARAMETERS, signature.parameters),
        (OUTPUTS, signature.outputs),
    ):
        for tensor in tensors:
            yield part, tensor


def is_unread(item: Item) -> bool:
    """``_`` or ``*_``: axes that the operator does not read."""
    return isinstance(item, (Name, Rest)) and item.name == UNREAD


def axis_lists(tensor: TensorPattern) -> tuple[tuple[Axis, ...], ...]:
    """The axis lists of a tensor: the one it has where no condition holds, and its alternatives."""
    return (tensor.axes, *(other.axes for other in tensor.alternatives))


def axes_of(tensor: TensorPattern) -> Iterator[Axis]:
    """The axes of all the axis lists of a tensor."""
    for axes in axis_lists(tensor):
        yield from axes


def places(signature: Signature) -> tuple[AxisOccurrence, ...]:
    """Every occurrence of an axis name, in reading order, but for those of axes that are not read."""
    found: list[AxisOccurrence] = []
    for part, tensor in slots(signature):
        for axis in axes_of(tensor):
            found += _places(axis.item, AxisOccurrence("", False, part, tensor, axis.span))
    return tuple(place for place in found if place.name != UNREAD)


def _places(item: Item, outer: AxisOccurrence) -> Iterator[AxisOccurrence]:
    if isinstance(item, Name):
        yield replace(outer, name=item.name, rest=outer.in_each, span=item.span)
    elif isinstance(item, Rest):
        yield replace(outer, name=item.name, rest=True, span=item.span)
    elif isinstance(item, Call):
        for argument in axis_arguments(item):
            yield from _places(argument, outer)
    elif isinstance(item, Element):
        yield from _places(item.item, outer)
    else:
        for part in children(item):
            yield from _places(part, _inside(item, outer))


def _inside(item: Item, outer: AxisOccurrence) -> AxisOccurrence:
    if isinstance(item, VariadicSum):
        return replace(outer, compound=True, in_sum=True, variadic_sum=True)
    if isinstance(item, Each):
        return replace(outer, in_each=True)
    if isinstance(item, (Product, Sum)):
        return replace(outer, compound=True, in_sum=outer.in_sum or isinstance(item, Sum))
    return outer


def axis_arguments(call: Call) -> tuple[Union[Name, Rest], ...]:
    """The arguments of an axis function that are axes; none where the function is not known."""
    form = function_of(call).form(len(call.arguments)) or ()
    return tuple(
        argument
        for argument, kind in zip(call.arguments, form)
        if (kind in (ONE_AXIS, ANY_AXES) and isinstance(argument, Name))
        or (kind in (*RESTS, ANY_AXES) and isinstance(argument, Rest))
    )


def compounds(signature: Signature) -> Iterator[tuple[str, Union[Product, Sum], bool]]:
    """Every product and sum with the part of the signature it stands in, inner ones first, and
    whether it stands for each axis of rests."""

    for part, tensor in slots(signature):
        for axis in axes_of(tensor):
            for item, each in _compounds(axis.item, False):
                yield part, item, each


def _compounds(item: Item, each: bool) -> Iterator[tuple[Union[Product, Sum], bool]]:
    for child in children(item):
        yield from _compounds(child, each or isinstance(item, Each))
    if isinstance(item, (Product, Sum)):
        yield item, each


def guards(rule: Rule) -> Iterator[Expression]:
    """The rule's guard and those of its axis lists and statements."""
    if rule.when is not None:
        yield rule.when
    for _, tensor in slots(rule.signature):
        yield from (other.when for other in tensor.alternatives)
    for statement in (*rule.statements, *rule.hints):
        if statement.when is not None:
            yield statement.when


def measures(rule: Rule) -> Iterator[Expression]:
    """The sides of the rule's equations, what its outputs hold, and its multiply-adds."""
    for statement in rule.statements:
        if isinstance(statement, Equation):
            yield statement.left
            yield statement.right
        elif isinstance(statement, Holds):
            yield statement.value
    yield from (hint.count for hint in rule.hints if isinstance(hint, MultiplyAdds))


def axis_calls(signature: Signature) -> Iterator[tuple[str, Call]]:
    """The calls in axis lists, each with the part of the signature it stands in."""

    for part, tensor in slots(signature):
        for axis in axes_of(tensor):
            for item in walk(axis.item, (Call,)):
                if isinstance(item, Call):
                    yield part, item


def targets(rule: Rule) -> Iterator[Union[Name, Rest, Call]]:
    """What ``keep``, ``mixes``, ``balanced`` and ``contracts`` speak of."""
    for statement in rule.statements:
        if isinstance(statement, (Keep, Mixes)):
            yield from statement.targets
        elif isinstance(statement, Balanced):
            yield statement.name
    for hint in rule.hints:
        if isinstance(hint, Contracts):
            yield from hint.targets


def names_used(rule: Rule) -> frozenset[str]:
    """Every plain name the rule's expressions, places and calls mention."""
    used: set[str] = set()

    def note(expression: Expression) -> None:
        used.update(part.name for part in walk(expression) if isinstance(part, Name))

    for expression in (*guards(rule), *measures(rule)):
        note(expression)
    for target in targets(rule):
        if isinstance(target, Call):
            note(target)
    for _, call in axis_calls(rule.signature):
        note(call)
    for _, tensor in slots(rule.signature):
        for axis in axes_of(tensor):
            if isinstance(axis.place, Name):
                used.add(axis.place.name)
            elements = (item for item in walk(axis.item) if isinstance(item, Element))
            used.update(element.positions.name for element in elements)
    return frozenset(used)
