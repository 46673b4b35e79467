"""Positions as the protocol counts them: lines from zero, characters in UTF-16 code units."""

from __future__ import annotations


def offset_of(text: str, line: int, character: int) -> int:
    """The offset of a position; one behind the end of a line or of the text is that end."""
    start = 0
    for _ in range(line):
        end = text.find("\n", start)
        if end < 0:
            return len(text)
        start = end + 1
    end = text.find("\n", start)
    row = text[start : len(text) if end < 0 else end]
    units = 0
    for position, letter in enumerate(row):
        if units >= character:
            return start + position
        units += _units(letter)
    return start + len(row)


def position_of(text: str, offset: int) -> tuple[int, int]:
    """The line and the character of an offset."""
    line = text.count("\n", 0, offset)
    start = text.rfind("\n", 0, offset) + 1
    return line, sum(_units(letter) for letter in text[start:offset])


def _units(letter: str) -> int:
    return 2 if ord(letter) > 0xFFFF else 1
