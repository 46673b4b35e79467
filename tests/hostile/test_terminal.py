"""Nothing that a stranger wrote reaches the terminal as more than text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from cli.tools import run

from prunec.support.diagnostics import Annotation, Diagnostic, Source, Span, render

ESCAPES = ("\x1b[31m", "\x9b31m", "\x07", "\u202e", "\u2066", "\x7f", "\r hidden")
FORMATS = ("full", "concise", "json", "github")


def harmless(text: str) -> bool:
    return all(c.isprintable() or c in "\n\t" for c in text)


@pytest.mark.parametrize("escape", ESCAPES)
@pytest.mark.parametrize(
    "line", ["\top A { d[%sx] -> o[x] }", 'op A opaque because "\t%s"', "op A { d[*x] -> }\t# %s"]
)
@pytest.mark.parametrize("form", FORMATS)
def test_rule_files(tmp_path: Path, capsys: Any, monkeypatch: Any, escape: str, line: str, form: str) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my.prune").write_bytes((line % escape).encode())
    code, out, err = run(capsys, "rules", "check", "my.prune", "--alone", "--format", form)
    assert code == 1 and harmless(out + err) and "P103" in out
    for command in (("fmt", "my.prune"), ("doc", "my.prune"), ("list", "my.prune"), ("test", "my.prune")):
        code, out, err = run(capsys, "rules", *command)
        assert code == 1 and harmless(out + err) and "P103" in out + err


@pytest.mark.parametrize("escape", ESCAPES)
def test_names_of_files(tmp_path: Path, capsys: Any, monkeypatch: Any, escape: str) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / f"a{escape}.prune").write_text("op A { d[x] -> }\n")
    for form in FORMATS:
        _, out, err = run(capsys, "rules", "check", "rules", "--alone", "--format", form)
        assert harmless(out + err)


def test_what_is_under_the_caret_stays_under_it() -> None:
    source = Source("a\x1b", "\tone \x1b two")
    span = Span(source, source.text.index("two"), len(source.text))
    text = render(Diagnostic("P103", "head\x1b", annotations=(Annotation(span, "said\x1b"),)))
    assert text.split("\n")[1:] == [
        "  --> a\\u001b:1:8",
        "   |",
        " 1 | \tone \\u001b two",
        "   | \t           ^^^ said\\u001b",
    ]
