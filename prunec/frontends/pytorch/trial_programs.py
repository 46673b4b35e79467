"""Small networks as exported programs, in memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Mapping, Optional, Sequence

import numpy as np

from prunec.embedded.pt2_tensors import TYPES, Stored
from prunec.frontends.pytorch.document import program_text
from prunec.frontends.pytorch.interpreter import Parts, run
from prunec.frontends.pytorch.names import target_of
from prunec.frontends.pytorch.program import Program
from prunec.frontends.pytorch.schemas import Schema, SchemaArgument, schema
from prunec.frontends.pytorch.sessions import tensor_of
from prunec.frontends.pytorch.trial_operators import LISTS, formals, takes_tensors
from prunec.frontends.runtime import Array
from prunec.frontends.trial_networks import NetworkNode, Point, SmallNetwork
from prunec.frontends.trials import Illegal
from prunec.support.diagnostics import PrunecError
from prunec.value import Value

_PATH = Path("generated.pt2")
_NUMBERS = {name: number for number, (name, _) in TYPES.items()}
#: What arguments of a kind are called in a file.
_FORMS = {
    "bool": ("as_bool", bool),
    "int": ("as_int", int),
    "SymInt": ("as_int", int),
    "float": ("as_float", float),
    "str": ("as_string", str),
    "int[]": ("as_ints", int),
    "SymInt[]": ("as_ints", int),
    "float[]": ("as_floats", float),
    "bool[]": ("as_bools", bool),
}
#: The layout of all tensors, as files number it.
_STRIDED = 7


def program_of(network: SmallNetwork, feeds: Optional[Mapping[str, Array]] = None) -> Program:
    """The program of a network; what it states of the shapes of values are those for ``feeds``, as far as it
    runs.  Raises :class:`Illegal` for a node that no program can hold."""
    values = _value_names(network)
    metas: dict[str, Any] = {}
    document = _document(network, values, metas)
    given: dict[str, Any] = {}
    for name, point in network.variables.items():
        array = network.parameters.get(name, (feeds or {}).get(name))
        tensor = tensor_of(np.zeros(point.shape) if array is None else array, point.kind)
        given[values[name][0]] = tensor
        metas[values[name][0]] = _meta(tensor)
    if feeds is not None:
        _state_shapes(document, given, metas)
    tensors = {name: _stored(name, array) for name, array in network.parameters.items()}
    digest = str(len(network.nodes))
    return Program(_PATH, digest, document, program_text(document), tensors, arrays=dict(network.parameters))


def _state_shapes(document: Mapping[str, Any], given: Mapping[str, Any], metas: dict[str, Any]) -> None:
    parts = Parts(program_text(document))
    every = parts.part((), tuple(parts.made))
    given = {name: tensor.clone() for name, tensor in given.items()}
    try:
        run(parts, every, given, lambda name, value: metas.update({name: _meta(value)}))
    except PrunecError:
        return  # why it does not run is told where it is run for its outputs


def _document(
    network: SmallNetwork, values: Mapping[str, Sequence[str]], metas: dict[str, Any]
) -> dict[str, Any]:
    inputs, specs, nodes = [], [], []
    for name in network.variables:
        own = {"name": values[name][0]}
        inputs.append({"as_tensor": own})
        if name in network.parameters:
            specs.append({"parameter": {"arg": own, "parameter_name": name}})
        else:
            specs.append({"user_input": {"arg": {"as_tensor": own}}})
    for node in network.nodes:
        if node.operator is not None:
            nodes.append(entry(network, node, values))
    outputs = [{"as_tensor": {"name": _value(network, values, head)}} for head in network.heads]
    graph = {
        "inputs": inputs,
        "outputs": outputs,
        "nodes": nodes,
        "tensor_values": metas,
        "sym_int_values": {},
    }
    signature = {"input_specs": specs, "output_specs": [{"user_output": {"arg": own}} for own in outputs]}
    return {
        "graph_module": {"graph": graph, "signature": signature},
        "schema_version": {"major": 8, "minor": 14},
    }


def _value_names(network: SmallNetwork) -> dict[str, list[str]]:
    """The values of each node of the network by its name."""
    return {
        node.name: [node.name if k == 0 else f"{node.name}_{k}" for k in range(node.outputs)]
        for node in network.nodes
    }


def _value(network: SmallNetwork, values: Mapping[str, Sequence[str]], point: Point) -> str:
    return values[network.nodes[point.node].name][point.output]


def entry(network: SmallNetwork, node: NetworkNode, values: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """A node as a file holds it.  Raises :class:`Illegal` for one that it cannot."""
    known = schema(str(node.operator))
    if known is None:
        raise Illegal(f"there is no operator {node.operator}")
    waiting = [None if point is None else _value(network, values, point) for point in node.inputs]
    given: list[dict[str, Any]] = []
    for argument in known.arguments:
        attribute = node.attributes.get(argument.name)
        if takes_tensors(argument):
            own = _wired(known, argument, waiting, attribute)
        elif argument.name in node.attributes:
            own = encoded(argument, attribute)
        else:
            continue
        given.append({"name": argument.name, "arg": own, "kind": 2 if argument.keyword_only else 1})
    if waiting:
        raise Illegal("it takes fewer inputs than the rule has places for")
    outputs = [{"name": name} for name in values[node.name]]
    listed = "Tensor[]" in known.returns
    return {
        "target": target_of(str(node.operator)),
        "inputs": given,
        "outputs": [{"as_tensors": outputs}] if listed else [{"as_tensor": own} for own in outputs],
        "metadata": {},
        "name": node.name,
    }


def _wired(
    known: Schema, argument: SchemaArgument, waiting: list[Optional[str]], attribute: Value
) -> dict[str, Any]:
    """An argument that takes tensors; what it takes is removed from those that wait."""
    if argument.kind in LISTS:
        taken, waiting[:] = waiting[: (own := _length(known, argument, waiting))], waiting[own:]
        if None in taken:
            raise Illegal("a list has no gaps")
        if argument.kind == "Tensor[]":
            return {"as_tensors": [{"name": name} for name in taken]}
        places = attribute if isinstance(attribute, tuple) else tuple(range(len(taken)))
        if len(places) != len(taken):
            raise Illegal("it has other inputs than positions")
        row: list[dict[str, Any]] = [{"as_none": True}] * (max(map(_whole, places), default=-1) + 1)
        for place, name in zip(places, taken):
            row[_whole(place)] = {"as_tensor": {"name": name}}
        return {"as_optional_tensors": row}
    name = waiting.pop(0) if waiting else None
    if name is not None:
        return {"as_tensor": {"name": name}}
    if attribute is None or isinstance(attribute, tuple):
        return {"as_none": True}
    return _number(attribute)


def _length(known: Schema, argument: SchemaArgument, waiting: Sequence[Optional[str]]) -> int:
    """How many of the inputs that wait a list takes."""
    behind = formals(known)[formals(known).index(argument) + 1 :]
    if any(other.kind in LISTS for other in behind):
        # States, as many as come out again.
        return len(known.returns) - 1
    return max(0, len(waiting) - len(behind))


def _whole(value: Value) -> int:
    if not isinstance(value, int) or not 0 <= value < 8:
        raise Illegal("a position that is none")
    return value


def encoded(argument: SchemaArgument, value: Value) -> dict[str, Any]:
    """An attribute as a file holds it.  Raises :class:`Illegal` for one that is none of its kind."""
    kind = argument.kind.rstrip("?")
    if value is None:
        return {"as_none": True}
    if kind == "ScalarType":
        if value not in _NUMBERS:
            raise Illegal(f"{value} is no type of elements")
        return {"as_scalar_type": _NUMBERS[str(value)]}
    if kind == "Scalar":
        return _number(value)
    if kind not in _FORMS:
        raise Illegal(f"`{argument.name}` is of a kind that is not drawn")
    form, convert = _FORMS[kind]
    if not kind.endswith("[]"):
        if isinstance(value, tuple):
            raise Illegal(f"`{argument.name}` is one value")
        return {form: convert(value)}
    entries = value if isinstance(value, tuple) else (value,)
    if any(isinstance(one, (tuple, str)) or one is None for one in entries):
        raise Illegal(f"`{argument.name}` is a list of numbers")
    return {form: [convert(one) for one in entries]}


def _number(value: Value) -> dict[str, Any]:
    for kind, form in ((bool, "as_bool"), (int, "as_int"), (float, "as_float")):
        if isinstance(value, kind):
            return {form: value}
    raise Illegal("a number that is none")


def _meta(tensor: Any) -> dict[str, Any]:
    return {
        "dtype": _NUMBERS.get(str(tensor.dtype).rpartition(".")[2], 0),
        "sizes": [{"as_int": size} for size in tensor.shape],
        "requires_grad": False,
        "device": {"type": "cpu", "index": None},
        "strides": [{"as_int": stride} for stride in tensor.stride()],
        "storage_offset": {"as_int": 0},
        "layout": _STRIDED,
    }


def _stored(name: str, array: Array) -> Stored:
    strides = tuple(stride // array.itemsize for stride in array.strides)
    return Stored(name, str(array.dtype), array.shape, strides, 0, name, array.dtype.kind == "f")
