"""The canonical text of expressions, axes, statements, rules and policies.

A rule with at most one statement stands on one line where that has at most ``WIDTH`` columns, a policy
wherever it has; any other has one statement a line, indented by two.  Longer headers, signatures and
statements are broken between tensors, names, attributes and conditions.  ``printer.py`` puts blocks and
comments together to a file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from prunec.language.policy_syntax import Interface, Policy, Setting
from prunec.language.syntax import (
    MAXIMUM_DIGITS,
    Alternative,
    Arithmetic,
    Attribute,
    Axis,
    AxisExpression,
    Balanced,
    Broadcast,
    Call,
    Comparison,
    Contracts,
    Discontinuous,
    Each,
    Element,
    Equation,
    Expression,
    Fixed,
    Hint,
    Holds,
    Keep,
    Literal,
    Logic,
    Membership,
    Mixes,
    MultiplyAdds,
    Name,
    Neutral,
    Passes,
    Product,
    Reason,
    Rest,
    Rule,
    Scales,
    Signature,
    Statement,
    Sum,
    TensorPattern,
    VariadicSum,
    Zero,
    ZeroCondition,
)
from prunec.language.wrapping import WIDTH, wrap

_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*")
_MARKS = {"one": "", "optional": "?", "variadic": "*"}
# How strongly operators bind, from `or` to names and calls.
_OR, _AND, _NOT, _COMPARISON, _SUM, _TERM, _ATOM = range(1, 8)


# --- expressions ---------------------------------------------------------------------------


def print_expression(expression: Expression, binding: int = _OR) -> str:
    """The text of an expression, in brackets where it binds more loosely than ``binding``."""
    text, own = _expression(expression)
    return text if own >= binding else f"({text})"


def _expression(expression: Expression) -> tuple[str, int]:
    if isinstance(expression, Literal):
        return print_literal(expression), _ATOM
    if isinstance(expression, Name):
        return expression.name, _ATOM
    if isinstance(expression, Rest):
        return f"*{expression.name}", _ATOM
    if isinstance(expression, Call):
        return _call(expression), _ATOM
    if isinstance(expression, Arithmetic):
        own = _SUM if expression.operator in "+-" else _TERM
        left = print_expression(expression.left, own)
        return f"{left} {expression.operator} {print_expression(expression.right, own + 1)}", own
    if isinstance(expression, Comparison):
        left = print_expression(expression.left, _SUM)
        return f"{left} {expression.operator} {print_expression(expression.right, _SUM)}", _COMPARISON
    if isinstance(expression, Membership):
        choices = ", ".join(_choice(choice) for choice in expression.choices)
        operator = "not in" if expression.negated else "in"
        return f"{print_expression(expression.item, _SUM)} {operator} {{{choices}}}", _COMPARISON
    if isinstance(expression, Logic):
        own = _OR if expression.operator == "or" else _AND
        items = [print_expression(item, own + 1) for item in expression.items]
        return f" {expression.operator} ".join(items), own
    return f"not {print_expression(expression.item, _NOT)}", _NOT


def print_literal(literal: Literal) -> str:
    """``None``, a number, or a text in quotes."""
    return f'"{literal.value}"' if isinstance(literal.value, str) else repr(literal.value)


def _choice(literal: Literal) -> str:
    """Inside ``{…}`` a text that is a plain word needs no quotes."""
    value = literal.value
    if isinstance(value, str) and _WORD.fullmatch(value) and value not in ("None", "True", "False"):
        return value
    return print_literal(literal)


def _call(call: Call) -> str:
    return f"{call.function}({', '.join(print_expression(a, _SUM) for a in call.arguments)})"


# --- tensors and axes ----------------------------------------------------------------------


def print_axis(axis: Axis) -> str:
    """An entry of an axis list, with its place."""
    text = print_axis_expression(axis.item)
    return text if axis.place is None else f"{text} @ {print_expression(axis.place)}"


def print_axis_expression(item: AxisExpression) -> str:
    """The text of an axis, simple or compound."""
    if isinstance(item, Name):
        return item.name
    if isinstance(item, Rest):
        return f"*{item.name}"
    if isinstance(item, Fixed):
        return str(item.size)
    if isinstance(item, Broadcast):
        return f"~{print_axis_expression(item.item)}"
    if isinstance(item, Product):
        return f"({' '.join(print_axis_expression(factor) for factor in item.items)})"
    if isinstance(item, Sum):
        return f"({' + '.join(print_axis_expression(part) for part in item.items)})"
    if isinstance(item, VariadicSum):
        return f"(+ {item.item.name})"
    if isinstance(item, Each):
        return f"*{print_axis_expression(item.item)}"
    if isinstance(item, Element):
        return f"{item.item.name}[{item.positions.name}]"
    return _call(item)


def print_tensor(tensor: TensorPattern, before: Sequence[Alternative] = ()) -> str:
    """A slot with its axes, or without where it carries a value.

    A condition is left out that the alternative in the same place of ``before`` has: those of the tensor
    before it.
    """
    if tensor.value:
        return f"{tensor.name}{_MARKS[tensor.kind]}"
    lists = [_axes(tensor.axes)]
    for place, other in enumerate(tensor.alternatives):
        known = [again.when for again in before[place : place + 1]] == [other.when]
        lists.append(_axes(other.axes) + ("" if known else _when(other.when)))
    return f"{tensor.name}{_MARKS[tensor.kind]}[{' | '.join(text.strip() for text in lists)}]"


def _axes(axes: Sequence[Axis]) -> str:
    return ", ".join(print_axis(axis) for axis in axes)


def print_signature(signature: Signature) -> str:
    """``data; parameters -> outputs`` on one line."""
    return " ".join(_signature(signature)).strip()


def _signature(signature: Signature) -> tuple[str, str]:
    """The inputs, and the outputs with their arrow."""
    texts: list[list[str]] = []
    before: Sequence[Alternative] = ()
    for tensors in (signature.data, signature.parameters, signature.outputs):
        texts.append([])
        for tensor in tensors:
            texts[-1].append(print_tensor(tensor, before))
            before = tensor.alternatives or before
    data, parameters, outputs = (", ".join(part) for part in texts)
    return data + (f"; {parameters}" if parameters else ""), f"-> {outputs}"


# --- statements ----------------------------------------------------------------------------


def print_statement(statement: Statement | Hint) -> str:
    """A statement or a hint on one line."""
    return _statement(statement) + _when(statement.when)


def _statement(statement: Statement | Hint) -> str:
    if isinstance(statement, Equation):
        return f"{print_expression(statement.left, _SUM)} = {print_expression(statement.right, _SUM)}"
    if isinstance(statement, Keep):
        return f"keep {_targets(statement.targets)}{_because(statement.because)}"
    if isinstance(statement, Mixes):
        unless = f" unless zero {_condition(statement.unless)}" if statement.unless else ""
        return f"mixes {_targets(statement.targets)}{unless}{_because(statement.because)}"
    if isinstance(statement, Zero):
        condition = f" if {_condition(statement.condition)}" if statement.condition else ""
        return f"zero {statement.tensor.name}{condition}"
    if isinstance(statement, Passes):
        return f"passes {statement.passed.name} as {statement.output.name} if zero {statement.zero.name}"
    if isinstance(statement, Balanced):
        return f"balanced {statement.name.name}"
    if isinstance(statement, Holds):
        return f"{statement.tensor.name} holds {print_expression(statement.value, _SUM)}"
    if isinstance(statement, Neutral):
        return f"hint neutral {statement.tensor.name} = {print_literal(statement.value)}"
    if isinstance(statement, Scales):
        return f"hint scales {statement.tensor.name}"
    if isinstance(statement, Contracts):
        return f"hint contracts {_targets(statement.targets)}"
    if isinstance(statement, Discontinuous):
        return "hint discontinuous"
    assert isinstance(statement, MultiplyAdds)
    return f"hint macs = {print_expression(statement.count, _SUM)}"


def _targets(targets: Iterable[AxisExpression]) -> str:
    return ", ".join(print_axis_expression(target) for target in targets)


def _condition(condition: ZeroCondition) -> str:
    return f" {condition.operator} ".join(tensor.name for tensor in condition.tensors)


def _when(guard: Expression | None) -> str:
    return "" if guard is None else f" when {print_expression(guard)}"


def _because(reason: Reason | None) -> str:
    return "" if reason is None else f" because {print_reason(reason)}"


def print_reason(reason: Reason) -> str:
    """A reason by its name, else its text in quotes."""
    return reason.name or f'"{reason.text}"'


# --- rules ---------------------------------------------------------------------------------


def print_rule(rule: Rule) -> str:
    """The canonical text of a rule, its documentation above it, without a line end."""
    one_line = print_on_one_line(rule)
    if one_line is not None:
        return "\n".join([*print_documentation(rule.documentation), one_line])
    lines = [*print_documentation(rule.documentation), *print_header(rule)]
    if rule.opaque is None:
        lines += print_body_signature(rule.signature)
        for statement in (*rule.statements, *rule.hints):
            lines += print_body_statement(statement)
        lines.append("}")
    return "\n".join(lines)


def print_on_one_line(rule: Rule) -> str | None:
    """The rule without its documentation, where it is short enough for one line."""
    if len(rule.statements) + len(rule.hints) > 1:
        return None
    text = _header(rule)
    if rule.opaque is None:
        body = [print_signature(rule.signature), *map(print_statement, (*rule.statements, *rule.hints))]
        text = f"{text} {{ {'  '.join(body)} }}"
    else:
        text += f" opaque{_because(rule.opaque)}"
    return text if len(text) <= WIDTH else None


def print_documentation(text: str) -> list[str]:
    """The ``##`` lines."""
    return [f"## {line}".rstrip() for line in text.split("\n")] if text else []


def print_header(rule: Rule) -> list[str]:
    """The lines from ``op`` to the opening brace, or to the reason of an opaque rule."""
    end = " {" if rule.opaque is None else f" opaque{_because(rule.opaque)}"
    header = _header(rule) + end
    if len(header) <= WIDTH:
        return [header]
    names = f"op {_names(rule.operators)}"
    options = _options(rule)
    guard = _when(rule.when) + end
    lines: list[str]
    if rule.attributes:
        attributes = ", ".join(_attribute(attribute) for attribute in rule.attributes)
        lines = [*wrap(f"{names}(", "", "    "), *wrap(attributes, "  ", "  ")]
        options = f"){options}"
    else:
        lines = []
        options = names + options
    if len(options) + len(guard) <= WIDTH:
        return [*lines, options + guard]
    return [*lines, *wrap(options, "", "    "), *wrap(guard.strip(), "  ", "    ")]


def print_body_signature(signature: Signature) -> list[str]:
    """The signature as lines of a body: on one line, or its outputs on a line of their own."""
    text = print_signature(signature)
    if len(text) + 2 <= WIDTH:
        return [f"  {text}"]
    inputs, outputs = _signature(signature)
    return [*wrap(inputs, "  ", "    "), *wrap(outputs, "    ", "      ")]


def print_body_statement(statement: Statement | Hint) -> list[str]:
    """The statement as lines of a body; its condition on a line of its own where one line is too short."""
    text = print_statement(statement)
    if len(text) + 2 <= WIDTH or statement.when is None:
        return wrap(text, "  ", "    ")
    guard = _when(statement.when).strip()
    return [*wrap(_statement(statement), "  ", "    "), *wrap(guard, "    ", "      ")]


def _header(rule: Rule) -> str:
    attributes = ", ".join(_attribute(attribute) for attribute in rule.attributes)
    names = f"op {_names(rule.operators)}" + (f"({attributes})" if attributes else "")
    return names + _options(rule) + _when(rule.when)


def _options(rule: Rule) -> str:
    text = f" as {rule.label}" if rule.label != rule.operators[0].name else ""
    return text + (f" specialises {_names(rule.specialises)}" if rule.specialises else "")


def _names(names: Sequence[Name]) -> str:
    return ", ".join(name.name for name in names)


def _attribute(attribute: Attribute) -> str:
    return (
        attribute.name
        if attribute.default is None
        else f"{attribute.name} = {print_literal(attribute.default)}"
    )


# --- policies ------------------------------------------------------------------------------


def print_policy_on_one_line(policy: Policy) -> str | None:
    """The policy without its documentation, where it is short enough for one line."""
    body = "  ".join(map(print_setting, policy.settings))
    text = (
        f"policy {_patterns(policy.patterns)} {{ {body} }}"
        if body
        else f"policy {_patterns(policy.patterns)} {{}}"
    )
    return text if len(text) <= WIDTH else None


def print_policy_header(policy: Policy) -> list[str]:
    """The lines from ``policy`` to the opening brace."""
    return wrap(f"policy {_patterns(policy.patterns)} {{", "", "    ")


def print_setting(setting: Setting) -> str:
    """A statement of a policy."""
    keyword = "whole rows" if setting.kind == "whole" else setting.kind
    because = "" if setting.because is None else f' because "{setting.because}"'
    return keyword + _number(setting.number) + because


def _number(number: float | None) -> str:
    if number is None:
        return ""
    if 0 <= number <= 10**MAXIMUM_DIGITS and number.is_integer():
        # The largest whole number that can be written is read as this power of ten.
        return f" {min(int(number), 10**MAXIMUM_DIGITS - 1)}"
    return f" {number!r}"


def _patterns(patterns: Sequence[Literal]) -> str:
    return ", ".join(map(print_literal, patterns))


def print_interface(interface: Interface) -> list[str]:
    """What may change of the model's interface, without its documentation."""
    fed = f" from {_patterns(interface.sources)}" if interface.sources else ""
    because = "" if interface.because is None else f' because "{interface.because}"'
    return wrap(f"interface {_patterns(interface.patterns)}{fed}{because}", "", "    ")
