"""The syntax tree of a rule file.

Each class is one production of ``grammar/prune.lark``.  ``span`` never takes part in a comparison,
so two trees are equal when they say the same thing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Optional, Union

from prunec.support.diagnostics import Span
from prunec.value import Value

#: Longest whole number that is accepted, in digits.
MAXIMUM_DIGITS = 18


def span_field() -> Span:
    """The place of a node, which takes no part in comparisons."""
    return field(compare=False, repr=False)  # type: ignore[no-any-return]


# --- expressions: sizes, attributes, guards -------------------------------------------------


@dataclass(frozen=True)
class Literal:
    """A number, a quoted string, ``None``, ``True``, ``False`` (or a bare word inside ``{…}``)."""

    value: Value
    span: Span = span_field()


@dataclass(frozen=True)
class Name:
    """An axis name or an attribute name; which of the two, the rule's header and signature say."""

    name: str
    span: Span = span_field()


@dataclass(frozen=True)
class Rest:
    """``*x``: any number of axes, or the sizes of those axes."""

    name: str
    span: Span = span_field()


@dataclass(frozen=True)
class Call:
    """``function(arguments)``: one of the built-in functions of the language."""

    function: str
    arguments: tuple[Expression, ...]
    span: Span = span_field()


@dataclass(frozen=True)
class Arithmetic:
    """``left operator right`` with ``+ - * /`` (whole-number division)."""

    operator: str
    left: Expression
    right: Expression
    span: Span = span_field()


@dataclass(frozen=True)
class Comparison:
    """``left operator right`` with ``== != < <= > >=``."""

    operator: str
    left: Expression
    right: Expression
    span: Span = span_field()


@dataclass(frozen=True)
class Membership:
    """``item in {a, b}`` or ``item not in {a, b}``."""

    item: Expression
    choices: tuple[Literal, ...]
    negated: bool
    span: Span = span_field()


@dataclass(frozen=True)
class Logic:
    """``and`` / ``or`` over two or more guards."""

    operator: str
    items: tuple[Expression, ...]
    span: Span = span_field()


@dataclass(frozen=True)
class Not:
    """``not guard``."""

    item: Expression
    span: Span = span_field()


Expression = Union[Literal, Name, Rest, Call, Arithmetic, Comparison, Membership, Logic, Not]


# --- axes ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Fixed:
    """A number in an axis list: an axis of exactly this size."""

    size: int
    span: Span = span_field()


@dataclass(frozen=True)
class Broadcast:
    """``~c`` or ``~*x``: the axis, or an axis of size one in its place."""

    item: Union[Name, Rest]
    span: Span = span_field()


@dataclass(frozen=True)
class Product:
    """``(g c)``: one axis made of several, outer to inner; ``(*x)`` takes all of a rest."""

    items: tuple[AxisExpression, ...]
    span: Span = span_field()


@dataclass(frozen=True)
class Sum:
    """``(a + b)``: one axis made of several, one behind the other."""

    items: tuple[AxisExpression, ...]
    span: Span = span_field()


@dataclass(frozen=True)
class VariadicSum:
    """``(+ c)``: the sum of ``c`` over all tensors of a variadic input or output."""

    item: Name
    span: Span = span_field()


@dataclass(frozen=True)
class Each:
    """``*(p + c + q)`` or ``*(r x)``: a compound axis for each axis of the rests it names."""

    item: Union[Product, Sum]
    span: Span = span_field()


@dataclass(frozen=True)
class Element:
    """``c[positions]``: the elements of ``c`` at the positions that an attribute lists.

    Where an input carries a single one, that element, without an axis.
    """

    item: Name
    positions: Name
    span: Span = span_field()


AxisExpression = Union[Name, Rest, Fixed, Broadcast, Product, Sum, VariadicSum, Each, Element, Call]


@dataclass(frozen=True)
class Axis:
    """An entry of an axis list; ``place`` (after ``@``) says at which index it stands."""

    item: AxisExpression
    place: Optional[Expression]
    span: Span = span_field()


@dataclass(frozen=True)
class Alternative:
    """``| axes when guard``: the axes of a tensor where the guard holds."""

    axes: tuple[Axis, ...]
    when: Expression
    span: Span = span_field()


@dataclass(frozen=True)
class TensorPattern:
    """``name[axes | other axes when guard]``; ``kind`` is ``"one"``, ``"optional"`` (``?``) or ``"variadic"``
    (``*``).

    ``axes`` are those where the guard of no alternative holds.  ``value`` marks an input that is written
    without an axis list: what it holds is read as the attribute of its name.
    """

    name: str
    kind: str
    axes: tuple[Axis, ...]
    span: Span = span_field()
    value: bool = False
    alternatives: tuple[Alternative, ...] = ()
    chosen: Optional[Span] = field(default=None, compare=False, repr=False)
    """Where the axes stand, once they are chosen from several."""

    @property
    def axes_span(self) -> Span:
        """What a message about the axes shows."""
        return self.chosen or self.span


@dataclass(frozen=True)
class Signature:
    """``data, data; parameters -> outputs``."""

    data: tuple[TensorPattern, ...]
    parameters: tuple[TensorPattern, ...]
    outputs: tuple[TensorPattern, ...]
    span: Span = span_field()


# --- statements ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Reason:
    """What stands behind ``because``: a text, or the ``name`` of one, whose text is empty as long as none is
    called so."""

    text: str
    name: str
    span: Span = span_field()


@dataclass(frozen=True)
class Equation:
    """``left = right``, read in both directions; only where ``when`` holds, if it is given."""

    left: Expression
    right: Expression
    when: Optional[Expression]
    span: Span = span_field()


@dataclass(frozen=True)
class Keep:
    """``keep targets because "reason" when guard``."""

    targets: tuple[Union[Name, Rest, Call], ...]
    because: Optional[Reason]
    when: Optional[Expression]
    span: Span = span_field()


@dataclass(frozen=True)
class ZeroCondition:
    """Tensors joined by ``and`` or by ``or``, each known to be zero where a channel is masked."""

    operator: str
    tensors: tuple[Name, ...]
    span: Span = span_field()


@dataclass(frozen=True)
class Mixes:
    """``mixes targets unless zero a or b because "reason" when guard``."""

    targets: tuple[Union[Name, Rest, Call], ...]
    unless: Optional[ZeroCondition]
    because: Optional[Reason]
    when: Optional[Expression]
    span: Span = span_field()


@dataclass(frozen=True)
class Zero:
    """``zero out if condition when guard``: masked channels of ``out`` are zero."""

    tensor: Name
    condition: Optional[ZeroCondition]
    when: Optional[Expression]
    span: Span = span_field()


@dataclass(frozen=True)
class Passes:
    """``passes a as out if zero b when guard``: where all of ``b`` is zero, ``out`` is ``a``, if that has
    its shape."""

    passed: Name
    output: Name
    zero: Name
    when: Optional[Expression]
    span: Span = span_field()


@dataclass(frozen=True)
class Balanced:
    """``balanced c``: the parts named ``c`` of a variadic sum stay equal in size."""

    name: Name
    when: Optional[Expression]
    span: Span = span_field()


@dataclass(frozen=True)
class Holds:
    """``out holds expression``: the elements of an output are these sizes."""

    tensor: Name
    value: Expression
    when: Optional[Expression]
    span: Span = span_field()


Statement = Union[Equation, Keep, Mixes, Zero, Passes, Balanced, Holds]


# --- hints: what no channel depends on ------------------------------------------------------


@dataclass(frozen=True)
class Neutral:
    """``hint neutral moving_var = 1``: the value that masks a parameter, where it is not zero."""

    tensor: Name
    value: Literal
    when: Optional[Expression]
    span: Span = span_field()


@dataclass(frozen=True)
class Scales:
    """``hint scales gamma when guard``: a parameter that channels are multiplied by.

    Its size tells how much they matter.
    """

    tensor: Name
    when: Optional[Expression]
    span: Span = span_field()


@dataclass(frozen=True)
class Contracts:
    """``hint contracts targets when guard``: the operator multiplies two inputs and sums over these axes.

    A matrix M applied along such an axis of the one may be applied along that of the other:
    f(M x, w) = f(x, w M), with another M for each combination of the other axes that both have.
    """

    targets: tuple[Union[Name, Rest, Call], ...]
    when: Optional[Expression]
    span: Span = span_field()


@dataclass(frozen=True)
class Discontinuous:
    """``hint discontinuous``: a change in the last bit of an input can reorder the outputs."""

    when: Optional[Expression]
    span: Span = span_field()


@dataclass(frozen=True)
class MultiplyAdds:
    """``hint macs = expression``: what one run of the operator costs."""

    count: Expression
    when: Optional[Expression]
    span: Span = span_field()


Hint = Union[Neutral, Scales, Contracts, Discontinuous, MultiplyAdds]


@dataclass(frozen=True)
class Attribute:
    """An attribute in a rule's header, with the default the framework gives it, if any."""

    name: str
    default: Optional[Literal]
    span: Span = span_field()


@dataclass(frozen=True)
class Rule:
    """One ``op`` block.

    An opaque rule (``opaque because "reason"``) has no slots, statements or hints: ``opaque`` holds
    the reason.
    """

    operators: tuple[Name, ...]
    attributes: tuple[Attribute, ...]
    label: str
    specialises: tuple[Name, ...]
    when: Optional[Expression]
    signature: Signature
    statements: tuple[Statement, ...]
    hints: tuple[Hint, ...]
    opaque: Optional[Reason]
    documentation: str
    span: Span = span_field()


@dataclass(frozen=True)
class RuleFile:
    """All rules of a file, and the reasons that it names, in its order."""

    rules: tuple[Rule, ...]
    span: Span = span_field()
    reasons: tuple[Reason, ...] = ()
