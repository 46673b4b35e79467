"""Models for benchmarks: of any number of nodes, and of any size."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Callable, Iterator, Mapping

import numpy as np

from bench.cost import chain

#: The options that ``prunec compile`` takes with each.
SYMBOL_OPTIONS = ("--input", "data=1,16,8,8", "--criterion", "position")
_WIDTH = 8
_SEED = 0


def symbol_chain(nodes: int, path: Path) -> int:
    """Convolutions in a row, as MXNet saves them; gives the number of nodes."""
    path.write_bytes(chain(nodes // 2, False))
    return _count(path)


def symbol_residual(nodes: int, path: Path) -> int:
    """The same with a shortcut around every second one."""
    path.write_bytes(chain(nodes * 2 // 5, True))
    return _count(path)


def _count(path: Path) -> int:
    return len(json.loads(path.read_bytes())["nodes"])


def onnx_chain(nodes: int, path: Path) -> int:
    """Convolutions and activations in turn."""
    graph = _Graph((1, _WIDTH, 4, 4))
    last = "x"
    for _ in range(nodes // 2):
        weight = graph.weight(_WIDTH, _WIDTH, 1, 1)
        last = graph.node("Relu", [graph.node("Conv", [last, weight], kernel_shape=[1, 1])])
    return graph.save(path, last)


def onnx_transformer(nodes: int, path: Path) -> int:
    """Blocks of attention and a feed-forward part, each with its norm and its shortcut."""
    length, heads, size = 4, 2, 4
    width = heads * size
    graph = _Graph((1, length, width))
    split, merged = graph.numbers(1, length, heads, size), graph.numbers(1, length, width)
    last = "x"
    while len(graph.proto.node) < nodes:
        normed = graph.node("LayerNormalization", [last, graph.weight(width), graph.weight(width)], axis=-1)
        parts = []
        for perm in ([0, 2, 1, 3], [0, 2, 3, 1], [0, 2, 1, 3]):
            product = graph.node("MatMul", [normed, graph.weight(width, width)])
            parts.append(graph.node("Transpose", [graph.node("Reshape", [product, split])], perm=perm))
        shares = graph.node("Softmax", [graph.node("MatMul", parts[:2])], axis=-1)
        mixed = graph.node("Transpose", [graph.node("MatMul", [shares, parts[2]])], perm=[0, 2, 1, 3])
        back = graph.node("MatMul", [graph.node("Reshape", [mixed, merged]), graph.weight(width, width)])
        last = graph.node("Add", [last, back])
        normed = graph.node("LayerNormalization", [last, graph.weight(width), graph.weight(width)], axis=-1)
        wide = graph.node("Relu", [graph.node("MatMul", [normed, graph.weight(width, 2 * width)])])
        last = graph.node("Add", [last, graph.node("MatMul", [wide, graph.weight(2 * width, width)])])
    return graph.save(path, last)


#: What grows, by what the page calls it, with the file it is in and its options.
GROWING: Mapping[str, tuple[Callable[[int, Path], int], str, tuple[str, ...]]] = {
    "chain of convolutions (MXNet)": (symbol_chain, "chain-symbol.json", SYMBOL_OPTIONS),
    "residual convolutions (MXNet)": (symbol_residual, "residual-symbol.json", SYMBOL_OPTIONS),
    "convolutions and activations (ONNX)": (onnx_chain, "chain.onnx", ()),
    "transformer (ONNX)": (onnx_transformer, "transformer.onnx", ()),
}


def large_file(folder: Path, size: int, width: int = 6708) -> int:
    """``large.onnx``, matrices in a row whose elements are ``size`` bytes of external data beside it; gives
    the bytes of one matrix."""
    graph = _Graph((1, width))
    last, length = "x", width * width * 4
    random = np.random.default_rng(_SEED)
    with open(folder / "large.data", "wb") as file:
        for number in range(max(2, size // length)):
            random.standard_normal((width, width), dtype=np.float32).tofile(file)
            weight = graph.external(f"w{number}", (width, width), "large.data", number * length)
            last = graph.node("Relu", [graph.node("MatMul", [last, weight])])
    graph.save(folder / "large.onnx", last)
    return length


class _Graph:
    """An ONNX graph in the making, with one input ``x``."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        from onnx import TensorProto, helper

        self.helper, self.types = helper, TensorProto
        self.proto = helper.make_graph([], "net", [self._value("x", shape)], [])
        self.random = np.random.default_rng(_SEED)

    def _value(self, name: str, shape: Any) -> Any:
        return self.helper.make_tensor_value_info(name, self.types.FLOAT, shape)

    def node(self, operator: str, inputs: list[str], **attributes: Any) -> str:
        """Adds a node and gives the name of what it computes."""
        name = f"v{len(self.proto.node)}"
        self.proto.node.append(self.helper.make_node(operator, inputs, [name], **attributes))
        return name

    def weight(self, *shape: int) -> str:
        """A random weight."""
        return self._constant(self.random.standard_normal(shape, dtype=np.float32), self.types.FLOAT)

    def numbers(self, *numbers: int) -> str:
        """A list of whole numbers."""
        return self._constant(np.array(numbers, np.int64), self.types.INT64)

    def _constant(self, array: Any, kind: int) -> str:
        name = f"c{len(self.proto.initializer)}"
        self.proto.initializer.add(
            name=name, data_type=kind, dims=list(array.shape), raw_data=array.tobytes()
        )
        return name

    def external(self, name: str, shape: tuple[int, ...], location: str, offset: int) -> str:
        """A weight in a file of its own."""
        tensor = self.proto.initializer.add(name=name, data_type=self.types.FLOAT, dims=list(shape))
        tensor.data_location = self.types.EXTERNAL
        for key, value in self._place(shape, location, offset):
            tensor.external_data.add(key=key, value=value)
        return name

    @staticmethod
    def _place(shape: tuple[int, ...], location: str, offset: int) -> Iterator[tuple[str, str]]:
        yield "location", location
        yield "offset", str(offset)
        yield "length", str(4 * int(np.prod(shape)))

    def save(self, path: Path, output: str) -> int:
        """Writes the model; gives the number of nodes and constants."""
        self.proto.output.append(self._value(output, None))
        imports = [self.helper.make_opsetid("", 17)]
        model = self.helper.make_model(self.proto, opset_imports=imports, ir_version=8)
        path.write_bytes(model.SerializeToString())
        return len(self.proto.node) + len(self.proto.initializer)
