"""From a bound rule and the layouts of a node's inputs to a program on atoms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Optional, Sequence

from prunec.channels.assemble import Assembler
from prunec.channels.layout import (
    ChannelProgram,
    InputReason,
    Layout,
    NamedSize,
    Reason,
    TensorResult,
    unsized,
)
from prunec.channels.scope import Array, FactorScope, places_of, refinable
from prunec.channels.zeros import Zeros
from prunec.lowering.bound import BoundTensor, GatherTerm, PlainAxis, Reversed, SumTerm, axis_size, names_of
from prunec.lowering.lowered import LoweredRule
from prunec.lowering.reasons import ReasonKind, RuleReason
from prunec.sizes import closed
from prunec.support.diagnostics import Span


@dataclass(frozen=True)
class UnseenParameter:
    """Stands for the layout of a parameter that no rule has given a layout yet; ``value`` masks it."""

    value: float = 0.0


#: What is known of an input: a layout, a parameter still without one, or nothing (``None``).
InputLayout = Optional["Layout | UnseenParameter"]


def derive(
    bound: LoweredRule,
    layouts: Sequence[InputLayout],
    strict: bool,
    whole: bool = False,
    alone: bool = False,
) -> ChannelProgram:
    """The program of a node with these input layouts.

    ``strict`` keeps the channels that the operator combines over, instead of marking them approximate; with
    ``whole`` rows of tables go where they cannot while columns do; ``alone`` says that what enters the node
    follows from parameters alone.
    """
    return _Derivation(bound, layouts, strict, whole, alone).program()


class _Derivation:
    def __init__(
        self,
        bound: LoweredRule,
        layouts: Sequence[InputLayout],
        strict: bool,
        whole: bool,
        alone: bool,
    ) -> None:
        self.bound = bound
        self.alone = alone
        self.layouts = layouts
        self.strict = strict
        count = sum(len(layout.arrays) for layout in layouts if isinstance(layout, Layout))
        self.scope = FactorScope(count, bound.header.span, whole)
        self.names: dict[str, list[int]] = {}
        self.approximate: list[tuple[int, str, Span]] = []
        self.produced: list[int] = []
        self.balances: list[tuple[int, Span]] = []

    def program(self) -> ChannelProgram:
        bound, scope = self.bound, self.scope
        value = 0
        for slot, layout in enumerate(self.layouts):
            if isinstance(layout, Layout):
                self._import(slot, bound.inputs[slot], layout, value)
                value += len(layout.arrays)
            elif layout is None:
                self._import_unknown(bound.inputs[slot])
        for group in bound.regroupings:
            reason = RuleReason(ReasonKind.BROKEN_VIEW, bound.header.span)
            before = scope.track([f for name in group.before for f in self._ids(name)])
            after = scope.track([f for name in group.after for f in self._ids(name)])
            scope.align(before, after, reason)
        for name, kept in bound.kept.items():
            self._keep(name, kept)
        scope.unify()
        untouched = {n: own.value for n, own in enumerate(self.layouts) if isinstance(own, UnseenParameter)}
        zeros = Zeros(bound, self._ids, untouched, self.alone)
        fresh_tensors = [bound.inputs[n] for n in untouched] + list(bound.implied)
        self._make_fresh(fresh_tensors)
        self._balance_parts()
        scope.unify()
        self._mix(zeros)
        scope.link_rows()
        self.balances += [(a.value, scope.span) for a in scope.arrays if a.split and len(a.factors) > 1]
        names = self._named_sizes()
        assembler = Assembler(scope, self._ids, self.bound.sizes)
        adopted = {n: assembler.tensor(bound.inputs[n], _masked(value)) for n, value in untouched.items()}
        implied = tuple(assembler.tensor(t, _masked(bound.neutral.get(t.slot, 0.0))) for t in bound.implied)
        outputs = tuple(assembler.tensor(t, zeros.output(t.slot)) for t in bound.outputs)
        self.balances += [(value, scope.span) for value in assembler.balances]
        return ChannelProgram(
            steps=tuple(scope.steps),
            ties=tuple(scope.ties),
            keeps=tuple(scope.keeps),
            balances=tuple(self.balances),
            rows=tuple(scope.rows),
            approximate=tuple(self.approximate),
            produced=tuple(self.produced),
            outputs=outputs,
            parameter_layouts=adopted,
            implied=implied,
            names=names,
            position_atoms=assembler.position_atoms,
        )

    # --- names and inputs ---

    def _ids(self, name: str) -> list[int]:
        if name not in self.names:
            size = self.bound.sizes.get(name)
            self.names[name] = self.scope.track([] if size == 1 else [self.scope.factor(size)])
        return self.names[name]

    def _keep(self, name: str, reason: Reason) -> None:
        for factor in self._ids(name):
            self.scope.kept.setdefault(factor, reason)

    def _import_unknown(self, tensor: BoundTensor) -> None:
        for axis in tensor.axes or ():
            for name in names_of(axis):
                self._keep(name, RuleReason(ReasonKind.UNKNOWN_INPUT, tensor.span))

    def _import(self, slot: int, tensor: BoundTensor, layout: Layout, value: int) -> None:
        scope = self.scope
        factors = [scope.factor(size) for axis in layout.open_axes for size in axis]
        spanned = {position for array in layout.arrays for position in array}
        for position, factor in enumerate(factors):
            if position not in spanned:
                scope.kept[factor] = InputReason(slot, position)
        flags = layout.of_rows or (False,) * len(layout.arrays)
        zero = layout.zero or (False,) * len(layout.arrays)
        for n, positions in enumerate(layout.arrays):
            own = [factors[p] for p in positions]
            scope.add(Array(own, value + n, of_rows=flags[n], zero_in={slot: zero[n]}))
        start = 0
        axes = [scope.track(factors[start : (start := start + len(axis))]) for axis in layout.axes]
        for axis, local in zip(tensor.axes or (), axes):
            self._match(axis, local, tensor)

    def _match(self, axis: PlainAxis, local: list[int], tensor: BoundTensor) -> None:
        """Makes the factors of a tensor's axis and those of the rule's axis the same."""
        scope = self.scope
        reason = RuleReason(ReasonKind.MISALIGNED, tensor.span, tensor.label)
        sums = [term for term in axis if isinstance(term, SumTerm)]
        if sums and len(local) > 1:
            self._flatten(local, reason)
        pattern: list[int] = []
        sum_factors: list[tuple[SumTerm, list[int]]] = []
        for term in axis:
            if isinstance(term, SumTerm):
                size = axis_size((term,), self.bound.sizes)
                factors = scope.track([] if size == 1 else [scope.factor(size)])
                sum_factors.append((term, factors))
                pattern += factors
            else:
                pattern += self._ids(term if isinstance(term, str) else term.name)
        if not refinable([scope.sizes[f] for f in pattern], [scope.sizes[f] for f in local]):
            self._flatten(local, reason)
        scope.align(scope.track(pattern), local, reason)
        for term, factors in sum_factors:
            self._cut(term, factors, tensor, reason)

    def _cut(self, term: SumTerm, factors: list[int], tensor: BoundTensor, reason: Reason) -> None:
        """Hands the parts of a sum their pieces of the atom arrays."""
        scope = self.scope
        every = [axis_size(part, self.bound.sizes) for part in term.parts]
        sizes = [closed(size) for size in every]
        if len(factors) != 1 or None in sizes:
            for factor in factors:
                scope.kept.setdefault(factor, unsized(reason) if None in sizes else reason)
        start = 0
        whole = [array for array in scope.arrays if any(f in array.factors for f in factors)]
        usable = len(factors) == 1 and None not in sizes
        for part, own, size in zip(term.parts, every, sizes):
            if size == 0:
                continue
            piece = scope.track([] if size == 1 else [scope.factor(own)])
            for array in whole if usable else []:
                position = array.factors.index(factors[0])
                value = scope.step("slice", array.value, position, start, start + (size or 0))
                kept_factors = list(array.factors)
                if size == 1:
                    value = scope.step("first", value, position)
                    del kept_factors[position]
                else:
                    kept_factors[position] = piece[0]
                if kept_factors:
                    piece_array = Array(kept_factors, value, split=len(kept_factors) > 1)
                    piece_array.zero_in = dict(array.zero_in)
                    scope.add(piece_array)
                elif size == 1 and part:
                    scope.keep(value, RuleReason(ReasonKind.SINGLE_PART, tensor.span))
            if factors and factors[0] in scope.kept and piece:
                scope.kept[piece[0]] = scope.kept[factors[0]]
            start += size or 0
            self._match(part, piece, tensor)
        if usable:
            # The parts speak for the whole from here on; what is dropped by the rule stays free.
            scope.arrays = [array for array in scope.arrays if not any(array is w for w in whole)]

    def _flatten(self, local: list[int], reason: Reason) -> None:
        Assembler(self.scope, self._ids, self.bound.sizes).flatten(local, reason, self.scope.arrays)

    # --- mixing, balance, zeros ---

    def _mix(self, zeros: Zeros) -> None:
        """Marks, or in strict mode keeps, what shortens an axis that the operator combines over.

        Rows of a table are no shorter when columns go, so only what shrinks a factor itself counts.
        """
        operator = self.bound.header.operator
        for name, mixing in self.bound.mixed.items():
            for factor in self._ids(name):
                arrays = [a for a in self.scope.arrays if factor in a.factors]
                if mixing.unless is not None:
                    arrays = [a for a in arrays if not zeros.where(mixing.unless, a)]
                shrinking = [a for a in arrays if a.factors[-1] == factor]
                # A row goes with all of it, which is zero where the columns are.
                if len(shrinking) < len(arrays):
                    shrinking.append(self.scope.row_array([factor]))
                self._not_exact(shrinking, mixing.because, mixing.span)
        for name in self._consumed():
            factors = self._ids(name)
            arrays = [a for a in self.scope.arrays if a.factors[-1] in factors]
            arrays = [a for a in arrays if not zeros.contracted(name, a)]
            text = f"{operator} sums over {name}, and a computed weight is not zero where masked"
            self._not_exact(arrays, text, self.bound.header.span)

    def _not_exact(self, arrays: Sequence[Array], text: str, span: Span) -> None:
        if not self.strict:
            self.approximate += [(a.value, text, span) for a in arrays]
            return
        for array in arrays:
            self.scope.keep(array.value, RuleReason(ReasonKind.STRICT, span, text))

    def _consumed(self) -> list[str]:
        """Names on data and on connected parameters, and on no output: the operator sums over them."""
        data: dict[str, None] = {}
        learned: set[str] = set()
        for tensor in self.bound.inputs + self.bound.implied:
            if tensor.slot in self.bound.parameter_slots:
                learned.update(tensor.names)
            else:
                data.update(dict.fromkeys(tensor.names))
        given = {name for t in self.bound.outputs for name in t.names}
        return [name for name in data if name in learned and name not in given]

    def _balance_parts(self) -> None:
        """Parts that stay equally long are the rows of a table."""
        scope = self.scope
        groups = (
            [sorted(self.bound.balanced, key=lambda n: int(n.rsplit(".", 1)[1]))]
            if self.bound.balanced
            else []
        )
        for names in groups:
            per_part = [self._ids(name) for name in names]
            places = places_of(scope.arrays)
            spans = [[scope.arrays[n] for n in places.get(ids[-1], ())] if ids else [] for ids in per_part]
            simple = all(
                len(ids) == 1 and len(a) == 1 and a[0].factors == ids for ids, a in zip(per_part, spans)
            )
            if simple and len(names) > 1:
                size = self.scope.shape(per_part[0])[0]
                rows = [scope.step("reshape", a[0].value, (1, size)) for a in spans]
                self.balances.append((scope.step("concat", tuple(rows), 0), scope.span))
            elif any(spans) and len(names) > 1:
                self._tie_parts(per_part, spans)

    def _tie_parts(self, parts: list[list[int]], spans: list[list[Array]]) -> None:
        # Parts that are not plain lists of channels stay equal by losing the same positions.
        scope = self.scope
        reason = RuleReason(ReasonKind.EQUAL_PARTS, self.bound.header.span)
        for ids, arrays in zip(parts, spans):
            same = [a for a in spans[0] if len(a.factors) == len(arrays[0].factors)] if arrays else []
            if (
                len(arrays) == len(spans[0]) == 1
                and same
                and scope.shape(arrays[0].factors) == scope.shape(same[0].factors)
            ):
                if arrays[0] is not same[0]:
                    scope.tie(same[0].value, arrays[0].value)
                continue
            for factor in ids + parts[0]:
                scope.kept.setdefault(factor, reason)

    # --- fresh atoms ---

    def _make_fresh(self, tensors: Sequence[BoundTensor]) -> None:
        allowed = {name for t in tensors for name in t.names} | self.bound.attribute_sized
        for tensor in [*tensors, *self.bound.outputs]:
            for axis in tensor.axes or ():
                self._fresh_axis(axis, [], allowed)

    def _fresh_axis(self, axis: PlainAxis, rows: list[int], allowed: set[str]) -> None:
        scope = self.scope
        for term in axis:
            if isinstance(term, SumTerm):
                for part in term.parts:
                    self._fresh_axis(part, rows, allowed)
            if isinstance(term, (SumTerm, GatherTerm)):
                continue
            name = term.name if isinstance(term, Reversed) else term
            rows = rows + self._ids(name)
            new = [
                f
                for f in self._ids(name)
                if name in allowed
                and f not in scope.kept
                and not scope.covered(f)
                and closed(scope.sizes[f]) is not None
            ]
            if new:
                alone = {a.factors[0] for a in scope.arrays if len(a.factors) == 1}
                factors = [f for f in rows if f not in alone and closed(scope.sizes[f]) is not None]
                # Only factors that something removes, or that are rows of such, make sense as rows.
                value = scope.step("fresh", scope.shape(factors))
                scope.add(Array(factors, value, split=True))
                self.produced.append(value)

    def _named_sizes(self) -> dict[str, tuple[NamedSize, ...]]:
        named: dict[str, tuple[NamedSize, ...]] = {}
        arrays = self.scope.arrays
        places = places_of(arrays)
        for name, factors in self.names.items():
            if self.bound.sizes.get(name) == 0:
                named[name] = (NamedSize(0, ()),)
                continue
            named[name] = tuple(
                NamedSize(
                    self.scope.sizes[f],
                    tuple((arrays[n].value, arrays[n].factors.index(f)) for n in places.get(f, ())),
                )
                for f in factors
            )
        return named


def _masked(value: float) -> Callable[[Array], bool]:
    """Whether a parameter's removed elements are zero, which have a value when masked."""
    return lambda array: not value


__all__ = ["InputLayout", "TensorResult", "UnseenParameter", "derive"]
