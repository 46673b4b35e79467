"""Models for tests of planning: small ones written down, networks of the corpus with random parameters."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, Mapping

import numpy as np
import pytest
from cli.tools import node, write_arrays

from prunec.analysis.analyse import Analysis, analyse
from prunec.frontends.mxnet.model import read_model
from prunec.language.library import load

CORPUS = Path(__file__).resolve().parents[3] / "shared" / "corpus" / "zoo"
RULES = load(["default.prune"])


class Random:
    """A parameter file that was never written: random arrays by name."""

    def __init__(self, shapes: Mapping[str, tuple[int, ...]], seed: int) -> None:
        generator = np.random.default_rng(seed)
        self.arrays = {
            name: generator.standard_normal(shape, dtype=np.float32) / max(1, np.prod(shape[1:])) ** 0.5
            for name, shape in shapes.items()
        }
        self.shapes = dict(shapes)
        self.byte_count = None

    def array(self, name: str) -> np.ndarray:
        return self.arrays[name]


def corpus_model(name: str, seed: int = 0) -> Any:
    """A network of the corpus at 224 pixels, with random parameters."""
    path = CORPUS / f"{name}-symbol.json"
    if not path.is_file():
        pytest.skip("needs the corpus beside the checkout")
    bare = read_model(path, input_shapes={"data": (1, 3, 224, 224)})
    analysis = analyse(bare, RULES)
    shapes = {p.name: tuple(size or 1 for size in p.shape) for p in analysis.parameters}
    graph = analysis.model.graph
    for index in graph.parameters:
        shape = analysis.lowered.shapes.get((index, 0))
        if shape is not None and None not in shape:
            shapes.setdefault(graph.nodes[index].name, shape)
    return replace(bare, parameters=Random(shapes, seed))


#: The parameters of :func:`normalised_network`.
SHAPES = {
    "conv1_weight": (8, 3, 3, 3),
    "bn_gamma": (8,),
    "bn_beta": (8,),
    "bn_moving_mean": (8,),
    "bn_moving_var": (8,),
    "conv2_weight": (6, 8, 3, 3),
    "conv2_bias": (6,),
    "fc_weight": (4, 6),
    "fc_bias": (4,),
}


def normalised_network() -> dict[str, Any]:
    """A convolution, its batch normalisation and rectifier, a second convolution, a dense layer."""
    kernel = {"kernel": (3, 3), "pad": (1, 1)}
    nodes = [
        node("null", "data", []),
        node("null", "conv1_weight", []),
        node("Convolution", "conv1", [[0, 0], [1, 0]], num_filter=8, no_bias=True, **kernel),
        *(node("null", f"bn_{part}", []) for part in ("gamma", "beta", "moving_mean", "moving_var")),
        node("BatchNorm", "bn", [[2, 0], [3, 0], [4, 0], [5, 0], [6, 0]], fix_gamma=False),
        node("Activation", "relu", [[7, 0]], act_type="relu"),
        node("null", "conv2_weight", []),
        node("null", "conv2_bias", []),
        node("Convolution", "conv2", [[8, 0], [9, 0], [10, 0]], num_filter=6, **kernel),
        node("Pooling", "pool", [[11, 0]], global_pool=True, pool_type="avg", kernel=(1, 1)),
        node("null", "fc_weight", []),
        node("null", "fc_bias", []),
        node("FullyConnected", "fc", [[12, 0], [13, 0], [14, 0]], num_hidden=4),
    ]
    variables = [index for index, entry in enumerate(nodes) if entry["op"] == "null"]
    version = {"mxnet_version": ["int", 10901]}
    return {"nodes": nodes, "arg_nodes": variables, "heads": [[15, 0, 0]], "attrs": version}


def parameters(seed: int = 0) -> dict[str, np.ndarray]:
    """Random parameters for :func:`normalised_network`; variances are positive."""
    generator = np.random.default_rng(seed)
    values = {name: generator.standard_normal(shape).astype(np.float32) for name, shape in SHAPES.items()}
    values["bn_moving_var"] = np.abs(values["bn_moving_var"]) + 0.5
    return values


def write_model(folder: Path, values: Mapping[str, np.ndarray]) -> Path:
    """Writes :func:`normalised_network` and its parameters."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "net-symbol.json"
    path.write_text(json.dumps(normalised_network()))
    write_arrays(folder / "net-0000.params", dict(values))
    return path


def small_analysis(folder: Path, values: Mapping[str, np.ndarray], side: int = 8) -> Analysis:
    """The analysis of :func:`normalised_network` on disk."""
    path = write_model(folder, values)
    return analyse(read_model(path, input_shapes={"data": (1, 3, side, side)}), RULES)


def scores_of(analysis: Analysis, scores: np.ndarray, parameter: str) -> np.ndarray:
    """The scores of the channels along the first axis of a parameter."""
    found = next(p for p in analysis.parameters if p.name == parameter)
    return scores[analysis.solution.units(found.channels.arrays[0])]
