"""What the names of a bound rule mean: kept, made by an attribute, combined over, or free to go."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Mapping, Sequence, Union

from prunec.language.canonical import print_tensor
from prunec.language.functions import function_of
from prunec.language.functions.base import Open
from prunec.language.syntax import (
    Call,
    Contracts,
    Expression,
    Holds,
    Keep,
    Mixes,
    Name,
    Rest,
    Rule,
    ZeroCondition,
)
from prunec.language.tree import axis_names, walk
from prunec.lowering.bound import BoundTensor, Mixing, Regrouping, SumTerm, ZeroInputs, names_of
from prunec.lowering.expansion import Expander
from prunec.lowering.expressions import Scalar, Scope, Unspreadable, indexed, names_in, spread
from prunec.lowering.reasons import ReasonKind, RuleReason
from prunec.lowering.signatures import equations, slots_of


@dataclass(frozen=True)
class NameRoles:
    """The names that cannot be removed, each with the reason; those that an attribute makes;
    those the operator combines over, and those that it contracts; and what outputs hold that hold sizes, by
    their index."""

    kept: Mapping[str, RuleReason]
    attribute_sized: frozenset[str]
    mixed: Mapping[str, Mixing]
    contracted: tuple[str, ...]
    size_values: Mapping[int, tuple[Scalar, ...]]


def roles_of(
    rule: Rule,
    scope: Scope,
    expander: Expander,
    inputs: Sequence[BoundTensor],
    outputs: Sequence[BoundTensor],
) -> NameRoles:
    """What names mean, from the slots that take tensors, those that give them, and the statements."""
    made = _made(rule, scope, inputs, outputs)
    size_values = _held(rule, scope, outputs)
    in_values = {name for scalars in size_values.values() for scalar in scalars for name in names_in(scalar)}
    in_values |= _read_as_sizes(rule, scope)
    mixed: dict[str, Mixing] = {}
    kept: dict[str, RuleReason] = {}
    for statement in rule.statements:
        if isinstance(statement, (Keep, Mixes)):
            for target in statement.targets:
                _mark(rule, statement, target, expander, kept, mixed)
    written = {tensor.name: tensor for tensor in slots_of(rule.signature)}
    for name, place in _alone([*inputs, *outputs], expander.regroupings):
        if not (name in kept or name in made or name in mixed or name in in_values):
            kept[name] = RuleReason(ReasonKind.ALONE, place.span, print_tensor(written[place.slot]))
    for name in expander.fixed:
        kept.setdefault(name, RuleReason(ReasonKind.FIXED_SIZE, rule.signature.span))
    return NameRoles(kept, made, mixed, _contracted(rule, expander), size_values)


def is_open(rule: Rule, inputs: Sequence[BoundTensor], outputs: Sequence[BoundTensor]) -> bool:
    """Whether an axis list that matters could not be written out: one of an output, or one that
    shares a name with another slot."""
    if any(tensor.axes is None for tensor in outputs):
        return True
    if all(tensor.axes is not None for tensor in inputs):
        return False
    names = {
        tensor.name: {name for axis in tensor.axes for name in axis_names(axis.item)}
        for tensor in slots_of(rule.signature)
    }
    for tensor in inputs:
        others = set().union(*(own for slot, own in names.items() if slot != tensor.slot))
        if tensor.axes is None and names[tensor.slot] & others:
            return True
    return False


def zero_inputs(condition: ZeroCondition) -> ZeroInputs:
    """A condition on tensors as data."""
    return ZeroInputs(tuple(name.name for name in condition.tensors), condition.operator == "or")


def _mark(
    rule: Rule,
    statement: Union[Keep, Mixes],
    target: Union[Name, Rest, Call],
    expander: Expander,
    kept: dict[str, RuleReason],
    mixed: dict[str, Mixing],
) -> None:
    try:
        names = expander.pick(target, expander.counts)
    except Open:
        return
    told = statement.because
    for name in names:
        if isinstance(statement, Keep):
            reason = told.text if told is not None else f"the rule says {statement.span.text.strip()}"
            kept[name] = RuleReason(ReasonKind.STATED, statement.span, reason)
        else:
            because = told.text if told is not None else f"{rule.operators[0].name} combines over {name}"
            unless = None if statement.unless is None else zero_inputs(statement.unless)
            mixed[name] = Mixing(because, unless, statement.span)


def _contracted(rule: Rule, expander: Expander) -> tuple[str, ...]:
    """The plain names of axes that the rule says are contracted, as far as they are known."""
    found: dict[str, None] = {}
    for hint in rule.hints:
        for target in hint.targets if isinstance(hint, Contracts) else ():
            with suppress(Open):
                found.update(dict.fromkeys(expander.pick(target, expander.counts)))
    return tuple(found)


def _alone(
    tensors: Sequence[BoundTensor], regroupings: Sequence[Regrouping]
) -> list[tuple[str, BoundTensor]]:
    """Names that stand in one place only, but for parts of sums, with the slot they stand in."""
    places: dict[str, tuple[int, bool, BoundTensor]] = {}
    for tensor in tensors:
        for axis in tensor.axes or ():
            for term in axis:
                in_sum = isinstance(term, SumTerm)
                for name in names_of((term,)):
                    count = places[name][0] if name in places else 0
                    places[name] = (count + 1, in_sum, tensor)
    regrouped = {name for group in regroupings for name in group.before + group.after}
    return [
        (name, tensor)
        for name, (count, in_sum, tensor) in places.items()
        if count == 1 and not in_sum and name not in regrouped
    ]


def _held(rule: Rule, scope: Scope, outputs: Sequence[BoundTensor]) -> dict[int, tuple[Scalar, ...]]:
    """For each output that holds sizes, by its index, the expression of every element."""
    size_values: dict[int, tuple[Scalar, ...]] = {}
    for statement in rule.statements:
        if isinstance(statement, Holds):
            index = next((n for n, t in enumerate(outputs) if t.slot == statement.tensor.name), None)
            with suppress(Unspreadable):
                if index is not None:
                    size_values[index] = tuple(spread(statement.value, scope))
    return size_values


def _read_as_sizes(rule: Rule, scope: Scope) -> set[str]:
    """The plain names of rests of which outputs hold some sizes: those of the others are not read at all."""
    rests = {
        part.name
        for statement in rule.statements
        if isinstance(statement, Holds)
        for part in walk(statement.value)
        if isinstance(part, Rest)
    }
    return {indexed(name, n) for name in rests for n in range(scope.ranks.get(name, 0))}


def _made(
    rule: Rule, scope: Scope, inputs: Sequence[BoundTensor], outputs: Sequence[BoundTensor]
) -> frozenset[str]:
    """Names on outputs only whose size an equation takes from an attribute."""
    used = {name for t in inputs for name in t.names}
    out = {name for t in outputs for name in t.names} - used
    made: set[str] = set()
    for equation in equations(rule) if out else ():
        for side, other in ((equation.left, equation.right), (equation.right, equation.left)):
            if _is_attribute_side(side, scope.axis_names):
                with suppress(Unspreadable):
                    made |= {n for scalar in spread(other, scope) for n in names_in(scalar)}
    return frozenset(made & out)


def _is_attribute_side(side: Expression, axis_names: frozenset[str]) -> bool:
    if isinstance(side, Call) and function_of(side).makes_axes:
        return _is_attribute_side(side.arguments[0], axis_names)
    return isinstance(side, Name) and side.name not in axis_names
