"""Each bad input gets the message that ``expected/`` holds: what, where, why, what to do.

With ``PRUNEC_UPDATE=1`` in the environment the expected texts are written anew; read them all then.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Any, Callable, Union

import pytest

from messages.cases import CASES, MODELS, PLANS, RULES
from messages.inputs import Case
from prunec.authoring.registered_operators import Registered
from prunec.cli import main as command

EXPECTED = Path(__file__).with_name("expected")


def said(case: Case, folder: Path, capsys: Any) -> str:
    """The exit code and everything that prunec prints, with the command line above it."""
    if case.needs:
        pytest.importorskip(case.needs, reason=f"needs {case.needs}")
    for name, content in case.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else made(content))
    code = command.main(list(case.command))
    printed = capsys.readouterr()
    assert "Traceback" not in printed.err + printed.out and "P999" not in printed.err
    text = printed.out + printed.err
    return f"$ prunec {' '.join(case.command)}\n{steady(text)}exit code {code}\n"


def made(content: Union[bytes, Callable[[], bytes]]) -> bytes:
    return content if isinstance(content, bytes) else content()


def steady(text: str) -> str:
    """A text without what changes from day to day: hashes, and line numbers in the built-in rules."""
    text = re.sub(r"this is [0-9a-f]{12}…", "this is …", text)
    lines = text.split("\n")
    for number, line in enumerate(lines):
        if re.match(r"  --> rules/default\.prune:\d+:\d+$", line):
            lines[number] = "  --> rules/default.prune"
            for below in range(number + 1, number + 4):
                lines[below] = re.sub(r"^ +\d* +\|", " |", lines[below])
    return "\n".join(lines)


@pytest.fixture(autouse=True)
def surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    registered: dict[str, Registered] = {}
    monkeypatch.setattr(
        "prunec.authoring.registered_operators.registered_operators", lambda library: registered
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    if "rules" not in command.COMMANDS:
        monkeypatch.setitem(command.COMMANDS, "rules", "prunec.cli.rules_command")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_message(case: Case, tmp_path: Path, capsys: Any) -> None:
    text = said(case, tmp_path, capsys)
    path = EXPECTED / f"{case.name}.txt"
    if os.environ.get("PRUNEC_UPDATE"):
        path.write_text(text, encoding="utf-8")
    assert path.is_file(), "write the expected texts with PRUNEC_UPDATE=1"
    assert text == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_message_has_a_place_and_an_advice(case: Case) -> None:
    """Beside the headline, a message says where, and (unless the caret says what to write) what to do."""
    text = (EXPECTED / f"{case.name}.txt").read_text(encoding="utf-8")
    warned = "warning[" in text and "error[" not in text
    assert text.rstrip().endswith("exit code 0") if warned else re.search(r"exit code [124]\s*$", text)
    messages = re.split(r"^(?=(?:error|warning)\[P\d{3}\]: )", text, flags=re.M)[1:]
    assert messages or "error: " in text
    for message in messages:
        assert "  help: " in message or "^ expected " in message, message
        assert "  --> " in message or "  note: " in message or "'" in message.split("\n")[0], message


def test_there_are_enough_cases_and_no_stray_texts() -> None:
    names = [case.name for case in CASES]
    assert len(set(names)) == len(names) >= 40 and len(RULES) >= 20 and len(MODELS) >= 20 and len(PLANS) >= 20
    assert {path.stem for path in EXPECTED.glob("*.txt")} == set(names)
    assert sys.version_info >= (3, 9)
