"""MXNet symbol files written back with attributes changed: byte for byte what was read, except for values
that changed.
"""

from __future__ import annotations

import json
from typing import Mapping

from prunec.frontends.attribute_text import write_value
from prunec.frontends.mxnet.json_spans import elements, members, skip_space
from prunec.frontends.mxnet.symbol import DICTIONARIES, SymbolFile, too_deep
from prunec.value import Value

_Edit = tuple[int, int, str]


def rewrite(file: SymbolFile, changes: Mapping[tuple[int, str], Value]) -> bytes:
    """The bytes of the file with attributes changed: (node index, attribute name) -> new value.

    A value is changed in every dictionary of its node that holds it and keeps the style of its text;
    all other bytes stay.  Raises ValueError for an attribute that its node does not have.
    """
    if not changes:
        return file.data
    wanted: dict[int, dict[str, Value]] = {}
    for (node, attribute), value in changes.items():
        wanted.setdefault(node, {})[attribute] = value
    text = file.data.decode("utf-8")
    edits: list[_Edit] = []
    try:
        for index, (start, _) in enumerate(elements(text, nodes_start(text))):
            if index in wanted:
                edits += _node_edits(text, start, wanted.pop(index), file.describe(index))
    except RecursionError:
        too_deep(file.name)
    if wanted:
        raise ValueError(f"{file.name} has no node {min(wanted)}")
    pieces, position = [], 0
    for start, end, replacement in edits:
        pieces += [text[position:start], replacement]
        position = end
    return "".join([*pieces, text[position:]]).encode("utf-8")


def nodes_start(text: str) -> int:
    """Where the list of nodes opens; of two, the last one counts, as in reading."""
    opening = skip_space(text, 1 if text.startswith("\ufeff") else 0)
    return [start for key, start, _ in members(text, opening) if key == "nodes"][-1]


def _node_edits(text: str, position: int, changes: Mapping[str, Value], where: str) -> list[_Edit]:
    edits: list[_Edit] = []
    missing = set(changes)
    for key, start, _ in members(text, position):
        # A key that stands twice can be a dictionary once and something else before.
        if key not in DICTIONARIES or text[start] != "{":
            continue
        for attribute, begin, end in members(text, start):
            if attribute in changes:
                missing.discard(attribute)
                edits.append((begin, end, _new_token(text[begin:end], changes[attribute])))
    if missing:
        raise ValueError(f"{where} has no attribute {min(missing)}")
    return edits


def _new_token(token: str, value: Value) -> str:
    """The JSON token for a new value, in the style of the old one; the same token where nothing changes."""
    old = json.loads(token)
    if isinstance(old, str):
        new_text = write_value(old, value)
        return token if new_text == old else json.dumps(new_text, ensure_ascii=False)
    if old == value:
        return token
    plain = value is None or isinstance(value, (bool, int, float))
    return json.dumps(value if plain else write_value(token, value), ensure_ascii=False)
