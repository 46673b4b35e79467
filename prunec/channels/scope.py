"""Factors and atom arrays while one rule is being derived: splitting, joining, tying.

A factor is a number; lists of factors (of names, of tensor axes) and arrays refer to it.  Splitting or
renaming a factor changes every list and array that mentions it, so that all of them always speak
of the same factors.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Optional, Sequence

from prunec.channels.layout import Reason, Step, unsized
from prunec.lowering.reasons import ReasonKind, RuleReason
from prunec.sizes import OpenSize, Size, closed, quotient
from prunec.support.diagnostics import Span


@dataclass(eq=False)
class Array:
    """An atom array: the factors it spans, outer to inner, and the number of its value."""

    factors: list[int]
    value: int
    split: bool = False
    """Whether it came to span more factors here: then its rows must be balanced."""
    of_rows: bool = False
    """Whether it holds the atoms that follow the rows of a table."""
    zero_in: dict[int, bool] = field(default_factory=dict)
    """For each input that it came from whether what it removes is zero there."""
    zero: Optional[bool] = None
    """Whether what it removes is zero in the tensor being put together, where that is settled."""


@dataclass
class FactorScope:
    """The factors and arrays of one derivation, and the program steps made so far."""

    first_value: int
    span: Span
    """The place in the rule that ties are put down to."""
    whole: bool = False
    """Whether whole rows of tables are to go, where that and losing columns exclude each other."""
    sizes: list[Optional[Size]] = field(default_factory=list)
    arrays: list[Array] = field(default_factory=list)
    kept: dict[int, Reason] = field(default_factory=dict)
    steps: list[Step] = field(default_factory=list)
    ties: list[tuple[int, int, Span]] = field(default_factory=list)
    keeps: list[tuple[int, Reason]] = field(default_factory=list)
    rows: list[tuple[int, tuple[int, ...], int, Span]] = field(default_factory=list)
    row_values: dict[tuple[int, ...], int] = field(default_factory=dict)
    mentions: dict[int, list[list[int]]] = field(default_factory=dict)
    """For each factor the tracked lists that mention it, and maybe some that did."""
    spans: dict[int, list[Array]] = field(default_factory=dict)
    """For each factor the arrays that span it, and maybe some that did."""

    def factor(self, size: Optional[Size]) -> int:
        """A new factor."""
        self.sizes.append(size)
        return len(self.sizes) - 1

    def track(self, factors: Sequence[int]) -> list[int]:
        """A list of factors that follows splits and renamings."""
        tracked = list(factors)
        self.mention(tracked)
        return tracked

    def mention(self, tracked: list[int]) -> None:
        """To be told of a tracked list that mentions other factors now."""
        for factor in dict.fromkeys(tracked):
            self.mentions.setdefault(factor, []).append(tracked)

    def hold(self, array: Array) -> None:
        """To be told of an array that spans other factors now."""
        for factor in dict.fromkeys(array.factors):
            self.spans.setdefault(factor, []).append(array)

    def add(self, array: Array) -> None:
        """One more array."""
        self.arrays.append(array)
        self.hold(array)

    def step(self, *step: object) -> int:
        """Adds a step; gives the number of its value."""
        self.steps.append(step)
        return self.first_value + len(self.steps) - 1

    def shape(self, factors: Sequence[int]) -> tuple[int, ...]:
        """The sizes of factors that are known to be known."""
        return tuple(closed(self.sizes[f]) or 0 for f in factors)

    def tie(self, left: int, right: int) -> None:
        """The atoms of two values of one shape are the same."""
        self.ties.append((left, right, self.span))

    def keep(self, value: int, reason: Reason) -> None:
        """All atoms of a value stay."""
        self.keeps.append((value, reason))

    # --- changing factors ---

    def split(self, factor: int, outer: Size, inner: Size) -> tuple[int, int]:
        """Splits a factor into two, in every list and array."""
        new = (self.factor(outer), self.factor(inner))
        self._change(factor, new)
        for array in self.arrays:
            if factor in array.factors:
                _replace(array.factors, factor, new)
                self.hold(array)
                array.value = self.step("reshape", array.value, self.shape(array.factors))
                array.split = True
        if factor in self.kept:
            reason = self.kept.pop(factor)
            self.kept.update({new[0]: reason, new[1]: reason})
        return new

    def _change(self, old: int, new: Sequence[int]) -> None:
        """Puts factors in the place of one in all tracked lists."""
        found = self.mentions.pop(old, [])
        for factors in found:
            _replace(factors, old, new)
        for factor in new:
            self.mentions.setdefault(factor, []).extend(found)

    def rename(self, old: int, new: int) -> None:
        """Makes one factor of two of the same size."""
        if self.sizes[new] is None or (isinstance(self.sizes[new], OpenSize) and self.sizes[old] is not None):
            self.sizes[new] = self.sizes[old]
        self._change(old, (new,))
        for array in self.spans.pop(old, []):
            if old in array.factors:
                _replace(array.factors, old, (new,))
                self.hold(array)
        if old in self.kept:
            self.kept.setdefault(new, self.kept.pop(old))

    def align(self, left: list[int], right: list[int], reason: Reason) -> None:
        """Makes two tracked lists of factors with the same product one and the same list.

        Factors are split to the common refinement of both lists.  Where there is none (2·3 against
        3·2) or a size is unknown, what is left on both sides is kept, for ``reason``.
        """
        done = self._align_left(left, right)
        if done == len(left) == len(right):
            return
        ends = self._align_right(left, right, done)
        first, second = left[done : ends[0]], right[done : ends[1]]
        if len(first) == len(second) and all(
            None in (closed(self.sizes[a]), closed(self.sizes[b])) for a, b in zip(first, second)
        ):
            for a, b in zip(first, second):
                self.rename(b, a)
            return
        if any(closed(self.sizes[factor]) is None for factor in first + second):
            reason = unsized(reason)
        for factor in first + second:
            self.kept.setdefault(factor, reason)

    def _align_left(self, left: list[int], right: list[int]) -> int:
        at = 0
        while at < len(left) and at < len(right):
            a, b = left[at], right[at]
            size, other = self.sizes[a], self.sizes[b]
            if a != b:
                if size is None or other is None:
                    break
                if size == other:
                    self.rename(b, a)
                elif (count := quotient(other, size)) is not None:
                    self.split(b, size, count)
                    continue
                elif (count := quotient(size, other)) is not None:
                    self.split(a, other, count)
                    continue
                else:
                    break
            at += 1
        return at

    def _align_right(self, left: list[int], right: list[int], done: int) -> tuple[int, int]:
        i, j = len(left), len(right)
        while i > done and j > done:
            a, b = left[i - 1], right[j - 1]
            if self.sizes[a] is None or self.sizes[a] != self.sizes[b]:
                break
            if a != b:
                self.rename(b, a)
            i, j = i - 1, j - 1
        return i, j

    # --- changing arrays ---

    def reduce(self, array: Array, factors: Sequence[int]) -> None:
        """Ties an array along all factors but the given ones, so that it spans only those.

        Where the array is, the others cannot shrink from here on.
        """
        if list(factors) == array.factors:
            return
        for factor in array.factors:
            if factor not in factors:
                self.kept.setdefault(factor, RuleReason(ReasonKind.TIED_ALONG, self.span))
        before_factors, before = list(array.factors), array.value
        value = before
        for position in reversed(range(len(before_factors))):
            if before_factors[position] not in factors:
                value = self.step("first", value, position)
        array.factors, array.value = [f for f in before_factors if f in factors], value
        self.tie(before, self.expand(array, before_factors))

    def expand(self, array: Array, factors: Sequence[int]) -> int:
        """The value of an array repeated over more factors, in the order given."""
        order = [f for f in factors if f in array.factors]
        permutation = tuple(array.factors.index(f) for f in order)
        ones = tuple((closed(self.sizes[f]) or 0) if f in order else 1 for f in factors)
        if permutation == tuple(range(len(permutation))) and len(order) == len(factors):
            return array.value
        return self.step("expand", array.value, permutation, ones, self.shape(factors))

    def covered(self, factor: int) -> bool:
        """Whether some array spans a factor."""
        return any(factor in array.factors for array in self.arrays)

    def unify(self) -> None:
        """Ties arrays to each other until every factor means one thing.

        Two arrays over the same factors are one.  A factor that is kept cannot be the one that shrinks.  Two
        arrays that shrink the same factor agree on their rows.  What shrinks a row of a table follows
        the rows of that table.
        """
        while self._settle_once():
            pass

    def _settle_once(self) -> bool:
        for array in self.arrays:
            last = array.factors[-1]
            if len(set(array.factors)) < len(array.factors):
                # One factor twice over, as on a diagonal: which of its places would shrink is open.
                self.keep(array.value, RuleReason(ReasonKind.TWO_AXES, self.span))
                self.arrays.remove(array)
                return True
            if last in self.kept:
                if all(factor in self.kept for factor in array.factors):
                    self.keep(array.value, self._said(array.factors))
                    self.arrays.remove(array)
                else:
                    self.reduce(array, array.factors[:-1])
                return True
        arrays = list(self.arrays)
        places = places_of(arrays)
        merged: set[int] = set()
        for i, first in enumerate(arrays):
            if i in merged:
                continue
            for j in sorted({j for factor in first.factors for j in places[factor] if j > i}):
                if j in merged:
                    continue
                if first.factors == arrays[j].factors:
                    self._merge(first, arrays[j])
                    merged.add(j)
                elif self._settle_pair(first, arrays[j]):
                    return True
        return False

    def _said(self, factors: Sequence[int]) -> Reason:
        """Why a table stays all of whose factors do: what a rule says in words, if it does of any."""
        reasons = [self.kept[factor] for factor in factors]
        stated = (r for r in reasons if isinstance(r, RuleReason) and r.kind is ReasonKind.STATED)
        return next(stated, reasons[0])

    def _merge(self, first: Array, second: Array) -> None:
        """Makes one array of two over the same factors."""
        if first.value != second.value:
            self.tie(first.value, second.value)
        first.of_rows = first.of_rows and second.of_rows
        for slot, zero in second.zero_in.items():
            first.zero_in[slot] = first.zero_in.get(slot, True) and zero
        self.arrays.remove(second)

    def _settle_pair(self, first: Array, second: Array) -> bool:
        """Settles two arrays that share a factor; whether there was anything to do."""
        if set(first.factors) == set(second.factors):
            # The same rows and columns in another order: what shrinks differs, so nothing may but the rows.
            self._tie_rows(first, first.factors[-1:])
            return True
        if first.factors[-1] == second.factors[-1]:
            if self.whole:
                self.kept.setdefault(first.factors[-1], RuleReason(ReasonKind.WHOLE_ROWS, self.span))
                return True
            common = [f for f in first.factors if f in second.factors]
            self._tie_rows(first, common)
            self._tie_rows(second, common)
            return True
        for row, table in ((first, second), (second, first)):
            if set(row.factors) <= set(table.factors[:-1]):
                self._follow(table, row.factors, row.value)
                self.row_values.setdefault(tuple(row.factors), row.value)
                self.arrays.remove(row)
                return True
            if row.factors[-1] in table.factors[:-1]:
                self.reduce(row, [f for f in row.factors if f in table.factors[:-1]])
                return True
        return False

    def _tie_rows(self, array: Array, factors: Sequence[int]) -> None:
        """Ties the rows of a table to each other.  They cannot vanish any more, so nothing else may
        shrink the factors that they were counted by."""
        for factor in array.factors:
            if factor not in factors:
                self.kept.setdefault(factor, RuleReason(ReasonKind.TABLE_ROW, self.span))
        self.reduce(array, factors)

    # --- rows ---

    def row_array(self, factors: Sequence[int]) -> Array:
        """The array of the atoms that follow the slices along row factors of every table that has them."""
        key = tuple(factors)
        if key not in self.row_values:
            self.row_values[key] = self.step("fresh", self.shape(key))
        value = self.row_values[key]
        # Rows that were told by an array of their own follow one of the tables already.
        followed = {table for table, _, rows, _ in self.rows if rows == value}
        for table in self.arrays:
            if set(key) <= set(table.factors[:-1]) and table.value not in followed:
                self._follow(table, key, value)
        return Array(list(key), value, of_rows=True)

    def link_rows(self) -> None:
        """Relates tables that share rows, and rows that are kept, to each other; once all is settled."""
        outer = [f for array in self.arrays for f in dict.fromkeys(array.factors[:-1])]
        for factor in dict.fromkeys(outer):
            if factor in self.kept:
                self.keep(self.row_array([factor]).value, self.kept[factor])
            elif outer.count(factor) > 1:
                self.row_array([factor])

    def _follow(self, table: Array, factors: Sequence[int], value: int) -> None:
        self.rows.append((table.value, tuple(table.factors.index(f) for f in factors), value, self.span))


def places_of(arrays: Sequence[Array]) -> dict[int, list[int]]:
    """For each factor the places, in order, of the arrays that span it."""
    places: dict[int, list[int]] = {}
    for place, array in enumerate(arrays):
        for factor in dict.fromkeys(array.factors):
            places.setdefault(factor, []).append(place)
    return places


def refinable(left: Sequence[Optional[Size]], right: Sequence[Optional[Size]]) -> bool:
    """Whether two lists of known sizes with one product have a common refinement."""
    a, b = list(left), list(right)
    while a and b:
        first, second = a.pop(), b.pop()
        if first is None or second is None:
            return True
        if first == second:
            continue
        if (count := quotient(second, first)) is not None:
            b.append(count)
        elif (count := quotient(first, second)) is not None:
            a.append(count)
        else:
            return isinstance(first, OpenSize) or isinstance(second, OpenSize)
    return True


def _replace(factors: list[int], old: int, new: Sequence[int]) -> None:
    if old in factors:
        at = factors.index(old)
        factors[at : at + 1] = new
