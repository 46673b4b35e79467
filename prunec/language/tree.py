"""Going over the axes and expressions of a rule."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from operator import attrgetter
from typing import Any, Callable, Union

from prunec.language.syntax import (
    Arithmetic,
    AxisExpression,
    Broadcast,
    Call,
    Comparison,
    Each,
    Element,
    Expression,
    Logic,
    Membership,
    Name,
    Not,
    Product,
    Rest,
    Sum,
    VariadicSum,
)

#: What stands in an axis list, or in an expression.
Item = Union[AxisExpression, Expression]


#: What nodes of each kind are made of; all others are made of nothing.
_PARTS: Mapping[type, Callable[[Any], tuple[Item, ...]]] = {
    **dict.fromkeys((Product, Sum, Logic), attrgetter("items")),
    **dict.fromkeys((Each, Broadcast, VariadicSum, Not), lambda node: (node.item,)),
    **dict.fromkeys((Arithmetic, Comparison), lambda node: (node.left, node.right)),
    Call: attrgetter("arguments"),
    Element: lambda node: (node.item, node.positions),
    Membership: lambda node: (node.item, *node.choices),
}


def children(item: Item) -> tuple[Item, ...]:
    """What an axis or an expression is made of, in reading order."""
    parts = _PARTS.get(type(item))
    return () if parts is None else parts(item)


def walk(item: Item, whole: tuple[type, ...] = ()) -> Iterator[Item]:
    """The item and everything in it, in reading order; those of the types ``whole`` are not looked into."""
    yield item
    if not isinstance(item, whole):
        for child in children(item):
            yield from walk(child, whole)


def exchanged(item: Any, old: Item, new: Item) -> Any:
    """The item with another in the place of each that is equal to ``old``."""
    if item == old:
        return new
    if isinstance(item, tuple):
        return tuple(exchanged(part, old, new) for part in item)
    if not children(item):
        return item
    changes = {field.name: getattr(item, field.name) for field in fields(item)}
    return replace(item, **{name: exchanged(value, old, new) for name, value in changes.items()})


def calls(*items: Item) -> Iterator[Call]:
    """All calls in axes or expressions, outer ones first."""
    return (part for item in items for part in walk(item) if isinstance(part, Call))


def axis_names(item: Item) -> list[str]:
    """The names and rests of an axis, in order; those of a function are what it is applied to."""
    if isinstance(item, (Name, Rest)):
        return [item.name]
    inner = children(item)[:1] if isinstance(item, (Call, Element)) else children(item)
    return [name for child in inner for name in axis_names(child)]
