"""Sizes that a model leaves open are those of the examples, where --input does not say otherwise."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("onnx", reason="needs onnx")
pytest.importorskip("onnxruntime", reason="needs ONNX Runtime")

from frontends.onnx.network import Net

from cli.tools import run

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _network(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    net = Net()
    x = net.input("x", "n", 3, "height", "width")
    a = net.op("Relu", net.op("Conv", x, net.weight("w", 8, 3, 3, 3)))
    b = net.op("Conv", a, net.weight("v", 8, 8, 3, 3))
    p = net.op("Flatten", net.op("GlobalAveragePool", b))
    net.output(net.op("MatMul", p, net.weight("u", 8, 5)), rank=2)
    (tmp_path / "net.onnx").write_bytes(net.proto().SerializeToString())


def test_targets_take_sizes_from_examples(capsys, tmp_path):
    np.savez(tmp_path / "d.npz", anything=np.ones((4, 3, 12, 16), np.float32))
    command = ("compile", "net.onnx", "--target", "macs=0.5", "--data", "d.npz", "--no-restore")
    code, out, err = run(capsys, *command, "--out", "a")
    assert code == 0 and "P525" not in err
    given = ("--criterion", "l1", "--input", "x=1,3,12,16")
    run(capsys, "compile", "net.onnx", "--target", "macs=0.5", *given, "--out", "b")
    assert (tmp_path / "a/net.onnx").read_bytes() == (tmp_path / "b/net.onnx").read_bytes()


def test_without_examples_the_sizes_are_asked_for(capsys):
    code, _, err = run(capsys, "compile", "net.onnx", "--target", "macs=0.5", "--out", "a")
    assert code == 1
    assert "P525" in err and "x=1,3,HEIGHT,WIDTH" in err


def test_sizes_given_count_more_than_those_of_examples(capsys, tmp_path):
    np.savez(tmp_path / "d.npz", x=np.ones((4, 3, 12, 16), np.float32))
    command = ("compile", "net.onnx", "--target", "macs=0.5", "--data", "d.npz", "--no-restore")
    code, _, err = run(capsys, *command, "--input", "x=1,3,20,20", "--out", "a")
    assert code == 1
    assert "P532" in err


def test_examples_that_do_not_fit_are_named_as_such(capsys, tmp_path):
    np.savez(tmp_path / "d.npz", x=np.ones((4, 1, 12, 16), np.float32))
    code, _, err = run(capsys, "compile", "net.onnx", "--data", "d.npz", "--out", "a")
    assert code == 1
    assert "P532" in err and "(4, 1, 12, 16)" in err
