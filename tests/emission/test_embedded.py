"""What prunec imports and what its scripts hold is one text, which needs nothing of prunec."""

from __future__ import annotations

import ast
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Iterator

import pytest
from slice_examples import example

import prunec.embedded
from prunec.embedded import embedded
from prunec.rewriting.script import render_script

ROOM = Path(prunec.embedded.__file__).parent
MODULES = sorted(path.stem for path in ROOM.glob("*.py") if path.stem != "__init__")
#: Besides the standard library.
ALLOWED = {"numpy"}
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
    text = render_script(example()[0], "net-symbol.json", "ab" * 32)
    return {"mxnet": (text, ["slices", "mxnet_params", "command"])}


@pytest.mark.parametrize("name", MODULES)
def test_a_module_needs_nothing_of_prunec(name: str) -> None:
    source = (ROOM / f"{name}.py").read_text("ascii")
    wanted = set(imports(ast.parse(source, feature_version=(3, 9))))
    outside = {module for module in wanted if not module.startswith("prunec.embedded.")}
    assert len(wanted) > len(outside) or name == "slices"
    packages = {module.split(".")[0] for module in outside} - ALLOWED
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
        lines = (ROOM / f"{name}.py").read_text("ascii").splitlines(keepends=True)
        kept = "".join(line for line in lines if not line.startswith("from prunec.embedded."))
        # What is left out says where names come from, and those are there.
        assert ast.dump(ast.parse(kept)) == ast.dump(without_room(ast.parse("".join(lines))))
        assert embedded(name) == kept
        at = text.index(kept, at) + len(kept)


def without_room(tree: ast.Module) -> ast.Module:
    tree.body = [
        node
        for node in tree.body
        if not (isinstance(node, ast.ImportFrom) and (node.module or "").startswith("prunec."))
    ]
    return tree


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
        archive.writestr("prunec/__init__.py", "")
        for path in ROOM.glob("*.py"):
            archive.write(path, f"prunec/embedded/{path.name}")
    code = "import sys; from prunec.embedded import embedded; sys.stdout.write(embedded('slices'))"
    environment = {"PYTHONPATH": str(tmp_path / "packed.zip")}
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, cwd=tmp_path
    )
    assert ran.stdout == embedded("slices"), ran.stderr
