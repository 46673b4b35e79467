"""The memory that restoring takes, whatever the number of examples."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx", reason="needs onnx")
pytest.importorskip("onnxruntime", reason="needs ONNX Runtime")

from frontends.onnx.network import Net

from cli.tools import ROOT

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not Path("/proc/self/status").exists(), reason="needs /proc for the peak of a process"
    ),
]

_MAIN = """
import sys
from prunec.cli.main import main
status = main(sys.argv[1:])
print(*(line for line in open("/proc/self/status") if "VmHWM" in line))
sys.exit(status)
"""


def _peak(*arguments: str) -> float:
    """The largest resident size of a process, in megabytes."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", _MAIN, *arguments, "--force", "--quiet"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    return int(done.stdout.split()[-2]) / 1024


def test_memory_does_not_grow_with_the_examples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    net = Net()
    a, channels = net.input("x", "n", 3, 64, 64), 3
    for number in range(4):
        a, channels = net.op("Relu", net.conv(a, f"conv{number}", channels, 64)), 64
    net.head(a, channels)
    Path("net.onnx").write_bytes(net.proto().SerializeToString())
    plain = _peak("compile", "net.onnx", "--no-restore", "--out", "cut")
    peaks = {}
    for count in (48, 256):
        examples = np.random.default_rng(0).random((count, 3, 64, 64), dtype=np.float32)
        np.savez("x.npz", x=examples)
        # The examples themselves are held.
        own = examples.nbytes / (1 << 20)
        for criterion in ("obs", "reconstruction"):
            peak = _peak("compile", "net.onnx", "--criterion", criterion, "--data", "x.npz", "--out", "small")
            peaks[criterion, count] = peak - own
    assert max(peaks.values()) < plain + 500
    for criterion in ("obs", "reconstruction"):
        assert peaks[criterion, 256] < peaks[criterion, 48] + 120
