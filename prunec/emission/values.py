"""What inputs that carry values must hold in the smaller model, and what they will hold by themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Mapping, MutableMapping

from prunec.binding.infer import BoundGraph
from prunec.binding.values import carried, held_arrays
from prunec.emission.shrink import Shrinker
from prunec.graph.model import Known, Shape, Tensor, as_value, same
from prunec.language.syntax import Value


@dataclass(frozen=True)
class Changes:
    """All that changes in a model's graph.

    ``attributes`` by node and name; ``inputs``, the new values that an input must carry, by node and the
    position among its inputs; ``shapes`` of the tensors that shrink; ``held``, what tensors hold in the
    smaller model before any input is changed, where that is known.
    """

    attributes: Mapping[tuple[int, str], Value]
    inputs: Mapping[tuple[int, int], Value]
    shapes: Mapping[Tensor, Shape]
    held: Mapping[Tensor, Known]


def changes(
    bound: BoundGraph, shrinker: Shrinker, attributes: MutableMapping[tuple[int, str], Value]
) -> Changes:
    """The changes of a graph; ``attributes`` are all new values, those that inputs carry among them (which
    are taken out of it)."""
    held = _held(bound, shrinker)
    inputs: dict[tuple[int, int], Value] = {}
    for index, rule in enumerate(bound.bounds):
        if rule is None or index in bound.opaque:
            continue
        node = bound.graph.nodes[index]
        for name, position in carried(rule.rule, node):
            tensor = node.inputs[position]
            wanted = attributes.pop((index, name), rule.attributes[name])
            if wanted != as_value(held.get(tensor, bound.known[tensor])):
                inputs[index, position] = wanted
    shapes = {
        tensor: shrinker.shape(channels)
        for tensor, channels in shrinker.solution.propagation.channels.items()
        if any(shrinker.cut(array).dimension is not None for array in channels.arrays)
    }
    return Changes(attributes, inputs, shapes, {**bound.known, **held})


def _held(bound: BoundGraph, shrinker: Shrinker) -> dict[Tensor, Known]:
    """What the tensors hold that follow from sizes, where it changes."""
    graph = bound.graph
    if not bound.known:
        return {}
    new: dict[Tensor, Known] = {}
    for index, atoms in enumerate(shrinker.solution.propagation.nodes):
        rule = bound.bounds[index]
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
