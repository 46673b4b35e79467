"""How many axes each rest of a rule stands for, from ranks of tensors, placed axes and attributes."""

from __future__ import annotations

from typing import Iterator, Mapping, NamedTuple, Optional, Sequence

from prunec.language.functions import function_of
from prunec.language.functions.base import ITS_OWN, LIKE_LISTS
from prunec.language.functions.positions import attribute_length
from prunec.language.syntax import (
    Arithmetic,
    Axis,
    AxisExpression,
    Broadcast,
    Call,
    Each,
    Equation,
    Expression,
    Literal,
    Name,
    Rest,
    Rule,
    TensorPattern,
)
from prunec.language.tree import Item, children, walk
from prunec.lowering.einsum import Letters
from prunec.lowering.signatures import is_broadcast_list, is_broadcast_rest, slots_of
from prunec.sizes import OpenShape
from prunec.value import Value


def rests_in(item: Item) -> Iterator[str]:
    """The rests that an axis or an expression names, except inside functions whose result has a length of
    its own."""
    if isinstance(item, Rest):
        yield item.name
    elif isinstance(item, Each):
        yield from each_rests(item.item)
    elif not isinstance(item, Call) or function_of(item).length != ITS_OWN:
        for child in children(item):
            yield from rests_in(child)


def each_rests(item: AxisExpression) -> Iterator[str]:
    """The rests that a compound written once for each axis, ``*(p + c + q)``, goes over."""
    return (part.name for part in walk(item) if isinstance(part, (Name, Rest)))


def place_of(axis: Axis, attributes: Mapping[str, Value]) -> Optional[int]:
    """The index at which a placed axis stands, negative from the end; ``None`` if not known."""
    if isinstance(axis.place, Literal):
        value = axis.place.value
    elif isinstance(axis.place, Name):
        value = attributes.get(axis.place.name)
        if isinstance(value, tuple) and len(value) == 1:
            value = value[0]
    else:
        return None
    return value if isinstance(value, int) else None


class _AxisList(NamedTuple):
    """The axes of a slot: how many are ``single``, the ``rests`` that stand for others, and those that are
    ``placed``, with where they stand in the list."""

    axes: Sequence[Axis]
    single: int
    rests: tuple[str, ...]
    placed: tuple[tuple[int, Axis], ...]


def _axis_list(axes: Sequence[Axis]) -> _AxisList:
    rests = []
    for axis in axes:
        if isinstance(axis.item, Rest):
            rests.append(axis.item.name)
        elif isinstance(axis.item, Each):
            rests.append(next(rests_in(axis.item)))
    placed = tuple((n, axis) for n, axis in enumerate(axes) if axis.place is not None)
    return _AxisList(axes, len(axes) - len(rests), tuple(rests), placed)


def _tells_ranks(tensor: TensorPattern, own: frozenset[str]) -> bool:
    """Whether a slot's rank tells how many axes its rests stand for: not where it may be shorter, nor where
    a function says what axes there are."""
    return not is_broadcast_list(tensor) and not any(
        isinstance(axis.item, Call)
        or is_broadcast_rest(axis.item)
        or (isinstance(axis.item, Rest) and axis.item.name in own)
        for axis in tensor.axes
    )


class RankSolver:
    """Finds the ranks of a rule's rests by going over what is known until nothing new comes."""

    def __init__(
        self,
        rule: Rule,
        attributes: Mapping[str, Value],
        tensors: Sequence[tuple[TensorPattern, Optional[OpenShape]]],
        own: frozenset[str],
        letters: Optional[Letters] = None,
    ) -> None:
        self.attributes = attributes
        self.tensors = [(tensor, None if shape is None else len(shape)) for tensor, shape in tensors]
        self.lists = [
            (_axis_list(tensor.axes), rank) for tensor, rank in self.tensors if _tells_ranks(tensor, own)
        ]
        self.sizes = _last_sizes(tensors)
        self.ranks: dict[str, int] = {} if letters is None else {letters.rest: letters.count}
        self.sums: dict[tuple[str, ...], int] = {}
        self.same = _same_rank_sets(rule)
        self.joined: list[tuple[list[str], int]] = []
        self._from_attributes(rule)

    def solve(self) -> dict[str, int]:
        """Rest names and their ranks; a rest that stays open is absent."""
        before = (-1, -1)
        while (len(self.ranks), len(self.sums)) != before:
            before = (len(self.ranks), len(self.sums))
            for axes, rank in self.lists:
                self._from_axes(axes, rank)
            for joined, length in self.joined:
                known_length = sum(self.ranks.get(name, 0) for name in joined)
                self._learn(known_length, [name for name in joined if name not in self.ranks], length)
            for names in self.same:
                known = [self.ranks[name] for name in names if name in self.ranks]
                if known:
                    self.ranks.update((name, known[0]) for name in names if name not in self.ranks)
            if (len(self.ranks), len(self.sums)) == before:
                self._from_broadcast()
        return self.ranks

    def _from_attributes(self, rule: Rule) -> None:
        for statement in rule.statements:
            if not isinstance(statement, Equation):
                continue
            for side, other in ((statement.left, statement.right), (statement.right, statement.left)):
                length = self._tuple_length(side)
                if length is not None and isinstance(other, Call) and function_of(other).concatenates:
                    single = sum(not isinstance(a, Rest) for a in other.arguments)
                    rests = [a.name for a in other.arguments if isinstance(a, Rest)]
                    self.joined.append((rests, length - single))
                self._from_rank(side, other)
                rests = list(dict.fromkeys(rests_in(other)))
                if length is None or not rests:
                    continue
                if isinstance(other, Call):
                    length //= function_of(other).values_per_axis
                self.ranks.update((name, length) for name in rests if name not in self.ranks)

    def _from_rank(self, side: Expression, other: Expression) -> None:
        """``attribute = rank(*a)``: the attribute says how many axes a rest has; counted from the end,
        ``attribute = 0 - rank(*b)``.  In place of the attribute may stand the last axis of an input, or the
        number of entries of an attribute."""
        value: Value = None
        if isinstance(side, Name):
            value = self.attributes.get(side.name, self.sizes.get(side.name))
        elif isinstance(side, Call) and function_of(side).counts_entries:
            value = self._entry_count(side)
        if not isinstance(value, int):
            return
        if isinstance(other, Arithmetic) and other.operator == "-" and other.left == Literal(0, other.span):
            value, other = -value, other.right
        stands_for = function_of(other).stands_for if isinstance(other, Call) else None
        if stands_for is None or not isinstance(other, Call) or value < 0:
            return
        rest, rank = other.arguments[0], stands_for(value)
        if isinstance(rest, Rest) and rank is not None:
            self.ranks.setdefault(rest.name, rank)

    def _entry_count(self, call: Call) -> Optional[int]:
        """``length(attribute)`` of an attribute that is given."""
        argument = call.arguments[0]
        value = self.attributes.get(argument.name) if isinstance(argument, Name) else None
        return None if value is None else attribute_length(value)

    def _tuple_length(self, side: Expression) -> Optional[int]:
        if isinstance(side, Name):
            value = self.attributes.get(side.name)
            return len(value) if isinstance(value, tuple) and value else None
        if isinstance(side, Call) and function_of(side).elementwise is not None:
            # An attribute that speaks of the first axes only does not say how many there are.
            if function_of(side).length != LIKE_LISTS and any(rests_in(side)):
                return None
            lengths = [self._tuple_length(argument) for argument in side.arguments]
            return next((length for length in lengths if length is not None), None)
        return None

    def _from_axes(self, axes: _AxisList, rank: Optional[int]) -> None:
        fixed, open_rests = self._count(axes)
        rests = tuple(sorted(axes.rests))
        if rank is not None:
            self._learn(fixed, open_rests, rank)
            self.sums[rests] = rank - axes.single
        elif rests in self.sums:
            rank = self.sums[rests] + axes.single
        elif not open_rests:
            rank = fixed
        for position, axis in axes.placed:
            place = place_of(axis, self.attributes)
            if place is None:
                continue
            if place < 0:
                self._learn(*self._count(_axis_list(axes.axes[position:])), -place)
                if rank is None:
                    continue
            index = place if place >= 0 else place + (rank or 0)
            if index >= 0:
                self._learn(*self._count(_axis_list(axes.axes[:position])), index)

    def _learn(self, fixed: int, open_rests: list[str], total: int) -> None:
        if len(open_rests) == 1 and total >= fixed:
            self.ranks.setdefault(open_rests[0], total - fixed)

    def _count(self, axes: _AxisList) -> tuple[int, list[str]]:
        """How many axes are known of, and the rests that stand for more."""
        fixed, open_rests = axes.single, []
        for name in axes.rests:
            if name in self.ranks:
                fixed += self.ranks[name]
            else:
                open_rests.append(name)
        return fixed, open_rests

    def _from_broadcast(self) -> None:
        longest: dict[str, int] = {}
        unknown: set[str] = set()
        for tensor, rank in self.tensors:
            for axis in tensor.axes:
                if isinstance(axis.item, Broadcast) and isinstance(axis.item.item, Rest):
                    name = axis.item.item.name
                    if rank is None:
                        unknown.add(name)
                    else:
                        longest[name] = max(longest.get(name, 0), rank - len(tensor.axes) + 1)
        for name, rank in longest.items():
            if name not in unknown:
                self.ranks.setdefault(name, rank)


def _last_sizes(tensors: Sequence[tuple[TensorPattern, Optional[OpenShape]]]) -> dict[str, int]:
    """The known sizes of names that are the last axis of a tensor."""
    sizes: dict[str, int] = {}
    for tensor, shape in tensors:
        last = tensor.axes[-1].item if tensor.axes else None
        if isinstance(last, Name) and shape and isinstance(size := shape[-1], int):
            sizes.setdefault(last.name, size)
    return sizes


def own_rests(rule: Rule) -> frozenset[str]:
    """Rests that stand in one variadic slot and nowhere else: each of its tensors has its own."""
    tensors = slots_of(rule.signature)
    if all(tensor.kind != "variadic" for tensor in tensors):
        return frozenset()
    slots: dict[str, set[str]] = {}
    variadic: set[str] = set()
    for tensor in tensors:
        for axis in tensor.axes:
            for name in rests_in(axis.item):
                slots.setdefault(name, set()).add(tensor.name)
                if tensor.kind == "variadic" and isinstance(axis.item, Rest):
                    variadic.add(name)
    used = {
        name
        for statement in rule.statements
        if isinstance(statement, Equation)
        for side in (statement.left, statement.right)
        for name in rests_in(side)
    }
    return frozenset(name for name in variadic - used if len(slots[name]) == 1)


def _same_rank_sets(rule: Rule) -> list[tuple[str, ...]]:
    sets: list[tuple[str, ...]] = []
    for tensor in slots_of(rule.signature):
        for axis in tensor.axes:
            if isinstance(axis.item, Each):
                sets.append(tuple(dict.fromkeys(rests_in(axis.item))))
    for statement in rule.statements:
        if isinstance(statement, Equation):
            sides = (statement.left, statement.right)
            counted = [rest for rest in map(_counted, sides) if rest is not None]
            rests = tuple(dict.fromkeys(name for side in sides for name in rests_in(side)))
            if len(rests) > 1:
                sets.append(rests)
            elif len(counted) > 1:
                sets.append(tuple(counted))
    return sets


def _counted(side: Expression) -> Optional[str]:
    """The rest whose axes are counted: ``rank(*x)``."""
    if not isinstance(side, Call) or function_of(side).stands_for is None:
        return None
    argument = side.arguments[0]
    return argument.name if isinstance(argument, Rest) else None
