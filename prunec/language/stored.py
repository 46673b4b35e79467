"""Parsed rules in the cache: what does not change need not be parsed again.

Reading the grammar and parsing the built-in rules takes longer than all checks.  A stretch of text is known
by its SHA-256 together with that of all its tree depends on, so an edited rule is another stretch, and the
other rules of its file are still known.  The trees are JSON, checked node by node when they are read.
"""

from __future__ import annotations

import hashlib
import json
import math
from functools import lru_cache
from pathlib import Path
from typing import Any, Callable, Mapping, Optional, Union, get_args, get_origin, get_type_hints

from prunec import __version__
from prunec.language import syntax
from prunec.language.parser import keywords, parse_chunk
from prunec.language.reasons import with_reasons
from prunec.language.resources import data_folder
from prunec.language.syntax import Rule
from prunec.support import cache
from prunec.support.diagnostics import Source, Span

_KIND = "rules"
#: Trees that take more bytes than this are not kept.
_MAXIMUM_BYTES = 1 << 17
#: Numbers are smaller than these, as in what is parsed.
_BOUNDS: Mapping[type, float] = {int: 10**syntax.MAXIMUM_DIGITS, float: math.inf}


def read_chunk(source: Source, start: int, end: int) -> tuple[Rule, ...]:
    """The rules between two offsets of a source, from the cache where it has them.

    Raises ``PrunecError`` with one syntax error.
    """
    text = source.text[start:end].encode("utf-8", "surrogatepass")
    name = hashlib.sha256(_fingerprint() + text).hexdigest() + ".json"
    data = cache.read(_KIND, name, _MAXIMUM_BYTES)
    rules = None if data is None else decoded(data, source, start, end)
    if rules is None or not _fit(rules, source, start, end):
        rules = parse_chunk(source, start, end)
        new = encoded(rules, start)
        if len(new) <= _MAXIMUM_BYTES:
            cache.write(_KIND, name, new)
    return with_reasons(rules, source)


def _fit(rules: tuple[Rule, ...], source: Source, start: int, end: int) -> bool:
    """Whether there are as many rules as a stretch of text has, for the operators that it names."""
    names = [name for rule in rules for name in rule.operators]
    count = len(keywords(source.text, start, end))
    return len(rules) == count and all(name.span.text == name.name for name in names)


@lru_cache(maxsize=1)
def _fingerprint() -> bytes:
    """What a tree depends on besides its text: the version, the grammar, and the modules that make trees."""
    here = Path(__file__).parent
    files = [
        data_folder("grammar") / "prune.lark",
        *(here / f"{n}.py" for n in ("syntax", "builder", "stored")),
    ]
    digest = hashlib.sha256(__version__.encode())
    for file in files:
        try:
            digest.update(hashlib.sha256(file.read_bytes()).digest())
        except OSError:  # an installation without sources; a missing grammar is told of by the parser
            digest.update(b"-")
    return digest.digest()


# --- trees as JSON ---


def encoded(rules: tuple[Rule, ...], start: int) -> bytes:
    """Rules as JSON; places count from an offset of their source."""
    return json.dumps([_plain(rule, start) for rule in rules], separators=(",", ":")).encode()


def decoded(data: bytes, source: Source, start: int, end: int) -> Optional[tuple[Rule, ...]]:
    """The rules that JSON speaks of, at a place of a source; ``None`` where it is not what was written."""
    try:
        document = json.loads(data)
        return tuple(_many(_node(Rule))(document, _Place(source, start, end)))
    except (ValueError, TypeError, LookupError, RecursionError):
        return None


class _Place:
    """The stretch of a source that a tree is of."""

    def __init__(self, source: Source, start: int, end: int) -> None:
        self.source = source
        self.start = start
        self.length = end - start

    def span(self, first: object, last: object) -> Span:
        if type(first) is not int or type(last) is not int or not 0 <= first <= last <= self.length:
            raise ValueError(first, last)
        return Span(self.source, self.start + first, self.start + last)


def _plain(value: Any, start: int) -> Any:
    """A node as a list: its class, its place, its fields."""
    if isinstance(value, tuple):
        return [_plain(item, start) for item in value]
    number = _NUMBERS.get(type(value))
    if number is None:
        return value
    fields = [_plain(getattr(value, name), start) for name in _FIELDS[number][1]]
    return [number, value.span.start - start, value.span.end - start, *fields]


_Reader = Callable[[Any, _Place], Any]


def _exactly(*types: type) -> _Reader:
    def read(value: Any, place: _Place) -> Any:
        bound = _BOUNDS.get(type(value))
        if type(value) not in types or (bound is not None and not abs(value) < bound):
            raise ValueError(value)
        return value

    return read


def _literal(value: Any, place: _Place) -> Any:
    """The value of a literal; the empty tuple is an empty list."""
    return () if value == [] else _simple(value, place)


def _many(item: _Reader) -> _Reader:
    def read(value: Any, place: _Place) -> Any:
        if type(value) is not list:
            raise ValueError(value)
        return tuple(item(entry, place) for entry in value)

    return read


def _maybe(item: _Reader) -> _Reader:
    return lambda value, place: None if value is None else item(value, place)


def _node(*classes: Any) -> _Reader:
    """Reads a node of one of some classes."""
    wanted = frozenset(classes)

    def read(value: Any, place: _Place) -> Any:
        if type(value) is not list or type(value[0]) is not int or value[0] < 0:
            raise ValueError(value)
        number, first, last, *fields = value
        made, names, readers = _FIELDS[number]
        if made not in wanted or len(fields) != len(names):
            raise ValueError(value)
        given = {name: reader(field, place) for name, reader, field in zip(names, readers, fields)}
        return made(**given, span=place.span(first, last))

    return read


_simple = _exactly(type(None), bool, int, float, str)


def _reader(hint: Any) -> _Reader:
    """Reads what a field of a node may hold."""
    if hint in (str, int, bool, float):
        return _exactly(hint)
    if hint in _NUMBERS:
        return _node(hint)
    parts = get_args(hint)
    if get_origin(hint) is tuple:
        return _many(_reader(parts[0]))
    if type(None) in parts:
        return _maybe(_reader(Union[tuple(part for part in parts if part is not type(None))]))
    return _node(*parts)


def _fields(node: type) -> tuple[type, tuple[str, ...], tuple[_Reader, ...]]:
    """A class of nodes with its fields, but for the place, and how each is read."""
    if node is syntax.Literal:
        return node, ("value",), (_literal,)
    hints = {name: hint for name, hint in get_type_hints(node).items() if name not in ("span", "chosen")}
    return node, tuple(hints), tuple(_reader(hint) for hint in hints.values())


#: The classes of nodes that rules consist of, by number.
_CLASSES = (*get_args(syntax.Expression), *get_args(syntax.AxisExpression), *get_args(syntax.Statement))
_CLASSES += get_args(syntax.Hint)
_CLASSES += (
    syntax.Axis,
    syntax.Alternative,
    syntax.TensorPattern,
    syntax.Signature,
    syntax.ZeroCondition,
    syntax.Attribute,
    syntax.Reason,
    Rule,
)
_NUMBERS: Mapping[Any, int] = {node: number for number, node in enumerate(dict.fromkeys(_CLASSES))}
_FIELDS = tuple(_fields(node) for node in _NUMBERS)
