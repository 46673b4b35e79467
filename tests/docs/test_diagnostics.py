"""docs/diagnostics.md lists every code, with the message where a bad input of tests/messages gets it.

With ``PRUNEC_UPDATE=1`` in the environment the messages are written anew, and each new code gets a section,
in which it remains to say in words what is wrong and what to do.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Optional

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "diagnostics.md"
EXPECTED = ROOT / "tests" / "messages" / "expected"
SECTION = re.compile(
    r"^## (?P<code>P[3-9]\d\d): (?P<title>[^\n]+)\n\n"
    r"(?:```text\n(?P<message>.*?)```\n\n)?(?P<advice>.*?)(?=^## |\Z)",
    re.M | re.S,
)


def text() -> str:
    return DOCUMENT.read_text(encoding="utf-8")


def codes() -> set[str]:
    """Every code in the source, those of rule files aside: another test has them."""
    found: set[str] = set()
    for path in (ROOT / "prunec").rglob("*.py"):
        found |= set(re.findall(r'"(P[3-9]\d\d)"', path.read_text(encoding="utf-8")))
    return found


def example(code: str) -> Optional[str]:
    """The first message with a code that a bad input gets, with the command line."""
    for path in sorted(EXPECTED.glob("*.txt")):
        said = path.read_text(encoding="utf-8")
        match = re.search(rf"^(?:error|warning)\[{code}\]: .*?(?=^exit code|\n\n|\Z)", said, re.M | re.S)
        if match is not None:
            return f"{said.splitlines()[0]}\n{match.group().rstrip()}\n"
    return None


def test_every_code_is_listed_once_and_in_order() -> None:
    listed = [match["code"] for match in SECTION.finditer(text())]
    assert listed == sorted(set(listed))
    assert codes() - set(listed) == set(), "describe these codes in docs/diagnostics.md"
    assert set(listed) - codes() == set(), "these codes are no longer used"


def test_every_section_says_what_to_do() -> None:
    for match in SECTION.finditer(text()):
        assert match["advice"].strip().endswith("."), match["code"]


@pytest.mark.parametrize("code", sorted(codes()))
def test_the_document_shows_the_message(code: str) -> None:
    match = next((m for m in SECTION.finditer(text()) if m["code"] == code), None)
    assert match is not None and match["message"] == example(code)


@pytest.mark.skipif(not os.environ.get("PRUNEC_UPDATE"), reason="set PRUNEC_UPDATE=1 to rewrite the document")
def test_rewrite() -> None:
    def filled(match: re.Match[str]) -> str:
        message = example(match["code"])
        block = f"```text\n{message}```\n\n" if message is not None else ""
        return f"## {match['code']}: {match['title']}\n\n{block}{match['advice']}"

    old = text()
    for code in sorted(codes() - {match["code"] for match in SECTION.finditer(old)}):
        behind = next((m.start() for m in SECTION.finditer(old) if m["code"] > code), len(old))
        section = f"## {code}: what is wrong\n\nSay what to do"
        old = f"{old[:behind].rstrip()}\n\n{section}\n\n{old[behind:]}".rstrip() + "\n"
    DOCUMENT.write_text(SECTION.sub(filled, old), encoding="utf-8")
    assert {match["code"]: match["message"] for match in SECTION.finditer(text())} == {
        code: example(code) for code in codes()
    }
