"""Shapes as ONNX's own inference finds them: what stands behind operators that no rule knows, and what the
shapes that follow from the rules are compared with.

Inference runs in a process of its own: it is made for models as exporters write them, and some that nobody
would write end the process that asks.
"""

from __future__ import annotations

import json
from typing import Any, Mapping, Optional, Sequence

from prunec.frontends.onnx import inference
from prunec.frontends.onnx.protobuf import onnx_package
from prunec.sizes import OpenShape, OpenSize
from prunec.support.processes import written_by

#: The elements of larger constants are not looked at.
_SMALL_BYTES = 1 << 14
#: Far more than any model takes.
_MEMORY = 4 << 30


def inferred_shapes(
    proto: Any, nodes: Sequence[Any], constants: Mapping[str, Any], input_sizes: Mapping[str, OpenShape]
) -> dict[str, OpenShape]:
    """The shapes of what nodes give, by name, as far as they can be inferred.

    ``nodes`` stand in an order in which each follows those it needs; ``constants`` are the messages of all
    constants.  What the file itself says of inner values is not used: it may be out of date.  Where
    inference ends its process, or does not come back from a node, the shapes up to there are known.
    """
    try:
        question = _question(proto, nodes, constants, input_sizes).SerializeToString()
    except Exception:  # nested graphs and functions can be larger than a message that is sent
        return {}
    answer = written_by(
        inference.answer,
        inference.__name__,
        question,
        inference.SECONDS,
        _MEMORY,
        silence=inference.SECONDS_OF_NODE,
    )
    named = {str(size): size for shape in input_sizes.values() for size in shape}
    shapes: dict[str, OpenShape] = {}
    # What stands behind the last line break was not written to its end.
    for line in filter(None, answer.split(b"\n")[:-1]):
        name, shape = json.loads(line)
        shapes[name] = tuple(named.get(size) if isinstance(size, str) else size for size in shape)
    return shapes


def _question(
    proto: Any, nodes: Sequence[Any], constants: Mapping[str, Any], input_sizes: Mapping[str, OpenShape]
) -> Any:
    """A model of the nodes alone: constants are inputs, and those that can matter to shapes initialisers."""
    onnx = onnx_package()
    question = onnx.ModelProto(
        ir_version=proto.ir_version, opset_import=proto.opset_import, functions=proto.functions
    )
    graph = question.graph
    graph.node.extend(nodes)
    for value in proto.graph.input:
        kind = _with_shape(value.type, input_sizes.get(value.name))
        graph.input.add(name=value.name, type=kind)
    make = onnx.helper.make_tensor_type_proto
    for name, tensor in constants.items():
        graph.input.add(name=name, type=make(tensor.data_type, list(tensor.dims)))
        if _is_small(tensor):
            graph.initializer.add().CopyFrom(tensor)
            graph.initializer[-1].name = name
    for sparse in proto.graph.sparse_initializer:
        kind = make(sparse.values.data_type, list(sparse.dims))
        graph.input.add(name=sparse.values.name, type=kind)
    return question


def _is_small(tensor: Any) -> bool:
    external = tensor.data_location == onnx_package().TensorProto.EXTERNAL
    return not external and tensor.ByteSize() <= _SMALL_BYTES


def _with_shape(kind: Any, shape: Optional[OpenShape]) -> Any:
    if shape is None or not kind.HasField("tensor_type"):
        return kind
    return onnx_package().helper.make_tensor_type_proto(
        kind.tensor_type.elem_type, [str(size) if isinstance(size, OpenSize) else size for size in shape]
    )
