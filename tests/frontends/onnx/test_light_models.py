"""The networks that come with the onnx package, their weights made random."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="needs onnx")
pytest.importorskip("onnxruntime", reason="needs ONNX Runtime")

from frontends.onnx.network import prune  # noqa: E402

FOLDER = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"
MODELS = sorted(path.stem for path in FOLDER.glob("light_*.onnx"))

#: Parameters left at ratio 0.5 where nothing approximate is removed.
LEFT = {
    "light_bvlc_alexnet": 0.33,
    "light_densenet121": 0.33,
    "light_inception_v1": 0.36,
    "light_inception_v2": 0.30,
    "light_resnet50": 0.30,
    "light_shufflenet": 0.45,
    "light_squeezenet": 0.36,
    "light_vgg19": 0.28,
    "light_zfnet512": 0.30,
}


def randomised(path: Path):
    """The model with random parameters: the files hold nodes that make constants, to be small."""
    model = onnx.load(path)
    graph = model.graph
    shapes = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
    scales = {node.input[k] for node in graph.node if node.op_type == "BatchNormalization" for k in (1, 4)}
    scales |= {node.input[0] for node in graph.node if node.op_type == "Unsqueeze"}
    random = np.random.default_rng(0)
    nodes, made = [], []
    for node in graph.node:
        if node.op_type != "ConstantOfShape":
            nodes.append(node)
            continue
        shape = tuple(shapes[node.input[0]])
        values = random.standard_normal(shape) * np.sqrt(2 / max(2, np.prod(shape[1:])))
        if node.output[0] in scales:
            values = np.abs(values) + 0.5
        elif len(shape) == 1:
            values *= 0.1  # small, so that the input still tells in the output
        made.append(onnx.numpy_helper.from_array(values.astype(np.float32), node.output[0]))
    copies = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del graph.node[:]
    graph.node.extend(copies)
    graph.initializer.extend(made)
    model.ir_version = 8
    if graph.node[-1].op_type == "Softmax":
        # Random weights make the largest class certain: what enters the softmax says more.
        open_shape = [None] * len(graph.output[0].type.tensor_type.shape.dim)
        del graph.output[:]
        graph.output.append(onnx.helper.make_tensor_value_info(graph.node[-1].input[0], 1, open_shape))
    return model


def test_all_models_are_there():
    assert set(MODELS) == set(LEFT)


@pytest.mark.parametrize("name", MODELS)
def test_light_model_is_exact(name):
    result = prune(randomised(FOLDER / f"{name}.onnx"), strict=True)
    assert result.error < 1e-4
    assert result.proved
    assert result.left < LEFT[name], result.left
    assert result.warnings == []


def test_constants_made_by_nodes_become_smaller():
    """As the file is: the sizes of its parameters stand in constants that nodes take.  No mask makes weights
    zero that nodes fill with one number, so their channels do not go exactly."""
    result = prune(onnx.load(FOLDER / "light_squeezenet.onnx"))
    assert result.error < 1e-4
    before = {t.name: onnx.numpy_helper.to_array(t) for t in result.model.file.proto.graph.initializer}
    after = {
        t.name: onnx.numpy_helper.to_array(t)
        for t in onnx.load_from_string(result.pruned.model).graph.initializer
    }
    assert before.keys() == after.keys()
    assert (before["conv1_w_0__SHAPE"] == [64, 3, 3, 3]).all()
    assert (after["conv1_w_0__SHAPE"] == [32, 3, 3, 3]).all()
