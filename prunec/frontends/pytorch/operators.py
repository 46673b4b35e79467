"""What the table of schemas says of operators, for checks and proofs of rules."""

from __future__ import annotations

from functools import lru_cache
from typing import Mapping, Optional

from prunec.frontends.operators import Argument, Operator, Registered
from prunec.frontends.pytorch.schemas import Schema, SchemaArgument, schema, schemas
from prunec.graph import COUNTS
from prunec.value import Value

#: Attributes that rules read and no operator has: how many outputs a node has, and which of the tensors that
#: index are truth values.
OUTPUTS, MASKS = "outputs", "masks"
_KINDS = {
    "bool": "boolean",
    "int": "integer",
    "SymInt": "integer",
    "float": "float",
    "Scalar": "float",
    "str": "text",
}
_LISTS = tuple(f"{kind}[]" for kind in ("bool", "int", "SymInt", "float", "Scalar"))


def registered() -> dict[str, Registered]:
    """The arguments of all operators: of a tensor, rules read the number that may be given in its place, or
    what it holds."""
    return {
        name: Registered((*(a.name for a in own.arguments), OUTPUTS, COUNTS, MASKS), False)
        for name, own in schemas().items()
    }


def versions(name: str) -> tuple[Operator, ...]:
    """The operator of a name, which has one version; nothing where the table does not have it."""
    own = schema(name)
    if own is None:
        return ()
    numbers = _numbers().get(_stem(name), frozenset())
    # The first tensor is never a number: another overload is meant then.
    found = (_argument(argument, numbers if n else frozenset()) for n, argument in enumerate(own.arguments))
    arguments = tuple(argument for argument in found if argument is not None)
    return (Operator(name, arguments, lists_all=True, version_attributes=_of_nodes(own)),)


def _argument(argument: SchemaArgument, numbers: frozenset[str]) -> Optional[Argument]:
    """What an argument is as an attribute; ``None`` for a tensor and for what no rule reads."""
    kind = argument.kind.rstrip("?")
    if kind == "Tensor" and argument.name in numbers:
        return Argument(argument.name, "float", (), True, False)
    meaning = "tuple" if kind in _LISTS else _KINDS.get(kind)
    if meaning is None:
        return None
    return Argument(argument.name, meaning, (), argument.kind.endswith("?"), argument.required)


@lru_cache(maxsize=1)
def _numbers() -> Mapping[str, frozenset[str]]:
    """By the names of operators without overloads, the arguments that are numbers in one of these."""
    found: dict[str, set[str]] = {}
    for name, own in schemas().items():
        numbers = {argument.name for argument in own.arguments if argument.kind == "Scalar"}
        found.setdefault(_stem(name), set()).update(numbers)
    return {stem: frozenset(names) for stem, names in found.items()}


def _stem(name: str) -> str:
    return name.partition(".")[0]


def _of_nodes(own: Schema) -> dict[str, Value]:
    """The attributes that follow from a node's outputs, and from the tensors it takes: none counts, and none
    is a mask."""
    counted: dict[str, Value] = {}
    if not any(kind.endswith("[]") for kind in own.returns):
        counted[OUTPUTS] = len(own.returns)
    return {COUNTS: None, MASKS: (), **counted}
