"""Bad ONNX models, and good ones of which much stays."""

from __future__ import annotations

from typing import Any, Callable, Sequence

import numpy as np

from messages.inputs import Case, Content

Change = Callable[[Any], None]


def refused(name: str, content: Content) -> Case:
    """An ONNX model that is to be pruned."""
    return Case(name, {"net.onnx": content}, ("groups", "net.onnx"), needs="onnx")


def network(change: Change, nodes: Sequence[tuple[str, str, str, str]] = ()) -> Callable[[], bytes]:
    """A model of nodes (operator, name, inputs and output, which spaces divide), changed once it is made."""

    def made() -> bytes:
        from onnx import TensorProto, helper, numpy_helper

        entries = nodes or (("Relu", "act", "x", "a"), ("Gemm", "dense", "a w", "y"))
        x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 8])
        y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 4])
        w = numpy_helper.from_array(np.zeros((8, 4), np.float32), "w")
        graph = helper.make_graph(
            [helper.make_node(op, i.split(), [o], name=name) for op, name, i, o in entries],
            "g",
            [x],
            [y],
            [w],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        change(model)
        return bytes(model.SerializeToString())

    return made


def as_it_is(model: Any) -> None:
    """No change."""


def of_an_old_version(model: Any) -> None:
    """Operators of a time when they meant something else."""
    model.opset_import[0].version = 1


def cut_off(model: Any) -> None:
    """Half of the weight's data."""
    weight = model.graph.initializer[0]
    weight.raw_data = weight.raw_data[:64]


def outside(location: str) -> Change:
    """The weight's data in another file."""

    def change(model: Any) -> None:
        weight = model.graph.initializer[0]
        weight.ClearField("raw_data")
        weight.data_location = 1
        weight.external_data.add(key="location", value=location)

    return change


def branching(model: Any) -> None:
    """The dense layer, with its weight, in the branches of a condition."""
    from onnx import TensorProto, helper

    dense = model.graph.node.pop()
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 4])]
    branch = helper.make_graph([dense], "branch", [], outputs, [model.graph.initializer.pop()])
    model.graph.input.append(helper.make_tensor_value_info("c", TensorProto.BOOL, []))
    model.graph.node.append(
        helper.make_node("If", ["c"], ["y"], name="if", then_branch=branch, else_branch=branch)
    )


ONNX = (
    refused("empty_onnx_file", b""),
    refused("onnx_of_an_old_version", network(of_an_old_version)),
    refused("onnx_tensor_cut_off", network(cut_off)),
    refused("onnx_data_elsewhere", network(outside("../weights.bin"))),
    refused("onnx_data_missing", network(outside("weights.bin"))),
    refused("onnx_value_of_no_node", network(as_it_is, [("Gemm", "dense", "b w", "y")])),
    refused(
        "onnx_nodes_in_a_circle",
        network(
            as_it_is, [("Add", "sum", "x b", "a"), ("Relu", "act", "a", "b"), ("Gemm", "dense", "a w", "y")]
        ),
    ),
    refused("onnx_weights_in_branches", network(branching)),
)
