"""Names and numbers as a report shows them.

Names come from strangers' files: they may be markup, hold control and direction characters, or be
very long.  Everything a report shows of them passes through :func:`shown` and is then escaped.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Optional, Sequence

from prunec.graph import Shape
from prunec.support.diagnostics import printable

#: Longest name shown in full; of a longer one its two ends.
NAME_LIMIT = 80
_SEPARATORS = re.compile(r"[_/.:\-]+")
#: Characters of a name that are looked at for its scopes.
_SCOPE_LIMIT = 200
_UNITS = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


def shown(text: str, limit: int = NAME_LIMIT) -> str:
    """A text in at most ``limit`` characters (those that are escaped counted as one), without control and
    direction characters; its middle is left out where it is longer, since names that differ do so at either
    end."""
    if len(text) > limit:
        head, tail = limit - 1 - limit // 3, limit // 3
        text = f"{text[:head]}…{text[len(text) - tail :]}"
    return printable(text, 8 * limit)


def ending(text: str, limit: int) -> str:
    """The end of a text that fits into ``limit`` characters, as :func:`shown`."""
    if len(text) > limit:
        text = "…" + text[len(text) - limit + 1 :]
    return printable(text, 8 * limit)


def scopes(name: str) -> tuple[str, ...]:
    """The parts of a name between its separators, outermost first."""
    return tuple(part for part in _SEPARATORS.split(name[:_SCOPE_LIMIT]) if part)


def common_scopes(names: Sequence[tuple[str, ...]]) -> int:
    """How many leading parts all names share."""
    if not names:
        return 0
    low, high = min(names), max(names)
    count = 0
    for first, second in zip(low, high):
        if first != second:
            break
        count += 1
    return count


def usual_scope(parts: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """The longest leading parts that at least three quarters of the names have."""
    found: tuple[str, ...] = ()
    own = list(parts)
    while True:
        counts = Counter(name[: len(found) + 1] for name in own if len(name) > len(found))
        if not counts:
            return found
        scope, count = max(counts.items(), key=lambda item: item[1])
        if count < 0.75 * len(parts):
            return found
        found = scope
        own = [name for name in own if name[: len(found)] == found]


def without_scopes(name: str, count: int) -> str:
    """The name without its first parts; the whole name where nothing would be left."""
    position = 0
    for _ in range(count):
        match = _SEPARATORS.search(name, position + 1)
        if match is None or match.end() >= len(name):
            return name
        position = match.end()
    return name[position:]


def size_text(shape: Optional[Shape]) -> str:
    """A shape as ``1×64×56×56``, unknown sizes as question marks."""
    if shape is None:
        return "?"
    if not shape:
        return "scalar"
    return "×".join("?" if size is None else str(size) for size in shape)


def amount(number: Optional[float]) -> str:
    """A count to three digits with a unit: ``25.6 M``; ``?`` where it is not known."""
    if number is None:
        return "?"
    for scale, unit in _UNITS:
        if abs(number) >= scale:
            value = number / scale
            digits = 2 if value < 10 else 1 if value < 100 else 0
            return f"{value:.{digits}f} {unit}"
    return f"{number:.0f}"


def exact(number: Optional[int]) -> str:
    """A count in full, with commas between thousands."""
    return "?" if number is None else f"{number:,}"


def percent_less(before: Optional[float], after: Optional[float]) -> str:
    """The change from one number to another in percent, with a minus sign where it is less."""
    if before is None or after is None or not before:
        return ""
    change = 100 * (after - before) / before
    if after == before:
        return "same"
    text = f"{abs(change):.0f}" if abs(change) >= 9.95 else f"{abs(change):.1f}"
    return f"{'−' if change < 0 else '+'}{text} %"
