"""What is done with an ONNX model before it is sliced: values that follow from constants alone become
constants, and nodes that take one constant get constants of their own.

The smaller model has of this what it needs.  Nodes are called by the first value that they make.
"""

from dataclasses import dataclass, field
from typing import Any, Container, Mapping, Optional, Sequence

import numpy as np

from prunec.embedded.onnx_edits import add_constant, nodes_by_key
from prunec.embedded.onnx_tensors import array_of, constants_of, only_holds
from prunec.embedded.slices import Array, Problem

#: Inputs of nodes: the node, and the position among its inputs.
Uses = Sequence[tuple[str, int]]


@dataclass(frozen=True)
class Preparation:
    """``folded``: values that become constants.  ``copies``: new constants by name, each with the constant
    that it copies and the inputs that take it."""

    folded: Sequence[str] = ()
    copies: Mapping[str, tuple[str, Uses]] = field(default_factory=dict)


def prepare(model: Any, folder: str, preparation: Preparation) -> None:
    """Prepares a message; external data are in ``folder``.

    Raises Problem where it lacks what is prepared, and as array_of.
    """
    if not preparation.folded and not preparation.copies:
        return
    problems = missing(model.graph, preparation)
    if problems:
        raise Problem(*problems)
    if preparation.folded:
        _fold(model, folder, preparation.folded)
    nodes, tensors = nodes_by_key(model.graph), dict(constants_of(model.graph))
    for name, (source, uses) in preparation.copies.items():
        copy = type(tensors[source])()
        copy.CopyFrom(tensors[source])
        copy.name = name
        add_constant(model, copy)
        for key, position in uses:
            nodes[key].input[position] = name


def missing(graph: Any, preparation: Preparation) -> list[str]:
    """What a graph lacks to be prepared; nothing where all is there."""
    nodes, made = nodes_by_key(graph), {name for node in graph.node for name in node.output}
    tensors = {*dict(constants_of(graph)), *preparation.folded}
    problems = [f"no node makes {name!a}" for name in preparation.folded if name not in made]
    for source, uses in preparation.copies.values():
        if source not in tensors:
            problems.append(f"the constant {source!a} is missing")
        for key, position in uses:
            if key not in nodes or position >= len(nodes[key].input):
                problems.append(f"no node that makes {key!a} has an input {position}")
    return problems


def makers(graph: Any) -> dict[str, int]:
    """For each value the place of the node that makes it."""
    return {name: place for place, node in enumerate(graph.node) for name in node.output if name}


def nodes_behind(graph: Any, names: Sequence[str], maker: Mapping[str, int]) -> list[int]:
    """The places of the nodes that values are computed by, in the order of the file."""
    found: set[int] = set()
    waiting = [maker[name] for name in names if name in maker]
    while waiting:
        place = waiting.pop()
        if place not in found:
            found.add(place)
            waiting += [maker[name] for name in graph.node[place].input if name in maker]
    return sorted(found)


def computed(model: Any, folder: str, names: Sequence[str]) -> dict[str, Optional[Array]]:
    """What values hold that follow from constants alone; None where that cannot be told.  Raises Problem as
    array_of."""
    maker, tensors = makers(model.graph), dict(constants_of(model.graph))
    found: dict[str, Optional[Array]] = {}
    for name in names:
        nodes = [model.graph.node[place] for place in nodes_behind(model.graph, [name], maker)]
        taken = dict.fromkeys(value for node in nodes for value in node.input if value in tensors)
        arrays = {value: array_of(tensors[value], folder) for value in taken}
        left = [node for node in nodes if not (only_holds(node) and node.output[0] in arrays)]
        found[name] = _value(model, name, left, arrays)
    return found


def _value(model: Any, name: str, nodes: Sequence[Any], arrays: Mapping[str, Array]) -> Optional[Array]:
    from onnx import TensorProto, helper
    from onnx.reference import ReferenceEvaluator

    inputs = [helper.make_tensor_value_info(value, TensorProto.UNDEFINED, None) for value in arrays]
    outputs = [helper.make_tensor_value_info(name, TensorProto.UNDEFINED, None)]
    part = helper.make_model(
        helper.make_graph([], "constants", inputs, outputs), opset_imports=list(model.opset_import)
    )
    part.graph.node.extend(nodes)
    found = []
    for _ in range(2):  # what is drawn by lot differs
        try:
            with np.errstate(all="ignore"):
                (array,) = ReferenceEvaluator(part).run(None, dict(arrays))
        except Exception:  # an operator without an implementation, or whatever it raises
            return None
        found.append(np.asarray(array))
    first, second = found
    return first if np.array_equal(first, second) and first.dtype.kind in "iufb" else None


def _fold(model: Any, folder: str, names: Sequence[str]) -> None:
    from onnx import numpy_helper

    graph = model.graph
    places = nodes_behind(graph, names, makers(graph))
    arrays = computed(model, folder, names)
    for name, array in arrays.items():
        if array is None:
            raise Problem(f"{name!a} cannot be computed from constants")
        add_constant(model, numpy_helper.from_array(np.ascontiguousarray(array), name))
    _remove(graph, places, set(names))


def _remove(graph: Any, places: Sequence[int], folded: Container[str]) -> None:
    """Takes away the nodes at some places that nothing needs any more, and the constants that only these
    take."""
    others = [node for place, node in enumerate(graph.node) if place not in set(places)]
    maker = {name: graph.node[place] for place in places for name in graph.node[place].output if name}
    waiting = [value.name for value in graph.output] + [name for node in others for name in _taken(node)]
    needed: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name not in needed and name in maker and name not in folded:
            waiting += _taken(maker[name])
        needed.add(name)
    gone = [p for p in places if not any(n in needed and n not in folded for n in graph.node[p].output)]
    idle = {name for place in gone for name in graph.node[place].input} - needed
    idle |= {name for place in gone for name in graph.node[place].output if name not in folded}
    for place in reversed(gone):
        del graph.node[place]
    for values in (graph.initializer, graph.input, graph.value_info):
        for place in reversed([n for n, value in enumerate(values) if value.name in idle]):
            del values[place]


def _taken(node: Any) -> list[str]:
    """The values that a node takes, those among them that graphs inside it mention."""
    names = list(node.input)
    for attribute in node.attribute:
        for inner in (attribute.g, *attribute.graphs):
            names += [name for part in inner.node for name in _taken(part)]
            names += [value.name for value in inner.output]
    return names
