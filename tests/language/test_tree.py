"""Going over trees: nothing is left out, and what is to be taken whole is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Union

from hypothesis import given

from language import trees
from prunec.language import syntax
from prunec.language.parser import parse
from prunec.language.tree import Item, axis_names, calls, children, walk
from prunec.support.diagnostics import Source, Span


def parts(item: object) -> Iterator[object]:
    """Every node in an item, found by looking at all that it holds."""
    if isinstance(item, tuple):
        for inner in item:
            yield from parts(inner)
    elif is_dataclass(item) and not isinstance(item, Span):
        yield item
        for field in fields(item):
            yield from parts(getattr(item, field.name))


@given(trees.guards | trees.expressions | trees.axis_expressions)
def test_all_of_a_tree_is_gone_over(item: Item) -> None:
    assert list(walk(item)) == list(parts(item))


@given(trees.axis_expressions)
def test_what_is_taken_whole_is_not_looked_into(item: Item) -> None:
    outer = list(walk(item, (syntax.Call,)))
    assert not any(isinstance(part, syntax.Call) and children(part) == () for part in outer)
    inside = [part for call in outer if isinstance(call, syntax.Call) for part in list(walk(call))[1:]]
    assert len(outer) + len(inside) == len(list(walk(item)))


def first_axis(text: str) -> Union[Item, syntax.AxisExpression]:
    rule = parse(Source("test.prune", f"op A(a) {{ data[{text}] -> out[c] }}")).rules[0]
    return rule.signature.data[0].axes[0].item


def test_names_of_axes_are_in_order_and_leave_attributes_out() -> None:
    assert axis_names(first_axis("(b (a + ~*x) b)")) == ["b", "a", "x", "b"]
    assert axis_names(first_axis("*(p + c)")) == ["p", "c"] and axis_names(first_axis("(+ c)")) == ["c"]
    assert axis_names(first_axis("f(*x, a)")) == ["x"] and axis_names(first_axis("3")) == []


def test_outer_calls_come_first() -> None:
    assert [call.function for call in calls(first_axis("f(g(a), h(1 + k(a)))"))] == ["f", "g", "h", "k"]
