"""The classifiers of MXNet's model zoo, pruned by half with random parameters."""

from __future__ import annotations

from math import prod
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("mxnet", reason="needs MXNet")

import networks
from networks.zoo import SMALLEST

from exactness.pruning import RULES, at_ratio, prune, zoo_network
from prunec.analysis.analyse import analyse
from prunec.frontends.mxnet.model import MXNetModel
from prunec.frontends.mxnet.sessions import infer_shapes
from prunec.frontends.mxnet.symbol import read_symbol, to_graph
from prunec.graph import Tensor
from prunec.lowering.infer import lower_graph
from prunec.rewriting.emit import emit

#: The share of parameters that may be left at the size the network was made for.
LEFT = {
    "resnet18_v1": 0.262,
    "resnet18_v2": 0.262,
    "mobilenet1.0": 0.316,
    "mobilenetv2_1.0": 0.350,
    "densenet121": 0.287,
    "inceptionv3": 0.272,
    "vgg16_bn": 0.257,
    "alexnet": 0.267,
    "squeezenet1.1": 0.355,
}
ZOO = pytest.mark.parametrize("name", SMALLEST)


@ZOO
def test_half_of_every_group(name):
    trial = prune(zoo_network(name), at_ratio(0.5), strict=True)
    trial.assert_proved()
    assert trial.analysis.warnings == ()
    # The narrowest network has the most of its parameters in its classes.
    assert trial.left < 0.47


@pytest.mark.parametrize("name", LEFT)
def test_parameters_left_at_full_size(name):
    """Without parameters, from the input's shape alone, by position instead of at random."""
    symbol, inputs = networks.zoo(name, 299 if name == "inceptionv3" else 224)
    file = read_symbol(symbol.tojson().encode(), f"{name}-symbol.json")
    model = MXNetModel(Path(file.name), file, to_graph(file, None, inputs), None, inputs)
    analysis = analyse(model, RULES)
    pruned = emit(analysis, at_ratio(0.5)(analysis, np.random.default_rng(0)))
    new = {piece.name: piece.new_shape for piece in pruned.slices}
    old = {
        node.name: analysis.lowered.shapes[Tensor(index, 0)]
        for index, node in enumerate(analysis.lowered.graph.nodes)
        if node.operator is None and node.name not in inputs
    }
    left = sum(prod(new.get(parameter, shape)) for parameter, shape in old.items())
    assert left / sum(prod(shape) for shape in old.values()) <= LEFT[name] + 0.01


@ZOO
def test_shapes_are_those_of_mxnet(name):
    """Every value of the graph, parameters included, from the input's shape alone."""
    symbol, inputs = networks.zoo(name)
    file = read_symbol(symbol.tojson().encode(), f"{name}-symbol.json")
    found = lower_graph(to_graph(file, None, inputs), RULES).shapes
    expected = infer_shapes(file.data, inputs)
    seen = {tensor: shape for tensor, shape in found.items() if tensor in expected}
    assert len(file.nodes) <= len(seen)
    assert {t: (s, expected[t]) for t, s in seen.items() if s != expected[t]} == {}
