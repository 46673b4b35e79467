"""docs/explain.md shows what the commands in it print.

With ``PRUNEC_UPDATE=1`` in the environment it is written anew.
"""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from prunec.cli.main import main

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "explain.md"
FENCE = re.compile(
    r"^```(?P<kind>text|mermaid)\n(?:\$ |%% )(?P<command>prunec [^\n]*)\n(?P<shown>.*?)^```$", re.M | re.S
)


def printed(command: str, capsys: Any, monkeypatch: Any) -> str:
    monkeypatch.chdir(ROOT)
    assert main(shlex.split(command)[1:]) == 0
    return str(capsys.readouterr().out)


def steady(text: str) -> str:
    """Without line numbers in the built-in rules, which change with every rule."""
    return re.sub(r"default\.prune:\d+:\d+ *", "default.prune ", text)


def blocks() -> list[re.Match[str]]:
    return list(FENCE.finditer(DOCUMENT.read_text(encoding="utf-8")))


def test_there_are_examples() -> None:
    assert len(blocks()) == 6


@pytest.mark.parametrize("number", range(6))
def test_the_document_shows_what_is_printed(number: int, capsys: Any, monkeypatch: Any) -> None:
    if os.environ.get("PRUNEC_UPDATE"):
        text = DOCUMENT.read_text(encoding="utf-8")
        block = blocks()[number]
        # A Mermaid block has the command in a comment of its own.
        mark = "$ " if block["kind"] == "text" else "%% "
        found = printed(block["command"], capsys, monkeypatch)
        new = f"```{block['kind']}\n{mark}{block['command']}\n{found}```"
        DOCUMENT.write_text(text[: block.start()] + new + text[block.end() :], encoding="utf-8")
    block = blocks()[number]
    assert steady(block["shown"]) == steady(printed(block["command"], capsys, monkeypatch))


def test_what_it_shows_of_a_plan(tmp_path: Path, capsys: Any, monkeypatch: Any) -> None:
    """The commands of a session, one after the other; of the last one the end is shown."""
    found = re.search(r"^```console\n(.*?)…\n(.*?)^```$", DOCUMENT.read_text(encoding="utf-8"), re.M | re.S)
    assert found is not None
    commands = re.findall(r"^\$ (.*)", found[1], re.M)
    assert len(commands) == 2
    for command in commands:
        out = printed(command.replace(" smaller", f" {tmp_path / 'smaller'}"), capsys, monkeypatch)
    assert out.endswith("\n\n" + found[2])
