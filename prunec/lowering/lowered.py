"""What a rule became for one node: everything that the stages behind lowering ask of it, and no syntax tree.

``prunec explain MODEL NODE --rule`` prints the record; see :mod:`prunec.lowering.record_text`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Mapping, Optional

from prunec.graph import Graph, Known, Shape, Tensor
from prunec.lowering.bound import PlainRule, ZeroInputs
from prunec.lowering.expressions import Scalar
from prunec.support.diagnostics import Span


@dataclass(frozen=True)
class RuleHeader:
    """How messages name a rule, and where its parts stand in its file: all of it, its first operator, and its
    signature."""

    label: str
    operator: str
    span: Span
    operator_span: Span
    signature_span: Span


@dataclass(frozen=True)
class AttributeEdit:
    """How an attribute follows from sizes: its entries are ``values``.

    With a ``style`` (``start``, ``stop``, ``copy_zero``, ``stretch``) they are what that function makes of
    an entry, for an axis of the size that ``wholes`` gives, and the entry is written as it was: what counted
    from the end still does.  ``places`` are the axes that the entries belong to, where the attribute does not
    list them in order.
    """

    attribute: str
    values: tuple[Scalar, ...]
    style: Optional[str] = None
    wholes: tuple[Scalar, ...] = ()
    places: Optional[tuple[int, ...]] = None


@dataclass(frozen=True)
class CodesEdit:
    """How an attribute with the codes of a reshape follows from sizes: ``literals`` are the codes that are
    the size of an output axis, each with the name of that axis."""

    attribute: str
    literals: tuple[tuple[int, str], ...]


@dataclass(frozen=True)
class ZeroClaim:
    """That an output is zero where a channel is masked: always, or where the tensors of ``condition`` are."""

    slot: str
    condition: Optional[ZeroInputs]


@dataclass(frozen=True)
class LoweredRule(PlainRule):
    """A rule lowered to one node.

    ``edits`` and ``codes`` give the attributes of the smaller model.  ``vanishing`` are names of axes that
    the operator takes away if they come to have size one.  ``zeros`` are what the rule claims of zeros,
    ``neutral`` the values that mask parameters where that is not zero, by slot, ``scales`` the slots of
    parameters that channels are multiplied by.  ``value_inputs`` are the attributes that inputs carry, each
    with the position of its input.  ``costly`` says whether the rule counts ``multiply_adds``, an expression
    of sizes; ``None`` where these are not known.
    """

    header: RuleHeader
    edits: tuple[AttributeEdit, ...]
    codes: tuple[CodesEdit, ...]
    vanishing: tuple[str, ...]
    zeros: tuple[ZeroClaim, ...]
    neutral: Mapping[str, float]
    scales: frozenset[str]
    value_inputs: tuple[tuple[str, int], ...]
    costly: bool
    multiply_adds: Scalar
    discontinuous: bool


@dataclass(frozen=True)
class Opaque:
    """Why nothing is known of a node: everything it touches is kept.

    ``kind`` is ``"unknown operator"``, ``"no matching rule"``, ``"rule"`` (a rule says so),
    ``"unknown value"`` (an input carries a value that is not known) or ``"unknown shape"``.
    ``discontinuous`` says whether the rule that would hold if the value were known is; ``None`` where there
    is no such rule.
    """

    kind: str
    reason: str
    span: Optional[Span] = None
    discontinuous: Optional[bool] = None


@dataclass(frozen=True)
class LoweredGraph:
    """A graph with a lowered rule for each operator that has one, a shape for each tensor, and what tensors
    hold where that is known.  Of nodes in ``opaque`` nothing is known, whether they have a rule or not."""

    graph: Graph
    rules: tuple[Optional[LoweredRule], ...]
    opaque: Mapping[int, Opaque]
    shapes: Mapping[Tensor, Shape]
    known: Mapping[Tensor, Known]

    def is_costly(self, node: int) -> bool:
        """Whether a node's rule says what it costs: then it is a layer."""
        rule = self.rules[node]
        return rule is not None and rule.costly
