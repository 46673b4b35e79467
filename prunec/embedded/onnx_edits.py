"""Changes of an ONNX message as plain data, and how they are made.

Each is a list of names and numbers, made when a model is compiled and, from a table, by a script.  A node is
called by the name of a value that it makes, which is unique in a graph.
"""

from dataclasses import dataclass, field
from typing import Any, Mapping, NamedTuple, Optional, Sequence

import numpy as np

from prunec.embedded.onnx_tensors import is_external

#: The version of the format since which constants need not be listed among the inputs.
FREE_CONSTANTS = 4
#: New elements of a small constant, and its new shape.
Elements = tuple[tuple[int, ...], tuple[int, ...]]


class NewConstant(NamedTuple):
    """The elements of a constant, its shape, and numpy's name of their type."""

    elements: tuple[float, ...]
    shape: tuple[int, ...]
    dtype: str = "int64"


class NodeCopy(NamedTuple):
    """A node to be put before the node that makes ``before``: a copy of the one that makes ``of``, with
    other inputs and outputs."""

    of: str
    before: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True)
class MessageEdits:
    """All changes of a graph but for the slices of its parameters.

    ``attributes``: for the node that makes a value, new attributes.  ``elements``: for a constant, its
    new elements.  ``constants``: new constants.  ``copies``: new nodes.  ``inputs``: for
    the node that makes a value, new names for some of its inputs, by position.

    ``shapes``: of values whose shapes the file states, axes and their new sizes, None for one that it
    states no longer.  ``unstated``: values of whose shapes it says nothing any more.  ``functions``: those of
    the model (domain and name) in which it says nothing of any shape.
    """

    attributes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    elements: Mapping[str, Elements] = field(default_factory=dict)
    constants: Mapping[str, NewConstant] = field(default_factory=dict)
    copies: Sequence[NodeCopy] = ()
    inputs: Mapping[str, Mapping[int, str]] = field(default_factory=dict)
    shapes: Mapping[str, Mapping[int, Optional[int]]] = field(default_factory=dict)
    unstated: Sequence[str] = ()
    functions: Sequence[tuple[str, str]] = ()


def key_of(node: Any) -> str:
    """The value a node is called by: its first output that has a name."""
    return next((str(name) for name in node.output if name), "")


def nodes_by_key(graph: Any) -> dict[str, Any]:
    """The nodes by the values they are called by."""
    return {key_of(node): node for node in graph.node if key_of(node)}


def apply_edits(model: Any, edits: MessageEdits) -> None:
    """Makes the changes in a model's message."""
    graph = model.graph
    nodes = nodes_by_key(graph)
    initializers = {tensor.name: tensor for tensor in graph.initializer}
    for key, attributes in edits.attributes.items():
        for name, value in attributes.items():
            _set_attribute(nodes[key], name, value)
    for name, (elements, shape) in edits.elements.items():
        if name in initializers:
            _set_elements(initializers[name], elements, shape)
        else:
            _set_constant(nodes[name].attribute[0], elements, shape)
    if edits.constants:
        _add_constants(model, edits.constants)
    if edits.copies:
        _copy_nodes(graph, nodes, edits.copies)
        nodes = nodes_by_key(graph)
    for key, inputs in edits.inputs.items():
        for position, name in inputs.items():
            nodes[key].input[position] = name
    for value in (*graph.value_info, *graph.input, *graph.output):
        _set_sizes(value, edits.shapes.get(value.name, {}))
    for place in reversed([n for n, value in enumerate(graph.value_info) if value.name in edits.unstated]):
        del graph.value_info[place]
    for own in model.functions:
        if (own.domain, own.name) in edits.functions and hasattr(own, "value_info"):
            del own.value_info[:]


def _set_attribute(node: Any, name: str, value: Any) -> None:
    from onnx import AttributeProto, helper

    new = helper.make_attribute(name, list(value) if isinstance(value, tuple) else value)
    for attribute in node.attribute:
        if attribute.name == name:
            if attribute.type == AttributeProto.INTS and new.type == AttributeProto.INT:
                new = helper.make_attribute(name, [value])
            new.doc_string = attribute.doc_string
            attribute.CopyFrom(new)
            return
    node.attribute.append(new)


def _set_elements(tensor: Any, elements: Sequence[int], shape: Sequence[int]) -> None:
    """New elements in the same kind of field; whatever else the tensor says stays."""
    from onnx import helper, numpy_helper

    dtype = helper.tensor_dtype_to_np_dtype(tensor.data_type)
    typed = helper.tensor_dtype_to_field(tensor.data_type)
    raw = tensor.HasField("raw_data") or is_external(tensor)
    new = numpy_helper.from_array(np.array(elements, dtype=dtype).reshape(shape))
    for field_name in ("dims", "raw_data", typed, "external_data", "data_location"):
        tensor.ClearField(field_name)
    tensor.dims.extend(shape)
    if raw:
        tensor.raw_data = new.raw_data
    else:
        getattr(tensor, typed).extend(elements)


def _set_constant(attribute: Any, elements: Sequence[int], shape: Sequence[int]) -> None:
    from onnx import AttributeProto

    if attribute.type == AttributeProto.TENSOR:
        _set_elements(attribute.t, elements, shape)
    elif attribute.type == AttributeProto.INT:
        attribute.i = elements[0]
    else:
        attribute.ints[:] = elements


def _add_constants(model: Any, constants: Mapping[str, NewConstant]) -> None:
    from onnx import numpy_helper

    for name, (elements, shape, dtype) in constants.items():
        add_constant(model, numpy_helper.from_array(np.array(elements, dtype=dtype).reshape(shape), name))


def add_constant(model: Any, tensor: Any) -> None:
    """Adds a constant to a model's graph, where all constants are declared as inputs there too."""
    from onnx import helper

    model.graph.initializer.append(tensor)
    if model.ir_version < FREE_CONSTANTS:
        model.graph.input.append(
            helper.make_tensor_value_info(tensor.name, tensor.data_type, list(tensor.dims))
        )


def _copy_nodes(graph: Any, nodes: Mapping[str, Any], copies: Sequence[NodeCopy]) -> None:
    from onnx import NodeProto

    before: dict[str, list[Any]] = {}
    for of, user, inputs, outputs in copies:
        copy = NodeProto()
        copy.CopyFrom(nodes[of])
        copy.name = outputs[0]
        copy.input[:] = inputs
        copy.output[:] = outputs
        before.setdefault(user, []).append(copy)
    order = [entry for node in graph.node for entry in (*before.get(key_of(node), ()), node)]
    renewed = [NodeProto() for _ in order]
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
