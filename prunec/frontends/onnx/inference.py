"""The types of a model's values, asked of the onnx package node by node.

``python -m prunec.frontends.onnx.inference`` reads a model from the standard input and answers on the
standard output.
"""

from __future__ import annotations

import json
import sys
from typing import Any, BinaryIO, Mapping, Optional, Union

from prunec.frontends.onnx.nested import captured
from prunec.frontends.onnx.protobuf import onnx_package, opsets
from prunec.support.processes import end_after

Types = dict[str, Any]

#: Far more than any model takes, and far more than any node.
SECONDS, SECONDS_OF_NODE = 60.0, 5.0


def answer(question: bytes, out: BinaryIO) -> None:
    """Writes the shapes of what the nodes of a model give: a line of JSON each, of its name and its sizes,
    their names or ``null`` for those that are open; and an empty line behind each node.

    The nodes stand in an order in which each follows those it needs.  They are looked at one by one, so that
    what is wrong with one is no trouble for others, and so that no size below zero gets any further: such
    sizes end the process.
    """
    model = onnx_package().ModelProto.FromString(question)
    # Inputs that constants have overrule those of the file, as constants come last.
    types = {value.name: _without_impossible_sizes(value.type) for value in model.graph.input}
    inference = _Inference(model, types, {tensor.name: tensor for tensor in model.graph.initializer})
    for node in model.graph.node:
        for name, kind in inference.outputs(node).items():
            types[name] = kind
            sizes = _sizes(kind)
            if name and sizes is not None:
                out.write(json.dumps([name, sizes]).encode("ascii") + b"\n")
        out.write(b"\n")
        out.flush()


class _Inference:
    """Infers what one node gives, from the types of what it takes."""

    def __init__(self, model: Any, types: Types, constants: Mapping[str, Any]) -> None:
        self.onnx = onnx_package()
        self.types = types
        self.constants = constants
        self.imports = list(model.opset_import)
        self.versions = opsets(model)
        self.ir_version = model.ir_version
        self.functions = {(own.domain, own.name): own for own in model.functions}
        self.schemas: dict[tuple[str, str], Optional[Any]] = {}

    def outputs(self, node: Any) -> Types:
        """The types of a node's outputs by name; nothing where inference fails."""
        unknown = self.onnx.TypeProto()
        input_types = {name: self.types.get(name, unknown) for name in (*node.input, *captured(node)) if name}
        try:
            function = self.functions.get((node.domain, node.op_type))
            if function is not None:
                inputs = [input_types.get(name, unknown) for name in node.input]
                found = self.onnx.shape_inference.infer_function_output_types(
                    function, inputs, list(node.attribute)
                )
                given: Types = dict(zip(node.output, found))
            else:
                schema = self._schema(node)
                if schema is None:
                    return {}
                constants = {name: self.constants[name] for name in node.input if name in self.constants}
                given = self.onnx.shape_inference.infer_node_outputs(
                    schema,
                    node,
                    input_types,
                    constants,
                    opset_imports=self.imports,
                    ir_version=self.ir_version,
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


def _sizes(kind: Any) -> Optional[list[Union[None, int, str]]]:
    if not kind.HasField("tensor_type") or not kind.tensor_type.HasField("shape"):
        return None
    return [
        dim.dim_value if dim.HasField("dim_value") else (dim.dim_param or None)
        for dim in kind.tensor_type.shape.dim
    ]


if __name__ == "__main__":
    end_after(SECONDS)
    answer(sys.stdin.buffer.read(), sys.stdout.buffer)
