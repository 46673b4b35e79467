"""What bad inputs are made of: files in a folder, and a command line."""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Callable, Union

import numpy as np

#: What a file holds, or what makes it.
Content = Union[str, bytes, Callable[[], bytes]]


@dataclass(frozen=True)
class Case:
    """Files in an empty folder, and a command line of ``prunec`` that is run there; ``needs`` is a package
    without which something else is said."""

    name: str
    files: Mapping[str, Content]
    command: tuple[str, ...]
    needs: str = ""


def rule(name: str, text: str) -> Case:
    """A rule file that is checked."""
    return Case(name, {"my.prune": text}, ("rules", "check", "my.prune", "--alone"))


def model(name: str, content: Content, *options: str, **others: Content) -> Case:
    """A model that is to be pruned, with other files (``_`` stands for ``.`` in their names)."""
    files = {"net-symbol.json": content, **{key.replace("_", "."): value for key, value in others.items()}}
    return Case(name, files, ("groups", "net-symbol.json", *options))


# --- models ---

Node = tuple[str, str, Sequence[int], Mapping[str, str]]


def symbol(*nodes: Node, heads: Any = None, **changes: Any) -> str:
    """A symbol file of nodes (operator, name, numbers of the inputs, attributes); the last one is the
    output."""
    entries = [
        {"op": op, "name": name, "attrs": dict(attributes), "inputs": [[i, 0, 0] for i in inputs]}
        for op, name, inputs, attributes in nodes
    ]
    document = {
        "nodes": entries,
        "arg_nodes": [i for i, node in enumerate(nodes) if node[0] == "null"],
        "heads": [[len(nodes) - 1, 0, 0]] if heads is None else heads,
    }
    return json.dumps({**document, **changes}, indent=2)


DATA: Node = ("null", "data", (), {})
WEIGHT: Node = ("null", "conv_weight", (), {"__shape__": "(8, 3, 3, 3)", "__init__": "zero"})
CONV: Node = (
    "Convolution",
    "conv",
    (0, 1),
    {"kernel": "(3, 3)", "num_filter": "8", "no_bias": "True"},
)
INPUT = ("--input", "data=1,3,8,8")


def changed(node: Node, **attributes: str) -> Node:
    """A node with other attributes."""
    return (node[0], node[1], node[2], {**node[3], **attributes})


def parameters(**shapes: tuple[int, ...]) -> bytes:
    """A parameter file of zeros in float32."""
    data = struct.pack("<QQQ", 0x112, 0, len(shapes))
    for shape in shapes.values():
        size = 1
        for length in shape:
            size *= length
        data += struct.pack("<IiI", 0xF993FAC9, 0, len(shape)) + struct.pack(f"<{len(shape)}q", *shape)
        data += struct.pack("<iii", 1, 0, 0) + bytes(4 * size)
    data += struct.pack("<Q", len(shapes))
    for name in shapes:
        text = f"arg:{name}".encode()
        data += struct.pack("<Q", len(text)) + text
    return data


def examples(**arrays: Any) -> Callable[[], bytes]:
    """A file of examples, of these arrays."""

    def made() -> bytes:
        file = io.BytesIO()
        np.savez(file, **arrays)
        return file.getvalue()

    return made


GOOD = symbol(DATA, WEIGHT, CONV)
WEIGHTS = parameters(conv_weight=(8, 3, 3, 3))

#: A network in which channels can go, and its parameters.
SECOND_WEIGHT: Node = ("null", "second_weight", (), {"__shape__": "(4, 8, 3, 3)", "__init__": "zero"})
SECOND: Node = ("Convolution", "second", (2, 3), {**CONV[3], "num_filter": "4"})
NET = symbol(DATA, WEIGHT, CONV, SECOND_WEIGHT, SECOND)
NET_WEIGHTS = parameters(conv_weight=(8, 3, 3, 3), second_weight=(4, 8, 3, 3))
