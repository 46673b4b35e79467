"""Lowering: a bound rule's statements, read for one node, as data that needs no syntax tree."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import Iterator, Mapping, Optional, Sequence

from prunec.language.functions import function_of
from prunec.language.functions.codes import read_codes
from prunec.language.functions.positions import chosen_positions, listed_positions
from prunec.language.syntax import (
    Call,
    Discontinuous,
    Equation,
    Expression,
    Literal,
    MultiplyAdds,
    Name,
    Neutral,
    Passes,
    Rest,
    Rule,
    Scales,
    Signature,
    Zero,
)
from prunec.lowering.bound import Bound
from prunec.lowering.expansion import variadic_names
from prunec.lowering.expressions import Scalar, Scope, Unspreadable, indexed, spread
from prunec.lowering.lowered import AttributeEdit, CodesEdit, LoweredRule, Passing, RuleHeader, ZeroClaim
from prunec.lowering.name_roles import zero_inputs
from prunec.lowering.reasons import RuleReason
from prunec.lowering.signatures import axis_names, equations, slots_of
from prunec.sizes import OpenShape
from prunec.value import Value


def lower(
    bound: Bound,
    value_inputs: tuple[tuple[str, int], ...] = (),
    kept: Mapping[str, RuleReason] = {},
) -> LoweredRule:
    """The rule of a node as the stages behind read it; ``value_inputs`` are the attributes that inputs carry,
    ``kept`` are names that must stay for what the rest of the graph does, with reasons."""
    rule = bound.rule
    variadic = variadic_names(slots_of(signature_of(rule)))
    scope = Scope(bound.attributes, axis_names(rule), bound.ranks, bound.counts, variadic)
    costs = [hint for hint in rule.hints if isinstance(hint, MultiplyAdds)]
    return LoweredRule(
        attributes=bound.attributes,
        inputs=bound.inputs,
        implied=bound.implied,
        outputs=bound.outputs,
        parameter_slots=bound.parameter_slots,
        sizes=bound.sizes,
        regroupings=bound.regroupings,
        kept={**bound.kept, **kept},
        attribute_sized=bound.attribute_sized,
        mixed=bound.mixed,
        contracted=bound.contracted,
        balanced=bound.balanced,
        size_values=bound.size_values,
        open=bound.open,
        header=header(rule),
        edits=tuple(_edits(bound, scope)),
        codes=() if bound.open else tuple(_codes(bound)),
        vanishing=tuple(_vanishing(bound)),
        zeros=_zeros(rule),
        passes=_passes(bound),
        neutral=_neutral(rule),
        scales=frozenset(hint.tensor.name for hint in rule.hints if isinstance(hint, Scales)),
        value_inputs=value_inputs,
        costly=bool(costs),
        multiply_adds=_multiply_adds(bound, costs[0], scope) if costs else None,
        discontinuous=is_discontinuous(rule),
    )


def signature_of(rule: Rule) -> Signature:
    """The signature of a rule that is bound; an opaque rule, which has none, never is."""
    return rule.signature


def header(rule: Rule) -> RuleHeader:
    """How messages name a rule that has a signature."""
    first = rule.operators[0]
    return RuleHeader(rule.label, first.name, rule.span, first.span, signature_of(rule).span)


def is_discontinuous(rule: Rule) -> bool:
    """Whether a change in the last bit of an input can change an output as it likes."""
    return any(isinstance(hint, Discontinuous) for hint in rule.hints)


# --- attributes ------------------------------------------------------------------------------


def _edits(bound: Bound, scope: Scope) -> Iterator[AttributeEdit]:
    for equation in equations(bound.rule):
        with suppress(Unspreadable):
            edit = _edit(equation, bound, scope)
            if edit is not None:
                yield edit


def _edit(equation: Equation, bound: Bound, scope: Scope) -> Optional[AttributeEdit]:
    """What an equation says of the attribute on one of its sides.  Raises :class:`Unspreadable`."""
    for side, other in ((equation.left, equation.right), (equation.right, equation.left)):
        name = _attribute(side, bound)
        if name is None:
            continue
        values = tuple(spread(other, scope))
        if not isinstance(side, Call):
            return AttributeEdit(name, values)
        wholes = tuple(spread(side.arguments[1], scope))
        inner = side.arguments[0]
        places = _places(inner, bound, len(values)) if isinstance(inner, Call) else None
        return AttributeEdit(name, values, side.function, wholes, places)
    return None


def _attribute(side: Expression, bound: Bound) -> Optional[str]:
    if isinstance(side, Call) and function_of(side).invert_keeping_style is not None:
        side = side.arguments[0]
    if isinstance(side, Call) and function_of(side).places_entries:
        side = side.arguments[0]
    if isinstance(side, Name) and bound.attributes.get(side.name) is not None:
        return side.name
    return None


def _places(on: Call, bound: Bound, rank: int) -> tuple[int, ...]:
    """The axes that the entries of a list belong to."""
    axes = on.arguments[1]
    value = bound.attributes.get(axes.name) if isinstance(axes, Name) else None
    return tuple(range(rank)) if value is None else tuple(listed_positions(value, rank))


def _codes(bound: Bound) -> Iterator[CodesEdit]:
    """The reshape codes in which numbers stand for sizes."""
    for call in _calls(bound):
        dialect = function_of(call).view
        if dialect is None:
            continue
        rest, attribute = call.arguments[:2]
        assert isinstance(rest, Rest) and isinstance(attribute, Name)
        codes = bound.attributes[attribute.name]
        shape: OpenShape = tuple(
            bound.sizes.get(indexed(rest.name, i)) for i in range(bound.ranks[rest.name])
        )
        reverse = bool(_flag(call, bound))
        view = read_codes(dialect, codes if isinstance(codes, tuple) else (codes,), shape, reverse)  # type: ignore[arg-type]
        literals = [(code, indexed("=view", n)) for n, code in enumerate(view.literal) if code is not None]
        yield CodesEdit(attribute.name, tuple(literals))


def _flag(call: Call, bound: Bound) -> Value:
    if len(call.arguments) < 3:
        return None
    argument = call.arguments[2]
    if isinstance(argument, Literal):
        return argument.value
    return bound.attributes.get(argument.name) if isinstance(argument, Name) else None


def _vanishing(bound: Bound) -> Iterator[str]:
    for call in _calls(bound):
        if not function_of(call).takes_ones_away:
            continue
        rest, argument = call.arguments[:2]
        assert isinstance(rest, Rest)
        value = bound.attributes.get(argument.name) if isinstance(argument, Name) else None
        if isinstance(argument, Name) and (value is None or function_of(call).leaves_others):
            places = chosen_positions(value, False, bound.ranks.get(rest.name, 0), default_all=True)
            yield from (indexed(rest.name, i) for i in places)


def _calls(bound: Bound) -> Iterator[Call]:
    """The axis functions of outputs."""
    for tensor in signature_of(bound.rule).outputs:
        for axis in tensor.axes:
            if isinstance(axis.item, Call):
                yield axis.item


# --- statements ------------------------------------------------------------------------------


def _zeros(rule: Rule) -> tuple[ZeroClaim, ...]:
    return tuple(
        ZeroClaim(s.tensor.name, None if s.condition is None else zero_inputs(s.condition))
        for s in rule.statements
        if isinstance(s, Zero)
    )


def _passes(bound: Bound) -> tuple[Passing, ...]:
    """What the rule says of tensors that are connected."""
    said = [s for s in bound.rule.statements if isinstance(s, Passes)]
    inputs = {tensor.slot: place for place, tensor in enumerate(bound.inputs)} if said else {}
    outputs = {tensor.slot: place for place, tensor in enumerate(bound.outputs)} if said else {}
    return tuple(
        Passing(inputs[s.passed.name], outputs[s.output.name], inputs[s.zero.name])
        for s in said
        if s.passed.name in inputs and s.zero.name in inputs and s.output.name in outputs
    )


def _neutral(rule: Rule) -> dict[str, float]:
    found: dict[str, float] = {}
    for hint in rule.hints:
        if isinstance(hint, Neutral):
            value = hint.value.value
            number = float(value) if isinstance(value, (int, float)) else 0.0
            found.setdefault(hint.tensor.name, number)
    return found


def _multiply_adds(bound: Bound, hint: MultiplyAdds, scope: Scope) -> Scalar:
    """What one run costs, ``None`` where the sizes it needs are not known."""
    declared = {attribute.name for attribute in bound.rule.attributes}
    names = frozenset(name.split(".")[0] for name in bound.sizes) - declared
    entries: Sequence[Scalar] = ()
    with suppress(Unspreadable):
        entries = spread(hint.count, replace(scope, axis_names=names))
    return entries[0] if len(entries) == 1 else None
