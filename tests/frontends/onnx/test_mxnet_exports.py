"""Networks of MXNet's zoo, as symbol files and exported to ONNX: the same channels belong together."""

from __future__ import annotations

import sys
import types
from pathlib import Path

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="needs onnx")
mx = pytest.importorskip("mxnet", reason="needs MXNet")

import networks  # noqa: E402

from frontends.onnx.network import RULES  # noqa: E402
from prunec.analysis.analyse import analyse  # noqa: E402
from prunec.frontends.mxnet.model import MXNetModel  # noqa: E402
from prunec.frontends.mxnet.symbol import read_symbol, to_graph  # noqa: E402
from prunec.frontends.onnx.model import model_of  # noqa: E402
from prunec.language.library import load  # noqa: E402

NAMES = [
    "resnet18_v1",
    "resnet18_v2",
    "resnet50_v1",
    "resnet50_v2",
    "mobilenet0.25",
    "mobilenetv2_0.25",
    "densenet121",
    "squeezenet1.0",
    "squeezenet1.1",
    "vgg11",
    "vgg11_bn",
    "alexnet",
    "inceptionv3",
]
#: Patterns whose export is not the same network, or no network at all, with the reason.
UNLIKE = {
    "dense_on_picture": "the exporter flattens all axes but the last",
    "embedding_flattened": "the exporter flattens all axes but the last",
    "embedding_tied": "the exporter writes a bias without axes",
    "prelu": "the exporter writes slopes along the last axis",
    "flip": "the exporter writes a slice with a step of -1, whose axis is kept",
    "flip_residual": "the exporter writes a slice with a step of -1, whose axis is kept",
    "slice_with_none": "the exporter writes a slice in steps",
}
#: The version of the operators that MXNet's exporter writes.
OPSET = 13


@pytest.fixture
def exporter(monkeypatch):
    """MXNet's exporter asks onnx for a table that newer versions no longer have, and for a check by the rules
    of the newest operators."""
    monkeypatch.setattr(onnx.checker, "check_graph", lambda *_: None)
    if not hasattr(onnx, "mapping"):
        table = types.ModuleType("onnx.mapping")
        names = ("float32", "float64", "float16", "int32", "int64", "int8", "uint8", "bool")
        table.NP_TYPE_TO_TENSOR_TYPE = {
            np.dtype(name): onnx.helper.np_dtype_to_tensor_dtype(np.dtype(name)) for name in names
        }
        table.TENSOR_TYPE_TO_NP_TYPE = {v: k for k, v in table.NP_TYPE_TO_TENSOR_TYPE.items()}
        monkeypatch.setitem(sys.modules, "onnx.mapping", table)
        monkeypatch.setattr(onnx, "mapping", table, raising=False)

    def export(symbol, parameters, inputs, path: Path) -> bytes:
        arrays = {name: mx.nd.array(value) for name, value in parameters.items()}
        shapes = [tuple(shape) for shape in inputs.values()]
        try:
            mx.onnx.export_model(symbol, arrays, shapes, np.float32, str(path))
        except Exception as error:
            pytest.skip(f"MXNet's exporter does not work with this onnx: {error}")
        model = onnx.load(path)
        model.opset_import[0].version = OPSET
        model.ir_version = 8
        return model.SerializeToString()

    return export


class Parameters:
    """Parameters at hand, as a parameter file would give them."""

    def __init__(self, arrays):
        self.arrays = arrays
        self.shapes = {name: value.shape for name, value in arrays.items()}

    def array(self, name):
        return self.arrays[name]


def units_of(analysis):
    """For each parameter and axis the unit of each position, for axes that are plain lists of channels."""
    found = {}
    for parameter in analysis.parameters:
        layout = parameter.channels.layout
        starts = np.cumsum([0, *map(len, layout.axes)])
        for axis, factors in enumerate(layout.axes):
            places = set(range(starts[axis], starts[axis + 1]))
            arrays = [
                array
                for array, spanned in zip(parameter.channels.arrays, layout.arrays)
                if places & set(spanned)
            ]
            if len(arrays) == 1 and arrays[0].size == np.prod(factors):
                found[parameter.name, axis] = analysis.solution.units(arrays[0]).reshape(-1)
    return found


def both(symbol, inputs, exporter, path):
    """The analyses of the exported model and of the symbol."""
    parameters = networks.random_parameters(symbol, inputs, seed=0)
    exported = analyse(model_of(exporter(symbol, parameters, inputs, path), Path("model.onnx")), RULES)
    file = read_symbol(symbol.tojson().encode(), "model-symbol.json")
    held = Parameters(parameters)
    graph = to_graph(file, set(parameters), inputs, held.shapes)
    model = MXNetModel(Path("model-symbol.json"), file, graph, held, inputs)
    return exported, analyse(model, load(["default.prune"]))


def assert_same_groups(exported, original) -> list[tuple[str, int]]:
    """One renaming of units turns the one grouping into the other; gives the axes that can become shorter."""
    ours, theirs = units_of(exported), units_of(original)
    common = sorted(set(ours) & set(theirs))
    assert common
    assert all(((ours[key] >= 0) == (theirs[key] >= 0)).all() for key in common)
    first = np.concatenate([ours[key] for key in common])
    second = np.concatenate([theirs[key] for key in common])
    pairs = np.unique(np.stack([first, second]), axis=1)
    assert pairs.shape[1] == len(np.unique(first)) == len(np.unique(second))
    return [key for key in common if (theirs[key] >= 0).any()]


@pytest.mark.parametrize("name", NAMES)
def test_groups_are_those_of_the_symbol(name, exporter, tmp_path):
    symbol, inputs = networks.zoo(name)
    exported, original = both(symbol, inputs, exporter, tmp_path / "model.onnx")
    assert exported.warnings == ()
    assert len(assert_same_groups(exported, original)) > 10
    sizes = sorted(len(group.units) for group in original.solution.groups)
    assert sorted(len(group.units) for group in exported.solution.groups) == sizes


@pytest.mark.parametrize("build", networks.BUILDERS, ids=lambda build: build().name)
def test_patterns_have_the_groups_of_the_symbol(build, exporter, tmp_path):
    case = build()
    if case.name in UNLIKE:
        pytest.skip(UNLIKE[case.name])
    exported, original = both(case.symbol, case.inputs, exporter, tmp_path / "model.onnx")
    assert exported.warnings == ()
    assert_same_groups(exported, original)
