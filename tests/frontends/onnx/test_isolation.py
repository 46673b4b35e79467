"""What ends the inference of ONNX, or never ends in it, does so in a process of its own."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="needs onnx")

from onnx import TensorProto, helper, numpy_helper  # noqa: E402

from prunec.frontends.onnx import inference  # noqa: E402
from prunec.frontends.onnx.model import model_of  # noqa: E402
from prunec.support.processes import by_command, written_by  # noqa: E402

HERE = Path("model.onnx")
GIGABYTE = 1 << 30


def model(nodes, *initializers, functions=(), shape=(2, 3, 4, 5)):
    inputs = [helper.make_tensor_value_info("x", 1, list(shape))]
    inputs.append(helper.make_tensor_value_info("c", TensorProto.BOOL, []))
    outputs = [helper.make_tensor_value_info("y", 1, None)]
    graph = helper.make_graph(nodes, "g", inputs, outputs, list(initializers))
    imports = [helper.make_opsetid("", 17), helper.make_opsetid("my.own", 1)]
    return helper.make_model(graph, opset_imports=imports, functions=list(functions), ir_version=9)


def numbers(name, *values):
    return numpy_helper.from_array(np.array(values, np.int64), name)


def _steps():
    """A kernel larger than the image, whose result is cut in steps."""
    return [
        helper.make_node("MaxPool", ["x"], ["p"], kernel_shape=[20, 20]),
        helper.make_node("Constant", [], ["s"], value=numbers("s", 0)),
        helper.make_node("Constant", [], ["e"], value=numbers("e", 9)),
        helper.make_node("Constant", [], ["a"], value=numbers("a", 2)),
        helper.make_node("Constant", [], ["t"], value=numbers("t", 2)),
        helper.make_node("Slice", ["p", "s", "e", "a", "t"], ["q"]),
    ]


def _branch():
    body = helper.make_graph(_steps(), "body", [], [helper.make_tensor_value_info("q", 1, None)])
    return model(
        [
            helper.make_node("Relu", ["x"], ["first"]),
            helper.make_node("If", ["c"], ["y"], then_branch=body, else_branch=body),
        ]
    )


def _function():
    imports = [helper.make_opsetid("", 17)]
    own = helper.make_function("my.own", "Cut", ["x"], ["q"], _steps(), imports)
    nodes = [
        helper.make_node("Relu", ["x"], ["first"]),
        helper.make_node("Cut", ["x"], ["y"], domain="my.own"),
    ]
    return model(nodes, functions=[own])


def _batch():
    return model(
        [
            helper.make_node("Relu", ["x"], ["first"]),
            helper.make_node("GatherND", ["x", "i"], ["y"], batch_dims=-2),
        ],
        numbers("i", 0),
    )


@pytest.mark.parametrize("make", [_branch, _function, _batch])
def test_models_that_end_the_inference_of_onnx(make, capfd):
    found = model_of(make().SerializeToString(), HERE)
    named = {found.graph.nodes[tensor.node].name: shape for tensor, shape in found.graph.hints.items()}
    assert named["first"] == (2, 3, 4, 5)
    assert capfd.readouterr() == ("", "")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="processes are forked on Linux only")
def test_a_node_that_inference_does_not_come_back_from(monkeypatch):
    monkeypatch.setattr(inference, "SECONDS_OF_NODE", 1.0)
    nodes = [
        helper.make_node("Relu", ["x"], ["first"]),
        helper.make_node("Einsum", ["x"], ["y"], equation="." * 9),
    ]
    start = time.monotonic()
    found = model_of(model(nodes).SerializeToString(), HERE)
    assert time.monotonic() - start < 20
    named = {found.graph.nodes[tensor.node].name: shape for tensor, shape in found.graph.hints.items()}
    assert named["first"] == (2, 3, 4, 5)


def test_the_module_answers_as_the_function_does():
    question = model(
        [helper.make_node("Relu", ["x"], ["a"]), helper.make_node("Flatten", ["a"], ["y"])]
    ).SerializeToString()
    command = [sys.executable, "-m", inference.__name__]
    expected = b'["a", [2, 3, 4, 5]]\n\n["y", [2, 60]]\n\n'
    assert by_command(command, question, 60.0) == expected
    assert written_by(inference.answer, inference.__name__, question, 60.0, GIGABYTE) == expected
