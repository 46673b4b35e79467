"""Multiply-adds and parameters against counts from MXNet's own shapes, before and after."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from prunec.analysis.analyse import analyse
from prunec.channels.choices import choices_of, rank, removed_units
from prunec.frontends.mxnet.model import read_model
from prunec.language.library import load
from prunec.planning.costs import CostModel
from prunec.rewriting.emit import emit

mx = pytest.importorskip("mxnet", reason="needs MXNet")

CORPUS = Path(__file__).resolve().parents[3] / "shared" / "corpus" / "zoo"
BUILT = [
    "alexnet",
    "vgg11_bn",
    "resnet18_v1",
    "resnet34_v2",
    "resnet50_v2",
    "mobilenet1.0",
    "mobilenetv2_1.0",
]
STORED = ["densenet121", "shufflenet_v2", "resnext50_32x4d", "inceptionv3"]


def independent_count(symbol, shapes):
    """Multiply-adds and parameters of a symbol, from MXNet's shapes alone."""
    arguments, _, states = symbol.infer_shape(**shapes)
    sizes = dict(zip(symbol.list_arguments(), arguments))
    parameters = sum(int(np.prod(shape)) for name, shape in sizes.items() if name not in shapes)
    parameters += sum(int(np.prod(shape)) for shape in states)
    internals = symbol.get_internals()
    outputs = dict(zip(internals.list_outputs(), internals.infer_shape(**shapes)[1]))
    total = 0
    nodes = json.loads(symbol.tojson())["nodes"]
    for node in nodes:
        if node["op"] in ("Convolution", "FullyConnected"):
            out = outputs[f"{node['name']}_output"]
            weight = sizes[nodes[node["inputs"][1][0]]["name"]]
            total += int(np.prod(out)) * int(np.prod(weight[1:]))
    return total, parameters


def symbol_and_shapes(name):
    if name in BUILT:
        from networks import zoo

        return zoo(name, 224 if name == "alexnet" else None)
    path = CORPUS / f"{name}-symbol.json"
    if not path.is_file():
        pytest.skip("needs the corpus beside the checkout")
    side = 299 if name == "inceptionv3" else 224
    return mx.sym.load(str(path)), {"data": (1, 3, side, side)}


@pytest.mark.parametrize("name", BUILT + STORED)
def test_costs_equal_mxnets_shapes(name, tmp_path):
    symbol, shapes = symbol_and_shapes(name)
    path = tmp_path / "net-symbol.json"
    path.write_text(symbol.tojson())
    analysis = analyse(read_model(path, input_shapes=shapes), load(["default.prune"]))
    choices = choices_of(analysis.solution)
    costs = CostModel(analysis, choices)
    none = costs.none()
    assert (costs.multiply_adds(none), costs.parameters(none)) == independent_count(symbol, shapes)

    generator = np.random.default_rng(1)
    scores = generator.random(analysis.solution.unit_count)
    steps = np.array([generator.integers(0, choice.size) for choice in choices], dtype=np.int64)
    rankings = [rank(choice, scores) for choice in choices]
    removed = removed_units(analysis.solution.unit_count, rankings, steps)
    assert costs.channels(none) - costs.channels(steps) == removed.sum()
    small = mx.sym.load_json(emit(analysis, removed).model.decode())
    assert (costs.multiply_adds(steps), costs.parameters(steps)) == independent_count(small, shapes)
    assert costs.parameters(steps) < costs.parameters(none)
