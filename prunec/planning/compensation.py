"""Compensation: what removed channels bring to the layers that read them, on average, is added to a
parameter of those layers.

Everything is read off the framework's own results: the original model is run beside the masked one (the
removed channels set to zero), layer by layer, and the mean difference of a layer's output goes into a
parameter that is found, by trying, to be added to that output.  Where the difference is the same everywhere
(a removed channel holds a constant, as behind a zero scale) nothing is lost: the layer computes what it did
before.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Callable, Iterator, Mapping, Optional, Sequence

import numpy as np
from numpy.typing import NDArray

from prunec.analysis.analyse import Analysis
from prunec.channels.removal import Removed
from prunec.examples import Data
from prunec.frontends.runtime import Array, run_batches, runtime_of
from prunec.graph import Tensor
from prunec.planning.choose import EXACT, LEFT, OUTCOMES
from prunec.rewriting.emit import emit
from prunec.rewriting.slicing import mask_array
from prunec.scoring.channel_axes import INPUTS, channel_axes
from prunec.scoring.unit_scores import group_of_units

#: A difference that varies by less than this part of the output's magnitude is constant.
CONSTANT = 1e-5
#: How far the change of an output may be from that of a parameter which is added to it.
_ADDED = 1e-3
#: How many nodes behind a layer a parameter is looked for.
_REACH = 3


@dataclass(frozen=True)
class Shift:
    """What was done for one layer that reads removed channels.

    ``layer`` is the layer's node, ``groups`` are those whose removed channels it reads, ``target`` the node
    whose ``parameter`` is added to its output (``None``: there is none, and nothing was done).  Layers whose
    outputs meet before their target are one, called by the first.  ``before`` and ``after`` are the greatest
    differences to the output of the original without and with the shift, relative to its greatest magnitude.
    """

    layer: str
    groups: tuple[int, ...]
    target: Optional[str]
    parameter: Optional[str]
    before: float
    after: float
    applied: bool

    @property
    def exact(self) -> bool:
        """Whether the layer computes what it did before, on these examples."""
        return self.after <= CONSTANT

    @property
    def outcome(self) -> str:
        """One of :data:`prunec.planning.choose.OUTCOMES`."""
        return EXACT if self.exact else LEFT


def compensate(
    analysis: Analysis,
    removed: Removed,
    data: Data,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[dict[str, Array], tuple[Shift, ...]]:
    """The parameters that change, with their new values in full size, and what was done.

    Only differences that are constant are made up for, so that nothing is put into the model that it did not
    compute.  Layers are taken in the model's order, each with what was done before it.
    """
    original = analysis.model.parameter
    masked = {own.name: mask_array(own, original(own.name)) for own in emit(analysis, removed).slices}
    finder = _Finder(analysis, data)
    changed: dict[str, Array] = {}
    shifts = []
    places = _places(finder, _layers(analysis, removed))
    for number, (layer, place, groups) in enumerate(places):
        progress(number, len(places))
        shift, values = _one_layer(finder, layer, place, removed, {**masked, **changed})
        if values is not None and shift.parameter is not None:
            changed[shift.parameter] = values
        shifts.append(replace(shift, groups=groups))
    result = {}
    for name, values in changed.items():
        # What goes keeps its value: only kept channels are shifted.
        own = original(name)
        added = values.astype(np.float64) - masked.get(name, own).astype(np.float64)
        result[name] = (own.astype(np.float64) + added).astype(own.dtype)
    return result, tuple(shifts)


def _layers(analysis: Analysis, removed: Removed) -> dict[int, set[int]]:
    """The nodes whose weights read removed channels, in the model's order, each with the groups of these."""
    gone = np.append(removed, False)
    group_of = group_of_units(analysis.solution)
    found: dict[int, set[int]] = {}
    for axis in channel_axes(analysis):
        units = axis.units[gone[axis.units]]
        if axis.role == INPUTS and axis.sources and axis.node is not None and units.size:
            found.setdefault(axis.node, set()).update(np.unique(group_of[units]).tolist())
    return dict(sorted(found.items()))


def _places(
    finder: _Finder, layers: Mapping[int, set[int]]
) -> list[tuple[int, Optional[_Place], tuple[int, ...]]]:
    """Each layer with the place where its output is shifted; layers of one place are one, with all groups."""
    found: dict[tuple[str, int], tuple[int, Optional[_Place], set[int]]] = {}
    for layer, groups in layers.items():
        place = finder.place(layer)
        key = ("layer", layer) if place is None else ("place", place.node)
        found.setdefault(key, (layer, place, set()))[2].update(groups)
    return [(layer, place, tuple(sorted(groups))) for layer, place, groups in found.values()]


def _one_layer(
    finder: _Finder,
    layer: int,
    place: Optional[_Place],
    removed: Removed,
    masked: Mapping[str, Array],
) -> tuple[Shift, Optional[Array]]:
    """What is done for one layer (its groups are left to others), and the new values of the parameter
    (``None``: nothing)."""
    name = finder.names[layer]
    tensor = Tensor(layer, 0) if place is None else Tensor(place.node, 0)
    axis = None if place is None else place.axis
    difference = _Difference(axis)
    for before, after in zip(finder.run({}, tensor), finder.run(masked, tensor)):
        difference.add(before, after)
    if place is None or axis is None:
        off = difference.greatest(None)
        return Shift(name, (), None, None, off, off, False), None
    stays = ~finder.gone(place.parameter, removed).reshape(-1)
    shift = np.where(stays, difference.mean(), 0.0)
    before_off = difference.greatest(np.zeros_like(shift), stays)
    after_off = difference.greatest(shift, stays)
    applied = before_off > 0 and after_off <= CONSTANT
    target = finder.names[place.node]
    off = after_off if applied else before_off
    found = Shift(name, (), target, place.parameter, before_off, off, applied)
    if not applied:
        return found, None
    values = masked.get(place.parameter, finder.original(place.parameter))
    return found, (values.astype(np.float64) + shift.reshape(values.shape)).astype(values.dtype)


class _Difference:
    """Differences of an output of two models, over batches; ``axis`` is its channel axis."""

    def __init__(self, axis: Optional[int]) -> None:
        self.axis = axis
        self.sums: Optional[Array] = None
        self.count = 0
        self.low: Optional[Array] = None
        self.high: Optional[Array] = None
        self.magnitude = 0.0

    def add(self, before: Array, after: Array) -> None:
        self.magnitude = max(self.magnitude, float(np.abs(before).max(initial=0.0)))
        difference = before.astype(np.float64) - after.astype(np.float64)
        axis = self.axis if self.axis is not None else 0
        rows = np.moveaxis(difference, axis, 0).reshape(difference.shape[axis], -1)
        if self.axis is None:
            rows = rows.reshape(1, -1)
        sums, low, high = rows.sum(axis=1), rows.min(axis=1), rows.max(axis=1)
        self.count += rows.shape[1]
        self.sums = sums if self.sums is None else self.sums + sums
        self.low = low if self.low is None else np.minimum(self.low, low)
        self.high = high if self.high is None else np.maximum(self.high, high)

    def mean(self) -> Array:
        assert self.sums is not None
        return np.asarray(self.sums / max(self.count, 1))

    def greatest(self, shift: Optional[Array], stays: Optional[Array] = None) -> float:
        """The greatest difference that is left when ``shift`` is added, relative to the magnitude."""
        assert self.low is not None and self.high is not None
        moved = np.zeros_like(self.low) if shift is None else shift
        off = np.maximum(np.abs(self.low - moved), np.abs(self.high - moved))
        off = off if stays is None else off[stays]
        return float(off.max(initial=0.0) / max(self.magnitude, 1e-30))


@dataclass(frozen=True)
class _Place:
    """A parameter that is added to the first output of a node, along an axis."""

    node: int
    parameter: str
    axis: int


class _Finder:
    """Finds parameters that are added to outputs, by trying."""

    def __init__(self, analysis: Analysis, data: Data) -> None:
        self.analysis = analysis
        self.runtime = runtime_of(analysis.model)
        self.data = data
        self.original = analysis.model.parameter
        self.graph = analysis.model.graph
        self.names = [node.name for node in self.graph.nodes]
        self.shapes = analysis.model.parameter_shapes or {}
        self.readers: dict[Tensor, list[int]] = {}
        for index, node in enumerate(self.graph.nodes):
            for tensor in node.inputs:
                self.readers.setdefault(tensor, []).append(index)
        count = data.batch if data.whole else 1
        few = {name: array[:count] for name, array in data.inputs.items()}
        self.few = replace(data, inputs=few, labels=None, batch=count)

    def run(self, parameters: Mapping[str, Array], tensor: Tensor) -> Iterator[Array]:
        """The values of a tensor, batch by batch, with other parameters in place of the model's own."""
        for values, _ in run_batches(self.runtime, self.data, [tensor], parameters):
            yield values[0]

    def place(self, layer: int) -> Optional[_Place]:
        """The nearest parameter that is added to what a layer puts out, before anything else reads it."""
        node = layer
        for _ in range(_REACH):
            for parameter, axis in self._candidates(node):
                if self._is_added(node, parameter, axis):
                    return _Place(node, parameter, axis)
            readers = self.readers.get(Tensor(node, 0), [])
            if len(readers) != 1 or Tensor(node, 0) in self.graph.outputs:
                return None
            node = readers[0]
        return None

    def gone(self, parameter: str, removed: Removed) -> NDArray[np.bool_]:
        """Which elements of a parameter the plan removes."""
        marks = np.append(removed, False)
        for own in self.analysis.parameters:
            if own.name == parameter and own.channels.arrays:
                gone = np.zeros(self.original(parameter).shape, dtype=bool)
                for factors, array in zip(own.channels.layout.arrays, own.channels.arrays):
                    view = [size or 0 for size in own.channels.layout.factors]
                    shape = [view[f] if f in factors else 1 for f in range(len(view))]
                    table = marks[self.analysis.solution.units(array)].transpose(np.argsort(factors))
                    gone |= np.broadcast_to(table.reshape(shape), view).reshape(gone.shape)
                return gone
        return np.zeros(self.original(parameter).shape, dtype=bool)

    def _candidates(self, node: int) -> Iterator[tuple[str, int]]:
        """Parameters of a node with one axis that its first output has as well, all others of size one."""
        bound = self.analysis.lowered.rules[node]
        if bound is None or not bound.outputs or bound.outputs[0].axes is None:
            return
        for tensor, slot in zip(self.graph.nodes[node].inputs, bound.inputs):
            name = self.names[tensor.node]
            alone = len(self.readers[tensor]) == 1 and self.graph.nodes[tensor.node].operator is None
            if not alone or tensor.node not in self.graph.parameters or name not in self.shapes:
                continue
            axes = [axis for axis in slot.axes or () if axis]
            if len(axes) == 1 and axes[0] in bound.outputs[0].axes:
                yield name, bound.outputs[0].axes.index(axes[0])

    def _is_added(self, node: int, parameter: str, axis: int) -> bool:
        """Whether adding to a parameter adds the same to the output."""
        tensor = Tensor(node, 0)
        (before,) = next(run_batches(self.runtime, self.few, [tensor]))[0]
        values = self.original(parameter)
        if values.dtype.kind != "f" or before.dtype.kind != "f":
            return False
        scale = max(float(np.abs(before).max(initial=0.0)), 1e-6)
        step = (np.linspace(0.5, 1.0, values.size) * scale).astype(np.float32)
        tried = {parameter: (values + step.reshape(values.shape)).astype(values.dtype)}
        (after,) = next(run_batches(self.runtime, self.few, [tensor], tried))[0]
        change = np.moveaxis(after.astype(np.float64) - before, axis, -1)
        return change.shape[-1] == step.size and bool((np.abs(change - step) <= _ADDED * scale).all())


def by_group(shifts: Sequence[Shift]) -> dict[int, str]:
    """For each group whose removed channels layers read, what became of these layers, the worst counting."""
    found: dict[int, str] = {}
    for shift in shifts:
        for group in shift.groups:
            found[group] = max(found.get(group, EXACT), shift.outcome, key=OUTCOMES.index)
    return dict(sorted(found.items()))
