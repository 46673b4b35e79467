"""Binding one rule to one node: slots, ranks, plain axes, sizes, and what each name means."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Mapping, Optional, Sequence

from prunec.graph import shape_text
from prunec.language.functions import function_of
from prunec.language.functions.base import ArgumentError, Open
from prunec.language.functions.positions import attribute_length
from prunec.language.syntax import Balanced, Call, Each, Equation, Name, Rest, Rule, TensorPattern
from prunec.lowering.bound import Bound, BoundTensor, PlainAxis, Regrouping
from prunec.lowering.einsum import Letters, letters_of
from prunec.lowering.expansion import Expander, variadic_names
from prunec.lowering.expressions import Scalar, Scope, Unspreadable, spread
from prunec.lowering.name_roles import is_open, roles_of
from prunec.lowering.ranks import RankSolver, own_rests
from prunec.lowering.signatures import (
    axis_names,
    equations,
    is_broadcast_list,
    is_broadcast_rest,
    may_be_one,
    slots_of,
)
from prunec.lowering.sizes import SizeSolver
from prunec.lowering.slots import Contradiction, Slots, assign_slots
from prunec.sizes import OpenShape
from prunec.value import Value

#: More axes than any tensor has, and more tensors than any node gives.
_MOST_AXES = 256
_MOST_OUTPUTS = 1 << 16


@dataclass
class _Binder:
    rule: Rule
    attributes: Mapping[str, Value]
    slots: Slots
    input_shapes: Sequence[Optional[OpenShape]]
    output_count: int
    regroupings: list[Regrouping] = field(default_factory=list)
    fixed: set[str] = field(default_factory=set)

    def bind(self, output_shapes: Sequence[Optional[OpenShape]]) -> Bound:
        signature = self.rule.signature
        self.variadic = variadic_names(slots_of(signature))
        self.equal = {s.name.name for s in self.rule.statements if isinstance(s, Balanced)}
        self.counts = {**self.slots.counts, **self._output_counts(signature.outputs)}
        outputs = [(t, i) for t in signature.outputs for i in range(self.counts.get(t.name, 1))]
        shapes = dict(enumerate(output_shapes))
        slots = [(t, i, s) for (t, i), s in zip(self.slots.inputs, self.input_shapes)]
        slots += [(t, 0, None) for t in self.slots.implied]
        slots += [(t, i, shapes.get(n)) for n, (t, i) in enumerate(outputs)]
        own = own_rests(self.rule)
        letters = self._letters()
        known = [(tensor, shape) for tensor, _, shape in slots]
        self.ranks = RankSolver(self.rule, self.attributes, known, own, letters).solve()
        self._check_ranks(slots)
        scope = self._scope()
        self.solver = SizeSolver(self.rule, self.ranks, self._balanced(scope), letters)
        self.expander = Expander(
            self.attributes,
            self.ranks,
            self.counts,
            self.variadic,
            self.solver.sizes,
            self.regroupings,
            self.fixed,
            own,
            letters,
        )
        axes = self._expand_and_solve(slots, scope)
        tensors = [
            BoundTensor(t.name, i, axes.get(n), t.span, self._firm(t)) for n, (t, i, _) in enumerate(slots)
        ]
        last = len(self.slots.inputs) + len(self.slots.implied)
        return self._finish(scope, tensors[:last], tensors[last:])

    def _letters(self) -> Optional[Letters]:
        ranks = [None if shape is None else len(shape) for shape in self.input_shapes]
        try:
            return letters_of(self.rule, self.attributes, ranks)
        except ArgumentError as error:
            raise Contradiction(str(error), self.rule.span, self._shapes_note()) from None

    def _firm(self, tensor: TensorPattern) -> bool:
        learned = tensor in self.rule.signature.parameters
        return learned or not any(may_be_one(axis.item) for axis in tensor.axes)

    # --- counts and ranks ---

    def _output_counts(self, outputs: Sequence[TensorPattern]) -> dict[str, int]:
        counts = {t.name: 1 for t in outputs}
        for tensor in outputs:
            if tensor.kind == "variadic":
                counts[tensor.name] = count = self._variadic_count(tensor.name)
                if count > _MOST_OUTPUTS:
                    raise Contradiction(
                        f"{tensor.name} would stand for {count:,} tensors", tensor.span, self._shapes_note()
                    )
        return counts

    def _variadic_count(self, slot: str) -> int:
        for statement in self.rule.statements:
            if not isinstance(statement, Equation):
                continue
            for side, other in ((statement.left, statement.right), (statement.right, statement.left)):
                if not isinstance(side, Name):
                    continue
                value = self.attributes.get(side.name)
                if isinstance(other, Name) and other.name in self.equal and not isinstance(value, tuple):
                    continue  # one size for all parts does not say how many there are
                if isinstance(other, Name) and self.variadic.get(other.name) == slot and value is not None:
                    return attribute_length(value)
                if not isinstance(other, Call):
                    continue
                target = other.arguments[0]
                stands_for = function_of(other).stands_for
                if value is None or stands_for is None or not isinstance(target, Name):
                    continue
                count = stands_for(value)
                if count is not None and slot in (target.name, self.variadic.get(target.name)):
                    return count
        return self.output_count

    def _check_ranks(self, slots: Sequence[tuple[TensorPattern, int, Optional[OpenShape]]]) -> None:
        for name, rank in self.ranks.items():
            if rank > _MOST_AXES:
                raise Contradiction(
                    f"*{name} would stand for {rank:,} axes", self.rule.span, self._shapes_note()
                )
        for tensor, _, shape in slots:
            if shape is None:
                continue
            plain = [axis.item for axis in tensor.axes]
            if not any(isinstance(item, (Rest, Each, Call)) or is_broadcast_rest(item) for item in plain):
                shorter = len(shape) < len(plain) and is_broadcast_list(tensor)
                if len(plain) != len(shape) and not shorter:
                    raise Contradiction(
                        f"{tensor.name} has {len(shape)} axes, the rule expects {len(plain)}",
                        tensor.axes_span,
                        f"its shape is {shape_text(shape)}",
                    )

    # --- axes and sizes ---

    def _expand_and_solve(
        self, slots: Sequence[tuple[TensorPattern, int, Optional[OpenShape]]], scope: Scope
    ) -> dict[int, tuple[PlainAxis, ...]]:
        axes: dict[int, tuple[PlainAxis, ...]] = {}
        solver = self.solver
        equations = self._scalar_equations(scope)
        solver.learn_broadcast(slots, ones=False)
        learned = self.rule.signature.parameters
        before = (-1, -1)
        while True:
            after = (len(axes), sum(size is not None for size in solver.sizes.values()))
            if before == after and not solver.learn_broadcast(slots, ones=True):
                break
            before = after
            for n, (tensor, index, shape) in enumerate(slots):
                if n not in axes:
                    try:
                        axes[n] = self.expander.tensor(tensor, index, shape, tensor in learned, n)
                    except Open:
                        continue
                    except ArgumentError as error:
                        raise Contradiction(str(error), tensor.axes_span, self._shapes_note()) from None
                if shape is not None:
                    solver.match(tensor, axes[n], shape)
            for left, right, equation in equations:
                solver.equate(left, right, equation)
        return axes

    def _balanced(self, scope: Scope) -> frozenset[str]:
        return frozenset(plain for name in self.equal for plain in scope.parts(name))

    def _scope(self) -> Scope:
        return Scope(self.attributes, axis_names(self.rule), self.ranks, self.counts, self.variadic)

    def _scalar_equations(self, scope: Scope) -> list[tuple[Scalar, Scalar, Equation]]:
        scalars: list[tuple[Scalar, Scalar, Equation]] = []
        for equation in equations(self.rule):
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

    def _shapes_note(self) -> str:
        parts = [
            f"{tensor.name}: {'unknown' if shape is None else shape_text(shape)}"
            for (tensor, _), shape in zip(self.slots.inputs, self.input_shapes)
        ]
        return "the inputs are " + ", ".join(parts)

    def _finish(self, scope: Scope, inputs: list[BoundTensor], outputs: list[BoundTensor]) -> Bound:
        signature = self.rule.signature
        roles = roles_of(self.rule, scope, self.expander, inputs, outputs)
        count = len(self.slots.inputs)
        return Bound(
            rule=self.rule,
            attributes=self.attributes,
            inputs=tuple(inputs[:count]),
            implied=tuple(inputs[count:]),
            outputs=tuple(outputs),
            parameter_slots=frozenset(t.name for t in signature.parameters),
            sizes=dict(self.solver.sizes),
            ranks=dict(self.ranks),
            counts=dict(self.counts),
            regroupings=tuple(self.regroupings),
            kept=roles.kept,
            attribute_sized=roles.attribute_sized,
            mixed=roles.mixed,
            contracted=roles.contracted,
            balanced=self.solver.balanced,
            size_values=roles.size_values,
            open=is_open(self.rule, inputs, outputs),
        )


def bind(
    rule: Rule,
    attributes: Mapping[str, Value],
    input_shapes: Sequence[Optional[OpenShape]],
    output_shapes: Sequence[Optional[OpenShape]],
    output_count: int,
    connected: Sequence[bool] = (),
) -> Bound:
    """Binds a rule without conditions to a node's attributes (defaults filled in) and what is known of its
    shapes; see :mod:`prunec.lowering.choosing`.

    ``output_count`` is the number of outputs that the graph uses, ``connected`` says which inputs are
    connected where some are left out.  Raises :class:`Contradiction`
    where the node does not fit the rule.
    """
    slots = assign_slots(rule, len(input_shapes), connected)
    return _Binder(rule, attributes, slots, input_shapes, output_count).bind(output_shapes)
