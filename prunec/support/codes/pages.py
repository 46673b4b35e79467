"""Records of messages as pages: the whole document, and one record as text or JSON."""

from __future__ import annotations

import json
from textwrap import fill, indent
from typing import Iterator

from prunec.support.codes import CodeRecord, codes, record_of
from prunec.support.diagnostics import Severity

_HEAD = """\
<!-- Made by `make docs` from the records in prunec/support/codes: change those. -->
# Messages

Every message has a code that stays the same. `prunec explain P404` prints in a terminal what stands here of a
code, and `prunec explain P404 --format json` gives it to a program.

An example is a rule file, `rules.prune`, with the message that `prunec rules check` prints for it, or a
command line with the message that it gets (`tests/messages` has the files).
"""

#: What the codes of each hundred are about.
_SUBJECTS = {
    "P0": "the command line",
    "P1": "the text of rule files",
    "P2": "what rules say",
    "P3": "model files",
    "P4": "shapes, rules that meet a model, explaining",
    "P5": "plans and what is written",
    "P6": "parameters",
    "P7": "running models and trying rules",
    "P9": "faults of prunec",
}
_WIDTH = 80


def document() -> str:
    """``docs/diagnostics.md``."""
    return "\n".join((_HEAD, *_sections()))


def _sections() -> Iterator[str]:
    hundred = ""
    for code in codes():
        if code[:2] != hundred:
            hundred = code[:2]
            yield f"# {hundred}xx: {_SUBJECTS[hundred]}\n"
        yield _section(record_of(code))


def _section(record: CodeRecord) -> str:
    parts = [
        f"## {_heading(record)}",
        record.meaning,
        f"**Why:** {record.why}",
        f"**What to do:** {record.remedy}",
    ]
    if record.example is not None:
        if record.example.rules is not None:
            parts.append(f"```prune\n{record.example.rules}```")
        parts.append(f"```text\n{record.example.printed}```")
    return "\n\n".join(parts) + "\n"


def text(record: CodeRecord) -> str:
    """A record for the terminal."""
    paragraphs = (record.meaning, f"Why: {record.why}", f"What to do: {record.remedy}")
    parts = [_heading(record)]
    # Options and names stay whole.
    parts += [fill(part, _WIDTH, break_on_hyphens=False, break_long_words=False) for part in paragraphs]
    if record.example is not None:
        parts.append("For example")
        if record.example.rules is not None:
            parts.append(indent(f"$ cat rules.prune\n{record.example.rules}".rstrip(), "  "))
        parts.append(indent(record.example.printed.rstrip(), "  "))
    return "\n\n".join(parts) + "\n"


def json_text(record: CodeRecord) -> str:
    """A record as a JSON object."""
    example = record.example
    document = {
        "format": "prunec message",
        "version": 1,
        "code": record.code,
        "severity": record.severity.value,
        "title": record.title,
        "meaning": record.meaning,
        "why": record.why,
        "what_to_do": record.remedy,
        "example": None if example is None else {"rules": example.rules, "printed": example.printed},
    }
    return json.dumps(document, indent=1) + "\n"


def _heading(record: CodeRecord) -> str:
    warns = " (warning)" if record.severity is Severity.WARNING else ""
    return f"{record.code}: {record.title}{warns}"
