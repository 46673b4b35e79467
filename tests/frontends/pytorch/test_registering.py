"""Operators of libraries: known to PyTorch once a file that the user names imports them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="PyTorch runs the operators")

LIBRARY = """
import torch

@torch.library.custom_op("prunec_test::double", mutates_args=())
def double(x: torch.Tensor) -> torch.Tensor:
    return 2 * x

@double.register_fake
def _(x):
    return torch.empty_like(x)
"""
EXPORT = """
import my_ops
import torch

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.last = torch.nn.Linear(6, 8), torch.nn.Linear(8, 3)

    def forward(self, x):
        return self.last(torch.ops.prunec_test.double(self.first(x)))

program = torch.export.export(Net().eval(), (torch.randn(2, 6),), strict=False)
torch.export.save(program, "net.pt2")
"""
RULE = """
## Each element twice.
op prunec_test::double { x[*x] -> y[*x]  zero y if x }
"""


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *command], cwd=folder, capture_output=True, text=True)


def test_operators_of_a_library_are_run_where_it_is_named(tmp_path: Path) -> None:
    for name, text in (("my_ops.py", LIBRARY), ("export.py", EXPORT), ("my_ops.prune", RULE)):
        (tmp_path / name).write_text(text)
    exported = run(tmp_path, "export.py")
    assert exported.returncode == 0, exported.stderr
    command = ["-m", "prunec", "compile", "net.pt2", "--rules", "aten.prune", "--rules", "my_ops.prune"]
    command += ["--ratio", "0.5", "--no-restore", "--verify"]
    unknown = run(tmp_path, *command, "--out", "a")
    assert unknown.returncode != 0 and "--register" in unknown.stderr
    known = run(tmp_path, *command, "--out", "b", "--register", "my_ops.py")
    assert known.returncode == 0, known.stderr
    assert "proved" in known.stdout and "8 -> 4" in known.stdout
