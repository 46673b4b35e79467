"""The masked original computes what is left without the branch: run in ONNX Runtime, each branch alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from prunec.analysis.analyse import analyse
from prunec.branches.find import Branch, find_branches
from prunec.frontends.registry import front_end
from prunec.graph import Graph
from prunec.language.library import load
from prunec.support.comparison import relative_error

onnx = pytest.importorskip("onnx")
runtime = pytest.importorskip("onnxruntime")


def network(path: Path) -> None:
    """A stem, a branch with one in it, one behind a normalisation, and one with a scale."""
    random = np.random.default_rng(3)
    make = onnx.helper.make_node
    shapes = {"stem": (8, 3, 3, 3), "scale": (1, 8, 1, 1), "shift": (8,), "mean": (8,), "gain": (8,)}
    shapes.update({f"w{k}": (8, 8, 3, 3) for k in range(5)}, **{f"b{k}": (8,) for k in range(5)})
    values = {name: random.standard_normal(shape) * 0.2 + 0.1 for name, shape in shapes.items()}
    values["var"] = random.uniform(0.5, 2.0, 8)
    nodes = [make("Conv", ["x", "stem"], ["s"], pads=[1, 1, 1, 1])]

    def conv(k: int, source: str, target: str) -> None:
        nodes.append(make("Conv", [source, f"w{k}", f"b{k}"], [target], pads=[1, 1, 1, 1]))

    conv(0, "s", "a")
    conv(1, "a", "a1")
    nodes.append(make("Add", ["a1", "a"], ["a2"]))
    conv(2, "a2", "a3")
    nodes.append(make("Add", ["s", "a3"], ["t"]))
    conv(3, "t", "n1")
    nodes.append(make("BatchNormalization", ["n1", "gain", "shift", "mean", "var"], ["n2"]))
    nodes += [make("Relu", ["n2"], ["n3"]), make("Add", ["n3", "t"], ["u"])]
    conv(4, "u", "g1")
    nodes += [
        make("Mul", ["g1", "scale"], ["g2"]),
        make("Sub", ["u", "g2"], ["y"]),
        make("Relu", ["y"], ["o"]),
    ]
    value = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        nodes,
        "network",
        [value("x", 1, [2, 3, 6, 6])],
        [value("o", 1, [2, 8, 6, 6])],
        [onnx.numpy_helper.from_array(v.astype(np.float32), name) for name, v in values.items()],
    )
    opset = [onnx.helper.make_opsetid("", 17)]
    onnx.save(onnx.helper.make_model(graph, opset_imports=opset, ir_version=8), str(path))


def outputs(proto, name: str) -> np.ndarray:
    feed = {"x": np.random.default_rng(7).standard_normal((2, 3, 6, 6)).astype(np.float32)}
    session = runtime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run([name], feed)[0]


def masked(path: Path, graph: Graph, branch: Branch):
    proto = onnx.load(str(path))
    names = {graph.nodes[variable].name for variable in branch.masked}
    for tensor in proto.graph.initializer:
        if tensor.name in names:
            zeros = np.zeros_like(onnx.numpy_helper.to_array(tensor))
            tensor.CopyFrom(onnx.numpy_helper.from_array(zeros, tensor.name))
    return proto


def without(path: Path, graph: Graph, branch: Branch):
    """The model whose nodes read what is passed on, without the branch."""
    proto = onnx.load(str(path))
    # The reader of such files calls each node of this network by the tensor that it makes.
    gone = {graph.nodes[n].name for n in (*branch.nodes, branch.node)}
    gone_parameters = {graph.nodes[n].name for n in branch.parameters}
    old, new = graph.nodes[branch.output.node].name, graph.nodes[branch.passed.node].name
    left = [node for node in proto.graph.node if node.output[0] not in gone]
    assert len(left) == len(proto.graph.node) - len(gone)
    for node in left:
        node.input[:] = [new if name == old else name for name in node.input]
        assert not gone_parameters.intersection(node.input)
    initializers = [t for t in proto.graph.initializer if t.name not in gone_parameters]
    del proto.graph.node[:], proto.graph.initializer[:]
    proto.graph.node.extend(left)
    proto.graph.initializer.extend(initializers)
    return proto


def test_each_branch_alone(tmp_path: Path) -> None:
    path = tmp_path / "network.onnx"
    network(path)
    model = front_end(path).read(path, None, {})
    graph = model.graph
    analysis = analyse(model, load(["onnx"]))
    free = [branch for branch in find_branches(analysis) if not branch.kept]
    assert [graph.nodes[branch.operand.node].name for branch in free] == ["a1", "a3", "n3", "g2"]
    whole = outputs(onnx.load(str(path)), "o")
    for branch in free:
        expected = outputs(masked(path, graph, branch), "o")
        assert relative_error(whole, expected) > 1e-2
        assert relative_error(expected, outputs(without(path, graph, branch), "o")) < 1e-6
