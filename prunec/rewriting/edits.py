"""What a choice of units does to a model: the record that front ends write the smaller model from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Container, Iterator, Mapping, MutableMapping, Optional, Sequence

import numpy as np
from numpy.typing import NDArray

from prunec.analysis.analyse import Analysis
from prunec.embedded.slices import ParameterSlice
from prunec.graph import Known, Tensor, as_value, same
from prunec.lowering.infer import describe
from prunec.lowering.lowered import LoweredGraph
from prunec.lowering.open_values import generic, is_open, open_elements
from prunec.lowering.values import computed, size_arrays
from prunec.rewriting.new_attributes import new_attributes, new_positions, squeezed_away
from prunec.rewriting.shrink import Shrinker, cut
from prunec.sizes import OpenShape, Symbol
from prunec.support.diagnostics import Diagnostic, PrunecError
from prunec.value import Value


@dataclass(frozen=True)
class Edits:
    """All that a choice of units changes in a model.

    ``attributes`` by node and name; ``inputs``, what an input must hold that carries a value, by node and the
    position among its inputs; ``shapes``, for each tensor that shrinks, its axes that do and their new sizes
    (``None`` where a size is not known); ``unknown``, the tensors that come from some that shrink without a
    rule that says how they do; ``known_values``, what tensors hold in the smaller model before any input is
    changed, where that is known: with a number that the model has for no other reason in the place of each
    open size, here and in ``inputs``, of which ``open_elements`` tells where that is; ``slices``, how
    parameters are cut; ``open``, the tensors that hold open sizes.

    ``prunec explain MODEL NODE --rule --plan PLAN`` prints the part of a node; see
    :mod:`prunec.rewriting.edits_text`.
    """

    attributes: Mapping[tuple[int, str], Value]
    inputs: Mapping[tuple[int, int], Known]
    shapes: Mapping[Tensor, Mapping[int, Optional[int]]]
    unknown: frozenset[Tensor]
    known_values: Mapping[Tensor, Known]
    slices: tuple[ParameterSlice, ...]
    open: frozenset[Tensor] = frozenset()
    open_elements: Mapping[tuple[int, int], Known] = field(default_factory=dict)


def edits_for(analysis: Analysis, shrinker: Shrinker) -> Edits:
    """The edits that remove units of a model.

    Raises PrunecError P517 where an operator would take away an axis that is left with one channel, and
    :class:`prunec.rewriting.shrink.Unbalanced` where what stays of a table is not rectangular.
    """
    bound = analysis.lowered
    attributes = _attributes(analysis, shrinker)
    known_values = _held(bound, shrinker)
    inputs = _inputs(bound, shrinker, known_values, attributes)
    shapes = {
        tensor: axes
        for tensor, channels in shrinker.solution.propagation.channels.items()
        if (axes := shrinker.shrunk_axes(channels))
    }
    unknown = _unknown(bound, shrinker, shapes)
    slices = tuple(_slices(analysis, shrinker))
    everything = {**bound.values, **known_values}
    numbers: dict[Symbol, int] = {}
    return Edits(
        attributes,
        {place: generic(array, numbers) for place, array in inputs.items()},
        shapes,
        unknown,
        {tensor: generic(array, numbers) for tensor, array in everything.items()},
        slices,
        frozenset(tensor for tensor, array in everything.items() if is_open(array))
        # What an input has to hold may be open where what it holds is not known to be.
        | {bound.graph.nodes[n].inputs[place] for (n, place), own in inputs.items() if is_open(own)},
        {place: open_elements(array) for place, array in inputs.items() if is_open(array)},
    )


def _attributes(analysis: Analysis, shrinker: Shrinker) -> dict[tuple[int, str], Value]:
    """All new values, those that inputs carry among them."""
    attributes: dict[tuple[int, str], Value] = {}
    # Nodes that look alike and shrink alike get the same attributes; deep networks repeat themselves.
    known: dict[tuple[int, OpenShape], dict[str, Value]] = {}
    for index, node in enumerate(analysis.solution.propagation.nodes):
        rule = analysis.lowered.rules[index]
        if node is None or rule is None or not shrinker.touched(node):
            continue
        sizes = shrinker.named(node, rule.sizes)
        key = (id(rule), tuple(sizes.values()))
        if key not in known:
            vanished = squeezed_away(rule, sizes)
            if vanished:
                raise PrunecError(_vanished(analysis, index, vanished))
            known[key] = new_attributes(rule, sizes)
        changed = {**known[key], **new_positions(rule, shrinker.gone(node))}
        attributes.update(((index, name), value) for name, value in changed.items())
    return attributes


def _vanished(analysis: Analysis, index: int, names: Sequence[str]) -> Diagnostic:
    return Diagnostic(
        "P517",
        "an axis would be left with one channel, and this node takes away axes of size one",
        where=describe(analysis.model.graph, index, analysis.lowered.shapes),
        notes=(f"in the rule the axis is called {', '.join(names)}",),
        help="leave at least two channels there, or name the axes that the node takes away in the model",
    )


def _slices(analysis: Analysis, shrinker: Shrinker) -> Iterator[ParameterSlice]:
    """How the parameters are cut that change."""
    for parameter in analysis.parameters:
        channels = parameter.channels
        if shrinker.shape(channels) != parameter.shape and any(
            shrinker.cut(array).dimension is not None for array in channels.arrays
        ):
            yield shrinker.parameter(parameter.name, channels, parameter.shape, parameter.neutral)


def _inputs(
    bound: LoweredGraph,
    shrinker: Shrinker,
    known_values: Mapping[Tensor, Known],
    attributes: MutableMapping[tuple[int, str], Value],
) -> dict[tuple[int, int], Known]:
    """What inputs must hold that carry values, or a number that follows from sizes; the former are taken out
    of ``attributes``."""
    inputs: dict[tuple[int, int], Known] = {}
    for index, rule in enumerate(bound.rules):
        if rule is None or index in bound.opaque:
            continue
        node, atoms = bound.graph.nodes[index], shrinker.solution.propagation.nodes[index]
        for name, position in rule.value_inputs:
            tensor = node.inputs[position]
            old = bound.values[tensor]
            wanted = attributes.pop((index, name), rule.attributes[name])
            if wanted != as_value(known_values.get(tensor, old)):
                gone = {} if atoms is None else shrinker.gone(atoms)
                inputs[index, position] = _array(wanted, old, gone.get(name))
    for index, position in bound.held:
        tensor = bound.graph.nodes[index].inputs[position]
        if tensor in known_values:
            inputs[index, position] = bound.values[tensor]
    return inputs


def _unknown(bound: LoweredGraph, shrinker: Shrinker, shapes: Container[Tensor]) -> frozenset[Tensor]:
    """The tensors without a layout that come from tensors that shrink."""
    laid_out = shrinker.solution.propagation.channels
    unknown: set[Tensor] = set()
    for index, node in enumerate(bound.graph.nodes):
        if any(tensor in shapes or tensor in unknown for tensor in node.inputs):
            outputs = (Tensor(index, k) for k in range(node.output_count))
            unknown.update(tensor for tensor in outputs if tensor not in laid_out)
    return frozenset(unknown)


def _array(value: Value, old: Known, gone: Optional[NDArray[np.bool_]]) -> Known:
    """A value as an array like the old one; ``gone`` tells of what a list of positions counts through which
    elements go, and the axes of the list lose as many."""
    array = np.array(value, dtype=old.dtype)
    if array.size == old.size:
        return array.reshape(old.shape)
    return array if gone is None else array.reshape(cut(gone[old]).shape)


def _held(bound: LoweredGraph, shrinker: Shrinker) -> dict[Tensor, Known]:
    """What the tensors hold that follow from sizes, where it changes."""
    graph = bound.graph
    if not bound.values:
        return {}
    new: dict[Tensor, Known] = {}
    for index, atoms in enumerate(shrinker.solution.propagation.nodes):
        rule = bound.rules[index]
        if rule is None:
            continue
        arrays: Mapping[int, Known] = {}
        if Tensor(index, 0) in bound.values and any(t in new for t in graph.nodes[index].inputs):
            inputs = [new.get(t, bound.values.get(t)) for t in graph.nodes[index].inputs]
            known = [array for array in inputs if array is not None]
            results = computed(graph, index, known) if len(known) == len(inputs) else None
            arrays = dict(enumerate(results or ()))
        elif atoms is not None and Tensor(index, 0) in bound.values:
            arrays = size_arrays(rule, shrinker.named(atoms, rule.sizes))
        for k, array in arrays.items():
            old = bound.values.get(Tensor(index, k))
            if old is not None and not same(old, array):
                new[Tensor(index, k)] = array
    return new
