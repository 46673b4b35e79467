"""MXNet symbol files (``…-symbol.json``), read into the graph.

Every dialect since 2016 is read: attributes under ``attrs``, ``attr`` or ``param``, entries of two or
three numbers, with and without ``node_row_ptr``.
"""

from __future__ import annotations

import json
import os
import stat
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Collection, Mapping, NoReturn, Optional, Sequence, Union

from prunec.frontends.attribute_text import read_value
from prunec.graph import Graph, Node, Shape, Tensor
from prunec.support.diagnostics import Diagnostic, PrunecError, printable
from prunec.value import Value

#: The largest public models need 3 MB, a million nodes 120 MB.
MAXIMUM_BYTES = 512 << 20
#: What a file may take up when it is parsed, in bytes; a million nodes take 1 GB.
MAXIMUM_MEMORY = 4 << 30
#: Outputs of one node; beyond any operator there is.
_MAXIMUM_OUTPUTS = 1 << 16
_VARIABLE = "null"
#: What attributes of a node stand under.
DICTIONARIES = ("param", "attr", "attrs")
# Hints for training and placement that old front ends stored without the underscores; also with
# an input's name in front (weight_lr_mult).  The framework takes them off before it parses the rest.
_HINTS = ("ctx_group", "lr_mult", "wd_mult", "force_mirroring", "mirror_stage", "profiler_scope")
# What front ends write on the variables they create for parameters, and never on inputs.
_PARAMETER_MARKS = frozenset(("__init__", "__lr_mult__", "__wd_mult__"))
_SHAPE_HINT = "__shape__"


@dataclass(frozen=True, eq=False)
class SymbolFile:
    """A symbol file that has been read and checked.

    ``nodes`` are the JSON objects as they stand in the file (not to be changed), ``heads`` the outputs
    of the model, ``has_subgraphs`` the nodes that hold graphs of their own, and ``numpy_shapes`` says
    that sizes of zero and empty shapes mean themselves (they mean *unknown* elsewhere).
    """

    name: str
    data: bytes
    nodes: Sequence[Mapping[str, Any]]
    heads: tuple[Tensor, ...]
    has_subgraphs: frozenset[int]
    numpy_shapes: bool

    def attributes(self, node: int) -> dict[str, Value]:
        """All attributes of a node, the hidden ones included."""
        return {key: _read(value) for key, value in _raw_attributes(self.nodes[node]).items()}

    def describe(self, node: int) -> str:
        """The node for a message: ``file: node 12 "conv0" (Convolution)``."""
        return _describe(self.name, self.nodes, node)


def read_symbol_file(path: Union[str, os.PathLike[str]]) -> SymbolFile:
    """Read a symbol file from disk; errors as :func:`read_symbol`, and P301 where it cannot be read."""
    name = os.fspath(path)
    try:
        with open(path, "rb") as file:
            status = os.fstat(file.fileno())
            # A device or a pipe has no size to check: the bound on the bytes read holds all the same.
            if stat.S_ISREG(status.st_mode) and status.st_size > MAXIMUM_BYTES:
                _too_large(name, status.st_size)
            data = file.read(MAXIMUM_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a path with a null character
        reason = getattr(error, "strerror", None) or str(error)
        _fail("P301", "cannot read the model", name, f"the system says: {reason}", "check the path")
    return read_symbol(data, name)


def read_symbol(data: bytes, name: str) -> SymbolFile:
    """Read the bytes of a symbol file; ``name`` is what messages call it.

    Raises PrunecError: P302 too large, P303 not JSON, P304 nested too deeply, P305 not the structure
    of a symbol file, P306 an input or output that refers to no earlier node.
    """
    if len(data) > MAXIMUM_BYTES:
        _too_large(name, len(data))
    room = memory_of(data)
    if room > MAXIMUM_MEMORY:
        _too_much(name, room)
    document = _parse(data, name)
    if not isinstance(document, dict) or not isinstance(document.get("nodes"), list):
        note = 'a symbol file is a JSON object with a list "nodes"; this one has none'
        _fail("P305", "not an MXNet symbol file", name, note, _HELP_FILE)
    nodes = document["nodes"]
    for index in range(len(nodes)):
        _check_node(name, nodes, index)
    return SymbolFile(
        name=name,
        data=data,
        nodes=nodes,
        heads=_heads(name, document, nodes),
        has_subgraphs=frozenset(i for i, node in enumerate(nodes) if node.get("subgraphs")),
        numpy_shapes=_numpy_shapes(document.get("attrs")),
    )


def memory_of(data: bytes) -> int:
    """How many bytes JSON can take up, at most, while it is parsed and afterwards: what can be told of it
    before.  Each object, list, member and text has its mark, and takes up so much besides its letters, of
    which there are up to three copies, four bytes each where one of them is not of ASCII."""
    letters = (3 if data.isascii() else 12) * len(data)
    members = data.count(b",") + data.count(b'"') // 2
    return letters + 256 * data.count(b"{") + 96 * data.count(b"[") + 96 * members


def to_graph(
    file: SymbolFile,
    parameter_names: Optional[Collection[str]] = None,
    input_shapes: Mapping[str, Shape] = {},
    parameter_shapes: Mapping[str, Shape] = {},
) -> Graph:
    """The graph of a symbol file.

    ``parameter_names`` are the names in the parameter file, without ``arg:`` and ``aux:``; where they
    are not given, a variable counts as a parameter when it carries what front ends write on
    parameters only (an initialiser, multipliers of learning rate and weight decay).  A variable in
    ``input_shapes`` is never one.  Of the shapes known for a variable the user's is taken, else the
    parameter file's, else the hint in the model.  What takes a variable whose name an earlier one has
    takes the first of them.

    Raises PrunecError P307 for an input that is no variable of the model.
    """
    nodes, variables = [], []
    again = same_variables(file.nodes)
    for index, node in enumerate(file.nodes):
        raw = _raw_attributes(node)
        operator = node["op"] if node["op"] != _VARIABLE else None
        attributes = {key: _read(value) for key, value in raw.items() if not is_hidden(key)}
        inputs = tuple(Tensor(again.get(entry[0], entry[0]), entry[1]) for entry in node["inputs"])
        nodes.append(Node(node["name"], operator, attributes, inputs))
        if operator is None:
            variables.append((index, node["name"], raw))
    _check_inputs(file, input_shapes, {name for _, name, _ in variables})
    names = None if parameter_names is None else frozenset(parameter_names)
    shapes: dict[int, Shape] = {}
    parameters = set()
    for index, name, raw in variables:
        shape = _shape_hint(raw.get(_SHAPE_HINT), file.numpy_shapes)
        shape = input_shapes.get(name, parameter_shapes.get(name, shape))
        index = again.get(index, index)
        if shape is not None:
            shapes.setdefault(index, shape)
        known = _PARAMETER_MARKS & raw.keys() if names is None else name in names
        if known and name not in input_shapes:
            parameters.add(index)
    heads = tuple(Tensor(again.get(head.node, head.node), head.output) for head in file.heads)
    return Graph(tuple(nodes), heads, frozenset(parameters), shapes)


def same_variables(nodes: Sequence[Mapping[str, Any]]) -> dict[int, int]:
    """For each variable whose name an earlier one has, by index, the first of that name: they are one, whose
    value is given by name."""
    first: dict[str, int] = {}
    again: dict[int, int] = {}
    for index, node in enumerate(nodes):
        if node["op"] == _VARIABLE and first.setdefault(node["name"], index) != index:
            again[index] = first[node["name"]]
    return again


@lru_cache(maxsize=4096)
def is_hidden(attribute: str) -> bool:
    """Whether an attribute says nothing about the computation (initialisers, learning rates, placement)."""
    return attribute.startswith("__") or attribute.startswith(_HINTS) or attribute.endswith(_HINTS)


# --- reading -------------------------------------------------------------------------------


def _parse(data: bytes, name: str) -> Any:
    try:
        text = data.decode("utf-8-sig")
        document = json.loads(text, parse_constant=_no_constant)
        if "\\u" in text:
            # Half a surrogate pair, written as an escape, would be a string that cannot be printed.
            json.dumps(document, ensure_ascii=False).encode("utf-8")
        return document
    except RecursionError:
        too_deep(name)
    except UnicodeDecodeError as error:
        note = f"it is not UTF-8 text: byte {error.start} is 0x{error.object[error.start]:02x}"
        _fail("P303", "not a JSON file", name, note, _HELP_FILE)
    except UnicodeEncodeError:
        note = "a string in it has half a surrogate pair, which is not a character"
        _fail("P303", "not a JSON file", name, note, "correct the \\u escapes in the file")
    except json.JSONDecodeError as error:
        where = f"{name}:{error.lineno}:{error.colno}"
        note = f"reading stopped here: {error.msg}"
        if data.startswith(b"version https://git-lfs"):
            note = "it is a Git LFS pointer: the model itself was not fetched"
            _fail("P303", "not a JSON file", where, note, "fetch the file itself with git lfs pull")
        _fail("P303", "not a JSON file", where, note, _HELP_FILE)
    except ValueError as error:
        _fail("P303", "not a JSON file", name, str(error), _HELP_FILE)


def _no_constant(constant: str) -> NoReturn:
    raise ValueError(f"{constant} stands where a number should, and JSON has no such number")


def _check_node(name: str, nodes: Sequence[Any], index: int) -> None:
    node = nodes[index]
    if not isinstance(node, dict):
        _structure(name, f"node {index} is not a JSON object")
    if not isinstance(node.get("name"), str) or not isinstance(node.get("op"), str):
        _structure(name, f'node {index} lacks a string "name" or "op"')
    inputs = node.get("inputs")
    if not isinstance(inputs, list):
        _structure(_describe(name, nodes, index), 'the node has no list "inputs"')
    if inputs and node["op"] == _VARIABLE:
        _structure(_describe(name, nodes, index), "a variable has inputs, as only operators do")
    for entry in inputs:
        if not _is_entry(entry):
            _structure(_describe(name, nodes, index), _ENTRY_NOTE.format("an input"))
        if entry[0] >= index:
            _check_order(name, nodes, index, entry[0])
        if entry[1] and nodes[entry[0]]["op"] == _VARIABLE:
            _reference(_describe(name, nodes, index), _VARIABLE_NOTE.format("an input", entry[1], entry[0]))
    for key in DICTIONARIES:
        if key in node:
            _check_dictionary(name, nodes, index, key)
    if not isinstance(node.get("subgraphs", []), list):
        _structure(_describe(name, nodes, index), '"subgraphs" is not a list')


def _check_dictionary(name: str, nodes: Sequence[Any], index: int, key: str) -> None:
    dictionary = nodes[index][key]
    if not isinstance(dictionary, dict):
        _structure(_describe(name, nodes, index), f'"{key}" is not a JSON object')
    for attribute, value in dictionary.items():
        if isinstance(value, (list, dict)):
            note = f'the attribute "{attribute}" is a list or an object, where a text is expected'
            _structure(_describe(name, nodes, index), note)


def _check_order(name: str, nodes: Sequence[Any], index: int, source: int) -> NoReturn:
    where = _describe(name, nodes, index)
    if source >= len(nodes):
        _reference(where, f"an input refers to node {source}, and there are {len(nodes)} nodes")
    note = f"an input refers to node {source}, which does not come before this one"
    _reference(where, note + ": the nodes are out of order, or they form a cycle")


def _is_entry(entry: Any) -> bool:
    """Whether this is ``[node, output]`` or ``[node, output, version]``."""
    if not isinstance(entry, list) or len(entry) not in (2, 3):
        return False
    # type() because a truth value is an int to isinstance.
    return all(type(number) is int and number >= 0 for number in entry) and entry[1] < _MAXIMUM_OUTPUTS


def _heads(name: str, document: Mapping[str, Any], nodes: Sequence[Any]) -> tuple[Tensor, ...]:
    heads = document.get("heads")
    if not isinstance(heads, list) or not heads:
        _structure(name, 'there is no list "heads" with the outputs of the model')
    for entry in heads:
        if not _is_entry(entry):
            _structure(name, _ENTRY_NOTE.format('an entry of "heads"'))
        if entry[0] >= len(nodes):
            _reference(name, f"an output refers to node {entry[0]}, and there are {len(nodes)} nodes")
        if entry[1] and nodes[entry[0]]["op"] == _VARIABLE:
            _reference(name, _VARIABLE_NOTE.format("an output", entry[1], entry[0]))
    return tuple(Tensor(entry[0], entry[1]) for entry in heads)


def _numpy_shapes(attributes: Any) -> bool:
    """Whether the file was saved under numpy's meaning of shapes: ``"is_np_shape": ["int", 1]``."""
    entry = attributes.get("is_np_shape") if isinstance(attributes, dict) else None
    return isinstance(entry, list) and len(entry) == 2 and entry[1] in (1, True)


def _raw_attributes(node: Mapping[str, Any]) -> Mapping[str, Any]:
    """The attributes as the framework merges them: of ``attr`` and ``attrs`` the one that comes last
    replaces the other; ``param`` gives what that one lacks."""
    found: Mapping[str, Any] = {}
    for key in node:
        if key == "attrs" or key == "attr":
            found = node[key]
    if "param" in node:
        return {**node["param"], **found}
    return found


def _read(value: Any) -> Value:
    if isinstance(value, str):
        return read_value(value)
    return value  # type: ignore[no-any-return]  # a JSON number, truth value or null


def _shape_hint(raw: Any, numpy_shapes: bool) -> Optional[Shape]:
    value = _read(raw)
    if type(value) is int:
        value = (value,)
    if not isinstance(value, tuple) or (not value and not numpy_shapes):
        return None
    sizes: list[Optional[int]] = []
    for size in value:
        if size is not None and (type(size) is not int or size < -1):
            return None
        sizes.append(None if size is None or size < (0 if numpy_shapes else 1) else size)
    return tuple(sizes)


def _check_inputs(file: SymbolFile, input_shapes: Mapping[str, Shape], variables: set[str]) -> None:
    unknown = [name for name in input_shapes if name not in variables]
    if unknown:
        candidates = [
            node["name"]
            for node in file.nodes
            if node["op"] == _VARIABLE and not _PARAMETER_MARKS & _raw_attributes(node).keys()
        ]
        shown = ", ".join(printable(name, 60) for name in candidates[:8])
        note = f"variables that can be inputs: {shown}{' …' if len(candidates) > 8 else ''}"
        headline = f'the model has no input "{printable(unknown[0])}"'
        _fail("P307", headline, file.name, note, "give an input the name it has in the model")


# --- messages ------------------------------------------------------------------------------

_HELP_FILE = "give the file that ends in -symbol.json, as the framework saved it"
_ENTRY_NOTE = "{} is not a list of two or three whole numbers: node, output, version"
_VARIABLE_NOTE = "{} refers to output {} of node {}, and that is a variable, with one output"


def _describe(name: str, nodes: Sequence[Any], index: int) -> str:
    node = nodes[index]
    operator = "variable" if node["op"] == _VARIABLE else printable(node["op"])
    return f'{name}: node {index} "{printable(node["name"])}" ({operator})'


def _fail(code: str, headline: str, where: str, note: str, help_text: str) -> NoReturn:
    raise PrunecError(Diagnostic(code, headline, where, notes=(note,), help=help_text)) from None


def _structure(where: str, note: str) -> NoReturn:
    _fail("P305", "not the structure of an MXNet symbol file", where, note, _HELP_FILE)


def _reference(where: str, note: str) -> NoReturn:
    _fail(
        "P306", "a reference to a node that cannot be", where, note, "save the model again from the framework"
    )


def too_deep(name: str) -> NoReturn:
    """Raises PrunecError P304."""
    note = "real models nest a handful of levels: this one exceeds what can be read"
    _fail("P304", "the model file is nested too deeply", name, note, _HELP_FILE)


def _too_large(name: str, size: int) -> NoReturn:
    note = f"it has {size:,} bytes, and at most {MAXIMUM_BYTES:,} are read"
    _fail("P302", "the model file is too large", name, note, _HELP_FILE)


def _too_much(name: str, room: int) -> NoReturn:
    note = f"it may take up {room:,} bytes when it is read, and at most {MAXIMUM_MEMORY:,} are taken"
    _fail("P302", "the model file is too large", name, note, _HELP_FILE)
