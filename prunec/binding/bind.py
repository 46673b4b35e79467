"""Binding one rule to one node: slots, ranks, plain axes, sizes, and what each name means."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import Mapping, Optional, Sequence

from prunec.binding.bound import (
    Bound,
    BoundTensor,
    PlainAxis,
    Regrouping,
    Reversed,
    SumTerm,
    axis_size,
    names_of,
)
from prunec.binding.expansion import Expander, Open, variadic_names
from prunec.binding.expressions import (
    Scalar,
    Scope,
    Unspreadable,
    attribute_length,
    evaluate,
    indexed,
    names_in,
    solve,
    spread,
    sum_key,
)
from prunec.binding.ranks import RankSolver, own_rests, rests_in
from prunec.binding.slots import Contradiction, Slots, assign_slots
from prunec.binding.views import ViewError
from prunec.diagnostics import Span
from prunec.graph.model import Shape
from prunec.language.syntax import (
    Balanced,
    Broadcast,
    Call,
    Each,
    Equation,
    Expression,
    Holds,
    Keep,
    Mixes,
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


@dataclass
class _Binder:
    rule: Rule
    attributes: Mapping[str, Value]
    slots: Slots
    input_shapes: Sequence[Optional[Shape]]
    output_count: int
    sizes: dict[str, Optional[int]] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)
    regroupings: list[Regrouping] = field(default_factory=list)
    fixed: set[str] = field(default_factory=set)

    def bind(self, output_shapes: Sequence[Optional[Shape]]) -> Bound:
        signature = self.rule.signature
        assert signature is not None
        everything = signature.data + signature.parameters + signature.outputs
        self.variadic = variadic_names(everything)
        self.counts = {**self.slots.counts, **self._output_counts(signature.outputs)}
        outputs = [(t, i) for t in signature.outputs for i in range(self.counts.get(t.name, 1))]
        shapes = dict(enumerate(output_shapes))
        slots = [(t, i, s) for (t, i), s in zip(self.slots.inputs, self.input_shapes)]
        slots += [(t, 0, None) for t in self.slots.implied]
        slots += [(t, i, shapes.get(n)) for n, (t, i) in enumerate(outputs)]
        ranks = [(t, None if s is None else len(s)) for t, _, s in slots]
        own = own_rests(self.rule)
        self.ranks = RankSolver(self.rule, self.attributes, ranks, own).solve()
        self._check_ranks(slots)
        self.expander = Expander(
            self.attributes,
            self.ranks,
            self.counts,
            self.variadic,
            self.sizes,
            self.regroupings,
            self.fixed,
            own,
        )
        axes = self._expand_and_solve(slots)
        tensors = [
            BoundTensor(t.name, i, axes.get(n), t.span, self._firm(t)) for n, (t, i, _) in enumerate(slots)
        ]
        first, second = len(self.slots.inputs), len(self.slots.inputs) + len(self.slots.implied)
        return self._finish(tensors[:first], tensors[first:second], tensors[second:])

    def _firm(self, tensor: Tensor) -> bool:
        learned = tensor in self.rule.signature.parameters  # type: ignore[union-attr]
        return learned or not any(_is_broadcast(axis.item) for axis in tensor.axes)

    # --- counts and ranks ---

    def _output_counts(self, outputs: Sequence[Tensor]) -> dict[str, int]:
        counts = {t.name: 1 for t in outputs}
        for tensor in outputs:
            if tensor.kind == "variadic":
                counts[tensor.name] = self._variadic_count(tensor.name)
        return counts

    def _variadic_count(self, slot: str) -> int:
        for statement in self.rule.statements:
            if not isinstance(statement, Equation):
                continue
            for side, other in ((statement.left, statement.right), (statement.right, statement.left)):
                if not isinstance(side, Name):
                    continue
                value = self.attributes.get(side.name)
                if isinstance(other, Name) and self.variadic.get(other.name) == slot and value is not None:
                    return attribute_length(value)
                if not isinstance(other, Call):
                    continue
                target = other.arguments[0]
                if value is None or not isinstance(target, Name):
                    continue
                if other.function == "count" and target.name == slot and isinstance(value, int):
                    return value
                if other.function in ("offsets", "cuts") and self.variadic.get(target.name) == slot:
                    length = len(value) if isinstance(value, tuple) else 1
                    return length + (other.function == "cuts")
        return self.output_count

    def _check_ranks(self, slots: Sequence[tuple[Tensor, int, Optional[Shape]]]) -> None:
        for tensor, _, shape in slots:
            if shape is None:
                continue
            plain = [axis.item for axis in tensor.axes]
            if not any(isinstance(item, (Rest, Each, Call)) or _is_broadcast_rest(item) for item in plain):
                if len(plain) != len(shape):
                    raise Contradiction(
                        f"{tensor.name} has {len(shape)} axes, the rule expects {len(plain)}",
                        tensor.span,
                        f"its shape is {shape_text(shape)}",
                    )

    # --- axes and sizes ---

    def _expand_and_solve(
        self, slots: Sequence[tuple[Tensor, int, Optional[Shape]]]
    ) -> dict[int, tuple[PlainAxis, ...]]:
        axes: dict[int, tuple[PlainAxis, ...]] = {}
        equations = self._scalar_equations()
        self._learn_broadcast(slots, ones=False)
        learned = self.rule.signature.parameters  # type: ignore[union-attr]
        before = (-1, -1)
        while True:
            after = (len(axes), sum(size is not None for size in self.sizes.values()))
            if before == after and not self._learn_broadcast(slots, ones=True):
                break
            before = after
            for n, (tensor, index, shape) in enumerate(slots):
                if n not in axes:
                    try:
                        axes[n] = self.expander.tensor(tensor, index, shape, tensor in learned)
                    except Open:
                        continue
                    except ViewError as error:
                        raise Contradiction(str(error), tensor.span, self._shapes_note()) from None
                if shape is not None:
                    self._match(tensor, axes[n], shape)
            for left, right, equation in equations:
                self._equate(left, right, equation)
        return axes

    def _learn_broadcast(self, slots: Sequence[tuple[Tensor, int, Optional[Shape]]], ones: bool) -> bool:
        """Learns sizes that broadcast: the largest of those that meet, before it is decided which tensors
        hold the axis and which a one in its place; and one only when nothing else (``ones``) tells."""
        learned = False
        for tensor, _, shape in slots:
            for plain, size in self._broadcast_sizes(tensor, shape):
                known = self.sizes.get(plain)
                if size is None or size <= (known or 0) or (size == 1) != ones:
                    continue
                if ones and self._open_elsewhere(plain, slots):
                    continue
                self.sizes[plain] = size
                learned = True
        return learned

    def _broadcast_sizes(self, tensor: Tensor, shape: Optional[Shape]) -> list[tuple[str, Optional[int]]]:
        pairs: list[tuple[str, Optional[int]]] = []
        for position, axis in enumerate(tensor.axes if shape is not None else ()):
            assert shape is not None
            if _is_broadcast_rest(axis.item):
                name = next(rests_in(axis.item))
                names = [indexed(name, i) for i in range(self.ranks.get(name, 0))]
                own = len(shape) - len(tensor.axes) + 1
                aligned = names[len(names) - own :] if own else []
                pairs += zip(aligned, shape[position : position + own])
            elif isinstance(axis.item, Broadcast) and position < len(shape):
                pairs.append((axis.item.item.name, shape[position]))
        return pairs

    def _open_elsewhere(self, plain: str, slots: Sequence[tuple[Tensor, int, Optional[Shape]]]) -> bool:
        """Whether another slot may still show a larger size, so that a one settles nothing."""
        stem = plain.split(".")[0]
        signature = self.rule.signature
        assert signature is not None
        for tensor, _, shape in slots:
            if tensor in signature.outputs:
                continue
            if any(_is_broadcast(axis.item) and _stem(axis.item) == stem for axis in tensor.axes):
                if shape is None or None in shape:
                    return True
            elif any(stem in _stems(axis.item) for axis in tensor.axes):
                return True
        return False

    def _match(self, tensor: Tensor, axes: tuple[PlainAxis, ...], shape: Shape) -> None:
        if len(axes) != len(shape):
            raise Contradiction(
                f"{tensor.name} has {len(shape)} axes, the rule expects {len(axes)}",
                tensor.span,
                f"its shape is {shape_text(shape)}",
            )
        for position, (axis, size) in enumerate(zip(axes, shape)):
            if size is not None:
                self._match_axis(axis, size, f"axis {position} of {tensor.name}", tensor.span)

    def _match_axis(self, axis: PlainAxis, size: int, origin: str, span: Span) -> None:
        expected = axis_size(axis, self.sizes)
        if expected is not None:
            if expected != size:
                told = ", ".join(
                    f"{n} = {self.sizes[n]} ({self.origins.get(n, 'given')})" for n in names_of(axis)
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
        if size % rest:
            raise Contradiction(f"{origin} has size {size}, which does not divide by {rest}", span)
        term, size = unknown[0], size // rest
        if isinstance(term, SumTerm):
            self._match_sum(term, size, origin, span)
        else:
            self._set(term.name if isinstance(term, Reversed) else term, size, origin)

    def _match_sum(self, term: SumTerm, size: int, origin: str, span: Span) -> None:
        names = [part[0] for part in term.parts if len(part) == 1 and isinstance(part[0], str)]
        if len(names) == len(term.parts):
            self.sizes[sum_key(names)] = size
        unknown = [part for part in term.parts if axis_size(part, self.sizes) is None]
        known = sum(axis_size(part, self.sizes) or 0 for part in term.parts if part not in unknown)
        if len(set(unknown)) == 1 and (size - known) % len(unknown) == 0 and size >= known:
            self._match_axis(unknown[0], (size - known) // len(unknown), f"a part of {origin}", span)
        elif self._balanced() & {name for part in unknown for name in names_of(part)} and not known:
            if size % len(unknown):
                raise Contradiction(f"{origin} has size {size}, not {len(unknown)} equal parts", span)
            for part in unknown:
                self._match_axis(part, size // len(unknown), f"a part of {origin}", span)

    def _set(self, name: str, size: int, origin: str) -> None:
        if size >= 0 and self.sizes.get(name) is None:
            self.sizes[name] = size
            self.origins[name] = origin

    def _balanced(self) -> frozenset[str]:
        names = [s.name.name for s in self.rule.statements if isinstance(s, Balanced)]
        return frozenset(plain for name in names for plain in self._scope().parts(name))

    # --- equations ---

    def _scope(self) -> Scope:
        return Scope(self.attributes, self._axis_names(), self.ranks, self.counts, self.variadic)

    def _axis_names(self) -> frozenset[str]:
        signature = self.rule.signature
        assert signature is not None
        tensors = signature.data + signature.parameters + signature.outputs
        return frozenset(name for tensor in tensors for axis in tensor.axes for name in _stems(axis.item))

    def _scalar_equations(self) -> list[tuple[Scalar, Scalar, Equation]]:
        scalars: list[tuple[Scalar, Scalar, Equation]] = []
        for equation in active_equations(self.rule, self.attributes):
            scope = self._scope()
            try:
                left, right = spread(equation.left, scope), spread(equation.right, scope)
            except Unspreadable:
                continue
            if min(len(left), len(right)) == 0 and max(len(left), len(right)) == 1:
                continue  # a single number stands for all axes, and there are none
            length = max(len(left), len(right))
            left = left * length if len(left) == 1 else left
            right = right * length if len(right) == 1 else right
            if len(left) != len(right):
                raise Contradiction(
                    f"{equation.span.text.strip()}: {len(left)} values on the left, {len(right)} right",
                    equation.span,
                    self._shapes_note(),
                )
            scalars += [(a, b, equation) for a, b in zip(left, right)]
        return scalars

    def _equate(self, left: Scalar, right: Scalar, equation: Equation) -> None:
        left_value, right_value = evaluate(left, self.sizes), evaluate(right, self.sizes)
        if left_value is not None and right_value is not None:
            if left_value != right_value:
                names = sorted(names_in(left) | names_in(right))
                told = [f"{n} = {self.sizes[n]} ({self.origins.get(n, 'given')})" for n in names]
                raise Contradiction(
                    f"{equation.span.text.strip()} does not hold: {left_value} and {right_value}",
                    equation.span,
                    *([", ".join(told)] if told else []),
                )
            return
        for known, other in ((left_value, right), (right_value, left)):
            if known is not None:
                found = solve(other, known, self.sizes)
                if found is not None:
                    self._set(found[0], found[1], equation.span.text.strip())

    def _shapes_note(self) -> str:
        parts = [
            f"{tensor.name}: {'unknown' if shape is None else shape_text(shape)}"
            for (tensor, _), shape in zip(self.slots.inputs, self.input_shapes)
        ]
        return "the inputs are " + ", ".join(parts)

    # --- what names mean ---

    def _finish(
        self, inputs: list[BoundTensor], implied: list[BoundTensor], outputs: list[BoundTensor]
    ) -> Bound:
        signature = self.rule.signature
        assert signature is not None
        made = self._made(inputs, implied, outputs)
        held = self._held()
        mixed: dict[str, Mixes] = {}
        kept: dict[str, tuple[str, Span]] = {}
        for statement in self.rule.statements:
            if isinstance(statement, (Keep, Mixes)):
                for target in statement.targets:
                    self._mark(statement, target, kept, mixed)
        for name, span in self._alone(inputs + implied + outputs):
            if name not in made and name not in mixed and name not in held:
                kept.setdefault(name, (f"the rule uses it in one place only, {span.text}", span))
        for name in self.fixed:
            kept.setdefault(name, ("the rule gives it a fixed size", signature.span))
        balanced = (
            self._balanced() if any(isinstance(s, Balanced) for s in self.rule.statements) else frozenset()
        )
        return Bound(
            rule=self.rule,
            attributes=self.attributes,
            inputs=tuple(inputs),
            implied=tuple(implied),
            outputs=tuple(outputs),
            parameter_slots=frozenset(t.name for t in signature.parameters),
            sizes=dict(self.sizes),
            ranks=dict(self.ranks),
            counts=dict(self.counts),
            regroupings=tuple(self.regroupings),
            kept=kept,
            made=made,
            mixed=mixed,
            balanced=balanced,
            open=self._is_open(inputs + implied, outputs),
        )

    def _is_open(self, taken: list[BoundTensor], given: list[BoundTensor]) -> bool:
        """Whether an axis list that matters could not be written out: one of an output, or one that
        shares a name with another slot."""
        if any(tensor.axes is None for tensor in given):
            return True
        signature = self.rule.signature
        assert signature is not None
        stems = {t.name: set().union(*(_stems(axis.item) for axis in t.axes)) for t in _slots(signature)}
        for tensor in taken:
            others = set().union(*(names for slot, names in stems.items() if slot != tensor.slot))
            if tensor.axes is None and stems[tensor.slot] & others:
                return True
        return False

    def _mark(
        self,
        statement: Keep | Mixes,
        target: Name | Rest | Call,
        kept: dict[str, tuple[str, Span]],
        mixed: dict[str, Mixes],
    ) -> None:
        try:
            names = self.expander.pick(target, self.counts)
        except Open:
            return
        for name in names:
            if isinstance(statement, Keep):
                kept[name] = (
                    statement.because or f"the rule says {statement.span.text.strip()}",
                    statement.span,
                )
            else:
                mixed[name] = statement

    def _alone(self, tensors: list[BoundTensor]) -> list[tuple[str, Span]]:
        places: dict[str, tuple[int, bool, Span]] = {}
        for tensor in tensors:
            for axis in tensor.axes or ():
                for term in axis:
                    in_sum = isinstance(term, SumTerm)
                    for name in names_of((term,)):
                        count = places[name][0] if name in places else 0
                        places[name] = (count + 1, in_sum, tensor.span)
        regrouped = {name for group in self.regroupings for name in group.before + group.after}
        return [
            (name, span)
            for name, (count, in_sum, span) in places.items()
            if count == 1 and not in_sum and name not in regrouped
        ]

    def _held(self) -> frozenset[str]:
        """The names whose sizes an output holds."""
        names: set[str] = set()
        for statement in self.rule.statements:
            if isinstance(statement, Holds):
                with suppress(Unspreadable):
                    names |= {
                        n for scalar in spread(statement.value, self._scope()) for n in names_in(scalar)
                    }
        return frozenset(names)

    def _made(
        self, inputs: list[BoundTensor], implied: list[BoundTensor], outputs: list[BoundTensor]
    ) -> frozenset[str]:
        used = {name for t in inputs + implied for axis in t.axes or () for name in names_of(axis)}
        out = {name for t in outputs for axis in t.axes or () for name in names_of(axis)} - used
        if not out:
            return frozenset()
        made: set[str] = set()
        for equation in active_equations(self.rule, self.attributes):
            for side, other in ((equation.left, equation.right), (equation.right, equation.left)):
                if _is_attribute_side(side, self._axis_names()):
                    try:
                        for scalar in spread(other, self._scope()):
                            made |= names_in(scalar)
                    except Unspreadable:
                        continue
        return frozenset(made & out)


def _slots(signature: Signature) -> tuple[Tensor, ...]:
    return signature.data + signature.parameters + signature.outputs


def _is_attribute_side(side: Expression, axis_names: frozenset[str]) -> bool:
    if isinstance(side, Call) and side.function in ("start", "stop", "copy_zero"):
        return _is_attribute_side(side.arguments[0], axis_names)
    return isinstance(side, Name) and side.name not in axis_names


def active_equations(rule: Rule, attributes: Mapping[str, Value]) -> list[Equation]:
    """The equations of a rule that hold for these attributes."""
    from prunec.binding.guards import holds

    return [
        s for s in rule.statements if isinstance(s, Equation) and holds(s.when, attributes, {}) is not False
    ]


def _is_broadcast(item: object) -> bool:
    return isinstance(item, Broadcast)


def _is_broadcast_rest(item: object) -> bool:
    return isinstance(item, Broadcast) and isinstance(item.item, Rest)


def _stem(item: object) -> str:
    return item.item.name  # type: ignore[attr-defined, no-any-return]


def _stems(item: object) -> set[str]:
    """The names and rests of an axis."""
    if isinstance(item, (Name, Rest)):
        return {item.name}
    if isinstance(item, (Product, Sum)):
        return set().union(*(_stems(part) for part in item.items))
    if isinstance(item, (Each, Broadcast, VariadicSum)):
        return _stems(item.item)
    if isinstance(item, Call):
        return set().union(*(_stems(part) for part in item.arguments[:1]))
    return set()


def shape_text(shape: Optional[Shape]) -> str:
    """A shape as messages show it, ``?`` for a size that is not known."""
    if shape is None:
        return "unknown"
    return "(" + ", ".join("?" if size is None else str(size) for size in shape) + ")"


def bind(
    rule: Rule,
    attributes: Mapping[str, Value],
    input_shapes: Sequence[Optional[Shape]],
    output_shapes: Sequence[Optional[Shape]],
    output_count: int,
    given: Sequence[bool] = (),
) -> Bound:
    """Binds a rule to a node's attributes (defaults filled in) and what is known of its shapes.

    ``output_count`` is the number of outputs that the graph uses, ``given`` says which inputs are
    connected where some are left out.  Raises :class:`Contradiction`
    where the node does not fit the rule.
    """
    slots = assign_slots(rule, len(input_shapes), given)
    return _Binder(rule, attributes, slots, input_shapes, output_count).bind(output_shapes)
