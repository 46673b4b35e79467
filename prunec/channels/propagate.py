"""Carrying atoms through a bound graph: every tensor gets its layout and its arrays of atoms."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from math import prod
from types import MappingProxyType
from typing import Container, Mapping, Optional, Sequence

import numpy as np

from prunec.channels.components import KEPT, Atoms
from prunec.channels.derive import InputLayout, UnseenParameter, derive
from prunec.channels.execute import Room, execute
from prunec.channels.interface import FIXED, Interface, joint
from prunec.channels.layout import ChannelProgram, InputReason, Layout, Reason, TensorResult
from prunec.graph import Graph, Tensor
from prunec.lowering.lowered import LoweredGraph, LoweredRule
from prunec.lowering.reasons import ReasonKind, RuleReason
from prunec.sizes import Size, product, quotient
from prunec.support.diagnostics import Span


@dataclass(frozen=True)
class Cause:
    """Why something is kept or tied: the node, and the place in the rule or a text."""

    kind: str
    """``"input"``, ``"output"`` (the model's interface), ``"opaque"``, ``"size"`` (one that is not known),
    ``"rule"`` or ``"hold"``."""
    text: str
    node: int
    span: Optional[Span] = None
    reason: Optional[RuleReason] = None
    """What a rule says, of kinds ``"rule"`` and ``"size"``; ``None`` for what ties, and says nothing."""


@dataclass(frozen=True)
class Channels:
    """The channels of a tensor: its layout, the atoms of each array, and for each factor that no array
    spans, the number of the cause that keeps it (-1 elsewhere)."""

    layout: Layout
    arrays: tuple[Atoms, ...]
    causes: tuple[int, ...]


class EdgeKind(Enum):
    """What joins atoms."""

    TIE = "tie"
    """The rule of the node."""
    KEEP = "keep"
    """The rule of the node keeps them."""
    INTERFACE = "interface"
    """Inputs, outputs, opaque nodes and policies."""
    BALANCE = "balance"
    """Rows of a table that lose equally."""
    ROWS = "rows"
    """What follows the rows of a table."""


@dataclass(frozen=True)
class Edge:
    """Two arrays of one shape whose atoms are the same, element by element, and where that comes from: the
    number of its cause, the node at which they are joined, and, for what is kept, the reason there."""

    left: Atoms
    right: Atoms
    cause: int
    kind: EdgeKind
    node: int
    reason: Optional[Reason] = None


@dataclass(frozen=True)
class BalancedTable:
    """An array whose rows lose equally, put down to a cause."""

    atoms: Atoms
    cause: int


@dataclass(frozen=True)
class RowsOf:
    """Atoms ``rows`` that follow the slices of ``table`` along ``dimensions``: where all of a slice is one
    unit, that unit; elsewhere nothing of them goes."""

    table: Atoms
    dimensions: tuple[int, ...]
    rows: Atoms
    cause: int


@dataclass(frozen=True)
class NodeAtoms:
    """The program of a node and all its values."""

    program: ChannelProgram
    values: tuple[Atoms, ...]


@dataclass(frozen=True)
class Propagation:
    """Everything known about atoms before they are joined.

    ``channels`` covers inputs, parameters and outputs of operators; ``implied`` the parameters that the
    graph does not mention, by node and slot; ``inputs`` are the model's inputs, and ``interface`` says
    what of these and of the outputs may change its width.
    """

    lowered: LoweredGraph
    atom_count: int
    channels: Mapping[Tensor, Channels]
    implied: Mapping[tuple[int, str], Channels]
    nodes: tuple[Optional[NodeAtoms], ...]
    edges: tuple[Edge, ...]
    balances: tuple[BalancedTable, ...]
    rows: tuple[RowsOf, ...]
    approximate: tuple[tuple[Atoms, int], ...]
    causes: tuple[Cause, ...]
    inputs: frozenset[int] = frozenset()
    interface: Interface = FIXED


#: For axes of parameters the size of the columns, where an axis is rows and columns that go independently.
Products = Mapping[Tensor, Mapping[int, int]]


def propagate(
    bound: LoweredGraph,
    parameters: frozenset[int],
    strict: bool,
    products: Products = MappingProxyType({}),
    interface: Interface = FIXED,
    whole: Container[str] = frozenset(),
) -> Propagation:
    """Carries atoms from the parameters that make them to everything they meet.

    ``parameters`` are the variables that are learned; all other variables are the model's interface, which
    stays as it is but for what ``interface`` names.  Of the ``products`` among the parameters whole rows and
    whole columns go, and nothing else.  ``whole`` names nodes at which whole rows of tables go where they
    cannot while columns do.
    """
    return _Propagator(bound, parameters, strict, products, interface, whole).run()


class _Propagator:
    def __init__(
        self,
        bound: LoweredGraph,
        parameters: frozenset[int],
        strict: bool,
        products: Products,
        interface: Interface,
        whole: Container[str],
    ) -> None:
        self.bound = bound
        self.whole = whole
        self.interface = interface
        self.inputs: dict[str, int] = {}
        self.products = products
        self.graph: Graph = bound.graph
        self.parameters = parameters
        self.learned = set(parameters)
        """The nodes whose outputs follow from parameters alone, these among them."""
        self.strict = strict
        self.next_atom = KEPT + 1
        shapes = (bound.shapes.get(Tensor(index, 0), ()) for index in parameters)
        self.room = Room(sum(prod(size or 1 for size in shape) for shape in shapes))
        self.channels: dict[Tensor, Channels] = {}
        self.implied: dict[tuple[int, str], Channels] = {}
        self.nodes: list[Optional[NodeAtoms]] = [None] * len(self.graph.nodes)
        self.edges: list[Edge] = []
        self.balances: list[BalancedTable] = []
        self.rows: list[RowsOf] = []
        self.approximate: list[tuple[Atoms, int]] = []
        self.causes: list[Cause] = []
        self.cause_numbers: dict[Cause, int] = {}
        self.programs: dict[object, ChannelProgram] = {}

    def run(self) -> Propagation:
        for index, node in enumerate(self.graph.nodes):
            if node.operator is None:
                if index not in self.parameters:
                    self._input(index)
                continue
            bound = self.bound.rules[index]
            if index in self.bound.opaque or bound is None or bound.open:
                self._opaque(index)
            else:
                self._apply(index, bound)
        for place, tensor in enumerate(self.graph.outputs):
            if place not in self.interface.outputs:
                name = self.graph.nodes[tensor.node].name
                cause = self.cause(Cause("output", f"the model output {name!r}", tensor.node))
                self._keep_whole(tensor, cause)
        for name, place in self.interface.pairs:
            if name in self.inputs:
                self._feed_back(Tensor(self.inputs[name], 0), self.graph.outputs[place])
        return Propagation(
            self.bound,
            self.next_atom,
            self.channels,
            self.implied,
            tuple(self.nodes),
            tuple(self.edges),
            tuple(self.balances),
            tuple(self.rows),
            tuple(self.approximate),
            tuple(self.causes),
            frozenset(self.inputs.values()),
            self.interface,
        )

    def cause(self, cause: Cause) -> int:
        """The number of a cause."""
        number = self.cause_numbers.get(cause)
        if number is None:
            number = self.cause_numbers[cause] = len(self.causes)
            self.causes.append(cause)
        return number

    def _fresh(self, shape: tuple[int, ...]) -> Atoms:
        size = prod(shape)
        self.room.take(size)
        start, self.next_atom = self.next_atom, self.next_atom + size
        return np.arange(start, self.next_atom, dtype=np.int64).reshape(shape)

    def _keep(self, array: Atoms, cause: int) -> None:
        node = self.causes[cause].node
        self.edges.append(Edge(array, np.zeros_like(array), cause, EdgeKind.INTERFACE, node))

    def _keep_whole(self, tensor: Tensor, cause: int) -> None:
        """Keeps every channel of a tensor; gives it a layout if it has none and its shape is known."""
        known = self.channels.get(tensor)
        if known is not None:
            for array in known.arrays:
                self._keep(array, cause)
            return
        shape = self.bound.open_shapes.get(tensor)
        if shape is not None:
            layout = Layout(tuple(() if size == 1 else (size,) for size in shape), ())
            self.channels[tensor] = Channels(layout, (), (cause,) * len(layout.factors))

    def _input(self, index: int) -> None:
        """Keeps a model input, but for the axes along which it may change its width: they get atoms."""
        name = self.graph.nodes[index].name
        cause = self.cause(Cause("input", f"the model input {name!r}", index))
        tensor = Tensor(index, 0)
        self.inputs[name] = index
        if name not in self.interface.inputs:
            self._keep_whole(tensor, cause)
            return
        shape = self.bound.open_shapes.get(tensor)
        if shape is None:
            return
        axes = [axis for axis, size in enumerate(shape) if size != 1]
        spans, arrays, causes = [], [], []
        for factor, axis in enumerate(axes):
            size = shape[axis]
            if isinstance(size, int) and axis - len(shape) in self.interface.axes:
                spans.append((factor,))
                arrays.append(self._fresh((size,)))
                causes.append(-1)
            else:
                causes.append(cause)
        layout = Layout(tuple(() if n == 1 else (n,) for n in shape), tuple(spans), (False,) * len(spans))
        self.channels[tensor] = Channels(layout, tuple(arrays), tuple(causes))

    def _feed_back(self, given: Tensor, made: Tensor) -> None:
        """Joins the channels of an input with those of the output that a caller feeds back to it."""
        fed, back = (self.graph.nodes[tensor.node].name for tensor in (given, made))
        cause = self.cause(Cause("hold", f"the output {back!r} is fed back as {fed!r}", made.node))
        source, target = self.channels.get(made), self.channels.get(given)
        if source is None or target is None:
            for tensor in (given, made):
                self._keep_whole(tensor, cause)
            return
        left = set(range(len(target.arrays)))
        for number, array in enumerate(source.arrays):
            meeting = joint(target.layout, source.layout, number)
            columns = None if meeting is None else target.arrays[meeting.columns]
            if meeting is None or columns is None or columns.size != prod(array.shape[meeting.first :]):
                self._keep(array, cause)
                continue
            same = np.broadcast_to(columns.reshape(array.shape[meeting.first :]), array.shape)
            self.edges.append(Edge(same, array, cause, EdgeKind.INTERFACE, made.node))
            self.rows += [RowsOf(array, (at,), target.arrays[rows], cause) for at, rows in meeting.rows]
            left -= {meeting.columns, *(rows for _, rows in meeting.rows)}
        for number in left:
            self._keep(target.arrays[number], cause)

    def _opaque(self, index: int) -> None:
        known = self.bound.opaque.get(index)
        text = known.reason if known is not None else "the shapes it works on are not known"
        cause = self.cause(Cause("opaque", text, index, known.span if known is not None else None))
        for tensor in self.graph.nodes[index].inputs:
            self._keep_whole(tensor, cause)
        bound = self.bound.rules[index]
        for k in range(len(bound.outputs) if bound is not None else 0):
            self._keep_whole(Tensor(index, k), cause)

    def _input_layout(self, tensor: Tensor) -> InputLayout:
        channels = self.channels.get(tensor)
        if channels is not None:
            return channels.layout
        is_parameter = self.graph.nodes[tensor.node].operator is None and tensor.node in self.parameters
        return UnseenParameter(self.bound.neutral.get(tensor, 0.0)) if is_parameter else None

    def _apply(self, index: int, bound: LoweredRule) -> None:
        node = self.graph.nodes[index]
        layouts: list[InputLayout] = []
        for tensor in node.inputs:
            layout = self._input_layout(tensor)
            twice = node.inputs.count(tensor) > 1
            if isinstance(layout, UnseenParameter) and (twice or tensor in self.products):
                layout = self._adopt_plain(tensor)
            layouts.append(layout)
        whole = node.name in self.whole
        alone = all(tensor.node in self.learned for tensor in node.inputs)
        if alone:
            self.learned.add(index)
        key = (id(bound), tuple(layouts), whole, alone)
        program = self.programs.get(key)
        if program is None:
            program = self.programs[key] = derive(bound, layouts, self.strict, whole, alone)
        arrays = [a for t in node.inputs if t in self.channels for a in self.channels[t].arrays]
        values = execute(program.steps, arrays, self._fresh, self.room)
        self.nodes[index] = NodeAtoms(program, tuple(values))
        self._record(index, program, values, node.inputs)
        for slot, result in program.parameter_layouts.items():
            channels = self._channels(index, result, values, node.inputs)
            self.channels[node.inputs[slot]] = self._sized(index, node.inputs[slot], channels)
        for tensor_slot, result in zip(bound.implied, program.implied):
            self.implied[index, tensor_slot.slot] = self._channels(index, result, values, node.inputs)
        for k, result in enumerate(program.outputs):
            self.channels[Tensor(index, k)] = self._channels(index, result, values, node.inputs)

    def _sized(self, index: int, tensor: Tensor, channels: Channels) -> Channels:
        """A parameter's channels with sizes from its shape.  An axis whose factors stay open is kept as it
        is, however long, and so is what spans it."""
        layout = channels.layout
        factors = [size for axis in layout.open_axes for size in axis]
        if None not in factors or not channels.arrays:
            return channels
        shape = self.bound.shapes.get(tensor) or (None,) * len(layout.axes)
        axes = [_fill(axis, size) for axis, size in zip(layout.open_axes, shape)]
        if all(None not in axis or len(axis) == 1 for axis in axes):
            return replace(channels, layout=replace(layout, open_axes=tuple(axes)))
        cause = self.cause(Cause("size", ReasonKind.UNKNOWN_SIZE.value, index))
        place: dict[int, int] = {}
        causes: list[int] = []
        old = 0
        for number, axis in enumerate(axes):
            if None in axis and len(axis) > 1:
                axes[number] = (shape[number],)
                causes.append(cause)
            else:
                place.update({old + n: len(causes) + n for n in range(len(axis))})
                causes += channels.causes[old : old + len(axis)]
            old += len(layout.axes[number])
        stays = [n for n, factors in enumerate(layout.arrays) if all(f in place for f in factors)]
        for n, array in enumerate(channels.arrays):
            if n not in stays:
                self._keep(array, cause)
        plain = Layout(
            tuple(axes),
            tuple(tuple(place[f] for f in layout.arrays[n]) for n in stays),
            tuple(layout.zero[n] for n in stays) if layout.zero else (),
            tuple(layout.of_rows[n] for n in stays) if layout.of_rows else (),
        )
        return Channels(plain, tuple(channels.arrays[n] for n in stays), tuple(causes))

    def _adopt_plain(self, tensor: Tensor) -> InputLayout:
        """A parameter that one node takes twice, or one with axes of independent rows and columns: plain
        atoms for each axis, or its rows and columns, tied by the rule."""
        shape = self.bound.shapes.get(tensor)
        if shape is None or None in shape:
            return None
        columns = self.products.get(tensor, {})
        axes = tuple(
            ()
            if size == 1
            else ((size or 0) // columns[axis], columns[axis])
            if axis in columns
            else (size or 0,)
            for axis, size in enumerate(shape)
        )
        sizes = [size for axis in axes for size in axis]
        zero = not self.bound.neutral.get(tensor)
        layout = Layout(axes, tuple((n,) for n in range(len(sizes))), (zero,) * len(sizes))
        arrays = tuple(self._fresh((size,)) for size in sizes)
        self.channels[tensor] = Channels(layout, arrays, (-1,) * len(arrays))
        return layout

    def _record(
        self, index: int, program: ChannelProgram, values: Sequence[Atoms], inputs: Sequence[Tensor]
    ) -> None:
        for left, right, span in program.ties:
            cause = self._rule_cause(index, span)
            self.edges.append(Edge(values[left], values[right], cause, EdgeKind.TIE, index))
        for value, reason in program.keeps:
            array = values[value]
            cause = self._reason(index, reason, inputs)
            self.edges.append(Edge(array, np.zeros_like(array), cause, EdgeKind.KEEP, index, reason))
        for value, span in program.balances:
            self.balances.append(BalancedTable(values[value], self._rule_cause(index, span)))
        for table, dimensions, value, span in program.rows:
            cause = self._rule_cause(index, span)
            self.rows.append(RowsOf(values[table], dimensions, values[value], cause))
        for value, text, span in program.approximate:
            cause = self.cause(Cause("rule", text, index, span))
            self.approximate.append((values[value], cause))

    def _rule_cause(self, index: int, span: Span) -> int:
        return self.cause(Cause("rule", "", index, span))

    def _reason(self, index: int, reason: Reason, inputs: Sequence[Tensor]) -> int:
        if isinstance(reason, InputReason):
            return self.channels[inputs[reason.slot]].causes[reason.factor]
        kind = "size" if reason.kind is ReasonKind.UNKNOWN_SIZE else "rule"
        return self.cause(Cause(kind, reason.text, index, reason.span, reason))

    def _channels(
        self, index: int, result: TensorResult, values: Sequence[Atoms], inputs: Sequence[Tensor]
    ) -> Channels:
        causes = tuple(-1 if r is None else self._reason(index, r, inputs) for r in result.reasons)
        return Channels(result.layout, tuple(values[v] for v in result.values), causes)


def _fill(axis: Sequence[Optional[Size]], size: Optional[int]) -> tuple[Optional[Size], ...]:
    """The factors of an axis, its one unknown factor found from the size of the whole."""
    known = product(factor or 1 for factor in axis)
    count = None if size is None or list(axis).count(None) != 1 else quotient(size, known)
    return tuple(axis if count is None else (count if factor is None else factor for factor in axis))
