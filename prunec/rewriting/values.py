"""What inputs that carry values must hold in the smaller model, and what they will hold by themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Container, Mapping, MutableMapping, Optional

import numpy as np
from numpy.typing import NDArray

from prunec.graph import Known, Tensor, as_value, same
from prunec.lowering.lowered import LoweredGraph
from prunec.lowering.values import held_arrays
from prunec.rewriting.shrink import Shrinker, cut
from prunec.value import Value


@dataclass(frozen=True)
class Changes:
    """All that changes in a model's graph.

    ``attributes`` by node and name; ``inputs``, what an input must hold that carries a value, by node and the
    position among its inputs; ``shapes``, for each tensor that shrinks, its axes that do and their new sizes
    (``None`` where a size is not known); ``unknown``, the tensors that come from some that shrink without a
    rule that says how they do; ``held``, what tensors hold in the smaller model before any input is
    changed, where that is known.
    """

    attributes: Mapping[tuple[int, str], Value]
    inputs: Mapping[tuple[int, int], Known]
    shapes: Mapping[Tensor, Mapping[int, Optional[int]]]
    unknown: frozenset[Tensor]
    held: Mapping[Tensor, Known]


def changes(
    bound: LoweredGraph, shrinker: Shrinker, attributes: MutableMapping[tuple[int, str], Value]
) -> Changes:
    """The changes of a graph; ``attributes`` are all new values, those that inputs carry among them (which
    are taken out of it)."""
    held = _held(bound, shrinker)
    inputs: dict[tuple[int, int], Known] = {}
    for index, rule in enumerate(bound.rules):
        if rule is None or index in bound.opaque:
            continue
        node, atoms = bound.graph.nodes[index], shrinker.solution.propagation.nodes[index]
        for name, position in rule.value_inputs:
            tensor = node.inputs[position]
            old = bound.known[tensor]
            wanted = attributes.pop((index, name), rule.attributes[name])
            if wanted != as_value(held.get(tensor, old)):
                gone = {} if atoms is None else shrinker.gone(atoms)
                inputs[index, position] = _array(wanted, old, gone.get(name))
    shapes = {
        tensor: axes
        for tensor, channels in shrinker.solution.propagation.channels.items()
        if (axes := shrinker.shrunk_axes(channels))
    }
    return Changes(attributes, inputs, shapes, _unknown(bound, shrinker, shapes), {**bound.known, **held})


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
    if not bound.known:
        return {}
    new: dict[Tensor, Known] = {}
    for index, atoms in enumerate(shrinker.solution.propagation.nodes):
        rule = bound.rules[index]
        if rule is None:
            continue
        arrays: Mapping[int, Known] = {}
        if Tensor(index, 0) in bound.known and any(t in new for t in graph.nodes[index].inputs):
            inputs = [new.get(t, bound.known.get(t)) for t in graph.nodes[index].inputs]
            results = None
            if graph.fold is not None and all(array is not None for array in inputs):
                results = graph.fold(index, [array for array in inputs if array is not None])
            arrays = dict(enumerate(results or ()))
        elif atoms is not None and Tensor(index, 0) in bound.known:
            arrays = held_arrays(rule, shrinker.named(atoms, rule.sizes))
        for k, array in arrays.items():
            old = bound.known.get(Tensor(index, k))
            if old is not None and not same(old, array):
                new[Tensor(index, k)] = array
    return new
