"""All layers that keep channels, and why."""

from __future__ import annotations

from math import prod
from typing import Iterator, Optional

import numpy as np

from prunec.analysis.analyse import Analysis
from prunec.analysis.produced import produced_axis
from prunec.channels.propagate import Channels
from prunec.explaining.axes import axis_channels
from prunec.explaining.explain import Explainer
from prunec.explaining.findings import KeptLayer, UnreadLayer
from prunec.graph import Shape, Tensor
from prunec.lowering.bound import names_of
from prunec.lowering.lowered import LoweredRule


def kept(analysis: Analysis) -> tuple[KeptLayer, ...]:
    """The layers that lose less than all their channels could, those that cost most parameters first.

    A layer is a node whose rule says what it costs and that takes what was learned, as it is or computed
    from constants alone.  Its output channels are those it makes of that, its input channels those it sums
    over.
    """
    explainer = Explainer(analysis)
    found: list[KeptLayer] = []
    for index, bound in enumerate(analysis.lowered.rules):
        # What is computed from constants alone makes weights of them.
        if bound is None or not bound.costly or index in analysis.learned.behind:
            continue
        for side, tensor, axis in _sides(analysis, index, bound):
            layer = _layer(explainer, index, bound, side, tensor, axis)
            if layer is not None:
                found.append(layer)
    order = sorted(range(len(found)), key=lambda n: (-_cost(found[n]), n))
    return tuple(found[n] for n in order)


def unread(analysis: Analysis) -> tuple[UnreadLayer, ...]:
    """The nodes that take what was learned, or hold it in a body, and of which no rule says what they do with
    channels; those with most parameters first."""
    graph = analysis.lowered.graph
    found = []
    for index, opaque in sorted(analysis.lowered.opaque.items()):
        if index in analysis.learned.behind:
            continue  # it makes weights of constants, and who takes these is listed
        node = graph.nodes[index]
        variables = frozenset().union(*(analysis.learned.of(tensor) for tensor in node.inputs))
        counts = [_size(analysis.lowered.shapes.get(Tensor(variable, 0))) for variable in variables]
        inside = graph.nested.get(index, (0, 0))[1]
        if variables or inside:
            total = None if None in counts else inside + sum(count or 0 for count in counts)
            found.append(UnreadLayer(node.name, node.operator or "", total, opaque.reason))
    return tuple(sorted(found, key=lambda layer: -(layer.parameters or 0)))


def _cost(layer: KeptLayer) -> float:
    return (layer.parameters or 0) * layer.stay / layer.total


def _layer(
    explainer: Explainer, index: int, bound: LoweredRule, side: str, tensor: Tensor, axis: int
) -> Optional[KeptLayer]:
    analysis = explainer.analysis
    channels: Optional[Channels] = explainer.links.channels(tensor)
    if channels is None or axis >= len(channels.layout.axes):
        return None
    on_axis = axis_channels(analysis.solution, channels, axis)
    total = len(on_axis.units)
    stay = int((on_axis.units < 0).sum())
    if total < 2 or not stay:
        return None
    groups = explainer.stay_alike(tensor, channels, axis, np.flatnonzero(on_axis.units < 0))
    node = analysis.lowered.graph.nodes[index]
    count = _parameter_count(analysis, index, bound)
    return KeptLayer(node.name, node.operator or "", count, side, axis, stay, total, groups)


def _sides(analysis: Analysis, index: int, bound: LoweredRule) -> Iterator[tuple[str, Tensor, int]]:
    """The output axis that a layer produces, and the data axis whose names stand on what is learned and no
    output."""
    tensors = analysis.lowered.graph.nodes[index].inputs
    slots = analysis.learned.slots(bound, tensors)
    learned = {
        name
        for slot in (*bound.inputs, *bound.implied)
        if slot.slot in slots
        for axis in slot.axes or ()
        for name in names_of(axis)
    }
    made = {name for slot in bound.outputs for name in slot.names}
    produced = produced_axis(bound, slots)
    if produced is not None:
        yield "output channels", Tensor(index, 0), produced
    for tensor, slot in zip(tensors, bound.inputs):
        if slot.slot in slots:
            continue
        for position, axis in enumerate(slot.axes or ()):
            if any(name in learned and name not in made for name in names_of(axis)):
                yield "input channels", tensor, position
                return


def _parameter_count(analysis: Analysis, index: int, bound: LoweredRule) -> Optional[int]:
    """The elements of all that is learned and that a layer takes, each once; ``None`` where a shape is not
    known."""
    variables = {
        variable
        for tensor in analysis.lowered.graph.nodes[index].inputs
        for variable in analysis.learned.of(tensor)
    }
    shapes = [analysis.lowered.shapes.get(Tensor(variable, 0)) for variable in variables]
    known = analysis.model.parameter_shapes
    for slot in bound.implied:
        if known is None or analysis.model.implied_name(index, slot.slot) in known:
            shapes.append(bound.shape(slot))
    counts = [_size(shape) for shape in shapes]
    return None if None in counts else sum(count or 0 for count in counts)


def _size(shape: Optional[Shape]) -> Optional[int]:
    if shape is None or None in shape:
        return None
    return prod(size or 0 for size in shape)
