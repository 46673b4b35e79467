"""Programs in training mode.

A program that was exported in eval mode stays in it: batch normalisation reads its statistics and does not
change them, and nothing is dropped out, also where its parameters are trained.  What its operators are told
can be changed in its text.
"""

from __future__ import annotations

import copy
from typing import Any, Iterator, Mapping

from prunec.frontends.pytorch.names import operator_name
from prunec.frontends.pytorch.schemas import schema

#: What schemas call the arguments that say whether a model is trained, and their types.
_NAMES = ("train", "training")
_KINDS = ("bool", "bool?")
#: How the file marks an argument that is given by name.
_BY_NAME = 2


def has_training_mode(document: Mapping[str, Any]) -> bool:
    """Whether a node of the program is told not to train."""
    return any(True for _ in _switches(document))


def training_document(document: Mapping[str, Any]) -> dict[str, Any]:
    """The text of the same program in training mode."""
    trained = copy.deepcopy(dict(document))
    for node, name, place in list(_switches(trained)):
        if place < len(node["inputs"]):
            node["inputs"][place]["arg"] = {"as_bool": True}
        else:
            node["inputs"].append({"name": name, "arg": {"as_bool": True}, "kind": _BY_NAME})
    return trained


def _switches(document: Mapping[str, Any]) -> Iterator[tuple[Any, str, int]]:
    """The nodes that are told not to train: the argument's name, and its place among those that are given;
    behind the last for one that is left out."""
    for node in document["graph_module"]["graph"]["nodes"]:
        known = schema(operator_name(node["target"]))
        given = node["inputs"]
        # Old files give arguments by their places.
        names = [entry.get("name") or str(place) for place, entry in enumerate(given)]
        for at, argument in enumerate(() if known is None else known.arguments):
            if argument.name not in _NAMES or argument.kind not in _KINDS:
                continue
            name = next((name for name in (argument.name, str(at)) if name in names), None)
            place = len(given) if name is None else names.index(name)
            value = {"as_bool": argument.default} if name is None else given[place]["arg"]
            if value == {"as_bool": False}:
                yield node, argument.name, place
