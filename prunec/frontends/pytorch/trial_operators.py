"""Operators under trial, and the tensors that they take."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Any, Mapping, Optional

from prunec.frontends.operators import Argument, Operator
from prunec.frontends.pytorch.names import target_of
from prunec.frontends.pytorch.operations import operation
from prunec.frontends.pytorch.operators import versions
from prunec.frontends.pytorch.schemas import Schema, SchemaArgument, schema

LISTS = ("Tensor[]", "Tensor?[]")
_RESULTS = frozenset(("Tensor", "Tensor[]"))


def takes_tensors(argument: SchemaArgument) -> bool:
    """Whether an argument is wired: a tensor, or a list of tensors."""
    return argument.kind in ("Tensor", "Tensor?", *LISTS)


def formals(known: Schema) -> tuple[SchemaArgument, ...]:
    """The arguments that are wired, in order."""
    return tuple(argument for argument in known.arguments if takes_tensors(argument))


def operator(name: str) -> Optional[Operator]:
    """An operator by its name in rules, with what its tensors may carry among its arguments; ``None`` for one
    that gives anything but tensors, or that there is not."""
    known, found = schema(name), versions(name)
    if known is None or not found or not known.returns or not set(known.returns) <= _RESULTS:
        return None
    listed = {argument.name for argument in found[0].arguments}
    carried = [Argument(f.name, "tuple", (), True, False) for f in formals(known) if f.name not in listed]
    types = [
        Argument(a.name, "text", (), a.kind.endswith("?"), a.required)
        for a in known.arguments
        if a.kind.rstrip("?") == "ScalarType"
    ]
    return replace(found[0], arguments=(*found[0].arguments, *carried, *types))


@lru_cache(maxsize=1024)
def list_lengths(name: str) -> Mapping[str, int]:
    """The arguments of an operator that are lists of so many numbers: PyTorch makes such a list of one number
    before a program is written.  Raises PrunecError P700 and P701."""
    overload: Any = operation(target_of(name)).function
    return {argument.name: argument.N for argument in overload._schema.arguments if argument.N}
