"""Sizes of a rule's names, from shapes and equations; each with where it came from, for messages."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Mapping, Optional, Sequence

from prunec.graph import shape_text
from prunec.language import tree
from prunec.language.syntax import Broadcast, Equation, Rule, TensorPattern
from prunec.lowering.bound import GatherTerm, PlainAxis, Reversed, SumTerm, axis_size, names_of
from prunec.lowering.einsum import Letters
from prunec.lowering.expressions import (
    Operation,
    Scalar,
    evaluate,
    indexed,
    least_size,
    names_in,
    solve,
    sum_key,
)
from prunec.lowering.ranks import rests_in
from prunec.lowering.signatures import is_broadcast_list, is_broadcast_rest, is_lettered, may_be_one
from prunec.lowering.slots import Contradiction, NothingLeft
from prunec.sizes import OpenShape, OpenSize, Size, quotient
from prunec.support.diagnostics import Span


@dataclass
class SizeSolver:
    """The sizes found so far.  ``balanced`` are the parts of sums that are equally long.

    Everything raises :class:`Contradiction` where two sources disagree.
    """

    rule: Rule
    ranks: Mapping[str, int]
    balanced: frozenset[str]
    letters: Optional[Letters] = None
    sizes: dict[str, Optional[Size]] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)

    def learn_broadcast(
        self, slots: Sequence[tuple[TensorPattern, int, Optional[OpenShape]]], ones: bool
    ) -> bool:
        """Learns sizes that broadcast: the largest of those that meet (zero where the others are one), before
        it is decided which tensors hold the axis and which a one in its place; and one only when nothing else
        (``ones``) tells."""
        learned = False
        for number, (tensor, _, shape) in enumerate(slots):
            for plain, size in self._broadcast_sizes(tensor, shape, number):
                known = self.sizes.get(plain)
                if (
                    size is None
                    or (size == 1) != ones
                    or (known is not None and (ones or not _says_more(size, known)))
                ):
                    continue
                if ones and self._open_elsewhere(plain, slots):
                    continue
                self.sizes[plain] = size
                learned = True
        return learned

    def _broadcast_sizes(
        self, tensor: TensorPattern, shape: Optional[OpenShape], number: int
    ) -> list[tuple[str, Optional[Size]]]:
        pairs: list[tuple[str, Optional[Size]]] = []
        for position, axis in enumerate(tensor.axes if shape is not None else ()):
            assert shape is not None
            if is_broadcast_rest(axis.item):
                name = next(rests_in(axis.item))
                names = [indexed(name, i) for i in range(self.ranks.get(name, 0))]
                own = len(shape) - len(tensor.axes) + 1
                missing = (1,) * (len(names) - own)
                pairs += zip(names, (*missing, *shape[position : position + own]))
            elif is_lettered(axis.item) and self.letters is not None and self.letters.takes(number):
                pairs += zip(self.letters.names(number), shape)
            elif isinstance(axis.item, Broadcast):
                behind_rest = any(is_broadcast_rest(before.item) for before in tensor.axes[:position])
                aligned = behind_rest or is_broadcast_list(tensor)
                place = position - (len(tensor.axes) - len(shape) if aligned else 0)
                if place < len(shape):
                    pairs.append((axis.item.item.name, shape[place] if place >= 0 else 1))
        return pairs

    def _open_elsewhere(
        self, plain: str, slots: Sequence[tuple[TensorPattern, int, Optional[OpenShape]]]
    ) -> bool:
        """Whether another slot may still show a larger size, so that a one settles nothing."""
        stem = plain.split(".")[0]
        signature = self.rule.signature
        for number, (tensor, _, shape) in enumerate(slots):
            if tensor in signature.outputs:
                continue
            if any(may_be_one(axis.item) and stem in tree.axis_names(axis.item) for axis in tensor.axes):
                if shape is None or (plain, None) in self._broadcast_sizes(tensor, shape, number):
                    return True
            elif any(stem in tree.axis_names(axis.item) for axis in tensor.axes):
                return True
        return False

    def match(self, tensor: TensorPattern, axes: tuple[PlainAxis, ...], shape: OpenShape) -> None:
        """Takes from a tensor's shape the sizes of the names on its axes, or checks them."""
        if len(axes) != len(shape):
            raise Contradiction(
                f"{tensor.name} has {len(shape)} axes, the rule expects {len(axes)}",
                tensor.axes_span,
                f"its shape is {shape_text(shape)}",
            )
        for position, (axis, size) in enumerate(zip(axes, shape)):
            if size is not None:
                self._match_axis(axis, size, f"axis {position} of {tensor.name}", tensor.axes_span)

    def _match_axis(self, axis: PlainAxis, size: Size, origin: str, span: Span) -> None:
        expected = axis_size(axis, self.sizes)
        if expected is not None:
            if isinstance(expected, OpenSize) or isinstance(size, OpenSize):
                # What is open may come to be the same; a number says more.
                if isinstance(size, int) and len(axis) == 1 and isinstance(axis[0], str):
                    self.sizes[axis[0]] = size
                    self.origins[axis[0]] = origin
                return
            if expected != size:
                told = ", ".join(
                    f"{n} = {self.sizes[n]} ({self.origins.get(n, 'given')})"
                    for n in names_of(axis)
                    if n in self.sizes
                )
                raise Contradiction(
                    f"{origin} has size {size}, the rule expects {expected}",
                    span,
                    told or "an axis of size one",
                )
            return
        unknown = [term for term in axis if axis_size((term,), self.sizes) is None]
        if len(unknown) != 1:
            return
        rest = axis_size(tuple(term for term in axis if term is not unknown[0]), self.sizes) or 1
        count = quotient(size, rest)
        if count is None:
            if isinstance(size, OpenSize) or isinstance(rest, OpenSize):
                return
            raise Contradiction(f"{origin} has size {size}, which does not divide by {rest}", span)
        term, size = unknown[0], count
        if isinstance(term, SumTerm):
            self._match_sum(term, size, origin, span)
        elif not isinstance(term, GatherTerm):
            self._set(term.name if isinstance(term, Reversed) else term, size, origin)

    def _match_sum(self, term: SumTerm, size: Size, origin: str, span: Span) -> None:
        names = [part[0] for part in term.parts if len(part) == 1 and isinstance(part[0], str)]
        if len(names) == len(term.parts):
            self.sizes[sum_key(names)] = size
        unknown = [part for part in term.parts if axis_size(part, self.sizes) is None]
        known: Size = 0
        for part in term.parts:
            known = known + ((part not in unknown and axis_size(part, self.sizes)) or 0)
        left = size - known
        share = quotient(left, len(unknown)) if unknown else None
        if len(set(unknown)) == 1 and share is not None and not _negative(left):
            self._match_axis(unknown[0], share, f"a part of {origin}", span)
        elif self.balanced & {name for part in unknown for name in names_of(part)} and known == 0:
            if share is None:
                raise Contradiction(f"{origin} has size {size}, not {len(unknown)} equal parts", span)
            for part in unknown:
                self._match_axis(part, share, f"a part of {origin}", span)

    def _set(self, name: str, size: Size, origin: str) -> None:
        if not _negative(size) and self.sizes.get(name) is None:
            self.sizes[name] = size
            self.origins[name] = origin

    def equate(self, left: Scalar, right: Scalar, equation: Equation) -> None:
        """Checks an equation, or takes from it the one size that is open."""
        left_value, right_value = evaluate(left, self.sizes), evaluate(right, self.sizes)
        if left_value is not None and right_value is not None:
            if isinstance(left_value, OpenSize) or isinstance(right_value, OpenSize):
                return
            if left_value != right_value:
                # A sum may be known as a whole while its parts are not.
                sizes_text = self._sizes_text(Operation("+", (left, right)))
                raise Contradiction(
                    f"{equation.span.text.strip()} does not hold: {left_value} and {right_value}",
                    equation.span,
                    *([sizes_text] if sizes_text else []),
                )
            return
        for known, own, other in ((left_value, left, right), (right_value, right, left)):
            if known is not None:
                if isinstance(other, str) and isinstance(known, int) and known < least_size(own):
                    raise NothingLeft(
                        f"{equation.span.text.strip()} leaves nothing: {known}",
                        equation.span,
                        f"it is larger than what it is taken from: {self._sizes_text(own)}",
                    )
                found = solve(other, known, self.sizes)
                if found is not None:
                    self._set(found[0], found[1], equation.span.text.strip())

    def _sizes_text(self, scalar: Scalar) -> str:
        """The sizes in an expression, each with where it came from."""
        names = sorted(name for name in names_in(scalar) if name in self.sizes)
        return ", ".join(f"{n} = {self.sizes[n]} ({self.origins.get(n, 'given')})" for n in names)


def _says_more(size: Size, known: Size) -> bool:
    """Whether of two sizes that broadcast the first is the one to take: a number rather than one that is
    open, and the larger number."""
    if isinstance(size, OpenSize):
        return known == 1
    return isinstance(known, OpenSize) or size > known


def _negative(size: Size) -> bool:
    return isinstance(size, int) and size < 0
