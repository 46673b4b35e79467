"""Plain axes: what a rule's axis lists come to for one node, with the sizes of their names.

All surface forms of the language (rests, placed axes, broadcasting, axis functions, variadic
slots) are resolved here to one: an axis is a product of terms, and a term is a name, a name read
backwards, or a sum of such axes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Mapping, Optional, Union

from prunec.graph import Shape
from prunec.language.syntax import Rule
from prunec.lowering.expressions import Scalar, Sizes
from prunec.lowering.reasons import RuleReason
from prunec.sizes import OpenShape, Size, closed_shape
from prunec.support.diagnostics import Span
from prunec.value import Value


@dataclass(frozen=True)
class Reversed:
    """A name whose elements stand in the opposite order."""

    name: str


@dataclass(frozen=True)
class GatherTerm:
    """The elements of a name at some positions, in their order; an attribute lists the positions.

    ``sizes`` are those of the list, more than one where it is a table; the term is its axis ``axis``.
    """

    name: str
    positions: tuple[int, ...]
    attribute: str
    sizes: tuple[int, ...]
    axis: int = 0


@dataclass(frozen=True)
class SumTerm:
    """Parts that stand one behind the other on one axis."""

    parts: tuple[PlainAxis, ...]


@dataclass(frozen=True)
class Regrouping:
    """Axes ``before`` seen as axes ``after``: the same elements in the same order."""

    before: tuple[str, ...]
    after: tuple[str, ...]


#: A name, a reversed name, some elements of a name, or a sum.
Term = Union[str, Reversed, GatherTerm, SumTerm]

#: A product of terms, outer to inner; the empty product is an axis of size one.
PlainAxis = tuple[Term, ...]


@dataclass(frozen=True)
class BoundTensor:
    """A connected slot of a rule.

    ``axes`` is ``None`` where not even the number of axes could be found.  ``slot`` is the name in
    the rule and ``index`` counts the tensors of a variadic slot.
    """

    slot: str
    index: int
    axes: Optional[tuple[PlainAxis, ...]]
    span: Span
    determines_shape: bool = True
    """Whether the axes tell the tensor's shape: where it may broadcast, they do not."""

    @property
    def label(self) -> str:
        """The slot as messages name it."""
        return self.slot if self.index == 0 else f"{self.slot}[{self.index}]"

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Every name of its axes, in order, repeated where it is repeated."""
        return tuple(name for axis in self.axes or () for name in names_of(axis))


@dataclass(frozen=True)
class ZeroInputs:
    """That all tensors of some slots are zero where a channel is masked, or, with ``any_of``, that one is."""

    slots: tuple[str, ...]
    any_of: bool


@dataclass(frozen=True)
class Mixing:
    """The operator combines over a name, which is harmless where the tensors of ``unless`` are zero."""

    because: str
    unless: Optional[ZeroInputs]
    span: Span


@dataclass(frozen=True)
class PlainRule:
    """The axes of a rule for one node, and what their names mean there.

    ``inputs`` follows the node's inputs; ``implied`` holds the parameter slots that stand for
    parameters the graph does not mention.  ``sizes`` gives every plain name its size, ``None``
    where it is unknown.  ``kept`` maps names that cannot be removed to the reason;
    ``attribute_sized`` holds the names that an attribute makes; ``mixed`` those the operator combines over;
    ``contracted`` those over which the rule says that it sums products of two inputs.
    ``size_values`` gives for each output that holds sizes, by its index, the expression of every element.
    """

    attributes: Mapping[str, Value]
    inputs: tuple[BoundTensor, ...]
    implied: tuple[BoundTensor, ...]
    outputs: tuple[BoundTensor, ...]
    parameter_slots: frozenset[str]
    sizes: Sizes
    regroupings: tuple[Regrouping, ...]
    kept: Mapping[str, RuleReason]
    attribute_sized: frozenset[str]
    mixed: Mapping[str, Mixing]
    contracted: tuple[str, ...]
    balanced: frozenset[str]
    size_values: Mapping[int, tuple[Scalar, ...]]
    open: bool
    """Whether an axis list could not be written out for want of a shape."""

    def open_shape(self, tensor: BoundTensor) -> Optional[OpenShape]:
        """The sizes of a bound tensor, as far as they are known."""
        if tensor.axes is None:
            return None
        return tuple(axis_size(axis, self.sizes) for axis in tensor.axes)

    def shape(self, tensor: BoundTensor) -> Optional[Shape]:
        """The sizes of a bound tensor that are numbers."""
        shape = self.open_shape(tensor)
        return None if shape is None else closed_shape(shape)


@dataclass(frozen=True)
class Bound(PlainRule):
    """A rule bound to what is known of a node while shapes are inferred: the rule as it is written, and how
    many axes and tensors its rests and variadic slots stand for."""

    rule: Rule
    ranks: Mapping[str, int]
    counts: Mapping[str, int]


def axis_size(axis: PlainAxis, sizes: Sizes) -> Optional[Size]:
    """The size of an axis, ``None`` where a name in it has no known size."""
    total: Size = 1
    for term in axis:
        size = term_size(term, sizes)
        if size is None:
            return None
        total = total * size
    return total


def term_size(term: Term, sizes: Sizes) -> Optional[Size]:
    """The size of one term of a product."""
    if isinstance(term, str):
        return sizes.get(term)
    if isinstance(term, Reversed):
        return sizes.get(term.name)
    if isinstance(term, GatherTerm):
        return term.sizes[term.axis]
    total: Size = 0
    for part in term.parts:
        size = axis_size(part, sizes)
        if size is None:
            return None
        total = total + size
    return total


def terms_of(axis: PlainAxis) -> list[Union[str, Reversed, GatherTerm]]:
    """The terms of an axis, those of the parts of sums in their place, in order."""
    terms: list[Union[str, Reversed, GatherTerm]] = []
    for term in axis:
        if isinstance(term, SumTerm):
            for part in term.parts:
                terms += terms_of(part)
        else:
            terms.append(term)
    return terms


def names_of(axis: PlainAxis) -> list[str]:
    """Every name of an axis, in order, repeated where it is repeated."""
    names: list[str] = []
    for term in axis:
        if isinstance(term, str):
            names.append(term)
        elif isinstance(term, SumTerm):
            for part in term.parts:
                names += names_of(part)
        else:
            names.append(term.name)
    return names
