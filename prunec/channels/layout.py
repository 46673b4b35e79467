"""How the channels of a tensor are laid out, and the program that a rule makes of it.

A tensor's axis is a product of *factors*.  An *atom array* spans some factors of a tensor and holds an
atom for each of their combinations: an element of the tensor goes when any of the atoms over it
goes.  A factor that no array spans is kept.  The last factor an array spans is the one that
shrinks; the others are its rows.  Rows of a table may still vanish when everything in them does: an array
of *row atoms* follows such rows in tensors that have the rows but not the columns.

Deriving a rule's effect needs only layouts, not atoms, so it is done once for all nodes that look
alike; the result is a :class:`ChannelProgram`, a straight list of steps on arrays.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Mapping, Optional, Union

from prunec.lowering.reasons import ReasonKind, RuleReason
from prunec.sizes import Size, closed_shape
from prunec.support.diagnostics import Span


@dataclass(frozen=True)
class Layout:
    """Factor sizes axis by axis (size one is left out, ``None`` is unknown), the factors that each atom array
    spans (counted through all axes, outer to inner; their sizes are numbers), and for each array whether
    what it removes is zero in the masked original."""

    open_axes: tuple[tuple[Optional[Size], ...], ...]
    arrays: tuple[tuple[int, ...], ...]
    zero: tuple[bool, ...] = ()
    of_rows: tuple[bool, ...] = ()
    """For each array whether it holds row atoms."""

    @cached_property
    def axes(self) -> tuple[tuple[Optional[int], ...], ...]:
        """The sizes that are numbers, ``None`` for one that is open."""
        return tuple(closed_shape(axis) for axis in self.open_axes)

    @property
    def factors(self) -> tuple[Optional[int], ...]:
        """All factor sizes that are numbers, in order."""
        return tuple(size for axis in self.axes for size in axis)


@dataclass(frozen=True)
class InputReason:
    """A factor is kept because factor ``factor`` of input ``slot`` is."""

    slot: int
    factor: int


#: Why a factor is kept.
Reason = Union[RuleReason, InputReason]


def unsized(reason: Reason) -> Reason:
    """The reason in its place why something is kept there for want of a size."""
    return RuleReason(ReasonKind.UNKNOWN_SIZE, reason.span) if isinstance(reason, RuleReason) else reason


#: One step of a program: an operation's name and its arguments; its result is the next value.
Step = tuple[object, ...]


@dataclass(frozen=True)
class TensorResult:
    """The layout of a tensor, the values of its atom arrays, and for each factor why it is kept."""

    layout: Layout
    values: tuple[int, ...]
    reasons: tuple[Optional[Reason], ...]


@dataclass(frozen=True)
class NamedSize:
    """A factor of a name: its size, and the arrays (value, dimension) that may shrink it."""

    size: Optional[Size]
    arrays: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class ChannelProgram:
    """What a rule does to atoms, for all nodes whose inputs have the same layouts.

    Values are numbered: first the atom arrays of the inputs, then the results of ``steps``.  ``ties`` make
    two values of one shape the same atoms; ``keeps`` make all atoms of a value stay; ``balances``
    are values whose rows lose equally; ``rows`` are a table, some of its dimensions, and the value of
    the atoms that follow its slices along them; ``approximate`` are values that the operator combines
    over; ``produced`` are the values of fresh atoms; ``position_atoms`` gives for an attribute that lists
    positions the value of the atoms that they count through.
    """

    steps: tuple[Step, ...]
    ties: tuple[tuple[int, int, Span], ...]
    keeps: tuple[tuple[int, Reason], ...]
    balances: tuple[tuple[int, Span], ...]
    rows: tuple[tuple[int, tuple[int, ...], int, Span], ...]
    approximate: tuple[tuple[int, str, Span], ...]
    produced: tuple[int, ...]
    outputs: tuple[TensorResult, ...]
    parameter_layouts: Mapping[int, TensorResult]
    implied: tuple[TensorResult, ...]
    names: Mapping[str, tuple[NamedSize, ...]]
    position_atoms: Mapping[str, int]
