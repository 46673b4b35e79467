"""Write the trained network of the digits example as an ONNX file: ``python network.py digits.onnx``."""

from __future__ import annotations

import argparse
import ast
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

import prunec

SYMBOL = Path(__file__).resolve().parents[1] / "digits" / "digits-symbol.json"


class Writer:
    """The nodes of an ONNX graph, made of those of the network one after the other."""

    def __init__(self, model: prunec.FileModel) -> None:
        self.model = model
        self.nodes: list[Any] = []
        self.constants: dict[str, np.ndarray] = {}
        self.names: dict[tuple[int, int], str] = {}

    def convert(self) -> str:
        """Converts all nodes up to the classes, and gives the name of their scores."""
        for index, node in enumerate(self.model.graph.nodes):
            inputs = [self.names.get((tensor.node, tensor.output), "") for tensor in node.inputs]
            self.names[index, 0] = node.name
            if node.operator == "SoftmaxOutput":
                return inputs[0]
            if node.operator is not None:
                self._add(node.operator, node.name, inputs, dict(node.attributes))
            elif node.name != "data" and not node.name.endswith("label"):
                self.constants[node.name] = np.array(self.model.parameter(node.name))
        raise ValueError("the network has no classes")

    def _add(self, operator: str, name: str, inputs: list[str], attributes: dict[str, Any]) -> None:
        if operator == "Convolution":
            kernel, stride, pad = (_numbers(attributes[key]) for key in ("kernel", "stride", "pad"))
            self._node("Conv", name, inputs, kernel_shape=kernel, strides=stride, pads=[*pad, *pad])
        elif operator == "BatchNorm":
            self._node("BatchNormalization", name, inputs, epsilon=1e-3)
        elif operator == "FullyConnected":
            self._node("Gemm", name, inputs, transB=1)
        else:
            kinds = {"Activation": "Relu", "elemwise_add": "Add", "Pooling": "GlobalAveragePool"}
            self._node(kinds.get(operator, operator), name, inputs)

    def _node(self, kind: str, name: str, inputs: list[str], **attributes: Any) -> None:
        self.nodes.append(helper.make_node(kind, inputs, [name], name=name, **attributes))


def _numbers(value: Any) -> list[int]:
    found = ast.literal_eval(value) if isinstance(value, str) else value
    return [int(number) for number in found]


def main() -> None:
    """Read the network and write it."""
    parser = argparse.ArgumentParser(description="Write the network of the digits example as an ONNX file.")
    parser.add_argument("output", metavar="DIGITS.onnx")
    options = parser.parse_args()
    writer = Writer(prunec.read_model(SYMBOL))
    scores = writer.convert()
    images = helper.make_tensor_value_info("data", onnx.TensorProto.FLOAT, ["batch", 1, 8, 8])
    output = helper.make_tensor_value_info(scores, onnx.TensorProto.FLOAT, ["batch", 10])
    constants = [numpy_helper.from_array(array, name) for name, array in writer.constants.items()]
    graph = helper.make_graph(writer.nodes, "digits", [images], [output], constants)
    opset = [helper.make_opsetid("", 13)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), options.output)


if __name__ == "__main__":
    main()
