"""Files of text, of the types that a classifier of files knows: each written by a template or a few lines.

Every function takes a source of chance and gives the whole file; no two are the same.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Callable

import numpy as np

from bench.restoring_tasks.lines import WORDS

Random = np.random.Generator
Write = Callable[[Random], str]

_TEMPLATES = Path(__file__).with_name("templates.txt")
#: How deep values of JSON and elements of XML are nested.
_DEEPEST = 3


def _word(random: Random) -> str:
    return str(random.choice(WORDS))


def _some(random: Random, least: int, most: int) -> range:
    return range(int(random.integers(least, most + 1)))


def _words(random: Random, least: int = 2, most: int = 10) -> str:
    return " ".join(_word(random) for _ in _some(random, least, most))


def _paragraph(random: Random) -> str:
    return " ".join(f"{_words(random, 4).capitalize()}." for _ in _some(random, 2, 6))


def _date(random: Random) -> str:
    return f"20{random.integers(10, 26)}-{random.integers(1, 13):02}-{random.integers(1, 29):02}"


# --- templates ---

_MARKS: Mapping[str, Write] = {
    "w": _word,
    "W": lambda random: _word(random).capitalize(),
    "s": _words,
    "p": _paragraph,
    "n": lambda random: str(random.integers(1000)),
    "d": _date,
    "h": lambda random: f"{random.integers(1 << 24):06x}",
}


def _filled(template: str, random: Random) -> str:
    """The template with something in the place of each mark."""
    same = {letter: _word(random) for letter in "abc"}
    same.update({letter.upper(): word.capitalize() for letter, word in same.items()})
    return re.sub("«(.)»", lambda found: same.get(found[1]) or _MARKS[found[1]](random), template)


@cache
def _templates() -> Mapping[str, tuple[str, tuple[str, ...]]]:
    """By type, how lines end and the beginning, what is repeated and the end."""
    blocks = _TEMPLATES.read_text(encoding="utf-8").split("\n=== ")[1:]
    found = {}
    for block in blocks:
        title, _, body = block.partition("\n")
        name, _, form = title.partition(" ")
        found[name] = ("\r\n" if form == "crlf" else "\n", tuple(re.split(r"(?m)^---$\n?", f"{body}\n")))
    return found


def _from_template(name: str, random: Random) -> str:
    ending, (begin, part, end) = _templates()[name]
    parts = [begin, *(part for _ in _some(random, 2, 8)), end]
    return "".join(_filled(own, random) for own in parts).replace("\n", ending)


# --- what a template does not do ---


def _value(random: Random, depth: int = 0) -> Any:
    kind = int(random.integers(7 if depth < _DEEPEST else 5))
    if kind == 6:
        return _object(random, depth + 1)
    if kind == 5:
        return [_value(random, depth + 1) for _ in _some(random, 1, 5)]
    plain = (
        _words(random, 1, 4),
        _word(random),
        int(random.integers(1000)),
        None,
        round(float(random.normal()), 4),
    )
    return plain[kind]


def _object(random: Random, depth: int = 0) -> dict[str, Any]:
    return {_word(random): _value(random, depth) for _ in _some(random, 3, 8)}


def _json(random: Random) -> str:
    return json.dumps([_object(random) for _ in _some(random, 2, 6)], indent=int(random.choice([1, 2, 4])))


def _jsonl(random: Random) -> str:
    keys = [_word(random) for _ in _some(random, 3, 6)]
    rows = ({key: _value(random, _DEEPEST) for key in keys} for _ in _some(random, 10, 40))
    return "".join(json.dumps(row) + "\n" for row in rows)


def _table(random: Random, delimiter: str) -> str:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator="\n")
    kinds = random.integers(0, 4, int(random.integers(4, 10)))
    writer.writerow([_word(random) for _ in kinds])
    for row in _some(random, 15, 60):
        cells = (str(row), _word(random), f"{random.normal(50, 20):.2f}", _date(random))
        writer.writerow([cells[kind] for kind in kinds])
    return text.getvalue()


def _element(random: Random, depth: int = 0) -> str:
    name, pad = _word(random), "  " * depth
    start = f'{pad}<{name} id="{random.integers(1000)}" {_word(random)}="{_word(random)}">'
    if depth == _DEEPEST or random.random() < 0.2:
        return f"{start}{_words(random, 1, 5)}</{name}>"
    inner = "\n".join(_element(random, depth + 1) for _ in _some(random, 2, 4))
    return f"{start}\n{inner}\n{pad}</{name}>"


def _xml(random: Random) -> str:
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{_element(random)}\n'


def _subtitles(random: Random) -> str:
    lines = []
    for number in _some(random, 10, 60):
        time = f"00:{number // 20:02}:{number % 20 * 3:02},"
        spoken = _words(random, 3, 8).capitalize()
        lines.append(f"{number + 1}\n{time}{random.integers(999):03} --> {time}999\n{spoken}.\n")
    return "\n".join(lines)


_WRITTEN: Mapping[str, Write] = {
    "csv": lambda random: _table(random, ","),
    "json": _json,
    "jsonl": _jsonl,
    "srt": _subtitles,
    "tsv": lambda random: _table(random, "\t"),
    "xml": _xml,
}
#: The classifier's names of the types that are written here.
TEXTS = tuple(sorted([*_WRITTEN, *_templates()]))


def text(kind: str, random: Random) -> bytes:
    """A file of one of :data:`TEXTS`."""
    written = _WRITTEN[kind](random) if kind in _WRITTEN else _from_template(kind, random)
    return written.encode()


def some_text(random: Random) -> bytes:
    """A file of any of them."""
    return text(TEXTS[int(random.integers(len(TEXTS)))], random)
