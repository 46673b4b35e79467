"""What tensors hold, where that can be known when a model is compiled.

A small constant is known, an output that holds sizes is known where they are, and a node is computed
where all its inputs are known.  So the inputs that carry values (a shape, the axes of a reduction) become
attributes, however a model spells them.

A value that follows from the size of an axis changes when the axis shrinks.  That is what it is for
where it ends in such inputs.  Where an operator computes with a number that follows from sizes, as with
the scale of a product of queries and keys, the smaller model holds the number that it was; where a size is
used in any other way, its axis must stay.
"""

from __future__ import annotations

import itertools
from typing import Container, Iterator, Mapping, Optional, Sequence

import numpy as np

from prunec.graph import MAXIMUM_KNOWN, Graph, Known, Node, Tensor
from prunec.language.syntax import Rule
from prunec.lowering.bound import Bound, PlainRule
from prunec.lowering.expressions import Sizes, evaluate, names_in
from prunec.lowering.open_values import as_array, folded_open, generic, is_open
from prunec.lowering.slots import values_among
from prunec.sizes import OpenShape, Symbol

#: The sizes (node whose output holds them, position) that each element of a known tensor follows from.
_Origins = list[frozenset[tuple[int, int]]]
#: What open sizes are taken to be, from here on: no size of a model stands out.
_FIRST_SUPPOSED = 1009
#: No size that a model computes with is larger.
_LARGEST = np.iinfo(np.int64).max
_NOTHING: frozenset[tuple[int, int]] = frozenset()


def value_inputs_of(rule: Rule, node: Node) -> tuple[tuple[str, int], ...]:
    """The attributes that inputs of a node carry, each with the position of its input among
    ``node.inputs``; none where the inputs do not fit the rule."""
    return values_among(rule, len(node.inputs), node.connected)


# --- sizes as values -----------------------------------------------------------------------


def size_arrays(rule: PlainRule, sizes: Sizes) -> dict[int, Known]:
    """What the outputs that hold sizes hold, as far as all the sizes are known."""
    arrays: dict[int, Known] = {}
    for index, scalars in rule.size_values.items():
        values = [evaluate(scalar, sizes) for scalar in scalars]
        known = [v for v in values if v is not None and not (isinstance(v, int) and abs(v) > _LARGEST)]
        if len(known) == len(values) <= MAXIMUM_KNOWN:
            axes = rule.outputs[index].axes
            arrays[index] = as_array(known, (len(known),) if axes is None or axes else ())
    return arrays


def size_lengths(bound: Bound) -> dict[int, int]:
    """How many sizes the outputs with one axis hold that hold sizes."""
    return {
        index: len(scalars)
        for index, scalars in bound.size_values.items()
        if len(bound.outputs[index].axes or ()) == 1
    }


# --- computing -----------------------------------------------------------------------------


def folded(
    graph: Graph, index: int, known: Mapping[Tensor, Known], shapes: Sequence[Optional[OpenShape]]
) -> Optional[Sequence[Known]]:
    """What a node's outputs hold, where its inputs are known and its outputs are known to be small.

    ``shapes`` are those of its outputs: nothing is computed that might be large.
    """
    node = graph.nodes[index]
    if graph.fold is None or not node.inputs or not all(tensor in known for tensor in node.inputs):
        return None
    if not shapes or not all(_small(shape) for shape in shapes):
        return None
    return computed(graph, index, [known[tensor] for tensor in node.inputs])


def computed(graph: Graph, index: int, inputs: Sequence[Known]) -> Optional[Sequence[Known]]:
    """What a node's outputs hold for these inputs, of which some may hold open sizes; ``None`` where that
    cannot be computed."""
    if graph.fold is None:
        return None
    if any(map(is_open, inputs)):
        return folded_open(graph.fold, index, graph.nodes[index].name, inputs)
    return graph.fold(index, inputs)


def _small(shape: Optional[OpenShape]) -> bool:
    if shape is None:
        return False
    count = 1
    for size in shape:
        if not isinstance(size, int):
            return False
        count *= size
    return count <= MAXIMUM_KNOWN


# --- sizes that the model uses in other ways ---------------------------------------------------


def sizes_used(
    graph: Graph,
    bounds: Sequence[Optional[Bound]],
    opaque: Container[int],
    known: Mapping[Tensor, Known],
    shapes: Mapping[Tensor, OpenShape],
) -> tuple[dict[int, frozenset[str]], frozenset[tuple[int, int]]]:
    """The names of axes that must stay because the model computes with their sizes, by node; and the inputs,
    by node and position, that take a number which follows from sizes that need not stay for it."""
    supposed = _supposed(graph, bounds, known, shapes)
    origins = _origins(graph, bounds, known, supposed)
    used: set[tuple[int, int]] = set()
    held: set[tuple[int, int]] = set()
    for place, tensor in _escaping(graph, bounds, known, supposed, origins):
        knows = place is not None and bounds[place[0]] is not None and place[0] not in opaque
        if place is not None and knows and graph.holds_numbers and _is_a_number(known.get(tensor)):
            held.add(place)
        else:
            used |= frozenset().union(*origins[tensor])
    names: dict[int, set[str]] = {}
    for node, element in sorted(used):
        bound = bounds[node]
        assert bound is not None
        for scalars in bound.size_values.values():
            if element < len(scalars):
                names.setdefault(node, set()).update(names_in(scalars[element]))
    return {node: frozenset(found) for node, found in names.items()}, frozenset(held)


def _is_a_number(array: Optional[Known]) -> bool:
    """Whether a tensor holds one number with a floating point, which no operator takes for a size."""
    return (
        array is not None and array.dtype.kind == "f" and array.size == 1 and bool(np.isfinite(array).all())
    )


def _supposed(
    graph: Graph,
    bounds: Sequence[Optional[Bound]],
    known: Mapping[Tensor, Known],
    shapes: Mapping[Tensor, OpenShape],
) -> dict[Tensor, Known]:
    """What tensors hold, and what those that follow from open sizes would hold if these were some numbers:
    a list in which one size is open still follows from all the others."""
    numbers: dict[Symbol, int] = {}
    supposed = {tensor: generic(array, numbers) for tensor, array in known.items()}
    for index, node in enumerate(graph.nodes):
        bound = bounds[index]
        if bound is None or Tensor(index, 0) in known:
            continue
        follows = any(tensor in supposed and tensor not in known for tensor in node.inputs)
        if not (bound.size_values or follows):
            continue
        scalars = itertools.chain.from_iterable(bound.size_values.values())
        names = dict.fromkeys(name for scalar in scalars for name in sorted(names_in(scalar)))
        open_sizes = {name: _FIRST_SUPPOSED + n for n, name in enumerate(names)}
        found = size_arrays(bound, {**open_sizes, **_without_open(bound.sizes)})
        found = {k: generic(array, numbers) for k, array in found.items()}
        if not found and follows:
            given = [shapes.get(Tensor(index, k)) for k in range(len(bound.outputs))]
            found = dict(enumerate(folded(graph, index, supposed, given) or ()))
        supposed.update((Tensor(index, k), array) for k, array in found.items())
    return supposed


def _without_open(sizes: Sizes) -> Sizes:
    return {name: size for name, size in sizes.items() if size is not None}


def _escaping(
    graph: Graph,
    bounds: Sequence[Optional[Bound]],
    known: Mapping[Tensor, Known],
    supposed: Mapping[Tensor, Known],
    origins: Mapping[Tensor, _Origins],
) -> Iterator[tuple[Optional[tuple[int, int]], Tensor]]:
    """The tensors that follow from sizes and are used by anything but inputs that carry known values: with
    the node and the position of the input, ``None`` for an output of the model."""
    for tensor in graph.outputs:
        if tensor in origins:
            yield None, tensor
    for index, node in enumerate(graph.nodes):
        bound = bounds[index]
        if node.operator is None or not any(tensor in origins for tensor in node.inputs):
            continue
        if all(tensor in supposed for tensor in node.inputs) and Tensor(index, 0) in supposed:
            continue
        carriers = {n for _, n in value_inputs_of(bound.rule, node)} if bound is not None else set()
        for position, tensor in enumerate(node.inputs):
            holds_sizes = bound is not None and bool(bound.size_values)
            carries = position in carriers and tensor in known
            if tensor in origins and not carries and not holds_sizes:
                yield (index, position), tensor


def _origins(
    graph: Graph,
    bounds: Sequence[Optional[Bound]],
    known: Mapping[Tensor, Known],
    supposed: Mapping[Tensor, Known],
) -> dict[Tensor, _Origins]:
    """Which sizes each element of a tensor follows from, for the tensors where some does.

    What an input carries whose value is known is for the rule to say, and is given the value that it wants
    in the smaller model: no element behind it follows from a size for that.
    """
    origins: dict[Tensor, _Origins] = {}
    for index, node in enumerate(graph.nodes):
        bound = bounds[index]
        outputs = [Tensor(index, k) for k in range(len(bound.outputs))] if bound is not None else []
        size_values = bound.size_values if bound is not None else {}
        for k, scalars in size_values.items():
            if Tensor(index, k) in supposed:
                origins[Tensor(index, k)] = [frozenset([(index, n)]) for n in range(len(scalars))]
        if size_values or bound is None or not any(tensor in origins for tensor in node.inputs):
            continue
        carriers = {n for _, n in value_inputs_of(bound.rule, node) if node.inputs[n] in known}
        free = [n for n, t in enumerate(node.inputs) if n not in carriers and t in origins]
        if free and all(tensor in supposed for tensor in (*node.inputs, *outputs)):
            origins.update(_through(graph, index, free, outputs, supposed, origins))
    return origins


def _through(
    graph: Graph,
    index: int,
    positions: Sequence[int],
    outputs: Sequence[Tensor],
    known: Mapping[Tensor, Known],
    origins: Mapping[Tensor, _Origins],
) -> dict[Tensor, _Origins]:
    """The origins behind a node, for some of its inputs: an element follows from those that change it when
    they change."""
    inputs = [known[tensor] for tensor in graph.nodes[index].inputs]
    found: dict[Tensor, _Origins] = {t: [_NOTHING] * known[t].size for t in outputs}
    for position in positions:
        tensor = graph.nodes[index].inputs[position]
        # What follows from the same sizes changes together.
        together: dict[frozenset[tuple[int, int]], list[int]] = {}
        for element, sources in enumerate(origins.get(tensor, ())):
            if sources:
                together.setdefault(sources, []).append(element)
        for sources, elements in together.items():
            for changed in _changed(inputs[position], elements):
                tried = [*inputs[:position], changed, *inputs[position + 1 :]]
                results = graph.fold(index, tried) if graph.fold is not None else None
                for k, output in enumerate(outputs):
                    before = known[output]
                    after = results[k] if results is not None and k < len(results) else None
                    differs = (
                        np.ones(before.size, dtype=bool)
                        if after is None or after.shape != before.shape
                        else (after != before).reshape(-1)
                    )
                    for n in np.flatnonzero(differs).tolist():
                        found[output][n] = found[output][n] | sources
    return {t: sets for t, sets in found.items() if any(sets)}


def _changed(array: Known, elements: Sequence[int]) -> Iterator[Known]:
    """The array with some elements changed: a little, and to more than twice their values; each by another
    amount, so that no difference of two stays what it was."""
    steps = np.arange(len(elements))
    for factor, more in ((1, 1), (2, 3)):
        other = array.copy().reshape(-1)
        if array.dtype.kind in "iuf":
            other[elements] = other[elements] * factor + (more + steps).astype(array.dtype)
        else:
            other[elements] = ~other[elements]
        yield other.reshape(array.shape)
