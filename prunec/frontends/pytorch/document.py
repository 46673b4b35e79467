"""The text of an exported program (``models/NAME.json``) as plain data: what nodes take and give.

Nothing is taken for granted: the file may be damaged, or somebody's trap.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Mapping, NamedTuple, Optional, Sequence, Union

from prunec.embedded.pt2_tensors import TYPES


class Malformed(ValueError):
    """What a program says that none can say."""


class Value(NamedTuple):
    """A tensor of the program, by its name."""

    name: str


class Symbolic(NamedTuple):
    """A number that the program computes, by its name."""

    name: str


class Omitted(NamedTuple):
    """An argument that says nothing about channels, by its kind: a device, a layout, a graph of its own;
    ``number`` is what stands there, where that is a number."""

    kind: str
    number: Optional[int] = None


Argument = Union[None, bool, int, float, str, Value, Symbolic, Omitted, tuple["Argument", ...]]

#: Kinds of arguments that hold a list of what another holds.
_LISTS = ("as_ints", "as_floats", "as_bools", "as_strings")
_SYMBOLIC = ("as_sym_int", "as_sym_bool", "as_sym_float")


@dataclass(frozen=True)
class ProgramNode:
    """A node: its arguments by the names of the schema (by position where the file tells none), and the
    names of the values it gives, ``None`` for what it leaves out.  ``numbers`` are those that are no
    tensors."""

    name: str
    target: str
    arguments: tuple[tuple[str, Argument], ...]
    outputs: tuple[Argument, ...]
    module: str

    @property
    def values(self) -> tuple[str, ...]:
        """The tensors it gives, in order, those of a list one after the other."""
        return tuple(one.name for one in flattened(self.outputs) if isinstance(one, Value))

    @property
    def has_graph(self) -> bool:
        """Whether a graph of its own is among the arguments."""
        return any(one == Omitted("as_graph") for _, own in self.arguments for one in flattened((own,)))


class InputSpec(NamedTuple):
    """What an input of the graph is: ``kind`` is that of the signature, ``target`` the name of the tensor
    of the archive it stands for, "" for what the caller gives."""

    kind: str
    target: str
    argument: Argument


@dataclass(frozen=True)
class ProgramText:
    """A program: its inputs in order, nodes, outputs, and what it states of the shapes of values."""

    inputs: tuple[InputSpec, ...]
    nodes: tuple[ProgramNode, ...]
    outputs: tuple[Argument, ...]
    metas: Mapping[str, Mapping[str, Any]]
    symbols: Mapping[str, Any]

    @property
    def input_names(self) -> tuple[str, ...]:
        """The names of the tensors that whoever runs the program gives, in order."""
        return tuple(s.argument.name for s in self.inputs if isinstance(s.argument, Value) and not s.target)


def program_text(document: Any) -> ProgramText:
    """The program of a document.  Raises :class:`Malformed`."""
    module = _member(document, "graph_module", dict)
    graph = _member(module, "graph", dict)
    signature = _member(module, "signature", dict)
    metas = _member(graph, "tensor_values", dict)
    if not all(isinstance(meta, dict) for meta in metas.values()):
        raise Malformed("what it states of a value is no table")
    inputs = [argument(entry) for entry in _member(graph, "inputs", list)]
    specs = _member(signature, "input_specs", list)
    if len(specs) != len(inputs):
        raise Malformed(f"the signature has {len(specs)} inputs, the graph {len(inputs)}")
    nodes = graph_nodes(graph)
    outputs = [argument(entry) for entry in _member(graph, "outputs", list)]
    symbols = graph.get("sym_int_values")
    return ProgramText(
        tuple(_spec(entry, own) for entry, own in zip(specs, inputs)),
        nodes,
        tuple(outputs),
        metas,
        symbols if isinstance(symbols, dict) else {},
    )


def graph_nodes(graph: Any) -> tuple[ProgramNode, ...]:
    """The nodes of a graph, in their order.  Raises :class:`Malformed`."""
    return tuple(_node(entry, index) for index, entry in enumerate(_member(graph, "nodes", list)))


def argument(entry: Any) -> Argument:
    """What an argument says.  Raises :class:`Malformed`."""
    if not isinstance(entry, dict) or len(entry) != 1:
        raise Malformed("an argument is no table of one entry")
    ((kind, value),) = entry.items()
    if kind == "as_tensor":
        return Value(_name(value))
    if kind == "as_tensors":
        return tuple(Value(_name(one)) for one in _list(value))
    if kind == "as_none":
        return None
    if kind == "as_optional_tensor":
        return argument(value)
    if kind == "as_optional_tensors":
        return tuple(argument(one) for one in _list(value))
    if kind in _LISTS:
        return tuple(_single(one) for one in _list(value))
    if kind in ("as_int_lists", "as_float_lists"):
        return tuple(tuple(_single(one) for one in _list(own)) for own in _list(value))
    if kind in _SYMBOLIC:
        return _symbolic(value)
    if kind.endswith("s") and kind[:-1] in _SYMBOLIC:
        return tuple(_symbolic(one) for one in _list(value))
    if kind == "as_scalar_type":
        return TYPES[value][0] if isinstance(value, int) and value in TYPES else Omitted(kind)
    if kind in ("as_int", "as_bool", "as_string"):
        return _single(value)
    if kind == "as_float":
        # Infinities are written as texts.
        return _float(value)
    return Omitted(kind, value if isinstance(value, int) else None)


def flattened(arguments: Sequence[Argument]) -> list[Argument]:
    """Arguments, with those of lists one after the other."""
    flat: list[Argument] = []
    for one in arguments:
        if isinstance(one, tuple) and not isinstance(one, (Value, Symbolic, Omitted)):
            flat += flattened(one)
        else:
            flat.append(one)
    return flat


def _node(entry: Any, index: int) -> ProgramNode:
    target = _member(entry, "target", str)
    arguments = []
    for place, own in enumerate(_member(entry, "inputs", list)):
        name = own.get("name") if isinstance(own, dict) else None
        arguments.append((name or str(place), argument(_member(own, "arg", dict))))
    outputs = tuple(argument(own) for own in _member(entry, "outputs", list))
    given = entry.get("name")
    first = next((one.name for one in flattened(outputs) if isinstance(one, (Value, Symbolic))), "")
    name = given if isinstance(given, str) and given else first or f"node {index}"
    return ProgramNode(name, target, tuple(arguments), outputs, _module(entry.get("metadata")))


def _module(metadata: Any) -> str:
    """The module of the user's that a node was written in: "layer1.0.conv1"."""
    stack = metadata.get("nn_module_stack") if isinstance(metadata, dict) else None
    last = stack.split(";")[-1].split(",") if isinstance(stack, str) else []
    return last[1] if len(last) > 1 else ""


def _spec(entry: Any, given: Argument) -> InputSpec:
    if not isinstance(entry, dict) or len(entry) != 1:
        raise Malformed("an input of the signature is no table of one entry")
    ((kind, value),) = entry.items()
    target = value.get(f"{kind}_name") if isinstance(value, dict) else None
    if kind in ("parameter", "buffer", "tensor_constant") and not isinstance(target, str):
        raise Malformed(f"an input of the signature is a {kind} without a name")
    return InputSpec(kind, target if isinstance(target, str) else "", given)


def _symbolic(value: Any) -> Argument:
    if isinstance(value, dict) and len(value) == 1:
        if "as_name" in value:
            return Symbolic(_text(value["as_name"]))
        return _single(next(iter(value.values())))
    raise Malformed("a size is no table of one entry")


def _single(value: Any) -> Argument:
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise Malformed("an argument is no number, text or truth value")


def _float(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise Malformed("an argument is no number") from None


def _name(value: Any) -> str:
    return _text(_member(value, "name", str))


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise Malformed("a value has no name")
    return value


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise Malformed("an argument is no list")
    return value


def _member(table: Any, key: str, kind: type) -> Any:
    value = table.get(key) if isinstance(table, dict) else None
    if not isinstance(value, kind):
        raise Malformed(f'there is no "{key}"')
    return value
