"""What prunec imports and what its scripts hold is one text, which needs nothing of prunec."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Iterator

import pytest
from rewriting.slice_examples import example

import prunec.embedded
from prunec.embedded.onnx_edits import MessageEdits
from prunec.embedded.onnx_preparing import Preparation
from prunec.embedded.pt2_edits import ProgramEdits
from prunec.frontends.onnx.script import tables as onnx_tables
from prunec.frontends.pytorch.script import tables as pt2_tables
from prunec.rewriting.slicing_script import Rows, embedded, render, render_script

ROOM = Path(prunec.embedded.__file__).parent
MODULES = sorted(path.stem for path in ROOM.glob("*.py") if path.stem != "__init__")
#: Besides the standard library.
ALLOWED = {"numpy", "onnx", "torch"}
#: Python 3.9 has no list of them.
STANDARD = getattr(sys, "stdlib_module_names", None)


def imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0 and node.module
            yield node.module


def scripts() -> dict[str, tuple[str, list[str]]]:
    """Scripts with the modules they hold, in order."""
    slices = example()[0]
    mxnet = render_script(slices, "net-symbol.json", "ab" * 32)
    onnx = render(
        "slice_onnx.py.txt",
        slices,
        {},
        **onnx_tables(MessageEdits(), Preparation()),
        model="net.onnx",
        digest="ab",
    )
    pt2 = render(
        "slice_pt2.py.txt",
        slices,
        {},
        **pt2_tables(ProgramEdits()),
        unsaved=(),
        model="net.pt2",
        digest="ab",
    )
    module = render(
        "apply_to_module.py.txt",
        slices,
        {},
        tied=Rows({}),
        unsaved=(),
        numbers=Rows({"a": [("size", (None, 4), (None, 3))]}),
        model="net.pt2",
        digest="ab",
    )
    inner = ["onnx_tensors", "onnx_slicing", "onnx_edits", "onnx_preparing"]
    parts = ["archive", "tensors", "program", "edits", "slicing"]
    pt2_modules = ["slices", *(f"pt2_{part}" for part in parts), "safetensors", "command", "pt2_script"]
    return {
        "mxnet": (mxnet, ["slices", "mxnet_params", "command", "mxnet_script"]),
        "onnx": (onnx, ["slices", *inner, "command", "onnx_script"]),
        "pt2": (pt2, [*pt2_modules, "safetensors_script"]),
        "module": (module, ["slices", "torch_module"]),
    }


@pytest.mark.parametrize("name", MODULES)
def test_a_module_needs_nothing_of_prunec(name: str) -> None:
    source = (ROOM / f"{name}.py").read_text("ascii")
    wanted = set(imports(ast.parse(source, feature_version=(3, 9))))
    outside = {module for module in wanted if not module.startswith("prunec.embedded.")}
    assert len(wanted) > len(outside) or name in ("slices", "pt2_edits")
    packages = {module.split(".")[0] for module in outside}
    assert "onnx" not in packages or name.startswith("onnx_")
    assert "torch" not in packages or name.startswith("torch_")
    packages -= ALLOWED
    assert "prunec" not in packages and "__future__" not in packages
    if STANDARD is not None:
        assert packages <= STANDARD


@pytest.mark.parametrize("kind", scripts())
def test_a_script_holds_the_modules_as_they_are(kind: str) -> None:
    text, names = scripts()[kind]
    ast.parse(text, feature_version=(3, 9))
    assert not any(module.startswith("prunec") for module in imports(ast.parse(text)))
    at = 0
    for name in names:
        source = (ROOM / f"{name}.py").read_text("ascii")
        kept = re.sub(r"(?m)^from prunec\.embedded\.\w+ import (\([^)]*\)|[^(\n]*)\n", "", source)
        assert embedded(name) == kept
        at = text.index(kept, at) + len(kept)


@pytest.mark.parametrize("kind", scripts())
def test_what_a_module_imports_stands_above_it(kind: str) -> None:
    names = scripts()[kind][1]
    for place, name in enumerate(names):
        wanted = imports(ast.parse((ROOM / f"{name}.py").read_text("ascii")))
        inner = {module.split(".")[-1] for module in wanted if module.startswith("prunec.embedded.")}
        assert inner <= set(names[:place])


@pytest.mark.parametrize("kind", scripts())
def test_no_name_is_defined_twice(kind: str) -> None:
    text, names = scripts()[kind]
    defined = [name for node in ast.parse(text).body for name in names_of(node)]
    assert sorted(defined) == sorted(set(defined)) and len(defined) > 20


def names_of(node: ast.stmt) -> list[str]:
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else []
    return [target.id for target in targets if isinstance(target, ast.Name)]


def test_the_text_is_found_in_an_archive(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "packed.zip", "w") as archive:
        for path in (*ROOM.parent.rglob("*.py"), *ROOM.parent.rglob("*.txt")):
            archive.write(path, Path("prunec") / path.relative_to(ROOM.parent))
    code = "import sys; from prunec.rewriting.slicing_script import render_script\n"
    code += "sys.stdout.write(render_script([], 'm', ''))"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "packed.zip")}
    command = [sys.executable, "-c", code]
    ran = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tmp_path)
    assert ran.stdout == render_script([], "m", ""), ran.stderr
