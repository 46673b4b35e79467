"""A unified diff of two texts, as git reads it.

An emitted MXNet model differs from the original in values only, and a value never spans lines, so lines
correspond one to one and no search for common lines is needed.  Only texts of different length, where a
graph got nodes of its own, need one.
"""

from __future__ import annotations

from bisect import bisect_right
from difflib import SequenceMatcher
from typing import Sequence

from prunec.support.diagnostics import printable

#: Unchanged lines shown around a change.
CONTEXT = 3
#: Characters of a heading; git's own are as long.
_HEADING = 80

#: What happens, and the lines of the old and of the new text that it happens to.
_Piece = tuple[str, int, int, int, int]

_NO_NEWLINE = b"\n\\ No newline at end of file\n"
_QUOTED = {7: b"\\a", 8: b"\\b", 9: b"\\t", 10: b"\\n", 11: b"\\v", 12: b"\\f", 13: b"\\r"}


def unified_diff(name: str, old: bytes, new: bytes, headings: Sequence[tuple[int, str]] = ()) -> bytes:
    """The diff from ``old`` to ``new``, both called ``name``; nothing where they are equal.

    ``headings`` are lines of ``old``, counted from zero and in order, with the names of what begins there:
    each hunk is headed by the name of what its first change is in, as git heads hunks by functions.
    ``git apply`` in the folder of ``name`` turns the one into the other, byte for byte.
    """
    if old == new:
        return b""
    before, after = _lines(old), _lines(new)
    hunks: list[list[_Piece]]
    if len(before) == len(after):
        changed = [i for i, (a, b) in enumerate(zip(before, after)) if a != b]
        hunks = [[("aligned", first, last, first, last)] for first, last in _spans(changed, len(before))]
    else:
        matcher = SequenceMatcher(None, before, after, autojunk=False)
        hunks = [list(hunk) for hunk in matcher.get_grouped_opcodes(CONTEXT)]
    source, target = _path("a/", name), _path("b/", name)
    # Git ends a name at a space unless a tab stands behind it.
    last = b"\t\n" if b" " in source else b"\n"
    pieces = [b"diff --git " + source + b" " + target + b"\n"]
    pieces += [b"--- " + source + last, b"+++ " + target + last]
    starts = [line for line, _ in headings]
    for hunk in hunks:
        ranges = (_range(hunk[0][1], hunk[-1][2]), _range(hunk[0][3], hunk[-1][4]))
        place = bisect_right(starts, _first_change(before, after, hunk))
        heading = printable(headings[place - 1][1], _HEADING) if place else ""
        end = f" {heading}" if heading else ""
        pieces.append(b"@@ -%s +%s @@%s\n" % (*ranges, end.encode("utf-8")))
        for _, start, stop, start_new, stop_new in hunk:
            pieces += _hunk(before[start:stop], after[start_new:stop_new])
    return b"".join(pieces)


def _lines(data: bytes) -> list[bytes]:
    """Lines as git counts them: they end at a line feed and nowhere else."""
    lines = data.split(b"\n")
    return [line + b"\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])


def _spans(changed: list[int], count: int) -> list[tuple[int, int]]:
    """First line and end of each hunk: the changes with their context, joined where they touch."""
    spans: list[tuple[int, int]] = []
    for line in changed:
        first, last = max(0, line - CONTEXT), min(count, line + CONTEXT + 1)
        if spans and first <= spans[-1][1]:
            spans[-1] = (spans[-1][0], last)
        else:
            spans.append((first, last))
    return spans


def _first_change(before: list[bytes], after: list[bytes], hunk: list[_Piece]) -> int:
    """The first line of the old text that a hunk changes, or that it adds lines before."""
    for tag, start, stop, start_new, _ in hunk:
        if tag != "equal":
            lines = zip(before[start:stop], after[start_new:])
            return next((start + i for i, (old, new) in enumerate(lines) if old != new), start)
    raise ValueError("the hunk changes nothing")


def _range(first: int, end: int) -> bytes:
    count = end - first
    # An empty range names the line before it.
    start = first + 1 if count else first
    return b"%d" % start if count == 1 else b"%d,%d" % (start, count)


def _hunk(before: list[bytes], after: list[bytes]) -> list[bytes]:
    pieces: list[bytes] = []
    if len(before) != len(after):
        return [_marked(b"-", line) for line in before] + [_marked(b"+", line) for line in after]
    at = 0
    while at < len(before):
        end = at
        while end < len(before) and before[end] != after[end]:
            end += 1
        pieces += [_marked(b"-", line) for line in before[at:end]]
        pieces += [_marked(b"+", line) for line in after[at:end]]
        if end < len(before):
            pieces.append(_marked(b" ", before[end]))
        at = end + 1
    return pieces


def _marked(mark: bytes, line: bytes) -> bytes:
    return mark + line if line.endswith(b"\n") else mark + line + _NO_NEWLINE


def _path(prefix: str, name: str) -> bytes:
    """A path as git writes it: quoted like a C string where it holds anything out of the ordinary."""
    raw = (prefix + name).encode("utf-8", "surrogateescape")
    if all(32 <= byte < 127 and byte not in b'"\\' for byte in raw):
        return raw
    quoted = [
        _QUOTED.get(byte)
        or (b"\\%c" % byte if byte in b'"\\' else b"%c" % byte if 32 <= byte < 127 else b"\\%03o" % byte)
        for byte in raw
    ]
    return b'"' + b"".join(quoted) + b'"'
