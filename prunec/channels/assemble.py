"""Putting together the layout of a tensor from a rule's names: reversed, chosen, summed, merged."""

from __future__ import annotations

from typing import Callable, Mapping, Optional, Sequence

from prunec.channels.layout import Layout, Reason, TensorResult, unsized
from prunec.channels.scope import Array, FactorScope, places_of
from prunec.lowering.bound import (
    BoundTensor,
    GatherTerm,
    PlainAxis,
    Reversed,
    SumTerm,
    axis_size,
    terms_of,
)
from prunec.lowering.expressions import Sizes
from prunec.lowering.reasons import ReasonKind, RuleReason
from prunec.sizes import closed, product


class Assembler:
    """Builds layouts of outputs and parameters within a settled scope."""

    def __init__(self, scope: FactorScope, ids: Callable[[str], list[int]], sizes: Sizes) -> None:
        self.scope = scope
        self.ids = ids
        self.sizes = sizes
        self.places: Optional[dict[int, list[int]]] = None
        """The places of the scope's arrays by factor, from when the first tensor is put together."""
        self.position_atoms: dict[str, int] = {}
        """For an attribute that lists positions the value of the atoms that they count through."""
        self.balances: list[int] = []
        """The values of tables that elements were put into: their rows lose equally."""
        self.tables: dict[tuple[str, str], list[list[int]]] = {}
        """Of the tensor at hand, the factors of elements chosen by position, by name and attribute."""

    def tensor(self, tensor: BoundTensor, zero: Callable[[Array], bool]) -> TensorResult:
        """The layout of a tensor whose axes the rule gives; ``zero`` says whether it is zero where an array
        removes something."""
        scope = self.scope
        scope.span = tensor.span
        arrays = [
            Array(list(a.factors), a.value, of_rows=a.of_rows, zero_in=a.zero_in, zero=zero(a))
            for a in self._spanning(tensor)
        ]
        reasons = dict(scope.kept)
        arrays, mirrored = self._reverse(tensor, arrays, reasons)
        self.tables = {}
        axes = [self._axis(axis, arrays, mirrored, reasons, tensor) for axis in tensor.axes or ()]
        self._part_twins(axes, arrays, reasons)
        present = {factor for axis in axes for factor in axis}
        arrays = self._restrict(arrays, present)
        self._merge(axes, arrays, reasons)
        order = [factor for axis in axes for factor in axis]
        layout = Layout(
            tuple(tuple(scope.sizes[f] for f in axis) for axis in axes),
            tuple(tuple(order.index(f) for f in a.factors) for a in arrays),
            tuple(bool(a.zero) for a in arrays),
            tuple(a.of_rows for a in arrays),
        )
        spanned = {f for a in arrays for f in a.factors}
        default = RuleReason(ReasonKind.TABLE_ROW, tensor.span)
        why = tuple(None if f in spanned else reasons.get(f, default) for f in order)
        return TensorResult(layout, tuple(a.value for a in arrays), why)

    def _spanning(self, tensor: BoundTensor) -> list[Array]:
        """The arrays over any of a tensor's factors; of a node with many tensors each knows a few."""
        arrays = self.scope.arrays
        if self.places is None:
            self.places = places_of(arrays)
        factors = {factor for name in set(tensor.names) for factor in self.ids(name)}
        return [arrays[n] for n in sorted({n for f in factors for n in self.places.get(f, ())})]

    def _reverse(
        self, tensor: BoundTensor, arrays: list[Array], reasons: dict[int, Reason]
    ) -> tuple[list[Array], dict[int, int]]:
        """Arrays with what the tensor reverses turned round, and the factors that stand for what is; a name
        that stands there as it is too has arrays of both kinds."""
        terms = [term for axis in tensor.axes or () for term in terms_of(axis)]
        names = {term.name for term in terms if isinstance(term, Reversed)}
        straight = {f for term in terms if isinstance(term, str) and term in names for f in self.ids(term)}
        mirrored: dict[int, int] = {}
        for name in sorted(names):
            for factor in self.ids(name):
                mirrored[factor] = self.scope.factor(self.scope.sizes[factor])
                if factor in reasons:
                    reasons[mirrored[factor]] = reasons[factor]
        result = []
        for array in arrays:
            flipped = tuple(p for p, f in enumerate(array.factors) if f in mirrored)
            if flipped:
                if straight.intersection(array.factors):
                    result.append(array)
                value = self.scope.step("flip", array.value, flipped)
                factors = [mirrored.get(f, f) for f in array.factors]
                array = Array(factors, value, of_rows=array.of_rows, zero=array.zero)
            result.append(array)
        return result, mirrored

    def _part_twins(self, axes: list[list[int]], arrays: list[Array], reasons: dict[int, Reason]) -> None:
        """Gives a factor that stands on two axes a number of its own on the second, with the same atoms."""
        seen: set[int] = set()
        for axis in axes:
            for at, factor in enumerate(axis):
                if factor in seen:
                    twin = self.scope.factor(self.scope.sizes[factor])
                    axis[at] = twin
                    if factor in reasons:
                        reasons[twin] = reasons[factor]
                    for array in [a for a in arrays if factor in a.factors]:
                        factors = [twin if f == factor else f for f in array.factors]
                        arrays.append(Array(factors, array.value, of_rows=array.of_rows, zero=array.zero))
                seen.add(axis[at])

    def _axis(
        self,
        axis: PlainAxis,
        arrays: list[Array],
        mirrored: Mapping[int, int],
        reasons: dict[int, Reason],
        tensor: BoundTensor,
    ) -> list[int]:
        factors: list[int] = []
        for term in axis:
            if isinstance(term, SumTerm):
                factors += self._sum(term, arrays, mirrored, reasons, tensor)
            elif isinstance(term, Reversed):
                factors += [mirrored[f] for f in self.ids(term.name)]
            elif isinstance(term, GatherTerm):
                key = (term.name, term.attribute)
                if key not in self.tables:
                    self.tables[key] = self._take(term, arrays, reasons, tensor)
                factors += self.tables[key][term.axis]
            else:
                factors += self.ids(term)
        return factors

    def _take(
        self, term: GatherTerm, arrays: list[Array], reasons: dict[int, Reason], tensor: BoundTensor
    ) -> list[list[int]]:
        """The factors, for each axis of the list, of elements that are chosen by position: the same for all
        rows of a table."""
        scope = self.scope
        reason = RuleReason(ReasonKind.BY_POSITION, tensor.span)
        factors = list(self.ids(term.name))
        if len(factors) != 1:
            self.flatten(factors, reason, arrays)
            reasons.setdefault(factors[0], scope.kept.get(factors[0], reason))
        factor = factors[0]
        own = next((array for array in arrays if array.factors[-1] == factor), None)
        if own is None:
            self._keep_rows(factor, reason, arrays)
        else:
            scope.reduce(own, [factor])
            self.position_atoms[term.attribute] = own.value
        single = len(term.positions) == 1
        new = scope.factor(len(term.positions))
        reasons[new] = reasons.get(factor, reason)
        for array in [array for array in arrays if factor in array.factors]:
            at = array.factors.index(factor)
            array.value = scope.step("take", array.value, at, term.positions)
            array.factors[at] = new
            if single and array is own:
                scope.keep(array.value, reason)
                arrays.remove(array)
            elif single:
                array.value = scope.step("first", array.value, at)
                del array.factors[at]
        if single:
            return [[]]
        return [[new]] if len(term.sizes) == 1 else self._fill_table(new, term.sizes, arrays, reasons)

    def _fill_table(
        self, factor: int, sizes: Sequence[int], arrays: Sequence[Array], reasons: dict[int, Reason]
    ) -> list[list[int]]:
        """Puts the elements of a factor into a table, row by row; gives the factors of its axes."""
        scope = self.scope
        new = [scope.factor(size) for size in sizes]
        reasons.update((part, reasons[factor]) for part in new)
        for array in [array for array in arrays if factor in array.factors]:
            at = array.factors.index(factor)
            array.factors[at : at + 1] = new
            array.value = scope.step("reshape", array.value, scope.shape(array.factors))
            self.balances.append(array.value)
        return [[part] for part in new]

    def _sum(
        self,
        term: SumTerm,
        arrays: list[Array],
        mirrored: Mapping[int, int],
        reasons: dict[int, Reason],
        tensor: BoundTensor,
    ) -> list[int]:
        scope = self.scope
        size = axis_size((term,), self.sizes)
        if size == 1:
            return []
        parts = [part for part in term.parts if axis_size(part, self.sizes) != 0]
        if len(parts) == 1:
            return self._axis(parts[0], arrays, mirrored, reasons, tensor)
        total = scope.factor(size)
        if not parts:
            reasons[total] = RuleReason(ReasonKind.EMPTY_AXIS, tensor.span)
            return [total]
        default = RuleReason(ReasonKind.SINGLE_PART, tensor.span)
        pieces: list[tuple[Optional[Array], Optional[int], Reason]] = []
        lasts: Optional[dict[int, Array]] = None
        for part in parts:
            factors = self._axis(part, arrays, mirrored, reasons, tensor)
            reason = next((reasons[f] for f in factors if f in reasons), default)
            part_size = closed(axis_size(part, self.sizes))
            if len(factors) > 1:
                factors = list(factors)
                self.flatten(factors, reason, arrays)
                lasts = None
            if lasts is None or not all(isinstance(inner, str) for inner in part):
                lasts = {a.factors[-1]: a for a in reversed(arrays)}
            array = lasts.get(factors[0]) if factors else None
            if array is None and factors:
                self._keep_rows(factors[0], reason, arrays)
            pieces.append((array, part_size, reason))
        if all(array is None for array, _, _ in pieces) or closed(size) is None:
            for array, _, _ in pieces:
                if array is not None:
                    scope.keep(array.value, unsized(default))
            reasons[total] = pieces[0][2]
            return [total]
        whole = next((reason for array, _, reason in pieces if array is None), None)
        tables = [array for array, _, _ in pieces if array is not None and len(array.factors) > 1]
        if whole is not None and tables:
            # Columns beside elements that stay, as padded positions are: they stay too, and rows may go.
            for array, _, _ in pieces:
                if array is not None and len(array.factors) > 1:
                    scope.reduce(array, array.factors[:-1])
                elif array is not None:
                    scope.keep(array.value, whole)
                    arrays.remove(array)
            reasons[total] = whole
            return [total]
        rows = list(dict.fromkeys(f for a, _, _ in pieces if a is not None for f in a.factors[:-1]))
        values = tuple(
            self._piece(array, part_size or 0, rows, reason) for array, part_size, reason in pieces
        )
        value = scope.step("concat", values, len(rows))
        zero = all(array.zero for array, _, _ in pieces if array is not None)
        arrays.append(Array([*rows, total], value, zero=zero))
        return [total]

    def _keep_rows(self, factor: int, reason: Reason, arrays: Sequence[Array]) -> None:
        """Nothing of a factor goes that stands in a sum and is the row of tables only."""
        for table in [a for a in arrays if factor in a.factors[:-1]]:
            self.scope.keep(self._rows(table, [factor]).value, reason)

    def _piece(self, array: Optional[Array], size: int, rows: Sequence[int], reason: Reason) -> int:
        scope = self.scope
        if array is None:
            value = scope.step("fresh", (*scope.shape(rows), size))
            scope.keep(value, reason)
            return value
        return scope.expand(array, [*rows, array.factors[-1]])

    def _restrict(self, arrays: Sequence[Array], present: set[int]) -> list[Array]:
        """The arrays over factors of one tensor: rows that are not there are tied, and of a table whose
        columns are not there the rows are followed."""
        result: list[Array] = []
        without_columns: list[Array] = []
        for array in arrays:
            if array.factors[-1] not in present:
                without_columns.append(array)
                continue
            missing = [f for f in array.factors if f not in present]
            if missing:
                self.scope.reduce(array, [f for f in array.factors if f in present])
            twin = next((a for a in result if a.factors == array.factors), None)
            if twin is None:
                result.append(array)
            elif twin.value != array.value:
                self.scope.tie(twin.value, array.value)
                twin.zero = bool(twin.zero and array.zero)
        for array in without_columns:
            rows = [f for f in array.factors if f in present]
            if rows and not any(set(rows) <= set(other.factors) for other in result):
                result.append(self._rows(array, rows))
        return result

    def _rows(self, table: Array, rows: list[int]) -> Array:
        """Atoms that follow rows of a table which may be known under mirrored factors only here."""
        if any(a.value == table.value for a in self.scope.arrays):
            return self.scope.row_array(rows)
        value = self.scope.step("fresh", self.scope.shape(rows))
        dimensions = tuple(table.factors.index(f) for f in rows)
        self.scope.rows.append((table.value, dimensions, value, self.scope.span))
        return Array(rows, value, of_rows=True)

    def _merge(self, axes: list[list[int]], arrays: Sequence[Array], reasons: dict[int, Reason]) -> None:
        """Makes one factor of neighbours that always go together, so that layouts stay short."""
        for axis in axes:
            at = 0
            while at + 1 < len(axis):
                outer, inner = axis[at], axis[at + 1]
                if self._mergeable(outer, inner, arrays):
                    self._merge_pair(axis, at, arrays, reasons)
                else:
                    at += 1

    def _merge_pair(
        self, axis: list[int], at: int, arrays: Sequence[Array], reasons: dict[int, Reason]
    ) -> None:
        scope = self.scope
        outer, inner = axis[at], axis[at + 1]
        a, b = scope.sizes[outer], scope.sizes[inner]
        merged = scope.factor(None if a is None or b is None else a * b)
        axis[at : at + 2] = [merged]
        if outer in reasons or inner in reasons:
            reasons[merged] = reasons.get(outer, reasons.get(inner))  # type: ignore[assignment]
        for array in arrays:
            if outer in array.factors:
                position = array.factors.index(outer)
                array.factors[position : position + 2] = [merged]
                array.value = scope.step("reshape", array.value, scope.shape(array.factors))

    @staticmethod
    def _mergeable(outer: int, inner: int, arrays: Sequence[Array]) -> bool:
        for array in arrays:
            if (outer in array.factors) != (inner in array.factors):
                return False
            if outer in array.factors and array.factors.index(inner) != array.factors.index(outer) + 1:
                return False
        return True

    def flatten(self, factors: list[int], reason: Reason, arrays: list[Array]) -> None:
        """Makes one factor of all the factors of an axis (a list that is changed in place).

        Only one array can be spread over the whole axis; where several live on it, the outermost
        stays and what the others span is kept, for ``reason``.
        """
        scope = self.scope
        sizes = [scope.sizes[f] for f in factors]
        total = None if None in sizes else product(size or 0 for size in sizes)
        flat = scope.factor(total)
        for array in arrays:
            if array.factors[-1] not in factors and any(f in array.factors for f in factors):
                # It has the axis for rows, which lose their names here: they are tied.
                scope.reduce(array, [f for f in array.factors if f not in factors])
        touching = [a for a in arrays if a.factors[-1] in factors]
        if closed(total) is None:
            reason = unsized(reason)
            for array in touching:
                scope.keep(array.value, reason)
                arrays.remove(array)
            touching = []
        for array in touching[1:]:
            scope.keep(array.value, reason)
            arrays.remove(array)
        if touching:
            self._flatten_array(touching[0], factors, flat)
        else:
            scope.kept[flat] = next((scope.kept[f] for f in factors if f in scope.kept), reason)
        factors[:] = [flat]
        scope.mention(factors)

    def _flatten_array(self, array: Array, factors: Sequence[int], flat: int) -> None:
        scope = self.scope
        inside = [f for f in array.factors if f in factors]
        if inside != [f for f in factors if f in inside]:
            # In another order the k-th of each row is no longer the k-th of the axis: tie the rows.
            scope.reduce(array, [f for f in array.factors if f not in inside[:-1]])
        rows = [f for f in array.factors if f not in factors]
        value = scope.expand(array, [*rows, *factors])
        array.value = scope.step("reshape", value, (*scope.shape(rows), *scope.shape([flat])))
        array.factors = [*rows, flat]
        scope.hold(array)
