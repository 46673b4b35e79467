"""Programs that memory does not hold."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="exports a program")
resource = pytest.importorskip("resource", reason="limits the memory of a process")

_WIDTH, _LAYERS = 2048, 16
#: In megabytes: what prunec takes for a small program, and twice the largest array.  All arrays have 268.
_MEMORY = 120


def test_a_program_larger_than_memory(tmp_path: Path) -> None:
    layers = [torch.nn.Linear(_WIDTH, _WIDTH) for _ in range(_LAYERS)]
    net = torch.nn.Sequential(*(part for layer in layers for part in (layer, torch.nn.ReLU()))).eval()
    torch.export.save(torch.export.export(net, (torch.zeros(2, _WIDTH),)), tmp_path / "net.pt2")
    limit = f"import resource; resource.setrlimit(resource.RLIMIT_DATA, ({_MEMORY << 20}, {_MEMORY << 20}))"
    command = [sys.executable, "-c", f"{limit}; from prunec.cli.main import main; raise SystemExit(main())"]
    options = ["compile", "net.pt2", "--ratio", "0.5", "--no-restore", "--quiet", "--out", "out"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(
        [*command, *options], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300
    )
    assert (done.returncode, done.stderr) == (0, "")
    before, after = ((tmp_path / name).stat().st_size for name in ("net.pt2", "out/net.pt2"))
    assert before > 2 * (_MEMORY << 20)
    assert after < 0.3 * before
