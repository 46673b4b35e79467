"""What a node costs: the ``macs`` statement of its rule."""

from __future__ import annotations

from typing import Optional

from prunec.language.syntax import MultiplyAdds
from prunec.lowering.bound import Bound
from prunec.lowering.expansion import variadic_names
from prunec.lowering.expressions import Scalar, Scope, Unspreadable, spread


def is_costly(bound: Optional[Bound]) -> bool:
    """Whether a node's rule says what it costs."""
    return bound is not None and any(isinstance(s, MultiplyAdds) for s in bound.rule.statements)


def multiply_adds(bound: Bound) -> Scalar:
    """The multiply-adds of a costly node as an expression of the sizes of its names; ``None`` where they are
    not known."""
    signature = bound.rule.signature
    assert signature is not None
    statement = next(s for s in bound.rule.statements if isinstance(s, MultiplyAdds))
    declared = {attribute.name for attribute in bound.rule.attributes}
    axis_names = frozenset(name.split(".")[0] for name in bound.sizes) - declared
    tensors = signature.data + signature.parameters + signature.outputs
    scope = Scope(bound.attributes, axis_names, bound.ranks, bound.counts, variadic_names(tensors))
    try:
        entries = spread(statement.count, scope)
    except Unspreadable:
        return None
    return entries[0] if len(entries) == 1 else None
