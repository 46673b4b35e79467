"""What the schemas of ONNX, and of ONNX Runtime for the operators it adds, say of operators."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Iterator, Mapping, Optional

from prunec.embedded.onnx_tensors import STANDARD_DOMAINS
from prunec.frontends.onnx.protobuf import OLDEST_OPSET, onnx_package
from prunec.frontends.operators import Argument, Operator, Registered
from prunec.graph import COUNTS
from prunec.value import Value

#: Types of elements in the order in which they are chosen, with what a schema calls them.
KINDS = {
    "float32": "tensor(float)",
    "int64": "tensor(int64)",
    "int32": "tensor(int32)",
    "bool": "tensor(bool)",
    "uint32": "tensor(uint32)",
    "uint8": "tensor(uint8)",
}
#: Attributes that rules read and no operator has.
OPSET, OUTPUTS = "opset", "outputs"
_MEANINGS = {"INT": "integer", "FLOAT": "float", "STRING": "text", "INTS": "tuple", "FLOATS": "tuple"}


@dataclass(frozen=True)
class Formal:
    """An input or output as a schema declares it: ``option`` is ``"single"``, ``"optional"`` or
    ``"variadic"``, ``variable`` the name of its type, ``kinds`` the types of elements, best first."""

    name: str
    option: str
    variable: str
    kinds: tuple[str, ...]


@dataclass(frozen=True)
class Schema:
    """An operator of one version; ``attributes`` holds what kind each is, ``required`` those without which no
    node is legal."""

    domain: str
    name: str
    since: int
    inputs: tuple[Formal, ...]
    outputs: tuple[Formal, ...]
    attributes: Mapping[str, str]
    required: frozenset[str]


@lru_cache(maxsize=1)
def schemas() -> Mapping[str, tuple[Schema, ...]]:
    """The versions of every operator by its name in rules, oldest first; those out of use are left out.

    Raises PrunecError P330 without onnx.
    """
    found: dict[str, dict[int, Schema]] = {}
    for raw in _raw_schemas():
        if raw.deprecated:
            continue
        domain = "" if raw.domain in STANDARD_DOMAINS else raw.domain
        name = f"{domain}::{raw.name}" if domain else raw.name
        found.setdefault(name, {}).setdefault(raw.since_version, _schema(domain, raw))
    return {name: tuple(own[v] for v in sorted(own)) for name, own in sorted(found.items())}


def _raw_schemas() -> Iterator[Any]:
    yield from onnx_package().defs.get_all_schemas_with_history()
    try:
        own = importlib.import_module("onnxruntime.capi.onnxruntime_pybind11_state")
        yield from own.get_all_operator_schema()
    except Exception:  # without ONNX Runtime, or where it does not tell
        return


def _schema(domain: str, raw: Any) -> Schema:
    return Schema(
        domain,
        raw.name,
        raw.since_version,
        tuple(_formal(raw, formal) for formal in raw.inputs),
        tuple(_formal(raw, formal) for formal in raw.outputs),
        {name: _meaning(attribute) for name, attribute in raw.attributes.items()},
        frozenset(name for name, attribute in raw.attributes.items() if attribute.required),
    )


def _formal(raw: Any, formal: Any) -> Formal:
    option = str(formal.option).rsplit(".", 1)[-1].lower()
    variable = getattr(formal, "type_str", None) or formal.typeStr
    types = set(formal.types)
    kinds = tuple(kind for kind, name in KINDS.items() if name in types)
    return Formal(formal.name, option, variable, kinds)


def _meaning(attribute: Any) -> str:
    return _MEANINGS.get(str(attribute.type).rsplit(".", 1)[-1], "other")


def versions(name: str, newest: int, single: frozenset[str]) -> tuple[Operator, ...]:
    """The versions of an operator in models of version 7 to ``newest``, each with the first and the last of
    these that has it; ``single`` names the carried values that are one number."""
    own = schemas().get(name, ())
    if own and own[0].domain:
        return tuple(_operator(name, schema, None, single) for schema in own[-1:])
    found = []
    for schema, later in zip(own, [*own[1:], None]):
        last = newest if later is None else later.since - 1
        first = max(schema.since, OLDEST_OPSET)
        opsets = sorted({opset for opset in (first, last) if first <= opset <= last})
        found += [_operator(name, schema, opset, single) for opset in opsets]
    return tuple(found)


def schema_of(operator: Operator) -> Schema:
    """The schema of an operator that :func:`versions` gave."""
    own = schemas()[operator.name]
    return [schema for schema in own if operator.version is None or schema.since <= operator.version][-1]


def _operator(name: str, schema: Schema, opset: Optional[int], single: frozenset[str]) -> Operator:
    arguments = [
        Argument(attribute, kind, (), False, attribute in schema.required)
        for attribute, kind in schema.attributes.items()
        if kind != "other"
    ]
    carried = [formal for formal in schema.inputs if formal.name not in schema.attributes]
    arguments += [Argument(formal.name, _carried(formal, single), (), False, False) for formal in carried]
    counted = [formal for formal in schema.outputs if formal.option != "variadic"]
    if len(counted) == len(schema.outputs) > 1:
        least = max(1, sum(formal.option == "single" for formal in counted))
        counts: tuple[Value, ...] = tuple(range(least, len(counted) + 1))
        arguments.append(Argument(OUTPUTS, "choice", counts, False, False))
    # No constant that a trial draws counts.
    version_attributes: dict[str, Value] = {COUNTS: None, **({} if opset is None else {OPSET: opset})}
    return Operator(
        name, tuple(arguments), lists_all=True, version=opset, version_attributes=version_attributes
    )


def _carried(formal: Formal, single: frozenset[str]) -> str:
    if formal.name not in single:
        return "tuple"
    return "float" if formal.kinds[:1] == ("float32",) else "integer"


def registered() -> dict[str, Registered]:
    """The attributes of all operators in all versions, and their inputs: rules read what these carry like
    attributes."""
    found: dict[str, Registered] = {}
    for name, history in schemas().items():
        attributes = [attribute for schema in history for attribute in schema.attributes]
        inputs = [formal.name for schema in history for formal in schema.inputs]
        found[name] = Registered(tuple(dict.fromkeys((*attributes, *inputs, OPSET, OUTPUTS, COUNTS))), False)
    return found
