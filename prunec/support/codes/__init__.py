"""What the code of a message means: one record for each, ``P404.md``, in this folder.

A record is Markdown of one form: a title, which ends in ``(warning)`` where the message is none of an error,
what the message means, and sections that say why it is given and what to do, then, where a few lines can
show it, an example.  ``prunec explain P404`` prints a record, and ``docs/diagnostics.md`` holds them all; it
is made by ``python -m prunec.support.codes > docs/diagnostics.md``.  A record is read when it is asked for:
messages do without.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Optional

from prunec.support.diagnostics import Diagnostic, PrunecError, Severity, printable

_FOLDER = Path(__file__).parent
_WARNING = " (warning)"
_FORM = re.compile(
    r"# (?P<title>[^\n]+)\n\n(?P<meaning>[^\n]+)\n"
    r"\n## Why\n\n(?P<why>[^\n]+)\n"
    r"\n## What to do\n\n(?P<remedy>[^\n]+)\n"
    r"(?:\n## Example\n\n(?:```prune\n(?P<rules>.*?)```\n\n)?```text\n(?P<printed>.*?)```\n)?",
    re.DOTALL,
)


@dataclass(frozen=True)
class CodeExample:
    """``rules`` is a rule file, ``rules.prune``, and ``printed`` the message for it; without one,
    ``printed`` begins with the command line that gets the message, behind ``$``."""

    rules: Optional[str]
    printed: str


@dataclass(frozen=True)
class CodeRecord:
    """What the messages of one code mean, why they are given, and what to do, a paragraph each."""

    code: str
    title: str
    severity: Severity
    meaning: str
    why: str
    remedy: str
    example: Optional[CodeExample]


@lru_cache(maxsize=1)
def codes() -> tuple[str, ...]:
    """All codes, in order."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("P*.md")))


def record_of(code: str) -> CodeRecord:
    """The record of a code.  Raises PrunecError P415 where there is none."""
    if code not in codes():
        raise PrunecError(_unknown(code))
    return read_record(code, (_FOLDER / f"{code}.md").read_text(encoding="utf-8"))


def read_record(code: str, text: str) -> CodeRecord:
    """A record out of its text.  Raises ValueError where the text is not of the form above."""
    found = _FORM.fullmatch(text)
    if found is None:
        raise ValueError(f"the record of {code} is not of the form that records have")
    title = found["title"]
    warns = title.endswith(_WARNING)
    return CodeRecord(
        code,
        title[: -len(_WARNING)] if warns else title,
        Severity.WARNING if warns else Severity.ERROR,
        found["meaning"],
        found["why"],
        found["remedy"],
        None if found["printed"] is None else CodeExample(found["rules"], found["printed"]),
    )


def _unknown(code: str) -> Diagnostic:
    known = codes()
    near = [c for c in known if c < code][-1:] + [c for c in known if c > code][:1]
    return Diagnostic(
        "P415",
        f"no message has the code {printable(code, 20)}",
        notes=("a code is a P and three digits; docs/diagnostics.md lists all",),
        help=f"did you mean {' or '.join(near)}?" if near else "give the code as a message has it",
    )
