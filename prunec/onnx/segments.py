"""Parts of an ONNX model: from any of its values to any others, as a model of its own."""

from __future__ import annotations

from typing import Any, Iterable, Mapping, Sequence

import numpy as np

from prunec.diagnostics import Diagnostic, PrunecError, printable
from prunec.onnx.graph import constant_of
from prunec.onnx.nested import captured
from prunec.onnx.protobuf import onnx_package
from prunec.runtime import Array

#: What an output is called in a part where its own name stands for the value that is fed.
_OWN = "{}/computed"


def segment(
    proto: Any, feeds: Mapping[str, Array], fetches: Sequence[str], parameters: Mapping[str, Array]
) -> Any:
    """The message of what computes the values ``fetches`` from the values ``feeds``, by name.  A value that
    is in both is computed, and what it is fed goes to those that take it.

    Constants that are not fed come along, with the elements in ``parameters`` where these have some.  What
    the file states of inner shapes is left out: a part may be run at other sizes.  Raises PrunecError P704
    for a value that the model does not have.
    """
    onnx = onnx_package()
    graph = proto.graph
    maker = {name: index for index, node in enumerate(graph.node) for name in node.output if name}
    nodes, values = _needed(graph, maker, feeds, fetches)
    part = onnx.ModelProto()
    part.ir_version = proto.ir_version
    part.opset_import.extend(proto.opset_import)
    part.functions.extend(proto.functions)
    part.graph.name = graph.name
    for name in feeds:
        if name in values:
            kind = onnx.helper.np_dtype_to_tensor_dtype(feeds[name].dtype)
            info = onnx.helper.make_tensor_value_info(name, kind, list(feeds[name].shape))
            part.graph.input.append(info)
    _constants(onnx, graph, part.graph, values, feeds, parameters)
    for index in nodes:
        node = part.graph.node.add()
        node.CopyFrom(graph.node[index])
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
    graph: Any, maker: Mapping[str, int], feeds: Mapping[str, Array], fetches: Iterable[str]
) -> tuple[list[int], set[str]]:
    """The places of the nodes that take part, in order, and all values that they need."""
    nodes: set[int] = set()
    values: set[str] = set()
    waiting = list(fetches)
    wanted = set(waiting)
    while waiting:
        name = waiting.pop()
        index = maker.get(name)
        if (name in feeds and name not in wanted) or index is None or index in nodes:
            continue
        nodes.add(index)
        for own in (*graph.node[index].input, *captured(graph.node[index])):
            if own and own not in values:
                values.add(own)
                waiting.append(own)
    known = {value.name for value in graph.input} | {tensor.name for tensor in graph.initializer}
    known |= {sparse.values.name for sparse in graph.sparse_initializer}
    missing = sorted((values | wanted) - set(maker) - known - set(feeds))
    if missing:
        note = f"{len(missing)} of the values to compare are not there"
        help_text = "compare models that belong together"
        headline = f"the model has no value {printable(missing[0])!r}"
        raise PrunecError(Diagnostic("P704", headline, notes=(note,), help=help_text))
    return sorted(nodes), values


def _constants(
    onnx: Any,
    graph: Any,
    part: Any,
    values: set[str],
    feeds: Mapping[str, Array],
    parameters: Mapping[str, Array],
) -> None:
    for tensor in graph.initializer:
        if tensor.name not in values or tensor.name in feeds:
            continue
        if tensor.name in parameters:
            array = np.ascontiguousarray(parameters[tensor.name])
            part.initializer.append(onnx.numpy_helper.from_array(array, tensor.name))
        else:
            part.initializer.append(tensor)
    part.sparse_initializer.extend(s for s in graph.sparse_initializer if s.values.name in values)
    for value in graph.input:
        # Inputs that nothing is fed to, and, in old files, the declarations of constants.
        if value.name in values and value.name not in feeds:
            part.input.append(value)
