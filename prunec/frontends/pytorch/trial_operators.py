"""Operators under trial, and the tensors that they take."""

from __future__ import annotations

from dataclasses import replace
from typing import Optional

from prunec.frontends.operators import Argument, Operator
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
