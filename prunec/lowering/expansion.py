"""From the axis lists of a rule to plain axes: rests, broadcasting and axis functions resolved."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Callable, Mapping, Optional, Sequence

from prunec.language.functions import function_of
from prunec.language.functions.base import AXIS, MEASURE, REST, TARGET, ArgumentError, Making, Open
from prunec.language.functions.codes import Dialect, read_codes, regrouped
from prunec.language.syntax import (
    AxisExpression,
    Broadcast,
    Call,
    Each,
    Expression,
    Fixed,
    Literal,
    Name,
    Product,
    Rest,
    Sum,
    TensorPattern,
    VariadicSum,
)
from prunec.language.tree import walk
from prunec.lowering.bound import GatherTerm, PlainAxis, Regrouping, Reversed, SumTerm, Term, axis_size
from prunec.lowering.einsum import Letters
from prunec.lowering.expressions import Scope, Sizes, indexed, spread_optional
from prunec.lowering.ranks import each_rests
from prunec.lowering.signatures import is_broadcast_list, is_lettered
from prunec.lowering.slots import holds_name
from prunec.sizes import OpenShape, OpenSize, Size, closed
from prunec.value import Value


def _making(sizes: Sizes) -> Making[PlainAxis]:
    return Making(
        one=(),
        reverse=lambda axis: tuple(Reversed(term) if isinstance(term, str) else term for term in axis),
        product=lambda axes: tuple(term for axis in axes for term in axis),
        size=lambda axis: closed(axis_size(axis, sizes)),
        is_one=lambda axis: _is_one(axis_size(axis, sizes)),
    )


def _is_one(size: Optional[Size]) -> Optional[bool]:
    return None if size is None else size == 1


@dataclass
class Expander:
    """Writes out the axis lists of one rule for one node.

    ``sizes`` may gain the sizes of names that an axis function makes; ``regroupings`` and ``fixed``
    (names of axes that have a number for a size) are filled as lists are written out.
    """

    attributes: Mapping[str, Value]
    ranks: Mapping[str, int]
    counts: Mapping[str, int]
    variadic: Mapping[str, str]
    sizes: dict[str, Optional[Size]]
    regroupings: list[Regrouping]
    fixed: set[str]
    own: frozenset[str]
    """Rests that each tensor of a variadic slot has for itself."""
    letters: Optional[Letters]

    def tensor(
        self, tensor: TensorPattern, index: int, shape: Optional[OpenShape], learned: bool, number: int
    ) -> tuple[PlainAxis, ...]:
        """The plain axes of a slot; ``index`` counts the tensors of a variadic slot, ``learned`` says that
        it is a parameter's, ``number`` counts the node's tensors, inputs first.

        Raises :class:`Open` where something is not known yet.
        """
        axes: list[PlainAxis] = []
        written = tensor.axes
        if is_broadcast_list(tensor):
            if shape is None and not learned:
                raise Open
            written = written if shape is None else written[len(written) - len(shape) :]
        for axis in written:
            if isinstance(axis.item, Rest) and axis.item.name in self.own:
                axes += self._own_rest(axis.item.name, tensor, index, shape)
            elif isinstance(axis.item, Broadcast):
                axes += self._broadcast(axis.item, tensor, len(axes), shape, learned)
            elif is_lettered(axis.item):
                axes += self._lettered(number, shape)
            else:
                axes += self._axis(axis.item, index)
        return tuple(axes)

    def pick(self, target: Name | Rest | Call, indices: Mapping[str, int]) -> list[str]:
        """The plain names that a target of ``keep`` or ``mixes`` stands for."""
        if isinstance(target, Name):
            if target.name in self.variadic:
                return [indexed(target.name, i) for i in range(indices.get(self.variadic[target.name], 0))]
            return [target.name]
        if isinstance(target, Rest):
            return self._rest(target.name)
        if function_of(target).formula is not None:
            return [] if self.letters is None else self.letters.summed
        picked = set(self._rearranged(target, TARGET))
        return [name for name in self._rest_of(target) if (name,) in picked]

    def _axis(self, item: AxisExpression, index: int) -> list[PlainAxis]:
        if isinstance(item, Rest):
            return [(name,) for name in self._rest(item.name)]
        if isinstance(item, Each):
            ranks = {self.ranks.get(name) for name in each_rests(item.item)}
            if len(ranks) != 1 or None in ranks:
                raise Open
            rank = next(iter(ranks))
            return [tuple(self._terms(item.item, index, each=i)) for i in range(rank or 0)]
        if isinstance(item, Call):
            return self._call(item)
        return [tuple(self._terms(item, index))]

    def _terms(self, item: AxisExpression, index: int, each: Optional[int] = None) -> list[Term]:
        if isinstance(item, Name):
            return [self._leaf(item.name, index, each)]
        if isinstance(item, Rest):
            return list(self._rest(item.name)) if each is None else [indexed(item.name, each)]
        if isinstance(item, Fixed):
            return self._number(item.size)
        if isinstance(item, Product):
            return [term for part in item.items for term in self._terms(part, index, each)]
        if isinstance(item, Sum):
            return [SumTerm(tuple(tuple(self._terms(part, index, each)) for part in item.items))]
        if isinstance(item, VariadicSum):
            name = item.item.name
            count = self.counts.get(self.variadic[name])
            if count is None:
                raise Open
            return [SumTerm(tuple((indexed(name, i),) for i in range(count)))]
        if isinstance(item, Call):
            return [term for axis in self._rearranged(item, AXIS) for term in axis]
        raise Open

    def _leaf(self, name: str, index: int, each: Optional[int]) -> str:
        if name in self.variadic:
            return indexed(name, index)
        return indexed(name, each) if each is not None and name in self.ranks else name

    def _number(self, size: int) -> list[Term]:
        if size == 1:
            return []
        name = f"{size}#{len(self.fixed)}"
        self.fixed.add(name)
        self.sizes[name] = size
        return [name]

    def _own_rest(
        self, name: str, tensor: TensorPattern, index: int, shape: Optional[OpenShape]
    ) -> list[PlainAxis]:
        if shape is None:
            raise Open
        rank = len(shape) - len(tensor.axes) + 1
        return [(indexed(indexed(name, index), i),) for i in range(rank)]

    def _rest(self, name: str) -> list[str]:
        if name not in self.ranks:
            raise Open
        return [indexed(name, i) for i in range(self.ranks[name])]

    def _broadcast(
        self, item: Broadcast, tensor: TensorPattern, position: int, shape: Optional[OpenShape], learned: bool
    ) -> list[PlainAxis]:
        if isinstance(item.item, Name):
            size = shape[position] if shape is not None and position < len(shape) else None
            return self._or_ones([item.item.name], (size,))
        names = self._rest(item.item.name)
        if shape is None:
            # It may hold a one anywhere: only a parameter is as large as what it meets.
            if not learned:
                raise Open
            return [(name,) for name in names]
        own = len(shape) - len(tensor.axes) + 1
        aligned = names[len(names) - own :] if own else []
        return self._or_ones(aligned, shape[position : position + own])

    def _lettered(self, number: int, shape: Optional[OpenShape]) -> list[PlainAxis]:
        """The axes that a formula gives a tensor; an input may hold a one in the place of any."""
        if self.letters is None:
            raise Open
        names = self.letters.names(number)
        if not self.letters.takes(number):
            return [(name,) for name in names]
        if shape is None:
            raise Open
        return self._or_ones(names, shape)

    def _or_ones(self, names: Sequence[str], sizes: OpenShape) -> list[PlainAxis]:
        """Axes that hold names, or a one in the place of a name that has another size."""
        return [
            () if size == 1 and self.sizes.get(name) != 1 else (name,) for name, size in zip(names, sizes)
        ]

    # --- axis functions ---

    def _rest_of(self, call: Call) -> list[str]:
        first = call.arguments[0]
        if not isinstance(first, Rest):
            raise Open
        return self._rest(first.name)

    def _value(self, argument: Expression) -> Value:
        if isinstance(argument, Literal):
            return argument.value
        if isinstance(argument, Name):
            return self.attributes.get(argument.name)
        raise Open

    def _call(self, call: Call) -> list[PlainAxis]:
        function = function_of(call)
        if function.view is not None:
            return self._view(call, function.view)
        if function.regroups:
            return self._view_like(call)
        if function.elements is not None:
            return self._taken(call, function.elements)
        return self._rearranged(call, AXIS)

    def _rearranged(self, call: Call, context: str) -> list[PlainAxis]:
        """The axes that a function makes of others."""
        function = function_of(call)
        first, *others = call.arguments
        form = function.form(len(call.arguments), context)
        if function.rearrange is None or form is None:
            raise Open
        names = [first.name] if isinstance(first, Name) else self._rest_of(call)
        arguments = [self._rearranging(other, kind) for other, kind in zip(others, form[1:])]
        axes: list[PlainAxis] = [(name,) for name in names]
        return list(function.rearrange(axes, arguments, _making(self.sizes)))

    def _rearranging(self, argument: Expression, kind: str) -> Value | Sequence[object]:
        """An argument of such a function: other axes, the entries of a list, or a value."""
        if kind == REST and isinstance(argument, Rest):
            return [(name,) for name in self._rest(argument.name)]
        if kind == MEASURE:
            scope = Scope(self.attributes, frozenset(), self.ranks, self.counts, self.variadic)
            return spread_optional(argument, scope)
        return self._value(argument)

    def _taken(self, call: Call, elements: Callable[[Value, int], tuple[int, ...]]) -> list[PlainAxis]:
        """Some elements of an axis, on the axes of the list."""
        name, listed = call.arguments
        if not isinstance(name, Name) or not isinstance(listed, Name):
            raise Open
        size = closed(self.sizes.get(name.name))
        if size is None:
            raise Open
        positions = elements(self._value(listed), size)
        shape = self._list_shape(listed.name, len(positions))
        table = [axis for axis, length in enumerate(shape) if length != 1] or [0]
        sizes = tuple(shape[axis] for axis in table)
        return [
            (GatherTerm(name.name, positions, listed.name, sizes, table.index(axis)),)
            if axis in table
            else ()
            for axis in range(len(shape))
        ]

    def _list_shape(self, name: str, length: int) -> tuple[int, ...]:
        """The axes of a list of a given length: an attribute has one, an input that carries it its own."""
        rest = holds_name(name)
        if rest not in self.ranks:
            return (length,)
        shape = tuple(closed(self.sizes.get(plain)) or 0 for plain in self._rest(rest))
        if prod(shape) != length:
            raise Open
        return shape

    def _view_like(self, call: Call) -> list[PlainAxis]:
        names, other = self._rest_of(call), call.arguments[1]
        if not isinstance(other, Rest):
            raise Open
        after = self._rest(other.name)
        shape, sizes = (tuple(self.sizes.get(name) for name in axes) for axes in (names, after))
        if None in shape or None in sizes:
            raise Open
        for start, end, first, last in regrouped(shape, sizes):
            self.regroupings.append(Regrouping(tuple(names[start:end]), tuple(after[first:last])))
        return [(name,) for name in after]

    def _view(self, call: Call, dialect: Dialect) -> list[PlainAxis]:
        names = self._rest_of(call)
        codes, flag = (*map(self._value, call.arguments[1:]), None)[:2]
        entries = codes if isinstance(codes, tuple) else (codes,)
        written = [code for code in entries if isinstance(code, (int, OpenSize))]
        if len(written) != len(entries):
            raise ArgumentError(f"{codes} is not a list of reshape codes")
        shape = tuple(self.sizes.get(name) for name in names)
        view = read_codes(dialect, written, shape, bool(flag))
        after = [indexed("=view", i) for i in range(len(view.sizes))]
        self.sizes.update(zip(after, view.sizes))
        for start, end, first, last in view.segments:
            self.regroupings.append(Regrouping(tuple(names[start:end]), tuple(after[first:last])))
        return [(name,) for name in after]


def variadic_names(tensors: tuple[TensorPattern, ...]) -> dict[str, str]:
    """Names that a variadic sum indexes, each with the variadic slot whose tensors it counts."""
    compounds = [a.item for tensor in tensors for a in tensor.axes if not isinstance(a.item, (Name, Rest))]
    sums = (part for item in compounds for part in walk(item) if isinstance(part, VariadicSum))
    indexed_names = {part.item.name for part in sums}
    slots: dict[str, str] = {}
    for tensor in tensors if indexed_names else ():
        for axis in tensor.axes if tensor.kind == "variadic" else ():
            if isinstance(axis.item, (Name, Product)):
                for name in sorted(indexed_names & _plain_names(axis.item)):
                    slots.setdefault(name, tensor.name)
    return slots


def _plain_names(item: AxisExpression) -> set[str]:
    """The names of an axis but for those that a variadic sum indexes."""
    return {part.name for part in walk(item, (VariadicSum,)) if isinstance(part, Name)}
