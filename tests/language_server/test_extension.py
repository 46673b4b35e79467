"""The extension for VS Code: it names what there is, starts the server, and is packaged."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

import prunec

ROOT = Path(__file__).parents[2]
EXTENSION = ROOT / "editors" / "vscode"
MANIFEST: dict[str, Any] = json.loads((EXTENSION / "package.json").read_text("utf-8"))
needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="needs node")


def test_the_manifest_names_what_there_is() -> None:
    assert MANIFEST["version"] == prunec.__version__
    (language,) = MANIFEST["contributes"]["languages"]
    (grammar,) = MANIFEST["contributes"]["grammars"]
    assert language["extensions"] == [".prune"] and grammar["language"] == language["id"]
    shared = json.loads((ROOT / "editors" / "prune.tmLanguage.json").read_text("utf-8"))
    assert grammar["scopeName"] == shared["scopeName"]
    assert Path(grammar["path"]).name == "prune.tmLanguage.json"
    json.loads((EXTENSION / language["configuration"]).read_text("utf-8"))
    source = (EXTENSION / "src" / "extension.js").read_text("utf-8")
    assert all(command["command"] in source for command in MANIFEST["contributes"]["commands"])
    assert f'language: "{language["id"]}"' in source


@needs_node
def test_the_server_that_it_starts_answers() -> None:
    program = "console.log(JSON.stringify(require('./src/server').server({get: () => process.argv[1]})))"
    printed = subprocess.run(
        ["node", "-e", program, sys.executable], cwd=EXTENSION, capture_output=True, text=True, timeout=60
    )
    found = json.loads(printed.stdout)
    assert found == {"command": sys.executable, "args": ["-m", "prunec.language_server"]}
    if find_spec("pygls") is None:
        pytest.skip("needs pygls, which the server is made with")
    capabilities: dict[str, Any] = {"capabilities": {}, "processId": None, "rootUri": None}
    messages: list[dict[str, Any]] = [
        {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": capabilities},
        {"jsonrpc": "2.0", "id": 2, "method": "shutdown"},
        {"jsonrpc": "2.0", "method": "exit"},
    ]
    texts = [json.dumps(message) for message in messages]
    done = subprocess.run(
        [found["command"], *found["args"]],
        input="".join(f"Content-Length: {len(text)}\r\n\r\n{text}" for text in texts),
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert '"hoverProvider"' in done.stdout and '"completionProvider"' in done.stdout, done.stderr


@pytest.mark.slow
@needs_node
def test_it_is_packaged(tmp_path: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("needs npm")
    if int(subprocess.check_output(["node", "--version"], text=True)[1:].split(".")[0]) < 20:
        pytest.skip("needs node 20 or newer")
    folder = tmp_path / "editors" / "vscode"
    built = ("node_modules", "dist", "syntaxes", "LICENSE")
    shutil.copytree(EXTENSION, folder, ignore=shutil.ignore_patterns(*built))
    shutil.copy(ROOT / "editors" / "prune.tmLanguage.json", folder.parent)
    shutil.copy(ROOT / "LICENSE", tmp_path)
    fetched = subprocess.run(
        [npm, "install", "--no-audit", "--no-fund"], cwd=folder, capture_output=True, text=True, timeout=300
    )
    if fetched.returncode:
        pytest.skip("needs a registry of npm")
    done = subprocess.run([npm, "run", "package"], cwd=folder, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    with zipfile.ZipFile(folder / "dist" / "prunec.vsix") as archive:
        names = {name for name in archive.namelist() if name.startswith("extension/")}
        assert {name.lower() for name in names} == {
            f"extension/{name}"
            for name in (
                *("package.json", "readme.md", "license.txt", "language-configuration.json"),
                *("dist/extension.js", "syntaxes/prune.tmlanguage.json"),
            )
        }
        bundle = archive.read("extension/dist/extension.js").decode("utf-8")
    assert "prunec.language_server" in bundle and "textDocument/hover" in bundle
