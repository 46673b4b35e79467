"""Names as a rule's axis lists write them, before they are written out for a node."""

from __future__ import annotations

from prunec.language import tree
from prunec.language.functions import function_of
from prunec.language.syntax import (
    Broadcast,
    Call,
    Equation,
    Name,
    Rest,
    Rule,
    Signature,
    TensorPattern,
)


def slots_of(signature: Signature) -> tuple[TensorPattern, ...]:
    """All slots of a signature, in order."""
    return signature.data + signature.parameters + signature.outputs


def axis_names(rule: Rule) -> frozenset[str]:
    """The names and rests of all axis lists of a rule."""
    return frozenset(
        name
        for tensor in slots_of(rule.signature)
        for axis in tensor.axes
        for name in tree.axis_names(axis.item)
    )


def equations(rule: Rule) -> list[Equation]:
    """The equations of a rule."""
    return [statement for statement in rule.statements if isinstance(statement, Equation)]


def is_lettered(item: object) -> bool:
    """Whether a formula names the axes."""
    return isinstance(item, Call) and function_of(item).formula is not None


def may_be_one(item: object) -> bool:
    """Whether an axis of an input can have size one where its name has another: ``~c``, ``~*x``, and what a
    formula of letters names."""
    return isinstance(item, Broadcast) or is_lettered(item)


def is_broadcast_list(tensor: TensorPattern) -> bool:
    """Whether all axes are single ones that broadcast: a shorter tensor is aligned at its end."""
    return bool(tensor.axes) and all(
        isinstance(axis.item, Broadcast) and isinstance(axis.item.item, Name) for axis in tensor.axes
    )


def is_broadcast_rest(item: object) -> bool:
    """``~*x``."""
    return isinstance(item, Broadcast) and isinstance(item.item, Rest)
