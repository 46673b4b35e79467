"""What PyTorch's two exporters write of networks with open sizes, compiled without ``--input``."""

from __future__ import annotations

import contextlib
import io
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs PyTorch: make test-exports")
onnx = pytest.importorskip("onnx", reason="needs onnx")
onnxruntime = pytest.importorskip("onnxruntime", reason="needs ONNX Runtime")
pytest.importorskip("onnxscript", reason="needs onnxscript, with which PyTorch exports")

from masked import masked_model  # noqa: E402

import prunec  # noqa: E402
from exports.architectures import CASES, SIZES, export  # noqa: E402

TOLERANCE = 1e-4
RATIO = 0.5


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


def exported(name: str, exporter: str, folder: Path) -> Path:
    path = folder / f"{name}.onnx"
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        export(CASES[name], exporter, str(path))
    return path


def session(data: bytes):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 4
    return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])


@pytest.mark.parametrize("exporter", ["torchscript", "dynamo"])
@pytest.mark.parametrize("name", CASES)
def test_what_is_written_loads_and_runs_at_every_size(name, exporter, tmp_path):
    path, out = exported(name, exporter, tmp_path), tmp_path / "out"
    onnx.checker.check_model(str(path), full_check=True)
    command = [sys.executable, "-m", "prunec", "compile", str(path), "--strict", "--out", str(out), "--quiet"]
    done = subprocess.run([*command, "--ratio", str(RATIO)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    written = (out / path.name).read_bytes()
    onnx.checker.check_model(written, full_check=True)
    model = prunec.read_model(path)
    analysis = prunec.analyse(model, prunec.load_rules(["onnx"]), strict=True)
    pruned = prunec.emit(analysis, prunec.make_plan(analysis, ratio=RATIO).removed)
    assert pruned.model == written
    assert left(written) <= CASES[name].most * left(path.read_bytes())
    masked, smaller = session(masked_model(model, pruned.slices)), session(written)
    for sizes in SIZES:
        x = CASES[name].input(sizes, seed=1).numpy()
        (expected,), (actual,) = masked.run(None, {"x": x}), smaller.run(None, {"x": x})
        assert expected.shape == actual.shape
        assert np.abs(expected).max() > 1e-3
        assert np.abs(expected - actual).max() <= TOLERANCE * np.abs(expected).max()


def left(data: bytes) -> int:
    """The elements of all parameters of floating point."""
    tensors = onnx.load_from_string(data).graph.initializer
    return sum(int(np.prod(t.dims)) for t in tensors if t.data_type == onnx.TensorProto.FLOAT)
