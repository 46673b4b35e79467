"""Drawing attribute values: from a rule's header and guard, from the operator's registry, from menus."""

from __future__ import annotations

from math import prod
from typing import Any, Callable, Iterator, Mapping, Optional, Sequence

import numpy as np

from prunec.frontends.operators import Argument, Operator
from prunec.frontends.trial_templates import Templates
from prunec.language.functions import function_of
from prunec.language.functions.base import AXES, CODES, FORMULA, POSITIONS, Function
from prunec.language.syntax import (
    Axis,
    Call,
    Comparison,
    Equation,
    Expression,
    Keep,
    Literal,
    Logic,
    Membership,
    Mixes,
    Name,
    Not,
    Rest,
    Rule,
    TensorPattern,
)
from prunec.language.tree import calls
from prunec.lowering.expressions import indexed
from prunec.lowering.guards import holds
from prunec.proving.code_draws import reshape_codes
from prunec.value import Value

_MOST_GUARD_DRAWS = 40
#: Attributes of these kinds are drawn once ranks or sizes are known.
_OF_AXES = (AXES, CODES, POSITIONS, FORMULA)


class AttributeDraw:
    """The attributes of one node as they are drawn, step by step, into ``values``.

    ``derived`` are the attributes that equations give; they are not drawn here.
    """

    def __init__(
        self,
        rule: Rule,
        operator: Operator,
        templates: Templates,
        random: np.random.Generator,
        derived: frozenset[str],
    ) -> None:
        self.rule, self.operator, self.templates, self.random = rule, operator, templates, random
        self.values: dict[str, Value] = {}
        self.derived = derived
        self.defaults = {a.name: None if a.default is None else a.default.value for a in rule.attributes}
        self.optional = {a.name for a in rule.attributes if a.default is not None}
        self.placed = frozenset(self._placed())
        self.fixed: Mapping[str, Value] = {
            **operator.version_attributes,
            **templates.operators.get(operator.name, {}),
        }

    def _placed(self) -> Iterator[str]:
        """Attributes that name axes: places, and arguments of axis functions."""
        signature = self.rule.signature
        for tensor in signature.data + signature.parameters + signature.outputs:
            for axis in tensor.axes:
                if isinstance(axis.place, Name):
                    yield axis.place.name
        for call in calls(
            *(s for e in self.rule.statements if isinstance(e, Equation) for s in (e.left, e.right))
        ):
            if function_of(call).places_entries and isinstance(call.arguments[1], Name):
                yield call.arguments[1].name
        for call in axis_calls(self.rule):
            for argument in _of_kinds(call, _OF_AXES):
                if isinstance(argument, Name):
                    yield argument.name

    # --- attributes that nothing ties ---

    def free(self, tuple_rank: Callable[[str], int]) -> None:
        """Draws what is neither derived nor the place of an axis, and some that the rule does not read."""
        self.values.update(self.fixed)
        for name in self.defaults:
            if name in self.derived or name in self.placed or name in self.values:
                continue
            if self._absent(name):
                self.values[name] = self.defaults[name]
                continue
            if name in self.optional and self.random.random() < 0.4 and self._may_be_default(name):
                self.values[name] = self.defaults[name]
            else:
                self.values[name] = self._value(name, tuple_rank(name))
        for argument in self.operator.arguments:
            name = argument.name
            if name in self.defaults or name in self.fixed:
                continue
            known = argument.kind in ("boolean", "choice") or name in self.templates.values
            if argument.required or (
                known
                and name not in self.templates.leave
                and not self._typed(name)
                and self.random.random() < (0.5 if name.startswith("use_") else 0.2)
            ):
                self.values[name] = self._value(name, tuple_rank(name))

    def _absent(self, name: str) -> bool:
        """Whether the operator is known not to have an attribute, which so has its default."""
        return self.operator.lists_all and self.operator.argument(name) is None

    def _lists(self, name: str) -> bool:
        """Whether nodes have to list an attribute, whatever the rule's default is."""
        argument = self.operator.argument(name)
        return argument is not None and argument.required and argument.kind == "tuple"

    def _may_be_default(self, name: str) -> bool:
        return not self._lists(name) or isinstance(self.defaults[name], tuple)

    @staticmethod
    def _typed(name: str) -> bool:
        # Number types other than the default would make a case about rounding.
        return name.endswith("dtype")

    def guard(self) -> None:
        """Draws the attributes of the guard again until it can hold."""
        candidates = {
            name: values
            for name, values in guard_values(self.rule.when).items()
            if name in self.defaults
            and name not in self.derived
            and name not in self.fixed
            and not self._absent(name)
        }
        placed = {name: values for name, values in candidates.items() if name in self.placed}
        for name in placed:
            del candidates[name]
        for _ in range(_MOST_GUARD_DRAWS):
            waiting = (self.derived | self.placed) - self.values.keys()
            if not waiting and holds(self.rule.when, self.values, {}) is not False:
                return
            if waiting and self._may_hold(candidates):
                return
            for name, values in candidates.items():
                options: list[Value] = [*values, self.defaults[name]]
                argument = self.operator.argument(name)
                if argument is not None and argument.kind == "boolean":
                    options += [True, False]
                if argument is not None and argument.kind == "choice":
                    options += argument.choices
                self.values[name] = options[int(self.random.integers(len(options)))]

    def _may_hold(self, candidates: Mapping[str, Sequence[Value]]) -> bool:
        """Whether the parts of the guard that speak of drawn attributes hold."""
        guard = self.rule.when
        parts = guard.items if isinstance(guard, Logic) and guard.operator == "and" else (guard,)
        for part in parts:
            names = set(guard_values(part))
            if part is not None and names and names <= self.values.keys() | candidates.keys():
                if holds(part, self.values, {}) is False:
                    return False
        return True

    def _value(self, name: str, rank: int) -> Value:
        argument = self.operator.argument(name)
        values = self.templates.values
        menu = values.get(f"{self.operator.name}.{name}", values.get(name))
        if argument is None:
            # The operator does not have it: what the framework ignores is left out, or takes its default.
            options: list[Value] = [v for v in guard_values(self.rule.when).get(name, ()) if v is not None]
            return options[int(self.random.integers(len(options)))] if options else self.defaults.get(name)
        if argument.kind == "choice":
            words = [w for w in argument.choices if menu is None or w in menu] or list(argument.choices)
            return words[int(self.random.integers(len(words)))]
        if argument.kind == "boolean":
            return bool(self.random.integers(2))
        if argument.kind == "tuple":
            return tuple(self._number(argument, menu) for _ in range(rank))
        return self._number(argument, menu)

    def _number(self, argument: Argument, menu: Optional[Sequence[Value]]) -> Value:
        if menu:
            return menu[int(self.random.integers(len(menu)))]
        if argument.kind == "integer" or argument.kind == "tuple":
            return int(self.random.integers(1, 4))
        if argument.kind == "float":
            return round(float(self.random.uniform(0.2, 2.0)), 2)
        return ""

    # --- attributes that name axes ---

    def places(self, tensors: Sequence[TensorPattern], before: Callable[[TensorPattern, int], int]) -> None:
        """Where placed axes stand, from the front or from the end."""
        for tensor in tensors:
            for position, axis in enumerate(tensor.axes):
                if not isinstance(axis.place, Name) or axis.place.name in self.values:
                    continue
                index, rank = before(tensor, position), before(tensor, len(tensor.axes))
                # Behind the last axis stands nothing that could be counted from the end.
                negative = self.random.random() < 0.3 and index < rank
                default = self.defaults.get(axis.place.name)
                if isinstance(default, int) and default in (index, index - rank):
                    self.values[axis.place.name] = default
                else:
                    place = index - rank if negative else index
                    self.values[axis.place.name] = self.shaped(axis.place.name, [place])

    def functions(
        self, tensors: Sequence[TensorPattern], ranks: Mapping[str, int]
    ) -> dict[str, Optional[int]]:
        """The arguments of axis functions; gives the sizes that these ask for (ones to be squeezed)."""
        sizes: dict[str, Optional[int]] = {}
        for call in axis_calls(self.rule):
            rest = call.arguments[0]
            if not isinstance(rest, Rest):
                continue
            rank = ranks.get(rest.name, 0)
            for argument in _of_kinds(call, (AXES,)):
                if isinstance(argument, Name) and argument.name not in self.values:
                    self.values[argument.name] = self._axes(function_of(call), argument.name, rank)
                if isinstance(argument, Name) and function_of(call).takes_ones_away:
                    sizes.update(self._squeezed(rest.name, rank, self.values[argument.name]))
        return sizes

    def _axes(self, function: Function, name: str, rank: int) -> Value:
        argument = self.operator.argument(name)
        single = argument is not None and argument.kind == "integer"
        listed = self._lists(name)
        if name in self.optional and self.random.random() < 0.2:
            return self.defaults[name]
        if function.draw_axes is not None:
            drawn = function.draw_axes(rank, self.random)
            return (drawn,) if listed and isinstance(drawn, int) else drawn
        count = 1 if single or rank < 2 else int(self.random.integers(1, rank + 1))
        chosen = sorted(int(i) for i in self.random.permutation(rank)[:count])
        if self.random.random() < 0.3:
            chosen = [index - rank for index in chosen]
        return (
            chosen[0]
            if chosen and (single or (len(chosen) == 1 and not listed and self.random.random() < 0.5))
            else tuple(chosen)
        )

    def _squeezed(self, rest: str, rank: int, axes: Value) -> dict[str, Optional[int]]:
        if axes is None:
            return {indexed(rest, i): 1 for i in range(rank) if self.random.random() < 0.4}
        entries = axes if isinstance(axes, tuple) else (axes,)
        return {indexed(rest, int(i) % rank): 1 for i in entries if isinstance(i, int) and rank}

    def views(
        self, tensors: Sequence[TensorPattern], ranks: Mapping[str, int], sizes: Mapping[str, Any]
    ) -> None:
        """The codes of a reshape, once the sizes are known."""
        for call in axis_calls(self.rule):
            rest, codes = call.arguments[0], call.arguments[1] if len(call.arguments) > 1 else None
            dialect = function_of(call).view
            if dialect is not None and isinstance(rest, Rest) and isinstance(codes, Name):
                shape = [int(sizes[indexed(rest.name, i)]) for i in range(ranks[rest.name])]
                third = call.arguments[2] if len(call.arguments) > 2 else None
                flag = isinstance(third, Name) and bool(self.values.get(third.name))
                self.values[codes.name] = reshape_codes(
                    dialect, shape, flag, self.random, self.templates.codes
                )

    def positions(self, tensors: Sequence[TensorPattern], sizes: Mapping[str, Optional[int]]) -> None:
        """Lists of elements to take, once the sizes are known; those that inputs carry may be tables."""
        carried = {tensor.name for tensor in tensors if tensor.value}
        for call in axis_calls(self.rule):
            if function_of(call).elements is None:
                continue
            name, listed = call.arguments
            if isinstance(name, Name) and isinstance(listed, Name):
                size = sizes[name.name] or 0
                rank = int(self.random.choice((1, 2, 3), p=(0.4, 0.4, 0.2))) if listed.name in carried else 1
                shape = tuple(int(length) for length in self.random.choice((1, 1, 2, 3, 4), rank))
                self.values[listed.name] = self._positions(size, shape)

    def _positions(self, size: int, shape: Sequence[int]) -> Value:
        """A table of positions: in order or not, each once while there are enough, or any; some from the
        end."""
        count = prod(shape)
        some = self.random.permutation(size) if self.random.random() < 0.5 else np.arange(size)
        chosen = (
            some[np.arange(count) % size]
            if self.random.random() < 0.7
            else self.random.integers(size, size=count)
        )
        if self.random.random() < 0.3:
            chosen = np.where(self.random.random(count) < 0.5, chosen, chosen - size)
        return _as_tuples(chosen.reshape(shape).tolist())

    def listed(self, name: str, rank: int) -> Value:
        """Axes that the entries of other attributes speak of; ``None`` for all, in order."""
        if name in self.optional and self.random.random() < 0.3:
            return self.defaults[name]
        count = int(self.random.integers(1, rank + 1)) if rank else 0
        chosen = [int(i) for i in self.random.permutation(rank)[:count]]
        return tuple(i - rank if self.random.random() < 0.3 else i for i in chosen)

    # --- the result ---

    def shaped(self, name: str, numbers: Sequence[Optional[int]]) -> Value:
        """Numbers as the value of an attribute: a tuple, or a single number where the operator takes one."""
        argument = self.operator.argument(name)
        if len(numbers) == 1 and (argument is None or argument.kind != "tuple"):
            return numbers[0]
        return tuple(numbers)

    def node_attributes(self) -> dict[str, Value]:
        """What the node says: all that is drawn, but for some defaults and what is not given."""
        given: dict[str, Value] = {}
        for name, value in self.values.items():
            if name in self.operator.version_attributes:
                continue
            argument = self.operator.argument(name)
            # "None" is written only where leaving the attribute out would mean something else.
            silent = value is None and self.defaults.get(name) is None
            if value == "" or (silent and not (argument is not None and argument.required)):
                continue
            if argument is None and not self._takes(name):
                continue
            if name in self.optional and value == self.defaults[name] and self.random.random() < 0.5:
                continue
            given[name] = value
        return given

    def _takes(self, name: str) -> bool:
        """Whether the operator takes an attribute that it does not list."""
        operator = self.operator
        return not operator.arguments or name in guard_values(self.rule.when) or operator.takes_any


def _of_kinds(call: Call, kinds: Sequence[str]) -> list[Expression]:
    """The arguments of a call that are of some kinds."""
    form = function_of(call).form(len(call.arguments)) or ()
    return [argument for argument, kind in zip(call.arguments, form) if kind in kinds]


def _as_tuples(entries: Any) -> Value:
    return tuple(_as_tuples(entry) for entry in entries) if isinstance(entries, list) else entries


def axis_calls(rule: Rule) -> Iterator[Call]:
    """The axis functions of a rule: in its signature, and behind ``keep`` and ``mixes``."""
    signature = rule.signature
    axes: list[Axis] = [a for t in signature.data + signature.parameters + signature.outputs for a in t.axes]
    for axis in axes:
        if isinstance(axis.item, Call):
            yield axis.item
    for statement in rule.statements:
        if isinstance(statement, (Keep, Mixes)):
            for target in statement.targets:
                if isinstance(target, Call):
                    yield target


def guard_values(guard: Optional[Expression]) -> dict[str, tuple[Value, ...]]:
    """For each attribute of a guard the values that decide it, and those beside them."""
    found: dict[str, list[Value]] = {}

    def walk(item: Optional[Expression], wanted: bool) -> None:
        if isinstance(item, Logic):
            for part in item.items:
                walk(part, wanted)
        elif isinstance(item, Not):
            walk(item.item, not wanted)
        elif isinstance(item, Name):
            found.setdefault(item.name, []).append(wanted)
        elif isinstance(item, Membership) and isinstance(item.item, Name):
            found.setdefault(item.item.name, []).extend(choice.value for choice in item.choices)
        elif isinstance(item, Comparison):
            for side, other in ((item.left, item.right), (item.right, item.left)):
                if isinstance(side, Name) and isinstance(other, Literal):
                    values = found.setdefault(side.name, [])
                    values.append(other.value)
                    if isinstance(other.value, (int, float)) and not isinstance(other.value, bool):
                        values += [other.value + 1, other.value - 1]
                elif isinstance(side, Name):
                    found.setdefault(side.name, [])

    walk(guard, True)
    return {name: tuple(values) for name, values in found.items()}


def lengths(guard: Optional[Expression]) -> dict[str, int]:
    """The attributes of which a guard says how many entries they have."""
    parts = guard.items if isinstance(guard, Logic) and guard.operator == "and" else (guard,)
    found: dict[str, int] = {}
    for part in parts:
        if isinstance(part, Comparison) and part.operator == "==" and isinstance(part.left, Call):
            argument, count = part.left.arguments[0], part.right
            if (
                function_of(part.left).counts_entries
                and isinstance(argument, Name)
                and isinstance(count, Literal)
            ):
                if isinstance(count.value, int):
                    found[argument.name] = count.value
    return found
