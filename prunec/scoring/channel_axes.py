"""Where channels stand in parameters, and what they do there."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any, Iterator, Optional

import numpy as np
from numpy.typing import NDArray

from prunec.analysis.analyse import Analysis, Parameter
from prunec.channels.components import Atoms
from prunec.graph import Tensor
from prunec.lowering.bound import BoundTensor, names_of, term_size
from prunec.lowering.lowered import LoweredRule

#: The slices of a weight that make a channel (a convolution's filters).
FILTERS = "filters"
#: The slices of a weight that read a channel.
INPUTS = "inputs"
#: A parameter that multiplies channels, by the ``scales`` statement of a rule.
SCALE = "scale"
#: Any other parameter with one number for each channel: biases, shifts, statistics.
VECTOR = "vector"
ROLES = (FILTERS, INPUTS, SCALE, VECTOR)
#: Bytes of a parameter that are looked at together.
_BLOCK = 1 << 22


@dataclass(frozen=True, eq=False)
class ChannelAxis:
    """An axis of a parameter (or a part of one, or a table over several) whose positions are channels.

    ``units`` gives the unit of each position, -1 where it stays.  ``factors`` are the axes of the
    parameter's view that the positions run over.  ``node`` is the node that takes the parameter and
    ``sources`` are the tensors that bring it these channels, where the role is ``inputs``.
    """

    parameter: Parameter
    factors: tuple[int, ...]
    role: str
    units: Atoms
    node: Optional[int]
    sources: tuple[Tensor, ...]

    def values(self, array: NDArray[Any]) -> NDArray[Any]:
        """The parameter as (positions, elements of each), in float32 or better."""
        array = _precise(array)
        view = tuple(size or 0 for size in self.parameter.channels.layout.factors)
        front = np.moveaxis(array.reshape(view), self.factors, range(len(self.factors)))
        return front.reshape(self.units.size, -1)

    def blocks(self, array: NDArray[Any]) -> Iterator[NDArray[Any]]:
        """The same in blocks of positions, for arrays that take up much of the memory."""
        view = tuple(size or 0 for size in self.parameter.channels.layout.factors)
        front = np.moveaxis(array.reshape(view), self.factors, range(len(self.factors)))
        inner = prod(front.shape[1 : len(self.factors)])
        count = max(1, _BLOCK // max(1, front[:1].nbytes))
        for start in range(0, len(front), count):
            block = _precise(front[start : start + count])
            yield block.reshape(len(block) * inner, -1)


def _precise(array: NDArray[Any]) -> NDArray[Any]:
    """An array in float32 or better."""
    if array.dtype.kind == "f" and array.dtype.itemsize >= 4:
        return array
    # Sums of small types overflow, and the least integer has no absolute value of its own type.
    return array.astype(np.float32)


def channel_axes(analysis: Analysis) -> tuple[ChannelAxis, ...]:
    """Every axis with channels that can go, parameter by parameter."""
    slots = _slots(analysis)
    found = []
    for parameter in analysis.parameters:
        layout = parameter.channels.layout
        for factors, array in zip(layout.arrays, parameter.channels.arrays):
            units = analysis.solution.units(array).reshape(-1)
            if (units >= 0).any():
                known = slots.get(parameter.name)
                role, sources = _role(analysis, parameter, factors[-1], known)
                node = None if known is None else known[0]
                found.append(ChannelAxis(parameter, tuple(factors), role, units, node, sources))
    return tuple(found)


#: A node that takes a parameter, its rule, and the slot.
_Taker = tuple[int, LoweredRule, BoundTensor]


def _slots(analysis: Analysis) -> dict[str, _Taker]:
    """For each parameter the first node that takes it as such, and the slot; else the first that takes it as
    it would take data, as products of matrices do."""
    graph = analysis.model.graph
    slots: dict[str, _Taker] = {}
    others: dict[str, _Taker] = {}
    for index, bound in enumerate(analysis.lowered.rules):
        if bound is None:
            continue
        for tensor, slot in zip(graph.nodes[index].inputs, bound.inputs):
            if graph.nodes[tensor.node].operator is None:
                own = slots if slot.slot in bound.parameter_slots else others
                own.setdefault(graph.nodes[tensor.node].name, (index, bound, slot))
        for slot in bound.implied:
            slots.setdefault(analysis.model.implied_name(index, slot.slot), (index, bound, slot))
    return {**others, **slots}


def _role(
    analysis: Analysis,
    parameter: Parameter,
    factor: int,
    known: Optional[_Taker],
) -> tuple[str, tuple[Tensor, ...]]:
    if known is None:
        axis = _axis_of(parameter, factor)[0]
        return (VECTOR if len(parameter.shape) == 1 else FILTERS if axis == 0 else INPUTS), ()
    index, bound, slot = known
    if slot.slot in bound.scales:
        return SCALE, ()
    if len(parameter.shape) == 1:
        return VECTOR, ()
    names = _names(parameter, factor, bound, slot)
    produced = {name for output in bound.outputs for name in output.names}
    if names & produced:
        return FILTERS, ()
    sources = []
    for tensor, own in zip(analysis.model.graph.nodes[index].inputs, bound.inputs):
        brings = own is not slot and own.slot not in bound.parameter_slots
        if brings and names & set(own.names):
            sources.append(tensor)
    return INPUTS, tuple(sources)


def _names(parameter: Parameter, factor: int, bound: LoweredRule, slot: BoundTensor) -> set[str]:
    """The names of a rule that a factor of a parameter stands for."""
    axis, position, count = _axis_of(parameter, factor)
    terms = [term for term in (slot.axes or ())[axis] if term_size(term, bound.sizes) != 1]
    # Where the factors are finer than the rule's, any name of the axis may be meant.
    chosen = (terms[position],) if len(terms) == count else tuple(terms)
    return set(names_of(chosen))


def _axis_of(parameter: Parameter, factor: int) -> tuple[int, int, int]:
    """The axis a factor is of, which of its factors it is, and how many the axis has."""
    start = 0
    for axis, factors in enumerate(parameter.channels.layout.axes):
        if factor < start + len(factors):
            return axis, factor - start, len(factors)
        start += len(factors)
    raise IndexError(factor)
