"""Where the names of a rule stand: in its signature, and in its expressions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Union

from prunec.language.functions import function_of
from prunec.language.functions.base import ONE_AXIS, RESTS
from prunec.language.syntax import (
    Arithmetic,
    Axis,
    AxisExpression,
    Balanced,
    Broadcast,
    Call,
    Comparison,
    Each,
    Equation,
    Expression,
    Holds,
    Keep,
    Logic,
    Membership,
    Mixes,
    MultiplyAdds,
    Name,
    Not,
    Product,
    Rest,
    Rule,
    Signature,
    Sum,
    Tensor,
    VariadicSum,
)
from prunec.support.diagnostics import Span

#: What an axis is called that is not read; it stands for another one in each place.
UNREAD = "_"
#: The parts of a signature.
DATA, PARAMETERS, OUTPUTS = "data", "parameters", "outputs"


@dataclass(frozen=True)
class Place:
    """One occurrence of an axis name in a signature.

    ``rest`` tells ``*x`` from ``x`` (a name inside ``*( … )`` stands for a rest); ``compound`` and
    ``in_sum`` say what it is part of, ``variadic_sum`` that it is written ``(+ c)``.
    """

    name: str
    rest: bool
    part: str
    tensor: Tensor
    span: Span
    compound: bool = False
    in_sum: bool = False
    in_each: bool = False
    variadic_sum: bool = False


def slots(signature: Signature) -> Iterator[tuple[str, Tensor]]:
    """All tensors, each with the part of the signature it stands in."""
    for part, tensors in (
        (DATA, signature.data),
        (PARAMETERS, signature.parameters),
        (OUTPUTS, signature.outputs),
    ):
        for tensor in tensors:
            yield part, tensor


def is_unread(item: AxisExpression) -> bool:
    """``_`` or ``*_``: axes that the operator does not read."""
    return isinstance(item, (Name, Rest)) and item.name == UNREAD


def axis_lists(tensor: Tensor) -> tuple[tuple[Axis, ...], ...]:
    """The axis lists of a tensor: the one it has where no condition holds, and its alternatives."""
    return (tensor.axes, *(other.axes for other in tensor.alternatives))


def axes_of(tensor: Tensor) -> Iterator[Axis]:
    """The axes of all the axis lists of a tensor."""
    for axes in axis_lists(tensor):
        yield from axes


def places(signature: Signature) -> tuple[Place, ...]:
    """Every occurrence of an axis name, in reading order, but for those of axes that are not read."""
    found: list[Place] = []
    for part, tensor in slots(signature):
        for axis in axes_of(tensor):
            found += _places(axis.item, Place("", False, part, tensor, axis.span))
    return tuple(place for place in found if place.name != UNREAD)


def _places(item: AxisExpression, outer: Place) -> Iterator[Place]:
    if isinstance(item, Name):
        yield replace(outer, name=item.name, rest=outer.in_each, span=item.span)
    elif isinstance(item, Rest):
        yield replace(outer, name=item.name, rest=True, span=item.span)
    elif isinstance(item, Broadcast):
        yield from _places(item.item, outer)
    elif isinstance(item, VariadicSum):
        yield from _places(item.item, replace(outer, compound=True, in_sum=True, variadic_sum=True))
    elif isinstance(item, Each):
        yield from _places(item.item, replace(outer, in_each=True))
    elif isinstance(item, (Product, Sum)):
        inside = replace(outer, compound=True, in_sum=outer.in_sum or isinstance(item, Sum))
        for part in item.items:
            yield from _places(part, inside)
    elif isinstance(item, Call):
        for argument in axis_arguments(item):
            yield from _places(argument, outer)


def axis_arguments(call: Call) -> tuple[Union[Name, Rest], ...]:
    """The arguments of an axis function that are axes; none where the function is not known."""
    form = function_of(call).form(len(call.arguments)) or ()
    return tuple(
        argument
        for argument, kind in zip(call.arguments, form)
        if (kind == ONE_AXIS and isinstance(argument, Name)) or (kind in RESTS and isinstance(argument, Rest))
    )


def compounds(signature: Signature) -> Iterator[tuple[str, Union[Product, Sum], bool]]:
    """Every product and sum with the part of the signature it stands in, inner ones first, and
    whether it stands for each axis of rests."""

    def walk(item: AxisExpression, each: bool) -> Iterator[tuple[Union[Product, Sum], bool]]:
        if isinstance(item, Each):
            yield from walk(item.item, True)
        elif isinstance(item, (Product, Sum)):
            for inner in item.items:
                yield from walk(inner, each)
            yield item, each

    for part, tensor in slots(signature):
        for axis in axes_of(tensor):
            for item, each in walk(axis.item, False):
                yield part, item, each


def subexpressions(expression: Expression) -> Iterator[Expression]:
    """The expression and everything in it, in reading order."""
    yield expression
    parts: tuple[Expression, ...] = ()
    if isinstance(expression, Call):
        parts = expression.arguments
    elif isinstance(expression, (Arithmetic, Comparison)):
        parts = (expression.left, expression.right)
    elif isinstance(expression, Membership):
        parts = (expression.item, *expression.choices)
    elif isinstance(expression, Logic):
        parts = expression.items
    elif isinstance(expression, Not):
        parts = (expression.item,)
    for part in parts:
        yield from subexpressions(part)


def guards(rule: Rule) -> Iterator[Expression]:
    """The rule's guard and those of its axis lists and statements."""
    if rule.when is not None:
        yield rule.when
    if rule.signature is not None:
        for _, tensor in slots(rule.signature):
            yield from (other.when for other in tensor.alternatives)
    for statement in rule.statements:
        if statement.when is not None:
            yield statement.when


def measures(rule: Rule) -> Iterator[Expression]:
    """The sides of the rule's equations, what its outputs hold, and its multiply-adds."""
    for statement in rule.statements:
        if isinstance(statement, Equation):
            yield statement.left
            yield statement.right
        elif isinstance(statement, MultiplyAdds):
            yield statement.count
        elif isinstance(statement, Holds):
            yield statement.value


def axis_calls(signature: Signature) -> Iterator[tuple[str, Call]]:
    """The calls in axis lists, each with the part of the signature it stands in."""

    def walk(item: AxisExpression) -> Iterator[Call]:
        if isinstance(item, Call):
            yield item
        elif isinstance(item, Each):
            yield from walk(item.item)
        elif isinstance(item, (Product, Sum)):
            for inner in item.items:
                yield from walk(inner)

    for part, tensor in slots(signature):
        for axis in axes_of(tensor):
            for call in walk(axis.item):
                yield part, call


def targets(rule: Rule) -> Iterator[Union[Name, Rest, Call]]:
    """What ``keep`` and ``mixes`` speak of."""
    for statement in rule.statements:
        if isinstance(statement, (Keep, Mixes)):
            yield from statement.targets
        elif isinstance(statement, Balanced):
            yield statement.name


def names_used(rule: Rule) -> frozenset[str]:
    """Every plain name the rule's expressions, places and calls mention."""
    used: set[str] = set()

    def note(expression: Expression) -> None:
        used.update(part.name for part in subexpressions(expression) if isinstance(part, Name))

    for expression in (*guards(rule), *measures(rule)):
        note(expression)
    for target in targets(rule):
        if isinstance(target, Call):
            note(target)
    if rule.signature is not None:
        for _, call in axis_calls(rule.signature):
            note(call)
        for _, tensor in slots(rule.signature):
            for axis in axes_of(tensor):
                if isinstance(axis.place, Name):
                    used.add(axis.place.name)
    return frozenset(used)
