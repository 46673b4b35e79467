"""The Python interface reads ONNX models as it reads MXNet's."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("onnx", reason="needs onnx")

import onnx

import prunec
from frontends.onnx.network import Net


def write(folder: Path) -> Path:
    net = Net()
    x = net.op("Relu", net.conv(net.input("x", 1, 3, 8, 8), "c1", 3, 8))
    net.head(net.conv(x, "c2", 8, 6), 6)
    path = folder / "net.onnx"
    onnx.save(net.proto(), str(path))
    return path


def test_an_onnx_model_from_reading_to_emitting(tmp_path: Path) -> None:
    model = prunec.read_model(write(tmp_path))
    analysis = prunec.analyse(model, prunec.load_rules(["onnx"]))
    plan = prunec.make_plan(analysis, ratio=0.5)
    pruned = prunec.emit(analysis, plan.removed)
    smaller = onnx.load_from_string(pruned.model)
    shapes = {tensor.name: tuple(tensor.dims) for tensor in smaller.graph.initializer}
    assert (shapes["c1_w"], shapes["c2_w"], shapes["fc_w"]) == ((4, 3, 3, 3), (3, 4, 3, 3), (5, 3))
    cut = next(own for own in pruned.slices if own.name == "c1_w")
    assert prunec.sliced(cut, model.parameter("c1_w")).shape == (4, 3, 3, 3)


def test_parameters_beside_an_onnx_model_are_refused(tmp_path: Path) -> None:
    with pytest.raises(prunec.PrunecError) as caught:
        prunec.read_model(write(tmp_path), tmp_path / "net.params")
    shown = prunec.render(caught.value.diagnostics[0])
    assert shown.startswith("error[P338]: an ONNX file holds its parameters itself\n")
    assert "help: leave out the parameters" in shown
