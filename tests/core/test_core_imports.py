"""The core knows no framework: reading, analysing, planning and emitting import neither MXNet nor ONNX."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CORE = ("language", "lowering", "channels", "scoring", "planning", "rewriting", "explaining", "reporting")

_IMPORT_ALL = """
import importlib, pkgutil, sys
import prunec
for package in {packages!r}:
    module = importlib.import_module("prunec." + package)
    for found in pkgutil.walk_packages(module.__path__, module.__name__ + "."):
        importlib.import_module(found.name)
import prunec.analysis.analyse, prunec.rewriting.emit
bad = [name for name in sys.modules if name.split(".")[0] in ("onnx", "mxnet", "onnxruntime")]
print(bad)
"""


def run(code: str) -> str:
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


def test_core_imports_no_framework():
    packages = [name for name in CORE if (ROOT / "prunec" / name / "__init__.py").is_file()]
    assert set(packages) == set(CORE)
    assert run(_IMPORT_ALL.format(packages=packages)) == "[]"


def test_front_ends_import_their_framework_only_when_it_is_used():
    code = _IMPORT_ALL.format(packages=["frontends"])
    assert run(code) == "[]"


@pytest.mark.parametrize("names", ["onnx", "default"])
def test_no_operator_is_named_in_python(names):
    """Operators with names that are no words of English must stand nowhere in the package."""
    from prunec.language.library import load

    operators = {name for name in load([f"{names}.prune"]).operators() if _telling(name)}
    assert len(operators) > 50
    text = {path: path.read_text("utf-8") for path in (ROOT / "prunec").rglob("*.py")}
    pattern = re.compile(r"(?<![\w.])(" + "|".join(map(re.escape, sorted(operators))) + r")(?![\w])")
    for path, content in text.items():
        code = re.sub(r'"""(?:.|\n)*?"""|#[^\n]*', "", content)
        assert not pattern.findall(code), path


def _telling(name: str) -> bool:
    """Two words written as one, or a name with underscores: nothing that Python code says by itself."""
    return len(re.findall(r"[A-Z][a-z]+", name)) >= 2 or name.count("_") >= 2
