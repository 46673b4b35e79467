"""Changes of an ONNX message as plain data, and how they are made.

The same changes are made when a model is compiled and, from a table, by the script that is written
beside it: so each is a list of names and numbers.  A node is called by the name of a value that it
makes, which is unique in a graph.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Mapping, Optional, Sequence

import numpy as np

from prunec.frontends.onnx.protobuf import onnx_package
from prunec.language.syntax import Value

#: The version of the format since which constants need not be listed among the inputs.
_FREE_CONSTANTS = 4
#: New elements of a small constant, and its new shape.
Elements = tuple[tuple[int, ...], tuple[int, ...]]


@dataclass(frozen=True)
class NodeCopy:
    """A node to be put before the node that makes ``before``: a copy of the one that makes ``of``, with
    other inputs and outputs."""

    of: str
    before: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True)
class Edits:
    """All changes of a graph but for the slices of its parameters.

    ``attributes``: for the node that makes a value, new attributes.  ``elements``: for a constant, its
    new elements.  ``constants``: new constants (64-bit integers).  ``copies``: new nodes.  ``inputs``: for
    the node that makes a value, new names for some of its inputs, by position.

    ``shapes``: of values whose shapes the file states, axes and their new sizes, ``None`` for one that it
    states no longer.  ``unstated``: values of whose shapes it says nothing any more.  ``functions``: those of
    the model (domain and name) in which it says nothing of any shape.
    """

    attributes: Mapping[str, Mapping[str, Value]] = field(default_factory=dict)
    elements: Mapping[str, Elements] = field(default_factory=dict)
    constants: Mapping[str, Elements] = field(default_factory=dict)
    copies: Sequence[NodeCopy] = ()
    inputs: Mapping[str, Mapping[int, str]] = field(default_factory=dict)
    shapes: Mapping[str, Mapping[int, Optional[int]]] = field(default_factory=dict)
    unstated: Sequence[str] = ()
    functions: Sequence[tuple[str, str]] = ()


def key_of(node: Any) -> str:
    """The value a node is called by: its first output that has a name."""
    return next((str(name) for name in node.output if name), "")


def apply_edits(model: Any, edits: Edits) -> None:
    """Makes the changes in a model's message."""
    onnx = onnx_package()
    graph = model.graph
    nodes = {key_of(node): node for node in graph.node if key_of(node)}
    held = {tensor.name: tensor for tensor in graph.initializer}
    for key, attributes in edits.attributes.items():
        for name, value in attributes.items():
            _set_attribute(onnx, nodes[key], name, value)
    for name, (elements, shape) in edits.elements.items():
        if name in held:
            _set_elements(onnx, held[name], elements, shape)
        else:
            _set_constant(onnx, nodes[name], elements, shape)
    for name, (elements, shape) in edits.constants.items():
        array = np.array(elements, dtype=np.int64).reshape(shape)
        graph.initializer.append(onnx.numpy_helper.from_array(array, name))
        if model.ir_version < _FREE_CONSTANTS:
            kind = onnx.TensorProto.INT64
            graph.input.append(onnx.helper.make_tensor_value_info(name, kind, list(shape)))
    _copy_nodes(onnx, graph, nodes, edits.copies)
    nodes = {key_of(node): node for node in graph.node if key_of(node)}
    for key, inputs in edits.inputs.items():
        for position, name in inputs.items():
            nodes[key].input[position] = name
    for value in (*graph.value_info, *graph.input):
        _set_sizes(value, edits.shapes.get(value.name, {}))
    _forget(graph.value_info, edits.unstated)
    for own in model.functions:
        if (own.domain, own.name) in edits.functions and hasattr(own, "value_info"):
            del own.value_info[:]


def _set_attribute(onnx: Any, node: Any, name: str, value: Value) -> None:
    new = onnx.helper.make_attribute(name, list(value) if isinstance(value, tuple) else value)
    for attribute in node.attribute:
        if attribute.name == name:
            new.doc_string = attribute.doc_string
            if attribute.type == onnx.AttributeProto.INTS and new.type == onnx.AttributeProto.INT:
                new = onnx.helper.make_attribute(name, [value])
            attribute.CopyFrom(new)
            return
    node.attribute.append(new)


def _set_elements(onnx: Any, tensor: Any, elements: Sequence[int], shape: Sequence[int]) -> None:
    """New elements in the same kind of field; whatever else the tensor says stays."""
    dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type)
    typed = onnx.helper.tensor_dtype_to_field(tensor.data_type)
    raw = tensor.HasField("raw_data") or tensor.data_location == onnx.TensorProto.EXTERNAL
    new = onnx.numpy_helper.from_array(np.array(elements, dtype=dtype).reshape(shape))
    for field_name in ("dims", "raw_data", typed, "external_data", "data_location"):
        tensor.ClearField(field_name)
    tensor.dims.extend(shape)
    if raw:
        tensor.raw_data = new.raw_data
    else:
        getattr(tensor, typed).extend(elements)


def _set_constant(onnx: Any, node: Any, elements: Sequence[int], shape: Sequence[int]) -> None:
    attribute = node.attribute[0]
    if attribute.type == onnx.AttributeProto.TENSOR:
        _set_elements(onnx, attribute.t, elements, shape)
    elif attribute.type == onnx.AttributeProto.INT:
        attribute.i = elements[0]
    else:
        attribute.ints[:] = elements


def _copy_nodes(onnx: Any, graph: Any, nodes: Mapping[str, Any], copies: Sequence[NodeCopy]) -> None:
    if not copies:
        return
    before: dict[str, list[Any]] = {}
    for wanted in copies:
        copy = onnx.NodeProto()
        copy.CopyFrom(nodes[wanted.of])
        copy.name = wanted.outputs[0]
        copy.input[:] = wanted.inputs
        copy.output[:] = wanted.outputs
        before.setdefault(wanted.before, []).append(copy)
    order = [entry for node in graph.node for entry in (*before.get(key_of(node), ()), node)]
    renewed = [onnx.NodeProto() for _ in order]
    for new, old in zip(renewed, order):
        new.CopyFrom(old)
    del graph.node[:]
    graph.node.extend(renewed)


def _set_sizes(value: Any, sizes: Mapping[int, Optional[int]]) -> None:
    """States new sizes of some axes, or none; what the file does not say of a value is not added."""
    dims = value.type.tensor_type.shape.dim
    for axis, size in sizes.items():
        if axis >= len(dims) or dims[axis].WhichOneof("value") is None:
            continue
        if size is None:
            dims[axis].ClearField(dims[axis].WhichOneof("value"))
        else:
            dims[axis].dim_value = size


def _forget(values: Any, names: Sequence[str]) -> None:
    for place in reversed([n for n, value in enumerate(values) if value.name in names]):
        del values[place]
