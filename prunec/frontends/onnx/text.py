"""An ONNX graph as text, a line for each value: what a reader wants to see of a change.

Two versions of a model have the same lines but for what changed, so that a plain diff of the texts shows just
that.  Weights are shown by type and shape; constants of a few whole numbers by their elements.
"""

from __future__ import annotations

from typing import Any, Iterable, Iterator, Optional

import numpy as np

from prunec.frontends.onnx.graph import attributes_of, constant_of
from prunec.frontends.onnx.input_sizes import declared_shape
from prunec.frontends.onnx.protobuf import onnx_package, opsets
from prunec.support.diagnostics import printable

#: Constants of at most so many whole numbers are written out.
_FEW = 16


def graph_text(data: bytes) -> str:
    """The graph of an ONNX message as text.  The same bytes give the same text."""
    return text_of(graph_lines(onnx_package().load_model_from_string(data)))


def text_of(lines: Iterable[tuple[str, str]]) -> str:
    """The text of such lines."""
    return "".join(f"{line}\n" for _, line in lines)


def graph_lines(proto: Any) -> Iterator[tuple[str, str]]:
    """The lines of the text, each with the name of what it shows: a node's, or else a value's."""
    graph = proto.graph
    held = {tensor.name for tensor in graph.initializer}
    domains = ", ".join(f"{domain or 'ai.onnx'} {version}" for domain, version in opsets(proto).items())
    yield graph.name, f"model {_name(graph.name)} ({domains})"
    shapes = {value.name: declared_shape(value) for value in graph.value_info}
    for value in graph.input:
        if value.name not in held:
            yield value.name, f"input {_name(value.name)}: {_type(value)}"
    for tensor in graph.initializer:
        yield tensor.name, f"constant {_name(tensor.name)}: {_tensor(tensor)}"
    for node in graph.node:
        yield node.name or next(iter(node.output), ""), _node(node, shapes)
    for value in graph.output:
        yield value.name, f"output {_name(value.name)}: {_type(value)}"


def _node(node: Any, shapes: dict[str, Any]) -> str:
    tensor = constant_of(node)
    if tensor is not None:
        return f"constant {_name(node.output[0])}: {_tensor(tensor)}"
    outputs = ", ".join(
        _name(name) + (f" {_shape(shapes[name])}" if shapes.get(name) else "") for name in node.output
    )
    operator = f"{node.domain}::{node.op_type}" if node.domain else node.op_type
    attributes = ", ".join(
        f"{_name(name)}={printable(repr(value), 200)}" for name, value in attributes_of(node).items()
    )
    inputs = ", ".join(_name(name) if name else "-" for name in node.input)
    return f"{outputs} = {_name(operator)}({inputs})" + (f" [{attributes}]" if attributes else "")


def _tensor(tensor: Any) -> str:
    onnx = onnx_package()
    try:
        dtype = str(np.dtype(onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type)))
    except (KeyError, ValueError, TypeError):
        dtype = f"type {tensor.data_type}"
    text = f"{dtype} {_shape(tuple(tensor.dims))}"
    count = int(np.prod(tensor.dims, dtype=np.float64))
    if count <= _FEW and dtype.startswith("int") and tensor.data_location != onnx.TensorProto.EXTERNAL:
        text += f" = {onnx.numpy_helper.to_array(tensor).tolist()}"
    return text


def _type(value: Any) -> str:
    onnx = onnx_package()
    if not value.type.HasField("tensor_type"):
        return str(value.type.WhichOneof("value"))
    shape = declared_shape(value)
    number = value.type.tensor_type.elem_type
    try:
        kind = onnx.TensorProto.DataType.Name(number).lower()
    except ValueError:
        kind = f"type {number}"
    return kind if shape is None else f"{kind} {_shape(shape)}"


def _shape(shape: Optional[tuple[Optional[int], ...]]) -> str:
    return "(" + ", ".join("?" if size is None else str(size) for size in shape or ()) + ")"


def _name(name: str) -> str:
    return printable(name, 200)
