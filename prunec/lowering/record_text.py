"""A lowered rule as text: what became of each part of a rule for one node."""

from __future__ import annotations

from typing import Iterator, Sequence

from prunec.graph import shape_text
from prunec.lowering.bound import BoundTensor, GatherTerm, PlainAxis, Reversed, SumTerm, Term, ZeroInputs
from prunec.lowering.expressions import Operation, Scalar
from prunec.lowering.lowered import AttributeEdit, LoweredRule
from prunec.sizes import OpenSize
from prunec.value import Value

#: How tightly operators bind; what binds less tightly stands in parentheses.
_TIGHTNESS = {"+": 1, "-": 1, "*": 2, "/": 2}


def rule_text(rule: LoweredRule) -> str:
    """The record, a line for each thing it says, in a fixed order.

    Sizes that are not known are shown as ``?``.
    """
    lines = [f"rule {rule.header.label} at {rule.header.operator_span.place}"]
    lines += [f"  {name} = {_value_text(value)}" for name, value in rule.attributes.items()]
    for kind, tensors in (("input", rule.inputs), ("implied", rule.implied), ("output", rule.outputs)):
        lines += [f"  {kind} {_tensor(rule, tensor)}" for tensor in tensors]
    lines += [f"  size {name} = {'?' if size is None else size}" for name, size in _plain_sizes(rule)]
    lines += [f"  regroup {_names(group.before)} as {_names(group.after)}" for group in rule.regroupings]
    lines += [f"  keep {name}: {reason.text} ({reason.span.place})" for name, reason in rule.kept.items()]
    lines += [f"  made {name}" for name in sorted(rule.attribute_sized)]
    for name, mixing in rule.mixed.items():
        unless = "" if mixing.unless is None else f" unless zero {zero_inputs_text(mixing.unless)}"
        lines.append(f"  mixes {name}{unless}: {mixing.because} ({mixing.span.place})")
    if rule.contracted:
        lines.append(f"  contracts {', '.join(rule.contracted)}")
    if rule.balanced:
        lines.append(f"  balanced {', '.join(sorted(rule.balanced))}")
    lines += list(_statements(rule))
    return "\n".join(lines) + "\n"


def _statements(rule: LoweredRule) -> Iterator[str]:
    for edit in rule.edits:
        yield f"  edit {_edit(edit)}"
    for codes in rule.codes:
        entries = ", ".join(f"{codes.attribute}[{place}] = {name}" for place, name in codes.literals)
        yield f"  edit {entries or f'{codes.attribute} stays'}"
    for name in rule.vanishing:
        yield f"  vanishes {name} at size 1"
    for claim in rule.zeros:
        condition = "" if claim.condition is None else f" if {zero_inputs_text(claim.condition)}"
        yield f"  zero {claim.slot}{condition}"
    for own in rule.passes:
        passed, zero = rule.inputs[own.passed].label, rule.inputs[own.zero].label
        yield f"  passes {passed} as {rule.outputs[own.output].label} if zero {zero}"
    for slot, value in rule.neutral.items():
        yield f"  neutral {slot} = {value:g}"
    for slot in sorted(rule.scales):
        yield f"  scales {slot}"
    for output, scalars in rule.size_values.items():
        yield f"  holds {rule.outputs[output].label}: {', '.join(map(scalar_text, scalars))}"
    for name, position in rule.value_inputs:
        yield f"  value {name} from input {position}"
    if rule.costly:
        cost = "?" if rule.multiply_adds is None else scalar_text(rule.multiply_adds)
        yield f"  macs = {cost}"
    if rule.discontinuous:
        yield "  discontinuous"
    if rule.open:
        yield "  open: an axis list needs a shape that is not known"


def _plain_sizes(rule: LoweredRule) -> list[tuple[str, object]]:
    """The sizes of names, without what stands for whole sums and for the axes of a view."""
    return [(name, size) for name, size in rule.sizes.items() if " " not in name and not name.startswith("=")]


def _names(names: Sequence[str]) -> str:
    return f"({', '.join(names)})"


def _tensor(rule: LoweredRule, tensor: BoundTensor) -> str:
    learned = "parameter " if tensor.slot in rule.parameter_slots else ""
    axes = "?" if tensor.axes is None else f"[{', '.join(map(axis_text, tensor.axes))}]"
    return f"{learned}{tensor.label}{axes} = {shape_text(rule.shape(tensor))}"


def axis_text(axis: PlainAxis) -> str:
    """An axis as rules write it; ``1`` for the empty product."""
    terms = [_term(term) for term in axis]
    return terms[0] if len(terms) == 1 else f"({' '.join(terms)})" if terms else "1"


def _term(term: Term) -> str:
    if isinstance(term, str):
        return term
    if isinstance(term, Reversed):
        return f"reverse({term.name})"
    if isinstance(term, GatherTerm):
        axis = f" axis {term.axis}" if len(term.sizes) > 1 else ""
        return f"{term.name}[{term.attribute}{axis}]"
    assert isinstance(term, SumTerm)
    return f"({' + '.join(map(axis_text, term.parts))})"


def zero_inputs_text(condition: ZeroInputs) -> str:
    """Tensors joined as rules join them."""
    return (" or " if condition.any_of else " and ").join(condition.slots)


def _edit(edit: AttributeEdit) -> str:
    values = ", ".join(map(scalar_text, edit.values))
    if edit.style is None:
        return f"{edit.attribute} = {values}"
    wholes = ", ".join(map(scalar_text, edit.wholes))
    places = "" if edit.places is None else f" for axes {', '.join(map(str, edit.places))}"
    return f"{edit.style}({edit.attribute}, {wholes}) = {values}{places}"


def scalar_text(scalar: Scalar, tightness: int = 0) -> str:
    """An expression of sizes as rules write it."""
    if scalar is None:
        return "nothing"
    if not isinstance(scalar, Operation):
        return str(scalar)
    own = _TIGHTNESS.get(scalar.function)
    if own is None:
        return f"{scalar.function}({', '.join(map(scalar_text, scalar.arguments))})"
    left, right = scalar.arguments
    text = f"{scalar_text(left, own)} {scalar.function} {scalar_text(right, own + 1)}"
    return f"({text})" if own < tightness else text


def _value_text(value: Value) -> str:
    """A value of an attribute, symbols by their names."""
    if isinstance(value, tuple):
        return "(" + ", ".join(map(_value_text, value)) + ("," if len(value) == 1 else "") + ")"
    return str(value) if isinstance(value, OpenSize) else repr(value)
