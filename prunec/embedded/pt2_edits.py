"""Changes of an exported program as plain data, and how they are made.

A node is called by the name of the first value it gives, which is unique in a program.
"""

from dataclasses import dataclass, field
from typing import Any, Mapping, NamedTuple, Optional, Sequence, Union

#: A size or a stride: a number, or the text of an expression with the number it was in the export's example.
Size = Union[int, tuple[str, int]]


class Extent(NamedTuple):
    """What is stated anew of a value: the sizes of some axes, and the strides of all (None: as they were)."""

    sizes: Mapping[int, int]
    strides: Sequence[Optional[Size]]


@dataclass(frozen=True)
class ProgramEdits:
    """All changes of a program but for the slices of its tensors.

    ``arguments``: for the node that gives a value, new values of arguments; None in a list for an element
    that stays.  ``extents``: what is stated anew of the shapes of values.  ``tied``: tensors that are cut as
    others are, whose elements they share.
    """

    arguments: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    extents: Mapping[str, Extent] = field(default_factory=dict)
    tied: Mapping[str, str] = field(default_factory=dict)


def nodes_by_key(document: Mapping[str, Any]) -> dict[str, Any]:
    """The nodes of a program by what they are called."""
    nodes = document["graph_module"]["graph"]["nodes"]
    return {key: node for node in nodes for key in [key_of(node)] if key}


def key_of(node: Any) -> str:
    """What a node is called: the first name among its outputs."""
    for output in node["outputs"]:
        for value in output.values():
            for entry in value if isinstance(value, list) else [value]:
                if isinstance(entry, dict):
                    name = entry.get("name", entry.get("as_name"))
                    if name:
                        return str(name)
    return ""


def argument_of(node: Any, name: str) -> Any:
    """The argument of a name; None where the node has none."""
    return next((entry["arg"] for entry in node["inputs"] if entry.get("name") == name), None)


def apply_edits(document: Mapping[str, Any], edits: ProgramEdits) -> None:
    """Makes the changes in a document, in place."""
    nodes = nodes_by_key(document)
    for key, arguments in edits.arguments.items():
        for name, value in arguments.items():
            _set(argument_of(nodes[key], name), value)
    metas = document["graph_module"]["graph"]["tensor_values"]
    for name, extent in edits.extents.items():
        _restate(metas[name], extent)


def _set(argument: Any, value: Any) -> None:
    ((kind, old),) = argument.items()
    if not isinstance(value, tuple):
        argument[kind] = {"as_int": value} if isinstance(old, dict) else value
    elif len(value) != len(old):
        argument[kind] = [{"as_int": own} if kind == "as_sym_ints" else own for own in value]
    else:
        for place, own in enumerate(value):
            if own is not None:
                old[place] = {"as_int": own} if isinstance(old[place], dict) else own


def _restate(meta: Any, extent: Extent) -> None:
    for axis, size in extent.sizes.items():
        meta["sizes"][axis] = {"as_int": size}
    for axis, stride in enumerate(extent.strides):
        if isinstance(stride, int):
            meta["strides"][axis] = {"as_int": stride}
        elif stride is not None:
            text, hint = stride
            meta["strides"][axis] = {"as_expr": {"expr_str": text, "hint": {"as_int": hint}}}
