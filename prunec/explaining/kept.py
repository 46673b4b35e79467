"""All layers that keep channels, and why."""

from __future__ import annotations

from math import prod
from typing import Iterator, Optional

import numpy as np

from prunec.binding.bound import Bound, names_of
from prunec.binding.costs import is_costly
from prunec.compiler import Analysis
from prunec.explaining.axes import axis_channels
from prunec.explaining.explain import Explainer
from prunec.explaining.findings import KeptLayer
from prunec.graph.model import Tensor
from prunec.solver.propagate import Channels


def kept(analysis: Analysis) -> tuple[KeptLayer, ...]:
    """The layers that lose less than all their channels could, those that cost most parameters first.

    A layer is a node whose rule says what it costs.  Its output channels are those it makes from its
    parameters, its input channels those it sums over.
    """
    explainer = Explainer(analysis)
    found: list[KeptLayer] = []
    for index, bound in enumerate(analysis.bound.bounds):
        if bound is None or not is_costly(bound):
            continue
        for side, tensor, axis in _sides(analysis, index, bound):
            layer = _layer(explainer, index, bound, side, tensor, axis)
            if layer is not None:
                found.append(layer)
    order = sorted(range(len(found)), key=lambda n: (-_cost(found[n]), n))
    return tuple(found[n] for n in order)


def _cost(layer: KeptLayer) -> float:
    return layer.parameters * layer.stay / layer.total


def _layer(
    explainer: Explainer, index: int, bound: Bound, side: str, tensor: Tensor, axis: int
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
    node = analysis.bound.graph.nodes[index]
    count = _parameter_count(analysis, index, bound)
    return KeptLayer(node.name, node.operator or "", count, side, axis, stay, total, groups)


def _sides(analysis: Analysis, index: int, bound: Bound) -> Iterator[tuple[str, Tensor, int]]:
    """The output axis whose names stand on a parameter and no data, and the data axis whose names stand on a
    parameter and no output."""
    learned = _names(bound, True)
    data = _names(bound, False)
    made = {name for slot in bound.outputs for axis in slot.axes or () for name in names_of(axis)}
    for number, slot in enumerate(bound.outputs[:1]):
        for position, axis in enumerate(slot.axes or ()):
            if any(name in learned and name not in data for name in names_of(axis)):
                yield "output channels", Tensor(index, number), position
                break
    for tensor, slot in zip(analysis.bound.graph.nodes[index].inputs, bound.inputs):
        if slot.slot in bound.parameter_slots:
            continue
        for position, axis in enumerate(slot.axes or ()):
            if any(name in learned and name not in made for name in names_of(axis)):
                yield "input channels", tensor, position
                return


def _names(bound: Bound, learned: bool) -> set[str]:
    return {
        name
        for slot in (*bound.inputs, *bound.implied)
        if (slot.slot in bound.parameter_slots) == learned
        for axis in slot.axes or ()
        for name in names_of(axis)
    }


def _parameter_count(analysis: Analysis, index: int, bound: Bound) -> int:
    """The elements of a layer's parameters, as far as their shapes are known."""
    shapes = [
        analysis.bound.shapes.get(tensor)
        for tensor, slot in zip(analysis.bound.graph.nodes[index].inputs, bound.inputs)
        if slot.slot in bound.parameter_slots
    ]
    shapes += [bound.shape(slot) for slot in bound.implied]
    return sum(prod(size or 0 for size in shape) for shape in shapes if shape is not None)
