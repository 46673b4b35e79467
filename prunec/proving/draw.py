"""Drawing a node that a rule holds for: the rule solved forwards, from sizes to attributes.

Ranks of rests, sizes of names and the attributes that nothing ties are chosen at random; equations give
the rest.  What is drawn need not be legal: MXNet and the rule's guard decide that.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Iterator, Mapping, Optional, Union

import numpy as np

from prunec.binding.expansion import variadic_names
from prunec.binding.expressions import Scope, Unspreadable, evaluate, indexed, solve, spread
from prunec.binding.guards import holds
from prunec.binding.ranks import rests_in
from prunec.binding.views import ViewError
from prunec.language.syntax import (
    Arithmetic,
    Attribute,
    AxisExpression,
    Balanced,
    Broadcast,
    Call,
    Comparison,
    Each,
    Equation,
    Expression,
    Fixed,
    Name,
    Product,
    Rest,
    Rule,
    Signature,
    Sum,
    Tensor,
    Value,
    VariadicSum,
)
from prunec.proving.attributes import AttributeDraw
from prunec.proving.registry import Operator
from prunec.proving.templates import templates

_WRAPPERS = ("start", "stop", "copy_zero")
_WINDOWS = ("window", "window_up", "unwindow")
#: No tensor of a case has more elements, nor more axes.
MOST_ELEMENTS, MOST_AXES = 4000, 5


class NotDrawn(Exception):
    """This draw came to nothing; another may."""


@dataclass(frozen=True)
class Draw:
    """A node: attributes (those left out have their defaults) and the shapes of the data slots.

    ``count`` is the number of inputs where the rule's variadic slot decides it, ``outputs`` the number of
    outputs where one is variadic.  ``derived`` are the attributes that equations gave.
    """

    operator: str
    attributes: Mapping[str, Value]
    shapes: Mapping[tuple[str, int], tuple[int, ...]]
    counts: Mapping[str, int]
    derived: frozenset[str]


def draw(rule: Rule, operator: Operator, random: np.random.Generator) -> Draw:
    """A random node for a rule.  Raises :class:`NotDrawn` where this draw cannot be finished."""
    try:
        return _Drawing(rule, operator, random).run()
    except (Unspreadable, ViewError, IndexError, ZeroDivisionError) as error:
        raise NotDrawn(str(error)) from None


class _Drawing:
    def __init__(self, rule: Rule, operator: Operator, random: np.random.Generator) -> None:
        assert rule.signature is not None
        self.rule, self.operator, self.random = rule, operator, random
        self.signature: Signature = rule.signature
        self.tensors = self.signature.data + self.signature.parameters + self.signature.outputs
        self.variadic = variadic_names(self.tensors)
        self.names = list(dict.fromkeys(n for t in self.tensors for a in t.axes for n in stems(a.item)))
        self.equations = [s for s in rule.statements if isinstance(s, Equation)]
        self.balanced = frozenset(s.name.name for s in rule.statements if isinstance(s, Balanced))
        self.sizes: dict[str, Optional[int]] = {}
        self.ranks: dict[str, int] = {}
        self.counts: dict[str, int] = {}
        header = {attribute.name: attribute for attribute in rule.attributes}
        self.derived = frozenset(
            name
            for equation in self.equations
            for side in (equation.left, equation.right)
            if (name := _attribute_of(side)) in header and name not in self.names
        )
        self.drawn = AttributeDraw(rule, operator, random, self.derived)
        self.attributes: dict[str, Value] = self.drawn.values
        self.header: Mapping[str, Attribute] = header

    def run(self) -> Draw:
        self._draw_counts()
        self._draw_ranks()
        self.drawn.free(self._tuple_rank)
        self.drawn.guard()
        self.drawn.places(self.tensors, self._ranks_before)
        self.sizes.update(self.drawn.functions(self.tensors, self.ranks))
        self._leave_defaults()
        self._solve()
        self.drawn.views(self.tensors, self.ranks, self.sizes)
        given = self.drawn.given()
        for name, most in templates().longest.items():
            value = given.get(name)
            if isinstance(value, tuple) and len(value) > most:
                raise NotDrawn("longer than MXNet computes rightly")
        shapes = {}
        full = int(self.random.integers(len(self.signature.data) or 1))
        for position, tensor in enumerate(self.signature.data):
            for index in range(self.counts.get(tensor.name, 1)):
                shapes[tensor.name, index] = self._shape(tensor, index, position == full)
        return Draw(self.operator.name, given, shapes, self.counts, self.derived)

    # --- counts and ranks ---

    def _draw_counts(self) -> None:
        for tensor in self.tensors:
            if tensor.kind == "variadic":
                self.counts[tensor.name] = int(self.random.integers(1, 4))

    def _draw_ranks(self) -> None:
        groups: list[set[str]] = [{rest} for t in self.tensors for a in t.axes for rest in rests_in(a.item)]
        groups += [set(rests_in(a.item)) for t in self.tensors for a in t.axes if isinstance(a.item, Each)]
        groups += [{*rests_in(e.left), *rests_in(e.right)} for e in self.equations]
        merged: list[set[str]] = []
        for group in groups:
            apart = [other for other in merged if not other & group]
            together = [other for other in merged if other & group]
            merged = [*apart, group.union(*together)]
        wish = self._wished_ranks()
        for group in merged:
            wished = [wish[name] for name in sorted(group) if name in wish]
            if wished and self.random.random() < 0.35:
                self.ranks.update((name, wished[0]) for name in sorted(group))
                continue
            rank = int(self.random.choice(6, p=(0.09, 0.24, 0.34, 0.21, 0.09, 0.03)))
            self.ranks.update((name, rank) for name in sorted(group))

    def _wished_ranks(self) -> dict[str, int]:
        """Ranks with which a placed axis stands where the default of its attribute says."""
        wishes: dict[str, int] = {}
        for tensor in self.tensors:
            for position, axis in enumerate(tensor.axes):
                default = self.header[axis.place.name].default if isinstance(axis.place, Name) else None
                if default is None or not isinstance(default.value, int):
                    continue
                index = default.value
                beside = tensor.axes[:position] if index >= 0 else tensor.axes[position + 1 :]
                if len(beside) == 1 and isinstance(beside[0].item, Rest):
                    wishes.setdefault(beside[0].item.name, index if index >= 0 else -1 - index)
        return wishes

    def _tuple_rank(self, attribute: str) -> int:
        """How many entries a tuple needs that is an argument beside a rest."""
        for equation in self.equations:
            for call in calls(equation.left, equation.right):
                if any(isinstance(a, Name) and a.name == attribute for a in call.arguments):
                    for argument in call.arguments:
                        for rest in rests_in(argument):
                            return self.ranks.get(rest, 2)
        return 2

    def _ranks_before(self, tensor: Tensor, position: int) -> int:
        return sum(self._axis_count(axis.item) for axis in tensor.axes[:position])

    def _axis_count(self, item: AxisExpression) -> int:
        if isinstance(item, (Rest, Each)) or (isinstance(item, Broadcast) and isinstance(item.item, Rest)):
            return self.ranks.get(next(rests_in(item)), 0)
        return 1

    # --- sizes ---

    def _leave_defaults(self) -> None:
        """Some attributes that equations would give keep their defaults, and the sizes have to follow."""
        for name in sorted(self.derived - self.attributes.keys()):
            default = self.header[name].default
            if default is not None and default.value not in (None, ()) and self.random.random() < 0.4:
                self.attributes[name] = default.value

    def _scope(self) -> Scope:
        return Scope(self.attributes, frozenset(self.names), self.ranks, self.counts, self.variadic)

    def _plain(self, name: str) -> list[str]:
        if name in self.variadic:
            return [indexed(name, i) for i in range(self.counts[self.variadic[name]])]
        if name in self.ranks:
            return [indexed(name, i) for i in range(self.ranks[name])]
        return [name]

    def _solve(self) -> None:
        alone = {n for e in self.equations for s, o in _sides(e) if not _bare(o) for n in _single(s)}
        order = sorted(self.names, key=lambda name: name in alone)
        waiting = [(name, plain) for name in order for plain in self._plain(name)]
        equal_parts = self.random.random() < 0.4
        while True:
            while any(self._apply(equation) for equation in self.equations):
                pass
            waiting = [entry for entry in waiting if self.sizes.get(entry[1]) is None]
            if not waiting:
                break
            name, plain = waiting[0]
            first = self.sizes.get(indexed(name, 0)) if name in self.variadic else None
            equal = name in self.balanced or equal_parts
            self.sizes[plain] = first if first and equal else self._size(name)
        if any((self.sizes[name] or 0) < 0 for name in self.sizes):
            raise NotDrawn("a negative size")

    def _size(self, name: str) -> int:
        items = [axis.item for tensor in self.tensors for axis in tensor.axes]
        if any(isinstance(item, Sum) and name in stems(item) or _in_each_sum(item, name) for item in items):
            return int(self.random.choice((0, 1, 2, 3, 4), p=(0.12, 0.13, 0.3, 0.25, 0.2)))
        if any(isinstance(item, Product) and name in stems(item) for item in items):
            return int(self.random.choice((1, 2, 3, 4), p=(0.08, 0.37, 0.3, 0.25)))
        if any(
            name in rests_in(call.arguments[0])
            for e in self.equations
            for call in calls(e.right)
            if call.function in _WINDOWS
        ):
            return int(self.random.choice((3, 4, 5, 6, 8)))
        slots = {t.name for t in self.tensors for a in t.axes if name in stems(a.item)}
        if slots <= {t.name for t in self.signature.parameters} and name in self.ranks:
            return int(self.random.choice((1, 2, 3)))
        return int(self.random.choice((1, 2, 3, 4, 5, 6), p=(0.05, 0.15, 0.2, 0.25, 0.15, 0.2)))

    def _apply(self, equation: Equation) -> bool:
        """Uses an equation once more; whether it told anything new."""
        if holds(equation.when, self.attributes, {}) is False:
            return False
        for side, other in _sides(equation):
            name = _attribute_of(side)
            if name in self.derived and name not in self.attributes:
                return self._derive(str(name), side, other)
        if self._unset(equation):
            return False
        left, right = spread(equation.left, self._scope()), spread(equation.right, self._scope())
        length = max(len(left), len(right))
        left, right = (side * length if len(side) == 1 else side for side in (left, right))
        changed = False
        for first, second in zip(left, right):
            for known, other_side in ((first, second), (second, first)):
                value = evaluate(known, self.sizes)
                if value is not None and evaluate(other_side, self.sizes) is None:
                    found = solve(other_side, value, self.sizes)
                    if found is not None:
                        self.sizes[found[0]] = found[1]
                        changed = True
        return changed

    def _unset(self, equation: Equation) -> bool:
        """Whether an attribute that another equation has to give is still missing."""
        return bool(
            (self.derived - self.attributes.keys())
            & {*names_of_expression(equation.left), *names_of_expression(equation.right)}
        )

    def _derive(self, name: str, side: Expression, other: Expression) -> bool:
        if (self.derived - self.attributes.keys()) & set(names_of_expression(other)):
            return False
        values = [evaluate(scalar, self.sizes) for scalar in spread(other, self._scope())]
        if any(value is None for value in values):
            return False
        numbers: list[Optional[int]] = list(values)
        if isinstance(side, Call):
            argument = self.operator.argument(name)
            nullable = argument is None or argument.nullable or argument.kind == "tuple"
            wholes = [evaluate(s, self.sizes) for s in spread(side.arguments[1], self._scope())]
            if None in wholes:
                return False
            numbers = [self._styled(side.function, v or 0, w or 0, nullable) for v, w in zip(numbers, wholes)]
        self.attributes[name] = self.drawn.shaped(name, numbers)
        return True

    def _styled(self, function: str, value: int, whole: int, nullable: bool) -> Optional[int]:
        """One of the ways to write a number that a wrapper reads as ``value``."""
        ways: list[Optional[int]] = [value, value]
        if function == "copy_zero":
            ways += [0] if value == whole else []
        elif value < whole:
            ways.append(value - whole)
        if nullable and function != "copy_zero" and value == (0 if function == "start" else whole):
            ways.append(None)
        return ways[int(self.random.integers(len(ways)))]

    # --- shapes ---

    def _shape(self, tensor: Tensor, index: int, full: bool) -> tuple[int, ...]:
        shape: list[int] = []
        for axis, size in self._axis_sizes(tensor, index):
            if isinstance(axis, Broadcast) and not full and self.random.random() < 0.3:
                size = 1
            shape.append(size)
        lead = tensor.axes[0].item if tensor.axes else None
        if isinstance(lead, Broadcast) and isinstance(lead.item, Rest) and not full:
            if self.random.random() < 0.25 and self.ranks[lead.item.name]:
                shape = shape[int(self.random.integers(1, self.ranks[lead.item.name] + 1)) :]
        if not shape or len(shape) > MOST_AXES or int(np.prod(shape)) > MOST_ELEMENTS or 0 in shape:
            raise NotDrawn("too large or empty")
        return tuple(shape)

    def _axis_sizes(self, tensor: Tensor, index: int) -> Iterator[tuple[AxisExpression, int]]:
        for axis in tensor.axes:
            item = axis.item
            if isinstance(item, (Rest, Each)) or (
                isinstance(item, Broadcast) and isinstance(item.item, Rest)
            ):
                inner = item.item if isinstance(item, (Each, Broadcast)) else item
                for position in range(self._axis_count(item)):
                    yield item, self._item_size(inner, index, position)
            else:
                yield item, self._item_size(item, index, None)

    def _item_size(self, item: AxisExpression, index: int, each: Optional[int]) -> int:
        """The size of an axis; ``index`` counts a variadic slot's tensors, ``each`` the axes of a rest."""
        if isinstance(item, (Name, Rest)):
            name = item.name
            if name in self.variadic:
                return self._known(indexed(name, index))
            if name not in self.ranks:
                return self._known(name)
            if each is not None:
                return self._known(indexed(name, each))
            return prod(self._known(plain) for plain in self._plain(name))
        if isinstance(item, Fixed):
            return item.size
        if isinstance(item, Product):
            return prod(self._item_size(part, index, each) for part in item.items)
        if isinstance(item, Sum):
            return sum(self._item_size(part, index, each) for part in item.items)
        if isinstance(item, VariadicSum):
            return sum(self._known(plain) for plain in self._plain(item.item.name))
        if isinstance(item, Broadcast):
            return self._item_size(item.item, index, each)
        raise NotDrawn("an axis function among the inputs")

    def _known(self, plain: str) -> int:
        size = self.sizes.get(plain)
        if size is None:
            raise NotDrawn("a size stays open")
        return size


# --- walking the syntax tree ---


def stems(item: Union[AxisExpression, Expression]) -> list[str]:
    """The names and rests of an axis, in order."""
    if isinstance(item, (Name, Rest)):
        return [item.name]
    if isinstance(item, (Product, Sum)):
        return [name for part in item.items for name in stems(part)]
    if isinstance(item, (Each, Broadcast, VariadicSum)):
        return stems(item.item)
    if isinstance(item, Call):
        return [name for part in item.arguments[:1] for name in stems(part)]
    return []


def calls(*expressions: Expression) -> Iterator[Call]:
    """All calls in expressions, outer ones first."""
    for expression in expressions:
        if isinstance(expression, Call):
            yield expression
        yield from calls(*_parts(expression))


def names_of_expression(expression: Expression) -> Iterator[str]:
    """All names in an expression, of axes and of attributes."""
    if isinstance(expression, (Name, Rest)):
        yield expression.name
    for part in _parts(expression):
        yield from names_of_expression(part)


def _parts(expression: Expression) -> tuple[Expression, ...]:
    if isinstance(expression, Call):
        return expression.arguments
    if isinstance(expression, (Arithmetic, Comparison)):
        return (expression.left, expression.right)
    return ()


def _attribute_of(side: Expression) -> Optional[str]:
    if isinstance(side, Call) and side.function in _WRAPPERS:
        side = side.arguments[0]
    return side.name if isinstance(side, Name) else None


def _sides(equation: Equation) -> tuple[tuple[Expression, Expression], ...]:
    return ((equation.left, equation.right), (equation.right, equation.left))


def _bare(expression: Expression) -> bool:
    return isinstance(expression, Name)


def _single(expression: Expression) -> list[str]:
    return [expression.name] if isinstance(expression, (Name, Rest)) else []


def _in_each_sum(item: AxisExpression, name: str) -> bool:
    return isinstance(item, Each) and isinstance(item.item, Sum) and name in stems(item.item)
