"""The compiler knows no operator by name, and its core no framework."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from prunec.language.parser import parse, read_source

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "prunec"
#: A word that is an operator's name as well.
WORDS = {"Shape"}
#: Sizes of exported programs are written in functions of sympy, some of which are called as operators are.
EXPRESSIONS = PACKAGE / "frontends" / "pytorch" / "symbols.py"


def operator_names():
    names = set()
    for file in sorted((ROOT / "rules").glob("*.prune")):
        for rule in parse(read_source(file)).rules:
            names |= {operator.name for operator in rule.operators}
    return names


def string_constants(path):
    """The strings of a module, docstrings left out, with their lines."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    documentation = set()
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                documentation.add(id(first.value))
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation:
            yield node.lineno, node.value


def test_operator_names_stand_in_rules_only():
    """Names in small letters are left out: `where` and `reshape` are English, or numpy's, as well."""
    names = {name for name in operator_names() if name != name.lower() or "_" in name} - WORDS
    assert len(names) > 200
    found = [
        f"{path.relative_to(ROOT)}:{line}: {text}"
        for path in sorted(PACKAGE.rglob("*.py"))
        if path != EXPRESSIONS
        for line, text in string_constants(path)
        if text in names
    ]
    assert found == []


CORE = [
    "prunec.analysis.analyse",
    "prunec.language.library",
    "prunec.lowering.infer",
    "prunec.channels.solve",
    "prunec.channels.removal",
    "prunec.planning.choose",
    "prunec.rewriting.shrink",
    "prunec.rewriting.slicing_script",
]


@pytest.mark.parametrize(
    "module", [*CORE, "prunec.frontends.mxnet.model", "prunec.frontends.pytorch.model", "prunec.cli.main"]
)
def test_frameworks_are_not_imported(module):
    """Not even by the front ends, which read files; a framework is imported where it is run."""
    heavy = ("mxnet", "onnx", "onnxruntime", "torch")
    code = f"import sys, {module}; print([m for m in {heavy} if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert (run.returncode, run.stdout.strip()) == (0, "[]"), run.stderr


@pytest.mark.parametrize("module", CORE)
def test_the_core_knows_no_front_end(module):
    code = (
        f"import sys, {module}\n"
        "kinds = tuple(f'prunec.frontends.{kind}' for kind in ('mxnet', 'onnx'))\n"
        "print([m for m in sys.modules if m.startswith(kinds)])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert (run.returncode, run.stdout.strip()) == (0, "[]"), run.stderr
