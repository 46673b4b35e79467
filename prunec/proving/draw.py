"""Drawing a node that a rule holds for: the rule solved forwards, from sizes to attributes.

Ranks of rests, sizes of names and the attributes that nothing ties are chosen at random; equations give
the rest.  What is drawn need not be legal: the framework and the rule's guard decide that.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Mapping, Optional

import numpy as np

from prunec.frontends.operators import Operator
from prunec.frontends.trial_templates import Templates
from prunec.frontends.trials import SampledNode
from prunec.graph import Shape
from prunec.language.functions import function_of
from prunec.language.functions.base import ArgumentError
from prunec.language.functions.positions import listed_positions
from prunec.language.syntax import (
    Attribute,
    AxisExpression,
    Balanced,
    Call,
    Each,
    Equation,
    Expression,
    Logic,
    Name,
    Product,
    Rest,
    Rule,
    Signature,
    Sum,
    TensorPattern,
)
from prunec.language.tree import axis_names, calls, walk
from prunec.lowering.expansion import variadic_names
from prunec.lowering.expressions import (
    Scope,
    Unspreadable,
    evaluate,
    indexed,
    names_in,
    solve,
    spread,
)
from prunec.lowering.guards import holds
from prunec.lowering.ranks import rests_in
from prunec.proving.attribute_draws import AttributeDraw, lengths
from prunec.proving.equations import attribute_of, entries_for, placing, sides
from prunec.proving.formula_draws import draw_formula
from prunec.proving.rank_draws import draw_likes, draw_ranks
from prunec.proving.shapes import NotDrawn, ShapeDraw
from prunec.sizes import closed
from prunec.value import Value

#: How often a node is drawn that is to meet conditions.
_MOST_FORM_DRAWS = 40


def draw(
    rule: Rule,
    operator: Operator,
    templates: Templates,
    random: np.random.Generator,
    learned: bool = False,
) -> SampledNode:
    """A random node for a rule; with ``learned`` the shapes of learned inputs are drawn as well.

    Raises :class:`NotDrawn` where this draw cannot be finished.
    """
    try:
        return _Drawing(rule, operator, templates, random).run(learned)
    except (Unspreadable, ArgumentError, IndexError, ZeroDivisionError) as error:
        raise NotDrawn(str(error)) from None


def draw_form(
    form: Rule,
    rule: Rule,
    operator: Operator,
    templates: Templates,
    random: np.random.Generator,
    learned: bool = False,
) -> SampledNode:
    """A random node for one of the forms of a rule with conditions, as :func:`draw`: drawn again as long as
    what the form holds under is not met."""
    if form is rule:
        return draw(form, operator, templates, random, learned)
    for _ in range(_MOST_FORM_DRAWS):
        with suppress(NotDrawn):
            sampled = draw(form, operator, templates, random, learned)
            if _fits(form, operator, sampled):
                return sampled
    raise NotDrawn("the conditions of this form are not met")


def _fits(form: Rule, operator: Operator, sampled: SampledNode) -> bool:
    """Whether the guard of a form can hold for a draw, of which optional inputs may still be left out."""
    attributes = {a.name: None if a.default is None else a.default.value for a in form.attributes}
    attributes.update({**operator.version_attributes, **sampled.attributes})
    slots: dict[str, list[Optional[Shape]]] = {}
    for tensor in form.signature.data:
        if tensor.kind != "optional":
            slots[tensor.name] = [s for (name, _), s in sampled.shapes.items() if name == tensor.name]
    guard = form.when
    parts = guard.items if isinstance(guard, Logic) and guard.operator == "and" else (guard,)
    asked = [part for part in parts if part is not None and not _asks_for_inputs(part)]
    return all(holds(part, attributes, slots) is not False for part in asked)


def _asks_for_inputs(guard: Expression) -> bool:
    return any(isinstance(e, Call) and function_of(e).asks_what_is_connected for e in walk(guard))


class _Drawing:
    def __init__(
        self, rule: Rule, operator: Operator, templates: Templates, random: np.random.Generator
    ) -> None:
        self.rule, self.operator, self.templates, self.random = rule, operator, templates, random
        self.signature: Signature = rule.signature
        self.tensors = self.signature.data + self.signature.parameters + self.signature.outputs
        self.variadic = variadic_names(self.tensors)
        self.names = list(dict.fromkeys(n for t in self.tensors for a in t.axes for n in axis_names(a.item)))
        self.equations = [s for s in rule.statements if isinstance(s, Equation)]
        self.balanced = frozenset(s.name.name for s in rule.statements if isinstance(s, Balanced))
        self.sizes: dict[str, Optional[int]] = {}
        self.ranks: dict[str, int] = {}
        self.counts: dict[str, int] = {}
        self.shapes = ShapeDraw(self.sizes, self.ranks, self.counts, self.variadic, random)
        header = {attribute.name: attribute for attribute in rule.attributes}
        self.derived = frozenset(
            name
            for equation in self.equations
            for side in (equation.left, equation.right)
            if (name := attribute_of(side)) in header and name not in self.names
        )
        self.attribute_draw = AttributeDraw(rule, operator, templates, random, self.derived)
        self.attributes: dict[str, Value] = self.attribute_draw.values
        self.halves: dict[str, dict[int, list[Optional[int]]]] = {}
        self.header: Mapping[str, Attribute] = header

    def run(self, learned: bool) -> SampledNode:
        self._draw_counts()
        self._draw_formula()
        self.ranks.update(draw_ranks(self.tensors, self.equations, self.header, self.ranks, self.random))
        self.sizes.update(draw_likes(self.rule, self.ranks, self._size, self.random))
        self.attribute_draw.free(self._tuple_rank)
        self.attribute_draw.guard()
        self.attribute_draw.places(self.tensors, self._ranks_before)
        self.sizes.update(self.attribute_draw.functions(self.tensors, self.ranks))
        self._place_entries()
        self._leave_defaults(learned)
        self._solve()
        if learned and self.signature.parameters:
            self._check()
        self.attribute_draw.views(self.tensors, self.ranks, self.sizes)
        self.attribute_draw.positions(self.tensors, self.sizes)
        attributes = self.attribute_draw.node_attributes()
        for name, most in self.templates.longest.items():
            value = attributes.get(name)
            if isinstance(value, tuple) and len(value) > most:
                raise NotDrawn("longer than what runs it computes rightly")
        shapes = {}
        full = int(self.random.integers(len(self.signature.data) or 1))
        inputs = self.signature.data + (self.signature.parameters if learned else ())
        for position, tensor in enumerate(inputs):
            for index in range(0 if tensor.value else self.counts.get(tensor.name, 1)):
                shapes[tensor.name, index] = self.shapes.shape(tensor, index, position == full)
        return SampledNode(self.operator.name, attributes, shapes, self.counts, self.derived)

    # --- counts and ranks ---

    def _draw_counts(self) -> None:
        for tensor in self.tensors:
            if tensor.kind == "variadic":
                self.counts[tensor.name] = int(self.random.integers(1, 4))

    def _draw_formula(self) -> None:
        formula = draw_formula(self.rule, self.random)
        if formula is not None:
            self.counts.update(formula.counts)
            self.attributes[formula.attribute] = formula.value
            self.ranks[formula.rest] = formula.rank
            self.shapes.lettered.update(formula.names)

    def _tuple_rank(self, attribute: str) -> int:
        """How many entries a tuple needs: as the guard says, or beside a rest that it is an argument with."""
        told = lengths(self.rule.when)
        if attribute in told:
            return told[attribute]
        for equation in self.equations:
            for call in calls(equation.left, equation.right):
                if not any(isinstance(a, Name) and a.name == attribute for a in call.arguments):
                    continue
                beside = [rest for argument in call.arguments for rest in rests_in(argument)]
                within = [rest for side in (equation.left, equation.right) for rest in rests_in(side)]
                if beside:
                    return self.ranks.get(beside[0], 2)
                if function_of(call).entries_for is not None and within:
                    return entries_for(call, self.ranks.get(within[0], 2))
        return 2

    def _ranks_before(self, tensor: TensorPattern, position: int) -> int:
        return sum(self.shapes.axis_count(axis.item) for axis in tensor.axes[:position])

    # --- sizes ---

    def _place_entries(self) -> None:
        """Which axes the entries of lists speak of; what speaks of none has the size that leaves it alone."""
        for call in calls(*(side for e in self.equations for side in (e.left, e.right))):
            listed = call.arguments[0]
            if function_of(call).entries_for is not None and isinstance(listed, Name):
                value = self.attributes.get(listed.name)
                if isinstance(value, tuple):
                    # Entries that are not read say that nothing is done.
                    count = entries_for(call, 0)
                    self.attributes[listed.name] = (1,) * count + value[count:]
            if function_of(call).places_entries and isinstance(call.arguments[1], Name):
                axes = call.arguments[1].name
                if axes not in self.attributes:
                    rank = len(spread(call.arguments[2], self._scope()))
                    self.attributes[axes] = self.attribute_draw.listed(axes, rank)
        for equation in self.equations:
            for side, other in sides(equation):
                call_on = placing(side)
                if call_on is not None and attribute_of(side) in self.derived:
                    self._leave_unlisted(side, other, call_on)

    def _leave_unlisted(self, side: Expression, other: Expression, call: Call) -> None:
        parts = spread(other, self._scope())
        listed = set(self._positions(call, len(parts)))
        wholes = (
            spread(side.arguments[1], self._scope()) if side is not call and isinstance(side, Call) else []
        )
        for position, part in enumerate(parts):
            if position in listed:
                continue
            nothing = names_in(part)
            if isinstance(side, Call) and function_of(side).whole_by_default:
                nothing = names_in(wholes[position]) - nothing
            self.sizes.update(dict.fromkeys(sorted(nothing), 0))

    def _positions(self, call: Call, rank: int) -> list[int]:
        """The axes that a list speaks of, in its order."""
        axes = self.attributes.get(call.arguments[1].name) if isinstance(call.arguments[1], Name) else None
        return list(range(rank)) if axes is None else listed_positions(axes, rank)

    def _leave_defaults(self, left_out: bool) -> None:
        """Some attributes that equations would give keep their defaults, and the sizes have to follow; some
        are not given, where nodes may leave them out."""
        for name in sorted(self.derived - self.attributes.keys()):
            default = self.header[name].default
            if self.operator.lists_all and self.operator.argument(name) is None:
                self.attributes[name] = None if default is None else default.value
            elif default is None:
                continue
            elif default.value not in (None, ()):
                if self.random.random() < 0.4:
                    self.attributes[name] = default.value
            elif left_out and self.random.random() < 0.4:
                without = {**self.attributes, name: default.value}
                if holds(self.rule.when, without, {}) is not False:
                    self.attributes[name] = default.value

    def _scope(self) -> Scope:
        return Scope(self.attributes, frozenset(self.names), self.ranks, self.counts, self.variadic)

    def _solve(self) -> None:
        alone = {
            n for e in self.equations for s, o in sides(e) if not isinstance(o, Name) for n in _single(s)
        }
        order = sorted(self.names, key=lambda name: name in alone)
        waiting = [(name, plain) for name in order for plain in self.shapes.plain(name)]
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

    def _check(self) -> None:
        """Raises :class:`NotDrawn` where an equation does not hold: sizes of learned inputs are drawn from
        them, so that nothing else would tell."""
        for equation in self.equations:
            if holds(equation.when, self.attributes, {}) is False or self._unset(equation):
                continue
            left, right = spread(equation.left, self._scope()), spread(equation.right, self._scope())
            for first, second in zip(left, right):
                values = evaluate(first, self.sizes), evaluate(second, self.sizes)
                if None not in values and values[0] != values[1]:
                    raise NotDrawn("an equation does not hold")

    def _size(self, name: str) -> int:
        items = [axis.item for tensor in self.tensors for axis in tensor.axes]
        if any(
            isinstance(item, Sum) and name in axis_names(item) or _in_each_sum(item, name) for item in items
        ):
            return int(self.random.choice((0, 1, 2, 3, 4), p=(0.12, 0.13, 0.3, 0.25, 0.2)))
        if any(isinstance(item, Product) and name in axis_names(item) for item in items):
            return int(self.random.choice((1, 2, 3, 4), p=(0.08, 0.37, 0.3, 0.25)))
        computed = next(
            (
                function_of(call).trial_sizes
                for e in self.equations
                for call in calls(e.right)
                if function_of(call).trial_sizes and name in rests_in(call.arguments[0])
            ),
            (),
        )
        if computed:
            return int(self.random.choice(computed))
        slots = {t.name for t in self.tensors for a in t.axes if name in axis_names(a.item)}
        if slots <= {t.name for t in self.signature.parameters} and name in self.ranks:
            return int(self.random.choice((1, 2, 3)))
        return int(self.random.choice((1, 2, 3, 4, 5, 6), p=(0.05, 0.15, 0.2, 0.25, 0.15, 0.2)))

    def _apply(self, equation: Equation) -> bool:
        """Uses an equation once more; whether it told anything new."""
        if holds(equation.when, self.attributes, {}) is False:
            return False
        for side, other in sides(equation):
            name = attribute_of(side)
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
                        self.sizes[found[0]] = closed(found[1])
                        changed = True
        return changed

    def _unset(self, equation: Equation) -> bool:
        """Whether an attribute that another equation has to give is still missing, or is not given."""
        named = {*_names(equation.left), *_names(equation.right)} & self.derived
        return any(self.attributes.get(name) in (None, ()) for name in named)

    def _derive(self, name: str, side: Expression, other: Expression) -> bool:
        if (self.derived - self.attributes.keys()) & _names(other):
            return False
        values = [closed(evaluate(scalar, self.sizes)) for scalar in spread(other, self._scope())]
        if any(value is None for value in values):
            return False
        numbers: list[Optional[int]] = list(values)
        styles = function_of(side).styles if isinstance(side, Call) else None
        if styles is not None and isinstance(side, Call):
            argument = self.operator.argument(name)
            nullable = argument is None or argument.nullable
            wholes = [closed(evaluate(s, self.sizes)) for s in spread(side.arguments[1], self._scope())]
            if None in wholes:
                return False
            ways = [styles(value or 0, whole or 0, nullable) for value, whole in zip(numbers, wholes)]
            numbers = [way[int(self.random.integers(len(way)))] for way in ways]
            side = side.arguments[0]
        if isinstance(side, Call) and function_of(side).places_entries:
            numbers = [numbers[position] for position in self._positions(side, len(numbers))]
            side = side.arguments[0]
        half = function_of(side).half if isinstance(side, Call) else None
        if half is not None:
            halves = self.halves.setdefault(name, {})
            halves[half] = numbers
            if len(halves) < 2:
                return False
            numbers = [*halves[0], *halves[1]]
        self.attributes[name] = self.attribute_draw.shaped(name, numbers)
        return True


def _names(expression: Expression) -> set[str]:
    """All names in an expression, of axes and of attributes."""
    return {part.name for part in walk(expression) if isinstance(part, (Name, Rest))}


def _single(expression: Expression) -> list[str]:
    return [expression.name] if isinstance(expression, (Name, Rest)) else []


def _in_each_sum(item: AxisExpression, name: str) -> bool:
    return isinstance(item, Each) and isinstance(item.item, Sum) and name in axis_names(item.item)
