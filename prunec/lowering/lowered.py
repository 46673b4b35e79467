"""What a rule became for one node: everything that the stages behind lowering ask of it, and no syntax tree.

``prunec explain MODEL NODE --rule`` prints the record; see :mod:`prunec.lowering.record_text`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Mapping, Optional

from prunec.graph import Graph, Known, Shape, Tensor
from prunec.lowering.bound import PlainRule, ZeroInputs
from prunec.lowering.expressions import Scalar
from prunec.lowering.open_values import is_open
from prunec.sizes import OpenShape, OpenSize, Size, Symbol, closed_shape, exemplary
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
class Passing:
    """That the output ``output`` is the input ``passed`` where all of the input ``zero`` is zero, if output
    and passed input have one shape: by their places among the node's outputs and inputs."""

    passed: int
    output: int
    zero: int


@dataclass(frozen=True)
class LoweredRule(PlainRule):
    """A rule lowered to one node.

    ``edits`` and ``codes`` give the attributes of the smaller model.  ``vanishing`` are names of axes that
    the operator takes away if they come to have size one.  ``zeros`` are what the rule claims of zeros,
    ``passes`` which inputs it hands on where others are zero,
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
    passes: tuple[Passing, ...]
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
    hold where that is known: ``values`` and ``open_shapes`` have open sizes among numbers.  Of nodes in
    ``opaque`` nothing is known, whether they have a rule or not.  ``held``: the inputs, by node and position,
    that take a number which follows from sizes, and that go on taking it where these shrink."""

    graph: Graph
    rules: tuple[Optional[LoweredRule], ...]
    opaque: Mapping[int, Opaque]
    open_shapes: Mapping[Tensor, OpenShape]
    values: Mapping[Tensor, Known]
    held: frozenset[tuple[int, int]] = frozenset()

    @cached_property
    def shapes(self) -> Mapping[Tensor, Shape]:
        """The shapes, ``None`` for sizes that are open."""
        return {tensor: closed_shape(shape) for tensor, shape in self.open_shapes.items()}

    @cached_property
    def example_shapes(self) -> Mapping[Tensor, Shape]:
        """The shapes, ``None`` for open sizes of which the example says nothing."""
        return {
            tensor: tuple(exemplary(size, {}) for size in shape) for tensor, shape in self.open_shapes.items()
        }

    @cached_property
    def neutral(self) -> Mapping[Tensor, float]:
        """The values that mask parameters where zero does not, as the operators they enter have it."""
        values: dict[Tensor, float] = {}
        for node, rule in zip(self.graph.nodes, self.rules):
            for tensor, slot in zip(node.inputs, rule.inputs if rule is not None and rule.neutral else ()):
                assert rule is not None
                if rule.neutral.get(slot.slot):
                    values[tensor] = rule.neutral[slot.slot]
        return values

    def example(self, size: Optional[Size]) -> Optional[int]:
        """What a size is in the example; where only the number of samples is open, that of one sample."""
        return exemplary(size, self._one_sample)

    @cached_property
    def _one_sample(self) -> Mapping[Symbol, int]:
        graph = self.graph
        inputs = [
            n for n, node in enumerate(graph.nodes) if node.operator is None and n not in graph.parameters
        ]
        shapes = [graph.shapes.get(n) for n in inputs]
        if not all(shape is not None and _is_open_at_most_in_front(shape) for shape in shapes):
            return {}
        front = [shape[0] for shape in shapes if shape]
        return {symbol: 1 for size in front if isinstance(size, OpenSize) for symbol in size.symbols}

    @cached_property
    def known(self) -> Mapping[Tensor, Known]:
        """What tensors hold in which no size is open."""
        return {tensor: array for tensor, array in self.values.items() if not is_open(array)}

    def is_costly(self, node: int) -> bool:
        """Whether a node's rule says what it costs: then it is a layer."""
        rule = self.rules[node]
        return rule is not None and rule.costly


def _is_open_at_most_in_front(shape: OpenShape) -> bool:
    return all(isinstance(size, int) for size in shape[1:]) and None not in shape[:1]
