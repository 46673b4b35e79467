"""docs/pytorch.md says what holds: its files are those that are written, its code uses what there is."""

from __future__ import annotations

import ast
import inspect
import re
from pathlib import Path

from cli.test_exported_programs import FILES

from prunec import pytorch

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "pytorch.md").read_text(encoding="utf-8")
EVERY_MODEL = {"changes.diff", "groups.json", "plan.json"}


def test_the_files_are_those_that_are_written() -> None:
    table = set(re.findall(r"^\| `([^`]+)` \|", PAGE, re.MULTILINE))
    # With options, restored values and a folder for another library.
    assert table == FILES - EVERY_MODEL | {"restored.pt2", "transformers/"}


def test_the_code_uses_what_there_is() -> None:
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 4
    nodes = [node for block in blocks for node in ast.walk(ast.parse(block))]
    imported = [
        alias.name
        for node in nodes
        if isinstance(node, ast.ImportFrom) and node.module == "prunec.pytorch"
        for alias in node.names
    ]
    assert sorted(imported) == ["prune", "training"] and set(imported) < set(pytorch.__all__)
    given = {keyword.arg for node in nodes if isinstance(node, ast.Call) for keyword in node.keywords}
    options = set(inspect.signature(pytorch.prune).parameters)
    assert {"ratio", "data"} <= given & options
    assert all(name in options for name in ("target", "criterion", "policy", "strict", "out"))
    fields = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    assert {"module", "exported", "report"} <= fields & set(pytorch.PrunedModule.__annotations__)
