"""Shapes as ONNX's own inference finds them, for what stands behind operators that no rule knows."""

from __future__ import annotations

from typing import Any, Mapping

from prunec.graph.model import Shape
from prunec.onnx.protobuf import onnx_package

#: Constants above this size are left out of the copy that shapes are inferred on.
_SMALL_BYTES = 1 << 14


def inferred_shapes(proto: Any, input_shapes: Mapping[str, Shape]) -> dict[str, Shape]:
    """The shapes of inner values by name, as far as they can be inferred; nothing where inference fails.

    What the file itself says of inner values is not used: it may be out of date.  Values are not followed
    through the graph here: onnx would compute them however large they are.
    """
    onnx = onnx_package()
    try:
        inferred = onnx.shape_inference.infer_shapes(_skeleton(onnx, proto, input_shapes))
    except Exception:  # inference is a service: what it cannot do is no error of the model
        return {}
    shapes: dict[str, Shape] = {}
    for value in inferred.graph.value_info:
        kind = value.type.tensor_type
        if value.type.HasField("tensor_type") and kind.HasField("shape"):
            shapes[value.name] = tuple(
                dim.dim_value if dim.HasField("dim_value") else None for dim in kind.shape.dim
            )
    return shapes


def _skeleton(onnx: Any, proto: Any, input_shapes: Mapping[str, Shape]) -> Any:
    """The model without its weights: large constants are inputs of their shape."""
    model = onnx.ModelProto()
    model.ir_version = proto.ir_version
    model.opset_import.extend(proto.opset_import)
    model.functions.extend(proto.functions)
    graph = model.graph
    graph.name = proto.graph.name
    graph.node.extend(proto.graph.node)
    small = []
    large = {}
    for tensor in proto.graph.initializer:
        if tensor.data_location == onnx.TensorProto.EXTERNAL or tensor.ByteSize() > _SMALL_BYTES:
            large[tensor.name] = tensor
        else:
            small.append(tensor)
    graph.initializer.extend(small)
    for value in proto.graph.input:
        if value.name not in large:
            graph.input.append(_with_shape(onnx, value, input_shapes))
    for tensor in large.values():
        graph.input.append(
            onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, tuple(tensor.dims))
        )
    for value in proto.graph.output:
        copy = graph.output.add()
        copy.CopyFrom(value)
        if copy.type.HasField("tensor_type"):
            copy.type.tensor_type.ClearField("shape")
    return model


def _with_shape(onnx: Any, value: Any, input_shapes: Mapping[str, Shape]) -> Any:
    copy = onnx.ValueInfoProto()
    copy.CopyFrom(value)
    shape = input_shapes.get(value.name)
    if shape is not None and copy.type.HasField("tensor_type"):
        copy.type.tensor_type.ClearField("shape")
        copy.type.tensor_type.shape.SetInParent()
        for size in shape:
            dim = copy.type.tensor_type.shape.dim.add()
            if size is not None:
                dim.dim_value = size
    return copy
