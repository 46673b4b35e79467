"""docs/diagnostics.md shows the messages that prunec prints.

``python -m tests.language.test_diagnostics_document`` writes them anew.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from prunec.language.check import check
from prunec.language.library import locate
from prunec.language.parser import MAXIMUM_BYTES, parse, read_source
from prunec.support.diagnostics import PrunecError, Source, render_all

DOCUMENT = Path(__file__).parents[2] / "docs" / "diagnostics.md"
SECTION = re.compile(
    r"^## (?P<code>P[12]\d\d): [^\n]*\n\n"
    r"(?:```prune\n(?P<example>.*?)\n```\n\n)?"
    r"```text\n(?P<message>.*?)```\n",
    re.MULTILINE | re.DOTALL,
)


def not_utf8() -> None:
    Path("rules.prune").write_bytes("# caf\xe9".encode("latin-1"))
    read_source(Path("rules.prune"))


def too_large() -> None:
    Path("rules.prune").write_bytes(b" " * (MAXIMUM_BYTES + 1))
    read_source(Path("rules.prune"))


FILE_ERRORS: dict[str, Callable[[], object]] = {
    "P107": lambda: read_source(Path("missing.prune")),
    "P108": not_utf8,
    "P109": too_large,
    "P110": lambda: locate("no_such_rules"),
}


def message(code: str, example: str | None) -> str:
    """What prunec prints for an example; for a code about files, in an empty working directory."""
    try:
        if example is None:
            FILE_ERRORS[code]()
            return ""
        return render_all(check([parse(Source("rules.prune", example))]))
    except PrunecError as error:
        return render_all(error.diagnostics)


def sections() -> list[tuple[str, str | None, str]]:
    text = DOCUMENT.read_text(encoding="utf-8")
    return [(m["code"], m["example"], m["message"]) for m in SECTION.finditer(text)]


@pytest.mark.parametrize(("code", "example", "shown"), sections(), ids=[code for code, _, _ in sections()])
def test_the_document_shows_the_message(
    code: str, example: str | None, shown: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    printed = message(code, example)
    assert f"[{code}]" in printed
    assert shown == printed + "\n", "write the document anew (see the top of this file)"


def test_every_code_of_the_language_is_documented() -> None:
    folder = DOCUMENT.parents[1] / "prunec" / "language"
    used = {
        code for file in folder.glob("*.py") for code in re.findall(r'"(P[12]\d\d)"', file.read_text("utf-8"))
    }
    assert [code for code, _, _ in sections()] == sorted(used)


def rewrite() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)

        def filled(match: re.Match[str]) -> str:
            whole = match.group()
            start = whole.rindex("```text\n") + len("```text\n")
            return whole[:start] + message(match["code"], match["example"]) + "\n```\n"

        DOCUMENT.write_text(SECTION.sub(filled, text), encoding="utf-8")


if __name__ == "__main__":
    rewrite()
