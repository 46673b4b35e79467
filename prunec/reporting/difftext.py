"""A unified diff as coloured lines of a page."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Sequence

from markupsafe import Markup, escape

from prunec.support.diagnostics import printable

#: Characters of one line that are shown; models written in a single line are longer.
LINE_LIMIT = 400
#: Characters of a whole diff that are shown.
WHOLE_LIMIT = 700_000

_KEY = re.compile(r'("(?:[^"\\]|\\.)*")(?=\s*:)')


@dataclass(frozen=True)
class Hunk:
    """A stretch of the diff: where it stands, what its first line says it is in (the name of a node), its
    lines ready for the page, and how many of them changed."""

    header: str
    node: str
    body: Markup
    changed: int


@dataclass(frozen=True)
class DiffView:
    """The hunks shown, how many lines changed in all, and how many hunks were left out."""

    hunks: tuple[Hunk, ...]
    changed: int
    left_out: int


def diff_view(diff: bytes) -> DiffView:
    """The hunks of a diff of one file; too long lines and too long diffs are shortened."""
    lines = diff.decode("utf-8", "backslashreplace").split("\n")
    pieces: list[list[str]] = []
    for line in lines:
        if line.startswith("@@ "):
            pieces.append([line])
        elif pieces and line:
            pieces[-1].append(line)
    hunks: list[Hunk] = []
    size = changed = 0
    for piece in pieces:
        own = sum(1 for line in piece[1:] if line[0] == "+")
        changed += own
        if size < WHOLE_LIMIT:
            place, _, node = piece[0][3:].partition(" @@")
            hunk = Hunk(f"@@ {place} @@", node.strip(), _body(piece[1:]), own)
            size += len(hunk.body)
            hunks.append(hunk)
    return DiffView(tuple(hunks), changed, len(pieces) - len(hunks))


def _body(lines: Sequence[str]) -> Markup:
    parts: list[Markup] = []
    # "\ No newline at end of file" would part a line from its counterpart.
    remarks = list(dict.fromkeys(line for line in lines if line.startswith("\\")))
    lines = [line for line in lines if not line.startswith("\\")] + remarks
    at = 0
    while at < len(lines):
        olds = _run(lines, at, "-")
        news = _run(lines, at + len(olds), "+")
        if not olds and not news:
            parts.append(_coloured(_shortened(lines[at], 0)) + "\n")
            at += 1
            continue
        if len(olds) == len(news):
            # Each line beside its counterpart, which in a patch may stand far below.
            for old, new in zip(olds, news):
                parts += [_line("del", old, new), _line("ins", new, old)]
        else:
            parts += [_line("del", line, line) for line in olds]
            parts += [_line("ins", line, line) for line in news]
        at += len(olds) + len(news)
    return Markup("").join(parts)


def _line(kind: str, line: str, counterpart: str) -> Markup:
    return Markup(f"<{kind}>{{}}\n</{kind}>").format(_marked(line, counterpart))


def _run(lines: Sequence[str], start: int, sign: str) -> list[str]:
    end = start
    while end < len(lines) and lines[end].startswith(sign):
        end += 1
    return list(lines[start:end])


def _marked(line: str, other: str) -> Markup:
    """A line with what differs from its counterpart (apart from their signs) set off."""
    head = 1
    shortest = min(len(line), len(other))
    while head < shortest and line[head] == other[head]:
        head += 1
    tail = 0
    while tail < shortest - head and line[-1 - tail] == other[-1 - tail]:
        tail += 1
    end = len(line) - tail
    if head >= end:
        return _coloured(_shortened(line, 0))
    before, inside, after = line[:head], line[head:end], line[end:]
    if len(line) > LINE_LIMIT:
        before = before[0] + ("…" if head > 81 else "") + before[max(1, head - 80) :]
        inside = _shortened(inside, 0)
        after = after[:80] + ("…" if len(after) > 80 else "")
    return _coloured(before) + Markup("<mark>{}</mark>").format(_clean(inside)) + _coloured(after)


def _shortened(line: str, start: int) -> str:
    if len(line) <= LINE_LIMIT:
        return line
    return f"{line[start : start + LINE_LIMIT]}… ({len(line) - LINE_LIMIT:,} more characters)"


def _clean(text: str) -> str:
    return "\t".join(printable(part, 2 * LINE_LIMIT) for part in text.split("\t"))


def _coloured(text: str) -> Markup:
    """A stretch of JSON with its keys set off."""
    parts = _KEY.split(_clean(text))
    return Markup("").join(
        Markup("<i>{}</i>").format(part) if number % 2 else escape(part) for number, part in enumerate(parts)
    )
