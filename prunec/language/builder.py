"""From a parse tree of Lark to the syntax tree of a rule file.

The walk is a loop over the subtrees, children first, so that no nesting can exhaust the stack.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, Callable, Optional, Union, get_args

from lark import Token, Tree

from prunec.language import syntax
from prunec.language.syntax_errors import (
    MAXIMUM_DEPTH,
    hint_among_statements,
    nested_too_deeply,
    no_condition,
    number_out_of_bounds,
)
from prunec.support.diagnostics import PrunecError, Source, Span
from prunec.value import Value

#: What the parts of a production have become.
Children = list[Any]


def build(tree: Tree[Token], source: Source, offset: int) -> tuple[syntax.Rule, ...]:
    """The rules of a parse tree whose text starts at character ``offset`` of ``source``.

    Raises ``PrunecError``: P105 for a number out of bounds, P106 for nesting too deep, P112 for an axis list
    without a condition, P101 for a hint without ``hint``.
    """
    rules: tuple[syntax.Rule, ...] = built(tree, _RuleBuilder(source, offset))
    return rules


def built(tree: Tree[Token], builder: Builder) -> Any:
    """What a builder makes of a parse tree.  Raises ``PrunecError``: P105 and P106."""
    found: dict[int, Any] = {}
    depths: dict[int, int] = {}
    for subtree in tree.iter_subtrees():
        children = [found[id(child)] if isinstance(child, Tree) else child for child in subtree.children]
        span = builder.span(subtree)
        below = [depths[id(child)] for child in subtree.children if isinstance(child, Tree)]
        depths[id(subtree)] = depth = 1 + max(below, default=0)
        if depth > MAXIMUM_DEPTH:
            raise PrunecError(nested_too_deeply(span))
        found[id(subtree)] = builder.node(str(subtree.data), children, span)
    return found[id(tree)]


class Builder:
    """One method per production that makes a node; a production without one gives its children."""

    def __init__(self, source: Source, offset: int) -> None:
        self.source = source
        self.offset = offset

    def span(self, item: Union[Token, Tree[Token]]) -> Span:
        """The place of a token or of a production."""
        if isinstance(item, Token):
            start, end = item.start_pos or 0, item.end_pos or 0
        elif item.meta.empty:
            start = end = 0
        else:
            start, end = item.meta.start_pos, item.meta.end_pos
        return Span(self.source, start + self.offset, end + self.offset)

    def node(self, production: str, children: Children, span: Span) -> Any:
        """The node of a production, from the nodes and tokens it consists of."""
        if production in _LITERALS:
            return syntax.Literal(self.literal(production, children, span), span)
        method: Optional[Callable[[Children, Span], Any]] = getattr(self, f"make_{production}", None)
        return children if method is None else method(children, span)

    def name(self, token: Token) -> syntax.Name:
        """The token as a name."""
        return syntax.Name(str(token), self.span(token))

    # --- literals ---

    def literal(self, production: str, children: Children, span: Span) -> Value:
        """The value of a literal.  Raises ``PrunecError`` P105."""
        if production == "integer":
            return self.integer(children[0])
        if production == "float":
            number = float(children[0])
            if math.isinf(number):
                raise PrunecError(number_out_of_bounds(span))
            return number
        if production == "string":
            return str(children[0])[1:-1]
        if production == "word":
            return str(children[0])
        return _LITERALS[production]

    def integer(self, token: Token) -> int:
        """The number that a token stands for.  Raises ``PrunecError`` P105."""
        if len(token.lstrip("-")) > syntax.MAXIMUM_DIGITS:
            raise PrunecError(number_out_of_bounds(self.span(token)))
        return int(token)


class _RuleBuilder(Builder):
    # --- files and rules ---

    def make_start(self, children: Children, span: Span) -> tuple[syntax.Rule, ...]:
        return tuple(child for child in children if isinstance(child, syntax.Rule))

    def make_names(self, children: Children, span: Span) -> tuple[syntax.Name, ...]:
        return tuple(self.name(token) for token in children)

    def make_attribute(self, children: Children, span: Span) -> syntax.Attribute:
        return syntax.Attribute(str(children[0]), children[1] if len(children) > 1 else None, span)

    def make_attributes(self, children: Children, span: Span) -> _Header:
        return _Header(attributes=tuple(c for c in children if isinstance(c, syntax.Attribute)))

    def make_label(self, children: Children, span: Span) -> _Header:
        return _Header(label=str(children[0]))

    def make_specialises(self, children: Children, span: Span) -> _Header:
        return _Header(specialises=children[0])

    def make_when(self, children: Children, span: Span) -> _Header:
        return _Header(when=children[0])

    def make_because(self, children: Children, span: Span) -> syntax.Reason:
        (token,) = children
        place = self.span(token)
        if token.type == "STRING":
            return syntax.Reason(str(token)[1:-1], "", place)
        return syntax.Reason("", str(token), place)

    def make_opaque(self, children: Children, span: Span) -> _Header:
        return _Header(opaque=children[0])

    def make_body(self, children: Children, span: Span) -> _Header:
        kinds = get_args(syntax.Hint)
        hints = tuple(child for child in children[1:] if isinstance(child, kinds))
        statements = tuple(child for child in children[1:] if not isinstance(child, kinds))
        return _Header(signature=children[0], statements=statements, hints=hints)

    def make_rule(self, children: Children, span: Span) -> syntax.Rule:
        documentation = [c for c in children if isinstance(c, Token) and c.type == "DOC"]
        keyword = children[len(documentation)]
        operators = children[len(documentation) + 1]
        header = _Header()
        for part in children[len(documentation) + 2 :]:
            header.update(part)
        return syntax.Rule(
            operators=operators,
            attributes=header.get("attributes", ()),
            label=header.get("label", operators[0].name),
            specialises=header.get("specialises", ()),
            when=header.get("when"),
            signature=header.get("signature", syntax.Signature((), (), (), span)),
            statements=header.get("statements", ()),
            hints=header.get("hints", ()),
            opaque=header.get("opaque"),
            documentation="\n".join(documentation_line(token) for token in documentation),
            span=self.span(keyword).to(span),
        )

    # --- tensors and axes ---

    def make_signature(self, children: Children, span: Span) -> syntax.Signature:
        parts = [tuple(c or ()) for c in children if not isinstance(c, Token)]
        last: tuple[syntax.Alternative, ...] = ()
        for number, part in enumerate(parts):
            tensors = []
            for tensor in part:
                tensors.append(_with_conditions(tensor, last))
                last = tensors[-1].alternatives or last
            parts[number] = tuple(tensors)
        before, behind, outputs = parts
        return syntax.Signature(before, behind, outputs, span)

    def tensor(self, kind: str, children: Children, span: Span) -> syntax.TensorPattern:
        axes = next((child for child in children if isinstance(child, list)), ())
        others = tuple(child for child in children if isinstance(child, syntax.Alternative))
        return syntax.TensorPattern(str(children[0]), kind, tuple(axes), span, alternatives=others)

    def make_alternative(self, children: Children, span: Span) -> syntax.Alternative:
        axes, guard = _with_guard(children)
        # Without a condition it gets that of an earlier tensor when the signature is put together.
        return syntax.Alternative(tuple(axes[0] if axes else ()), guard, span)

    def make_tensor(self, children: Children, span: Span) -> syntax.TensorPattern:
        return self.tensor("one", children, span)

    def make_optional_tensor(self, children: Children, span: Span) -> syntax.TensorPattern:
        return self.tensor("optional", children, span)

    def make_variadic_tensor(self, children: Children, span: Span) -> syntax.TensorPattern:
        return self.tensor("variadic", children, span)

    def make_value_input(self, children: Children, span: Span) -> syntax.TensorPattern:
        return syntax.TensorPattern(str(children[0]), "one", (), span, value=True)

    def make_optional_value_input(self, children: Children, span: Span) -> syntax.TensorPattern:
        return syntax.TensorPattern(str(children[0]), "optional", (), span, value=True)

    def make_place(self, children: Children, span: Span) -> syntax.Expression:
        token = children[0]
        return self.name(token) if token.type == "NAME" else syntax.Literal(self.integer(token), span)

    def make_axis(self, children: Children, span: Span) -> syntax.Axis:
        return syntax.Axis(children[0], children[1] if len(children) > 1 else None, span)

    def make_axis_name(self, children: Children, span: Span) -> syntax.Name:
        return self.name(children[0])

    def make_axis_rest(self, children: Children, span: Span) -> syntax.Rest:
        return syntax.Rest(str(children[1]), span)

    def make_fixed(self, children: Children, span: Span) -> syntax.Fixed:
        return syntax.Fixed(self.integer(children[0]), span)

    def make_broadcast(self, children: Children, span: Span) -> syntax.Broadcast:
        return syntax.Broadcast(children[-1], span)

    def make_product(self, children: Children, span: Span) -> syntax.Product:
        return syntax.Product(tuple(children), span)

    def make_sum(self, children: Children, span: Span) -> syntax.Sum:
        return syntax.Sum(tuple(c for c in children if not isinstance(c, Token)), span)

    def make_variadic_sum(self, children: Children, span: Span) -> syntax.VariadicSum:
        return syntax.VariadicSum(children[-1], span)

    def make_each(self, children: Children, span: Span) -> syntax.Each:
        return syntax.Each(children[-1], span)

    def make_element(self, children: Children, span: Span) -> syntax.Element:
        return syntax.Element(children[0], children[1], span)

    def make_axis_call(self, children: Children, span: Span) -> syntax.Call:
        return syntax.Call(str(children[0]), tuple(children[1]), span)

    # --- expressions ---

    make_name = make_axis_name
    make_rest = make_axis_rest
    make_call = make_axis_call

    def make_arithmetic(self, children: Children, span: Span) -> syntax.Arithmetic:
        left, operator, right = children
        return syntax.Arithmetic(str(operator), left, right, span)

    def make_compare(self, children: Children, span: Span) -> syntax.Comparison:
        left, operator, right = children
        return syntax.Comparison(str(operator), left, right, span)

    def make_member(self, children: Children, span: Span) -> syntax.Membership:
        return syntax.Membership(children[0], tuple(children[1]), False, span)

    def make_not_member(self, children: Children, span: Span) -> syntax.Membership:
        return syntax.Membership(children[0], tuple(children[1]), True, span)

    def make_not(self, children: Children, span: Span) -> syntax.Not:
        return syntax.Not(children[0], span)

    def make_any_of(self, children: Children, span: Span) -> syntax.Logic:
        return syntax.Logic("or", tuple(children), span)

    def make_all_of(self, children: Children, span: Span) -> syntax.Logic:
        return syntax.Logic("and", tuple(children), span)

    # --- statements ---

    def make_equation(self, children: Children, span: Span) -> syntax.Equation:
        (left, right), guard = _with_guard(children)
        return syntax.Equation(left, right, guard, span)

    def make_keep(self, children: Children, span: Span) -> syntax.Keep:
        (targets, *because), guard = _with_guard(children)
        return syntax.Keep(tuple(targets), because[0] if because else None, guard, span)

    def condition(self, operator: str, children: Children, span: Span) -> syntax.ZeroCondition:
        return syntax.ZeroCondition(operator, tuple(self.name(token) for token in children), span)

    def make_zero_one(self, children: Children, span: Span) -> syntax.ZeroCondition:
        return self.condition("and", children, span)

    def make_zero_all(self, children: Children, span: Span) -> syntax.ZeroCondition:
        return self.condition("and", children, span)

    def make_zero_any(self, children: Children, span: Span) -> syntax.ZeroCondition:
        return self.condition("or", children, span)

    def make_unless(self, children: Children, span: Span) -> Any:
        return children[0]

    def make_mixes(self, children: Children, span: Span) -> syntax.Mixes:
        (targets, *behind), guard = _with_guard(children)
        unless = next((c for c in behind if isinstance(c, syntax.ZeroCondition)), None)
        because = next((c for c in behind if isinstance(c, syntax.Reason)), None)
        return syntax.Mixes(tuple(targets), unless, because, guard, span)

    def make_zero(self, children: Children, span: Span) -> syntax.Zero:
        (tensor, *condition), guard = _with_guard(children)
        return syntax.Zero(self.name(tensor), condition[0] if condition else None, guard, span)

    def make_passes(self, children: Children, span: Span) -> syntax.Passes:
        tensors, guard = _with_guard(children)
        passed, output, zero = (self.name(token) for token in tensors)
        return syntax.Passes(passed, output, zero, guard, span)

    def make_balanced(self, children: Children, span: Span) -> syntax.Balanced:
        (name,), guard = _with_guard(children)
        return syntax.Balanced(self.name(name), guard, span)

    def make_holds(self, children: Children, span: Span) -> syntax.Holds:
        (tensor, value), guard = _with_guard(children)
        return syntax.Holds(self.name(tensor), value, guard, span)

    # --- hints ---

    def make_hint(self, children: Children, span: Span) -> syntax.Hint:
        hint: syntax.Hint = replace(children[0], span=span)
        return hint

    def make_bare_hint(self, children: Children, span: Span) -> syntax.Hint:
        raise PrunecError(hint_among_statements(span))

    def make_neutral(self, children: Children, span: Span) -> syntax.Neutral:
        (tensor, value), guard = _with_guard(children)
        return syntax.Neutral(self.name(tensor), value, guard, span)

    def make_scales(self, children: Children, span: Span) -> syntax.Scales:
        (tensor,), guard = _with_guard(children)
        return syntax.Scales(self.name(tensor), guard, span)

    def make_contracts(self, children: Children, span: Span) -> syntax.Contracts:
        (targets,), guard = _with_guard(children)
        return syntax.Contracts(tuple(targets), guard, span)

    def make_discontinuous(self, children: Children, span: Span) -> syntax.Discontinuous:
        return syntax.Discontinuous(_with_guard(children)[1], span)

    def make_macs(self, children: Children, span: Span) -> syntax.MultiplyAdds:
        (count,), guard = _with_guard(children)
        return syntax.MultiplyAdds(count, guard, span)


def _with_conditions(
    tensor: syntax.TensorPattern, last: tuple[syntax.Alternative, ...]
) -> syntax.TensorPattern:
    """The tensor, each of its alternatives with a condition: where it has none, that of the one in the same
    place of ``last``, the alternatives of the tensor before."""
    alternatives = []
    for place, other in enumerate(tensor.alternatives):
        if other.when is None and place >= len(last):
            raise PrunecError(no_condition(other.span))
        alternatives.append(other if other.when is not None else replace(other, when=last[place].when))
    return replace(tensor, alternatives=tuple(alternatives)) if alternatives else tensor


class _Header(dict[str, Any]):
    """Parts of a rule on their way into it."""


_LITERALS: dict[str, Value] = {
    "integer": None,
    "float": None,
    "string": None,
    "word": None,
    "none": None,
    "true": True,
    "false": False,
    "empty_tuple": (),
}


def _with_guard(children: Children) -> tuple[Children, Any]:
    """The parts of a statement, and what stands behind its ``when``."""
    if children and isinstance(children[-1], _Header):
        return children[:-1], children[-1]["when"]
    return children, None


def documentation_line(token: Token) -> str:
    """The text of a line of documentation."""
    text = str(token)[2:].rstrip()
    return text.removeprefix(" ")
