"""Attributes that are written as text: read into values, and written back in their own style.

MXNet stores every attribute as text, as whichever language front end wrote it: ``(1, 1)``,
``(8L, 3L)``, ``[64, 0, 3, 3]``, ``True``, ``true``, ``1e-05``.  What is not one of these is a string.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Optional, Union

from prunec.value import Value

_TOKEN = re.compile(r"\s*([()\[\],]|[^()\[\],\s]+)\s*")
# Forty digits are more than any size has; a longer one is an identifier that happens to be digits.
_INTEGER = re.compile(r"([+-]?[0-9]{1,40})([lL]?)")
_FLOAT = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,4})?")
_BRACKETS = {"(": ")", "[": "]"}
_WORDS: dict[str, Value] = {"None": None, "true": True, "false": False}
_MAXIMUM_DEPTH = 16
#: Longer texts (embedded documents, constants) are read each time instead of being remembered.
_MAXIMUM_CACHED = 2_000


@dataclass(frozen=True)
class _Leaf:
    """A number or a word of an attribute text and where it stands."""

    start: int
    end: int
    value: Value


@dataclass(frozen=True)
class _Branch:
    """A bracketed list."""

    items: tuple[_Tree, ...]


_Tree = Union[_Leaf, _Branch]


def read_value(text: str) -> Value:
    """The value an attribute text stands for.

    Integers (with or without the ``L`` of Python 2), finite floats, ``None``, truth values in any
    case, and tuples of these in round or square brackets, nested or not; ``(3)`` is a tuple of one,
    as the framework reads it.  Any other text is a string and comes back as it is.
    """
    return _read_cached(text) if len(text) <= _MAXIMUM_CACHED else _read(text)


def write_value(old_text: str, new: Value) -> str:
    """The text of ``new`` in the style of ``old_text``.

    Where the structure is the same, only the numbers that changed are replaced: brackets, spaces
    and ``L`` suffixes stay.  Where it differs, the text is written anew, in the old kind of brackets.
    """
    tree = _parse(old_text)
    if tree is None:
        return old_text if new == old_text else canonical_text(new)
    replacements: list[tuple[int, int, str]] = []
    if not _collect(old_text, tree, new, replacements):
        return canonical_text(new, square=old_text.lstrip().startswith("["))
    for start, end, replacement in reversed(replacements):
        old_text = old_text[:start] + replacement + old_text[end:]
    return old_text


def canonical_text(value: Value, square: bool = False) -> str:
    """A value as the framework's Python front end writes it; ``square`` takes square brackets."""
    if not isinstance(value, tuple):
        return value if isinstance(value, str) else repr(value)
    items = ", ".join(canonical_text(item, square) for item in value)
    if square:
        return f"[{items}]"
    return f"({items},)" if len(value) == 1 else f"({items})"


@lru_cache(maxsize=65536)
def _read_cached(text: str) -> Value:
    return _read(text)


def _read(text: str) -> Value:
    tree = _parse(text)
    return text if tree is None else _value(tree)


def _value(tree: _Tree) -> Value:
    return tree.value if isinstance(tree, _Leaf) else tuple(_value(item) for item in tree.items)


def _parse(text: str) -> Optional[_Tree]:
    """The text as a tree of numbers and words; ``None`` where it is nothing but a string."""
    stack: list[tuple[str, list[_Tree]]] = [("", [])]
    expects_item, position = True, 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            return None
        token, position = match[1], match.end()
        closing, items = stack[-1]
        if token in _BRACKETS:
            if not expects_item or len(stack) > _MAXIMUM_DEPTH:
                return None
            stack.append((_BRACKETS[token], []))
        elif token in ")]":
            # An item may be missing behind a last comma and in empty brackets, never behind two commas.
            if token != closing:
                return None
            stack.pop()
            stack[-1][1].append(_Branch(tuple(items)))
            expects_item = False
        elif token == ",":
            if expects_item or not closing:
                return None
            expects_item = True
        else:
            leaf = _leaf(token, match.start(1)) if expects_item else None
            if leaf is None:
                return None
            items.append(leaf)
            expects_item = False
    return stack[0][1][0] if len(stack) == 1 and len(stack[0][1]) == 1 else None


def _leaf(word: str, start: int) -> Optional[_Leaf]:
    end = start + len(word)
    if word == "None" or word.lower() in ("true", "false"):
        return _Leaf(start, end, _WORDS[word if word == "None" else word.lower()])
    integer = _INTEGER.fullmatch(word)
    if integer:
        return _Leaf(start, end, int(integer[1]))
    if word.lstrip("+-").isdigit() or len(word) > 400 or not _FLOAT.fullmatch(word):
        return None
    number = float(word)
    return _Leaf(start, end, number) if math.isfinite(number) else None


def _collect(text: str, tree: _Tree, new: Value, replacements: list[tuple[int, int, str]]) -> bool:
    """Add the replacements that make ``tree`` say ``new``; false where their structures differ."""
    if isinstance(tree, _Branch):
        if not isinstance(new, tuple) or len(new) != len(tree.items):
            return False
        return all(_collect(text, item, value, replacements) for item, value in zip(tree.items, new))
    if isinstance(new, tuple):
        return False
    if tree.value != new:
        replacements.append((tree.start, tree.end, _leaf_text(text[tree.start : tree.end], tree.value, new)))
    return True


def _leaf_text(old_text: str, old: Value, new: Value) -> str:
    if isinstance(new, bool):
        if isinstance(old, bool):
            word = str(new)
            return word.lower() if old_text.islower() else word.upper() if old_text.isupper() else word
        return str(int(new)) if isinstance(old, int) else str(new)
    if isinstance(new, int):
        if isinstance(old, float) and abs(new) < 2**53:
            return repr(float(new))
        suffix = old_text[-1] if isinstance(old, int) and old_text[-1] in "lL" else ""
        return f"{new}{suffix}"
    return canonical_text(new)
