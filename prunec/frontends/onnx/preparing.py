"""What of a message is prepared before rules see it, and what of that the smaller model needs.

A constant that several nodes take couples their channels, also where its elements are all the same along
an axis, as zero states and fresh scales are: there every node gets a constant of its own, and those that
are sliced alike are one again in the smaller model.  Values that follow from constants alone, such as
normalised weights, can be computed once: then they are parameters like others.
"""

from __future__ import annotations

from dataclasses import replace
from math import prod
from typing import Any, Iterator, Mapping, Optional, Sequence

from numpy.typing import NDArray

from prunec.embedded.onnx_edits import MessageEdits, key_of
from prunec.embedded.onnx_preparing import Preparation, computed, makers, nodes_behind, prepare
from prunec.embedded.onnx_tensors import bytes_of, constants_of, only_holds
from prunec.embedded.slices import ParameterSlice, Problem
from prunec.frontends.onnx import tensors
from prunec.frontends.onnx.nested import captured, has_body
from prunec.frontends.onnx.protobuf import OnnxFile, onnx_package

#: Constants with more elements, all their copies counted, get none.
_MOST_COPIED = 1 << 24
#: Values with more elements than this are computed only where they take the place of as many.
_FEW = 1 << 16
#: Constants with more elements are weights, which are not stored a second time, computed with.
_MOST_SHARED = 64


def with_copies(file: OnnxFile) -> OnnxFile:
    """The file, its message with a constant for each input that takes one whose elements repeat."""
    copies = dict(_copies(file))
    return _prepared(file, Preparation(file.preparation.folded, copies)) if copies else file


def folded(file: OnnxFile) -> Optional[OnnxFile]:
    """The file, its message with values computed that follow from constants alone; ``None`` where there
    are none.

    Raises PrunecError P333 to P335 for constants that cannot be read.
    """
    behind = dict(_foldable(file.written))
    tensors_of = dict(constants_of(file.written.graph))
    found = [
        name
        for name, array in computed(file.written, str(file.folder), list(behind)).items()
        if _is_weight(array, [tensors_of[own] for own in behind[name] if own in tensors_of])
    ]
    return with_copies(_prepared(file, Preparation(tuple(found)))) if found else None


def _prepared(file: OnnxFile, preparation: Preparation) -> OnnxFile:
    proto = onnx_package().ModelProto()
    proto.CopyFrom(file.written)
    prepare(proto, str(file.folder), preparation)
    return replace(file, proto=proto, preparation=preparation, original=file.written)


def needed(
    file: OnnxFile, edits: MessageEdits, slices: Sequence[ParameterSlice]
) -> tuple[Preparation, tuple[ParameterSlice, ...]]:
    """What of a file's preparation its smaller model needs, and the slices of the constants that are left."""
    by_name = {own.name: own for own in slices}
    mentioned = {name for copy in edits.copies for name in copy.inputs}
    copies = {
        name: (source, uses)
        for name, (source, uses) in file.preparation.copies.items()
        if name in mentioned or not _alike(by_name.get(name), by_name.get(source))
    }
    merged = file.preparation.copies.keys() - copies.keys()
    left = tuple(own for own in slices if own.name not in merged)
    changed = {*(own.name for own in left), *edits.elements}
    maker = makers(file.written.graph) if file.preparation.folded else {}
    folds = tuple(
        name
        for name in file.preparation.folded
        if name in changed or changed & _constants_behind(file.written.graph, name, maker)
    )
    return Preparation(folds, copies), left


def prepared_like(smaller: OnnxFile, file: OnnxFile) -> OnnxFile:
    """The smaller model of a file with all of the file's preparation, so that each of its constants can be
    asked for, and damaged, by itself; as it is where it lacks what is prepared."""
    held = dict(constants_of(smaller.proto.graph))
    rest = Preparation(
        tuple(name for name in file.preparation.folded if name not in held),
        {name: entry for name, entry in file.preparation.copies.items() if name not in held},
    )
    if not rest.folded and not rest.copies:
        return smaller
    try:
        return _prepared(smaller, rest)
    except Problem:
        return smaller


def _alike(left: Optional[ParameterSlice], right: Optional[ParameterSlice]) -> bool:
    """Whether two constants with the same elements have the same elements left."""
    if left is None or right is None:
        return left is right
    return (left.view, left.gathers, left.new_shape) == (right.view, right.gathers, right.new_shape)


# --- copies --------------------------------------------------------------------------------


def _copies(file: OnnxFile) -> Iterator[tuple[str, tuple[str, Sequence[tuple[str, int]]]]]:
    """The copies of constants, by name, with the constant and the input that takes the copy."""
    graph = file.proto.graph
    uses: dict[str, list[tuple[str, int]]] = {}
    for node in graph.node:
        key = key_of(node)
        for position, name in enumerate(node.input):
            uses.setdefault(name, []).append((key, position))
    shared = {
        name: uses[name]
        for name, tensor in constants_of(graph)
        if len(uses.get(name, ())) > 1 and _repeats(tensor, len(uses[name]), file)
    }
    if not shared:
        return
    fixed = {value.name for value in (*graph.input, *graph.output)}
    fixed |= {name for node in graph.node for name in captured(node)}
    taken = {*uses, *fixed, *(name for node in graph.node for name in node.output)}
    for name, own in shared.items():
        if name not in fixed and all(key for key, _ in own):
            for use in own[1:]:
                yield _fresh(name, taken), (name, (use,))


def _repeats(tensor: Any, count: int, file: OnnxFile) -> bool:
    """Whether the elements of a tensor of weights are the same all along an axis."""
    kinds = onnx_package().TensorProto
    if tensor.data_type not in (kinds.FLOAT, kinds.FLOAT16, kinds.DOUBLE):
        return False
    shape = tensors.dimensions(tensor, file.name)
    if not 2 <= prod(shape) <= _MOST_COPIED // count:
        return False
    tensors.check(tensor, file.folder, file.name)
    array = tensors.array(tensor, file.folder, file.name)
    return any(
        size > 1 and bool((array == array.take([0], axis=axis)).all()) for axis, size in enumerate(shape)
    )


def _fresh(name: str, taken: set[str]) -> str:
    number = 2
    while f"{name}_{number}" in taken:
        number += 1
    taken.add(f"{name}_{number}")
    return f"{name}_{number}"


# --- values that follow from constants ------------------------------------------------------


def _foldable(proto: Any) -> Iterator[tuple[str, set[str]]]:
    """The values that nodes take and that follow from constants alone, with these, as far as nothing else
    needs a weight behind one."""
    graph = proto.graph
    computing = _computing(graph)
    if not computing:
        return
    made = {name for place in computing for name in graph.node[place].output if name}
    taken = [name for p, node in enumerate(graph.node) if p not in computing for name in node.input]
    ends = [name for name in dict.fromkeys(taken) if name in made]
    if not ends:
        return
    fixed = {value.name for value in graph.output} | {n for node in graph.node for n in captured(node)}
    ends = [name for name in ends if name not in fixed]
    direct = {*taken, *fixed}
    maker = makers(graph)
    behind = {name: _constants_behind(graph, name, maker) for name in ends}
    times: dict[str, int] = {}
    for own in (name for names in behind.values() for name in names):
        times[own] = times.get(own, 0) + 1
    sizes = {name: prod(tensor.dims) for name, tensor in constants_of(graph)}
    for name in ends:
        weights = {own for own in behind[name] if sizes.get(own, 0) > _MOST_SHARED}
        if not weights & direct and all(times[own] == 1 for own in weights):
            yield name, behind[name]


def _computing(graph: Any) -> set[int]:
    """The places of the nodes that compute with constants alone."""
    users: dict[str, list[int]] = {}
    for place, node in enumerate(graph.node):
        for name in dict.fromkeys(name for name in node.input if name):
            users.setdefault(name, []).append(place)
    waiting = [name for name, _ in constants_of(graph)]
    waiting += [node.output[0] for node in graph.node if only_holds(node)]
    open_inputs = {place: 0 for places in users.values() for place in places}
    for places in users.values():
        for place in places:
            open_inputs[place] += 1
    seen: set[str] = set()
    found: set[int] = set()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        for place in users.get(name, ()):
            open_inputs[place] -= 1
            if not open_inputs[place] and not has_body(graph.node[place]):
                found.add(place)
                waiting += [output for output in graph.node[place].output if output]
    return found


def _constants_behind(graph: Any, name: str, maker: Mapping[str, int]) -> set[str]:
    """The constants that a value is computed from."""
    nodes = [graph.node[place] for place in nodes_behind(graph, [name], maker)]
    made = {value for node in nodes if not only_holds(node) for value in node.output}
    return {value for node in nodes for value in node.input if value and value not in made}


def _is_weight(array: Optional[NDArray[Any]], sources: Sequence[Any]) -> bool:
    """Whether a computed value is an array of weights that takes no more room than what it is made of."""
    if array is None or array.dtype.kind != "f" or array.size < 2:
        return False
    room = sum(bytes_of(tensor, tuple(tensor.dims)) for tensor in sources)
    return array.size <= _FEW or array.nbytes <= room
