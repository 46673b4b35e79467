"""Networks with operators written in Python: only --register runs the file that registers them."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("mxnet", reason="needs MXNet")

from prunec.cli.main import main

pytestmark = pytest.mark.slow

EXAMPLE = Path(__file__).parents[2] / "examples" / "custom_op"
COMMON = ("--input", "data=2,3,16,16", "--rules", "default", "--rules", "channel_ops.prune")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The example with its network, as the current folder."""
    for path in EXAMPLE.iterdir():
        if path.is_file():
            shutil.copy(path, tmp_path)
    # The operators must not be registered in this process yet.
    subprocess.run([sys.executable, "network.py", "."], cwd=tmp_path, check=True, capture_output=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_example_is_compiled_and_verified(folder: Path) -> None:
    root = Path(__file__).parents[2]

    def run(*arguments: str) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "-m", "prunec", *arguments],
            cwd=folder,
            env={"PYTHONPATH": str(root), "PATH": ""},
            capture_output=True,
            text=True,
        )
        return done.returncode, done.stdout + done.stderr

    compiled = ("compile", "gated-symbol.json", *COMMON, "--out", "smaller")
    code, said = run(*compiled, "--verify")
    assert code == 4
    assert "the operator channel_gate is written in Python, and nothing has registered it" in said
    assert "help: give the Python file that registers it, --register my_ops.py" in said
    code, said = run(*compiled, "--force", "--verify", "--register", "channel_ops.py")
    assert code == 0 and "proved: " in said and re.search(r"^conv2 +32 -> 16", said, re.MULTILINE)
    smaller = ("smaller/gated-symbol.json", "--pruned-params", "smaller/gated-0000.params")
    original = ("gated-symbol.json", "--params", "gated-0000.params")
    verify = ("verify", *original[:1], *smaller, *original[1:], *COMMON)
    code, said = run(*verify, "--register", "channel_ops.py")
    assert code == 0 and "proved: " in said


def test_no_other_file_is_executed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "channel_ops.py").write_text("raise SystemExit('executed')\n")
    compiled = ["compile", "gated-symbol.json", *COMMON, "--out", "smaller", "--quiet"]
    assert main(compiled) == 0
    assert "executed" not in capsys.readouterr().err
    assert main([*compiled, "--force", "--register", "channel_ops.py"]) == 1
    said = capsys.readouterr().err
    assert "error[P713]: cannot run channel_ops.py\n  note: SystemExit: executed\n" in said


def test_a_missing_file_is_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compile", "gated-symbol.json", *COMMON, "--register", "nowhere.py"]) == 1
    said = capsys.readouterr().err
    assert "error[P713]: cannot run nowhere.py\n  note: FileNotFoundError: there is no such file\n" in said
    assert "help: --register takes a Python file that registers its operators" in said


def test_onnx_runtime_has_none(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compile", "net.onnx", "--register", "my_ops.py"]) == 2
    assert "argument --register: ONNX Runtime has no operators written in Python" in capsys.readouterr().err
