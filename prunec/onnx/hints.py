"""Shapes as ONNX's own inference finds them: what stands behind operators that no rule knows, and what the
shapes that follow from the rules are compared with."""

from __future__ import annotations

from typing import Any, Mapping, Optional, Sequence

from prunec.graph.model import Shape
from prunec.onnx.nested import captured
from prunec.onnx.protobuf import onnx_package, opsets

#: The elements of larger constants are not looked at.
_SMALL_BYTES = 1 << 14

Types = dict[str, Any]


def inferred_shapes(
    proto: Any, nodes: Sequence[Any], constants: Mapping[str, Any], input_shapes: Mapping[str, Shape]
) -> dict[str, Shape]:
    """The shapes of what nodes give, by name, as far as they can be inferred.

    ``nodes`` stand in an order in which each follows those it needs; ``constants`` are the messages of all
    constants.  What the file itself says of inner values is not used: it may be out of date.

    Nodes are looked at one by one, so that what is wrong with one is no trouble for others, and so that
    no size below zero gets any further: such sizes end the process inside of onnx.
    """
    types = _known_types(proto, constants, input_shapes)
    small = {name: tensor for name, tensor in constants.items() if _is_small(tensor)}
    inference = _Inference(proto, types, small)
    shapes: dict[str, Shape] = {}
    for node in nodes:
        for name, kind in inference.outputs(node).items():
            types[name] = kind
            shape = _shape(kind)
            if name and shape is not None:
                shapes[name] = shape
    return shapes


class _Inference:
    """Infers what one node gives, from the types of what it takes."""

    def __init__(self, proto: Any, types: Types, constants: Mapping[str, Any]) -> None:
        self.onnx = onnx_package()
        self.types = types
        self.constants = constants
        self.imports = list(proto.opset_import)
        self.versions = opsets(proto)
        self.ir_version = proto.ir_version
        self.functions = {(own.domain, own.name): own for own in proto.functions}
        self.schemas: dict[tuple[str, str], Optional[Any]] = {}

    def outputs(self, node: Any) -> Types:
        """The types of a node's outputs by name; nothing where inference fails."""
        unknown = self.onnx.TypeProto()
        taken = {name: self.types.get(name, unknown) for name in (*node.input, *captured(node)) if name}
        try:
            function = self.functions.get((node.domain, node.op_type))
            if function is not None:
                inputs = [taken.get(name, unknown) for name in node.input]
                found = self.onnx.shape_inference.infer_function_output_types(
                    function, inputs, list(node.attribute)
                )
                given: Types = dict(zip(node.output, found))
            else:
                schema = self._schema(node)
                if schema is None:
                    return {}
                held = {name: self.constants[name] for name in node.input if name in self.constants}
                given = self.onnx.shape_inference.infer_node_outputs(
                    schema, node, taken, held, opset_imports=self.imports, ir_version=self.ir_version
                )
        except Exception:  # inference is a service: what it cannot do is no error of the model
            return {}
        return {name: _without_impossible_sizes(kind) for name, kind in given.items()}

    def _schema(self, node: Any) -> Optional[Any]:
        key = (node.domain, node.op_type)
        if key not in self.schemas:
            version = self.versions.get(node.domain, 1)
            try:
                self.schemas[key] = self.onnx.defs.get_schema(node.op_type, version, node.domain)
            except self.onnx.defs.SchemaError:
                self.schemas[key] = None
        return self.schemas[key]


def _known_types(proto: Any, constants: Mapping[str, Any], input_shapes: Mapping[str, Shape]) -> Types:
    """The types of constants and inputs, these with the sizes that are given for them."""
    make = onnx_package().helper.make_tensor_type_proto
    types = {
        value.name: _without_impossible_sizes(_with_shape(value.type, input_shapes.get(value.name)))
        for value in proto.graph.input
    }
    types.update((name, make(tensor.data_type, list(tensor.dims))) for name, tensor in constants.items())
    for sparse in proto.graph.sparse_initializer:
        types[sparse.values.name] = make(sparse.values.data_type, list(sparse.dims))
    return types


def _is_small(tensor: Any) -> bool:
    external = tensor.data_location == onnx_package().TensorProto.EXTERNAL
    return not external and tensor.ByteSize() <= _SMALL_BYTES


def _with_shape(kind: Any, shape: Optional[Shape]) -> Any:
    if shape is None or not kind.HasField("tensor_type"):
        return kind
    return onnx_package().helper.make_tensor_type_proto(kind.tensor_type.elem_type, list(shape))


def _without_impossible_sizes(kind: Any) -> Any:
    """A type whose sizes below zero are open."""
    if not kind.HasField("tensor_type") or all(dim.dim_value >= 0 for dim in kind.tensor_type.shape.dim):
        return kind
    copy = onnx_package().TypeProto()
    copy.CopyFrom(kind)
    for dim in copy.tensor_type.shape.dim:
        if dim.dim_value < 0:
            dim.Clear()
    return copy


def _shape(kind: Any) -> Optional[Shape]:
    if not kind.HasField("tensor_type") or not kind.tensor_type.HasField("shape"):
        return None
    return tuple(dim.dim_value if dim.HasField("dim_value") else None for dim in kind.tensor_type.shape.dim)
