"""Where the values of a JSON text stand, for changing some of them and nothing else.

All positions are character offsets into a text that is known to be valid JSON; the standard library's
parser finds the end of each value.
"""

from __future__ import annotations

import json
import re
from typing import Iterator

_SPACE = re.compile(r"[ \t\r\n]*")
_DECODER = json.JSONDecoder()


def skip_space(text: str, position: int) -> int:
    """The position behind white space."""
    match = _SPACE.match(text, position)
    return match.end() if match else position


def elements(text: str, position: int) -> Iterator[tuple[int, int]]:
    """Start and end of each element of the array that opens at ``position``."""
    position = skip_space(text, position + 1)
    while text[position] != "]":
        _, end = _DECODER.raw_decode(text, position)
        yield position, end
        position = skip_space(text, end)
        if text[position] == ",":
            position = skip_space(text, position + 1)


def members(text: str, position: int) -> Iterator[tuple[str, int, int]]:
    """Key, value start and value end of each member of the object that opens at ``position``."""
    position = skip_space(text, position + 1)
    while text[position] != "}":
        key, end = _DECODER.raw_decode(text, position)
        start = skip_space(text, skip_space(text, end) + 1)
        _, end = _DECODER.raw_decode(text, start)
        yield key, start, end
        position = skip_space(text, end)
        if text[position] == ",":
            position = skip_space(text, position + 1)
