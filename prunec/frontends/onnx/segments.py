"""Parts of an ONNX model: from any of its values to any others, as a model of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Iterable, Mapping, Sequence

import numpy as np

from prunec.frontends.onnx.graph import constant_of
from prunec.frontends.onnx.nested import captured
from prunec.frontends.onnx.protobuf import onnx_package
from prunec.frontends.runtime import Array
from prunec.support.diagnostics import Diagnostic, PrunecError, printable

#: What an output is called in a part where its own name stands for the value that is fed.
_OWN = "{}/computed"


@dataclass(frozen=True, eq=False)
class MessageParts:
    """A message that parts are taken of, with what makes each value by its name: a node by its place, a
    constant, or the declaration of an input."""

    proto: Any
    nodes: Mapping[str, int]
    constants: Mapping[str, Any]
    sparse: Mapping[str, Any]
    inputs: Mapping[str, Any]


def parts_of(proto: Any) -> MessageParts:
    """What parts of a message are made from."""
    graph = proto.graph
    return MessageParts(
        proto,
        {name: index for index, node in enumerate(graph.node) for name in node.output if name},
        {tensor.name: tensor for tensor in graph.initializer},
        {sparse.values.name: sparse for sparse in graph.sparse_initializer},
        {value.name: value for value in graph.input},
    )


def segment(
    parts: MessageParts, feeds: Mapping[str, Array], fetches: Sequence[str], parameters: Mapping[str, Array]
) -> Any:
    """The message of what computes the values ``fetches`` from the values ``feeds``, by name.  A value that
    is in both is computed, and what it is fed goes to those that take it.

    Constants that are not fed come along, with the elements in ``parameters`` where these have some.  What
    the file states of inner shapes is left out: a part may be run at other sizes.  Raises PrunecError P704
    for a value that the model does not have.
    """
    onnx = onnx_package()
    nodes, values = _needed(parts, feeds, fetches)
    part = onnx.ModelProto()
    part.ir_version = parts.proto.ir_version
    part.opset_import.extend(parts.proto.opset_import)
    part.functions.extend(parts.proto.functions)
    part.graph.name = parts.proto.graph.name
    for name in sorted(values):
        _add_source(onnx, part.graph, parts, name, feeds, parameters)
    for index in nodes:
        node = part.graph.node.add()
        node.CopyFrom(parts.proto.graph.node[index])
        if constant_of(node) is not None and node.output[0] in parameters:
            value = onnx.numpy_helper.from_array(np.ascontiguousarray(parameters[node.output[0]]))
            node.attribute[0].CopyFrom(onnx.helper.make_attribute("value", value))
        node.output[:] = [_own(name, feeds) for name in node.output]
    part.graph.output.extend(onnx.ValueInfoProto(name=_own(name, feeds)) for name in dict.fromkeys(fetches))
    return part


def _own(name: str, feeds: Mapping[str, Array]) -> str:
    """What the value that a node computes is called, where its name stands for one that is fed."""
    return _OWN.format(name) if name in feeds else name


def _needed(
    parts: MessageParts, feeds: Mapping[str, Array], fetches: Iterable[str]
) -> tuple[list[int], set[str]]:
    """The places of the nodes that take part, in order, and all values that they take."""
    nodes: set[int] = set()
    values: set[str] = set()
    waiting = list(fetches)
    wanted = set(waiting)
    while waiting:
        name = waiting.pop()
        index = parts.nodes.get(name)
        if (name in feeds and name not in wanted) or index is None or index in nodes:
            continue
        nodes.add(index)
        node = parts.proto.graph.node[index]
        for own in (*node.input, *captured(node)):
            if own and own not in values:
                values.add(own)
                waiting.append(own)
    known = (feeds, parts.nodes, parts.constants, parts.sparse, parts.inputs)
    missing = sorted(name for name in values | wanted if not any(name in names for names in known))
    if missing:
        note = f"{len(missing)} of the values to compare are not there"
        help_text = "compare models that belong together"
        headline = f"the model has no value {printable(missing[0])!r}"
        raise PrunecError(Diagnostic("P704", headline, notes=(note,), help=help_text))
    return sorted(nodes), values


def _add_source(
    onnx: Any,
    graph: Any,
    parts: MessageParts,
    name: str,
    feeds: Mapping[str, Array],
    parameters: Mapping[str, Array],
) -> None:
    """Adds what a value comes from that no node of the part makes: an input, or a constant, which old files
    declare as an input too."""
    if name in feeds:
        graph.input.append(_declaration(onnx, parts, name, feeds[name]))
        return
    if name in parts.constants and name in parameters:
        graph.initializer.append(onnx.numpy_helper.from_array(np.ascontiguousarray(parameters[name]), name))
    elif name in parts.constants:
        graph.initializer.append(parts.constants[name])
    elif name in parts.sparse:
        graph.sparse_initializer.append(parts.sparse[name])
    if name in parts.inputs:
        graph.input.append(parts.inputs[name])


def _declaration(onnx: Any, parts: MessageParts, name: str, array: Array) -> Any:
    """What is said of a value that is fed: of an input what the file says, of an inner value how many axes it
    has.  With sizes besides ONNX Runtime would find those inside branches that are not taken, and refuse what
    does not fit there."""
    if name in parts.inputs and name not in parts.constants:
        return parts.inputs[name]
    kind = onnx.helper.np_dtype_to_tensor_dtype(array.dtype)
    shape = array.shape if name in parts.constants else [None] * array.ndim
    return onnx.helper.make_tensor_value_info(name, kind, list(shape))
