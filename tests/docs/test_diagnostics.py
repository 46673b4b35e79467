"""docs/diagnostics.md is made of the records of messages, is up to date, and leaves nothing out."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from prunec.support.codes import codes, record_of

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "diagnostics.md"


def test_the_document_is_what_the_command_prints() -> None:
    made = subprocess.run([sys.executable, "-m", "prunec.support.codes"], cwd=ROOT, stdout=subprocess.PIPE)
    assert made.returncode == 0
    assert DOCUMENT.read_bytes() == made.stdout, "run `make docs`"


def test_each_code_has_a_section_with_all_of_its_record() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    starts = [text.index(f"\n## {code}: ") for code in codes()]
    assert starts == sorted(starts) and text.count("\n## P") == len(starts)
    for code, start, end in zip(codes(), starts, [*starts[1:], len(text)]):
        section, record = text[start:end], record_of(code)
        said = [record.title, record.meaning, record.why, record.remedy]
        if record.example is not None:
            said += [record.example.rules or "", record.example.printed]
        assert all(part in section for part in said), code
